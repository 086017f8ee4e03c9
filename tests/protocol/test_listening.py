"""A meter that sends by itself is found whenever the search begins, however long its telegrams are."""

from dataclasses import dataclass, field
from functools import cache
from typing import override

import pytest

from custom_components.iec62056.protocol.discovery import discover
from custom_components.iec62056.protocol.errors import MeterError, NoIdentification, WrongParity
from custom_components.iec62056.protocol.model import Mode
from custom_components.iec62056.protocol.transport.line import with_even_parity
from custom_components.iec62056.protocol.transport.trace import LineStats, Trace
from tests.common.document import NONE, section
from tests.protocol.telegrams import p1
from tests.protocol.timed import BEGUN, TimedLine

PHASES = 40
PERIOD = 10.0
# Octets of one telegram, at each speed up to what leaves half a second of its period free.
SIZES = {2400: (500, 1000, 1600, 2000, 2280), 9600: (1000, 4000, 9120), 115200: (4000, 16000)}
RUN = 0.016


@cache
def telegram(size: int) -> bytes:
    """A push telegram of that many octets."""
    lines = ["1-0:1.8.0(004711.815*kWh)"]
    left = size - len(p1(lines))
    while left > 64:
        lines.append(f"1-0:{len(lines) % 80 + 1}.7.0(000{len(lines):03}.5*W)")
        left -= len(lines[-1]) + 2
    return p1((*lines, f"0-0:96.13.0({'A' * (left - 15)})"))


@dataclass(slots=True)
class PushedLine(TimedLine):
    """A meter sends `wire` each `period` seconds at `pushes_at` baud, and was `phase` seconds into it at the start."""

    wire: bytes
    pushes_at: int
    phase: float
    period: float = PERIOD
    can_switch: bool = True
    speed: int = 300
    grace: float = 0.05
    margin: float = 0.0
    name: str = "/dev/pushed"
    binary: bool = False
    tally: LineStats = field(default_factory=LineStats)
    trace: Trace = field(default_factory=Trace)
    messages: list[bytes] = field(default_factory=list)
    _now: float = BEGUN
    _sent_at: float = 0.0
    _read_to: float = BEGUN

    def _sent_between(self, start: float, end: float) -> bytes:
        """The octets whose last bit lies between two moments."""
        sent = bytearray()
        turn = (start - BEGUN + self.phase) // self.period
        while (begun := BEGUN - self.phase + turn * self.period) < end:
            first, last = (
                max(0, int((moment - begun) * self.pushes_at / 10)) for moment in (start, end)
            )
            sent += self.wire[first:last]
            turn += 1
        if self.speed != self.pushes_at:
            # Another speed cuts the bits elsewhere.
            sent = bytearray(octet * 37 + place & 0xFF for place, octet in enumerate(sent))
        return bytes(sent)

    @override
    async def write(self, data: bytes, *, secret: bool = False) -> None:
        self.messages.append(data)
        self._sent_at = max(self._now, self._sent_at) + len(data) * 10 / self.speed

    @override
    async def read(self, deadline: float) -> bytes:
        while self._now < deadline or self._read_to < self._now:
            self._now = max(self._now, min(self._read_to + RUN, deadline))
            run = self._sent_between(self._read_to, self._now)
            self._read_to = self._now
            if run:
                self.tally.count(run)
                return run
        return b""

    @override
    async def set_speed(self, speed: int, at: float) -> None:
        await self.sleep_until(at)
        self.speed, self._read_to = speed, self._now

    @override
    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        pass

    @override
    def drop_input(self) -> None:
        self._read_to = self._now

    @override
    async def sleep_until(self, when: float) -> None:
        self._now = max(self._now, when)

    @override
    async def close(self) -> None:
        pass


async def searched(size: int, speed: int, phase: float) -> float | None:
    """How long the search takes, in seconds; None where the meter is not found."""
    line = PushedLine(with_even_parity(telegram(size)), speed, phase)
    try:
        profile, reading = await discover(line)
    except MeterError as err:
        print(size, speed, phase, err)
        return None
    assert (profile.mode, profile.listen_speed) == (Mode.D, speed)
    assert len(telegram(size)) == size
    assert reading.raw == telegram(size).removesuffix(b"\n")
    return line.elapsed


async def table(phases: range) -> str:
    """What docs/lines.md says: each size and speed, in how many of the phases it is found, and the longest search."""
    rows = [("Octets every 10 s", "Speed", "Found", "Longest search"), ("---",) * 4]
    for speed, sizes in SIZES.items():
        for size in sizes:
            took = [await searched(size, speed, PERIOD * phase / PHASES) for phase in phases]
            found = [one for one in took if one is not None]
            longest = f"{max(found):.0f} s" if found else NONE
            rows.append((str(size), f"{speed} Bd", f"{len(found)} of {len(took)}", longest))
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"


async def test_found_whenever_the_search_begins() -> None:
    found = await table(range(3, PHASES, 10))
    stated = section("pushed search")
    cells = [line.strip("| ").split(" | ") for line in found.strip().splitlines()[2:]]
    for (*row, _, longest), said in zip(cells, stated.strip().splitlines()[2:], strict=True):
        *same, all_phases, at_most = said.strip("| ").split(" | ")
        assert row == same
        assert all_phases == f"{PHASES} of {PHASES}"
        assert int(longest.split()[0]) <= int(at_most.split()[0])


@pytest.mark.long
async def test_found_as_documented() -> None:
    assert await table(range(PHASES)) == section("pushed search")


async def test_damage_is_told_at_the_speed_of_the_meter() -> None:
    """What other speeds make of its characters says nothing of the line."""
    wire = bytearray(with_even_parity(telegram(500)))
    for place in range(0, len(wire), 7):
        wire[place] ^= 0x10
    with pytest.raises(WrongParity) as damaged:
        await discover(PushedLine(bytes(wire), 2400, 4.0))
    assert damaged.value.placeholders == {"percent": "14"}


async def test_text_that_is_no_telegram_is_no_fault_of_the_probe() -> None:
    with pytest.raises(NoIdentification):
        await discover(PushedLine(with_even_parity(b"1.8.0(4711*kWh)\r\n" * 40), 2400, 4.0))
