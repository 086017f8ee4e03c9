"""Registers as sensors."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.iec62056.const import DOMAIN

from ..common.bench import HOUSEHOLD, NUMBER, Bench, entity_id, later, reading, state
from ..common.register_sensors import decimals, read_again, set_up
from ..common.stored_file import file_of


async def test_register(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    energy = state(hass, "1-0:1.8.0")
    assert energy.state == "12345.678"
    assert energy.attributes["device_class"] == "energy"
    assert energy.attributes["state_class"] == "total_increasing"
    assert energy.attributes["unit_of_measurement"] == "kWh"
    assert energy.attributes["obis_code"] == "1-0:1.8.0"
    assert energy.attributes["as_sent"] == "(012345.678*kWh)"
    assert energy.attributes["quality"] == "good"
    assert "meter_time" not in energy.attributes


@pytest.mark.usefixtures("every_sensor_enabled")
async def test_time_the_meter_gives_with_a_value(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    maximum = state(hass, "1-0:1.6.0")
    assert maximum.state == "3.210"
    assert maximum.attributes["as_sent"] == "(03.210*kW)(26-11-20 18:15)"
    at = datetime.fromisoformat(maximum.attributes["meter_time"])
    zone = await hass.async_add_executor_job(lambda: hass.config.time_zone)
    assert zone == "US/Pacific"
    assert at == datetime(2026, 11, 21, 2, 15, tzinfo=UTC)


async def test_all_registers_are_there_and_the_useful_ones_enabled(
    hass: HomeAssistant, loaded: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    found = {
        one.unique_id.removeprefix(f"LGZ_{NUMBER}_"): one.disabled_by
        for one in er.async_entries_for_config_entry(entity_registry, loaded.entry_id)
    }
    registers = loaded.runtime_data.coordinator.data.registers
    assert len(registers) == len(HOUSEHOLD)
    assert found.keys() > set(registers)
    for enabled in ("1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0", "1-0:32.7.0", "signal"):
        assert found[enabled] is None
    for disabled in ("ZZ1", "1-0:1.8.0*1", "0-0:96.1.0", "last_reading", "link_quality"):
        assert found[disabled] is er.RegistryEntryDisabler.INTEGRATION


async def test_choice_of_the_person_stays(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    entity_registry: er.EntityRegistry,
    freezer: FrozenDateTimeFactory,
) -> None:
    entity_registry.async_update_entity(entity_id(hass, "ZZ1"), disabled_by=None)
    entity_registry.async_update_entity(
        entity_id(hass, "1-0:2.8.0"), disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.config_entries.async_reload(loaded.entry_id)
    await hass.async_block_till_done()
    # Home Assistant itself reloads an entry half a minute after an entity was enabled.
    freezer.move_to(later(1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    await read_again(loaded, bench, freezer, {"ZZ1": ["hello again"]}, 2)
    assert state(hass, "ZZ1").state == "hello again"
    assert hass.states.get(entity_id(hass, "1-0:2.8.0")) is None


async def test_long_text_is_cut(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, entity_registry: er.EntityRegistry
) -> None:
    entity_registry.async_get_or_create("sensor", DOMAIN, f"LGZ_{NUMBER}_ZZ1", config_entry=entry)
    bench.answers = [reading({**HOUSEHOLD, "ZZ1": ["x" * 3000]})]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert state(hass, "ZZ1").state == "x" * 255
    assert len(state(hass, "ZZ1").attributes["as_sent"]) == 1024


@pytest.mark.usefixtures("every_sensor_enabled")
async def test_attributes_change_only_with_value_or_quality(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """A meter's time stamp moves with every telegram: written each time, it would fill the database."""
    before = state(hass, "1-0:1.6.0")
    changed: list[Event[Any]] = []

    @callback
    def note(event: Event[Any]) -> None:
        changed.append(event)

    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    for minute in range(1, 10):
        sent = {"1.6.0": ["003.21*kW", f"26-11-20 18:{15 + minute}"]}
        await read_again(loaded, bench, freezer, sent, minute)
    assert state(hass, "1-0:1.6.0").attributes == before.attributes
    assert {event.data["entity_id"] for event in changed} == {entity_id(hass, "last_reading")}
    await read_again(loaded, bench, freezer, {"1.6.0": ["03.300*kW", "26-11-22 12:10"]}, 10)
    assert state(hass, "1-0:1.6.0").attributes["as_sent"] == "(03.300*kW)(26-11-22 12:10)"


async def test_value_that_stays_is_reported(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """Integrals and averages over time need to know that a power was measured again, though it is the same."""
    reported: list[str] = []

    @callback
    def note(event: Event[Any]) -> None:
        reported.append(event.data["entity_id"])

    hass.bus.async_listen(EVENT_STATE_REPORTED, note, event_filter=callback(lambda _: True))
    await read_again(loaded, bench, freezer, {})
    assert entity_id(hass, "1-0:16.7.0") in reported


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("12.345679*MWh", "12345.679000"),
        ("12345679*Wh", "12345.679"),
        ("44.444444*GJ", None),
        # Another dimension, or no number at all: nothing that is said in kWh.
        ("12.3*V", "held"),
        ("-.--*kWh", "held"),
        ("", "held"),
    ],
)
async def test_unit_is_kept_and_values_in_another_are_converted(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    *,
    sent: str,
    shown: str | None,
) -> None:
    await read_again(loaded, bench, freezer, {"1.8.0": [sent]})
    energy = state(hass, "1-0:1.8.0")
    assert energy.attributes["unit_of_measurement"] == "kWh"
    if shown is None:
        assert float(energy.state) == pytest.approx(12345.678889, abs=1e-6)
    elif shown == "held":
        assert energy.state == "12345.678"
        assert energy.attributes["quality"] == "held"
        assert energy.attributes["held_because"] == "text"
        assert energy.attributes["held_value"] == f"({sent})"
    else:
        assert float(energy.state) == float(shown)


async def test_unit_is_kept_over_a_restart(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    await read_again(loaded, bench, freezer, {"1.8.0": ["12.345700*MWh"]})
    await hass.config_entries.async_unload(loaded.entry_id)
    assert hass_storage[file_of(loaded)]["data"]["units"]["1-0:1.8.0"] == "kWh"
    await hass.config_entries.async_setup(loaded.entry_id)
    await hass.async_block_till_done()
    energy = state(hass, "1-0:1.8.0")
    assert energy.attributes["unit_of_measurement"] == "kWh"
    assert Decimal(energy.state) == Decimal("12345.7")


async def test_unit_that_comes_with_the_first_number(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """A register that had no value at set-up gets its unit from the first one."""
    bench.answers = [reading({**HOUSEHOLD, "16.7": ["-.--"]})]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert state(hass, "1-0:16.7.0").state == "unknown"
    await read_again(entry, bench, freezer, {"16.7": ["01.250*kW"]})
    assert state(hass, "1-0:16.7.0").state == "1.250"
    assert state(hass, "1-0:16.7.0").attributes["unit_of_measurement"] == "kW"


async def test_register_that_appears_later_becomes_an_entity(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    await read_again(loaded, bench, freezer, {"52.7": ["229.9*V"]})
    assert state(hass, "1-0:52.7.0").state == "229.9"


@pytest.mark.usefixtures("every_sensor_enabled")
async def test_register_that_becomes_text_keeps_its_value(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    await read_again(loaded, bench, freezer, {"1.8.0": ["32A.062*kWh"]})
    assert state(hass, "1-0:1.8.0").state == "12345.678"
    assert state(hass, "1-0:1.8.0").attributes["quality"] == "held"
    assert state(hass, "held_values").state == "1"
    await read_again(loaded, bench, freezer, {}, 2)
    assert state(hass, "1-0:1.8.0").attributes["quality"] == "good"
    assert "held_value" not in state(hass, "1-0:1.8.0").attributes
    assert state(hass, "held_values").state == "0"


async def test_register_that_was_not_sent_for_long_has_no_entity_at_the_next_start(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    entity_registry: er.EntityRegistry,
) -> None:
    """What is left of it in the registry can be deleted then; should it be sent again, it is there again."""
    gone = {name: sent for name, sent in HOUSEHOLD.items() if name != "32.7"}
    for days, there in ((29, True), (31, False)):
        minutes = days * 24 * 60
        bench.answers = [reading(gone, at=later(minutes))]
        freezer.move_to(later(minutes))
        await loaded.runtime_data.coordinator.async_refresh()
        await hass.config_entries.async_reload(loaded.entry_id)
        await hass.async_block_till_done()
        voltage = hass.states.get(entity_id(hass, "1-0:32.7.0"))
        assert voltage is not None
        assert ("restored" in voltage.attributes) is not there
        assert voltage.state == ("unknown" if there else "unavailable")
    await read_again(loaded, bench, freezer, {}, 31 * 24 * 60 + 1)
    assert state(hass, "1-0:32.7.0").state == "231.4"


async def test_display_shows_decimals_once_the_meter_sends_them(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The PIN of an eBZ meter was entered; later its display is short again."""
    await set_up(hass, entry, bench, {**HOUSEHOLD, "1.8.0": ["012345*kWh"]})
    assert decimals(hass, "1-0:1.8.0") == 0
    await read_again(entry, bench, freezer, {"1.8.0": ["012345.678*kWh"]})
    assert decimals(hass, "1-0:1.8.0") == 3
    await read_again(entry, bench, freezer, {"1.8.0": ["012345*kWh"]}, 2)
    assert decimals(hass, "1-0:1.8.0") == 3
    # Another notice of the registry does not undo it.
    er.async_get(hass).async_update_entity(entity_id(hass, "1-0:1.8.0"), icon="mdi:home")
    await hass.async_block_till_done()
    assert decimals(hass, "1-0:1.8.0") == 3
