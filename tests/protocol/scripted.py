"""A line with a scripted meter at its end and a clock of its own: conversations take no real time.

Characters take their time at the speed of whoever sends them; at another speed than the line's they arrive as
garbage. Bit 7 is even parity, as on a real line, and is counted and removed like there.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import override

from custom_components.iec62056.protocol.errors import BridgeRefusedSettings
from custom_components.iec62056.protocol.transport.line import with_even_parity
from custom_components.iec62056.protocol.transport.trace import Direction, LineStats, Trace

from .timed import BEGUN, TimedLine


@dataclass(slots=True)
class Reply:
    """What the meter sends `after` seconds behind hearing `to` whole at `heard_at` baud; `flip`: damaged characters.

    `mask`: which bits of those are damaged; 0x80 is the parity bit. `behind`: what must have been sent just before.
    `gap`: before the character at that place, so many seconds pass.
    """

    to: bytes
    data: bytes
    after: float = 0.2
    speed: int = 300
    heard_at: int = 300
    flip: tuple[int, ...] = ()
    mask: int = 0x10
    times: int = 1
    behind: bytes = b""
    gap: tuple[int, float] = (0, 0.0)


@dataclass(slots=True)
class Push:
    """What the meter sends unasked, `at` seconds behind the start."""

    data: bytes
    at: float = 0.0
    speed: int = 9600
    flip: tuple[int, ...] = ()


@dataclass(slots=True)
class Sent:
    """One write of the client: when it began and ended to leave, and at which speed."""

    data: bytes
    began: float
    ended: float
    speed: int


@dataclass(slots=True)
class ScriptedLine(TimedLine):
    """See `Reply` and `Push`. `run`: seconds of characters that come at once, as adapters deliver them.

    `fed_by`: DTR and RTS as they must stand for the probe to hear and to be heard. `fastest`: what a bridge can do, and
    `switches_in`: the seconds it needs for that.
    `holds`: how long an adapter holds characters that should have left; a change of speed meanwhile garbles the last
    of them, so that the meter does not understand, and sends `unasked` at the first speed instead (Std 6.4.3.3).
    """

    script: Iterable[Reply | Push] = ()
    can_switch: bool = True
    speed: int = 300
    grace: float = 0.05
    margin: float = 0.0
    parity: bool = True
    run: float = 0.016
    echoes: bool = False
    on_await: Callable[[], None] = lambda: None
    name: str = "/dev/scripted"
    tally: LineStats = field(default_factory=LineStats)
    trace: Trace = field(default_factory=Trace)
    sent: list[Sent] = field(default_factory=list)
    speeds: list[tuple[float, int]] = field(default_factory=list)
    pins: list[tuple[bool | None, bool | None]] = field(default_factory=list)
    fed_by: tuple[bool, bool] | None = None
    fastest: int = 115200
    can_refuse: bool = False
    switches_in: float = 0.0
    closed: bool = False
    binary: bool = False
    holds: float = 0.0
    unasked: bytes = b""
    _answer: list[tuple[float, int, int]] = field(default_factory=list)
    _now: float = BEGUN
    _sent_at: float = 0.0
    _replies: list[Reply] = field(default_factory=list)
    _coming: list[tuple[float, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for item in self.script:
            if isinstance(item, Push):
                self._schedule(item.data, self._now + item.at, item.speed, item.flip, 0x10)
            else:
                self._replies += [item] * item.times

    @property
    def messages(self) -> list[bytes]:
        """What the client sent, in order."""
        return [sent.data for sent in self.sent]

    @override
    async def write(self, data: bytes, *, secret: bool = False) -> None:
        await self._pass()
        began = max(self._now, self._sent_at)
        self._sent_at = began + len(data) * 10 / self.speed
        self.sent.append(Sent(data, began, self._sent_at, self.speed))
        raw = data if self.binary else with_even_parity(data)
        self.trace.add(Direction.SENT, self._now, self.speed, raw, secret=secret)
        if self.echoes:
            self.tally.echoed += len(data)
        self._answer = []
        for reply in self._replies:
            if reply.to == data and reply.heard_at == self.speed and self._hears(reply):
                self._replies.remove(reply)
                self._answer = self._schedule(
                    reply.data,
                    self._sent_at + reply.after,
                    reply.speed,
                    reply.flip,
                    reply.mask,
                    reply.gap,
                )
                break

    @override
    async def read(self, deadline: float) -> bytes:
        await self._pass()
        if not self._coming or self._coming[0][0] > max(deadline, self._now):
            self._now = max(self._now, deadline)
            return b""
        first = max(self._coming[0][0], self._now)
        self._now = min(first + self.run, max(deadline, first))
        run = bytearray()
        while self._coming and self._coming[0][0] <= self._now:
            _, speed, character = self._coming.pop(0)
            # At another speed the bits are cut elsewhere: something else, without any parity.
            run.append(character if speed == self.speed else character * 37 + len(run) & 0xFF)
        self.tally.count(bytes(run))
        self.trace.add(Direction.RECEIVED, self._now, self.speed, bytes(run))
        return bytes(run)

    @override
    async def set_speed(self, speed: int, at: float) -> None:
        assert self.can_switch
        await self.sleep_until(at)
        if speed == self.speed:
            return
        assert self._now >= self._sent_at, "the speed changed under our own characters"
        self._now += self.switches_in
        if speed > self.fastest:
            raise BridgeRefusedSettings(port=self.name, wanted=f"{speed} Bd")
        if self._now < self._sent_at + self.holds and self._answer:
            self._coming = [item for item in self._coming if item not in self._answer]
            self._schedule(self.unasked, self._sent_at + 2.0, self.speed, (), 0)
        # What has arrived was understood, or not, at the speed of then.
        self._coming = [
            (at, (speed if sent == self.speed else 0) if at <= self._now else sent, character)
            for at, sent, character in self._coming
        ]
        self.speed = speed
        self.speeds.append((self._now, speed))

    @override
    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        await self._pass()
        self.pins.append((dtr, rts))

    @override
    def drop_input(self) -> None:
        self._coming = [item for item in self._coming if item[0] > self._now]

    @override
    async def sleep_until(self, when: float) -> None:
        await self._pass()
        self._now = max(self._now, when)

    @override
    async def close(self) -> None:
        self.closed = True

    def _hears(self, reply: Reply) -> bool:
        fed = self.fed_by is None or self.pins[-1:] == [self.fed_by]
        return fed and (not reply.behind or self.messages[-2:-1] == [reply.behind])

    async def _pass(self) -> None:
        self.on_await()
        await asyncio.sleep(0)

    def _schedule(  # noqa: PLR0917
        self,
        data: bytes,
        start: float,
        speed: int,
        flip: tuple[int, ...],
        mask: int,
        gap: tuple[int, float] = (0, 0.0),
    ) -> list[tuple[float, int, int]]:
        wire = bytearray(with_even_parity(data) if self.parity and data.isascii() else data)
        for index in flip:
            wire[index] ^= mask
        scheduled = [
            (start + (index + 1) * 10 / speed + gap[1] * (index >= gap[0]), speed, character)
            for index, character in enumerate(wire)
        ]
        self._coming += scheduled
        self._coming.sort(key=lambda item: item[0])
        return scheduled
