"""The options: which registers are sensors, when the meter is read, what its connection can carry."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.errors import NoAnswer
from custom_components.iec62056.protocol.model import CheckKind, Medium

from ..common.bench import GOOD_HEALTH, HOUSEHOLD, NUMBER, Bench, later, reading
from ..common.flow_pages import LONG, enabled, options_of
from ..common.option_pages import choose, menu, send

QUARTER = {"hours": 0, "minutes": 15, "seconds": 0}


def entity(hass: HomeAssistant, key: str) -> er.RegistryEntry:
    registry = er.async_get(hass)
    entity_id = registry.async_get_entity_id("sensor", DOMAIN, f"LGZ_{NUMBER}_{key}")
    assert entity_id is not None
    found = registry.async_get(entity_id)
    assert found is not None
    return found


async def battery(hass: HomeAssistant, entry: MockConfigEntry, bench: Bench) -> None:
    bench.learned = lambda profile: replace(profile, medium=Medium.HEAT)
    await hass.config_entries.async_setup(entry.entry_id)


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
    assert loaded.options == {"registers": {"1-0:1.8.1": False, "1-0:1.8.2": False, "ZZ1": True}}
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
    await send(
        hass, await choose(hass, entry, "reading"), quiet_from="01:00:00", quiet_to="02:00:00"
    )
    assert entry.options["quiet_from"] == "01:00:00"
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
    assert entry.options == {"registers": {"1-0:1.8.0*17": True}}
    # What is not shown is not changed.
    await send(hass, await choose(hass, entry, "registers"))
    assert entry.options == {"registers": {"1-0:1.8.0*17": True}}


async def test_interval(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    shown = await choose(hass, loaded, "reading")
    holds = shown["data_schema"]({})
    assert holds == {
        "interval": {"hours": 0, "minutes": 1, "seconds": 0},
        "aligned": "off",
        "boundary": "15",
        "boundary_time": "23:50:00",
        "fill_gaps": True,
    }
    await send(hass, shown, interval=QUARTER)
    assert loaded.options == {"interval": 900}
    shown = await choose(hass, loaded, "reading")
    assert shown["data_schema"]({})["interval"] == QUARTER
    # As it is by itself, nothing is kept.
    await send(hass, shown, interval=holds["interval"])
    assert loaded.options == {}


async def test_aligned_to_the_clock(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    await send(hass, await choose(hass, loaded, "reading"), aligned="after", boundary="15")
    assert loaded.options == {"aligned": "after", "boundary": 15}
    shown = await choose(hass, loaded, "reading")
    holds = shown["data_schema"]({})
    assert (holds["aligned"], holds["boundary"]) == ("after", "15")
    # The interval is what it would be without the clock.
    assert holds["interval"] == {"hours": 0, "minutes": 1, "seconds": 0}
    await send(hass, shown, aligned="before", boundary="1440", boundary_time="06:30:00")
    assert loaded.options == {"aligned": "before", "boundary": 1440, "boundary_time": "06:30:00"}
    shown = await choose(hass, loaded, "reading")
    assert shown["data_schema"]({})["boundary_time"] == "06:30:00"
    await send(hass, shown, aligned="off", boundary_time="23:50:00")
    assert loaded.options == {}


async def test_battery_meter_is_aligned_to_the_day(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    await battery(hass, entry, bench)
    shown = await choose(hass, entry, "reading")
    assert shown["data_schema"]({}) == {
        "interval": {"hours": 24, "minutes": 0, "seconds": 0},
        "aligned": "before",
        "boundary_time": "23:50:00",
    }
    await send(hass, shown, boundary_time="05:00:00")
    assert entry.options == {"boundary_time": "05:00:00"}
    shown = await choose(hass, entry, "reading")
    await send(hass, shown, aligned="off", boundary_time="23:50:00")
    assert entry.options == {"aligned": "off"}


async def test_meter_that_sends_by_itself_is_not_aligned(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "mode": "D"})
    bench.pushes.put_nowait(reading(health=replace(GOOD_HEALTH, check_kind=CheckKind.CRC16)))
    await hass.config_entries.async_setup(entry.entry_id)
    shown = await choose(hass, entry, "reading")
    assert shown["data_schema"]({}) == {"interval": {"hours": 0, "minutes": 0, "seconds": 10}}
    await hass.config_entries.options.async_configure(
        shown["flow_id"], {"interval": {"hours": 0, "minutes": 0, "seconds": 1}}
    )
    assert entry.options == {"interval": 1}
    await hass.async_block_till_done()
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_gaps_are_filled_unless_it_is_not_wanted(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    await send(hass, await choose(hass, loaded, "reading"), fill_gaps=False)
    assert loaded.options == {"fill_gaps": False}
    shown = await choose(hass, loaded, "reading")
    assert shown["data_schema"]({})["fill_gaps"] is False
    await send(hass, shown, fill_gaps=True)
    assert loaded.options == {}


async def test_quiet_hours(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    quiet = {"quiet_from": "22:00:00", "quiet_to": "05:00:00"}
    await send(hass, await choose(hass, loaded, "reading"), **quiet)
    assert loaded.options == quiet
    shown = await choose(hass, loaded, "reading")
    suggested = {
        key.schema: key.description["suggested_value"]
        for key in shown["data_schema"].schema
        if key.description
    }
    assert suggested == quiet
    # Left empty, there are none any more.
    await send(hass, shown)
    assert loaded.options == {}


@pytest.mark.parametrize(
    ("entered", "errors"),
    [
        ({"quiet_from": "22:00:00"}, {"quiet_to": "quiet_one_end"}),
        ({"quiet_to": "22:00:00"}, {"quiet_from": "quiet_one_end"}),
        (
            {"quiet_from": "22:00:00", "quiet_to": "22:00:00"},
            {"quiet_to": "quiet_all_day"},
        ),
        ({"interval": {"hours": 0, "minutes": 0, "seconds": 3}}, {"interval": "interval"}),
        ({"interval": {"hours": 169, "minutes": 0, "seconds": 0}}, {"interval": "interval"}),
    ],
)
async def test_times_that_cannot_be(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    entered: dict[str, Any],
    errors: dict[str, str],
) -> None:
    sent = await send(hass, await choose(hass, loaded, "reading"), **entered)
    assert (sent["type"], sent["errors"]) == (FlowResultType.FORM, errors)
    assert sent["description_placeholders"] == {
        "shortest": "10\N{NO-BREAK SPACE}s",
        "longest": "7\N{NO-BREAK SPACE}d",
        "duration": "4\N{NO-BREAK SPACE}s",
    }
    assert loaded.options == {}


@pytest.mark.parametrize(("hours", "taken"), [(11, False), (12, True), (48, True)])
async def test_battery_bears_two_readings_a_day(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, hours: int, taken: bool
) -> None:
    await battery(hass, entry, bench)
    sent = await send(
        hass,
        await choose(hass, entry, "reading"),
        aligned="off",
        interval={"hours": hours, "minutes": 0, "seconds": 0},
    )
    assert (sent["type"] is FlowResultType.CREATE_ENTRY) is taken
    assert entry.options.get("interval") == (hours * 3600 if taken else None)


async def test_fuse(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(loaded, options={"interval": 300})
    await send(hass, await choose(hass, loaded, "fuse"), amperes=35)
    assert loaded.options == {"interval": 300, "amperes": 35}
    shown = await choose(hass, loaded, "fuse")
    (field,) = shown["data_schema"].schema
    assert field.description == {"suggested_value": 35}
    await send(hass, shown)
    assert loaded.options == {"interval": 300}


async def test_change_reloads_the_meter(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    before = loaded.runtime_data.coordinator
    bench.answers = [reading(HOUSEHOLD)]
    await send(hass, await choose(hass, loaded, "reading"), interval=QUARTER)
    assert loaded.state is ConfigEntryState.LOADED
    assert loaded.runtime_data.coordinator is not before
    assert loaded.runtime_data.coordinator.poller.schedule.interval == timedelta(minutes=15)


async def test_interval_that_nobody_changed_follows_the_readings(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """A reading that took longer comes while the page is open: what stands there is still nobody's choice."""

    async def read(minute: int, duration: float) -> None:
        freezer.move_to(later(minute))
        health = replace(GOOD_HEALTH, duration=duration)
        bench.answers = [reading(at=later(minute), health=health)]
        await loaded.runtime_data.coordinator.async_refresh()

    await read(1, 14.3)
    shown = await choose(hass, loaded, "reading")
    await read(4, 14.6)
    await send(hass, shown, **shown["data_schema"]({}))
    assert loaded.options == {}
