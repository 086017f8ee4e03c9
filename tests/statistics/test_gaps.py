"""The times without a good reading. No Home Assistant runs here."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from custom_components.iec62056.protocol.codec import CodecError, decode, encode
from custom_components.iec62056.statistics.gaps import MOST_GAPS, Point, ReadingHistory

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 20, tzinfo=UTC)
KEY = "1-0:1.8.0"


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def read(past: ReadingHistory, *readings: tuple[float, str], unit: str = "kWh") -> ReadingHistory:
    for hours, number in readings:
        past = past.with_reading(KEY, Point(at(hours), Decimal(number)), unit, HOUR)
    return past


def test_a_gap_is_what_is_longer_than_an_hour() -> None:
    past = read(ReadingHistory(), (0, "1"), (0.5, "2"), (1.5, "3"), (10.6, "9.5"), (10.7, "9.6"))
    assert past.begun == {KEY: (Point(at(0), Decimal(1)), "kWh")}
    assert past.latest == {KEY: Point(at(10.7), Decimal("9.6"))}
    (gap_found,) = past.gaps
    assert (gap_found.first, gap_found.last) == (
        Point(at(1.5), Decimal(3)),
        Point(at(10.6), Decimal("9.5")),
    )


def test_a_gap_is_open_until_it_was_dealt_with() -> None:
    past = read(ReadingHistory(), (0, "1"), (5, "2"), (9, "3"))
    first, second = past.gaps
    past = past.with_done([first])
    assert past.open() == (second,)
    assert past.gaps == (replace(first, done=True), second)


def test_a_reading_that_is_no_later_changes_nothing() -> None:
    past = read(ReadingHistory(), (0, "1"), (5, "2"))
    assert read(past, (5, "2")) is past


def test_another_unit_begins_anew() -> None:
    past = read(read(ReadingHistory(), (0, "1"), (5, "2")), (6, "2000"), unit="Wh")
    assert past.gaps == ()
    assert past.begun[KEY] == (Point(at(6), Decimal(2000)), "Wh")


def test_a_number_that_falls_forgets_no_gap() -> None:
    """A counter that rolled over, or another meter: what was not read before stays a gap, and so does its own silence."""
    past = read(ReadingHistory(), (0, "1"), (5, "2"), (6, "0.5"), (9, "0.1"))
    assert [(one.first.at, one.last.at) for one in past.gaps] == [
        (at(0), at(5)),
        (at(6), at(9)),
    ]
    assert past.begun[KEY] == (Point(at(0), Decimal(1)), "kWh")


def test_an_older_reading_changes_nothing() -> None:
    past = read(ReadingHistory(), (0, "1"), (5, "2"), (9, "3"))
    assert len(past.gaps) == 2
    assert read(past, (6, "2.5")) == past
    assert read(past, (9, "2.5")) == past


def test_the_past_survives_its_file() -> None:
    past = read(ReadingHistory(), (0, "1"), (5, "2.50"), (9, "3")).with_done(())
    assert decode(ReadingHistory, encode(past)) == past


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data["gaps"][0].__delitem__(slice(3, None)),
        lambda data: data["latest"].update({KEY: ["x", "1"]}),
        lambda data: data["begun"].update({KEY: [START.isoformat(), "x", "kWh"]}),
    ],
)
def test_a_damaged_file_is_told(damage: Callable[[dict[str, object]], object]) -> None:
    data = encode(read(ReadingHistory(), (0, "1"), (5, "2.50")))
    damage(data)
    with pytest.raises(CodecError):
        decode(ReadingHistory, data)


def test_their_number_is_limited() -> None:
    past = read(ReadingHistory(), *((2 * number, str(number)) for number in range(MOST_GAPS + 5)))
    assert len(past.gaps) == MOST_GAPS
    assert past.gaps[-1].last.number == MOST_GAPS + 4


def test_a_clock_that_was_ahead_hides_no_outage() -> None:
    past = read(ReadingHistory(), (0, "1"), (24.5, "1.5"))
    past = past.without_future(at(1))
    assert past.gaps == ()
    past = read(past, (1, "2"), (6, "9"))
    assert [(gap.first.at, gap.last.at) for gap in past.gaps] == [(at(1), at(6))]
    assert past.begun == {KEY: (Point(at(0), Decimal(1)), "kWh")}
