"""What is remembered of earlier readings."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
import json
from random import Random
from typing import Any

import pytest

from custom_components.iec62056.derived.history import (
    MOST_POINTS,
    Count,
    DerivedHistory,
    Peak,
    Point,
    PowerWindow,
)
from custom_components.iec62056.protocol.codec import CodecError, decode, encode

from ..common.bench import START

WINDOW = timedelta(hours=1)
MEMORY = DerivedHistory(
    meter="34567812",
    courses={"mean": PowerWindow((Point(START, Decimal("1.20"), Decimal("0.01")),))},
    peaks={date(2026, 11, 1): Peak(Decimal("3.210"), START)},
    tariffs={"1-0:1.8.1": Decimal("12.0")},
    tariff=1,
    counts={"0-0:96.51.1": Count(Decimal(3), START), "0-0:96.51.5": Count(Decimal(0))},
)


def point(seconds: float, number: str, step: str = "1") -> Point:
    return Point(START + timedelta(seconds=seconds), Decimal(number), Decimal(step))


def course(*points: Point) -> PowerWindow:
    gone = PowerWindow()
    for one in points:
        gone = gone.go_on(one, WINDOW)
    return gone


def test_memory_survives_a_restart() -> None:
    assert decode(DerivedHistory, json.loads(json.dumps(encode(MEMORY)))) == MEMORY
    assert (
        decode(DerivedHistory, json.loads(json.dumps(encode(DerivedHistory())))) == DerivedHistory()
    )


@pytest.mark.parametrize("part", ["courses", "peaks", "tariffs", "tariff", "counts"])
@pytest.mark.parametrize("damage", ["text", {"x": ["1", "2", "3"]}, [1], {"x": "nonsense"}])
def test_damaged_memory_is_refused_not_believed(part: str, damage: Any) -> None:
    with pytest.raises(CodecError):
        decode(DerivedHistory, {**encode(MEMORY), part: damage})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1,5"])
def test_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(CodecError):
        decode(DerivedHistory, {**encode(MEMORY), "tariffs": {"x": number}})


def test_time_without_zone_is_refused() -> None:
    with pytest.raises(CodecError):
        decode(
            DerivedHistory, {**encode(MEMORY), "peaks": {"2026-11-01": ["1", "2026-11-02T12:00"]}}
        )


def test_course_is_limited_though_a_meter_sends_every_second() -> None:
    gone = PowerWindow()
    for second in range(2 * 3600):
        gone = gone.go_on(point(second, str(second)), WINDOW)
        assert len(gone.points) <= MOST_POINTS + 1
    assert gone.points[-1].at - gone.points[0].at <= WINDOW
    # Over at least half a minute, the exact moment of a reading matters little.
    mean = gone.mean()
    assert mean is not None
    assert mean.power == 3600
    assert gone.points[-1].at - mean.since >= timedelta(seconds=30)


def test_course_begins_anew_when_the_total_falls() -> None:
    """A roll-over: 999999 to 000002 is no negative power, and the rise after it is no huge one."""
    gone = course(point(0, "999990"), point(60, "999999"), point(120, "2"))
    assert gone.mean() is None
    gone = gone.go_on(point(180, "12"), WINDOW)
    mean = gone.mean()
    assert mean is not None
    assert mean.power == 600


def test_course_begins_anew_when_our_clock_is_set_back() -> None:
    """A machine without a clock starts in the future: it must not wait for it to come."""
    gone = course(point(0, "0"), point(86400, "10"), point(60, "20"), point(120, "30"))
    mean = gone.mean()
    assert mean is not None
    assert mean.power == 600


def test_points_before_the_window_are_forgotten() -> None:
    gone = course(point(0, "0"), point(3601, "10"))
    assert gone.mean() is None
    assert course(point(0, "0"), point(3600, "10")).mean() is not None


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("readings", [4.0, 4.37, 7.1, 19.3])
@pytest.mark.parametrize("steps", [10, 13.7, 60])
def test_mean_of_a_constant_load_is_right(steps: float, readings: float, seed: int) -> None:
    """Whatever part of a step a reading comes at: a window that begins just before a step would show too much."""
    random = Random(seed)
    errors = []
    for _ in range(10):
        gone, phase = PowerWindow(), random.random()
        for count in range(int(2 * steps * readings)):
            seconds = count * 3600 / steps / readings
            gone = gone.go_on(point(seconds, str(int(seconds * steps / 3600 + phase))), WINDOW)
            if (mean := gone.mean()) is not None:
                errors.append(abs(float(mean.power) / steps - 1))
    assert errors
    assert sum(errors) / len(errors) < 0.02, f"seed {seed}"


def test_mean_falls_while_no_step_comes() -> None:
    """A load of 1000 W was switched off: after so long, one step of 10 Wh is the most that can have been used."""
    gone = course(*(point(36 * count, str(10 * count), "10") for count in range(8)))
    for seconds, power in ((18, 1000), (36, 1000), (72, 500), (3600, 10), (36000, 1)):
        later = gone.go_on(point(7 * 36 + seconds, "70", "10"), WINDOW).mean()
        assert later is not None
        assert later.power == power
    # The next step tells nothing yet of the time before it.
    assert gone.go_on(point(8 * 3600, "80", "10"), WINDOW).mean() is None


@pytest.mark.parametrize(("rise", "known"), [("4", False), ("5", True)])
def test_a_fifth_is_the_worst(*, rise: str, known: bool) -> None:
    assert (course(point(0, "0"), point(60, rise)).mean() is not None) is known
    # The coarser of two resolutions counts.
    coarse = course(point(0, "0", "0.1"), point(60, rise))
    assert (coarse.mean() is not None) is known


def test_first_reading_is_no_step_of_a_coarse_register() -> None:
    """It may lie anywhere within one: the mean begins at the first rise."""
    gone = course(point(0, "0"), *(point(60 * count, str(count)) for count in range(1, 6)))
    assert gone.mean() is None
    mean = gone.go_on(point(360, "6"), WINDOW).mean()
    assert mean is not None
    assert mean.power == 60
    assert mean.since == START + timedelta(seconds=60)


def test_too_short_a_time_is_no_mean() -> None:
    assert course(point(0, "0"), point(29, "100")).mean() is None
    assert course().mean() is None


@pytest.mark.parametrize(
    ("known", "numbers", "tariff"),
    [
        # With three tariffs, two of which have risen beside the active one: not to be told.
        (1, (11, 21, 31), 1),
        (1, (11, 20, 31), 3),
        (None, (11, 21, 30), None),
        (None, (10, 20, 31), 3),
        # One that fell is another meter's.
        (2, (9, 19, 29), 2),
    ],
)
def test_tariff_that_rose_last(
    known: int | None, numbers: tuple[int, ...], tariff: int | None
) -> None:
    keys = ("one", "two", "three")
    before = DerivedHistory(
        tariffs={key: Decimal(10 * (i + 1)) for i, key in enumerate(keys)}, tariff=known
    )
    after = before.with_tariffs({key: (i + 1, Decimal(numbers[i])) for i, key in enumerate(keys)})
    assert after.tariff == tariff
    assert after.tariffs == dict(zip(keys, map(Decimal, numbers), strict=True))


def test_counter_that_rose() -> None:
    history = DerivedHistory().with_count("x", Decimal(12), START)
    assert history.counts["x"].rose is None
    later = START + timedelta(hours=1)
    assert history.with_count("x", Decimal(12), later).counts["x"].rose is None
    history = history.with_count("x", Decimal(13), later)
    assert history.counts["x"].rose == later
    assert history.with_count("x", Decimal(13), START).counts["x"].rose == later
    # A new month: begun again, nothing counted; then one.
    history = history.with_count("x", Decimal(0), START + timedelta(days=9))
    assert history.counts["x"].rose == later
    history = history.with_count("x", Decimal(1), START + timedelta(days=10))
    assert history.counts["x"].rose == START + timedelta(days=10)


def test_another_meter_leaves_only_the_peaks() -> None:
    other = MEMORY.of_meter("99887766")
    assert other == DerivedHistory(meter="99887766", peaks=MEMORY.peaks)
    assert MEMORY.of_meter("34567812") is MEMORY


def test_largest_of_a_month_stays() -> None:
    month = date(2026, 11, 1)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert MEMORY.with_peak(month, Peak(Decimal("3.210"), at)) is MEMORY
    assert MEMORY.with_peak(month, Peak(Decimal("3.211"), at)).peaks[month].at == at


def test_peak_that_the_register_refutes_is_forgotten() -> None:
    month = date(2026, 11, 1)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    wrong = MEMORY.with_peak(month, Peak(Decimal("95.21"), at))
    assert wrong.with_peak(month, Peak(Decimal("5.21"), at)).peaks[month].power == Decimal("5.21")
