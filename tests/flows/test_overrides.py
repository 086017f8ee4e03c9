"""What the user says of a register without a name, and what that does to its statistics."""

from typing import Any

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.models import StatisticMeanType
from homeassistant.components.recorder.statistics import async_import_statistics
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.components.sensor.const import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.model import LineProfile, Medium
from custom_components.iec62056.registers.descriptions import describe, kept_unit
from custom_components.iec62056.registers.matching import context_of
from custom_components.iec62056.registers.overrides import (
    DEVICE_CLASSES,
    RegisterOverride,
    fault,
    overridden,
)
from custom_components.iec62056.registers.selection import choices_of
from custom_components.iec62056.state.meter_state import MeterState

from ..common.bench import NUMBER, START, Bench, entity_id, later, reading, state
from ..common.option_pages import choose, send

# Codes of the maker: a bare number, one with a unit, one with a unit that nobody knows, a text.
SENT = {
    "C.1.0": [NUMBER],
    "1.8.0": ["012345.678*kWh"],
    "ZZ1": ["hello"],
    "ZZ2": ["00042.5"],
    "ZZ3": ["00017.0*kWh"],
    "ZZ4": ["3*foo"],
}


@pytest.fixture
async def named(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, request: pytest.FixtureRequest
) -> MockConfigEntry:
    """A meter with bare codes, all of them switched on."""
    bench.answers = [reading(SENT)]
    bare = {key: True for key in SENT if key.startswith("ZZ")}
    said = getattr(request, "param", {})
    hass.config_entries.async_update_entry(
        entry, options={"registers": bare} | ({"custom": said} if said else {})
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def ask(hass: HomeAssistant, entry: MockConfigEntry, key: str) -> Any:
    """The form for one register."""
    shown = await send(hass, await choose(hass, entry, "names"), register=key)
    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, "name")
    return shown


def fields(shown: Any) -> dict[str, Any]:
    """What is asked, and what is filled in."""
    return {
        key.schema: (key.description or {}).get("suggested_value")
        for key in shown["data_schema"].schema
    }


async def test_only_bare_codes_are_offered(hass: HomeAssistant, named: MockConfigEntry) -> None:
    shown = await choose(hass, named, "names")
    options = shown["data_schema"].schema["register"].config["options"]
    assert {option["value"]: option["label"] for option in options} == {
        "ZZ1": "ZZ1 · hello",
        "ZZ2": "ZZ2 · 00042.5",
        "ZZ3": "ZZ3 · 00017.0 kWh",
        "ZZ4": "ZZ4 · 3 foo",
    }


async def test_what_is_asked_fits_the_register(hass: HomeAssistant, named: MockConfigEntry) -> None:
    assert fields(await ask(hass, named, "ZZ1")) == {"name": None}
    assert fields(await ask(hass, named, "ZZ2")) == {
        "name": None,
        "unit": None,
        "device_class": None,
        "state_class": None,
    }
    # The meter says what it counts in: nobody knows better.
    assert fields(await ask(hass, named, "ZZ3")) == {
        "name": None,
        "device_class": "energy",
        "state_class": "total",
    }
    shown = await ask(hass, named, "ZZ4")
    assert fields(shown)["unit"] == "foo"
    assert shown["description_placeholders"] == {"code": "ZZ4", "value": "3 foo"}


async def test_number_becomes_a_meter_reading(hass: HomeAssistant, named: MockConfigEntry) -> None:
    assert state(hass, "ZZ2").attributes.get("unit_of_measurement") is None
    before = entity_id(hass, "ZZ2")
    done = await send(
        hass,
        await ask(hass, named, "ZZ2"),
        name=" Garden ",
        unit="m3",
        device_class="water",
        state_class="total_increasing",
    )
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert named.options["custom"] == {
        "ZZ2": {
            "name": "Garden",
            "unit": "m3",
            "device_class": "water",
            "state_class": "total_increasing",
        }
    }
    found = state(hass, "ZZ2")
    assert found.entity_id == before
    assert found.state == "42.5"
    assert found.name.endswith("Garden")
    # As Home Assistant writes the unit.
    assert found.attributes["unit_of_measurement"] == "m³"
    assert found.attributes["device_class"] == "water"
    assert found.attributes["state_class"] == "total_increasing"
    shown = await ask(hass, named, "ZZ2")
    assert fields(shown) == {
        "name": "Garden",
        "unit": "m³",
        "device_class": "water",
        "state_class": "total_increasing",
    }


@pytest.mark.parametrize("named", [{"ZZ2": {"unit": "kWh", "name": "A"}}], indirect=True)
async def test_second_thoughts_about_a_unit(hass: HomeAssistant, named: MockConfigEntry) -> None:
    """The number stays, whatever it was counted in before: it was never converted."""
    assert state(hass, "ZZ2").attributes["unit_of_measurement"] == "kWh"
    await send(hass, await ask(hass, named, "ZZ2"), unit="MWh")
    found = state(hass, "ZZ2")
    assert (found.state, found.attributes["unit_of_measurement"]) == ("42.5", "MWh")
    # Nothing said: as it was in the beginning.
    await send(hass, await ask(hass, named, "ZZ2"))
    assert "custom" not in named.options
    assert state(hass, "ZZ2").state == "00042.5"


async def test_unit_that_nobody_knows(hass: HomeAssistant, named: MockConfigEntry) -> None:
    await send(
        hass,
        await ask(hass, named, "ZZ4"),
        unit="kWh",
        device_class="energy",
        state_class="total",
    )
    found = state(hass, "ZZ4")
    assert (found.state, found.attributes["unit_of_measurement"]) == ("3", "kWh")
    await send(hass, await ask(hass, named, "ZZ4"), unit="bar fly", state_class="measurement")
    found = state(hass, "ZZ4")
    assert (found.state, found.attributes["unit_of_measurement"]) == ("3", "bar fly")


async def test_unit_of_the_meter_is_still_converted(
    hass: HomeAssistant, named: MockConfigEntry, bench: Bench
) -> None:
    await send(
        hass, await ask(hass, named, "ZZ3"), device_class="energy", state_class="total_increasing"
    )
    assert state(hass, "ZZ3").attributes["state_class"] == "total_increasing"
    bench.answers = [reading({**SENT, "ZZ3": ["18000*Wh"]}, at=later(1))]
    await named.runtime_data.coordinator.async_refresh()
    found = state(hass, "ZZ3")
    assert (float(found.state), found.attributes["unit_of_measurement"]) == (18.0, "kWh")


async def test_text_gets_a_name_only(hass: HomeAssistant, named: MockConfigEntry) -> None:
    await send(hass, await ask(hass, named, "ZZ1"), name="Greeting")
    assert named.options["custom"] == {"ZZ1": {"name": "Greeting"}}
    found = state(hass, "ZZ1")
    assert found.state == "hello"
    assert found.name.endswith("Greeting")


async def test_nothing_said_is_not_kept(hass: HomeAssistant, named: MockConfigEntry) -> None:
    shown = await ask(hass, named, "ZZ4")
    await send(hass, shown, unit="foo")
    assert "custom" not in named.options


@pytest.mark.parametrize(
    ("entered", "errors"),
    [
        (
            {"unit": "V", "device_class": "energy"},
            {"unit": "unit_of_class"},
        ),
        ({"device_class": "gas"}, {"unit": "unit_of_class"}),
        (
            {"unit": "kWh", "device_class": "energy", "state_class": "measurement"},
            {"state_class": "state_class_of_class"},
        ),
        (
            {"unit": "W", "device_class": "power", "state_class": "total_increasing"},
            {"state_class": "state_class_of_class"},
        ),
    ],
)
async def test_what_home_assistant_refuses(
    hass: HomeAssistant, named: MockConfigEntry, entered: dict[str, str], errors: dict[str, str]
) -> None:
    asked = await send(hass, await ask(hass, named, "ZZ2"), name="A", **entered)
    assert (asked["type"], asked["errors"]) == (FlowResultType.FORM, errors)
    # What was entered stays.
    shown = {name: value for name, value in fields(asked).items() if value is not None}
    assert shown == {"name": "A", **entered}
    assert "custom" not in named.options


def bare(key: str) -> tuple[Any, Any]:
    """A register and what the catalogue makes of it."""
    known = MeterState.of(reading(SENT), LineProfile(medium=Medium.ELECTRICITY))
    register = known.registers[key].register
    return register, describe(register, context_of(known.reading.registers), {})[0]


@pytest.mark.parametrize("state_class", [None, *SensorStateClass])
@pytest.mark.parametrize("device_class", DEVICE_CLASSES)
def test_exactly_what_home_assistant_accepts(
    device_class: SensorDeviceClass, state_class: SensorStateClass | None
) -> None:
    """Its own tables decide, for every unit one of them has."""
    register, description = bare("ZZ2")
    for unit in {
        None,
        *(str(unit or "") for units in DEVICE_CLASS_UNITS.values() for unit in units),
    }:
        described = overridden(
            register, description, RegisterOverride("A", unit, device_class, state_class)
        )
        accepted = described.unit in DEVICE_CLASS_UNITS[device_class] and (
            state_class is None or state_class in DEVICE_CLASS_STATE_CLASSES[device_class]
        )
        assert (fault(described) is None) is accepted, (unit, described.unit)


def test_register_with_a_name_is_left_alone() -> None:
    register, description = bare("1-0:1.8.0")
    assert overridden(register, description, RegisterOverride("A", "V")) == description


def test_kept_unit_does_not_touch_what_was_said() -> None:
    register, description = bare("ZZ2")
    said = overridden(register, description, RegisterOverride(unit="MWh"))
    assert kept_unit(said, "kWh") == said


@pytest.mark.parametrize(
    "case",
    [
        (
            {"unit": "kWh", "device_class": "energy", "state_class": "total_increasing"},
            {"unit": "kWh", "device_class": "energy"},
            "statistics_ended",
        ),
        (
            {"unit": "kWh", "state_class": "total_increasing"},
            {"unit": "kWh", "state_class": "measurement"},
            "statistics_kind",
        ),
        (
            {"unit": "kWh", "state_class": "total_increasing"},
            {"unit": "m³", "state_class": "total_increasing"},
            "statistics_unit",
        ),
        (
            {"unit": "kWh", "state_class": "total_increasing"},
            {"unit": "MWh", "state_class": "total_increasing"},
            "statistics_scale",
        ),
        # A name changes nothing; neither does a total that may fall.
        (
            {"unit": "kWh", "state_class": "total_increasing"},
            {"unit": "kWh", "state_class": "total", "name": "A"},
            None,
        ),
    ],
)
async def test_statistics_are_not_changed_in_silence(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    case: tuple[dict[str, str], dict[str, str], str | None],
) -> None:
    said, entered, step = case
    bench.answers = [reading(SENT)]
    options = {"registers": {"ZZ2": True}, "custom": {"ZZ2": said}}
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    sensor = entity_id(hass, "ZZ2")
    async_import_statistics(
        hass,
        {
            "mean_type": StatisticMeanType.NONE,
            "has_sum": True,
            "name": None,
            "source": "recorder",
            "statistic_id": sensor,
            "unit_class": "energy",
            "unit_of_measurement": "kWh",
        },
        [{"start": START.replace(hour=10), "state": 40.0, "sum": 2.0}],
    )
    await async_wait_recording_done(hass)
    asked = await send(hass, await ask(hass, entry, "ZZ2"), **entered)
    if step is None:
        assert asked["type"] is FlowResultType.CREATE_ENTRY
        return
    assert (asked["type"], asked["step_id"]) == (FlowResultType.FORM, step)
    assert asked["description_placeholders"] == {"old": "kWh", "new": entered["unit"]}
    # Closed there, nothing has changed.
    assert entry.options["custom"] == {"ZZ2": said}
    done = await send(hass, asked)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["custom"] == {"ZZ2": entered}


async def test_without_statistics_nothing_is_asked(
    recorder_mock: Recorder, hass: HomeAssistant, named: MockConfigEntry
) -> None:
    first = {"unit": "kWh", "state_class": "total_increasing"}
    await send(hass, await ask(hass, named, "ZZ2"), **first)
    done = await send(hass, await ask(hass, named, "ZZ2"), unit="V", state_class="measurement")
    assert done["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    "named", [{"ZZ2": {"unit": "kWh", "state_class": "total_increasing"}}], indirect=True
)
async def test_without_a_recorder_nothing_is_asked(
    hass: HomeAssistant, named: MockConfigEntry
) -> None:
    done = await send(hass, await ask(hass, named, "ZZ2"), unit="V")
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_sensor_that_was_deleted_has_no_statistics_to_lose(
    recorder_mock: Recorder, hass: HomeAssistant, named: MockConfigEntry
) -> None:
    await send(hass, await ask(hass, named, "ZZ2"), unit="kWh", state_class="total_increasing")
    shown = await ask(hass, named, "ZZ2")
    registry = er.async_get(hass)
    found = registry.async_get_entity_id("sensor", DOMAIN, f"LGZ_{NUMBER}_ZZ2")
    assert found is not None
    registry.async_remove(found)
    assert (await send(hass, shown, unit="V"))["type"] is FlowResultType.CREATE_ENTRY


def test_choices_know_which_codes_are_bare() -> None:
    known = MeterState.of(reading(SENT), LineProfile(medium=Medium.ELECTRICITY))
    bare_codes = {one.key for one in choices_of(known, {}) if one.bare}
    assert bare_codes == {"ZZ1", "ZZ2", "ZZ3", "ZZ4"}


def test_code_that_was_named_is_no_longer_hidden() -> None:
    known = MeterState.of(reading(SENT), LineProfile(medium=Medium.ELECTRICITY))
    named = {"custom": {"ZZ2": {"name": "Garden", "unit": "m3"}}}
    (choice,) = (one for one in choices_of(known, named) if one.key == "ZZ2")
    assert choice.label({}) == "Garden · ZZ2 · 00042.5"
    # It can still be renamed.
    assert choice.bare
    assert not choice.later


@pytest.mark.parametrize(
    "named",
    [{"ZZ2": {"unit": "m3", "device_class": "water", "state_class": "total_increasing"}}],
    indirect=True,
)
async def test_number_that_was_named_follows_the_meter(
    hass: HomeAssistant, named: MockConfigEntry, bench: Bench
) -> None:
    for hour, sent in enumerate(("00043.5", "00044.0", "00044.0", "00051.25"), 1):
        bench.answers = [reading({**SENT, "ZZ2": [sent]}, at=later(hour * 60))]
        await named.runtime_data.coordinator.async_refresh()
        assert float(state(hass, "ZZ2").state) == float(sent)
        assert state(hass, "ZZ2").attributes["quality"] == "good"
