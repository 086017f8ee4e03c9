"""The curve of a register between two readings, as a load profile tells it."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from .gaps import Point

# A meter's clock may be so far from ours.
CLOCK: Final = timedelta(minutes=5)


class Amount(NamedTuple):
    """What was used from `begin` to `end`."""

    begin: datetime
    end: datetime
    number: Decimal


class Reason(StrEnum):
    """Why hours stay as they are."""

    DISAGREES = "disagrees"
    NO_PROFILE = "no_profile"
    MISSING = "missing"
    SUMS = "sums"
    NOT_YET = "not_yet"
    OTHER_ROWS = "other_rows"


class RangeSkipped(Exception):
    """The profile cannot tell what happened between two readings."""

    def __init__(self, reason: Reason, profile: Decimal | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.profile = profile


class RegisterCurve:
    """A register between two readings, as the profile tells it; straight within a period, level where there is none."""

    def __init__(self, points: Sequence[Point], hole: tuple[Point, Point] | None = None) -> None:
        """Through these points, in the order of time; `hole` is where the profile lacks periods in which some was used."""
        self._times = [point.at for point in points]
        self._points = points
        self.hole = hole

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


def curve_between(
    used: Sequence[Amount], begin: Point, end: Point, step: Decimal, *, slack: bool
) -> RegisterCurve:
    """The register's course between two readings. Raises RangeSkipped where the profile says something else.

    The readings fell into the middle of a period: how much of it came before and after, they decide themselves.
    """
    inside = [one for one in used if one.end > begin.at and one.begin < end.at]
    if not inside:
        raise RangeSkipped(Reason.NO_PROFILE)
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
    resolution = step * (len(inside) + 1) + digits
    if (hole := _hole(inside, begin, end)) is not None and hole[1].number - hole[
        0
    ].number > resolution:
        return _around_hole(inside, begin, end, hole)
    if rise < 0 or not -tolerance <= rest <= most_first + most_last + tolerance:
        guess = certain + share_after(cut_first, begin.at) + share_before(cut_last, end.at)
        raise RangeSkipped(Reason.DISAGREES, guess)
    early, scale = _divide(
        rest,
        certain,
        (share_after(cut_first, begin.at), most_first),
        (share_before(cut_last, end.at), most_last),
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


def _hole(inside: Sequence[Amount], begin: Point, end: Point) -> tuple[Point, Point] | None:
    """From the first to the last moment that no period tells of, with the register as it must be there."""
    edges = [begin.at, *(edge for one in inside for edge in (one.begin, one.end)), end.at]
    holes = [(edges[at], edges[at + 1]) for at in range(0, len(edges), 2)]
    holes = [(first, last) for first, last in holes if first < last]
    if not holes:
        return None
    first, last = holes[0][0], holes[-1][1]
    before = [_share(one, begin.at, end.at) for one in inside if one.end <= first]
    behind = [_share(one, begin.at, end.at) for one in inside if one.begin >= last]
    return (
        Point(first, begin.number + sum(before, Decimal(0))),
        Point(last, end.number - sum(behind, Decimal(0))),
    )


def _around_hole(
    inside: Sequence[Amount], begin: Point, end: Point, hole: tuple[Point, Point]
) -> RegisterCurve:
    """The register's course up to the hole and behind it; level in between, as nobody knows when it rose."""
    first, last = hole
    points, number = [begin], begin.number
    for one in inside:
        if one.begin >= last.at and points[-1].at <= first.at:
            points += [Point(last.at, number), last]
            number = last.number
        if one.end <= first.at or one.begin >= last.at:
            number += _share(one, begin.at, end.at)
            points.append(Point(min(one.end, end.at), number))
    if points[-1].at <= first.at:
        points.append(Point(last.at, number))
    return RegisterCurve([*points, end], hole)


def _share(amount: Amount, begin: datetime, end: datetime) -> Decimal:
    """What falls between two moments of a period, if it is used evenly."""
    first, last = max(amount.begin, begin), min(amount.end, end)
    return amount.number * _part(last - first, amount.end - amount.begin)


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


def share_after(amount: Amount | None, moment: datetime) -> Decimal:
    """What falls behind a moment within a period, if it is used evenly."""
    if amount is None:
        return Decimal(0)
    return amount.number * _part(amount.end - moment, amount.end - amount.begin)


def share_before(amount: Amount | None, moment: datetime) -> Decimal:
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
