"""The load profile in the statistics, with the recorder."""

import asyncio
from collections.abc import Generator
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, override
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNKNOWN
from homeassistant.core import Event as Fired, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.helpers.storage import Store
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.iec62056.const import CONF_FILL_GAPS, DOMAIN
from custom_components.iec62056.meter.reader import MeterReader
from custom_components.iec62056.protocol.errors import (
    MeterRefused,
    NoAnswer,
    NoProgramming,
    PasswordNeeded,
)
from custom_components.iec62056.protocol.model import Value
from custom_components.iec62056.protocol.profiles.events import Event, Meaning, Note
from custom_components.iec62056.statistics.gap_filler import AFTER_HOUR
from custom_components.iec62056.statistics.gaps import ReadingHistory
from custom_components.iec62056.statistics.import_job import ImportJob
from custom_components.iec62056.statistics.importer import MOST_FAILURES
from custom_components.iec62056.statistics.recorder import DatabaseFailed, can_clear
from custom_components.iec62056.validation.validation_state import ValidationState
from simulator.profile import LoadProfile

from ..common.bench import NUMBER, Bench, entity_id, reading
from ..common.week import BERLIN, HOUR, KEYS, QUARTER, House, Memory, Week

WRITE = "custom_components.iec62056.statistics.profile_writer.recorder.async_write"

# Three days of autumn; on the second one the clocks go back.
BEGIN = datetime(2027, 10, 30, 4, tzinfo=UTC)
HOURS = 60


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


@pytest.fixture
def outages() -> list[tuple[datetime, datetime]]:
    """From one reading to the next good one."""
    return [(at(5.25), at(14.5))]


@pytest.fixture
def dark() -> list[tuple[datetime, datetime]]:
    """When the meter was without power."""
    return []


@pytest.fixture
def hours() -> int:
    """How long the meter keeps count."""
    return HOURS


@pytest.fixture
def house(
    outages: list[tuple[datetime, datetime]], dark: list[tuple[datetime, datetime]], hours: int
) -> House:
    # Nothing is used in the quarters that an outage cuts: how it was divided, nobody could know.
    cut = [(moment, moment + QUARTER) for outage in outages for moment in outage]
    return House(BEGIN, hours, [*cut, *dark])


@pytest.fixture
def clock() -> timedelta | None:
    """How far the meter's clock is ahead of UTC all year; None: it keeps the local time."""
    return None


@pytest.fixture
def memory(
    house: House,
    dark: list[tuple[datetime, datetime]],
    hours: int,
    clock: timedelta | None,
) -> Generator[Memory]:
    profile = LoadProfile(BERLIN if clock is None else timezone(clock), flagged=clock is None)
    profile.watch(house.registers, BEGIN, at(hours), dark)
    memory = Memory(profile)
    with patch.object(MeterReader, "async_read_profile", memory_read(memory)):
        yield memory


def memory_read(memory: Memory) -> Any:
    async def read(
        _meter: MeterReader, _code: str, first: datetime, last: datetime, zone: tzinfo
    ) -> Any:
        return await memory.read(first, last, zone)

    return read


class Tariffs(Week):
    """A meter that sends no total of what is taken, but what was taken in each of two tariffs."""

    @override
    def answer(self, moment: datetime) -> None:
        taken, _ = self.house.registers(moment)
        night = taken * 2 // 5
        sent = {
            f"1.8.{tariff}": [f"{Decimal(used) / 1000:010.3f}*kWh"]
            for tariff, used in ((1, taken - night), (2, night))
        }
        self.bench.answers = [reading({"C.1.0": [NUMBER], **sent}, at=moment)]


@pytest.fixture
def kind() -> type[Week]:
    return Week


@pytest.fixture
async def week(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    *,
    freezer: FrozenDateTimeFactory,
    house: House,
    memory: Memory,
    kind: type[Week],
    clock: timedelta | None,
) -> Week:
    await hass.config.async_set_time_zone("Europe/Berlin")
    week = kind(hass, entry, bench, freezer, house, clock)
    freezer.move_to(at(2.2))
    week.answer(at(2.2))
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return week


async def live(week: Week, outages: list[tuple[datetime, datetime]], end: datetime) -> None:
    """Readings all the time but in the outages, in which Home Assistant does not run."""
    begin = at(2.25)
    for first, last in outages:
        await week.watch(begin, first + QUARTER)
        await week.off(last)
        begin = last
    await week.watch(begin, end)


def true(week: Week, first: datetime, last: datetime) -> dict[datetime, tuple[float, float]]:
    found = {}
    while first < last:
        found[first] = week.house.hour(first)
        first += HOUR
    return found


async def service(week: Week, name: str, **data: Any) -> dict[str, Any]:
    response: Any = await week.hass.services.async_call(
        DOMAIN,
        name,
        {"config_entry_id": week.entry.entry_id, **data},
        blocking=True,
        return_response=True,
    )
    meter: dict[str, Any] = response["meters"][0]
    return meter


@pytest.fixture
async def by_hand(week: Week) -> Week:
    """Nothing is filled without being asked for."""
    week.hass.config_entries.async_update_entry(week.entry, options={CONF_FILL_GAPS: False})
    return week


@pytest.mark.newest
async def test_an_outage_is_filled_by_itself(
    week: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    await live(week, outages, at(15))
    broken = await week.changes()
    assert broken[at(8)] == (0, 0)
    assert broken[at(14)] > week.house.hour(at(14))
    assert not memory.asked
    await week.tick(at(15) + AFTER_HOUR)
    assert memory.asked
    await week.watch(at(15.25), at(17))
    changes = await week.changes()
    assert {start: changes[start] for start in changes if start > at(2)} == true(
        week, at(3), at(17)
    )
    assert not week.entry.runtime_data.importer.history.open()


@pytest.mark.parametrize(
    "clock", [timedelta(hours=hours) + timedelta(minutes=1) for hours in (-3, 0, 1, 2, 3)], ids=str
)
async def test_a_clock_that_keeps_another_zone(
    week: Week, outages: list[tuple[datetime, datetime]]
) -> None:
    """Winter time all year, UTC, or the zone of its maker; a minute beside it is nothing."""
    await live(week, outages, at(15))
    await week.tick(at(15) + AFTER_HOUR)
    await week.watch(at(15.25), at(17))
    changes = await week.changes()
    expected = true(week, at(3), at(17))
    for start, used in expected.items():
        # A minute beside the periods moves what is cut by the full hour.
        assert changes[start] == pytest.approx(used, abs=0.08), start
    assert not week.entry.runtime_data.importer.history.open()


@pytest.mark.parametrize(
    "clock", [timedelta(minutes=minutes) for minutes in (80, 108, 132)], ids=str
)
async def test_a_clock_that_no_zone_explains(
    week: Week, outages: list[tuple[datetime, datetime]], clock: timedelta
) -> None:
    await live(week, outages, at(15))
    before = await week.changes()
    await week.tick(at(15) + AFTER_HOUR)
    assert await week.changes() == before
    assert week.entry.runtime_data.importer.history.open()
    with pytest.raises(HomeAssistantError) as refused:
        await service(week, "import_load_profile", **{"from": at(4).isoformat()})
    assert refused.value.translation_key == "import_clock_wrong"
    ahead = clock - timedelta(hours=2)
    assert refused.value.translation_placeholders == {
        "minutes": f"{ahead / timedelta(minutes=1):.0f}"
    }


@pytest.mark.parametrize("kind", [Tariffs])
async def test_the_total_of_the_tariffs_is_filled_too(
    week: Week, outages: list[tuple[datetime, datetime]]
) -> None:
    """It is what stands in the Energy dashboard; the profile has the total, whatever the meter sends."""
    await live(week, outages, at(15))
    await week.tick(at(15) + AFTER_HOUR)
    await week.watch(at(15.25), at(17))
    rows = await week.rows("total_import")
    changes = {start: round(row[2], 4) for start, row in rows.items() if start > at(2)}
    assert changes == {start: taken for start, (taken, _) in true(week, at(3), at(17)).items()}
    assert not week.entry.runtime_data.importer.history.open()
    # And it can be taken back.
    cleared = await service(week, "clear_imported")
    assert entity_id(week.hass, "total_import") in cleared["hours"]


async def test_undo_leaves_what_the_user_has_corrected_since(
    week: Week, outages: list[tuple[datetime, datetime]]
) -> None:
    """Sums that were moved after the import stay moved."""
    await live(week, outages, at(15))
    before = await week.rows(KEYS[0])
    await week.tick(at(15) + AFTER_HOUR)
    await week.watch(at(15.25), at(17))
    imported = await week.rows(KEYS[0])
    assert imported[at(10)][1] != before[at(10)][1]
    get_instance(week.hass).async_adjust_statistics(
        entity_id(week.hass, KEYS[0]), at(3), 4.4, "kWh"
    )
    await service(week, "clear_imported")
    rows = await week.rows(KEYS[0])
    for start, (_, total, _) in before.items():
        moved = 4.4 if start >= at(3) else 0
        assert rows[start][1] == pytest.approx(total + moved, abs=1e-6), start


@pytest.mark.parametrize(
    ("outages", "dark"),
    [
        (
            [(at(5.25), at(14.5)), (at(16.5), at(24.75)), (at(30.25), at(41.5))],
            [(at(34.1), at(36.6))],
        )
    ],
)
async def test_a_week_with_three_outages_is_that_without_one(
    week: Week, outages: list[tuple[datetime, datetime]]
) -> None:
    """One over the change of the clocks, one in which the meter itself was without power."""
    await live(week, outages, at(46))
    await week.tick(at(46) + AFTER_HOUR)
    changes = await week.changes()
    assert {start: changes[start] for start in changes if start > at(2)} == true(
        week, at(3), at(46)
    )
    # The day of the change has its 25 hours, the sum ends at the reading.
    local = [start.astimezone(BERLIN).date() for start in changes]
    assert local.count(date(2027, 10, 31)) == 25
    rows = await week.rows(KEYS[0])
    state, total, _ = rows[at(45)]
    assert state == pytest.approx(week.house.registers(at(46))[0] / 1000 + 1000)
    assert total == pytest.approx(sum(change for _, _, change in rows.values()))


@pytest.mark.newest
async def test_twice_changes_nothing(
    by_hand: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    week = by_hand
    await live(week, outages, at(17))
    window = {"from": at(4).isoformat(), "to": at(17).isoformat()}
    first = await service(week, "import_load_profile", **window)
    assert first["finished"]
    assert {one["hours"] for one in first["sensors"]} == {9}
    after = [await week.rows(key) for key in KEYS]
    second = await service(week, "import_load_profile", **window)
    assert [one["hours"] for one in second["sensors"]] == [0, 0]
    assert [await week.rows(key) for key in KEYS] == after
    assert not week.entry.runtime_data.importer.history.open()


@pytest.mark.long
@pytest.mark.parametrize("hours", [7 * 24])
@pytest.mark.parametrize(
    ("outages", "dark"),
    [
        (
            [(at(5.25), at(30.5)), (at(50.5), at(74.75)), (at(120.25), at(151.5))],
            [(at(60.1), at(66.6))],
        ),
        # The second run: nothing is missed, so nothing is read.
        ([], []),
    ],
)
async def test_a_whole_week(
    week: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    """One outage over the change of the clocks, one with a power failure, each filled when it is over."""
    begin = at(2.25)
    for first, last in outages:
        await week.watch(begin, first + QUARTER)
        await week.off(last)
        behind = last.replace(minute=0) + HOUR
        await week.watch(last, behind)
        await week.tick(behind + AFTER_HOUR)
        begin = behind + QUARTER
    await week.watch(begin, at(166))
    changes = await week.changes()
    expected = true(week, at(3), at(166))
    assert {start: changes[start] for start in expected} == expected
    assert bool(memory.asked) is bool(outages)
    assert not week.entry.runtime_data.importer.history.open()


async def test_preview_writes_nothing_and_is_not_read_again(
    by_hand: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    week = by_hand
    await live(week, outages, at(17))
    before = [await week.rows(key) for key in KEYS]
    window = {"from": at(4).isoformat(), "to": at(17).isoformat()}
    preview = await service(week, "import_load_profile", preview=True, **window)
    assert [await week.rows(key) for key in KEYS] == before
    asked = len(memory.asked)
    assert asked
    done = await service(week, "import_load_profile", **window)
    assert len(memory.asked) == asked
    assert done["sensors"] == preview["sensors"]
    assert done["sensors"][0]["changes"]


async def test_undone_it_is_as_before(
    by_hand: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    week = by_hand
    await live(week, outages, at(17))
    before = [await week.rows(key) for key in KEYS]
    await service(week, "import_load_profile", **{"from": at(4).isoformat()})
    assert [await week.rows(key) for key in KEYS] != before
    cleared = await service(week, "clear_imported")
    assert set(cleared["hours"].values()) == {9}
    assert [await week.rows(key) for key in KEYS] == before
    assert (await service(week, "clear_imported"))["hours"] == {}


@pytest.mark.newest
async def test_the_past_before_the_meter_was_set_up(week: Week, memory: Memory) -> None:
    memory.profile.periods.clear()
    house = House(at(-30), 30 + HOURS)
    week.house = house
    memory.profile.watch(house.registers, at(-30), at(HOURS))
    await week.entry.runtime_data.coordinator.async_refresh()
    # Its numbers are other ones.
    week.entry.runtime_data.coordinator.validator.state = ValidationState()
    begun = at(2.25)
    week.entry.runtime_data.importer._store.imports.history = ReadingHistory()
    await week.watch(begun, at(6))
    before = await week.rows(KEYS[0])
    done = await service(week, "import_load_profile", **{"from": at(-48).isoformat()})
    assert done["sensors"][0]["hours"] > 30
    rows = await week.rows(KEYS[0])
    changes = {start: round(rows[start][2], 3) for start in rows if at(-30) <= start < at(2)}
    assert changes == {start: house.hour(start)[0] for start in changes}
    assert len(changes) == 32
    # All begins at nothing, and each row from the first reading on is raised by what was used before that.
    first = min(rows)
    assert rows[first][1] == pytest.approx(rows[first][2])
    (past, used, _), (state, total, _) = rows[at(1)], before[at(2)]
    raised = used + state - past - total
    for start, (state, total, _) in before.items():
        assert rows[start][:2] == pytest.approx((state, total + raised), abs=1e-6)
    await service(week, "clear_imported")
    left = await week.rows(KEYS[0])
    for start, row in before.items():
        assert left[start] == pytest.approx(row, abs=1e-6)
    if can_clear(week.hass):
        assert left.keys() == before.keys()
    # They are level.
    assert {round(left[start][2], 6) for start in left if start < at(2)} <= {0}


@pytest.mark.parametrize("outages", [[(at(5.25), at(9.5)), (at(11.25), at(14.5))]])
async def test_right_after_set_up_the_rows_of_another_reader_are_replaced(
    by_hand: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    """What is asked for ends before the first reading: the hours between are left alone, and not waited for."""
    week = by_hand
    await live(week, outages, at(16))
    importer = week.entry.runtime_data.importer
    importer._store.imports.history = ReadingHistory()
    await week.read(at(16.2))
    before = [await week.rows(key) for key in KEYS]
    window = {"from": at(4).isoformat(), "to": at(10).isoformat(), "everything": True}
    done = await service(week, "import_load_profile", **window)
    assert done["finished"]
    assert [(one["hours"], one["refused"]) for one in done["sensors"]] == [(4, []), (4, [])]
    changes = await week.changes()
    assert {start: changes[start] for start in true(week, at(3), at(11))} == true(
        week, at(3), at(11)
    )
    assert changes[at(12)] == (0, 0)
    # The rest of it, to the newest hour that is summed up.
    window = {"from": at(4).isoformat(), "everything": True}
    done = await service(week, "import_load_profile", **window)
    assert [one["refused"] for one in done["sensors"]] == [[], []]
    await week.watch(at(16.25), at(18))
    changes = await week.changes()
    assert {start: changes[start] for start in changes if start > at(2)} == true(
        week, at(3), at(18)
    )
    await service(week, "clear_imported")
    after = [await week.rows(key) for key in KEYS]
    assert [
        {start: rows[start] for start in old} for rows, old in zip(after, before, strict=True)
    ] == before


async def set_up_anew(week: Week, memory: Memory) -> House:
    """The meter has more of the past than anybody has read."""
    house = House(at(-30), 30 + HOURS, [(at(2), at(2) + QUARTER)])
    week.house = house
    # Its numbers are other ones.
    week.entry.runtime_data.coordinator.validator.state = ValidationState()
    memory.profile.periods.clear()
    memory.profile.watch(house.registers, at(-30), at(HOURS))
    await week.read(at(2.2))
    week.entry.runtime_data.importer._store.imports.history = ReadingHistory()
    await week.read(at(2.2))
    return house


async def summed_up(week: Week, begin: datetime) -> None:
    """The recorder has summed up five minutes."""
    week.freezer.move_to(begin + timedelta(minutes=5))
    await async_wait_recording_done(week.hass)
    do_adhoc_statistics(week.hass, start=begin)
    await async_wait_recording_done(week.hass)


@pytest.mark.newest
@pytest.mark.parametrize("undone_at", ["once", "the end of the hour"])
async def test_a_few_minutes_after_set_up_the_past_is_there(
    by_hand: Week, memory: Memory, undone_at: str
) -> None:
    week = by_hand
    house = await set_up_anew(week, memory)
    window = {"from": at(-48).isoformat(), "to": at(-2).isoformat()}
    for everything in (False, True):
        # Not even five minutes are summed up: that is told.
        done = await service(week, "import_load_profile", everything=everything, **window)
        assert [one["refused"][0]["reason"] for one in done["sensors"]] == ["not_yet", "not_yet"]
    await summed_up(week, at(2.25))
    asked = len(memory.asked)
    done = await service(week, "import_load_profile", everything=True, **window)
    # Only what the meter has written down since is read.
    assert [first for first, _ in memory.asked[asked:]] == [at(2.2)]
    assert [one["refused"] for one in done["sensors"]] == [[], []]
    assert done["sensors"][0]["hours"] == 32
    if undone_at == "once":
        await service(week, "clear_imported")
    await week.watch(at(2.5), at(6))
    changes = await week.changes()
    own = true(week, at(3), at(6))
    assert {start: changes[start] for start in own} == own
    if undone_at != "once":
        past = {start: house.hour(start) for start in changes if start >= at(-30)}
        assert len(past) == 36
        assert {start: changes[start] for start in past} == past
        await service(week, "clear_imported")
        changes = await week.changes()
        assert {start: changes[start] for start in own} == own
    left = {start: changes[start] for start in changes if start < at(2)}
    assert set(left.values()) == (set() if can_clear(week.hass) else {(0, 0)})


async def test_a_line_that_is_gone_is_tried_again(
    week: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    await live(week, outages, at(15))
    memory.errors = [NoAnswer(), NoAnswer()]
    with patch("custom_components.iec62056.meter.backoff.pause", lambda _failures: 0.0):
        await week.tick(at(15) + AFTER_HOUR)
    assert memory.asked[0] == memory.asked[1] == memory.asked[2]
    changes = await week.changes()
    assert {start: changes[start] for start in changes if start > at(2)} == true(
        week, at(3), at(15)
    )


async def test_a_line_that_stays_away_is_tried_an_hour_later(
    week: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    await live(week, outages, at(15))
    memory.errors = [NoAnswer() for _ in range(MOST_FAILURES)]
    with patch("custom_components.iec62056.meter.backoff.pause", lambda _failures: 0.0):
        await week.tick(at(15) + AFTER_HOUR)
    assert len(memory.asked) == MOST_FAILURES
    assert week.entry.runtime_data.importer.history.open()
    assert (await week.changes())[at(8)] == (0, 0)
    await week.watch(at(15.25), at(16.5))
    await week.tick(at(16.5))
    changes = await week.changes()
    assert changes[at(8)] == week.house.hour(at(8))


@pytest.mark.parametrize(
    "error", [NoProgramming(meter="x"), PasswordNeeded(code="P.01", message="ERROR14")]
)
async def test_a_meter_that_has_no_profile_is_left_alone(
    week: Week, outages: list[tuple[datetime, datetime]], memory: Memory, error: MeterRefused
) -> None:
    await live(week, outages, at(15))
    memory.errors = [error]
    await week.tick(at(15) + AFTER_HOUR)
    assert len(memory.asked) == 1
    assert not week.entry.runtime_data.importer.history.open()
    await week.tick(at(16.5))
    assert len(memory.asked) == 1
    memory.errors = [error]
    with pytest.raises(HomeAssistantError) as failed:
        await service(week, "import_load_profile", **{"from": at(4).isoformat()})
    assert failed.value.translation_key == "profile_failed"


@pytest.mark.parametrize("option", [True, False])
async def test_by_itself_only_where_it_is_wanted(
    week: Week, outages: list[tuple[datetime, datetime]], memory: Memory, option: bool
) -> None:
    week.hass.config_entries.async_update_entry(week.entry, options={CONF_FILL_GAPS: option})
    await live(week, outages, at(15))
    await week.tick(at(15) + AFTER_HOUR)
    assert bool(memory.asked) is option


async def test_by_itself_only_where_the_meter_is_read_by_itself(
    week: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    """Polling for changes is switched off: an automation says when the meter is read."""
    week.hass.config_entries.async_update_entry(week.entry, pref_disable_polling=True)
    await live(week, outages, at(15))
    await week.tick(at(15) + AFTER_HOUR)
    assert week.entry.runtime_data.importer.history.open()
    assert not memory.asked


async def test_killed_in_the_middle_it_goes_on(
    week: Week,
    outages: list[tuple[datetime, datetime]],
    memory: Memory,
    hass_storage: dict[str, Any],
) -> None:
    """What was read is on the disk after each piece, and so is what is replaced before anything is."""
    await live(week, outages, at(15))
    entry_id = week.entry.entry_id
    saved: list[dict[str, Any]] = []

    def keep() -> None:
        store = hass_storage.get(f"{DOMAIN}.{entry_id}.profile")
        saved.append(deepcopy(store) if store else {})

    memory.hook = keep

    def of(first: datetime, last: datetime) -> ImportJob:
        return ImportJob(first, last, first, last, span=4 * HOUR)

    with patch.object(ImportJob, "of", of):
        await week.tick(at(15) + AFTER_HOUR)
    assert len(memory.asked) > 1
    right = [await week.rows(key) for key in KEYS]
    await service(week, "clear_imported")
    # The same from the file as it was when the second piece was being read.
    await week.hass.config_entries.async_unload(entry_id)
    hass_storage[f"{DOMAIN}.{entry_id}.profile"] = saved[1]
    memory.asked.clear()
    await week.hass.config_entries.async_setup(entry_id)
    await week.settle()
    assert memory.asked[0][0] == datetime.fromisoformat(saved[1]["data"]["job"]["read_to"])
    assert [await week.rows(key) for key in KEYS] == right
    assert not week.entry.runtime_data.importer.history.open()


async def test_killed_between_the_note_and_the_rows(
    by_hand: Week,
    outages: list[tuple[datetime, datetime]],
    memory: Memory,
    hass_storage: dict[str, Any],
) -> None:
    week = by_hand
    await live(week, outages, at(17))
    before = [await week.rows(key) for key in KEYS]
    with (
        patch(
            "custom_components.iec62056.statistics.profile_writer.recorder.async_write",
            side_effect=RuntimeError("killed"),
        ),
        pytest.raises(RuntimeError),
    ):
        await week.entry.runtime_data.importer._writer.async_import(
            ImportJob.of(at(3), at(17)).with_piece(await read_all(memory), 1.0)
        )
    assert [await week.rows(key) for key in KEYS] == before
    assert hass_storage[f"{DOMAIN}.{week.entry.entry_id}.profile"]["data"]["replaced"]
    await service(week, "import_load_profile", **{"from": at(4).isoformat()})
    await service(week, "clear_imported")
    assert [await week.rows(key) for key in KEYS] == before


async def read_all(memory: Memory) -> Any:
    return await memory.read(at(3), at(17), BERLIN)


async def test_only_one_range_at_a_time(
    by_hand: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    week = by_hand
    await live(week, outages, at(17))
    memory.gate = asyncio.Event()
    call = week.hass.async_create_task(
        service(week, "import_load_profile", **{"from": at(3).isoformat()})
    )
    await week.bench.until(lambda: bool(memory.asked))
    # It is waited for a while, then the answer says how far it is.
    week.freezer.tick(timedelta(minutes=1))
    running = await call
    assert (running["finished"], running["sensors"], running["progress"]) == (False, [], 0)
    with pytest.raises(ServiceValidationError) as refused:
        await service(week, "import_load_profile", **{"from": at(12).isoformat()})
    assert refused.value.translation_key == "import_running"
    memory.gate.set()
    done = await service(week, "import_load_profile", **{"from": at(3).isoformat()})
    assert (done["finished"], done["progress"]) == (True, 1)
    assert done["sensors"][0]["hours"] == 9


async def test_a_battery_that_is_to_be_left_alone(by_hand: Week, memory: Memory) -> None:
    week = by_hand
    spent = ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="budget_spent",
        translation_placeholders={"hours": "7"},
    )
    for first in (at(-3), at(-2)):
        # Told each time; and nothing is left behind that would refuse another range.
        memory.errors = [spent]
        with pytest.raises(ServiceValidationError) as refused:
            await service(week, "import_load_profile", **{"from": first.isoformat()})
        assert refused.value.translation_key == "budget_spent"
        assert not memory.errors
    assert (await service(week, "import_load_profile", **{"from": at(-1).isoformat()}))["finished"]


async def test_a_database_that_refuses_is_tried_again(
    week: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    await live(week, outages, at(15))
    importer = week.entry.runtime_data.importer
    with patch(WRITE, side_effect=DatabaseFailed):
        await week.tick(at(15) + AFTER_HOUR)
    assert memory.asked
    assert importer.history.open()
    assert (await week.changes())[at(8)] == (0, 0)
    await week.watch(at(15.25), at(16.5))
    await week.tick(at(16.5))
    assert not importer.history.open()
    changes = await week.changes()
    assert {start: changes[start] for start in changes if start > at(2)} == true(
        week, at(3), at(16)
    )


async def test_a_database_that_refuses_is_told(
    by_hand: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    week = by_hand
    await live(week, outages, at(17))
    before = [await week.rows(key) for key in KEYS]
    window = {"from": at(4).isoformat(), "to": at(17).isoformat()}
    with patch(WRITE, side_effect=DatabaseFailed), pytest.raises(DatabaseFailed):
        await service(week, "import_load_profile", **window)
    # All was read.
    asked = len(memory.asked)
    await service(week, "import_load_profile", **window)
    assert len(memory.asked) == asked
    imported = [await week.rows(key) for key in KEYS]
    assert imported != before
    # What was replaced is kept until it is back.
    with patch(WRITE, side_effect=DatabaseFailed), pytest.raises(DatabaseFailed):
        await service(week, "clear_imported")
    assert [await week.rows(key) for key in KEYS] == imported
    await service(week, "clear_imported")
    assert [await week.rows(key) for key in KEYS] == before


@pytest.mark.parametrize("name", [".profile", ""])
async def test_a_full_disk_leaves_no_way_back_and_so_nothing_is_imported(
    by_hand: Week, memory: Memory, hass_storage: dict[str, Any], name: str
) -> None:
    """What is replaced is in one file, and where the sums are to be raised in another; Home Assistant hides the error."""
    week = by_hand
    await set_up_anew(week, memory)
    await week.watch(at(2.5), at(6))
    before = [await week.rows(key) for key in KEYS]
    full = f"{DOMAIN}.{week.entry.entry_id}{name}"
    write = Store._async_write_data

    async def refuse(store: Store[Any], data: dict[str, Any]) -> None:
        if data["key"] == full:
            raise WriteError("No space left on device")
        await write(store, data)

    window = {"from": at(-48).isoformat()}
    with (
        patch.object(Store, "_async_write_data", refuse),
        pytest.raises(HomeAssistantError) as refused,
    ):
        await service(week, "import_load_profile", **window)
    assert refused.value.translation_key == "import_not_kept"
    assert [await week.rows(key) for key in KEYS] == before
    assert (await service(week, "clear_imported"))["hours"] == {}
    done = await service(week, "import_load_profile", **window)
    assert done["sensors"][0]["hours"] == 32
    with (
        patch.object(Store, "_async_write_data", refuse),
        pytest.raises(HomeAssistantError) as refused,
    ):
        await service(week, "clear_imported")
    assert refused.value.translation_key == "import_not_kept"
    await service(week, "clear_imported")
    after = [await week.rows(key) for key in KEYS]
    for rows, old in zip(after, before, strict=True):
        assert {start: rows[start] for start in old} == {
            start: pytest.approx(row, abs=1e-6) for start, row in old.items()
        }


async def test_how_far_it_is_can_be_seen(
    by_hand: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    week = by_hand
    await live(week, outages, at(17))
    registry = er.async_get(week.hass)
    key = f"LGZ_{NUMBER}_load_profile_progress"

    def shown() -> str | None:
        found = registry.async_get_entity_id("sensor", DOMAIN, key)
        state = None if found is None else week.hass.states.get(found)
        return None if state is None else state.state

    assert shown() is None
    seen: list[str] = []

    @callback
    def changed(event: Fired[EventStateChangedData]) -> None:
        new = event.data["new_state"]
        if new is not None and new.entity_id.endswith("load_profile_reading_progress"):
            seen.append(new.state)

    week.hass.bus.async_listen(EVENT_STATE_CHANGED, changed)

    def of(first: datetime, last: datetime) -> ImportJob:
        # Far more pieces than percents.
        return ImportJob(first, last, first, last, span=(last - first) / 300)

    with (
        patch.object(ImportJob, "of", of),
        patch(
            "custom_components.iec62056.statistics.import_job.next_piece", lambda span, _took: span
        ),
    ):
        await service(week, "import_load_profile", **{"from": at(4).isoformat()})
        await week.settle()
    assert len(memory.asked) >= 300
    assert shown() == STATE_UNKNOWN
    percents = [int(one) for one in seen if one != STATE_UNKNOWN]
    assert percents == sorted(set(percents))
    assert percents[-1] >= 99
    assert len(percents) > 90
    # It is there again after a start, also where nothing is read then.
    await week.hass.config_entries.async_reload(week.entry.entry_id)
    await week.hass.async_block_till_done()
    assert shown() == STATE_UNKNOWN


@pytest.mark.parametrize("action", ["import_load_profile", "read_load_profile"])
async def test_a_range_that_is_none(week: Week, memory: Memory, action: str) -> None:
    for window in (
        {"from": at(2).isoformat(), "to": at(1).isoformat()},
        {"from": at(-24 * 4000).isoformat()},
    ):
        with pytest.raises(ServiceValidationError) as refused:
            await service(week, action, **window)
        assert refused.value.translation_key == "bad_range"


async def test_rows_are_shown(week: Week, memory: Memory) -> None:
    week.freezer.move_to(at(3))
    shown = await service(week, "read_load_profile", **{"from": at(2).isoformat()})
    (profile,) = shown["profiles"]
    assert profile["minutes"] == 15
    assert [one["code"] for one in profile["channels"]] == ["1.5", "2.5"]
    assert [row["end"] for row in profile["rows"]] == [
        "2027-10-30T08:15:00+02:00",
        "2027-10-30T08:30:00+02:00",
        "2027-10-30T08:45:00+02:00",
        "2027-10-30T09:00:00+02:00",
    ]
    taken, given = week.house.used[8]
    assert profile["rows"][0]["values"] == [f"{taken * 4 / 1000:.3f}", f"{given * 4 / 1000:.3f}"]
    assert profile["rows"][0]["status"] == ["summer"]
    memory.errors = [NoAnswer()]
    with pytest.raises(HomeAssistantError) as failed:
        await service(week, "read_load_profile")
    assert failed.value.translation_key == "profile_failed"


async def test_events_are_shown(week: Week) -> None:
    event = Event(
        "P.98",
        at(1),
        0x80,
        (Meaning.POWER_DOWN,),
        (Note("0.9.1", Value("101500")),),
    )
    with patch.object(MeterReader, "async_read_events", return_value=(event,)):
        shown = await service(week, "read_load_profile", profile="P.98")
    assert shown["events"] == [
        {
            "log": "P.98",
            "time": "2027-10-30T07:00:00+02:00",
            "status": "00000080",
            "meanings": ["power_down"],
            "values": {"0.9.1": "101500"},
        }
    ]


async def test_what_was_used_in_a_missing_period_is_told(
    by_hand: Week, outages: list[tuple[datetime, datetime]], memory: Memory
) -> None:
    week = by_hand
    await live(week, outages, at(17))
    before = [await week.rows(key) for key in KEYS]
    lost = [one for one in memory.profile.periods if one.end == at(9)]
    memory.profile.periods = [one for one in memory.profile.periods if one not in lost]
    done = await service(week, "import_load_profile", **{"from": at(4).isoformat()})
    (refused,) = done["sensors"][0]["refused"]
    assert refused["reason"] == "missing"
    assert Decimal(refused["register"]) == pytest.approx(Decimal(lost[0].amounts[0]) / 1000)
    after = [await week.rows(key) for key in KEYS]
    assert after != before
    assert [list(rows.values())[-1] for rows in after] == [
        list(rows.values())[-1] for rows in before
    ]


async def test_without_a_recorder(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    for action in ("import_load_profile", "clear_imported"):
        with pytest.raises(ServiceValidationError) as refused:
            await hass.services.async_call(
                DOMAIN, action, {"config_entry_id": loaded.entry_id}, blocking=True
            )
        assert refused.value.translation_key == "no_recorder"
