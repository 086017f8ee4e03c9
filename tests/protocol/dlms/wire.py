"""Frames and a station for the tests, written down from the standard: no line of it is the client's."""

from collections.abc import Callable
from dataclasses import dataclass, field

CLIENT = b"\x21"
SERVER = b"\x02\x23"


def _shifted(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return value


SHIFTED = [_shifted(value) for value in range(256)]


def crc(octets: bytes) -> bytes:
    """CRC-16/X.25."""
    value = 0xFFFF
    for octet in octets:
        value = value >> 8 ^ SHIFTED[(value ^ octet) & 0xFF]
    return (value ^ 0xFFFF).to_bytes(2, "little")


def frame(
    control: int,
    information: bytes = b"",
    *,
    segmented: bool = False,
    to: bytes = CLIENT,
    source: bytes = SERVER,
) -> bytes:
    """One frame of the meter, flags included."""
    header = to + source + bytes((control,))
    length = 2 + len(header) + (2 + len(information) if information else 0) + 2
    content = bytes((0xA0 | (8 if segmented else 0) | length >> 8, length & 0xFF)) + header
    if information:
        content += crc(content) + information
    return b"\x7e" + content + crc(content) + b"\x7e"


@dataclass
class Heard:
    """A frame of the client, taken apart."""

    control: int
    information: bytes
    segmented: bool

    @property
    def final(self) -> bool:
        return bool(self.control & 0x10)

    @property
    def is_information(self) -> bool:
        return not self.control & 1


def heard(octets: bytes, *, to: bytes = SERVER, source: bytes = CLIENT) -> list[Heard]:
    """What the client wrote: each frame checked and taken apart."""
    frames = []
    while octets:
        assert octets[0] == 0x7E
        assert octets[1] >> 4 == 0xA
        length = (octets[1] & 7) << 8 | octets[2]
        content, end = octets[1 : length + 1], octets[length + 1]
        assert end == 0x7E
        assert crc(content[:-2]) == content[-2:]
        header = 2 + len(to) + len(source) + 1
        assert content[2:].startswith(to + source)
        information = content[header:-2]
        if information:
            assert crc(content[:header]) == information[:2]
        frames.append(Heard(content[header - 1], information[2:], bool(content[0] & 8)))
        octets = octets[length + 2 :]
    return frames


@dataclass
class Station:
    """A meter's end of the link: answers each message by `respond`; `lose` drops frames of either side by number."""

    respond: Callable[[bytes], bytes]
    size: int = 64
    window: int = 3
    lose: set[int] = field(default_factory=set)
    spoil: set[int] = field(default_factory=set)
    received: list[bytes] = field(default_factory=list)
    _count: int = 0
    _expected: int = 0
    _message: bytes = b""
    _out: list[tuple[bytes, bool]] = field(default_factory=list)
    _acknowledged: int = 0

    def lost(self) -> bool:
        self._count += 1
        return self._count in self.lose

    def hears(self, octets: bytes) -> bytes:
        """What the meter sends when this arrives."""
        answer = b""
        for got in heard(octets):
            if self.lost():
                continue
            answer += self._one(got)
        return answer

    def _one(self, got: Heard) -> bytes:
        if got.control == 0x93:
            self._expected = self._acknowledged = 0
            body = b"\x05\x01" + bytes((self.size,)) + b"\x06\x01" + bytes((self.size,))
            body += b"\x07\x04" + self.window.to_bytes(4) + b"\x08\x04" + self.window.to_bytes(4)
            return self._send(0x73, b"\x81\x80" + bytes((len(body),)) + body)
        if got.control == 0x53:
            return self._send(0x73)
        # N(R) acknowledges what was sent before.
        done = ((got.control >> 5) - self._acknowledged) % 8
        if done <= len(self._out):
            self._out = self._out[done:]
            self._acknowledged = got.control >> 5
        if got.is_information and (got.control >> 1 & 7) == self._expected:
            self._expected = (self._expected + 1) % 8
            self._message += got.information
            if not got.segmented:
                self._answer()
        return self._turn() if got.final else b""

    def _answer(self) -> None:
        message, self._message = self._message, b""
        assert message[:3] == b"\xe6\xe6\x00"
        self.received.append(message[3:])
        reply = b"\xe6\xe7\x00" + self.respond(message[3:])
        parts = [reply[start : start + self.size] for start in range(0, len(reply), self.size)]
        self._out = [(part, part_no < len(parts)) for part_no, part in enumerate(parts, 1)]

    def _turn(self) -> bytes:
        if not self._out:
            return self._send(0x11 | self._expected << 5)
        burst = self._out[: self.window]
        answer = b""
        for place, (part, more) in enumerate(burst):
            number = (self._acknowledged + place) % 8
            final = 0x10 if place == len(burst) - 1 else 0
            answer += self._send(self._expected << 5 | final | number << 1, part, segmented=more)
        return answer

    def _send(self, control: int, information: bytes = b"", *, segmented: bool = False) -> bytes:
        if self.lost():
            return b""
        octets = bytearray(frame(control, information, segmented=segmented))
        if self._count in self.spoil:
            octets[len(octets) // 2] ^= 0x20
        return bytes(octets)
