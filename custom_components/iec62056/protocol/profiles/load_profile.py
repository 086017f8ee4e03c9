"""Load profiles: the types that all modes share, P.01 and P.02 of modes A to D, and requests for a part of one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
import datetime as dt
from decimal import Decimal
from enum import IntFlag, StrEnum
from itertools import pairwise
from typing import NamedTuple

from .. import obis, values
from ..model import DataSet, Medium, Obis, Value
from ..values import MeterTime, Season, TimeKind

# The standard names of the two profiles of a German meter (VDEW); makers have more behind them.
LOAD_PROFILES = ("P.01", "P.02")
# VDEW: one minute to one hour; second profiles hold a value a day.
MAX_MINUTES = 24 * 60
MAX_CHANNELS = 64
# Two years of quarters of an hour.
MAX_ROWS = 1 << 17
# The clock of the meter may stand an hour or two from where the request is meant: MCS301 ignores the season in it and
# begins up to two hours later than asked.
MARGIN = dt.timedelta(hours=2)


class Status(IntFlag):
    """What befell a period (VDEW 2.1, E650 and MCS301 manuals). LZQJ sends 32 bits, of which these are the last."""

    FAULT = 0x01
    CLOCK_INVALID = 0x02
    DISTURBED = 0x04
    SUMMER = 0x08
    RESET = 0x10
    CLOCK_SET = 0x20
    POWER_UP = 0x40
    POWER_DOWN = 0x80


# Nothing measured in such a period can be believed.
WORTHLESS = Status.FAULT | Status.DISTURBED


class Measure(StrEnum):
    """How the number of a channel is meant: mean over the period, amount within it, register at its end."""

    MEAN = "mean"
    AMOUNT = "amount"
    TOTAL = "total"
    OTHER = "other"


# Value group D: averages of the running and of the last period, and of the capture period; energy of a period.
_MEANS = frozenset((4, 5, 14, 15, 24, 25))
_AMOUNTS = frozenset((9, 10, 19, 29, 30))
_TOTALS = frozenset((8,))


class Channel(NamedTuple):
    """One column of a profile: the address as sent, its code, the unit as sent, and how its numbers are meant."""

    address: str
    obis: Obis | None
    unit: str | None
    measure: Measure

    @classmethod
    def of(cls, address: str, code: Obis | None, unit: str | None) -> Channel:
        """The channel of that code."""
        d = None if code is None else code.d
        if d in _TOTALS:
            measure = Measure.TOTAL
        elif d in _AMOUNTS:
            measure = Measure.AMOUNT
        else:
            measure = Measure.MEAN if d in _MEANS else Measure.OTHER
        return cls(address, code, unit, measure)


class Row(NamedTuple):
    """One period: when it ended (UTC), what was measured (None: not readable), what befell it."""

    end: dt.datetime
    values: tuple[Decimal | None, ...]
    status: int = 0

    @property
    def worthless(self) -> bool:
        """Whether the meter itself says that nothing of it counts."""
        return bool(self.status & WORTHLESS)

    @property
    def failed(self) -> bool:
        """Whether the meter was without power before its end."""
        return bool(self.status & (Status.POWER_DOWN | Status.POWER_UP))


@dataclass(frozen=True, slots=True)
class Profile:
    """The rows of one profile that have the same channels and the same period, in the order of time."""

    code: str
    channels: tuple[Channel, ...]
    period: dt.timedelta
    rows: tuple[Row, ...]

    def within(self, first: dt.datetime, last: dt.datetime) -> Profile:
        """Only the periods that ended later than `first` and not later than `last`."""
        return replace(self, rows=tuple(row for row in self.rows if first < row.end <= last))

    def amounts(self, column: int) -> Iterator[tuple[dt.datetime, dt.datetime, Decimal]]:
        """Begin, end and amount of each period of a channel: energy where the channel is a power, in unit times hours.

        A register at the end of a period gives the amount since the row before it, whenever that was; but behind a
        power failure what was used before it and after it is taken for the last period's.
        Rows that are not readable or worthless, and a channel of another kind, give nothing.
        """
        measure = self.channels[column].measure
        before: Row | None = None
        for row in self.rows:
            number = row.values[column]
            if number is None or row.worthless:
                continue
            match measure:
                case Measure.MEAN:
                    hours = Decimal(int(self.period.total_seconds())) / 3600
                    yield row.end - self.period, row.end, number * hours
                case Measure.AMOUNT:
                    yield row.end - self.period, row.end, number
                case Measure.TOTAL:
                    if before is not None:
                        begin = max(before.end, row.end - self.period) if row.failed else before.end
                        yield begin, row.end, number - (before.values[column] or Decimal(0))
                    before = row
                case Measure.OTHER:
                    return

    def step(self, column: int) -> Decimal:
        """What one amount of a channel may be wrong by because of its last digit."""
        exponents = [
            exponent
            for row in self.rows
            if (number := row.values[column]) is not None
            and isinstance(exponent := number.as_tuple().exponent, int)
        ]
        digit = Decimal(1).scaleb(max(exponents, default=0))
        if self.channels[column].measure is Measure.MEAN:
            digit *= Decimal(int(self.period.total_seconds())) / 3600
        return digit


def join(profiles: Iterable[Profile]) -> tuple[Profile, ...]:
    """Parts of profiles made whole: rows of the same channels together, each period once, in the order of time.

    Of two rows for one period the one read later counts. MCS301 sends the parts of a log in no order.
    """
    found: dict[tuple[str, tuple[Channel, ...], dt.timedelta], dict[dt.datetime, Row]] = {}
    for part in profiles:
        rows = found.setdefault((part.code, part.channels, part.period), {})
        rows.update((row.end, row) for row in part.rows)
    return tuple(
        Profile(*head, tuple(rows[end] for end in sorted(rows))) for head, rows in found.items()
    )


def profiles_between(
    profiles: Iterable[Profile], first: dt.datetime, last: dt.datetime
) -> tuple[Profile, ...]:
    """The periods that ended later than `first` and not later than `last`."""
    parts = join(profile.within(first, last) for profile in profiles)
    return tuple(profile for profile in parts if profile.rows)


def parse(datasets: Iterable[DataSet], zone: dt.tzinfo) -> tuple[Profile, ...]:
    """The profiles in data sets as they were sent; `zone` is where the meter's clock is.

    `P.01(time of the first row)(status)(minutes)(n)(code)(unit)…`, then rows of n values, each a data set without an
    address or in the brackets that follow; a new head after a gap, a change of status or of the clock (VDEW 2.1).
    Turkish makes send no head, but each row with its date, in P.01 or below it. Nothing says what its columns are, so
    they have numbers for names, and the shortest step between two rows is the period.
    Never raises: a head that is none gives no rows, a row of another length a period without values.
    """
    parts: list[Profile] = []
    dated: dict[tuple[str, tuple[Channel, ...]], list[Row]] = {}
    code = ""
    # The rows of one head; their number is limited over all.
    head: _Head | None = None
    rows: list[Row] = []
    expected: dt.datetime | None = None
    room = MAX_ROWS

    def close() -> None:
        if head is not None and rows:
            parts.append(Profile(head.code, head.channels, head.period, tuple(rows)))

    for address, brackets in datasets:
        code = code if address is None else address
        if head is None or address is not None:
            channels, row = _dated(code, brackets, zone, expected)
            if row is not None:
                if room:
                    room -= 1
                    dated.setdefault((code, channels), []).append(row)
                    expected = row.end
                continue
        if address is not None:
            close()
            rows = []
            head = _head(address, brackets, zone, expected)
            if head is None:
                continue
            inline = brackets[4 + 2 * len(head.channels) :]
            width = len(head.channels)
            texts = [inline[at : at + width] for at in range(0, len(inline), width)]
        elif head is None:
            continue
        else:
            texts = [brackets]
        for one in texts:
            if not room:
                break
            room -= 1
            rows.append(head.row(len(rows), one))
        expected = rows[-1].end + head.period if rows else head.first
    close()
    for (name, channels), found in dated.items():
        ends = sorted({row.end for row in found})
        step = min((end - begin for begin, end in pairwise(ends)), default=dt.timedelta(0))
        parts.append(Profile(name, channels, step, tuple(found)))
    return join(parts)


def _dated(
    code: str, brackets: Sequence[Value], zone: dt.tzinfo, expected: dt.datetime | None
) -> tuple[tuple[Channel, ...], Row | None]:
    """A row that has its own date, and its columns."""
    moment = values.timestamp(brackets[0].text) if brackets and code.startswith("P.") else None
    if moment is None or len(brackets) > MAX_CHANNELS:
        return (), None
    end = _first(moment, zone, dt.timedelta(hours=1), expected)
    numbers = tuple(value.number for value in brackets[1:])
    channels = tuple(
        Channel.of(str(number), None, value.unit) for number, value in enumerate(brackets[1:], 1)
    )
    return channels, None if end is None or not channels else Row(end, numbers)


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands above rows."""

    code: str
    first: dt.datetime
    status: int
    period: dt.timedelta
    channels: tuple[Channel, ...]

    def row(self, number: int, texts: Sequence[Value]) -> Row:
        """The row of that number below the head. Later ones follow in even steps, whatever the wall clock does."""
        width = len(self.channels)
        numbers = tuple(value.number for value in texts) if len(texts) == width else (None,) * width
        return Row(self.first + number * self.period, numbers, self.status)


def _head(
    address: str, brackets: Sequence[Value], zone: dt.tzinfo, expected: dt.datetime | None
) -> _Head | None:
    """The head in those brackets, None where they hold none."""
    if not address.startswith("P.") or len(brackets) < 6:
        return None
    time, status, minutes, count = (value.text.strip() for value in brackets[:4])
    if not (minutes.isdecimal() and count.isdecimal() and minutes.isascii() and count.isascii()):
        return None
    length, width = int(minutes[:5]), int(count[:5])
    if not 1 <= length <= MAX_MINUTES or not 1 <= width <= MAX_CHANNELS:
        return None
    named = brackets[4 : 4 + 2 * width]
    moment = values.timestamp(time, TimeKind.DATE)
    if len(named) < 2 * width or moment is None:
        return None
    period = dt.timedelta(minutes=length)
    first = _first(moment, zone, period, expected)
    if first is None:
        return None
    channels = tuple(
        Channel.of(code.text, obis.parse(code.text, Medium.ELECTRICITY), unit.text or None)
        for code, unit in zip(named[::2], named[1::2], strict=True)
    )
    return _Head(address, first, values.bits(status) or 0, period, channels)


def _first(
    moment: MeterTime, zone: dt.tzinfo, period: dt.timedelta, expected: dt.datetime | None
) -> dt.datetime | None:
    """The moment of a head in UTC; it ends the first row below it.

    Without a season, the hour that comes twice is its second passing where that goes on from the rows before it.
    """
    first = moment.utc(zone)
    if first is None or moment.season is not None or expected is None:
        return first
    local = first.astimezone(zone).replace(tzinfo=None)
    second = local.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    return second if first < expected and abs(second - expected) < period else first


def stamp(moment: dt.datetime, zone: dt.tzinfo, season: Season | None) -> str:
    """A moment as it stands in a request: [s]YYMMDDhhmm, in what the meter itself counts (VDEW 2.1).

    `season` is what the meter's own times carry: UTC where they do, no digit (None) where they have none; else the
    digit of the moment's own season.
    """
    if season is Season.UTC:
        return f"2{moment.astimezone(dt.UTC):%y%m%d%H%M}"
    local = moment.astimezone(zone)
    digit = "" if season is None else str(int(bool(local.dst())))
    return f"{digit}{local:%y%m%d%H%M}"


def request(
    code: str,
    first: dt.datetime,
    last: dt.datetime,
    zone: dt.tzinfo,
    season: Season | None = Season.WINTER,
    *,
    blocks: int = 0,
) -> str:
    """The data set that asks for the periods from `first` to `last`: for R5, or with a number of blocks for R6.

    Two hours more are asked for on both sides; what is not wanted is left out of the answer (`Profile.within`).
    """
    begin, end = (stamp(one, zone, season) for one in (first - MARGIN, last + MARGIN))
    return f"{code}({begin};{end}{f';{blocks}' if blocks else ''})"


# A piece is read between two normal readings, which must not become stale meanwhile.
PIECE_SECONDS = 40.0
SHORTEST_PIECE = dt.timedelta(hours=2)
LONGEST_PIECE = dt.timedelta(days=8)
FIRST_PIECE = dt.timedelta(hours=12)


def next_piece(span: dt.timedelta, took: float) -> dt.timedelta:
    """How much of the profile to ask for next, after `span` of it took so many seconds on the line."""
    if took <= 0:
        return min(span * 2, LONGEST_PIECE)
    wanted = span * min(PIECE_SECONDS / took, 2.0)
    return min(max(wanted, SHORTEST_PIECE), LONGEST_PIECE)
