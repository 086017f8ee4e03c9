"""Parses the text between two brackets: numbers, times, bits, coded text; None where it is not of the wanted kind."""

from dataclasses import dataclass
import datetime as dt
from decimal import Decimal
from enum import Enum, StrEnum
import re

# Std 6.6: a value has at most 32 characters. What is longer and looks like digits is a code, not a quantity.
_MAX_NUMBER = 32
_NUMBER = re.compile(r" *[+-]?[0-9]++(?:[.,][0-9]++)? *").fullmatch


def number(text: str) -> Decimal | None:
    """The text as an exact number with the decimals as sent, None where it is not one.

    Leading zeros, a sign, outer blanks and a decimal comma (Kamstrup 382) are numbers; dashes for a missing
    phase (`---.-`), hexadecimal digits, times and lists are not.
    """
    if len(text) > _MAX_NUMBER or _NUMBER(text) is None:
        return None
    return Decimal(text.replace(",", "."))


# Spellings met in the field, on displays and in telegrams; reactive units come in every mixture of case.
_REACTIVE = ("var", "Var", "VAr", "VAR")
_UNITS = frozenset(
    (
        *(prefix + unit for unit in ("Wh", "W", "VA", "VAh") for prefix in ("", "k", "M", "G")),
        *(
            prefix + unit + end
            for unit in _REACTIVE
            for prefix in ("", "k", "M")
            for end in ("", "h")
        ),
        *("V", "mV", "kV", "A", "mA", "kA", "Hz", "kHz", "kJ", "MJ", "GJ", "m3", "m3ph", "m3/h"),
        *("l", "l/h", "C", "h", "hour", "min", "s", "sec", "secs", "m", "deg", "Deg", "%"),
        *("imp/kWh", "Imp/kWh", "imp/kvarh", "Imp/kvarh"),
    )
)
UNIT_ENDS = frozenset(unit[-1] for unit in _UNITS)
_MAX_GLUED = 48
_GLUED = re.compile(r"( *+[+-]?[0-9]++([.,][0-9]++)?+)( *+)([A-Za-z%][A-Za-z0-9/]*+) *+").fullmatch


def split_unit(text: str) -> tuple[str, str | None]:
    """Number and unit of a value sent without `*`: `001.322kW`, `0000000 kWh` (MT382, MT171, MCS301).

    A text that is not a number followed by a known unit comes back whole, with None. A unit of one letter needs
    decimals or a blank before it: `12A` may be hexadecimal, `210331173917W` is a time of P1.
    """
    if len(text) > _MAX_GLUED or (found := _GLUED(text)) is None:
        return text, None
    digits, decimals, gap, unit = found.groups()
    if unit not in _UNITS or (len(unit) == 1 and unit != "%" and not decimals and not gap):
        return text, None
    return digits, unit


_HEX = re.compile(r"[0-9A-Fa-f]{1,64}").fullmatch


def bits(text: str) -> int | None:
    """A status or error register (F.F, C.5.0, 96.5.x) as a number of its bits, None where it is not hexadecimal."""
    text = text.strip()
    return int(text, 16) if _HEX(text) else None


_CODED = re.compile(r"(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e]){8,}+").fullmatch


def decode_text(text: str) -> str | None:
    """Text that was sent as two hexadecimal digits per character (P1 serial numbers and messages), else None.

    Only where every character is printable. Short ones are left alone: a plain serial number such as 63355730
    would read as "c5W0". Meant for codes that carry octet strings: 96.1.x, 96.13.x, 42.0.0.
    """
    return bytes.fromhex(text).decode("ascii").strip() if _CODED(text) else None


class Season(StrEnum):
    """What a time is counted in, where the meter says so."""

    WINTER = "winter"
    SUMMER = "summer"
    UTC = "utc"


class TimeKind(Enum):
    """What a bare number is in a register that holds a time."""

    TIME = "time"
    """Six digits are hhmmss (0.9.1)."""
    DATE = "date"
    """Six digits are YYMMDD, more are a date with its time (0.9.2, 0.1.2, the second bracket of a maximum)."""


# How far the offset of a place moves within a year.
_SUMMER = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class MeterTime:
    """A moment of the meter's own clock; the half it did not send is None.

    `offset` is how far the clock is ahead of UTC by the deviation of COSEM, where one was sent.
    """

    date: dt.date | None
    time: dt.time | None
    season: Season | None = None
    offset: dt.timedelta | None = None

    def utc(self, zone: dt.tzinfo) -> dt.datetime | None:
        """The moment in UTC, for a meter whose clock is set to `zone`; None where date or time is missing.

        A season the meter sent always counts, also where the zone changes: it decides in the hour that comes twice,
        and makes 02:30 of a clock that stays on winter time right. Without it the hour that comes twice is taken
        as its first passing, and one that never was gives None.

        An offset counts before all that. Some meters send it with the opposite sign (MCS301): it has the one that comes
        nearer to the zone, the standard's where both do.
        """
        if self.date is None or self.time is None:
            return None
        local = dt.datetime.combine(self.date, self.time)
        if self.offset is not None:
            # The hour that is skipped in spring gives no moment, but its offset is as good as any.
            ahead = local.replace(tzinfo=zone).utcoffset() or dt.timedelta(0)
            offset = -self.offset if self.inverted(ahead) else self.offset
            return (local - offset).replace(tzinfo=dt.UTC)
        if self.season is Season.UTC:
            return local.replace(tzinfo=dt.UTC)
        if self.season is None:
            moment = local.replace(tzinfo=zone).astimezone(dt.UTC)
            return moment if moment.astimezone(zone).replace(tzinfo=None) == local else None
        # Zones disagree about which half of the year is "standard" (Dublin); ahead of the other is summer everywhere.
        january, july = (
            dt.datetime(local.year, month, 1, 12, tzinfo=zone).utcoffset() or dt.timedelta(0)
            for month in (1, 7)
        )
        offset = max(january, july) if self.season is Season.SUMMER else min(january, july)
        return (local - offset).replace(tzinfo=dt.UTC)

    def inverted(self, ahead: dt.timedelta) -> bool:
        """Whether the offset has the opposite sign, in a place that is `ahead` of UTC."""
        offset = self.offset or dt.timedelta(0)
        return abs(-offset - ahead) <= _SUMMER < abs(offset - ahead)


_DATE = r"(?P<year>(?:\d\d)?\d\d)-(?P<month>\d\d)-(?P<day>\d\d)"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
_OFFSET = r"(?P<offset>[+-](?:0\d|1[0-4]):[0-5]\d)"
_SHORT = r"(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)"
_LONG = r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
_CLOCK = r"(?P<hour>\d\d)(?P<minute>\d\d)"
_SECOND = r"(?P<second>\d\d)"
_SEASON = r"(?P<season>[012])?"


def _patterns(*sources: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(source, re.ASCII) for source in sources)


# What can be nothing but a date, wherever it stands: Norax and E650 (blank), Turkish makes (comma), UH50 (&), P1, and
# pushes of DLMS with their offset from UTC.
_BY_FORM = _patterns(
    rf"{_DATE}(?:[ T,&]{_TIME}{_OFFSET}?)?",
    rf"{_SHORT}{_CLOCK}{_SECOND}(?P<season>[SW])",
)
# The order decides 12 digits: YYMMDDhhmmss (DSMR 2.2) before YYYYMMDDhhmm (ZPA), whose 20YY is no month as a rule.
_BY_KIND = {
    TimeKind.TIME: _patterns(_TIME, rf"{_SEASON}{_CLOCK}{_SECOND}"),
    TimeKind.DATE: _patterns(
        rf"{_SEASON}{_SHORT}(?:{_CLOCK}{_SECOND}?)?", rf"{_LONG}(?:{_CLOCK})?"
    ),
}
_SEASONS = {
    "0": Season.WINTER,
    "1": Season.SUMMER,
    "2": Season.UTC,
    "W": Season.WINTER,
    "S": Season.SUMMER,
}
_COSEM = re.compile(r"[0-9A-Fa-f]{24}").fullmatch


# Years of the Persian, the Islamic and the Buddhist calendar. Twelve digits that begin with 1404 could be one of 2014 too.
_OTHER_CALENDAR = re.compile(
    r"(?:13[2-9]\d|14\d\d|25[5-9]\d)(?P<between>-?)(?:0[1-9]|1[0-2])(?P=between)(?:0[1-9]|[12]\d|3[01])"
    r"(?:[ T,&]?\d\d:?\d\d(?::\d\d)?)?",
    re.ASCII,
).fullmatch


def is_of_other_calendar(text: str) -> bool:
    """Whether the text is a date whose year is counted otherwise, or cannot be told from one."""
    return _OTHER_CALENDAR(text.strip()) is not None


def timestamp(text: str, kind: TimeKind | None = None) -> MeterTime | None:
    """The text as a moment of the meter's clock, None where it is none.

    Without `kind` only forms that can be nothing else count: a date with its hyphens, or P1's YYMMDDhhmmss with S
    or W. With it a bare number counts too, with the season digit of German meters in front (0 normal, 1 summer,
    2 UTC), and a COSEM date-time of twelve octets in hexadecimal. Dates that are none (00-00-00, 99-99-99) or of another
    calendar, days without a year, and the year 2000, in which unset clocks begin, give None.
    """
    text = text.strip()
    if is_of_other_calendar(text):
        return None
    for pattern in _BY_FORM if kind is None else (*_BY_FORM, *_BY_KIND[kind]):
        if (found := pattern.fullmatch(text)) and (moment := _moment(found.groupdict())):
            return moment
    if kind is not TimeKind.DATE or not _COSEM(text):
        return None
    moment = cosem_time(bytes.fromhex(text))
    return None if moment.date is None or moment.time is None else moment


# Unset clocks begin in 2000; the end keeps every moment of every zone within what a datetime can hold.
_YEARS = range(2001, 2100)


def _moment(parts: dict[str, str | None]) -> MeterTime | None:
    """Put the named parts of a pattern together."""
    numbers = {**parts, "season": None, "offset": None}
    values = {name: int(text) for name, text in numbers.items() if text}
    date = time = None
    try:
        if (year := values.get("year")) is not None:
            date = dt.date(year if year > 99 else year + 2000, values["month"], values["day"])
            if date.year not in _YEARS:
                return None
        if "hour" in values:
            time = dt.time(values["hour"], values["minute"], values.get("second", 0))
    except ValueError:
        return None
    offset = None
    if text := parts.get("offset"):
        offset = dt.timedelta(hours=int(text[1:3]), minutes=int(text[4:6])) * int(f"{text[0]}1")
    return MeterTime(date, time, _SEASONS.get(parts.get("season") or ""), offset)


_UNSPECIFIED = -0x8000


def cosem_time(octets: bytes) -> MeterTime:
    """A COSEM date-time (12 octets), date (5) or time (4) (Blue Book 4.1.6.1).

    A date-time is year (2), month, day, weekday, hour, minute, second, 1/100, deviation (2), clock status. What is left
    open (FF, or FD and FE for a day counted from the end) is a missing date or time.
    """
    if len(octets) == 4:
        return MeterTime(None, _cosem_clock(octets))
    date = _cosem_date(octets[:5])
    if len(octets) == 5:
        return MeterTime(date, None)
    time, deviation = _cosem_clock(octets[5:9]), int.from_bytes(octets[9:11], signed=True)
    if deviation == _UNSPECIFIED:
        return MeterTime(date, time)
    season = None
    if octets[11] != 0xFF:
        season = Season.SUMMER if octets[11] & 0x80 else Season.WINTER
    return MeterTime(date, time, season, dt.timedelta(minutes=-deviation))


def _cosem_date(octets: bytes) -> dt.date | None:
    year = int.from_bytes(octets[:2])
    if year not in _YEARS:
        return None
    try:
        return dt.date(year, octets[2], octets[3])
    except ValueError:
        return None


def _cosem_clock(octets: bytes) -> dt.time | None:
    hour, minute, second, hundredths = (0 if octet == 0xFF else octet for octet in octets)
    try:
        return dt.time(hour, minute, second, hundredths * 10_000) if octets[0] != 0xFF else None
    except ValueError:
        return None
