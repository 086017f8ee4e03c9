"""Which hours a load profile makes right. No Home Assistant runs here."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest

from custom_components.iec62056.statistics.gaps import Gap, Point
from custom_components.iec62056.statistics.planner import (
    HOUR,
    Hour,
    Plan,
    plan,
)
from custom_components.iec62056.statistics.register_curve import CLOCK, Amount, Reason
from custom_components.iec62056.validation.offsets import Offset

QUARTER = timedelta(minutes=15)
START = datetime(2026, 11, 20, tzinfo=UTC)
KEY = "1-0:1.8.0"


class House:
    """What a house uses: so much in each quarter of an hour, evenly within it."""

    def __init__(self, *, seed: int = 1, hours: int = 48, start: datetime = START) -> None:
        random = Random(seed)
        self.start = start
        self.used = [Decimal(random.randrange(900)) / 1000 for _ in range(hours * 4)]

    def register(self, moment: datetime) -> Decimal:
        number = Decimal("1234.500")
        for index, used in enumerate(self.used):
            begin = self.start + index * QUARTER
            if moment >= begin + QUARTER:
                number += used
            elif moment > begin:
                number += used * ((moment - begin) // timedelta(seconds=1)) / 900
        return number

    def point(self, moment: datetime) -> Point:
        return Point(moment, self.register(moment))

    def profile(self, first: int = 0, last: int | None = None) -> list[Amount]:
        return [
            Amount(self.start + index * QUARTER, self.start + (index + 1) * QUARTER, used)
            for index, used in enumerate(self.used[:last])
            if index >= first
        ]

    def rows(self, begin: datetime, end: datetime) -> dict[datetime, Hour]:
        """The rows of a recorder that saw every reading from `begin` on, where its sum was 0."""
        found = {}
        hour = begin.replace(minute=0)
        while hour < end:
            state = float(self.register(hour + HOUR))
            found[hour] = Hour(state, state - float(self.register(begin)))
            hour += HOUR
        return found

    def flat(
        self, rows: dict[datetime, Hour], first: datetime, last: datetime
    ) -> dict[datetime, Hour]:
        """What it has instead after an outage: flat rows, the whole rise in the first hour back."""
        state = float(self.register(first))
        offset = next(iter(rows.values()))
        level = Hour(state, state + offset.sum - offset.state)
        return {
            start: level if first < start + HOUR <= last else row for start, row in rows.items()
        }


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def offset(hours: float, amount: int) -> Offset:
    return Offset(KEY, at(hours), Decimal(amount), "kWh")


def gap(house: House, first: datetime, last: datetime) -> Gap:
    return Gap(KEY, house.point(first), house.point(last), "kWh")


def written(rows: dict[datetime, Hour], found: Plan) -> dict[datetime, Hour]:
    return {**rows, **{change.start: change.hour for change in found.changes}}


def changes(rows: dict[datetime, Hour]) -> list[float]:
    sums = [rows[start].sum for start in sorted(rows)]
    return [round(sums[0], 6), *(round(b - a, 6) for a, b in pairwise(sums))]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("first", "last"),
    [(5.0, 14.0), (5.25, 14.75), (5.1, 14.6), (0.3, 3.9), (20.01, 23.99), (7.5, 9.0)],
)
def test_the_hours_of_an_outage_are_those_without_one(seed: int, first: float, last: float) -> None:
    house = House(seed=seed)
    true = house.rows(START, at(40))
    broken = house.flat(true, at(first), at(last))
    found = plan(
        house.profile(), broken, [gap(house, at(first), at(last))], first=START, last=at(40)
    )
    assert not found.refusals
    assert all(at(first) < change.start + HOUR <= at(last) for change in found.changes)
    # Within the cut quarters nobody knows how it was used; of even use, the even share is right.
    assert changes(written(broken, found)) == pytest.approx(changes(true), abs=2e-3)
    assert (
        plan(
            house.profile(),
            written(broken, found),
            [gap(house, at(first), at(last))],
            first=START,
            last=at(40),
        )
        == Plan()
    )


def test_both_ends_join_exactly() -> None:
    house = House()
    true = house.rows(START, at(40))
    broken = house.flat(true, at(5.1), at(14.6))
    found = plan(house.profile(), broken, [gap(house, at(5.1), at(14.6))], first=START, last=at(40))
    after = written(broken, found)
    assert [change.start for change in found.changes] == [at(hour) for hour in range(5, 14)]
    assert all(change.before == broken[change.start] for change in found.changes)
    for start, row in after.items():
        if start not in {change.start for change in found.changes}:
            assert row is broken[start]
    assert sum(changes(after)) == pytest.approx(after[at(39)].sum)
    assert all(later >= 0 for later in changes(after))


def test_hours_that_are_missing_are_written() -> None:
    """A meter that was away longer than its values live leaves no rows at all."""
    house = House()
    true = house.rows(START, at(40))
    broken = {start: row for start, row in true.items() if not at(6) <= start < at(14)}
    broken[at(5)] = house.flat(true, at(5.5), at(14.5))[at(5)]
    found = plan(house.profile(), broken, [gap(house, at(5.5), at(14.5))], first=START, last=at(40))
    assert changes(written(broken, found)) == pytest.approx(changes(true), abs=2e-3)
    assert [change.before for change in found.changes][1:] == [None] * 8


def test_an_outage_in_the_first_hour_of_all() -> None:
    house = House()
    true = house.rows(at(0.1), at(20))
    broken = house.flat(true, at(0.2), at(5.5))
    found = plan(house.profile(), broken, [gap(house, at(0.2), at(5.5))], first=START, last=at(20))
    assert changes(written(broken, found)) == pytest.approx(changes(true), abs=2e-3)


def test_the_first_hour_back_is_waited_for() -> None:
    house = House()
    rows = house.flat(house.rows(START, at(14)), at(5.5), at(14.5))
    found = plan(house.profile(), rows, [gap(house, at(5.5), at(14.5))], first=START, last=at(20))
    assert not found.changes
    assert [refusal.reason for refusal in found.refusals] == [Reason.NOT_YET]


def test_a_profile_that_disagrees_is_reported_with_both_figures() -> None:
    house = House()
    rows = house.flat(house.rows(START, at(40)), at(5.0), at(14.0))
    profile = house.profile()
    # One row of a quarter is too small; none is missing.
    lost = profile[30].number
    profile[30] = profile[30]._replace(number=Decimal(0))
    found = plan(
        profile,
        rows,
        [gap(house, at(5.0), at(14.0))],
        first=START,
        last=at(40),
        step=Decimal("0.00025"),
    )
    assert not found.changes
    (refusal,) = found.refusals
    assert refusal.reason is Reason.DISAGREES
    assert refusal.register is not None
    assert refusal.profile is not None
    assert refusal.register - refusal.profile == lost


@pytest.mark.parametrize("seed", range(20))
def test_hours_around_missing_periods_are_true(seed: int) -> None:
    """What was used in the missing ones is booked where they end, and told."""
    house, random = House(seed=seed), Random(seed)
    true = house.rows(START, at(40))
    begin, end = at(5 + random.random()), at(14 + random.random())
    broken = house.flat(true, begin, end)
    lost = sorted(random.sample(range(24, 54), random.randrange(1, 5)))
    profile = [one for number, one in enumerate(house.profile()) if number not in lost]
    found = plan(
        profile,
        broken,
        [gap(house, begin, end)],
        first=START,
        last=at(40),
        step=Decimal("0.00025"),
    )
    (refusal,) = found.refusals
    assert refusal.reason is Reason.MISSING
    assert (refusal.first, refusal.last) == (
        START + lost[0] * QUARTER,
        START + (lost[-1] + 1) * QUARTER,
    )
    after, truth = changes(written(broken, found)), changes(true)
    inside = [
        hour for hour in range(40) if refusal.first < at(hour + 1) and at(hour) < refusal.last
    ]
    for hour in range(40):
        if hour not in inside:
            assert after[hour] == pytest.approx(truth[hour], abs=2e-3), hour
    assert sum(after[hour] for hour in inside) == pytest.approx(
        sum(truth[hour] for hour in inside), abs=2e-3
    )
    assert min(after) >= 0


def test_no_course_leads_across_an_exchange() -> None:
    """Another meter with a higher number continued the old one's: its profile says nothing of that."""
    house = House()
    true = house.rows(START, at(40))
    rows = house.flat(true, at(5), at(14))
    for everything in (False, True):
        found = plan(
            house.profile(),
            rows,
            [gap(house, at(5), at(14))],
            first=at(3),
            last=at(20),
            everything=everything,
            offsets=[offset(9.5, -7)],
        )
        assert not found.changes
        assert {one.reason for one in found.refusals} == {Reason.SUMS}
    # A wrong number that was taken back is no other count.
    number = house.register(at(5))
    offsets = [
        replace(offset(5.02, -480), last=number, first=number + 480),
        offset(6, 0),
        replace(offset(14.02, 480), last=number + 490, first=house.register(at(14))),
    ]
    found = plan(
        house.profile(),
        rows,
        [gap(house, at(5), at(14))],
        first=at(3),
        last=at(20),
        offsets=offsets,
    )
    assert changes(written(rows, found)) == pytest.approx(changes(true), abs=2e-3)


def test_its_resolution_is_no_disagreement() -> None:
    house = House()
    true = house.rows(START, at(40))
    rows = house.flat(true, at(5.0), at(14.0))
    cut = [one._replace(number=one.number - Decimal("0.0002")) for one in house.profile()]
    cut = [one._replace(number=max(one.number, Decimal(0))) for one in cut]
    found = plan(
        cut,
        rows,
        [gap(house, at(5.0), at(14.0))],
        first=START,
        last=at(40),
        step=Decimal("0.00025"),
    )
    assert not found.refusals
    assert changes(written(rows, found)) == pytest.approx(changes(true), abs=2e-3)


def test_a_power_failure_of_the_meter_is_an_hour_without_use() -> None:
    house = House()
    for index in range(28, 40):
        house.used[index] = Decimal(0)
    true = house.rows(START, at(40))
    rows = house.flat(true, at(5.0), at(14.0))
    profile = [one for index, one in enumerate(house.profile()) if not 28 <= index < 40]
    found = plan(profile, rows, [gap(house, at(5.0), at(14.0))], first=START, last=at(40))
    assert changes(written(rows, found)) == pytest.approx(changes(true), abs=1e-6)


@pytest.mark.parametrize("shift", [-3, 3])
def test_a_clock_that_is_a_little_off(shift: int) -> None:
    house = House()
    true = house.rows(START, at(40))
    rows = house.flat(true, at(5.02), at(14.24))
    off = timedelta(minutes=shift)
    assert abs(off) < CLOCK
    profile = [one._replace(begin=one.begin + off, end=one.end + off) for one in house.profile()]
    found = plan(profile, rows, [gap(house, at(5.02), at(14.24))], first=START, last=at(40))
    assert not found.refusals
    assert changes(written(rows, found)) == pytest.approx(changes(true), abs=0.4)
    assert sum(changes(written(rows, found))) == pytest.approx(sum(changes(true)))


def test_without_rows_of_that_time_nothing_is_written() -> None:
    house = House()
    rows = house.flat(house.rows(START, at(40)), at(5.0), at(14.0))
    found = plan(house.profile(100), rows, [gap(house, at(5), at(14))], first=START, last=at(40))
    assert not found.changes
    assert [refusal.reason for refusal in found.refusals] == [Reason.NO_PROFILE]


def test_sums_that_were_corrected_in_between_are_left_alone() -> None:
    house = House()
    rows = house.flat(house.rows(START, at(40)), at(5.0), at(14.0))
    rows = {
        start: row._replace(sum=row.sum + 7) if start >= at(14) else row
        for start, row in rows.items()
    }
    found = plan(house.profile(), rows, [gap(house, at(5), at(14))], first=START, last=at(40))
    assert not found.changes
    assert [refusal.reason for refusal in found.refusals] == [Reason.SUMS]


def test_only_what_is_asked_for() -> None:
    house = House()
    rows = house.flat(house.rows(START, at(40)), at(5.0), at(14.0))
    gaps = [gap(house, at(5), at(14))]
    assert plan(house.profile(), rows, gaps, first=at(15), last=at(40)) == Plan()
    assert plan(house.profile(), rows, gaps, first=START, last=at(5)) == Plan()


def test_a_value_of_a_day_says_nothing_of_its_hours() -> None:
    house = House()
    rows = house.flat(house.rows(START, at(40)), at(5.0), at(14.0))
    day = [Amount(at(0), at(24), Decimal(40))]
    found = plan(day, rows, [gap(house, at(5), at(14))], first=START, last=at(40))
    assert [refusal.reason for refusal in found.refusals] == [Reason.NO_PROFILE]


def test_asked_for_everything_hours_with_readings_are_replaced_too() -> None:
    house = House()
    true = house.rows(START, at(40))
    wrong = dict(true)
    for hour in range(20, 25):
        wrong[at(hour)] = true[at(19)]
    found = plan(house.profile(), wrong, (), first=at(18), last=at(30), everything=True)
    assert [change.start for change in found.changes] == [at(hour) for hour in range(20, 25)]
    assert changes(written(wrong, found)) == pytest.approx(changes(true), abs=1e-6)


def test_asked_for_everything_the_newest_row_is_its_own_end() -> None:
    """The user who takes over rows of another reader does not wait for the next hour."""
    house = House()
    true = house.rows(START, at(30))
    wrong = {
        start: true[at(19)] if at(20) <= start < at(25) else row for start, row in true.items()
    }
    found = plan(house.profile(), wrong, (), first=at(18), last=at(30.5), everything=True)
    assert not found.refusals
    assert [change.start for change in found.changes] == [at(hour) for hour in range(20, 25)]
    assert changes(written(wrong, found)) == pytest.approx(changes(true), abs=1e-6)
    # What the recorder writes later goes on from there.
    later = {**written(wrong, found), at(30): house.rows(START, at(31))[at(30)]}
    assert changes(later) == pytest.approx(changes(house.rows(START, at(31))), abs=1e-6)


def test_asked_for_everything_the_first_hour_back_is_waited_for() -> None:
    """The newest row is flat: it does not know yet what the outage has brought."""
    house = House()
    rows = house.flat(house.rows(START, at(14)), at(5.5), at(14.5))
    gaps = [gap(house, at(5.5), at(14.5))]
    found = plan(house.profile(), rows, gaps, first=at(1), last=at(14.6), everything=True)
    assert not found.changes
    assert [refusal.reason for refusal in found.refusals] == [Reason.NOT_YET]
    rows = house.flat(house.rows(START, at(15)), at(5.5), at(14.5))
    found = plan(house.profile(), rows, gaps, first=at(1), last=at(15.1), everything=True)
    assert not found.refusals
    assert changes(written(rows, found)) == pytest.approx(
        changes(house.rows(START, at(15))), abs=1e-6
    )


def test_the_period_of_the_first_reading_is_waited_for() -> None:
    """The period that ends at 20:15 is the last one that the meter has written down."""
    house = House()
    begun = house.point(at(20.4))
    found = plan(house.profile(0, 81), {}, (), first=START, last=at(21), begun=begun)
    assert not found.changes
    (refusal,) = found.refusals
    assert (refusal.reason, refusal.first, refusal.last) == (Reason.NOT_YET, START, begun.at)


def raised(rows: dict[datetime, Hour], found: Plan) -> dict[datetime, Hour]:
    """The rows once the ledger has made those behind the imported ones follow them."""
    after = written(rows, found)
    assert found.begun is not None
    own = [start for start in sorted(after) if start + HOUR > found.begun.at]
    past = after[own[0] - HOUR]
    lacking = past.sum + after[own[0]].state - past.state - after[own[0]].sum
    for start in own:
        after[start] = after[start]._replace(sum=after[start].sum + lacking)
    return after


@pytest.mark.parametrize("summed_up", [False, True])
def test_the_past_before_the_first_reading(summed_up: bool) -> None:
    house = House()
    rows = house.rows(at(20.4), at(40)) if summed_up else {}
    begun = house.point(at(20.4))
    found = plan(house.profile(), rows, (), first=START, last=at(40), begun=begun)
    assert found.begun is not None
    assert found.begun.at == begun.at
    assert float(found.begun.number) == pytest.approx(float(begun.number))
    assert all(change.start < at(20) for change in found.changes)
    after = raised(house.rows(at(20.4), at(40)), found)
    # Each hour is that of a house that was always watched, and all begins at nothing.
    assert changes(after) == pytest.approx(changes(house.rows(START, at(40))), abs=1e-3)
    added = [change.start for change in found.changes]
    again = plan(house.profile(), after, (), first=START, last=at(40), begun=begun, added=added)
    assert again == Plan()


def test_more_of_the_past_later() -> None:
    house = House()
    rows = house.rows(at(20.4), at(40))
    begun = house.point(at(20.4))
    some = plan(house.profile(40), rows, (), first=START, last=at(40), begun=begun)
    after = raised(rows, some)
    added = [change.start for change in some.changes]
    more = plan(house.profile(), after, (), first=START, last=at(40), begun=begun, added=added)
    assert [change.start for change in more.changes] == [at(hour) for hour in range(10)]
    whole = raised(after, more)
    assert changes(whole) == pytest.approx(changes(house.rows(START, at(40))), abs=1e-3)
    added += [change.start for change in more.changes]
    less = plan(house.profile(60), whole, (), first=START, last=at(40), begun=begun, added=added)
    assert less == Plan()


def test_the_past_again_after_it_was_taken_back() -> None:
    """A recorder that cannot delete hours keeps them, without any use."""
    house = House()
    begun = house.point(at(20.4))
    left = {at(hour): Hour(float(begun.number), 0.0) for hour in range(20)}
    rows = {**left, **house.rows(at(20.4), at(40))}
    found = plan(house.profile(), rows, (), first=START, last=at(40), begun=begun, added=left)
    assert changes(raised(rows, found)) == pytest.approx(
        changes(house.rows(START, at(40))), abs=1e-3
    )


def test_a_past_that_others_have_written_stays() -> None:
    """So it is where an entry was deleted and added again: its old rows are there, and nobody knows their readings."""
    house = House()
    rows = {**house.rows(at(20.4), at(40)), at(3): Hour(1.0, 1.0)}
    begun = house.point(at(20.4))
    found = plan(house.profile(), rows, (), first=START, last=at(40), begun=begun)
    assert not found.changes
    assert [(one.reason, one.first, one.last) for one in found.refusals] == [
        (Reason.OTHER_ROWS, START, begun.at)
    ]
    assert plan(house.profile(84), rows, (), first=START, last=at(40), begun=begun).refusals == ()


def test_a_profile_that_ends_before_the_first_reading() -> None:
    house = House()
    rows = house.rows(at(20.4), at(40))
    begun = house.point(at(20.4))
    short = house.profile(0, 40)
    found = plan(short, rows, (), first=START, last=at(40), begun=begun)
    assert not found.changes
    assert [one.reason for one in found.refusals] == [Reason.NO_PROFILE]


@pytest.mark.parametrize("moment", [20.0, 20.25, 20.75])
def test_everything_goes_around_the_hour_of_an_offset(moment: float) -> None:
    """What it would replace is told as what was measured, and the hour it leaves by name."""
    house = House()
    true = house.rows(START, at(40))
    flat = [*range(12, 17), *range(25, 30)]
    wrong = {
        start: true[at(max(one for one in range(40) if one not in flat and at(one) <= start))]
        for start in true
    }
    found = plan(
        house.profile(),
        wrong,
        (),
        first=at(10),
        last=at(35),
        everything=True,
        offsets=[offset(moment, 5)],
    )
    assert [(one.reason, one.first, one.last) for one in found.refusals] == [
        (Reason.SUMS, at(20), at(21))
    ]
    touched = {change.start for change in found.changes}
    assert all(change.measured for change in found.changes)
    assert touched == {at(hour) for hour in flat}


def test_everything_tells_an_outage_from_what_was_measured() -> None:
    house = House()
    true = house.rows(START, at(40))
    rows = house.flat(true, at(5.0), at(9.0))
    rows |= {at(hour): rows[at(19)] for hour in range(20, 25)}
    gaps = [gap(house, at(5), at(9))]
    found = plan(house.profile(), rows, gaps, first=at(1), last=at(30), everything=True)
    assert {change.start: change.measured for change in found.changes} == {
        **{at(hour): False for hour in range(5, 9)},
        **{at(hour): True for hour in range(20, 25)},
    }
    assert changes(written(rows, found)) == pytest.approx(changes(true), abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_everything_leaves_what_was_measured_where_periods_are_missing(seed: int) -> None:
    house, random = House(seed=seed), Random(seed)
    true = house.rows(START, at(40))
    flat = range(20, 20 + random.randrange(1, 6))
    rows = true | {at(hour): true[at(19)] for hour in flat}
    begin = random.randrange(50, 100)
    lost = range(begin, begin + random.randrange(1, 20))
    profile = [one for number, one in enumerate(house.profile()) if number not in lost]
    found = plan(profile, rows, (), first=at(1), last=at(38), step=Decimal(0), everything=True)
    after, truth = changes(written(rows, found)), changes(true)
    assert min(after) >= 0
    assert sum(after) == pytest.approx(sum(truth))
    for hour in range(40):
        if hour not in flat and hour - 1 not in flat:
            assert after[hour] == pytest.approx(truth[hour], abs=2e-3), hour
