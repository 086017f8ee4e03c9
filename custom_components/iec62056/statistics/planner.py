"""Which hours of the statistics a load profile can make right, and how.

The recorder books what was used during an outage into the hour in which values come again, and writes flat rows for
those before. The sum of a row is that at its end: so with the register's course between the last reading before the
outage and the first one behind it, only the rows that end in between are other ones, and the sums join on both sides.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple

from .gaps import Gap, Point
from .register_curve import Amount, RangeSkipped, Reason, RegisterCurve, curve_between, share_before

HOUR: Final = timedelta(hours=1)
# Sums and states are floats; no register of a meter has a smaller step.
_SAME: Final = 1e-6
# What adding up floats may change a sum by, relative to it.
_DRIFT: Final = 1e-9
# The first row of all is taken for what was used before it (its change is its sum). Where the past begins with another
# sum than 0, that goes into an hour long before any meter.
BASELINE: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Hour(NamedTuple):
    """A row of the hourly statistics: the register and the sum at its end."""

    state: float
    sum: float


@dataclass(frozen=True, slots=True)
class Change:
    """A row that is to be written for the hour that begins at `start`; `before` is the one that is there."""

    start: datetime
    hour: Hour
    before: Hour | None


@dataclass(frozen=True, slots=True)
class SkippedRange:
    """Hours that stay as they are; what was used in that time by the register and by the profile."""

    reason: Reason
    first: datetime
    last: datetime
    register: Decimal | None = None
    profile: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written, in the order of time, and what is left as it is, with the reason."""

    changes: tuple[Change, ...] = ()
    refusals: tuple[SkippedRange, ...] = ()


def plan(
    amounts: Iterable[Amount],
    rows: Mapping[datetime, Hour],
    gaps: Iterable[Gap],
    *,
    first: datetime,
    last: datetime,
    begun: Point | None = None,
    running: tuple[datetime, Hour] | None = None,
    step: Decimal = Decimal(0),
    everything: bool = False,
    barriers: Sequence[datetime] = (),
) -> Plan:
    """What a profile makes of the hourly rows of one sensor from `first` to `last`.

    `amounts` are those of the profile and `step` what each may be wrong by; all numbers are in the unit of the rows.
    `rows` are by the beginning of their hour, and reach beyond both ends. `begun` is the first good reading of all:
    before it the past is filled as far as the profile goes; `running` is the hour that is not summed up yet, with what it
    has come to so far. `everything` replaces hours with good readings too. No course leads across `barriers`: there another
    meter or another count began.
    """
    used = _in_order(amounts)
    changes: dict[datetime, Change] = {}
    refusals = []
    gaps = list(gaps)
    if everything:
        edges = [first, *(moment for moment in barriers if first < moment < last), last]
        stretches = [
            found for one, other in pairwise(edges) for found in _between_rows(rows, one, other)
        ]
    else:
        stretches = [
            (gap.first, gap.last) for gap in gaps if gap.last.at > first and gap.first.at < last
        ]
    for begin, end in stretches:
        # The last row that is there is an end to join, unless it ends in an outage: then it is flat.
        joins = everything and not any(gap.first.at < end.at < gap.last.at for gap in gaps)
        rise = end.number - begin.number
        try:
            _stay_within(begin, end, barriers)
            found, hole = _fill(used, rows, begin, end, step, slack=everything, joins=joins)
        except RangeSkipped as skipped:
            refusals.append(SkippedRange(skipped.reason, begin.at, end.at, rise, skipped.profile))
        else:
            changes |= {change.start: change for change in found}
            if hole is not None:
                before, behind = hole
                missing = behind.number - before.number
                refusals.append(SkippedRange(Reason.MISSING, before.at, behind.at, missing))
    if begun is not None and first < begun.at and not any(one <= begun.at for one in barriers):
        known = rows if running is None else {running[0]: running[1], **rows}
        try:
            for change in _extend(used, known, begun, first):
                changes.setdefault(change.start, change)
        except RangeSkipped as skipped:
            refusals.append(SkippedRange(skipped.reason, first, begun.at))
    return Plan(tuple(changes[start] for start in sorted(changes)), tuple(refusals))


def _stay_within(begin: Point, end: Point, barriers: Iterable[datetime]) -> None:
    """Raises RangeSkipped where another meter or another count began in between."""
    if any(begin.at < moment <= end.at for moment in barriers):
        raise RangeSkipped(Reason.SUMS)


def _in_order(amounts: Iterable[Amount]) -> list[Amount]:
    """The periods in the order of time, none twice; a clock that was set back makes them overlap."""
    found: list[Amount] = []
    for amount in sorted(amounts):
        if amount.end - amount.begin > HOUR and amount.number:
            # A day's value, or one across rows that are missing, says nothing of hours.
            continue
        if found and amount.begin < found[-1].end:
            if amount.end <= found[-1].end:
                continue
            found.append(amount._replace(begin=found[-1].end))
        else:
            found.append(amount)
    return found


def _between_rows(
    rows: Mapping[datetime, Hour], first: datetime, last: datetime
) -> Iterator[tuple[Point, Point]]:
    """What is asked for, from the end of the row before it to the end of its last one."""
    inside = [start for start in sorted(rows) if start >= first - HOUR and start < last]
    if len(inside) > 1:
        begin, end = inside[0], inside[-1]
        yield (
            Point(begin + HOUR, Decimal(str(rows[begin].state))),
            Point(end + HOUR, Decimal(str(rows[end].state))),
        )


def _fill(
    used: Sequence[Amount],
    rows: Mapping[datetime, Hour],
    begin: Point,
    end: Point,
    step: Decimal,
    *,
    slack: bool,
    joins: bool,
) -> tuple[list[Change], tuple[Point, Point] | None]:
    """The rows that end between two readings, and where the profile has a hole. Raises RangeSkipped."""
    ends = list(_hours(begin.at, end.at))
    if not ends:
        return [], None
    offset = _offset(rows, begin.at, end.at, joins=joins)
    course = curve_between(used, begin, end, step, slack=slack)
    return list(_changes(rows, ends, course, offset)), course.hole


def _hours(begin: datetime, end: datetime) -> Iterator[datetime]:
    """The full hours later than `begin` and not later than `end`."""
    hour = hour_of(begin) + HOUR
    while hour <= end:
        yield hour
        hour += HOUR


def _offset(rows: Mapping[datetime, Hour], begin: datetime, end: datetime, *, joins: bool) -> float:
    """What the sum is less the register, which is the same before and behind. Raises RangeSkipped.

    `joins`: the row that ends at `end` is behind it.
    """
    behind = min(
        (start for start in rows if start + HOUR > end or (joins and start + HOUR == end)),
        default=None,
    )
    if behind is None:
        raise RangeSkipped(Reason.NOT_YET)
    before = max((start for start in rows if start + HOUR <= begin), default=None)
    offset = rows[behind].sum - rows[behind].state
    if before is None:
        return offset
    earlier = rows[before].sum - rows[before].state
    if not near(offset, earlier):
        # Another meter began, or the sums were corrected in between: no one course leads across.
        raise RangeSkipped(Reason.SUMS)
    return earlier


def _changes(
    rows: Mapping[datetime, Hour], ends: Iterable[datetime], course: RegisterCurve, offset: float
) -> Iterator[Change]:
    for end in ends:
        start = end - HOUR
        state = float(course.at(end))
        hour = Hour(state, state + offset)
        before = rows.get(start)
        if before is None or not same(before, hour):
            yield Change(start, hour, before)


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def near(one: float, other: float) -> bool:
    """Whether two sums differ by no more than adding up floats makes them."""
    return abs(one - other) <= max(_SAME, abs(one) * _DRIFT)


def same(one: Hour, other: Hour) -> bool:
    """Whether two rows differ by less than any register can tell."""
    return abs(one.state - other.state) < _SAME and abs(one.sum - other.sum) < _SAME


def _extend(
    used: Sequence[Amount], rows: Mapping[datetime, Hour], begun: Point, first: datetime
) -> list[Change]:
    """The rows before the first reading of all, as far as the profile goes without what it cannot know. Raises RangeSkipped."""
    own = sorted(start for start in rows if start != BASELINE and start + HOUR > begun.at)
    filled = sorted(start for start in rows if start != BASELINE and start + HOUR <= begun.at)
    before = [one for one in used if one.begin < begun.at and one.end > first]
    if not before or before[-1].end < begun.at - HOUR:
        return []
    if filled and BASELINE not in rows:
        # Rows that another has written are never written over: nothing says how they were made.
        return []
    if not own or before[-1].end < begun.at:
        # The period of the first reading is not over, or nothing of it is summed up.
        raise RangeSkipped(Reason.NOT_YET)
    offset = rows[own[0]].sum - rows[own[0]].state
    number = begun.number
    points = [begun]
    for one in reversed(before):
        if one.end > begun.at:
            number -= share_before(one, begun.at)
        else:
            if one.end < points[0].at:
                points.insert(0, Point(one.end, number))
            number -= one.number
        points.insert(0, Point(one.begin, number))
    ends = [end for end in _hours(points[0].at, begun.at) if end - HOUR < own[0]]
    if not ends:
        return []
    changes = list(_changes(rows, ends, RegisterCurve(points), offset))
    if not filled or ends[0] - HOUR < filled[0]:
        opening = float(points[0].number)
        hour = Hour(opening, opening + offset)
        changes.insert(0, Change(BASELINE, hour, rows.get(BASELINE)))
    return changes
