"""What derived values need of earlier readings: courses of totals, peaks, tariffs and counters.

Energies are in Wh, powers in kW.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Self

from ..protocol.codec import as_list

# How many starting points of a mean are kept.
MOST_POINTS = 64
# What a mean may be wrong by, because of the register's last digit: one part in five.
WORST_RESOLUTION = 5
# When the first character arrives differs by about a second from reading to reading.
SHORTEST_MEAN = timedelta(seconds=30)
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_HOUR = 3_600_000_000


class Point(NamedTuple):
    """A total at a time (UTC): the number and the step of its last digit, in Wh."""

    at: datetime
    number: Decimal
    step: Decimal


class Mean(NamedTuple):
    """A mean power in W since `since`."""

    power: Decimal
    since: datetime


@as_list
@dataclass(frozen=True, slots=True)
class PowerWindow:
    """One total over the last while, oldest first: the readings at which it had risen, then the latest reading.

    A mean that begins or ends between two steps of the last digit is wrong by a part of a step, and always too high where
    the shortest time that gives one is taken.
    """

    points: tuple[Point, ...] = ()

    def go_on(self, point: Point, window: timedelta) -> Self:
        """The window with a new reading; when that is a step, without what is older than `window`."""
        if not self.points:
            return replace(self, points=(point,))
        *steps, latest = self.points
        if point.at == latest.at:
            return self
        if point.number < latest.number or point.at < latest.at:
            # Another meter, a roll-over, or our clock was set back: there is no difference across it.
            return replace(self, points=(point,))
        if point.number == latest.number:
            return replace(self, points=(*steps, point))
        if not steps and _is_measured(latest, point):
            # A fine register: where the first reading lies within a step matters no more.
            steps = [latest]
        if len(steps) > 1 and steps[-1].at - steps[-2].at < window / MOST_POINTS:
            del steps[-1]
        kept = [one for one in steps if point.at - one.at <= window]
        return replace(self, points=(*kept[1 - MOST_POINTS :], point, point))

    def mean(self) -> Mean | None:
        """The mean power from step to step, over the shortest time in which the last digit matters no more.

        While no further step comes, it is at most what one step since the last would be.
        """
        if not self.points:
            return None
        *steps, latest = self.points
        for start in reversed(steps[:-1]):
            end = steps[-1]
            if end.at - start.at < SHORTEST_MEAN or not _is_measured(start, end):
                continue
            power = _power(end.number - start.number, end.at - start.at)
            if latest.at > end.at:
                power = min(power, _power(latest.step, latest.at - end.at))
            return Mean(power, start.at)
        return None


def _is_measured(start: Point, end: Point) -> bool:
    """Whether the total has risen so far that its last digit matters no more."""
    return end.number - start.number >= WORST_RESOLUTION * max(start.step, end.step)


def _power(energy: Decimal, time: timedelta) -> Decimal:
    return energy * _MICROSECONDS_PER_HOUR / Decimal(time // _MICROSECOND)


class Peak(NamedTuple):
    """The largest demand of a month in kW, and the meter's time of it (UTC)."""

    power: Decimal
    at: datetime


class Count(NamedTuple):
    """The last number of a counter, and when it was seen to have risen (UTC)."""

    number: Decimal
    rose: datetime | None = None


class Absence(NamedTuple):
    """A tariff that came no more, while others did."""

    # The last reading without it (UTC), and how many there were.
    seen: datetime
    readings: int
    # Its number in Wh, once it has left the sum.
    left: Decimal | None = None


@dataclass(frozen=True, slots=True)
class DerivedHistory:
    """What is remembered of one meter."""

    # The number of the meter.
    meter: str | None = None
    # By the name of what is derived.
    courses: Mapping[str, PowerWindow] = field(default_factory=dict)
    # By the first day of the month.
    peaks: Mapping[date, Peak] = field(default_factory=dict)
    # The last numbers of the tariff registers by key, and the tariff that rose last.
    tariffs: Mapping[str, Decimal] = field(default_factory=dict)
    tariff: int | None = None
    # By the keys of their registers.
    counts: Mapping[str, Count] = field(default_factory=dict)
    absences: Mapping[str, Absence] = field(default_factory=dict)

    @property
    def left(self) -> dict[str, Decimal]:
        """The tariffs that have left their sums, by the keys of their registers, with their numbers in Wh."""
        return {
            key: absence.left for key, absence in self.absences.items() if absence.left is not None
        }

    def of_meter(self, number: str | None) -> Self:
        """The history for the meter of that number: after a replacement only the peaks of the months stay."""
        return self if number == self.meter else type(self)(number, peaks=self.peaks)

    def with_point(self, name: str, point: Point, window: timedelta) -> Self:
        """Go on with a total."""
        course = self.courses.get(name, PowerWindow()).go_on(point, window)
        return replace(self, courses={**self.courses, name: course})

    def with_absences(self, absences: Mapping[str, Absence]) -> Self:
        """Go on with the tariffs that are absent; where a sum has become another one, so has its course."""
        after = replace(self, absences=absences)
        return after if after.left == self.left else replace(after, courses={})

    def with_peak(self, month: date, peak: Peak) -> Self:
        """Go on with the maximum of a month; only a larger one counts, and only the last two months do.

        A meter that was reset in the middle of a month shows a smaller one afterwards; a smaller one of the same time
        shows that the larger one was wrong.
        """
        known = self.peaks.get(month)
        if known is not None and (
            known.power == peak.power or (known.power > peak.power and known.at != peak.at)
        ):
            return self
        peaks = {**self.peaks, month: peak}
        return replace(self, peaks={one: peaks[one] for one in sorted(peaks)[-2:]})

    def with_tariffs(self, numbers: Mapping[str, tuple[int, Decimal]]) -> Self:
        """Go on with the tariff registers: by key, which tariff one belongs to, and its number."""
        rose = {
            tariff
            for key, (tariff, number) in numbers.items()
            if key in self.tariffs and number > self.tariffs[key]
        }
        # Of two that have risen since the last reading, the one that was not active before came later.
        later = rose - {self.tariff}
        tariff = self.tariff
        if len(later) == 1 and (len(rose) == 1 or self.tariff in rose):
            (tariff,) = later
        return replace(
            self, tariffs={key: number for key, (_, number) in numbers.items()}, tariff=tariff
        )

    def with_count(self, key: str, number: Decimal, at: datetime) -> Self:
        """Go on with a counter that was read at that time."""
        known = self.counts.get(key)
        if known is None:
            count = Count(number)
        elif number != known.number and number:
            # One that is smaller has begun again, and has counted since.
            count = Count(number, at)
        else:
            count = Count(number, known.rose)
        return replace(self, counts={**self.counts, key: count})
