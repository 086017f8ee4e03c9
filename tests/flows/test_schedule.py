"""The pages for when a meter is read: a kind of schedule, then its fields."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.protocol.model import CheckKind

from ..common.bench import GOOD_HEALTH, HOUSEHOLD, Bench, later, reading
from ..common.flow_pages import suggested_of
from ..common.option_pages import battery, choose, menu, page, schedule, send

MINUTE = {"hours": 0, "minutes": 1, "seconds": 0}
QUARTER = {"hours": 0, "minutes": 15, "seconds": 0}
QUIET = {"quiet_from": "22:00:00", "quiet_to": "05:00:00"}


async def holds(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """What the first page is filled in with."""
    return (await choose(hass, entry, "reading"))["data_schema"]({})


async def test_interval(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    assert await holds(hass, loaded) == {"schedule": "interval"}
    shown = await page(hass, loaded, "interval")
    assert shown["data_schema"]({}) == {"interval": MINUTE, "fill_gaps": True}
    await send(hass, shown, interval=QUARTER)
    assert loaded.options == {"interval": 900, "aligned": "off"}
    shown = await page(hass, loaded, "interval")
    assert shown["data_schema"]({})["interval"] == QUARTER


async def test_aligned_to_the_clock(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    await schedule(hass, loaded, "aligned", aligned="after", boundary="30")
    assert loaded.options == {"interval": 60, "aligned": "after", "boundary": 30}
    assert await holds(hass, loaded) == {"schedule": "aligned"}
    shown = await page(hass, loaded, "aligned")
    assert shown["data_schema"]({}) == {"aligned": "after", "boundary": "30", "fill_gaps": True}
    # The interval is what was agreed before.
    shown = await page(hass, loaded, "interval")
    assert shown["data_schema"]({})["interval"] == MINUTE
    await send(hass, shown)
    assert loaded.options == {"interval": 60, "aligned": "off"}


async def test_once_a_day(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    await schedule(hass, loaded, "daily", boundary_time="06:30:00", aligned="after")
    daily = {"aligned": "after", "boundary": 1440, "boundary_time": "06:30:00"}
    assert loaded.options == {"interval": 60, **daily}
    assert loaded.runtime_data.coordinator.interval == timedelta(days=1)
    assert await holds(hass, loaded) == {"schedule": "daily"}
    shown = await page(hass, loaded, "daily")
    filled_in = {"boundary_time": "06:30:00", "aligned": "after", "fill_gaps": True}
    assert shown["data_schema"]({}) == filled_in
    # Of the other kind, nothing stays.
    await schedule(hass, loaded, "aligned", aligned="before", boundary="15")
    assert loaded.options == {"interval": 60, "aligned": "before", "boundary": 15}


async def test_battery_meter_is_aligned_to_the_day(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    await battery(hass, entry, bench)
    assert await holds(hass, entry) == {"schedule": "daily", "mains": False}
    shown = await page(hass, entry, "daily")
    assert shown["data_schema"]({}) == {"boundary_time": "23:50:00", "aligned": "before"}
    await send(hass, shown, boundary_time="05:00:00")
    assert entry.options["boundary_time"] == "05:00:00"
    shown = await page(hass, entry, "interval")
    assert shown["data_schema"]({}) == {"interval": {"hours": 24, "minutes": 0, "seconds": 0}}
    await send(hass, shown)
    assert entry.options == {"interval": 86400, "aligned": "off"}


@pytest.mark.parametrize(("hours", "taken"), [(11, False), (12, True), (48, True)])
async def test_battery_bears_two_readings_a_day(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, hours: int, taken: bool
) -> None:
    await battery(hass, entry, bench)
    interval = {"hours": hours, "minutes": 0, "seconds": 0}
    sent = await schedule(hass, entry, "interval", interval=interval)
    assert (sent["type"] is FlowResultType.CREATE_ENTRY) is taken
    assert entry.options.get("interval") == (hours * 3600 if taken else None)


async def test_mains_power_lifts_the_budget(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    """And the daily rhythm, at once; without it, both are back."""
    await battery(hass, entry, bench)
    shown = await page(hass, entry, "interval", mains=True)
    assert shown["data_schema"]({}) == {"interval": MINUTE, "fill_gaps": True}
    await send(hass, shown)
    assert entry.options == {"mains": True, "interval": 60, "aligned": "off"}
    coordinator = entry.runtime_data.coordinator
    assert coordinator.interval == timedelta(minutes=1)
    for _ in range(5):
        await coordinator.async_read_now()
    assert bench.reads == 6
    assert await holds(hass, entry) == {"schedule": "interval", "mains": True}
    # An electricity meter's pages, but for its fuse.
    assert "fuse" not in (await menu(hass, entry))["menu_options"]
    await send(hass, await page(hass, entry, "daily", mains=False))
    assert "mains" not in entry.options
    assert entry.runtime_data.coordinator.interval == timedelta(days=1)
    assert entry.runtime_data.reader.line_profile.on_battery


async def test_meter_that_sends_by_itself_has_one_schedule(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "mode": "D"})
    bench.pushes.put_nowait(reading(health=replace(GOOD_HEALTH, check_kind=CheckKind.CRC16)))
    await hass.config_entries.async_setup(entry.entry_id)
    opened = await menu(hass, entry)
    shown: Any = await hass.config_entries.options.async_configure(
        opened["flow_id"], {"next_step_id": "reading"}
    )
    assert shown["step_id"] == "reading_pushed"
    assert shown["data_schema"]({}) == {"interval": {"hours": 0, "minutes": 0, "seconds": 10}}
    await hass.config_entries.options.async_configure(
        shown["flow_id"], {"interval": {"hours": 0, "minutes": 0, "seconds": 1}}
    )
    assert entry.options["interval"] == 1
    await hass.async_block_till_done()
    assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("kind", ["interval", "aligned", "daily"])
async def test_gaps_are_filled_unless_it_is_not_wanted(
    hass: HomeAssistant, loaded: MockConfigEntry, kind: str
) -> None:
    await schedule(hass, loaded, kind, fill_gaps=False)
    assert loaded.options["fill_gaps"] is False
    shown = await page(hass, loaded, kind)
    assert shown["data_schema"]({})["fill_gaps"] is False
    await send(hass, shown, fill_gaps=True)
    assert "fill_gaps" not in loaded.options


@pytest.mark.parametrize("kind", ["interval", "aligned"])
async def test_quiet_hours(hass: HomeAssistant, loaded: MockConfigEntry, kind: str) -> None:
    await schedule(hass, loaded, kind, **QUIET)
    assert QUIET.items() <= loaded.options.items()
    shown = await page(hass, loaded, kind)
    assert QUIET.items() <= suggested_of(shown["data_schema"]).items()
    # Left empty, there are none any more.
    await send(hass, shown)
    assert not QUIET.keys() & loaded.options.keys()


@pytest.mark.parametrize(
    ("kind", "entered", "errors"),
    [
        ("interval", {"quiet_from": "22:00:00"}, {"quiet_to": "quiet_one_end"}),
        ("aligned", {"quiet_to": "22:00:00"}, {"quiet_from": "quiet_one_end"}),
        (
            "interval",
            {"quiet_from": "22:00:00", "quiet_to": "22:00:00"},
            {"quiet_to": "quiet_all_day"},
        ),
        (
            "interval",
            {"interval": {"hours": 0, "minutes": 0, "seconds": 3}},
            {"interval": "interval"},
        ),
        (
            "interval",
            {"interval": {"hours": 169, "minutes": 0, "seconds": 0}},
            {"interval": "interval"},
        ),
    ],
)
async def test_times_that_cannot_be(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    kind: str,
    entered: dict[str, Any],
    errors: dict[str, str],
) -> None:
    sent = await schedule(hass, loaded, kind, **entered)
    assert (sent["type"], sent["errors"]) == (FlowResultType.FORM, errors)
    assert sent["description_placeholders"] == {
        "shortest": "10\N{NO-BREAK SPACE}s",
        "longest": "7\N{NO-BREAK SPACE}d",
        "duration": "4\N{NO-BREAK SPACE}s",
    }
    # What was entered stays.
    assert entered.items() <= suggested_of(sent["data_schema"]).items()
    assert loaded.options == {"interval": 60}


async def test_change_reloads_the_meter(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    before = loaded.runtime_data.coordinator
    bench.answers = [reading(HOUSEHOLD)]
    await schedule(hass, loaded, "interval", interval=QUARTER)
    assert loaded.state is ConfigEntryState.LOADED
    assert loaded.runtime_data.coordinator is not before
    assert loaded.runtime_data.coordinator.interval == timedelta(minutes=15)


async def test_one_slow_reading_does_not_change_the_interval(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """Not of an entry of 0.1 either, which has stored none: it keeps the one it began with."""
    freezer.move_to(later(1))
    slow = replace(GOOD_HEALTH, duration=62.0)
    bench.answers = [reading(at=later(1), health=slow)]
    await loaded.runtime_data.coordinator.async_refresh()
    assert loaded.runtime_data.coordinator.interval == timedelta(minutes=1)
    await hass.config_entries.async_reload(loaded.entry_id)
    assert loaded.runtime_data.coordinator.interval == timedelta(minutes=1)
