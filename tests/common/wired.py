"""A line whose other end is the simulator's wire, in a time of its own: real characters, no waits.

What the client writes leaves at its speed, what the meter sends arrives at the meter's; reading moves the clock to the
next thing that happens. A bridge's way there and back is `latency` each.
"""

import asyncio
from typing import override

from custom_components.iec62056.protocol.errors import ConnectionLost
from custom_components.iec62056.protocol.transport.line import with_even_parity
from custom_components.iec62056.protocol.transport.trace import Direction, LineStats, Trace
from simulator import Log
from simulator.wire import Echo, Link, Talker, Wire

from ..protocol.timed import BEGUN, TimedLine


class WiredLine(TimedLine):
    """`writes`: how many of them succeed before the line breaks."""

    def __init__(
        self,
        *talkers: Talker,
        can_switch: bool = True,
        speed: int = 300,
        link: Link = Link.EIGHT,
        echo: Echo = Echo.NONE,
        writes: int | None = None,
    ) -> None:
        self.name = "/dev/wired"
        self.can_switch = can_switch
        self.speed = speed
        self.grace = 0.05
        self.margin = 0.0
        self.binary = False
        self.tally = LineStats()
        self.trace = Trace()
        self.log = Log()
        self.written: list[bytes] = []
        self.silent = False
        self.closed = False
        self._writes = writes
        self._gone = False
        self._now = self._sent_at = BEGUN
        self._input = b""
        self._wire = Wire(talkers, self.log, speed=speed, link=link, echo=echo)
        self._wire.begin(self._now)

    @override
    async def write(self, data: bytes, *, secret: bool = False) -> None:
        await asyncio.sleep(0)
        if self._gone or len(self.written) == self._writes:
            self._gone = True
            raise ConnectionLost(port=self.name)
        raw = data if self.binary else with_even_parity(data)
        self.written.append(data)
        self.trace.add(Direction.SENT, self._now, self.speed, raw, secret=secret)
        self._wire.client_writes(raw, self._now)
        self._sent_at = max(self._now, self._sent_at) + len(raw) * 10 / self.speed

    @override
    async def read(self, deadline: float) -> bytes:
        await asyncio.sleep(0)
        while not self._input:
            if self._gone:
                raise ConnectionLost(port=self.name)
            if self._wire.due > deadline:
                self._pass(deadline)
                break
            self._pass(self._wire.due)
        run, self._input = self._input, b""
        return run

    @override
    async def set_speed(self, speed: int, at: float) -> None:
        await self.sleep_until(at)
        if speed == self.speed:
            return
        self._wire.client_switches(speed, self._now, self._now)
        self.speed = speed

    @override
    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        """There are none."""

    @override
    def drop_input(self) -> None:
        self._input = b""

    @override
    async def sleep_until(self, when: float) -> None:
        await asyncio.sleep(0)
        while self._wire.due <= when:
            self._pass(self._wire.due)
        self._pass(when)

    @override
    async def close(self) -> None:
        self.closed = True

    def _pass(self, when: float) -> None:
        """Let time pass, and take what arrives."""
        self._now = max(self._now, when)
        self._wire.advance(self._now)
        run = self._wire.take()
        if not run:
            return
        self.trace.add(Direction.RECEIVED, self._now, self.speed, run)
        if self.binary:
            self.tally.characters += len(run)
        else:
            self.tally.count(run)
        self._input += run
