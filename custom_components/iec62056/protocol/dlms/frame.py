"""HDLC frames of type 3 (IEC 62056-46): encodes them, and finds them in a stream that starts anywhere."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from ..dlms_errors import DlmsUnsent
from ..reasons import Unsent
from .scanner import FLAG, Found

# The length field has 11 bits; it counts everything between the flags (ISO 13239 4.9.3).
_MAX_LENGTH = 0x7FF
MAX_INFORMATION = 2030
# Format, two addresses, control, FCS.
_MIN_LENGTH = 7
_FORMAT_TYPE_3 = 0xA0
_SEGMENTED = 0x08
_POLL_FINAL = 0x10


class Kind(Enum):
    """What a frame is for: the control field without its numbers and its poll/final bit."""

    INFORMATION = 0x00
    RR = 0x01
    RNR = 0x05
    REJ = 0x09
    UI = 0x03
    DM = 0x0F
    DISC = 0x43
    UA = 0x63
    SNRM = 0x83
    FRMR = 0x87

    @property
    def numbered(self) -> bool:
        """Whether the frame carries N(R)."""
        return self in (Kind.INFORMATION, Kind.RR, Kind.RNR, Kind.REJ)


def _crc_table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        crc = octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC = _crc_table()


def check_sequence(octets: bytes) -> bytes:
    """The HCS or FCS over these octets: CRC-16/X.25, low octet first (IEC 62056-46 6.4.4.2)."""
    crc = 0xFFFF
    for octet in octets:
        crc = crc >> 8 ^ _CRC[(crc ^ octet) & 0xFF]
    return (crc ^ 0xFFFF).to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Address:
    """An HDLC address: `upper` is the logical device (of a client: its SAP), `lower` the physical one.

    It takes 1, 2 or 4 octets of 7 bits each (IEC 62056-46 6.4.2); without `lower` it takes 1. Raises DlmsUnsent.
    """

    upper: int
    lower: int | None = None
    octets: int = 1

    def __post_init__(self) -> None:
        limit = 1 << (14 if self.octets == 4 else 7)
        right = self.octets in ((1,) if self.lower is None else (2, 4))
        if not right or not (0 <= self.upper < limit and 0 <= (self.lower or 0) < limit):
            raise DlmsUnsent(why="there is no such HDLC address")

    @classmethod
    def server(cls, upper: int, lower: int | None = None) -> Self:
        """The shortest address of a server; a meter that wants a longer one says so in its manual."""
        if lower is None:
            return cls(upper)
        return cls(upper, lower, 2 if max(upper, lower) < 0x80 else 4)

    def encode(self) -> bytes:
        """The octets of the address; the last one has bit 0 set."""
        if self.lower is None:
            return bytes((self.upper << 1 | 1,))
        if self.octets == 2:
            return bytes((self.upper << 1, self.lower << 1 | 1))
        halves = (self.upper >> 7, self.upper & 0x7F, self.lower >> 7, self.lower & 0x7F)
        return bytes(half << 1 | (place == 3) for place, half in enumerate(halves))

    def answers_for(self, called: Self) -> bool:
        """Whether a frame from this address may answer a call to `called`, which may be the all-station address.

        Who is called by the logical device alone may name the physical one.
        """
        everyone = (0x7F,) if called.octets < 4 else (0x3FFF,)
        lower = (self.lower, None, *everyone)
        return called.upper in (self.upper, *everyone) and called.lower in lower


def _address(octets: bytes) -> Address | None:
    """The address at the beginning of the octets, None where there is none."""
    size = next((place for place, octet in enumerate(octets[:4], 1) if octet & 1), 0)
    halves = [octet >> 1 for octet in octets[:size]]
    match size:
        case 1:
            return Address(halves[0])
        case 2:
            return Address(halves[0], halves[1], 2)
        case 4:
            return Address(halves[0] << 7 | halves[1], halves[2] << 7 | halves[3], 4)
    return None


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `final` is the poll/final bit; `send` is N(S), `receive` N(R), both modulo 8."""

    kind: Kind
    destination: Address
    source: Address
    final: bool = True
    send: int = 0
    receive: int = 0
    segmented: bool = False
    # It may hold a password.
    information: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """The octets from flag to flag. Raises DlmsUnsent where the information is too long."""
        if len(self.information) > MAX_INFORMATION:
            raise DlmsUnsent(why=Unsent.LONG)
        control = self.kind.value | (_POLL_FINAL if self.final else 0)
        if self.kind.numbered:
            control |= self.receive << 5
        if self.kind is Kind.INFORMATION:
            control |= self.send << 1
        header = self.destination.encode() + self.source.encode() + bytes((control,))
        checks = 4 if self.information else 2
        length = 2 + len(header) + len(self.information) + checks
        field_ = _FORMAT_TYPE_3 << 8 | (_SEGMENTED << 8 if self.segmented else 0) | length
        content = field_.to_bytes(2) + header
        if self.information:
            content += check_sequence(content) + self.information
        return bytes((FLAG,)) + content + check_sequence(content) + bytes((FLAG,))


def _kind(control: int) -> Kind | None:
    if not control & 1:
        return Kind.INFORMATION
    # Supervisory frames have N(R) in bits 5 to 7, unnumbered ones a part of their name.
    mask = 0x0F if control & 3 == 1 else 0xFF & ~_POLL_FINAL
    try:
        return Kind(control & mask)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Header:
    """Both addresses and the control field, and how many octets they and the format take."""

    destination: Address
    source: Address
    control: int
    size: int

    @classmethod
    def read(cls, content: bytes) -> Self | None:
        """The header of a frame whose first octets are there; None where they are none, or not all there."""
        destination = _address(content[2:6])
        if destination is None:
            return None
        start = 2 + destination.octets
        source = _address(content[start : start + 4])
        if source is None or len(content) <= start + source.octets:
            return None
        end = start + source.octets
        return cls(destination, source, content[end], end + 1)


# Format, two addresses of 4 octets, control, HCS: enough to judge any header.
_LONGEST_HEADER = 13


def _decode(content: bytes) -> Frame | None:
    """The frame between two flags, its FCS included; None where a check is wrong or the form is unknown."""
    header = _Header.read(content)
    if header is None:
        return None
    kind = _kind(header.control)
    rest = content[header.size : -2]
    if kind is None or len(rest) in (1, 2) or len(content) < header.size + 2:
        return None
    # The short check first: noise has flags everywhere.
    if rest and check_sequence(content[: header.size]) != rest[:2]:
        return None
    if check_sequence(content[:-2]) != content[-2:]:
        return None
    return Frame(
        kind=kind,
        destination=header.destination,
        source=header.source,
        final=bool(header.control & _POLL_FINAL),
        send=header.control >> 1 & 7 if kind is Kind.INFORMATION else 0,
        receive=header.control >> 5 if kind.numbered else 0,
        segmented=bool(content[0] & _SEGMENTED),
        information=rest[2:],
    )


def frame_at(held: bytearray, start: int) -> Found[Frame]:
    """The frame behind the flag at `start`, and how many octets it takes with its flags; see `scanner`."""
    size = _size(held, start)
    if not size:
        return None, size
    if not _header_right(held, start, size):
        return None, 0
    end = start + size + 1
    whole = end < len(held) and held[end] == FLAG
    return _decode(bytes(held[start + 1 : end])) if whole else None, size + 2


def _size(held: bytearray, start: int) -> int | None:
    """The length behind a flag; 0 where no frame begins there, None where it is not there yet."""
    format_ = held[start + 1 : start + 3]
    if format_ and format_[0] & 0xF0 != _FORMAT_TYPE_3:
        return 0
    if len(format_) < 2:
        return None
    length = int.from_bytes(format_) & _MAX_LENGTH
    return length if length >= _MIN_LENGTH else 0


def _header_right(held: bytearray, start: int, size: int) -> bool:
    """Whether a frame that begins here can be one, by as much of its header as is there."""
    content = bytes(held[start + 1 : start + 1 + min(size, _LONGEST_HEADER)])
    header = _Header.read(content)
    if header is None:
        return len(content) < min(size, _LONGEST_HEADER)
    if size <= header.size + 2:
        return size == header.size + 2
    check = content[header.size : header.size + 2]
    return len(check) < 2 or check == check_sequence(content[: header.size])
