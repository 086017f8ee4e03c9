"""Which hours of the statistics a load profile can make right, and how.

The recorder books what was used during an outage into the hour in which values come again, and writes flat rows for
those before. The sum of a row is that at its end: so with the register's course between the last reading before the
outage and the first one behind it, only the rows that end in between are other ones, and the sums join on both sides.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from ..validation.offsets import Offset
from .gaps import Gap, Point
from .register_curve import (
    CLOCK,
    Amount,
    RangeSkipped,
    Reason,
    RegisterCurve,
    curve_between,
    share_before,
)

HOUR: Final = timedelta(hours=1)
# Sums and states are floats; no register of a meter has a smaller step.
_SAME: Final = 1e-6
# What adding up floats may change a sum by, relative to it.
_DRIFT: Final = 1e-9


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
    # Whether it has good readings.
    measured: bool = False


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
    # Where the rows begin that the changes put a past in front of: their sums are to be raised by what that comes to.
    begun: Point | None = None


def plan(
    amounts: Iterable[Amount],
    rows: Mapping[datetime, Hour],
    gaps: Iterable[Gap],
    *,
    first: datetime,
    last: datetime,
    begun: Point | None = None,
    added: Collection[datetime] = (),
    step: Decimal = Decimal(0),
    everything: bool = False,
    offsets: Sequence[Offset] = (),
) -> Plan:
    """What a profile makes of the hourly rows of one sensor from `first` to `last`.

    `amounts` are those of the profile and `step` what each may be wrong by; all numbers are in the unit of the rows.
    `rows` are by the beginning of their hour, and reach beyond both ends. `begun` is the first good reading of all:
    before it the past is filled as far as the profile goes, where only imports have `added` rows. `everything` replaces
    hours with good readings too, never that of one of the `offsets`, at which the register went on from another number.
    """
    used = _in_order(amounts)
    changes: dict[datetime, Change] = {}
    refusals = []
    gaps = [gap for gap in gaps if gap.last.at > first and gap.first.at < last]
    stretches = [(gap.first, gap.last, False) for gap in gaps]
    if everything:
        inside = [one.at for one in offsets if first < one.at < last]
        hours = sorted({hour_of(moment) for moment in inside})
        refusals += [SkippedRange(Reason.SUMS, hour, hour + HOUR) for hour in hours]
        known = [(moment, moment) for moment in inside]
        known += [(gap.first.at, gap.last.at) for gap in gaps]
        stretches += [(*ends, True) for ends in _measured(rows, known, first, last)]
    for begin, end, measured in stretches:
        rise = end.number - begin.number
        try:
            false = () if measured else _false_between(begin, end, offsets)
            found, hole = _fill(used, rows, begin, end, step, measured=measured, false=false)
        except RangeSkipped as skipped:
            refusals.append(SkippedRange(skipped.reason, begin.at, end.at, rise, skipped.profile))
        else:
            changes |= {change.start: change for change in found}
            if hole is not None:
                before, behind = hole
                missing = behind.number - before.number
                refusals.append(SkippedRange(Reason.MISSING, before.at, behind.at, missing))
    past: list[Change] = []
    if begun is not None and first < begun.at:
        earlier = [one for one in used if one.begin < begun.at and one.end > first]
        try:
            begun = _beginning(rows, begun, added) if earlier else begun
            past = _past(rows, earlier, begun)
        except RangeSkipped as skipped:
            # Of everything, rows that others have made are replaced.
            if not everything or skipped.reason is not Reason.OTHER_ROWS:
                refusals.append(SkippedRange(skipped.reason, first, begun.at))
        changes |= {change.start: change for change in past}
    ordered = tuple(changes[start] for start in sorted(changes))
    if begun is not None and (own := rows.get(hour_of(begun.at))) is not None:
        since = [one.offset for one in offsets if one.at < hour_of(begun.at) + HOUR]
        begun = Point(begun.at, _opening(own) + sum(since, Decimal(0)))
    return Plan(ordered, tuple(refusals), begun if past else None)


def _false_between(begin: Point, end: Point, offsets: Iterable[Offset]) -> Sequence[Offset]:
    """The steps of wrong numbers that were taken back. Raises RangeSkipped where another meter or count began."""
    between = [one for one in offsets if _came(one, end) and not _came(one, begin)]
    if sum((one.offset for one in between), Decimal(0)):
        raise RangeSkipped(Reason.SUMS)
    return between


def _came(offset: Offset, reading: Point) -> bool:
    """Whether a reading has the new number. At about the same time, the number tells: a reading may take minutes."""
    last, first = offset.last, offset.first
    if last is None or first is None or abs(offset.at - reading.at) > CLOCK:
        return offset.at <= reading.at
    return abs(reading.number - first) < abs(reading.number - last)


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


def _measured(
    rows: Mapping[datetime, Hour],
    known: Iterable[tuple[datetime, datetime]],
    first: datetime,
    last: datetime,
) -> Iterator[tuple[Point, Point]]:
    """What is asked for without what is `known` not to be measured in one go, from the end of one row to that of another."""
    begin = first - HOUR
    for edge, behind in [*sorted(known), (last + HOUR, last + HOUR)]:
        inside = [start for start in sorted(rows) if begin <= start < last and start + HOUR <= edge]
        if len(inside) > 1:
            yield _end_of(inside[0], rows), _end_of(inside[-1], rows)
        begin = max(begin, hour_of(behind))


def _end_of(start: datetime, rows: Mapping[datetime, Hour]) -> Point:
    return Point(start + HOUR, Decimal(str(rows[start].state)))


def _fill(
    used: Sequence[Amount],
    rows: Mapping[datetime, Hour],
    begin: Point,
    end: Point,
    step: Decimal,
    *,
    measured: bool,
    false: Sequence[Offset],
) -> tuple[list[Change], tuple[Point, Point] | None]:
    """The rows that end between two readings, and where the profile has a hole. Raises RangeSkipped."""
    ends = list(_hours(begin.at, end.at))
    if not ends:
        return [], None
    # The last of the rows with good readings is an end to join; that of an outage is flat.
    offset = _offset(rows, begin.at, end.at, joins=measured)
    course = curve_between(used, begin, end, step, slack=measured)
    found = _changes(rows, ends, course, offset, measured=measured, false=false)
    return list(found), course.hole


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
    rows: Mapping[datetime, Hour],
    ends: Iterable[datetime],
    course: RegisterCurve,
    offset: float,
    *,
    measured: bool = False,
    false: Sequence[Offset] = (),
) -> Iterator[Change]:
    for end in ends:
        start = end - HOUR
        number, before = course.at(end), rows.get(start)
        if measured and before is not None and course.hole is not None:
            first, last = course.hole
            if first.at < end < last.at:
                # What was measured where periods are missing stays.
                number = min(max(Decimal(str(before.state)), first.number), last.number)
        # The state stays what the sensor has shown, which the ledger goes by.
        shown = number - sum((one.offset for one in false if one.at < end), Decimal(0))
        hour = Hour(float(shown), float(number) + offset)
        if before is None or not same(before, hour):
            yield Change(start, hour, before, measured and before is not None)


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def near(one: float, other: float) -> bool:
    """Whether two sums differ by no more than adding up floats makes them."""
    return abs(one - other) <= max(_SAME, abs(one) * _DRIFT)


def same(one: Hour, other: Hour) -> bool:
    """Whether two rows differ by less than any register can tell."""
    return abs(one.state - other.state) < _SAME and abs(one.sum - other.sum) < _SAME


def _beginning(rows: Mapping[datetime, Hour], begun: Point, added: Collection[datetime]) -> Point:
    """Where the rows begin, and the register there. Raises RangeSkipped where others have made rows before that."""
    earlier = sorted(start for start in rows if start + HOUR <= begun.at)
    if not all(start in added for start in earlier):
        raise RangeSkipped(Reason.OTHER_ROWS)
    for start in earlier:
        # Rows without any use are what is left of an import that was taken back.
        if rows[start].sum:
            return Point(start, _opening(rows[start]))
    return begun


def _opening(row: Hour) -> Decimal:
    """The register where the sum of a row was 0."""
    return Decimal(str(row.state)) - Decimal(str(row.sum))


def _past(rows: Mapping[datetime, Hour], used: Sequence[Amount], begun: Point) -> list[Change]:
    """Rows before the first one, as far as the profile goes, with sums from 0. Raises RangeSkipped."""
    before = [one for one in used if one.begin < begun.at]
    if not before:
        return []
    if before[-1].end < begun.at:
        # The period of the first reading is not over, or the profile does not reach so far.
        late = begun.at - before[-1].end >= HOUR
        raise RangeSkipped(Reason.NO_PROFILE if late else Reason.NOT_YET)
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
    ends = _hours(points[0].at, begun.at)
    return list(_changes(rows, ends, RegisterCurve(points), -float(points[0].number)))
