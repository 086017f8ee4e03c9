"""Setting up, unloading and removing a meter."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.iec62056 import async_remove_config_entry_device
from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.errors import NoAnswer
from custom_components.iec62056.protocol.model import LineProfile, Medium
from custom_components.iec62056.state.meter_state import MeterState

from .common.bench import HOUSEHOLD, IDENTIFICATION, NUMBER, START, Bench, later, reading, state
from .common.stored_file import file_of, stored

PROFILE = LineProfile(medium=Medium.ELECTRICITY)


async def test_meter_that_was_never_read_is_waited_for(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    assert bench.reads == 1
    assert bench.open_lines == 0
    assert state(hass, "1-0:1.8.0").state == "12345.678"


async def test_meter_that_was_never_read_and_is_silent_is_tried_again(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    bench.answers = [NoAnswer()]
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "no_answer"
    assert bench.open_lines == 0


@pytest.mark.usefixtures("every_sensor_enabled")
async def test_start_does_not_wait_for_the_line(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """Entities stand with the stored values while the first reading still runs."""
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), PROFILE))
    freezer.move_to(later(5))
    bench.gate.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    await bench.until(lambda: bench.reads == 1)
    energy = state(hass, "1-0:1.8.0")
    assert energy.state == "12345.678"
    assert energy.attributes["quality"] == "restored"
    assert state(hass, "last_reading").state == START.isoformat()

    bench.answers = [reading({**HOUSEHOLD, "1.8.0": ["012346.000*kWh"]}, at=later(5))]
    bench.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state(hass, "1-0:1.8.0").state == "12346.000"
    assert state(hass, "1-0:1.8.0").attributes["quality"] == "good"


@pytest.mark.usefixtures("every_sensor_enabled")
async def test_stored_values_that_are_too_old_are_not_shown(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), PROFILE))
    freezer.move_to(later(16))
    bench.gate.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert state(hass, "1-0:1.8.0").state == "unavailable"
    assert state(hass, "last_reading").state == START.isoformat()
    bench.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_file_that_cannot_be_used_costs_one_reading(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, hass_storage: dict[str, Any]
) -> None:
    broken = stored(MeterState.of(reading(), PROFILE))
    del broken["data"]["state"]["received"]
    hass_storage[file_of(entry)] = broken
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert bench.reads == 1


async def test_unload_in_the_middle_of_a_reading_frees_the_port(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    bench.gate.clear()
    freezer.move_to(later(2))
    async_fire_time_changed(hass)
    await bench.until(lambda: bench.reads == 2)
    assert bench.open_lines == 1

    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert loaded.state is ConfigEntryState.NOT_LOADED
    assert bench.open_lines == 0
    # What was read before is kept, though its time to be written had not come.
    assert hass_storage[file_of(loaded)]["data"]["state"]["received"] == START.isoformat()


async def test_unload_cancels_a_reading_that_an_action_asked_for(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    bench.gate.clear()
    asked = hass.async_create_task(loaded.runtime_data.coordinator.async_refresh())
    await bench.until(lambda: bench.open_lines == 1)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert bench.open_lines == 0
    await asked


async def test_reload_does_not_read_again(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, hass_storage: dict[str, Any]
) -> None:
    await hass.config_entries.async_reload(loaded.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert loaded.state is ConfigEntryState.LOADED
    assert bench.reads == 1
    assert state(hass, "1-0:1.8.0").state == "12345.678"


async def test_removal_deletes_the_file(
    hass: HomeAssistant, loaded: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    await hass.config_entries.async_unload(loaded.entry_id)
    assert file_of(loaded) in hass_storage
    await hass.config_entries.async_remove(loaded.entry_id)
    assert file_of(loaded) not in hass_storage


async def test_stop_of_home_assistant_writes_what_was_read(
    hass: HomeAssistant, loaded: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    assert file_of(loaded) not in hass_storage
    await hass.async_stop()
    assert hass_storage[file_of(loaded)]["data"]["state"]["received"] == START.isoformat()


async def test_device_says_what_the_meter_says(
    hass: HomeAssistant, loaded: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    entry = loaded
    device = device_registry.async_get_device_by_identifier(
        (DOMAIN, f"LGZ_{NUMBER}"), entry.entry_id
    )
    assert device is not None
    assert (device.manufacturer, device.model) == ("Landis+Gyr", "ZMF100AC.M26")
    assert (device.serial_number, device.sw_version) == (NUMBER, "M26")


async def test_device_name_is_text_not_markup(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, device_registry: dr.DeviceRegistry
) -> None:
    evil = replace(IDENTIFICATION, model="A\x1b[31m**B** [x](http://y)" + "z" * 200)
    bench.answers = [reading(identification=evil)]
    await hass.config_entries.async_setup(entry.entry_id)
    device = device_registry.async_get_device_by_identifier(
        (DOMAIN, f"LGZ_{NUMBER}"), entry.entry_id
    )
    assert device is not None
    assert device.model is not None
    assert device.name is not None
    assert not set("*[]\x1b") & set(device.model + device.name)
    assert len(device.name) <= 64


async def test_meter_without_number_is_named_by_its_entry(
    hass: HomeAssistant, bench: Bench, entity_registry: er.EntityRegistry
) -> None:
    entry = MockConfigEntry(domain=DOMAIN, data={"device": "/dev/ttyUSB0", "address": ""})
    entry.add_to_hass(hass)
    bench.answers = [reading({"1.8.0": ["1*kWh"]})]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert state(hass, "1-0:1.8.0", entry.entry_id).state == "1"


async def test_two_entries_on_one_port_take_turns(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """The bench refuses a port that is open already; reloading one entry leaves the other's reading alone."""
    other = MockConfigEntry(
        domain=DOMAIN,
        unique_id="LGZ_99999999",
        data={"device": loaded.data["device"], "address": "99999999"},
    )
    other.add_to_hass(hass)
    bench.answers = [reading(at=later(2))]
    bench.gate.clear()
    freezer.move_to(later(2))
    async_fire_time_changed(hass)
    await bench.until(lambda: bench.open_lines == 1)
    setup = hass.async_create_task(hass.config_entries.async_setup(other.entry_id))
    await bench.until(lambda: bench.waiting(hass) == 2)
    assert (len(bench.lines), bench.open_lines) == (2, 1)
    bench.gate.set()
    await setup
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (len(bench.lines), bench.open_lines) == (3, 0)
    assert bench.profiles[-1].address == "99999999"
    assert other.state is ConfigEntryState.LOADED


async def test_interval_is_kept_while_the_meter_is_silent(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    bench.answers = [NoAnswer()]
    for minute in range(1, 6):
        freezer.move_to(later(minute) + timedelta(seconds=1))
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
    assert bench.reads == 6


async def test_device_that_is_no_meter_of_the_entry_any_more_can_be_deleted(
    hass: HomeAssistant, loaded: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    current = device_registry.async_get_device_by_identifier(
        (DOMAIN, f"LGZ_{NUMBER}"), loaded.entry_id
    )
    assert current is not None
    old = device_registry.async_get_or_create(
        config_entry_id=loaded.entry_id, identifiers={(DOMAIN, "LGZ_99887766")}
    )
    assert not await async_remove_config_entry_device(hass, loaded, current)
    assert await async_remove_config_entry_device(hass, loaded, old)


async def test_device_of_a_meter_that_is_switched_off_can_be_asked_about(
    hass: HomeAssistant, loaded: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    old = device_registry.async_get_or_create(
        config_entry_id=loaded.entry_id, identifiers={(DOMAIN, "LGZ_99887766")}
    )
    await hass.config_entries.async_unload(loaded.entry_id)
    assert await async_remove_config_entry_device(hass, loaded, old)
