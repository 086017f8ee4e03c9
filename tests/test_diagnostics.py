"""What can be downloaded."""

from dataclasses import replace
from http import HTTPStatus
import json
from pathlib import Path

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.iec62056.diagnostics import async_get_config_entry_diagnostics
from custom_components.iec62056.protocol import __main__ as command
from custom_components.iec62056.protocol.errors import (
    CheckWrong,
    MeterError,
    NoAnswer,
    NoData,
    PortBusy,
    WrongParity,
)
from custom_components.iec62056.protocol.model import LineProfile, Medium, Mode, Reading
from custom_components.iec62056.state.meter_state import MeterState

from .common.bench import IDENTIFICATION, NUMBER, START, Bench, later, reading
from .common.stored_file import file_of, stored


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
        "aligned": "off",
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
    assert data["last_bad_session"] is None
    assert data["last_good_session"]["ended"] == START.isoformat()
    runs = data["last_good_session"]["runs"]
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


async def test_short_address_and_password_leave_the_values_alone(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    """They name nobody, and stand in a telegram for much else; a password is in no telegram."""
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, "address": "1", "password": "00000000"}
    )
    await hass.config_entries.async_setup(entry.entry_id)
    data = await async_get_config_entry_diagnostics(hass, entry)
    assert "F.F(00000000)" in data["telegram"]["text"]
    assert "1.8.1(" in data["telegram"]["text"]
    assert "password" not in json.dumps(data, default=str)


@pytest.mark.usefixtures("freezer")
async def test_after_a_restart_and_a_failure(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, hass_storage: dict[str, object]
) -> None:
    """The stored telegram is there at once; of a session before the start there is none."""
    profile = LineProfile(medium=Medium.ELECTRICITY, mode=Mode.C)
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), profile))
    await hass.config_entries.async_setup(entry.entry_id)
    data = await async_get_config_entry_diagnostics(hass, entry)
    assert data["last_good_session"] is None
    assert "1.8.0(012345.678*kWh)" in data["telegram"]["text"]
    assert data["registers"]["1-0:1.8.0"]["restored"] is True
    assert data["line"]["profile"]["mode"] == "C"
    bench.answers = [NoAnswer()]
    await entry.runtime_data.coordinator.async_refresh()
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
    await loaded.runtime_data.coordinator.async_refresh()
    data = await async_get_config_entry_diagnostics(hass, loaded)
    assert data["schedule"]["last_error"]["reason"] == error.key
    assert data["schedule"]["last_error"]["sentence"].startswith(sentence)
    assert data["schedule"]["last_error"]["sentence"].endswith(str(error).partition(". ")[2])


async def test_last_good_and_last_bad_session(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Each stays until there is another of its kind; a port that cannot be opened makes none."""
    coordinator = loaded.runtime_data.coordinator
    answers: list[Reading | MeterError] = [CheckWrong(), reading(at=later(2)), PortBusy(port="x")]
    for minute, answer in enumerate(answers, 1):
        freezer.move_to(later(minute))
        bench.answers = [answer]
        bench.open_error = answer if isinstance(answer, PortBusy) else None
        await coordinator.async_refresh()
    data = await async_get_config_entry_diagnostics(hass, loaded)
    assert data["last_bad_session"]["ended"] == later(1).isoformat()
    assert data["last_good_session"]["ended"] == later(2).isoformat()


async def test_download_is_read_by_the_command_line(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As it is, with all that Home Assistant puts around it. The check no longer fits, but was right."""
    assert await async_setup_component(hass, "diagnostics", {})
    await hass.async_block_till_done()
    client = await hass_client()
    answer = await client.get(f"/api/diagnostics/config_entry/{loaded.entry_id}")
    assert answer.status == HTTPStatus.OK
    path = tmp_path / "diagnostics.json"
    path.write_bytes(await answer.read())
    assert NUMBER not in path.read_text("utf-8")
    assert command.main(["--file", str(path)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert "redacted, check was right" in table[-1]
    assert any(row.split()[:3] == ["1-0:1.8.0", "1.8.0", "12345.678"] for row in table)
    assert command.main(["--file", str(path), "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert explained["redacted"] is True
    assert explained["health"]["check"] == "right"
    assert len(explained["registers"]) == len(
        loaded.runtime_data.coordinator.data.reading.registers
    )
