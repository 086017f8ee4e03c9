"""The wire between a client and the meters on it: who hears which character when, at what speed, with what parity.

A character is ten bits: start, seven data bits, even parity, stop (Std 5.2-5.6). On this wire a character is an
octet with its parity in bit 7. Bytes a client hands over leave one after another at the client's speed; a change
of speed hits those that have not left yet, as it does in a real UART.
"""

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from random import Random
from typing import Protocol

from .log import Kind, Log

BITS = 10
BURST = (
    0.01  # seconds of characters handed to the client at once: what a UART's FIFO does, and cheap
)
DAMAGED = -1  # a character with wrong parity or at another speed, as the meter's UART reports it
PENDING_LIMIT = 4096  # a UART's or a bridge's buffer; what does not fit is lost
RECENT = 3.0  # seconds after a client's character within which it may be about to change its speed


class Link(StrEnum):
    """What stands between the client and the wire."""

    EIGHT = "8N1"  # octets pass as they are: the client sees the parity bit and has to make it
    SEVEN = "7E1"  # the UART makes and strips the parity bit


class Echo(StrEnum):
    """What the client gets back of its own characters."""

    NONE = "none"
    FULL = "full"
    PARTIAL = "partial"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Listen:
    """The meter listens at `speed`, until `until` at the latest; it gets one character, or None at that time.

    With `binary` it takes eight bits and no parity.
    """

    speed: int
    until: float = inf
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """The meter sends `octets` (parity included) at `speed`, the first start bit at `at`. Meanwhile it is deaf."""

    octets: bytes
    speed: int
    at: float


type Conversation = Generator[Listen | Send, int | None]


class Talker(Protocol):
    """One device on the wire."""

    now: float

    def conversation(self, log: Log, speed_up: float) -> Conversation:
        """Its life; `now` is set before each step."""
        ...


def even(octet: int) -> int:
    """The seven bits with even parity in bit 7."""
    bits = octet & 0x7F
    return bits | (bits.bit_count() & 1) << 7


def seconds(count: int, speed: int) -> float:
    """How long that many characters take."""
    return count * BITS / speed


class _Station:
    """One device with what it does at the moment."""

    def __init__(self, talker: Talker, log: Log, speed_up: float) -> None:
        self.talker = talker
        self._speed_up = speed_up
        self._conversation = talker.conversation(log, speed_up)
        self.action: Listen | Send = Listen(300)
        self.sent = 0
        self.merged = 0

    def begin(self, now: float) -> None:
        self.talker.now = now
        self._take(next(self._conversation))

    def step(self, now: float, character: int | None) -> None:
        self.talker.now = now
        self._take(self._conversation.send(character))

    def _take(self, action: Listen | Send) -> None:
        self.action = action
        self.sent = 0
        self.merged = 0

    def edge(self, send: Send, count: int) -> float:
        """When that many characters of a message have left."""
        return send.at + seconds(count, send.speed) / self._speed_up

    @property
    def due(self) -> float:
        """When something happens here if no character arrives."""
        if isinstance(self.action, Listen):
            return self.action.until
        return self.edge(self.action, min(self.sent + 1, len(self.action.octets)))

    def merge(self, moment: float) -> int | None:
        """The octet this device sends at that moment, if it does: now part of another one's character."""
        if isinstance(self.action, Listen):
            return None
        index = int((moment - self.action.at) // (self.edge(self.action, 1) - self.action.at))
        if not self.sent <= index < len(self.action.octets):
            return None
        self.merged = index + 1
        return self.action.octets[index]


@dataclass(slots=True)
class _Flight:
    """A client's character on its way."""

    octet: int
    end: float
    speed: int
    intact: bool = True


class Wire:
    """One client and one or more devices. Call `advance` at `due`, and before each change from outside.

    `speed_up` shortens the characters of the devices (and only those) for tests.
    """

    def __init__(
        self,
        talkers: Sequence[Talker],
        log: Log,
        *,
        speed: int = 300,
        link: Link = Link.EIGHT,
        echo: Echo = Echo.NONE,
        speed_up: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.log = log
        self.link = link
        self.echo = echo
        self._random = Random(seed)
        self._stations = [_Station(talker, log, speed_up) for talker in talkers]
        self._speed = speed
        self._read_speed = speed
        self._readable_since = -inf
        self._flight: _Flight | None = None
        self._pending: deque[int] = deque()
        self._left_at: float | None = None
        self._missed = 0
        self._heard = bytearray()

    def begin(self, now: float) -> None:
        """Switch the devices on."""
        for station in self._stations:
            station.begin(now)

    def client_writes(self, octets: bytes, now: float) -> None:
        """Octets the client hands to its UART."""
        self.advance(now)
        room = PENDING_LIMIT - len(self._pending)
        self._pending.extend(
            even(octet) if self.link is Link.SEVEN else octet for octet in octets[:room]
        )
        self._launch(now)

    def client_switches(self, speed: int, since: float, now: float) -> None:
        """The client's speed is another one, since some moment in that time.

        Whoever looks only now and then cannot know the moment: the client has the benefit of the doubt in both
        directions, so its reading counts from `since` and its sending from `now`.
        """
        self._read_speed = speed
        self._readable_since = since
        self.advance(now)
        before, self._speed = self._speed, speed
        if self._flight is not None:
            left = self._flight.end + seconds(len(self._pending), self._flight.speed)
            self._flight.intact = False
            late: float | None = now - left
        else:
            late = None if self._left_at is None else now - self._left_at
        self.log.note(now, Kind.SPEED, f"{before} -> {speed}", late)

    def client_goes(self, now: float) -> None:
        """The client's UART is taken off the wire: what it has not sent is never sent."""
        self.advance(now)
        self._pending.clear()
        if self._flight is not None:
            self._flight.intact = False

    def client_active(self, now: float) -> bool:
        """Whether the client sends or has just sent, so that a change of its speed is to be expected."""
        return self._flight is not None or (
            self._left_at is not None and now - self._left_at < RECENT
        )

    def take(self) -> bytes:
        """What has reached the client since the last call."""
        heard = bytes(self._heard)
        self._heard.clear()
        return heard

    @property
    def due(self) -> float:
        """When `advance` has something to do again; inf if only the client can make something happen."""
        moments = [inf]
        if self._flight is not None:
            last = self._flight.end + seconds(len(self._pending), self._speed)
            moments.append(min(last, self._flight.end + BURST))
        for station in self._stations:
            moment = station.due
            if isinstance(station.action, Send):
                last = station.edge(station.action, len(station.action.octets))
                moment = min(last, moment + BURST)
            moments.append(moment)
        return min(moments)

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`, in its order."""
        while True:
            station = min(self._stations, key=lambda item: item.due)
            if self._flight is not None and self._flight.end <= station.due:
                if self._flight.end > now:
                    return
                self._client_character(self._flight)
            elif station.due > now:
                return
            elif isinstance(station.action, Send) and station.sent < len(station.action.octets):
                self._device_character(station, station.action)
            else:
                station.step(station.due, None)

    def _launch(self, now: float) -> None:
        """Send the client's next character, if none is on its way."""
        if self._speed == 0:
            self._pending.clear()  # a UART that is hung up sends nothing
        if self._flight is None and self._pending:
            end = now + seconds(1, self._speed)
            self._flight = _Flight(self._pending.popleft(), end, self._speed)

    def _client_character(self, flight: _Flight) -> None:
        self._flight = None
        self._left_at = flight.end
        self._launch(flight.end)
        self._echo(flight.octet)
        for station in self._stations:
            if isinstance(station.action, Send):
                if station.action.at < flight.end:
                    self.log.note(flight.end, Kind.DEAF, f"{flight.octet & 0x7F:02x}")
                continue
            # Sampled at another speed, or with odd parity: the receiver reports a faulty character.
            binary = station.action.binary
            good = (
                flight.intact
                and flight.speed == station.action.speed
                and (binary or flight.octet == even(flight.octet))
            )
            if not good:
                self.log.note(flight.end, Kind.DAMAGED, f"{flight.octet:02x} at {flight.speed}")
            octet = flight.octet if binary else flight.octet & 0x7F
            station.step(flight.end, octet if good else DAMAGED)

    def _echo(self, octet: int) -> None:
        if self.echo is Echo.NONE or (self.echo is Echo.PARTIAL and self._random.random() < 0.4):
            return
        if self.echo is Echo.DAMAGED and self._random.random() < 0.4:
            octet ^= 1 << self._random.randrange(8)
        self._reach_client(octet)

    def _device_character(self, station: _Station, send: Send) -> None:
        begin, end = station.edge(send, station.sent), station.edge(send, station.sent + 1)
        octet = send.octets[station.sent]
        station.sent += 1
        if station.sent > station.merged:
            for other in self._stations:
                if other is station or (meanwhile := other.merge((begin + end) / 2)) is None:
                    continue
                # Light, or the interrupted current of a loop, is the 0 bit: it wins.
                octet &= meanwhile
                if station.sent == 1 or other.sent == 0:
                    self.log.note(end, Kind.COLLISION)
            self._to_client(octet, send.speed, begin)
        if station.sent == len(send.octets) and self._missed:
            self.log.note(end, Kind.MISSED, value=self._missed)
            self._missed = 0

    def _to_client(self, octet: int, speed: int, begin: float) -> None:
        if speed == self._read_speed and begin >= self._readable_since:
            self._reach_client(octet)
            return
        self._missed += 1
        # Seen faster, one character is several; seen slower, several are one: junk in the right amount, and never
        # a character that could be mistaken for one that was sent.
        amount = self._read_speed / speed
        count = int(amount) if amount >= 1 else int(self._random.random() < amount)
        for _ in range(min(count, 4)):
            self._reach_client(self._random.choice((0x00, 0x80, 0xC0, 0xE0, 0xF8, 0xFE, 0xFF)))

    def _reach_client(self, octet: int) -> None:
        self._heard.append(octet & 0x7F if self.link is Link.SEVEN else octet)
