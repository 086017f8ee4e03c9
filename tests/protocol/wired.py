"""A line to a simulated meter with a clock of its own: both sides are real, and no time passes.

The cable can be cut at any character, in either direction.
"""

import asyncio
from dataclasses import dataclass, field
from typing import override

from custom_components.iec62056.protocol.errors import ConnectionLost
from custom_components.iec62056.protocol.transport.line import with_even_parity
from custom_components.iec62056.protocol.transport.trace import Direction, LineStats, Trace
from simulator import Log, Meter
from simulator.wire import Wire

from .timed import BEGUN, TimedLine


@dataclass(slots=True)
class WiredLine(TimedLine):
    """`cut_at`: the time of the line's clock at which it is cut; `whole_at`: when it works again, if ever.

    A line that is only disturbed stays open and carries nothing; one that is cut for good says so.
    """

    meter: Meter
    can_switch: bool = True
    speed: int = 300
    grace: float = 0.05
    margin: float = 0.0
    binary: bool = False
    name: str = "/dev/wired"
    log: Log = field(default_factory=Log)
    tally: LineStats = field(default_factory=LineStats)
    trace: Trace = field(default_factory=Trace)
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    cut_at: float = float("inf")
    whole_at: float = float("inf")
    closed: bool = False
    _wire: Wire = field(init=False)
    _now: float = BEGUN
    _sent_at: float = 0.0

    def __post_init__(self) -> None:
        self._wire = Wire((self.meter,), self.log, speed=self.speed)
        self._wire.begin(self._now)

    @property
    def messages(self) -> list[bytes]:
        """What the client sent, in order."""
        return [data for _, data in self.sent]

    @override
    async def write(self, data: bytes, *, secret: bool = False) -> None:
        await self._pass()
        self._there()
        began = max(self._now, self._sent_at)
        self._sent_at = began + len(data) * 10 / self.speed
        self.sent.append((began, data))
        raw = with_even_parity(data)
        self.trace.add(Direction.SENT, self._now, self.speed, raw, secret=secret)
        if not self._disturbed:
            self._wire.client_writes(raw, self._now)

    @override
    async def read(self, deadline: float) -> bytes:
        await self._pass()
        while True:
            run = self._wire.take()
            if self._disturbed:
                run = b""
            if run:
                self.tally.count(run)
                self.trace.add(Direction.RECEIVED, self._now, self.speed, run)
                return run
            self._there()
            if self._now >= deadline:
                return b""
            self._advance(min(deadline, self._wire.due))

    @override
    async def set_speed(self, speed: int, at: float) -> None:
        assert self.can_switch
        await self.sleep_until(at)
        self._there()
        if speed == self.speed:
            return
        self._wire.client_switches(speed, self._now, self._now)
        self.speed = speed

    @override
    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        await self._pass()

    @override
    def drop_input(self) -> None:
        self._wire.take()

    @override
    async def sleep_until(self, when: float) -> None:
        await self._pass()
        while self._now < when:
            self._advance(min(when, self._wire.due))

    @override
    async def close(self) -> None:
        self.closed = True

    def let_pass(self, seconds: float) -> None:
        """Nobody speaks for a while."""
        end = self._now + seconds
        while self._now < end:
            self._advance(min(end, self._wire.due))

    @property
    def _disturbed(self) -> bool:
        return self.cut_at <= self._now < self.whole_at

    def _advance(self, until: float) -> None:
        """Let time pass, and the cut happen in its moment: what has not left then never leaves."""
        before = self._now
        self._now = max(self._now, until)
        if before < self.cut_at <= self._now:
            self._wire.client_goes(self.cut_at)
            self._wire.take()
        self._wire.advance(self._now)

    def _there(self) -> None:
        if self.whole_at == float("inf") and self._disturbed:
            raise ConnectionLost(port=self.name)

    async def _pass(self) -> None:
        await asyncio.sleep(0)
