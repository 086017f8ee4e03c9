"""The options: which registers are sensors, when the meter is read, what its connection can carry."""

from datetime import timedelta

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.errors import NoAnswer

from ..common.bench import NUMBER, Bench, reading
from ..common.flow_pages import LONG, enabled, options_of
from ..common.option_pages import battery, choose, menu, schedule, send


def entity(hass: HomeAssistant, key: str) -> er.RegistryEntry:
    registry = er.async_get(hass)
    entity_id = registry.async_get_entity_id("sensor", DOMAIN, f"LGZ_{NUMBER}_{key}")
    assert entity_id is not None
    found = registry.async_get(entity_id)
    assert found is not None
    return found


async def test_groups(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    assert (await menu(hass, loaded))["menu_options"] == [
        "registers",
        "names",
        "reading",
        "fuse",
        "access",
    ]


async def test_fuse_is_asked_of_electricity_alone(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    await battery(hass, entry, bench)
    assert "fuse" not in (await menu(hass, entry))["menu_options"]


async def test_no_names_where_all_registers_have_one(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    bench.answers = [reading({"C.1.0": [NUMBER], "1.8.0": ["1*kWh"]})]
    await hass.config_entries.async_setup(entry.entry_id)
    assert (await menu(hass, entry))["menu_options"] == ["registers", "reading", "fuse", "access"]


async def test_meter_that_was_never_read_has_no_options(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    bench.answers = [NoAnswer()]
    await hass.config_entries.async_setup(entry.entry_id)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_read_yet")


async def test_registers_are_ticked_as_they_are_switched_on(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    """What was done on the page of an entity counts, whatever the options say."""
    registry = er.async_get(hass)
    registry.async_update_entity(
        entity(hass, "1-0:1.8.1").entity_id, disabled_by=er.RegistryEntryDisabler.USER
    )
    registry.async_update_entity(entity(hass, "ZZ1").entity_id, disabled_by=None)
    shown = await choose(hass, loaded, "registers")
    assert options_of(shown)["1-0:1.8.0"] == "Energy import · 1.8.0 · 012345.678 kWh"
    ticked = shown["data_schema"]({})["registers"]
    assert set(ticked) == enabled(hass, loaded) | {"ZZ1"}
    assert "1-0:1.8.1" not in ticked


async def test_ticks_switch_on_and_off(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    by_user = er.RegistryEntryDisabler.USER
    er.async_get(hass).async_update_entity(entity(hass, "1-0:1.8.1").entity_id, disabled_by=by_user)
    shown = await choose(hass, loaded, "registers")
    ticked = shown["data_schema"]({})["registers"]
    wanted = [*(key for key in ticked if key != "1-0:1.8.2"), "ZZ1"]
    done = await send(hass, shown, registers=wanted)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert loaded.options["registers"] == {"1-0:1.8.1": False, "1-0:1.8.2": False, "ZZ1": True}
    assert entity(hass, "1-0:1.8.2").disabled_by is er.RegistryEntryDisabler.INTEGRATION
    assert hass.states.get(entity(hass, "1-0:1.8.2").entity_id) is None
    assert entity(hass, "1-0:1.8.1").disabled_by is by_user
    assert entity(hass, "ZZ1").disabled_by is None
    # Home Assistant waits a moment, in case more is switched on.
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=31))
    await hass.async_block_till_done(wait_background_tasks=True)
    found = hass.states.get(entity(hass, "ZZ1").entity_id)
    assert found is not None
    assert found.state == "hello"


async def test_ticks_wake_no_battery_meter(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    await battery(hass, entry, bench)
    await send(hass, await choose(hass, entry, "registers"), registers=["ZZ1"])
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=31))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    await schedule(hass, entry, "daily", boundary_time="01:00:00")
    assert entry.options["boundary_time"] == "01:00:00"
    assert bench.reads == 1


async def test_ticks_as_they_are_by_themselves_are_not_kept(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(loaded, options={"interval": 300})
    await send(hass, await choose(hass, loaded, "registers"))
    assert loaded.options == {"interval": 300}


async def test_long_tail_waits_behind_a_second_step(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    bench.answers = [reading(LONG)]
    await hass.config_entries.async_setup(entry.entry_id)
    shown = await choose(hass, entry, "registers")
    first = options_of(shown)
    assert "ZZ1" not in first
    ticked = shown["data_schema"]({})["registers"]
    rest = await send(hass, shown, registers=ticked, show_rest=True)
    assert rest["step_id"] == "rest"
    assert not set(options_of(rest)) & set(first)
    await send(hass, rest, registers=["1-0:1.8.0*17"])
    assert entry.options["registers"] == {"1-0:1.8.0*17": True}
    # What is not shown is not changed.
    await send(hass, await choose(hass, entry, "registers"))
    assert entry.options["registers"] == {"1-0:1.8.0*17": True}


async def test_fuse(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(loaded, options={"interval": 300})
    await send(hass, await choose(hass, loaded, "fuse"), amperes=35)
    assert loaded.options == {"interval": 300, "amperes": 35}
    shown = await choose(hass, loaded, "fuse")
    (field,) = shown["data_schema"].schema
    assert field.description == {"suggested_value": 35}
    await send(hass, shown)
    assert loaded.options == {"interval": 300}
