"""Which hours of the statistics a load profile can make right, and how. Pure.

Here: the course of a register between two readings, the rows that follow from it.
Never here: which times those are (gaps.py), the recorder (statistics.py), reading a meter (backfill.py), clocks.

The recorder books what was used during an outage into the hour in which values come again, and writes flat rows for
those before. The sum of a row is that at its end: so with the register's course between the last reading before the
outage and the first one behind it, only the rows that end in between are other ones, and the sums join on both sides.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from .gaps import Gap, Point

HOUR: Final = timedelta(hours=1)
# A meter's clock may be so far from ours.
CLOCK: Final = timedelta(minutes=5)
# Sums and states are floats; no register of a meter has a smaller step.
_SAME: Final = 1e-6
# What adding up floats may change a sum by, relative to it.
_DRIFT: Final = 1e-9
# The first row of all is taken for what was used before it (its change is its sum). Where the past begins with another
# sum than 0, that goes into an hour nobody looks at.
BASELINE: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Amount(NamedTuple):
    """What was used from `begin` to `end`."""

    begin: datetime
    end: datetime
    number: Decimal


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


class Reason(StrEnum):
    """Why hours stay as they are."""

    DISAGREES = "disagrees"
    NO_PROFILE = "no_profile"
    SUMS = "sums"
    NOT_YET = "not_yet"


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


class _Refused(Exception):
    """The profile cannot tell what happened between two readings."""

    def __init__(self, reason: Reason, profile: Decimal | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.profile = profile


class RegisterCurve:
    """A register between two readings, as the profile tells it; straight within a period, level where there is none."""

    def __init__(self, points: Sequence[Point]) -> None:
        """Through these points, in the order of time."""
        self._times = [point.at for point in points]
        self._points = points

    def at(self, moment: datetime) -> Decimal:
        """The register at a moment between the first point and the last one."""
        index = min(max(bisect_right(self._times, moment), 1), len(self._points) - 1)
        before, behind = self._points[index - 1], self._points[index]
        if behind.at <= before.at or moment >= behind.at:
            return behind.number
        part = _part(moment - before.at, behind.at - before.at)
        return before.number + (behind.number - before.number) * part


def _part(span: timedelta, whole: timedelta) -> Decimal:
    microsecond = timedelta(microseconds=1)
    return Decimal(span // microsecond) / Decimal(whole // microsecond)


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
) -> Plan:
    """What a profile makes of the hourly rows of one sensor from `first` to `last`.

    `amounts` are those of the profile and `step` what each may be wrong by; all numbers are in the unit of the rows.
    `rows` are by the beginning of their hour, and reach beyond both ends. `begun` is the first good reading of all:
    before it the past is filled as far as the profile goes; `running` is the hour that is not summed up yet, with what it
    has come to so far. `everything` replaces hours with good readings too.
    """
    used = _in_order(amounts)
    changes: dict[datetime, Change] = {}
    refusals = []
    gaps = list(gaps)
    if everything:
        stretches = list(_between_rows(rows, first, last))
    else:
        stretches = [
            (gap.first, gap.last) for gap in gaps if gap.last.at > first and gap.first.at < last
        ]
    for begin, end in stretches:
        # The last row that is there is an end to join, unless it ends in an outage: then it is flat.
        joins = everything and not any(gap.first.at < end.at < gap.last.at for gap in gaps)
        try:
            found = _fill(used, rows, begin, end, step, slack=everything, joins=joins)
        except _Refused as refused:
            rise = end.number - begin.number
            refusals.append(SkippedRange(refused.reason, begin.at, end.at, rise, refused.profile))
        else:
            changes |= {change.start: change for change in found}
    if begun is not None and first < begun.at:
        known = rows if running is None else {running[0]: running[1], **rows}
        try:
            for change in _extend(used, known, begun, first):
                changes.setdefault(change.start, change)
        except _Refused as refused:
            refusals.append(SkippedRange(refused.reason, first, begun.at))
    return Plan(tuple(changes[start] for start in sorted(changes)), tuple(refusals))


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
) -> list[Change]:
    """The rows that end between two readings. Raises _Refused."""
    ends = list(_hours(begin.at, end.at))
    if not ends:
        return []
    offset = _offset(rows, begin.at, end.at, joins=joins)
    course = _course(used, begin, end, step, slack=slack)
    return list(_changes(rows, ends, course, offset))


def _hours(begin: datetime, end: datetime) -> Iterator[datetime]:
    """The full hours later than `begin` and not later than `end`."""
    hour = begin.replace(minute=0, second=0, microsecond=0) + HOUR
    while hour <= end:
        yield hour
        hour += HOUR


def _offset(rows: Mapping[datetime, Hour], begin: datetime, end: datetime, *, joins: bool) -> float:
    """What the sum is less the register, which is the same before and behind. Raises _Refused.

    `joins`: the row that ends at `end` is behind it.
    """
    behind = min(
        (start for start in rows if start + HOUR > end or (joins and start + HOUR == end)),
        default=None,
    )
    if behind is None:
        raise _Refused(Reason.NOT_YET)
    before = max((start for start in rows if start + HOUR <= begin), default=None)
    offset = rows[behind].sum - rows[behind].state
    if before is None:
        return offset
    earlier = rows[before].sum - rows[before].state
    if abs(offset - earlier) > max(_SAME, abs(offset) * _DRIFT):
        # Another meter began, or the sums were corrected in between: no one course leads across.
        raise _Refused(Reason.SUMS)
    return earlier


def _course(
    used: Sequence[Amount], begin: Point, end: Point, step: Decimal, *, slack: bool
) -> RegisterCurve:
    """The register's course between two readings. Raises _Refused where the profile says something else.

    The readings fell into the middle of a period: how much of it came before and after, they decide themselves.
    """
    inside = [one for one in used if one.end > begin.at and one.begin < end.at]
    if not inside:
        raise _Refused(Reason.NO_PROFILE)
    rise = end.number - begin.number
    whole = [one for one in inside if one.begin >= begin.at and one.end <= end.at]
    cut_first = next((one for one in inside if one.begin < begin.at), None)
    cut_last = next((one for one in inside if one.end > end.at and one is not cut_first), None)
    most_first, most_last = (one.number if one else Decimal(0) for one in (cut_first, cut_last))
    certain = sum((one.number for one in whole), Decimal(0))
    digits = _digit(begin.number) + _digit(end.number)
    tolerance = step * (len(inside) + 1) + digits
    tolerance += _around(used, begin.at) + _around(used, end.at)
    if slack:
        # The states of rows are as old as their last reading.
        tolerance += sum(
            (one.number for one in used if _ends_at(one, begin.at, end.at)), Decimal(0)
        )
    rest = rise - certain
    if rise < 0 or not -tolerance <= rest <= most_first + most_last + tolerance:
        guess = certain + _share_first(cut_first, begin.at) + _share_last(cut_last, end.at)
        raise _Refused(Reason.DISAGREES, guess)
    early, scale = _divide(
        rest,
        certain,
        (_share_first(cut_first, begin.at), most_first),
        (_share_last(cut_last, end.at), most_last),
    )
    points = [begin]
    number = begin.number
    if cut_first is not None:
        number += early
        points.append(Point(min(cut_first.end, end.at), number))
    for one in whole:
        if one.begin > points[-1].at:
            points.append(Point(one.begin, number))
        number += one.number * scale
        points.append(Point(one.end, number))
    if cut_last is not None and cut_last.begin > points[-1].at:
        points.append(Point(cut_last.begin, number))
    # Nothing gets lost in rounding: the last point is what was read.
    points.append(end)
    return RegisterCurve(points)


def _around(used: Iterable[Amount], moment: datetime) -> Decimal:
    """What can have been used between a moment of our clock and the same of the meter's."""
    begin, end = moment - CLOCK, moment + CLOCK
    return sum(
        (
            one.number * _part(min(one.end, end) - max(one.begin, begin), one.end - one.begin)
            for one in used
            if one.begin < end and one.end > begin
        ),
        Decimal(0),
    )


def _ends_at(amount: Amount, *moments: datetime) -> bool:
    return any(amount.begin < moment <= amount.end for moment in moments)


def _digit(number: Decimal) -> Decimal:
    """The step of a number's last digit."""
    exponent = number.as_tuple().exponent
    return Decimal(1).scaleb(exponent) if isinstance(exponent, int) else Decimal(0)


def _share_first(amount: Amount | None, moment: datetime) -> Decimal:
    """What falls behind a moment within a period, if it is used evenly."""
    if amount is None:
        return Decimal(0)
    return amount.number * _part(amount.end - moment, amount.end - amount.begin)


def _share_last(amount: Amount | None, moment: datetime) -> Decimal:
    """What falls before it."""
    if amount is None:
        return Decimal(0)
    return amount.number * _part(moment - amount.begin, amount.end - amount.begin)


def _divide(
    rest: Decimal, certain: Decimal, first: tuple[Decimal, Decimal], last: tuple[Decimal, Decimal]
) -> tuple[Decimal, Decimal]:
    """How much of the rest belongs to the period cut first, and what the whole ones are multiplied with.

    Of each cut period its even share and the most it can be; what both cannot be is rounding of all.
    """
    (share_first, most_first), (share_last, most_last) = first, last
    within = min(max(rest, Decimal(0)), most_first + most_last)
    shares = share_first + share_last
    early = within * share_first / shares if shares else min(within, most_first)
    early = min(max(early, within - most_last), most_first)
    rounding = rest - within
    scale = (certain + rounding) / certain if certain else Decimal(1)
    return early, scale


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


def same(one: Hour, other: Hour) -> bool:
    """Whether two rows differ by less than any register can tell."""
    return abs(one.state - other.state) < _SAME and abs(one.sum - other.sum) < _SAME


def _extend(
    used: Sequence[Amount], rows: Mapping[datetime, Hour], begun: Point, first: datetime
) -> list[Change]:
    """The rows before the first reading of all, as far as the profile goes without what it cannot know. Raises _Refused."""
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
        raise _Refused(Reason.NOT_YET)
    offset = rows[own[0]].sum - rows[own[0]].state
    number = begun.number
    points = [begun]
    for one in reversed(before):
        if one.end > begun.at:
            number -= _share_last(one, begun.at)
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
