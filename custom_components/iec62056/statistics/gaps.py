"""When the totals of a meter were read, and the gaps in between."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple, Self

from ..protocol.codec import as_list

# Shorter ones fall into an hour that has a reading before or behind them.
SHORTEST_GAP: Final = timedelta(hours=1)
MOST_GAPS: Final = 400


class Point(NamedTuple):
    """A register at a time (UTC)."""

    at: datetime
    number: Decimal


@as_list
@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a good reading of one sensor, between two good ones."""

    key: str
    first: Point
    last: Point
    unit: str
    # It was filled, or cannot be.
    done: bool = False


@dataclass(frozen=True, slots=True)
class ReadingHistory:
    """The first and the latest good reading of each total, by the key of its sensor and in its unit, and the gaps.

    Another unit begins anew.
    """

    begun: Mapping[str, tuple[Point, str]] = field(default_factory=dict)
    latest: Mapping[str, Point] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()

    def with_reading(self, key: str, point: Point, unit: str, longest: timedelta) -> Self:
        """Go on with a reading; what is longer than `longest` since the last one is a gap."""
        gaps, begun, before = self.gaps, self.begun.get(key), self.latest.get(key)
        latest = {**self.latest, key: point}
        if begun is not None and begun[1] == unit:
            if before is None:
                return replace(self, latest=latest)
            if point.at <= before.at:
                # After a crash, the stored state may be older than this.
                return self
            if point.at - before.at > longest:
                gaps = (*gaps, Gap(key, before, point, unit))[-MOST_GAPS:]
            return replace(self, latest=latest, gaps=gaps)
        gaps = tuple(gap for gap in gaps if gap.key != key)
        return replace(self, begun={**self.begun, key: (point, unit)}, latest=latest, gaps=gaps)

    def without_future(self, now: datetime) -> Self:
        """Forget what a clock that was ahead has noted."""
        latest = {key: point for key, point in self.latest.items() if point.at <= now}
        if len(latest) == len(self.latest):
            return self
        gaps = tuple(gap for gap in self.gaps if gap.last.at <= now)
        return replace(self, latest=latest, gaps=gaps)

    def with_wrong_time(self, key: str, first: Point, last: Point, unit: str) -> Self:
        """Go on with a reading after a time with wrong ones: that is a gap."""
        gaps = tuple(gap for gap in self.gaps if gap.key != key or gap.first.at < first.at)
        gap = Gap(key, first, last, unit)
        return replace(self, latest={**self.latest, key: last}, gaps=(*gaps, gap)[-MOST_GAPS:])

    def open(self) -> tuple[Gap, ...]:
        """The gaps that were not dealt with yet."""
        return tuple(gap for gap in self.gaps if not gap.done)

    def with_done(self, done: Iterable[Gap]) -> Self:
        """Those gaps are dealt with."""
        finished = {(gap.key, gap.first.at) for gap in done}
        return replace(
            self,
            gaps=tuple(
                replace(gap, done=True) if (gap.key, gap.first.at) in finished else gap
                for gap in self.gaps
            ),
        )
