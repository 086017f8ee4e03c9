"""Devices on the optical port that speak something else, or too little: what a client must name, not read."""

from collections.abc import Generator
from enum import Enum
from typing import override

from .log import Kind, Log
from .manners import Manners
from .meter import Meter
from .wire import Conversation, Listen, Send, even


def _checked(octets: bytes) -> bytes:
    """With the check sequence of HDLC behind them (ISO/IEC 13239)."""
    register = 0xFFFF
    for octet in octets:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return octets + (register ^ 0xFFFF).to_bytes(2, "little")


def _framed(head: str, content: bytes) -> bytes:
    return b"\x7e" + _checked(_checked(bytes.fromhex(head)) + content) + b"\x7e"


class Foreign(Enum):
    """What is pushed: the octets as they are on the wire; only the chatter carries parity."""

    SML = bytes.fromhex("1b1b1b1b 01010101 7605 00112233 6200 6200 7263 0101 76") + bytes(range(64))
    DLMS = _framed("a052 cf 0223 13", bytes.fromhex("e6e700 0f 00000001") + bytes(range(64)))
    CHATTER = bytes(map(even, b"temperature=21.5;humidity=40\r\n"))


class Pusher(Meter):
    """A device that sends the same octets again and again and hears nothing."""

    def __init__(self, push: Foreign, speed: int = 9600, interval: float = 2.0) -> None:
        super().__init__(_Nothing(), Manners(speed=speed, interval=interval))
        self._push_octets = push.value

    @override
    def conversation(self, log: Log, speed_up: float) -> Conversation:
        """Its life, from power on."""
        manners = self.manners
        following = self.now
        while True:
            following = max(following + manners.interval / speed_up, self.now)
            yield from _silence(manners.speed, following)
            log.note(self.now, Kind.DATA, f"{len(self._push_octets)} octets at {manners.speed}")
            yield Send(self._push_octets, manners.speed, self.now)


class _Nothing:
    def block(self) -> bytes:
        """No registers."""
        return b""


def _silence(speed: int, until: float) -> Generator[Listen | Send, int | None]:
    while (yield Listen(speed, until)) is not None:
        pass
