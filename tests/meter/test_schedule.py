"""When a meter is read: the times, and that a meter is read at them."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from hypothesis import given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.iec62056.entry_data import (
    ALIGNED_AFTER,
    ALIGNED_BEFORE,
    ALIGNED_OFF,
    BOUNDARIES,
)
from custom_components.iec62056.meter.schedule import MARGIN, SERVED, Schedule
from custom_components.iec62056.protocol.errors import NoAnswer, PortMissing
from custom_components.iec62056.protocol.model import LineProfile, Mode
from custom_components.iec62056.state.meter_state import MeterState
from custom_components.iec62056.validation.validator import Outcome

from ..common.bench import GOOD_HEALTH, START, Bench, reading, state
from ..common.heat import ELECTRIC, HEAT
from ..common.stored_file import file_of, stored

# With half hours, a change of half an hour, none, and changes at other ends of the year.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Auckland",
)
BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
# Over these nights the clocks of Berlin go forward and back.
SPRING = datetime(2031, 3, 30, tzinfo=BERLIN)
AUTUMN = datetime(2031, 10, 26, tzinfo=BERLIN)

zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.integers(0, 2 * 365 * 24 * 3600).map(
    lambda second: datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)
durations = st.integers(1, 600).map(lambda second: timedelta(seconds=second))
times = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))
quiets = st.none() | st.tuples(times, times).filter(lambda ends: ends[0] != ends[1])

schedules = st.builds(
    Schedule,
    st.sampled_from(BOUNDARIES).map(lambda minutes: timedelta(minutes=minutes)),
    durations,
    zones,
    st.sampled_from((ALIGNED_OFF, ALIGNED_BEFORE, ALIGNED_AFTER)),
    times,
    quiets,
)


def local(year: int, month: int, day: int, *clock: int) -> datetime:
    hour, minute, second = (*clock, 0, 0)[:3]
    return datetime(year, month, day, hour, minute, second, tzinfo=BERLIN).astimezone(UTC)


def daily(at: time = time(23, 50), **fields: Any) -> Schedule:
    return Schedule(DAY, timedelta(seconds=25), BERLIN, ALIGNED_BEFORE, at, **fields)


def is_quiet(moment: datetime, schedule: Schedule) -> bool:
    """What a clock on the wall says."""
    if schedule.quiet is None:
        return False
    now = moment.astimezone(schedule.zone).time()
    begin, end = schedule.quiet
    return begin <= now < end if begin < end else not end <= now < begin


@given(
    zones, moments, durations, st.sampled_from(BOUNDARIES[:3]), st.sampled_from(("before", "after"))
)
def test_every_boundary_of_the_hour_is_kept(
    zone: ZoneInfo, begin: datetime, duration: timedelta, minutes: int, aligned: str
) -> None:
    """Over a day that may have a change of the clock in it: none is left out, none comes twice."""
    interval = timedelta(minutes=minutes)
    schedule = Schedule(interval, duration, zone, aligned)
    boundaries = []
    last = begin
    while last < begin + DAY:
        start = schedule.next(last)
        assert start > last
        boundary = start + duration + MARGIN if aligned == ALIGNED_BEFORE else start - MARGIN
        shown = boundary.astimezone(zone)
        assert (shown.minute % minutes, shown.second, shown.microsecond) == (0, 0, 0)
        boundaries.append(boundary)
        last = max(start + duration, last + timedelta(seconds=1))
    pauses = [after - before for before, after in pairwise(boundaries)]
    # Where clocks change by half an hour, one hour is longer or shorter by that.
    odd = [pause for pause in pauses if pause != interval]
    assert len(odd) <= 1
    assert all(timedelta(minutes=30) <= pause <= timedelta(minutes=90) for pause in odd)


@given(zones, moments, durations, times)
def test_one_reading_a_day_at_its_time(
    zone: ZoneInfo, begin: datetime, duration: timedelta, at: time
) -> None:
    schedule = Schedule(DAY, duration, zone, ALIGNED_BEFORE, at)
    ends = []
    last = begin
    for _ in range(400):
        last = schedule.next(last) + duration
        ends.append(last + MARGIN)
    days = [end.astimezone(zone).date() for end in ends]
    assert [after - before for before, after in pairwise(days)] == [DAY] * 399
    for end in ends:
        shown = end.astimezone(zone)
        if shown.time() != at:
            # The night in which that time is left out.
            naive = shown.replace(hour=at.hour, minute=at.minute)
            assert naive.astimezone(UTC).astimezone(zone).time() != at


@given(schedules, moments)
def test_quiet_hours_are_quiet(schedule: Schedule, last: datetime) -> None:
    start = schedule.next(last)
    assert not is_quiet(start, schedule)
    assert start > last
    # A day has a reading whatever is chosen; two where it just had one.
    assert start - last <= 2 * DAY + SERVED + timedelta(hours=2)


@given(zones, moments, quiets.filter(lambda quiet: quiet is not None))
def test_end_of_the_quiet_hours(zone: ZoneInfo, moment: datetime, quiet: tuple[time, time]) -> None:
    schedule = Schedule(DAY, DAY, zone, quiet=quiet)
    awake = schedule.after_quiet_hours(moment)
    if not is_quiet(moment, schedule):
        assert awake == moment
        return
    shown = awake.astimezone(zone)
    # Where that time is left out, the clock shows a later one.
    changes = shown.utcoffset() != (awake - timedelta(hours=2)).astimezone(zone).utcoffset()
    assert shown.time() == quiet[1] or changes
    step = timedelta(minutes=1)
    first = moment
    while is_quiet(first, schedule):
        first += step
    assert awake - first < timedelta(hours=1) + step


@given(zones, moments, quiets, st.integers(15, 72 * 60))
def test_life_of_a_value_is_longer_by_the_quiet_hours(
    zone: ZoneInfo, received: datetime, quiet: tuple[time, time] | None, minutes: int
) -> None:
    schedule = Schedule(DAY, DAY, zone, quiet=quiet)
    life = timedelta(minutes=minutes)
    expiry = schedule.expiry(received, life)
    if quiet is None:
        assert expiry == received + life
        return
    assert received + life <= expiry <= received + life + 2 * DAY + timedelta(hours=2)
    if minutes == 15:
        assert not is_quiet(expiry - timedelta(microseconds=1), schedule) or expiry == received


def test_daily_reading_ends_just_before_its_time() -> None:
    assert daily().next(local(2031, 5, 17, 12)) == local(2031, 5, 17, 23, 49, 30)


@pytest.mark.parametrize(
    ("night", "hours"), [(SPRING, 23), (AUTUMN, 25), (datetime(2031, 5, 4, tzinfo=BERLIN), 24)]
)
def test_day_of_another_length(night: datetime, hours: int) -> None:
    before = daily().next((night - timedelta(hours=3)).astimezone(UTC))
    after = daily().next(before + timedelta(minutes=1))
    assert after - before == timedelta(hours=hours)


def test_time_that_comes_twice_is_taken_once() -> None:
    schedule = daily(time(2, 30))
    first = schedule.next(local(2031, 10, 26, 1))
    assert first == local(2031, 10, 26, 2, 29, 30)
    assert schedule.next(first) == local(2031, 10, 27, 2, 29, 30)


def test_time_that_is_left_out_is_made_up_for() -> None:
    assert daily(time(2, 30)).next(local(2031, 3, 30, 1)) == local(2031, 3, 30, 3, 29, 30)


@pytest.mark.parametrize(
    ("last", "day"),
    [
        # Asked for at noon, or shortly before the time: the latter is as good as the one that is due.
        ((12, 0, 0), 17),
        ((23, 39, 0), 17),
        ((23, 40, 0), 18),
        ((23, 49, 40), 18),
        ((23, 49, 58), 18),
    ],
)
def test_reading_shortly_before_stands_for_the_one_that_is_due(
    last: tuple[int, int, int], day: int
) -> None:
    assert daily().next(local(2031, 5, 17, *last)) == local(2031, 5, day, 23, 49, 30)


def test_quarters_of_an_hour_after_the_boundary() -> None:
    schedule = Schedule(timedelta(minutes=15), timedelta(seconds=90), BERLIN, ALIGNED_AFTER)
    assert schedule.next(local(2031, 5, 17, 12, 0, 5)) == local(2031, 5, 17, 12, 15, 5)
    assert schedule.next(local(2031, 5, 17, 12, 14)) == local(2031, 5, 17, 12, 30, 5)


def test_boundaries_in_quiet_hours_are_passed_over() -> None:
    schedule = Schedule(
        timedelta(minutes=60),
        timedelta(seconds=25),
        BERLIN,
        ALIGNED_BEFORE,
        quiet=(time(22), time(6)),
    )
    # The reading before the quiet hours is over when they begin.
    assert schedule.next(local(2031, 5, 17, 21, 0)) == local(2031, 5, 17, 21, 59, 30)
    assert schedule.next(local(2031, 5, 17, 21, 59, 55)) == local(2031, 5, 18, 6, 59, 30)


def test_daily_reading_in_quiet_hours_comes_at_their_end() -> None:
    schedule = daily(quiet=(time(22), time(6)))
    assert schedule.next(local(2031, 5, 17, 12)) == local(2031, 5, 18, 6)
    assert schedule.next(local(2031, 5, 18, 6, 0, 25)) == local(2031, 5, 19, 6)


ELECTRIC_STATE = MeterState.of(reading(health=replace(GOOD_HEALTH, duration=20.0)), ELECTRIC)
HEAT_STATE = replace(ELECTRIC_STATE, profile=HEAT)
PUSH_STATE = replace(ELECTRIC_STATE, profile=replace(ELECTRIC, mode=Mode.D))


@pytest.mark.parametrize(
    ("known", "options", "expected"),
    [
        (ELECTRIC_STATE, {}, (200, ALIGNED_OFF)),
        (ELECTRIC_STATE, {"interval": 45}, (45, ALIGNED_OFF)),
        (ELECTRIC_STATE, {"aligned": "before", "boundary": 15}, (900, ALIGNED_BEFORE)),
        (ELECTRIC_STATE, {"aligned": "after", "interval": 9}, (86400, ALIGNED_AFTER)),
        # A battery bears one reading a day, or two, whatever is chosen.
        (HEAT_STATE, {}, (86400, ALIGNED_BEFORE)),
        (HEAT_STATE, {"aligned": "off"}, (86400, ALIGNED_OFF)),
        (HEAT_STATE, {"aligned": "off", "interval": 60}, (43200, ALIGNED_OFF)),
        (HEAT_STATE, {"aligned": "after", "boundary": 15}, (86400, ALIGNED_AFTER)),
        # Of a meter that sends by itself, it is how often something is shown.
        (PUSH_STATE, {}, (10, ALIGNED_OFF)),
        (PUSH_STATE, {"interval": 60, "aligned": "before"}, (60, ALIGNED_OFF)),
    ],
)
def test_what_is_chosen(
    known: MeterState, options: dict[str, Any], expected: tuple[int, str]
) -> None:
    quiet: dict[str, Any] = {"quiet_from": "22:00:00", "quiet_to": "06:30:00"}
    schedule = Schedule.of({**options, **quiet}, known, BERLIN)
    seconds, aligned = expected
    assert schedule.interval == timedelta(seconds=seconds)
    assert schedule.aligned == aligned
    expected_quiet = None if known is PUSH_STATE else (time(22), time(6, 30))
    assert schedule.quiet == expected_quiet
    assert schedule.duration == timedelta(seconds=20)


@pytest.mark.parametrize(
    "quiet", [{}, {"quiet_from": "22:00:00"}, {"quiet_from": "22:00:00", "quiet_to": "22:00:00"}]
)
def test_no_quiet_hours(quiet: dict[str, str]) -> None:
    assert Schedule.of(quiet, ELECTRIC_STATE, BERLIN).quiet is None


# With a Home Assistant: START is noon, UTC. Readings begin at half a minute.
STEP = timedelta(seconds=30)


@pytest.fixture
def house(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, hass_storage: dict[str, Any]
) -> House:
    return House(hass, entry, bench, hass_storage)


class House:
    """A meter with options in Berlin, that was read at START and is set up then."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        bench: Bench,
        hass_storage: dict[str, Any],
    ) -> None:
        self.hass, self.entry, self.bench = hass, entry, bench
        self._storage = hass_storage

    async def set_up(self, profile: LineProfile = ELECTRIC, **options: Any) -> None:
        await self.hass.config.async_set_time_zone("Europe/Berlin")
        self.bench.learned = lambda learned: learned
        self.hass.config_entries.async_update_entry(self.entry, options=options)
        health = replace(GOOD_HEALTH, duration=25.0)
        self.bench.answers = [reading(health=health)]
        self._storage[file_of(self.entry)] = stored(MeterState.of(reading(health=health), profile))
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.hass.async_block_till_done(wait_background_tasks=True)

    async def reads(self, freezer: FrozenDateTimeFactory, until: timedelta) -> list[str]:
        """When the meter is read until then, by the clock of the house."""
        found = []
        end = START + until
        while (now := dt_util.utcnow() + STEP) <= end:
            before = self.bench.reads
            freezer.move_to(now)
            self.bench.answers = [
                replace(one, received=now, health=replace(GOOD_HEALTH, duration=25.0))
                if not isinstance(one, Exception)
                else one
                for one in self.bench.answers
            ]
            async_fire_time_changed(self.hass)
            await self.hass.async_block_till_done(wait_background_tasks=True)
            if self.bench.reads > before:
                found.append(f"{dt_util.as_local(now):%d. %H:%M:%S}")
        return found


async def test_meter_is_read_before_each_quarter_but_not_in_quiet_hours(
    house: House, freezer: FrozenDateTimeFactory
) -> None:
    await house.set_up(aligned="before", boundary=15, quiet_from="13:30:00", quiet_to="14:10:00")
    assert await house.reads(freezer, timedelta(hours=1, minutes=31)) == [
        "22. 13:14:30",
        "22. 13:29:30",
        "22. 14:14:30",
        "22. 14:29:30",
    ]
    # They did not go either.
    assert state(house.hass, "1-0:1.8.0").state == "12345.678"


async def test_values_outlive_the_quiet_hours_only(
    house: House, freezer: FrozenDateTimeFactory
) -> None:
    """An hour of quiet, then the fifteen minutes they may always live."""
    await house.set_up(quiet_from="13:05:00", quiet_to="14:05:00", interval=60)
    house.bench.answers = [NoAnswer()]
    freezer.move_to(START + timedelta(minutes=5))
    assert await house.reads(freezer, timedelta(minutes=64)) == []
    assert state(house.hass, "1-0:1.8.0").state == "12345.678"
    await house.reads(freezer, timedelta(minutes=74))
    assert state(house.hass, "1-0:1.8.0").state == "12345.678"
    await house.reads(freezer, timedelta(minutes=76))
    assert state(house.hass, "1-0:1.8.0").state == "unavailable"


async def test_battery_meter_is_read_before_ten_to_midnight(
    house: House, freezer: FrozenDateTimeFactory
) -> None:
    """Also on the day someone has asked for a reading."""
    await house.set_up(HEAT)
    freezer.move_to(START + timedelta(hours=3))
    await house.entry.runtime_data.coordinator.async_read_now()
    freezer.move_to(START + timedelta(hours=10, minutes=40))
    assert await house.reads(freezer, timedelta(hours=11)) == ["22. 23:49:30"]
    assert house.bench.reads == 2


async def test_battery_meter_that_does_not_answer_is_left_alone_until_the_next_day(
    house: House, freezer: FrozenDateTimeFactory
) -> None:
    await house.set_up(HEAT)
    house.bench.answers = [NoAnswer()]
    freezer.move_to(START + timedelta(hours=10, minutes=48))
    assert await house.reads(freezer, timedelta(hours=11)) == ["22. 23:49:30"]
    freezer.move_to(START + timedelta(hours=34, minutes=48))
    assert await house.reads(freezer, timedelta(hours=35)) == ["23. 23:49:30"]


async def test_probe_that_is_missing_at_the_time_is_waited_for(
    house: House, freezer: FrozenDateTimeFactory
) -> None:
    await house.set_up(HEAT)
    house.bench.open_error = PortMissing(port="x")
    freezer.move_to(START + timedelta(hours=10, minutes=48))
    assert await house.reads(freezer, timedelta(hours=10, minutes=55)) == []
    house.bench.open_error = None
    [once] = await house.reads(freezer, timedelta(hours=11, minutes=10))
    assert "22. 23:55:00" < once < "23. 00:01:00"


async def test_third_wake_up_of_a_day_waits_for_the_budget(
    house: House, freezer: FrozenDateTimeFactory
) -> None:
    """Of a day of 24 hours there are two, also where the schedule's comes a little earlier than the day before."""
    await house.set_up(HEAT)
    freezer.move_to(START + timedelta(hours=10, minutes=49))
    assert await house.reads(freezer, timedelta(hours=11)) == ["22. 23:49:30"]
    freezer.move_to(START + timedelta(hours=20))
    await house.entry.runtime_data.coordinator.async_read_now()
    coordinator = house.entry.runtime_data.coordinator
    slower = replace(coordinator.data.health, duration=60.0)
    await coordinator.async_publish(Outcome(replace(coordinator.data, health=slower)))
    await coordinator.async_refresh()
    freezer.move_to(START + timedelta(hours=34, minutes=48))
    assert await house.reads(freezer, timedelta(hours=35)) == ["23. 23:49:30"]


async def test_polling_that_is_switched_off_while_it_waits(
    house: House, freezer: FrozenDateTimeFactory
) -> None:
    await house.set_up(aligned="after", boundary=15)
    house.hass.config_entries.async_update_entry(house.entry, pref_disable_polling=True)
    assert await house.reads(freezer, timedelta(minutes=31)) == []
    # Who asks for a reading gets one.
    await house.entry.runtime_data.coordinator.async_refresh()
    assert house.bench.reads == 1


async def test_start_makes_up_for_what_was_missed(
    house: House, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(START + timedelta(minutes=50))
    await house.set_up(aligned="before", boundary=30)
    assert house.bench.reads == 1
    assert await house.reads(freezer, timedelta(minutes=61)) == ["22. 13:59:30"]


async def test_no_reading_after_the_end(house: House, freezer: FrozenDateTimeFactory) -> None:
    """Not even where the end came in the middle of one."""
    await house.set_up(aligned="before", boundary=15)
    house.bench.gate.clear()
    asked = house.hass.async_create_task(house.entry.runtime_data.coordinator.async_refresh())
    await house.bench.until(lambda: house.bench.reads == 1)
    assert await house.hass.config_entries.async_unload(house.entry.entry_id)
    await asked
    house.bench.gate.set()
    assert await house.reads(freezer, timedelta(minutes=46)) == []


async def test_reading_goes_on_where_one_was_cancelled(
    house: House, freezer: FrozenDateTimeFactory
) -> None:
    """An automation that is stopped takes its own reading with it, not those that follow."""
    await house.set_up(aligned="before", boundary=15)
    house.bench.gate.clear()
    asked = house.hass.async_create_task(house.entry.runtime_data.coordinator.async_refresh())
    await house.bench.until(lambda: house.bench.reads == 1)
    asked.cancel()
    await house.hass.async_block_till_done()
    house.bench.gate.set()
    assert await house.reads(freezer, timedelta(minutes=16)) == ["22. 13:14:30"]
