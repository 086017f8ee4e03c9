"""What is kept of reading and importing load profiles."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol import obis
from custom_components.iec62056.protocol.profiles.load_profile import Channel, Profile, Row
from custom_components.iec62056.statistics.gaps import ReadingHistory
from custom_components.iec62056.statistics.import_job import (
    ImportJob,
    Imports,
    ImportStore,
    Replaced,
)
from custom_components.iec62056.statistics.planner import Change, Hour

START = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


def part(*hours: int) -> Profile:
    return Profile(
        "P.01",
        (Channel.of("1.5", obis.parse("1.5"), "kW"), Channel.of("XYZ", None, None)),
        HOUR,
        tuple(Row(START + hour * HOUR, (Decimal("0.50"), None), 0x40) for hour in hours),
    )


def job() -> ImportJob:
    return ImportJob.of(START, START + 48 * HOUR)


def test_piece_by_piece() -> None:
    one = job()
    assert one.progress == 0
    assert one.piece == (START, START + 12 * HOUR)
    one = one.with_piece([part(1, 2)], 80.0)
    assert one.progress == 0.25
    assert one.piece == (START + 12 * HOUR, START + 18 * HOUR)
    one = replace(one, span=100 * HOUR).with_piece([part(2, 3)], 1.0)
    assert one.done
    assert one.progress == 1
    assert [row.end for row in one.parts[0].rows] == [START + hour * HOUR for hour in (1, 2, 3)]


def test_a_job_of_no_length_is_done() -> None:
    assert ImportJob.of(START, START).progress == 1


def test_what_was_read_serves_another_job() -> None:
    done = replace(job(), read_to=START + 48 * HOUR, parts=(part(1),), preview=True)
    wanted = ImportJob.of(START + HOUR, START + 48 * HOUR)
    assert done.covers(wanted)
    found = done.for_another(wanted)
    assert (found.done, found.parts, found.preview) == (True, done.parts, False)
    # A minute later is the same wish; but no more is imported than was read.
    later = ImportJob.of(START + HOUR, START + 49 * HOUR)
    assert done.for_another(later).until == done.last
    assert done.for_another(replace(later, until=START + 9 * HOUR)).until == START + 9 * HOUR
    # What came since then can still be read.
    newer = done.newer_for(later)
    assert (newer.piece, newer.parts) == ((done.last, later.last), done.parts)
    assert not job().covers(wanted)
    assert not done.covers(ImportJob.of(START - HOUR, START + 48 * HOUR))
    assert not done.covers(ImportJob.of(START, START + 72 * HOUR))


def test_the_same_wish_twice() -> None:
    assert job().asks_as(ImportJob.of(START, START + 49 * HOUR))
    assert not job().asks_as(ImportJob.of(START + HOUR, START + 48 * HOUR))
    assert not job().asks_as(replace(job(), preview=True))
    assert not replace(job(), automatic=True).asks_as(job())


def test_the_first_rows_stay_noted() -> None:
    before = Replaced("kWh").with_changes([Change(START, Hour(2.0, 1.0), None)])
    again = before.with_changes(
        [
            Change(START, Hour(3.0, 2.0), Hour(2.0, 1.0)),
            Change(START + HOUR, Hour(4.0, 3.0), Hour(0.0, 0.0)),
        ]
    )
    assert again.rows == {START: None, START + HOUR: Hour(0.0, 0.0)}


@pytest.mark.parametrize("was_written", [False, True])
def test_what_was_noted_but_never_written_moves_nothing(was_written: bool) -> None:
    """Killed between the note of a second import and its rows: they are those of the first one."""
    note = Replaced("kWh").with_changes([Change(START, Hour(3.0, 2.0), Hour(1.5, 0.5))]).written()
    first = Hour(3.0, 2.0)
    second = Hour(4.0, 3.0)
    note = note.with_changes([Change(START, second, first)])
    now = second if was_written else first
    assert note.restored({START: now}) == {START: Hour(1.5, 0.5)}
    again = note.with_changes([Change(START, second, now)]).written()
    assert again.restored({START: second}) == {START: Hour(1.5, 0.5)}
    # What the user has corrected since stays.
    assert again.restored({START: Hour(4.0, 7.0)}) == {START: Hour(1.5, 4.5)}


async def test_all_of_it_survives(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    store = ImportStore(hass, "an_entry")
    assert await store.async_load() is None
    one = replace(job(), until=START + 30 * HOUR, everything=True, automatic=True)
    imports = Imports(
        ReadingHistory(),
        one.with_piece([part(1, 2)], 4.0),
        {"1-0:1.8.0": Replaced("kWh", {START: None, START + HOUR: Hour(1.5, 0.25)})},
        has_profile=True,
    )
    await store.async_save(imports)
    assert await ImportStore(hass, "an_entry").async_load() == imports
    await store.async_remove()
    assert not hass_storage


@pytest.mark.parametrize(
    "data",
    [
        {"job": {}, "replaced": {}},
        {"job": None, "replaced": []},
        {"job": None, "replaced": {"x": ["kWh", [["no time", 1, 2]]]}},
        {"job": None, "replaced": {"x": ["kWh", [[0, 1]]]}},
    ],
)
async def test_a_damaged_file(
    hass: HomeAssistant, hass_storage: dict[str, Any], data: dict[str, Any]
) -> None:
    hass_storage[f"{DOMAIN}.an_entry.profile"] = {
        "version": 1,
        "minor_version": 1,
        "key": f"{DOMAIN}.an_entry.profile",
        "data": data,
    }
    assert await ImportStore(hass, "an_entry").async_load() == Imports()
