"""The meter's end of an HDLC link: frames in, frames out; windows, segments, what it does with a lost one."""

from collections.abc import Callable
from dataclasses import dataclass, field

FLAG = 0x7E
COMMAND, RESPONSE = b"\xe6\xe6\x00", b"\xe6\xe7\x00"
SNRM, DISC, UA, DM, RNR, FRMR = 0x83, 0x43, 0x63, 0x0F, 0x05, 0x87
FINAL = 0x10


def crc(content: bytes) -> bytes:
    """CRC-16/X.25, bit by bit."""
    value = 0xFFFF
    for octet in content:
        for bit in range(8):
            mixed = (value ^ (octet >> bit)) & 1
            value = value >> 1 ^ (0x8408 if mixed else 0)
    return (value ^ 0xFFFF).to_bytes(2, "little")


def address(upper: int, lower: int | None, count: int) -> bytes:
    """A server's address in 1, 2 or 4 octets."""
    if lower is None or count == 1:
        return bytes([upper * 2 + 1])
    if count == 2:
        return bytes([upper * 2, lower * 2 + 1])
    return bytes([upper >> 7 << 1, (upper & 127) * 2, lower >> 7 << 1, (lower & 127) * 2 + 1])


def build(
    to: bytes, source: bytes, control: int, content: bytes = b"", *, more: bool = False
) -> bytes:
    """A frame with its flags."""
    size = 2 + len(to) + len(source) + 1 + (2 + len(content) if content else 0) + 2
    head = (0xA000 | more << 11 | size).to_bytes(2) + to + source + bytes([control])
    if content:
        head += crc(head) + content
    return b"\x7e" + head + crc(head) + b"\x7e"


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame of a client."""

    to: bytes
    client: bytes
    control: int
    content: bytes
    more: bool


def split(content: bytes) -> Heard | None:
    """What stands between two flags, as a frame; None where its checks are wrong."""
    if len(content) < 7 or crc(content[:-2]) != content[-2:]:
        return None
    places = [place for place in range(2, len(content)) if content[place] & 1][:2]
    if len(places) < 2:
        return None
    to, client = content[2 : places[0] + 1], content[places[0] + 1 : places[1] + 1]
    head = places[1] + 2
    rest = content[head:-2]
    if rest and crc(content[:head]) != rest[:2]:
        return None
    return Heard(to, client, content[head - 1], rest[2:], bool(content[0] & 8))


class Collector:
    """Frames out of the octets of a client, by their length."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, octet: int) -> Heard | None:
        """The frame that this octet completes."""
        held = self._held
        if not held and octet != FLAG:
            return None
        held.append(octet)
        if held == b"\x7e\x7e":
            del held[0]
        if len(held) < 3:
            return None
        size = (held[1] & 7) << 8 | held[2]
        if held[1] >> 4 != 0xA or size < 7:
            self._held = bytearray(b"\x7e") if octet == FLAG else bytearray()
            return None
        if len(held) < size + 2:
            return None
        self._held = bytearray()
        return split(bytes(held[1:-1])) if octet == FLAG else None


@dataclass(slots=True)
class LinkFaults:
    """What goes wrong on the way to the client; frames are counted from 1 over the meter's life.

    `lost` frames never arrive, `damaged` ones have a bit turned over; `busy`: so many RNR before an answer;
    `closes_after`: DM in place of everything behind that frame, once.
    """

    lost: set[int] = field(default_factory=set)
    damaged: set[int] = field(default_factory=set)
    busy: int = 0
    closes_after: int | None = None


class Station:
    """One link at a time. `answer` gives the answer to a message of a client."""

    def __init__(
        self,
        own: bytes,
        answer: Callable[[int, bytes], bytes],
        *,
        size: int = 128,
        window: int = 1,
        faults: LinkFaults | None = None,
    ) -> None:
        """`size` is the longest information field in octets, `window` how many frames go out in one turn."""
        self.own = own
        self.faults = faults or LinkFaults()
        self.connected = False
        self.hung_up = False
        self.turns = 0
        self._answer = answer
        self._most = (size, window)
        self._size, self._window = size, window
        self._sent = 0
        self._client = b""
        self._reset()

    def _reset(self) -> None:
        self._expected = 0
        self._acknowledged = 0
        self._message = b""
        self._out: list[tuple[bytes, bool]] = []

    def hears(self, heard: Heard) -> bytes:
        """What goes out after that frame; nothing where it is not for this meter, or not the last of its window."""
        if heard.to != self.own:
            return b""
        kind = heard.control & ~FINAL
        if kind in (SNRM, DISC):
            return self._connects(heard) if kind == SNRM else self._disconnects(heard)
        if not self.connected or heard.client != self._client:
            return b""
        if self.faults.closes_after is not None and self._sent >= self.faults.closes_after:
            self.faults.closes_after = None
            self.connected = False
            return self._frame(DM | FINAL)
        done = ((heard.control >> 5) - self._acknowledged) % 8
        if done <= len(self._out):
            del self._out[:done]
            self._acknowledged = heard.control >> 5
        if not heard.control & 1 and heard.control >> 1 & 7 == self._expected:
            self._expected = (self._expected + 1) % 8
            self._message += heard.content
            if not heard.more:
                self._understand()
        return self._turn() if heard.control & FINAL else b""

    def _understand(self) -> None:
        message, self._message = self._message, b""
        if not message.startswith(COMMAND):
            return
        reply = self._answer(self._client[0] >> 1, message[3:])
        if reply:
            reply = RESPONSE + reply
            parts = [reply[at : at + self._size] for at in range(0, len(reply), self._size)]
            self._out = [(part, number < len(parts)) for number, part in enumerate(parts, 1)]

    def _turn(self) -> bytes:
        self.turns += 1
        if self.faults.busy:
            self.faults.busy -= 1
            return self._frame(RNR | self._expected << 5 | FINAL)
        burst = self._out[: self._window]
        if not burst:
            return self._frame(0x01 | self._expected << 5 | FINAL)
        out = b""
        for place, (part, more) in enumerate(burst, 1):
            number = (self._acknowledged + place - 1) % 8
            final = FINAL if place == len(burst) else 0
            out += self._frame(self._expected << 5 | final | number << 1, part, more=more)
        return out

    def _connects(self, heard: Heard) -> bytes:
        self._reset()
        self.connected, self.hung_up = True, False
        self._client = heard.client
        asked = _parameters(heard.content)
        size, window = self._most
        # The client's transmit length bounds what we receive, and the other way round.
        receive = min(size, asked.get(5, 128))
        self._size = min(size, asked.get(6, 128))
        self._window = min(window, asked.get(8, 1))
        own_window = min(window, asked.get(7, 1))
        fields = [(5, self._size, 2), (6, receive, 2), (7, self._window, 4), (8, own_window, 4)]
        body = b"".join(bytes([name, long]) + value.to_bytes(long) for name, value, long in fields)
        return self._frame(UA | FINAL, b"\x81\x80" + bytes([len(body)]) + body)

    def _disconnects(self, heard: Heard) -> bytes:
        self._client = heard.client
        answer = self._frame((UA if self.connected else DM) | FINAL)
        self.connected = False
        self.hung_up = True
        return answer

    def _frame(self, control: int, content: bytes = b"", *, more: bool = False) -> bytes:
        self._sent += 1
        if self._sent in self.faults.lost:
            return b""
        out = bytearray(build(self._client, self.own, control, content, more=more))
        if self._sent in self.faults.damaged:
            out[len(out) // 2] ^= 0x04
        return bytes(out)


def _parameters(content: bytes) -> dict[int, int]:
    found: dict[int, int] = {}
    at = 3
    while at + 1 < len(content):
        found[content[at]] = int.from_bytes(content[at + 2 : at + 2 + content[at + 1]])
        at += 2 + content[at + 1]
    return found
