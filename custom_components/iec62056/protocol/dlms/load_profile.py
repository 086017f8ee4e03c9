"""Turns capture objects and rows of a profile (class 7) into load profiles and events, and makes the range of a request."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
import datetime as dt
from decimal import Decimal

from ..dlms_errors import DlmsMalformed
from ..model import Obis, Value
from ..profiles.events import Event, Note, meaning_of
from ..profiles.load_profile import Channel, Profile, Row
from .apdu import Result
from .clock import ClockStatus, date_time, encode_date_time
from .cosem import Column, ScalerUnit
from .data import NULL, Data, Tag, octet_string, shown
from .descriptors import Access, Member, by_range, capture_object

CLOCK = 8
# Value groups C.D of the status of a profile (0-0:96.10.1, x-0:96.10.7), whose bits in IDIS and DSMR are those of VDEW.
_STATUS = (96, 10)
# The clock as a data object that counts seconds.
_UNIX_TIME = (0, 0, 1, 1, 0)
_EVENT_CODE = (96, 11, 0)
# Attributes of a register whose number is scaled: value; of a demand register the current and the last average.
_SCALED = {3: (2,), 4: (2,), 5: (2, 3)}
_DELTAS = frozenset(tag for tag in Tag if tag.name.startswith("DELTA"))
MAX_ROWS = 1 << 17


def profile(
    code: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Data]],
    scalers: Mapping[int, ScalerUnit],
    *,
    period: dt.timedelta,
    zone: dt.tzinfo,
) -> Profile:
    """A load profile from its capture objects and its buffer. Raises DlmsMalformed where it has no time.

    `scalers` are those of the registers, by the number of their column from 0; a column without one is left out.
    A time that was left out goes on by the capture period, a value that was left out is that of the row above, and a
    delta is added to that (Blue Book 4.1.5, 4.3.6). The moment of a row is its own, in UTC: COSEM writes at the end of
    the period.
    """
    at = _clock(columns)
    status_at = next(
        (n for n, column in enumerate(columns) if tuple(column.member.name)[2:4] == _STATUS), None
    )
    used = [
        n
        for n, (member, _) in enumerate(columns)
        if n in scalers and member.number in _SCALED.get(member.class_id, ())
    ]
    codes = {n: Obis(*columns[n].member.name) for n in used}
    channels = tuple(Channel.of(str(codes[n]), codes[n], scalers[n].text) for n in used)
    found: list[Row] = []
    above = [NULL] * len(columns)
    end: dt.datetime | None = None
    for row in rows[:MAX_ROWS]:
        above = [_whole(item, before) for item, before in zip(row, above, strict=True)]
        if row[at].tag is not Tag.NULL_DATA:
            end = _moment(above[at], zone)
        elif end is not None:
            end += period
        if end is None:
            continue
        numbers = tuple([_number(above[n], scalers[n]) for n in used])
        status = 0 if status_at is None else _bits(above[status_at])
        found.append(Row(end, numbers, status))
    found.sort(key=lambda row: row.end)
    return Profile(code, channels, period, tuple(found))


def events(
    log: str, columns: Sequence[Column], rows: Sequence[Sequence[Data]], zone: dt.tzinfo
) -> tuple[Event, ...]:
    """The entries of an event log (99.98.x) from its capture objects and its buffer. Raises DlmsMalformed.

    Codes of the standard log have public meanings; those of the others, and what is noted beside them, are as sent.
    """
    at = _clock(columns)
    found = []
    for row in rows[:MAX_ROWS]:
        notes, meanings = [], []
        for number, (column, item) in enumerate(zip(columns, row, strict=True)):
            if number == at or column.member.class_id == CLOCK:
                continue
            name = column.member.name
            notes.append(Note(str(Obis(*name)), Value(_text(item))))
            if tuple(name)[2:5] == _EVENT_CODE and isinstance(item.value, int):
                meanings.append(meaning_of(item.value))
        known = tuple(meaning for meaning in meanings if meaning is not None)
        found.append(Event(log, _moment(row[at], zone), 0, known, tuple(notes)))
    return tuple(found)


def rows_between(
    columns: Sequence[Column], first: dt.datetime, last: dt.datetime, now: Result
) -> Access:
    """Selective access to the rows from `first` to `last` (aware times). Raises DlmsMalformed without a clock column.

    `now` is what the clock shows: the range has its deviation's sign (MCS301), the standard's where it shows none.
    """
    clock = columns[_clock(columns)]
    if clock.member.class_id != CLOCK:
        seconds = (Data(Tag.DOUBLE_LONG_UNSIGNED, int(one.timestamp())) for one in (first, last))
        return by_range(capture_object(clock.member, clock.data_index), *seconds)
    inverted = False
    with suppress(DlmsMalformed):
        if isinstance(now, Data):
            inverted = date_time(now.octets).inverted(first.utcoffset() or dt.timedelta(0))
    begin, end = (
        octet_string(encode_date_time(one, daylight_saving=bool(one.dst()), inverted=inverted))
        for one in (first, last)
    )
    return by_range(capture_object(clock.member, clock.data_index), begin, end)


def moment(now: Result, zone: dt.tzinfo) -> dt.datetime | None:
    """What a clock shows, None where it shows nothing that can be understood."""
    try:
        return _moment(now, zone) if isinstance(now, Data) else None
    except DlmsMalformed:
        return None


def clock(columns: Sequence[Column]) -> Member:
    """The time of the clock that a profile records. Raises DlmsMalformed where it has none."""
    return columns[_clock(columns)].member


def _clock(columns: Sequence[Column]) -> int:
    for number, column in enumerate(columns):
        member = column.member
        if member.number == 2 and (
            member.class_id == CLOCK or tuple(member.name)[:5] == _UNIX_TIME
        ):
            return number
    raise DlmsMalformed(why="a profile has no time")


def _moment(item: Data, zone: dt.tzinfo) -> dt.datetime | None:
    """The moment in UTC, None where there is none, or the clock itself says that it does not know."""
    if item.tag is Tag.NULL_DATA:
        return None
    if isinstance(item.value, int):
        # Seconds of Unix time fit into four octets; others are none.
        unset = not 0 < item.value < 1 << 32
        return None if unset else dt.datetime.fromtimestamp(item.value, dt.UTC)
    time = date_time(item.octets)
    if time.status is not None and ClockStatus.INVALID in time.status:
        return None
    return time.utc(zone)


def _whole(item: Data, above: Data) -> Data:
    """A value of a row: its own, that of the row above, or the difference to that."""
    if item.tag is Tag.NULL_DATA:
        return above
    if item.tag not in _DELTAS:
        return item
    if isinstance(above.value, int) and isinstance(item.value, int):
        return above._replace(value=above.value + item.value)
    return NULL


def _number(item: Data, scaler: ScalerUnit) -> Decimal | None:
    """The number of a row; None where the meter has none there."""
    try:
        return scaler.value(item)
    except DlmsMalformed:
        return None


def _bits(item: Data) -> int:
    number = item.value
    return number if isinstance(number, int) and not isinstance(number, bool) else 0


def _text(item: Data) -> str:
    match item.value:
        case bytes() as octets:
            return octets.hex().upper()
        case bool() | int() | Decimal() | str() as plain:
            return shown(str(plain))
        case _:
            return ""
