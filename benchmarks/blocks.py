"""The longest time that the client and the integration hold the event loop at a stretch, in CPU time.

Each case is what may come at once at the worst: long telegrams in the runs a network bridge delivers them in, floods
made to be expensive, long object lists. What is measured is one turn of the loop; the bytes come from memory. The
best of several rounds counts, so that a busy machine disturbs little.

    python -m benchmarks.blocks [--rounds N]
"""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterator
from datetime import UTC, datetime
import sys
import time
import types
from typing import Any, override

from custom_components.iec62056.protocol.ascii.messages import check_character, crc16
from custom_components.iec62056.protocol.ascii.receiver import Receiver
from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.dlms.axdr import decode
from custom_components.iec62056.protocol.dlms.cosem import object_list
from custom_components.iec62056.protocol.dlms.frame import frame_at
from custom_components.iec62056.protocol.dlms.scanner import FLAG, Scanner
from custom_components.iec62056.protocol.dlms_errors import DlmsError
from custom_components.iec62056.protocol.errors import MeterError
from custom_components.iec62056.protocol.model import CheckKind, LineProfile, Medium, Mode, Reading
from custom_components.iec62056.protocol.transport.line import Line
from custom_components.iec62056.protocol.transport.serial_line import AT_ONCE
from custom_components.iec62056.protocol.transport.trace import LineStats, Trace

GOAL = 5.0
LONG = 200_000
FLOOD = 256 * 1024


class Fed(Line):
    """A line that gives what is left of its content in runs, each of them in a turn of its own."""

    def __init__(self, content: bytes, size: int = AT_ONCE, *, binary: bool = False) -> None:
        self.name, self.can_switch, self.speed = "fed", False, 9600
        self.grace = self.margin = 0.0
        self.binary = binary
        self.tally, self.trace = LineStats(), Trace()
        self._content, self._size, self._at, self._now = content, size, 0, 0.0

    @property
    @override
    def sent_at(self) -> float:
        return self._now

    @override
    def now(self) -> float:
        return self._now

    @override
    def utcnow(self) -> datetime:
        return datetime(2031, 5, 17, tzinfo=UTC)

    @override
    async def write(self, data: bytes, *, secret: bool = False) -> None:
        self._now += 0.1

    @override
    async def read(self, deadline: float) -> bytes:
        await asyncio.sleep(0)
        run = self._content[self._at : self._at + self._size]
        self._at += len(run)
        self._now = self._now + len(run) / 1e4 if run else max(self._now, deadline)
        self.tally.count(run)
        return run

    @override
    async def set_speed(self, speed: int, at: float) -> None:
        self.speed = speed

    @override
    async def set_format(self, speed: int, *, even_parity: bool) -> None:
        self.speed = speed

    @override
    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        pass

    @override
    def drop_input(self) -> None:
        pass

    @override
    async def sleep_until(self, when: float) -> None:
        self._now = max(self._now, when)

    @override
    async def close(self) -> None:
        pass


def framed(block: bytes) -> bytes:
    """A readout behind its identification."""
    covered = block + b"!\r\n\x03"
    check = check_character(covered, CheckKind.XOR)
    return b"/ABC5\\2LONG\r\n\x02" + covered + bytes((check,))


def pushed(size: int) -> bytes:
    """A push telegram with a right CRC."""
    lines = b"".join(b"1-0:1.8.%d(%06d.123*kWh)\r\n" % (n % 200, n) for n in range(size // 27))
    telegram = b"/ABC5\\2LONG\r\n\r\n" + lines + b"!"
    return telegram + b"%04X\r\n" % crc16(telegram)


def registers(size: int) -> bytes:
    """As many registers as a telegram has room for."""
    lines = (
        b"%d.%d.%d(%08d.1*kWh)\r\n" % (n % 99 + 1, n // 99 % 99, n % 63, n)
        for n in range(size // 24)
    )
    return framed(b"".join(lines))


def rows(size: int) -> bytes:
    """A load profile in a readout."""
    head = b"P.01(310517001500)(00)(15)(4)(1.5)(kW)(2.5)(kW)(5.5)(kvar)(8.5)(kvar)\r\n"
    row = b"(0.1234)(1.0000)(0.0340)(0.0001)\r\n"
    return framed(head + row * (size // len(row)))


def _turns(step: Iterator[None]) -> float:
    longest, begun = 0.0, time.thread_time()
    for _ in step:
        longest, begun = max(longest, time.thread_time() - begun), time.thread_time()
    return max(longest, time.thread_time() - begun)


def _read(content: bytes, mode: Mode) -> Callable[[], float]:
    """One reading in a loop of its own."""
    profile = LineProfile(mode=mode, medium=Medium.ELECTRICITY, listen_speed=9600)
    longest = 0.0

    @types.coroutine
    def turn_by_turn(work: Coroutine[Any, Any, Reading]) -> Generator[Any]:
        nonlocal longest
        while True:
            begun = time.thread_time()
            try:
                waits = work.send(None)
            except StopIteration, MeterError:
                return
            finally:
                longest = max(longest, time.thread_time() - begun)
            yield waits

    async def read() -> None:
        await turn_by_turn(MeterClient(Fed(content), profile).read_all())

    def measure() -> float:
        nonlocal longest
        longest = 0.0
        asyncio.run(read())
        return longest

    return measure


def _pieces(feed: Callable[[bytes], Any], content: bytes, size: int = AT_ONCE) -> Iterator[None]:
    for at in range(0, len(content), size):
        try:
            feed(content[at : at + size])
        except DlmsError:
            return
        yield


def _received(content: bytes) -> Callable[[], float]:
    def steps() -> Iterator[None]:
        receiver = Receiver()

        def feed(run: bytes) -> None:
            nonlocal receiver
            while run:
                run = receiver.feed(run)
                if receiver.closed:
                    receiver = Receiver()

        yield from _pieces(feed, content)

    return lambda: _turns(steps())


def _objects(count: int) -> Callable[[], float]:
    """What is left to the loop of an object list: a thread has decoded it."""
    rights = bytes.fromhex("0106") + bytes.fromhex("02030F0216 0100") * 6
    rights += bytes.fromhex("0102") + bytes.fromhex("02020F011600") * 2
    one = bytes.fromhex("0204 120003 1100 09060100010800FF 0202") + rights
    decoded = decode(b"\x01\x82" + count.to_bytes(2) + one * count)

    def steps() -> Iterator[None]:
        object_list(decoded)
        yield

    return lambda: _turns(steps())


def cases() -> dict[str, Callable[[], float]]:
    """What is measured."""
    ends = b"a\n/ABC5x\r" * (FLOOD // 9)
    flags = b"~ '" * (FLOOD // 3)
    frames = b"\x7e\xa7\x7e" * (FLOOD // 3)
    return {
        "readout of 2 kB": _read(registers(2_000), Mode.C),
        "readout of 16 kB": _read(registers(16_000), Mode.C),
        "readout of 200 kB, registers": _read(registers(LONG), Mode.C),
        "readout of 200 kB, load profile": _read(rows(LONG), Mode.C),
        "push of 4 kB, CRC16": _read(pushed(4_000), Mode.D),
        "push of 15 kB, CRC16": _read(pushed(15_000), Mode.D),
        "push of 100 kB, CRC16": _read(pushed(100_000), Mode.D),
        "flood of letters": _read(b"a" * FLOOD, Mode.C),
        "flood of ends of text": _received(b"/ABC5x\r\na" + b"\x03a" * (FLOOD // 2)),
        "flood of telegrams without end": _received(ends),
        "flood of brackets": _received(b"/ABC5x\r\n\x02" + b"a(0)(" * (FLOOD // 5)),
        "flood of lines of 8 kB": _received(b"/ABC5x\r\n\x02" + (b"(a)" * 2700 + b"\r\n") * 30),
        "flood of flags": _read(flags, Mode.C),
        "flood of HDLC beginnings": lambda: _turns(_pieces(Scanner({FLAG: frame_at}).feed, frames)),
        "object list of 500": _objects(500),
    }


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"CPU time of the longest turn, best of {options.rounds}; goal {GOAL} ms\n")
    print("| what comes | longest block |\n|---|---|")
    worst = 0.0
    for name, measure in cases().items():
        block = min(measure() for _ in range(options.rounds)) * 1000
        worst = max(worst, block)
        print(f"| {name} | {block:.2f} ms |", flush=True)
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
