"""Whole messages out of frames: segments of HDLC, general block transfer, the transport layer of M-Bus."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from ...dlms_errors import DlmsMalformed
from ..axdr import Reader
from ..frame import Address, Frame, Kind
from ..scanner import Scanner
from .frames import KINDS, Block, MBusFrame, Part

_LLC = b"\xe6\xe7\x00"
GENERAL_BLOCK_TRANSFER = 0xE0
_LAST = 0x80
_CIPHERED = (b"\xdb", b"\xdc", b"\xdd")
MAX_MESSAGE = 1 << 16
# A message that is not whole after so many seconds without an octet never will be.
GIVEN_UP_AFTER = 2.0


class Carrier(StrEnum):
    """What carried a message."""

    HDLC = "hdlc"
    MBUS = "mbus"
    BARE = "bare"


@dataclass(frozen=True, slots=True)
class Message:
    """One APDU. `in_blocks`: it came by general block transfer. `name` is that of a P1 telegram around it."""

    apdu: bytes = field(repr=False)
    carrier: Carrier = Carrier.BARE
    in_blocks: bool = False
    to: Address | None = None
    name: str = ""

    @property
    def checked(self) -> bool:
        """Whether a check of its frames was right."""
        return self.carrier is not Carrier.BARE


class Receiver:
    """Messages out of octets as they arrive. Times are seconds of any steady clock.

    It holds one frame and one message at most. A message that breaks off is dropped when the next one begins.
    """

    def __init__(self) -> None:
        """Begin anywhere in a stream."""
        self._scanner: Scanner[Part] = Scanner(KINDS)
        self._segments = _Segments()
        self._blocks = _Blocks()
        self._mbus = _MBusSegments()
        self._heard_at = 0.0

    @property
    def damaged(self) -> int:
        """Frames whose end or check was wrong, so far."""
        return self._scanner.damaged

    @property
    def unfinished(self) -> int:
        """Messages that broke off, so far."""
        return self._segments.broken + self._blocks.broken + self._mbus.broken

    def feed(self, octets: bytes, now: float) -> list[Message]:
        """The messages that are whole now."""
        silent = self.silence() if now - self._heard_at > GIVEN_UP_AFTER else []
        self._heard_at = now
        return silent + self._messages(self._scanner.feed(octets))

    def silence(self) -> list[Message]:
        """The messages that are whole once nothing more follows; what has only begun is dropped."""
        messages = self._messages(self._scanner.silence()) + self._blocks.end()
        self._segments.end()
        self._mbus.end()
        return messages

    def _messages(self, parts: Iterable[Part]) -> list[Message]:
        return [message for part in parts for message in self._take(part)]

    def _take(self, part: Part) -> list[Message]:
        match part:
            case Block():
                return [Message(part.apdu, name=part.name)]
            case MBusFrame():
                return self._mbus.take(part)
        if part.kind not in (Kind.UI, Kind.INFORMATION) or not part.information:
            return []
        # Each block of general block transfer is a whole frame; only the first one has an LLC.
        if self._segments.idle and part.information[0] == GENERAL_BLOCK_TRANSFER:
            return self._blocks.take(part, part.information, begins=False)
        whole = self._segments.take(part)
        if whole is None:
            return []
        if whole[:1] == bytes((GENERAL_BLOCK_TRANSFER,)):
            return self._blocks.take(part, whole, begins=True)
        return [Message(whole, Carrier.HDLC, to=part.destination)]


class _Segments:
    """Information fields of segmented frames, joined. They carry no numbers: one that is lost shows by its length."""

    def __init__(self) -> None:
        self.broken = 0
        self._joined = bytearray()

    @property
    def idle(self) -> bool:
        """Whether no message has begun."""
        return not self._joined

    def take(self, frame: Frame) -> bytes | None:
        """The message that ends with this frame, without its LLC."""
        if frame.information.startswith(_LLC):
            self.end()
        elif self.idle:
            self.broken += 1
            return None
        self._joined += frame.information
        if len(self._joined) > MAX_MESSAGE:
            self.end()
        elif not frame.segmented:
            whole = bytes(self._joined[len(_LLC) :])
            self._joined.clear()
            return whole
        return None

    def end(self) -> None:
        """Nothing more follows."""
        self.broken += not self.idle
        self._joined.clear()


@dataclass(frozen=True, slots=True)
class _Part:
    """One block: the last one of its message or not, and what it holds."""

    last: bool
    octets: bytes


class _Blocks:
    """Blocks of general block transfer (Green Book 9.3.11), joined by their numbers.

    The frame with an LLC begins a message. Blocks that came before it may be its own too, sent out of order. They are
    used for a ciphered message alone, where blocks of two messages give nothing, and only once no other block of that
    number can follow.
    """

    def __init__(self) -> None:
        self.broken = 0
        self._to: Address | None = None
        self._parts: dict[int, _Part] = {}
        self._before: dict[int, _Part] = {}

    def take(self, frame: Frame, octets: bytes, *, begins: bool) -> list[Message]:
        """The messages that are whole with this block."""
        try:
            number, part = _read_block(octets)
        except DlmsMalformed:
            self._forget()
            return []
        given: list[Message] = []
        if begins:
            given = self.end() if self._parts else []
            self._to = frame.destination
            self._parts = {number: part}
        elif self._parts and number not in self._parts:
            self._parts[number] = part
        else:
            # Of a message whose beginning was lost, or is still to come.
            self.broken += bool(self._parts)
            self._parts = {}
            self._before[number] = part
        if (
            sum(len(one.octets) for one in (*self._parts.values(), *self._before.values()))
            > MAX_MESSAGE
        ):
            self._forget()
        return given + self._whole(self._parts)

    def end(self) -> list[Message]:
        """Nothing more follows."""
        given: list[Message] = []
        joined = self._before | self._parts
        if self._parts and 1 in joined and joined[1].octets[:1] in _CIPHERED:
            given = self._whole(joined)
        self._forget()
        return given

    def _whole(self, parts: dict[int, _Part]) -> list[Message]:
        last = next((number for number, part in parts.items() if part.last), 0)
        if not last or sorted(parts) != list(range(1, last + 1)):
            return []
        apdu = b"".join(parts[number].octets for number in range(1, last + 1))
        self._parts, self._before = {}, {}
        return [Message(apdu, Carrier.HDLC, in_blocks=True, to=self._to)]

    def _forget(self) -> None:
        self.broken += bool(self._parts)
        self._parts, self._before = {}, {}


def _read_block(octets: bytes) -> tuple[int, _Part]:
    """Number and content of a block. Raises DlmsMalformed."""
    reader = Reader(octets[1:])
    control, number, _ = reader.octet(), reader.number(2), reader.number(2)
    part = _Part(bool(control & _LAST), reader.string())
    if reader.left or not number:
        raise DlmsMalformed(why="a block has another length than it says")
    return number, part


class _MBusSegments:
    """Data of M-Bus frames, joined by their numbers."""

    def __init__(self) -> None:
        self.broken = 0
        self._addresses = b""
        self._next = 0
        self._joined = bytearray()

    def take(self, frame: MBusFrame) -> list[Message]:
        """The message that ends with this frame."""
        if frame.number == 0:
            self.end()
            self._addresses = frame.addresses
        elif (frame.addresses, frame.number) != (self._addresses, self._next):
            self.broken += not self._joined
            self.end()
            return []
        self._joined += frame.data
        # The numbers have four bits: a message has 16 frames at most.
        self._next = frame.number + 1
        if not frame.last:
            return []
        apdu = bytes(self._joined)
        self._joined.clear()
        self._addresses = b""
        return [Message(apdu, Carrier.MBUS)]

    def end(self) -> None:
        """Nothing more follows."""
        self.broken += bool(self._joined)
        self._joined.clear()
        self._addresses = b""
