"""A link over a line in time: how long a busy meter is waited for, and what of a login is in the record."""

import asyncio
from collections.abc import Container
from dataclasses import dataclass
from typing import override

import pytest

from custom_components.iec62056.protocol.dlms.client import Client
from custom_components.iec62056.protocol.dlms.frame import Address
from custom_components.iec62056.protocol.dlms.link import Link
from custom_components.iec62056.protocol.dlms_errors import HdlcLost
from custom_components.iec62056.protocol.transport.trace import LineStats, Trace
from simulator import Echo

from ...common.waiting import until
from ...common.wired import WiredLine
from ..timed import BEGUN, TimedLine
from .meters import LOW, keyring, meter
from .wire import Station


@dataclass
class Busy(Station):
    """Says in some of its turns that it is not ready."""

    busy: Container[int] = ()
    turns: int = 0

    @override
    def _turn(self) -> bytes:
        self.turns += 1
        if self.turns in self.busy:
            return self._send(0x15 | self._expected << 5)
        return super()._turn()


class StationLine(TimedLine):
    """A line with a station at its end, which answers 20 ms behind each request; `thinks`, behind the first one.

    Octets come one by one where they come `slowly`, else an answer at once.
    """

    def __init__(
        self, station: Station, speed: int, *, slowly: bool = False, thinks: float = 0.02
    ) -> None:
        self.name = "/dev/station"
        self.can_switch = False
        self.speed = speed
        self.grace = 0.05
        self.margin = 0.0
        self.binary = True
        self.tally = LineStats()
        self.trace = Trace()
        self.writes = 0
        self._now = self._sent_at = self._free = BEGUN
        self._station = station
        self._slowly = slowly
        self._thinks = thinks
        self._coming: list[tuple[float, bytes]] = []

    @override
    async def write(self, data: bytes, *, secret: bool = False) -> None:
        self.writes += 1
        self._sent_at = max(self._now, self._sent_at) + len(data) * 10 / self.speed
        answer = self._station.hears(data)
        # The first one sets the link up.
        pause = self._thinks if self.writes == 2 else 0.02
        begin = max(self._sent_at + pause, self._free)
        size = 1 if self._slowly else len(answer)
        for start in range(0, len(answer), size or 1):
            part = answer[start : start + size]
            self._free = begin + (start + len(part)) * 10 / self.speed
            self._coming.append((self._free, part))

    @override
    async def read(self, deadline: float) -> bytes:
        if not self._coming or self._coming[0][0] > deadline:
            self._now = max(self._now, deadline)
            return b""
        at, run = self._coming.pop(0)
        self._now = max(self._now, at)
        return run

    @override
    async def sleep_until(self, when: float) -> None:
        self._now = max(self._now, when)

    @override
    async def set_speed(self, speed: int, at: float) -> None:
        """It has one."""

    @override
    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        """There are none."""

    @override
    def drop_input(self) -> None:
        self._coming.clear()

    @override
    async def close(self) -> None:
        """Nothing is held."""


async def linked(line: StationLine) -> Link:
    link = Link(line, 16, Address(1, 17, 2))
    await link.connect()
    return link


async def test_a_meter_that_is_busy_once_late_in_a_long_answer() -> None:
    """It is waited for from then on, not from the beginning of the answer."""
    station = Busy(lambda _: bytes(2000), size=32, window=1, busy={50})
    line = StationLine(station, 300)
    link = await linked(line)
    assert await link.request(b"long") == bytes(2000)
    assert station.turns > 50
    assert line.elapsed > 60


@pytest.mark.parametrize("slowly", [False, True])
async def test_a_meter_that_stays_busy_is_left(slowly: bool) -> None:
    """However few octets of its frames come at a time."""
    station = Busy(lambda _: b"", size=32, window=1, busy=range(10**9))
    line = StationLine(station, 9600, slowly=slowly)
    link = await linked(line)
    with pytest.raises(HdlcLost, match="busy"):
        await link.request(b"long")
    assert line.elapsed < 70


async def test_one_late_answer_costs_one_repetition() -> None:
    """Asked again, the meter answers twice; the exchanges behind it are not doubled by that."""
    line = StationLine(Station(lambda apdu: apdu, window=1), 9600, thinks=3.5)
    link = await linked(line)
    for number in range(10):
        assert await link.request(bytes((number,))) == bytes((number,))
    assert link.retransmissions == 1
    # SNRM, ten requests, one RR.
    assert line.writes == 12


async def test_a_password_is_not_recorded_where_its_echo_comes_behind_a_farewell() -> None:
    line = WiredLine(meter(at_once=True), echo=Echo.FULL, speed=9600)
    line.binary = True
    link = Link(line, 1, Address(1))
    await link.connect()
    before = len(line.written)
    client = Client(link, LOW, keyring(LOW))
    login = asyncio.ensure_future(client.associate())
    await until(lambda: len(line.written) > before)
    login.cancel()
    with pytest.raises(asyncio.CancelledError):
        await login
    await link.abandon()
    await line.sleep_until(line.now() + 2)
    assert any(b"12345678" in written for written in line.written)
    recorded = b"".join(bytes(run.data) for run in line.trace.runs)
    assert b"345678" not in recorded
