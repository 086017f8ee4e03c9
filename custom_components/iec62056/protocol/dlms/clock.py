"""Dates and times of COSEM (Blue Book 4.1.6.1), and the moments they mean."""

from dataclasses import dataclass
import datetime as dt
from enum import IntFlag

from ..dlms_errors import DlmsMalformed, DlmsUnsent
from ..values import MeterTime, cosem_time


class ClockStatus(IntFlag):
    """The last octet of a date-time (Blue Book 4.1.6.1)."""

    INVALID = 0x01
    DOUBTFUL = 0x02
    OTHER_BASE = 0x04
    INVALID_STATUS = 0x08
    DAYLIGHT_SAVING = 0x80


@dataclass(frozen=True, slots=True)
class DateTime:
    """A date-time of twelve octets. `deviation` is in minutes as sent, None where unspecified, as is `status`."""

    moment: MeterTime
    deviation: int | None = None
    status: ClockStatus | None = None

    def utc(self, zone: dt.tzinfo) -> dt.datetime | None:
        """The moment in UTC, None where part of it is missing; `zone` is where the meter is."""
        return self.moment.utc(zone)

    def inverted(self, offset: dt.timedelta) -> bool:
        """Whether the deviation has the opposite sign of the standard's, in a place that is `offset` ahead of UTC."""
        return self.moment.inverted(offset)


def date_time(octets: bytes) -> DateTime:
    """A date-time, date or time of COSEM (Blue Book 4.1.6.1). Raises DlmsMalformed where it has another length."""
    if len(octets) not in (4, 5, 12):
        raise DlmsMalformed(why="a time has another length than it should")
    moment = cosem_time(octets)
    deviation = None if moment.offset is None else -int(moment.offset.total_seconds()) // 60
    # FF says that the clock gives no status.
    status = ClockStatus(octets[11]) if octets[11:] not in (b"", b"\xff") else None
    return DateTime(moment, deviation, status)


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
