"""What can be downloaded."""

from dataclasses import replace
import json

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.diagnostics import async_get_config_entry_diagnostics
from custom_components.iec62056.protocol.errors import (
    MeterError,
    NoAnswer,
    NoData,
    PortBusy,
    WrongParity,
)
from custom_components.iec62056.protocol.model import LineProfile, Medium, Mode
from custom_components.iec62056.state import MeterState

from .bench import IDENTIFICATION, NUMBER, Bench, reading
from .test_init import file_of, stored


async def test_diagnostics(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    data = json.loads(
        json.dumps(await async_get_config_entry_diagnostics(hass, loaded), default=str)
    )
    assert data["meter"] == {
        "make": "Landis+Gyr",
        "model": "ZMF100AC.M26",
        "firmware": "M26",
        "number": "99999999",
        "number_code": "0-0:96.1.0",
    }
    assert data["line"]["scheme"] == "device"
    assert data["health"]["check"] == "right"
    assert data["health"]["check_kind"] == "xor"
    assert data["schedule"] == {
        "interval": 60.0,
        "life": 900.0,
        "alive": True,
        "failures": 0,
        "signal": "good",
        "last_error": None,
    }
    assert data["telegram"]["text"].startswith("/LGZ4ZMF100AC.M26\r\n\x02C.1.0(99999999)\r\n")
    assert "1.8.0(012345.678*kWh)\r\n" in data["telegram"]["text"]
    assert data["registers"]["1-0:1.8.0"]["restored"] is False


async def test_session_shows_times_and_no_number(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    """The number is masked though the line paused in the middle of it."""
    data = await async_get_config_entry_diagnostics(hass, loaded)
    runs = data["session"]["runs"]
    assert [(run["direction"], run["time"], run["speed"]) for run in runs] == [
        ("sent", 0.0, 300),
        ("received", 1.0, 4800),
        ("received", 3.0, 4800),
    ]
    assert runs[1]["text"].endswith("C.1.0(9999")
    assert runs[2]["text"].startswith("9999)")
    for part in (NUMBER, NUMBER[:4], NUMBER[4:]):
        assert part not in json.dumps(data, default=str)


async def test_nothing_that_names_a_person_or_a_host(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    hass.config_entries.async_update_entry(
        entry,
        title="Flat of Mrs. Example",
        data={"device": "rfc2217://me:secret@cellar.lan:2001", "address": "55566677"},
    )
    sent = {
        "0.0.0": [f"  {NUMBER}  "],
        "9.9": [f"000&{NUMBER}&0"],
        "0-0:96.1.1": ["4B384547303034303436333935353037"],
        "0-0:96.13.0": ["48656C6C6F204D72732E204578616D706C65"],
        "77.7": ["K8EG004046395507"],
        "1.8.0": ["1*kWh"],
    }
    bench.answers = [
        replace(
            reading(sent, identification=replace(IDENTIFICATION, model=f"LUN{NUMBER}")),
            unparsed=(f"junk {NUMBER}",),
        )
    ]
    await hass.config_entries.async_setup(entry.entry_id)
    data = json.dumps(await async_get_config_entry_diagnostics(hass, entry), default=str)
    for secret in (
        NUMBER,
        "Example",
        "secret",
        "cellar",
        "55566677",
        "K8EG004046395507",
        "4B384547303034303436333935353037",
        "48656C6C6F204D72732E",
    ):
        assert secret not in data
    assert '"scheme": "rfc2217"' in data


@pytest.mark.usefixtures("freezer")
async def test_after_a_restart_and_a_failure(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, hass_storage: dict[str, object]
) -> None:
    """The stored telegram is there at once; of a session before the start there is none."""
    profile = LineProfile(medium=Medium.ELECTRICITY, mode=Mode.C)
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), profile))
    await hass.config_entries.async_setup(entry.entry_id)
    data = await async_get_config_entry_diagnostics(hass, entry)
    assert data["session"] is None
    assert "1.8.0(012345.678*kWh)" in data["telegram"]["text"]
    assert data["registers"]["1-0:1.8.0"]["restored"] is True
    assert data["line"]["profile"]["mode"] == "C"
    bench.answers = [NoAnswer()]
    await entry.runtime_data.async_refresh()
    data = await async_get_config_entry_diagnostics(hass, entry)
    assert data["schedule"]["failures"] == 1
    assert data["schedule"]["last_error"] == {
        "reason": "no_answer",
        "sentence": str(NoAnswer()),
    }


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PortBusy(port="rfc2217://cellar.lan:2001"), "The port … is in use"),
        (NoData(meter=f"LUN5{NUMBER}"), "The meter LUN599999999 gave its name"),
        (WrongParity(percent="37"), "37 % of the characters arrived damaged"),
    ],
)
async def test_reason_of_a_failure_names_nothing(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, error: MeterError, sentence: str
) -> None:
    bench.answers = [error]
    await loaded.runtime_data.async_refresh()
    data = await async_get_config_entry_diagnostics(hass, loaded)
    assert data["schedule"]["last_error"]["reason"] == error.key
    assert data["schedule"]["last_error"]["sentence"].startswith(sentence)
    assert data["schedule"]["last_error"]["sentence"].endswith(error.advice)
