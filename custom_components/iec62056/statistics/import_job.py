"""What is kept of reading and importing load profiles, in a file of its own: how far it is, and what it replaced.

Here: frozen values, and how they become plain data and back; the file.
Never here: what they mean (backfill.py, history.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from ..const import DOMAIN, LOGGER
from ..protocol import obis
from ..protocol.profiles.load_profile import FIRST_PIECE, Channel, Profile, Row, join, next_piece
from ..storage import UNREADABLE
from .gaps import ReadingHistory
from .planner import Change, Hour

VERSION: Final = 1
# A person who has seen a preview imports what was shown, though it ended at another minute.
_NEWER: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class ImportJob:
    """One load profile being read for an import: the range, how far it is, what came so far.

    What is read beyond `until` only joins the rows to the first reading. `span` is how much is asked for next;
    `everything`: also hours with good readings; `preview`: nothing is written; `automatic`: nobody asked.
    """

    first: datetime
    last: datetime
    read_to: datetime
    until: datetime
    span: timedelta = FIRST_PIECE
    parts: tuple[Profile, ...] = ()
    everything: bool = False
    preview: bool = False
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
        """Whether both are the same wish of a person."""
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

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "read_to": self.read_to.isoformat(),
            "until": self.until.isoformat(),
            "span": self.span.total_seconds(),
            "parts": [_plain(part) for part in self.parts],
            "everything": self.everything,
            "preview": self.preview,
            "automatic": self.automatic,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The job that `as_dict` wrote. Raises ArithmeticError, KeyError, TypeError or ValueError on anything else."""
        first, last, read_to = (
            datetime.fromisoformat(data[name]) for name in ("first", "last", "read_to")
        )
        return cls(
            first,
            last,
            read_to,
            # A file that was written before it was kept has none.
            datetime.fromisoformat(data.get("until", data["last"])),
            timedelta(seconds=data["span"]),
            tuple(_profile(part) for part in data["parts"]),
            *(bool(data[name]) for name in ("everything", "preview", "automatic")),
        )


def _plain(profile: Profile) -> list[Any]:
    return [
        profile.code,
        [[channel.address, channel.unit] for channel in profile.channels],
        profile.period.total_seconds(),
        [
            [
                row.end.timestamp(),
                row.status,
                *(None if one is None else str(one) for one in row.values),
            ]
            for row in profile.rows
        ],
    ]


def _profile(data: list[Any]) -> Profile:
    code, channels, seconds, rows = data
    return Profile(
        str(code),
        tuple(Channel.of(address, obis.parse(address), unit) for address, unit in channels),
        timedelta(seconds=seconds),
        tuple(
            Row(
                datetime.fromtimestamp(end, UTC),
                tuple(None if one is None else Decimal(one) for one in numbers),
                status,
            )
            for end, status, *numbers in rows
        ),
    )


@dataclass(frozen=True, slots=True)
class Replaced:
    """The rows of one sensor's statistics before any import, by the beginning of their hour; None: there was none."""

    unit: str
    rows: Mapping[datetime, Hour | None] = field(default_factory=dict)

    def with_changes(self, changes: Iterable[Change]) -> Self:
        """Note what is going to be replaced. What an earlier import replaced stays noted as it was before that."""
        found = dict(self.rows)
        for change in changes:
            found.setdefault(change.start, change.before)
        return replace(self, rows=found)

    def as_list(self) -> list[Any]:
        """Plain data, fit for JSON."""
        return [
            self.unit,
            [[start.timestamp(), *(hour or ())] for start, hour in self.rows.items()],
        ]

    @classmethod
    def from_list(cls, data: list[Any]) -> Self:
        """What `as_list` wrote. Raises TypeError or ValueError on anything else."""
        unit, rows = data
        return cls(
            str(unit),
            {
                datetime.fromtimestamp(start, UTC): Hour(*(float(one) for one in hour))
                if hour
                else None
                for start, *hour in rows
            },
        )


@dataclass(slots=True)
class Imports:
    """The content of the file. `replaced` by the keys of the sensors, which outlive their entity's name.

    `has_profile`: part of the meter's profile was read before.
    """

    history: ReadingHistory = field(default_factory=ReadingHistory)

    job: ImportJob | None = None
    replaced: dict[str, Replaced] = field(default_factory=dict)
    has_profile: bool = False


class ImportStore:
    """The file of one config entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the file; nothing is read yet."""
        self._store: Store[dict[str, Any]] = Store(
            hass,
            VERSION,
            f"{DOMAIN}.{entry_id}.profile",
            # Half a file would lose the rows that an import has replaced.
            atomic_writes=True,
        )

    async def async_load(self) -> Imports:
        """What was saved; nothing where there is nothing that can be used."""
        try:
            data = await self._store.async_load()
            if data is None:
                return Imports()
            job = data.get("job")
            return Imports(
                self._history(data.get("history")),
                None if job is None else ImportJob.from_dict(job),
                {
                    str(key): Replaced.from_list(one)
                    for key, one in data.get("replaced", {}).items()
                },
                bool(data.get("has_profile")),
            )
        except UNREADABLE:
            LOGGER.warning("What %s says of imports cannot be used", self._store.key)
            return Imports()

    def _history(self, data: Any) -> ReadingHistory:
        """What is forgotten of earlier outages is not filled."""
        try:
            return ReadingHistory() if data is None else ReadingHistory.from_dict(data)
        except ArithmeticError, AttributeError, KeyError, TypeError, ValueError:
            LOGGER.warning("What %s says of earlier outages cannot be used", self._store.key)
            return ReadingHistory()

    async def async_save(self, imports: Imports) -> None:
        """Write now: nothing is imported before what it replaces is safe."""
        await self._store.async_save(
            {
                "history": imports.history.as_dict(),
                "job": imports.job and imports.job.as_dict(),
                "replaced": {key: one.as_list() for key, one in imports.replaced.items()},
                "has_profile": imports.has_profile,
            }
        )

    async def async_remove(self) -> None:
        """Delete the file."""
        await self._store.async_remove()
