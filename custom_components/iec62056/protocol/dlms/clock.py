"""Dates and times of COSEM (Blue Book 4.1.6.1), and the moments they mean."""

from dataclasses import dataclass
import datetime as dt
from enum import IntFlag

from ..dlms_errors import DlmsMalformed, DlmsUnsent
from ..values import MeterTime, Season


class ClockStatus(IntFlag):
    """The last octet of a date-time (Blue Book 4.1.6.1)."""

    INVALID = 0x01
    DOUBTFUL = 0x02
    OTHER_BASE = 0x04
    INVALID_STATUS = 0x08
    DAYLIGHT_SAVING = 0x80


@dataclass(frozen=True, slots=True)
class DateTime:
    """A date-time of twelve octets. `deviation` is in minutes as sent, None where unspecified, as is `status`.

    By the standard the deviation is what leads from the local time to UTC: -60 for Central European winter time.
    Some meters send the opposite sign (MCS301).
    """

    moment: MeterTime
    deviation: int | None = None
    status: ClockStatus | None = None

    def utc(self, zone: dt.tzinfo) -> dt.datetime | None:
        """The moment in UTC, None where part of it is missing.

        `zone` is where the meter is. It decides which sign the deviation has: the one that comes nearer to the
        zone, the standard's where both do. Without a deviation the moment is local time there.
        """
        taken = self.moment.utc(zone)
        if self.deviation is None or self.moment.date is None or self.moment.time is None:
            return taken
        local = dt.datetime.combine(self.moment.date, self.moment.time)
        # The hour that is skipped in spring gives no moment, but its offset is as good as any.
        offset = local.replace(tzinfo=zone).utcoffset() or dt.timedelta(0)
        ahead = dt.timedelta(minutes=self.deviation)
        nearest = ahead if self.inverted(offset) else -ahead
        return (local - nearest).replace(tzinfo=dt.UTC)

    def inverted(self, offset: dt.timedelta) -> bool:
        """Whether the deviation has the opposite sign of the standard's, in a place that is `offset` ahead of UTC."""
        ahead = dt.timedelta(minutes=self.deviation or 0)
        return abs(ahead - offset) < abs(-ahead - offset)


_UNSPECIFIED_DEVIATION = -0x8000


def date_time(octets: bytes) -> DateTime:
    """A date-time, date or time of COSEM (Blue Book 4.1.6.1). Raises DlmsMalformed where it has another length.

    What is left open (FF, or FD and FE for a day counted from the end) is a missing date or time.
    """
    match len(octets):
        case 12:
            date, time, tail = octets[:5], octets[5:9], octets[9:]
        case 5:
            date, time, tail = octets, b"", b""
        case 4:
            date, time, tail = b"", octets, b""
        case _:
            raise DlmsMalformed(why="a time has another length than it should")
    deviation = int.from_bytes(tail[:2], signed=True) if tail else _UNSPECIFIED_DEVIATION
    # FF says that the clock gives no status.
    status = ClockStatus(tail[2]) if tail and tail[2] != 0xFF else None
    known = deviation != _UNSPECIFIED_DEVIATION
    season = None
    if known and status is not None:
        summer = ClockStatus.DAYLIGHT_SAVING in status
        season = Season.SUMMER if summer else Season.WINTER
    moment = MeterTime(_date(date), _time(time), season)
    return DateTime(moment, deviation if known else None, status)


# Unset clocks begin in 2000 or before; the end keeps every moment of every zone within what a datetime can hold.
_YEARS = range(2001, 2100)


def _date(octets: bytes) -> dt.date | None:
    year = int.from_bytes(octets[:2])
    if year not in _YEARS:
        return None
    try:
        return dt.date(year, octets[2], octets[3])
    except ValueError:
        return None


def _time(octets: bytes) -> dt.time | None:
    if not octets:
        return None
    hour, minute, second, hundredths = (0 if octet == 0xFF else octet for octet in octets)
    try:
        return dt.time(hour, minute, second, hundredths * 10_000) if octets[0] != 0xFF else None
    except ValueError:
        return None


def encode_date_time(
    local: dt.datetime, *, daylight_saving: bool = False, inverted: bool = False
) -> bytes:
    """The twelve octets of an aware time, as a meter's clock is set or a range begins.

    `inverted` is for meters that give their deviation the opposite sign. Raises DlmsUnsent without an offset.
    """
    offset = local.utcoffset()
    if offset is None:
        raise DlmsUnsent(why="a time has no offset from UTC")
    minutes = int(offset.total_seconds()) // 60
    deviation = minutes if inverted else -minutes
    status = ClockStatus.DAYLIGHT_SAVING if daylight_saving else 0
    return (
        local.year.to_bytes(2)
        + bytes((local.month, local.day, local.isoweekday()))
        + bytes((local.hour, local.minute, local.second, local.microsecond // 10_000))
        + deviation.to_bytes(2, signed=True)
        + bytes((status,))
    )
