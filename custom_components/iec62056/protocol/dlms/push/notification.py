"""The data-notification (Green Book 9.3.10): when it was built, and the elements of its body."""

from dataclasses import dataclass
import re

from ...dlms_errors import DlmsMalformed
from ..axdr import Reader
from ..clock import DateTime, date_time
from ..data import Tag
from .contents import Element, elements, is_date_time

DATA_NOTIFICATION = 0x0F
_DATE_TIME = 12
_NO_DATE_TIME = 0x00

# A telegram of P1 in place of an APDU (Luxembourg, Styria).
_P1 = re.compile(rb"/[A-Za-z]{3}[ -~]{2}")


@dataclass(frozen=True, slots=True)
class Notification:
    """One data-notification."""

    moment: DateTime | None
    elements: tuple[Element, ...]


def is_p1(plain: bytes) -> bool:
    """Whether a plaintext begins as a P1 telegram."""
    return _P1.match(plain) is not None


def begins_right(plain: bytes) -> bool:
    """Whether a plaintext begins as a push must; noise does so once in millions."""
    if is_p1(plain):
        return True
    try:
        _read_head(reader := Reader(plain))
        return reader.octet() in (Tag.ARRAY, Tag.STRUCTURE, Tag.OCTET_STRING)
    except DlmsMalformed:
        return False


def notification(apdu: bytes) -> Notification:
    """The data-notification in an APDU, to its last octet. Raises DlmsMalformed."""
    reader = Reader(apdu)
    moment = _read_head(reader)
    return Notification(moment, elements(reader.take(reader.left)))


def _read_head(reader: Reader) -> DateTime | None:
    """Pass over tag and invoke id to the date-time: empty, twelve octets, or an octet-string of them (Kaifa)."""
    if reader.octet() != DATA_NOTIFICATION:
        raise DlmsMalformed(why="it is no data-notification")
    reader.number(4)
    length = reader.octet()
    if length == Tag.OCTET_STRING:
        length = reader.octet()
    if length == _NO_DATE_TIME:
        return None
    if length != _DATE_TIME:
        raise DlmsMalformed(why="its time has another length than it should")
    octets = reader.take(_DATE_TIME)
    if not is_date_time(octets):
        raise DlmsMalformed(why="its time is none")
    return date_time(octets)
