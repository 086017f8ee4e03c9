"""Frames that carry pushed telegrams, cut out of octets of a stream that starts anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import re

from ...dlms_errors import DlmsMalformed
from ..axdr import Reader
from ..frame import Frame, frame_at
from ..scanner import FLAG, Finder, Found

# A long frame of EN 13757-2 with the transport layer that joins segments (EN 13757-1).
_MBUS_START, _MBUS_STOP = 0x68, 0x16
_MBUS_AROUND = 6
_MBUS_HEAD = 7
# C, A, CI, STSAP, DTSAP and one octet of data.
_MBUS_LEAST = 6
# SND_UD, whatever its frame count bit.
_SEND_USER_DATA, _FRAME_COUNT = 0x53, 0x20
_NUMBER, _LAST = 0x0F, 0x10

GENERAL_GLO, GENERAL_DED = 0xDB, 0xDC
TITLE = 8
# Tag, title, length, security control: nothing is said of a block before so much of it is there.
_BLOCK_HEAD = 16
# The longest known has 711 octets (Luxembourg). A false start may hold up what follows for as long.
_MAX_BLOCK = 2048
_ENCRYPTED, _NO_SUITE = 0x20, 0xCC

_P1_NAME = re.compile(rb"(/[A-Za-z]{3}[ -~]{1,28})\r\n\r\n")
_P1_HEAD = 36 + _BLOCK_HEAD


@dataclass(frozen=True, slots=True)
class MBusFrame:
    """One M-Bus long frame: `addresses` are A, STSAP and DTSAP; `number` counts the frames of a message from 0."""

    addresses: bytes
    number: int
    last: bool
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Block:
    """A ciphered APDU without a frame, or behind the identification of a P1 telegram, its `name`.

    Nothing around it tells whether it arrived as it was sent: only its tag, or the check of what is within.
    """

    apdu: bytes = field(repr=False)
    name: str = ""


type Part = Frame | MBusFrame | Block


def _mbus_at(held: bytearray, start: int) -> Found[Part]:
    head = held[start : start + _MBUS_HEAD]
    if len(head) < _MBUS_HEAD:
        return None, None
    if head[1] != head[2] or head[3] != _MBUS_START:
        return None, 0
    if head[4] & ~_FRAME_COUNT != _SEND_USER_DATA or head[6] & ~(_NUMBER | _LAST):
        return None, 0
    # Sagemcom T210-D: the length of a frame of 257 octets is cut to eight bits.
    length = head[1] if head[1] >= _MBUS_LEAST else 0x100 + head[1]
    size = length + _MBUS_AROUND
    content = bytes(held[start + 4 : start + size])
    if content[length:] != bytes((sum(content[:length]) & 0xFF, _MBUS_STOP)):
        return None, size
    number, last = content[2] & _NUMBER, bool(content[2] & _LAST)
    return MBusFrame(content[1:2] + content[3:5], number, last, content[5:length]), size


def _block_at(held: bytearray, start: int) -> Found[Part]:
    head = bytes(held[start : start + _BLOCK_HEAD])
    if len(head) < _BLOCK_HEAD:
        return None, None
    size = head[1] == TITLE and 1 + _sealed_size(head[1:])
    if size < _BLOCK_HEAD or start + size > len(held):
        return None, size if size >= _BLOCK_HEAD else 0
    return Block(bytes(held[start : start + size])), size


def _p1_at(held: bytearray, start: int) -> Found[Part]:
    head = bytes(held[start : start + _P1_HEAD])
    if len(head) < _P1_HEAD:
        return None, None
    if (name := _P1_NAME.match(head)) is None:
        return None, 0
    begin = name.end()
    # Elgama leaves the tag out.
    tagged = head[begin] in (GENERAL_GLO, GENERAL_DED)
    sealed = _sealed_size(head[begin + tagged :])
    size = begin + tagged + sealed + 1
    if not sealed or start + size > len(held):
        return None, size if sealed else 0
    if held[start + size - 1] != ord("!"):
        return None, size
    apdu = bytes(held[start + begin : start + size - 1])
    apdu = apdu if tagged else bytes((GENERAL_GLO,)) + apdu
    return Block(apdu, name[1].decode("ascii")), size


def _sealed_size(head: bytes) -> int:
    """How many octets title, length and content of a ciphered APDU take that begin so; 0 where they are none."""
    reader = Reader(head)
    try:
        title = reader.string()
        length = reader.length()
        size = len(head) - reader.left + length
        control = reader.octet()
    except DlmsMalformed:
        return 0
    named = len(title) == TITLE and title[:3].isalpha()
    ciphered = control & _ENCRYPTED and not control & _NO_SUITE
    return size if (named or not title) and ciphered and 5 < length <= _MAX_BLOCK else 0


KINDS: Mapping[int, Finder[Part]] = {
    FLAG: frame_at,
    _MBUS_START: _mbus_at,
    ord("/"): _p1_at,
    GENERAL_GLO: _block_at,
    GENERAL_DED: _block_at,
}
