"""Converts a text or a time into the type that a register has, and a refusal of the meter into an error."""

import datetime as dt
from decimal import Decimal, InvalidOperation

from ..dlms_errors import DlmsMalformed, DlmsUnsent
from ..errors import (
    AccessDenied,
    ClockUnknown,
    MeterError,
    MeterRefused,
    PasswordNeeded,
    UnknownRegister,
    ValueRefused,
)
from ..reasons import Unsent
from ..register_session import Level
from .apdu import MISSING, AccessResult, Unreadable
from .clock import ClockStatus, DateTime, date_time, encode_date_time
from .cosem import ScalerUnit
from .data import Data, Tag

_UNSPECIFIED = b"\x80\x00"
_DEVIATION = slice(9, 11)
# A clock is read back some turns after it was set, over a slow line.
_SET_WITHIN = dt.timedelta(seconds=30)


def refusal(result: AccessResult | Unreadable, code: str, level: Level) -> MeterError:
    """Why the meter did not give or take an attribute, as modes A to D would say it."""
    if isinstance(result, Unreadable):
        return result.error
    message = result.name.lower().replace("_", " ")
    if result.denied:
        return (PasswordNeeded if level is Level.OPEN else AccessDenied)(code=code, message=message)
    if result in MISSING:
        return UnknownRegister(code=code, message=message)
    if result is AccessResult.TYPE_UNMATCHED:
        return ValueRefused(code=code, message=message)
    return MeterRefused(message=f"{code}, {message}")


def parsed(text: str, present: Data, scaler: ScalerUnit | None) -> Data:
    """A text as the type that the register has at present, exactly. Raises DlmsUnsent where it is none of that type."""
    match present.value:
        case bool():
            if text not in ("0", "1"):
                raise DlmsUnsent(why=Unsent.ZERO_OR_ONE)
            return Data(present.tag, text == "1")
        case int():
            return Data(present.tag, _whole(text, 0 if scaler is None else scaler.scaler))
        case str():
            return Data(present.tag, text)
        case bytes() if present.tag is Tag.OCTET_STRING:
            return Data(present.tag, _octets(text, present.value))
    raise DlmsUnsent(why=Unsent.FIXED)


def _whole(text: str, scaler: int) -> int:
    """The raw number that stands for a text, times ten to the scaler. No digit is rounded away."""
    try:
        number = Decimal(text)
        sign, digits, exponent = number.as_tuple()
    except InvalidOperation:
        raise DlmsUnsent(why=Unsent.NO_NUMBER) from None
    # An exponent of thousands is no value of a meter, and would take a memory of its own.
    if not number.is_finite() or not -64 < int(exponent) < 64:
        raise DlmsUnsent(why=Unsent.NO_NUMBER)
    raw = Decimal((sign, digits, int(exponent) - scaler))
    if raw != raw.to_integral_value():
        raise DlmsUnsent(why=Unsent.DECIMALS)
    return int(raw)


def _octets(text: str, present: bytes) -> bytes:
    """Octets as they are shown: text where the present ones are printable, else hexadecimal digits."""
    if present.isascii() and present.decode("ascii").isprintable():
        try:
            return text.encode("ascii")
        except UnicodeEncodeError:
            raise DlmsUnsent(why=Unsent.CHARACTERS) from None
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise DlmsUnsent(why=Unsent.DIGITS) from None


def clock(time: dt.datetime, present: Data) -> Data:
    """A time as this meter's clock takes it: its own offset from UTC, its own sign of it (MCS301), or without one.

    Raises ClockUnknown where the clock is none of COSEM, DlmsUnsent for a time without a zone.
    """
    now = _moment(present)
    local, inverted = time, False
    offset = time.utcoffset()
    if now.deviation is not None and now.moment.date is not None and offset is not None:
        ahead = dt.timedelta(minutes=now.deviation)
        inverted = now.inverted(offset)
        # A clock that stays on winter time, or on UTC, is left there.
        local = time.astimezone(dt.timezone(ahead if inverted else -ahead))
    summer = now.status is not None and ClockStatus.DAYLIGHT_SAVING in now.status
    octets = bytearray(encode_date_time(local, daylight_saving=summer, inverted=inverted))
    if now.deviation is None:
        octets[_DEVIATION] = _UNSPECIFIED
    return Data(present.tag, bytes(octets))


def clock_is(time: dt.datetime, present: Data) -> bool:
    """Whether a clock that was just set shows that time."""
    moment = _moment(present).utc(time.tzinfo or dt.UTC)
    return moment is not None and abs(moment - time) <= _SET_WITHIN


def _moment(present: Data) -> DateTime:
    try:
        octets = present.octets
        if len(octets) != 12:
            raise ClockUnknown
        return date_time(octets)
    except DlmsMalformed:
        raise ClockUnknown from None
