"""The importer's own file: the import that is running, what imports have replaced, and when the totals were read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self, override

from homeassistant.core import HomeAssistant

from ..const import DOMAIN
from ..protocol.codec import separable
from ..protocol.profiles.load_profile import FIRST_PIECE, Profile, join, next_piece
from ..registers.units import convert, unit_of
from ..storage import StoredFile, migrate_parts
from .gaps import Point, ReadingHistory
from .planner import HOUR, Change, Hour

# How much more than an outage is read: the periods at both ends, and a register before the first.
AIR: Final = HOUR
# An import after its preview ends some minutes later, and still imports what the preview showed.
_NEWER: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class ImportJob:
    """A load profile that is being read for an import."""

    first: datetime
    last: datetime
    read_to: datetime
    # What is read beyond it only joins the rows to the first reading.
    until: datetime
    # How much is read next.
    span: timedelta = FIRST_PIECE
    parts: tuple[Profile, ...] = ()
    # Also hours with good readings are replaced.
    everything: bool = False
    # Nothing is written.
    preview: bool = False
    # It fills gaps, and no user has asked for it.
    automatic: bool = False

    @classmethod
    def of(cls, first: datetime, last: datetime) -> Self:
        """A job of which nothing is read yet."""
        return cls(first, last, first, last)

    @property
    def done(self) -> bool:
        """Whether all of it is read."""
        return self.read_to >= self.last

    @property
    def progress(self) -> float:
        """How much of it is read, from 0 to 1."""
        whole = self.last - self.first
        return 1.0 if self.done or not whole else (self.read_to - self.first) / whole

    @property
    def piece(self) -> tuple[datetime, datetime]:
        """What is to be read next."""
        return self.read_to, min(self.read_to + self.span, self.last)

    def with_piece(self, found: Iterable[Profile], took: float) -> Self:
        """The job after its next piece was read, which took so many seconds."""
        begin, end = self.piece
        return replace(
            self,
            read_to=end,
            span=next_piece(end - begin, took),
            parts=join((*self.parts, *found)),
        )

    def asks_as(self, other: Self) -> bool:
        """Whether the user asks for the same again."""
        return not self.automatic and (
            (self.first, self.everything, self.preview)
            == (other.first, other.everything, other.preview)
        )

    def covers(self, other: Self) -> bool:
        """Whether all that is wanted was read."""
        return self.done and self.first <= other.first and other.last - self.last < _NEWER

    def for_another(self, other: Self) -> Self:
        """The rows of this job for another one that it covers."""
        return replace(self.newer_for(other), last=self.last, until=min(other.until, self.last))

    def newer_for(self, other: Self) -> Self:
        """As `for_another`, but what the meter has written down since then is still to be read."""
        return replace(other, read_to=self.last, parts=self.parts)


@dataclass(frozen=True, slots=True)
class Replaced:
    """The rows of one sensor's statistics as they were before any import."""

    unit: str
    # By the beginning of their hour; None: there was no row.
    rows: Mapping[datetime, Hour | None] = field(default_factory=dict)
    # The sums that were written in their place; another sum there now was moved by somebody since.
    sums: Mapping[datetime, float] = field(default_factory=dict)
    # Those that were there before, until it is known that the others were written.
    unsure: Mapping[datetime, float] = field(default_factory=dict)
    # Where the rows began before a past was put in front of them.
    begun: Point | None = None

    def with_changes(self, changes: Iterable[Change], begun: Point | None = None) -> Self:
        """Note what is going to be replaced. What an earlier import replaced stays noted as it was before that."""
        found, sums, unsure = dict(self.rows), dict(self.sums), dict(self.unsure)
        for change in changes:
            start, before = change.start, change.before
            noted = found.setdefault(start, before)
            if before is not None:
                unsure[start] = before.sum
                if noted is not None:
                    found[start] = self._moved(start, noted, before)
            sums[start] = change.hour.sum
        return replace(self, rows=found, sums=sums, unsure=unsure, begun=self.begun or begun)

    def written(self) -> Self:
        """All that was noted is in the database."""
        return replace(self, unsure={})

    def restored(self, now: Mapping[datetime, Hour]) -> dict[datetime, Hour]:
        """The rows as they were, with sums that follow what has moved those of `now` since; level where there was none."""
        found: dict[datetime, Hour] = {}
        if self.begun is not None:
            level = Hour(float(self.begun.number), 0.0)
        else:
            own = (now[start] for start in sorted(now) if self.rows.get(start, True))
            opening = next(own, Hour(0.0, 0.0))
            level = Hour(opening.state - opening.sum, 0.0)
        for start in sorted(now):
            if start in self.rows:
                noted = self.rows[start]
                found[start] = level if noted is None else self._moved(start, noted, now[start])
            level = found.get(start, now[start])
        return found

    def _moved(self, start: datetime, hour: Hour, now: Hour) -> Hour:
        """A row as it was, moved as the one in its place was."""
        sums = [known[start] for known in (self.sums, self.unsure) if start in known]
        if not sums:
            return hour
        return hour._replace(sum=hour.sum + min((now.sum - one for one in sums), key=abs))

    def in_unit(self, unit: str) -> Self:
        """The same in the unit that the statistics have now."""

        def number(one: float) -> float:
            converted = convert(Decimal(str(one)), unit_of(self.unit), unit)
            return one if converted is None else float(converted)

        if self.unit == unit:
            return self
        return replace(
            self,
            unit=unit,
            rows={
                start: hour and Hour(number(hour.state), number(hour.sum))
                for start, hour in self.rows.items()
            },
            sums={start: number(one) for start, one in self.sums.items()},
            unsure={start: number(one) for start, one in self.unsure.items()},
            begun=self.begun and in_unit(self.begun, self.unit, unit),
        )


def in_unit(point: Point, unit: str, wanted: str) -> Point | None:
    """A reading in another unit."""
    number = convert(point.number, unit_of(unit), wanted)
    return None if number is None else Point(point.at, number)


@separable
@dataclass(slots=True)
class Imports:
    """The content of the file."""

    history: ReadingHistory = field(default_factory=ReadingHistory)
    job: ImportJob | None = None
    # By the keys of the sensors, which do not change when an entity is renamed.
    replaced: dict[str, Replaced] = field(default_factory=dict)
    # Whether part of the meter's profile was ever read.
    has_profile: bool = False


def _history_of_0_1(history: dict[str, Any]) -> dict[str, Any]:
    begun = {key: [[at, number], unit] for key, (at, number, unit) in history["begun"].items()}
    gaps = [
        [key, [begin, first], [end, last], unit, done]
        for key, begin, first, end, last, unit, done in history["gaps"]
    ]
    return {**history, "begun": begun, "gaps": gaps}


def _job_of_0_1(job: dict[str, Any] | None) -> dict[str, Any] | None:
    # The rows were stored in another form: they are read again.
    return job and {**job, "read_to": job["first"], "parts": []}


def _replaced_of_0_1(replaced: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, (unit, hours) in replaced.items():
        rows = {
            datetime.fromtimestamp(start, UTC).isoformat(): hour or None for start, *hour in hours
        }
        found[key] = {"unit": unit, "rows": rows}
    return found


class ImportStore(StoredFile[Imports]):
    """The importer's file of one meter."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the file; nothing is read yet."""
        super().__init__(hass, Imports, f"{DOMAIN}.{entry_id}.profile")
        self.imports = Imports()

    async def async_open(self) -> None:
        """Take what was saved."""
        self.imports = await self.async_load() or Imports()

    async def async_write(self) -> bool:
        """Write now. False where it is not on disk afterwards."""
        return await self.async_save(self.imports)

    async def async_flush(self) -> None:
        """Write for the last time."""
        await self.async_write()

    @override
    async def _async_migrate(self, data: dict[str, Any]) -> None:
        migrate_parts(data, history=_history_of_0_1, job=_job_of_0_1, replaced=_replaced_of_0_1)
