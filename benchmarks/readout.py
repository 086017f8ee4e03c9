"""How long a readout takes, against what the wire itself needs.

A simulated meter in a process of its own gives every character its real time on a pseudo terminal; 95 data sets in
2 kB. The wire limit is the characters at their speeds, the meter's reactions, and in mode C the shortest reaction the
standard allows the reader (200 ms, or 20 ms where the third letter of the make is lower case: Std 6.3.14 item 12).

    python -m benchmarks.readout [--runs N]
"""

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import sys
import tempfile
import time
from unittest.mock import patch

from serialx.platforms import serial_posix

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.model import LineProfile, Mode, Reading, Verdict
from custom_components.iec62056.protocol.transport.serial_line import open_line
from custom_components.iec62056.protocol.transport.trace import Direction

from .parts.simulated import simulated

GOAL = 1.01
REQUEST = 5  # characters, as is the next line
OPTION_SELECT = 6
FRAME = 6  # STX before the data lines; "!", CR, LF, ETX and the check character behind them
DATA_SETS = 95
TELEGRAM = "telegram"


@dataclass(frozen=True, slots=True)
class Case:
    """One meter: mode, speed of the data in baud, reaction in seconds; `drain`: how late `tcdrain` returns."""

    mode: Mode
    ident: str
    speed: int
    reaction: float
    drain: float = 0.0

    def limit(self, block: int) -> float:
        """The least time in seconds from the first character to the last, for so many characters of data lines."""
        ident = len(self.ident) + 2
        if self.mode is Mode.D:
            # An empty line behind the identification; "!" ends it, without STX, ETX and check.
            return (ident + 2 + block + 1) * 10 / self.speed
        opening = (REQUEST + ident) * 10 / 300 + self.reaction
        data = (block + FRAME) * 10 / self.speed
        match self.mode:
            case Mode.C:
                asked = 0.02 if self.ident[3].islower() else 0.2
                return opening + asked + OPTION_SELECT * 10 / 300 + self.reaction + data
            case Mode.B:
                # The pause in which both change their speed (Std 6.4.2).
                return opening + self.reaction + data
            case _:
                return opening + data


CASES = (
    Case(Mode.C, "/LGZ5ZMX310CT.B14", 9600, 0.2),
    Case(Mode.C, "/LGZ5ZMX310CT.B14", 9600, 0.2, drain=0.035),
    Case(Mode.C, "/LGz5ZMX310CT.B14", 9600, 0.02),
    Case(Mode.C, "/LGz5ZMX310CT.B14", 9600, 0.02, drain=0.035),
    Case(Mode.A, "/KAM 382-QR", 300, 0.2),
    Case(Mode.B, "/LUGCUH60", 2400, 0.2),
    Case(Mode.D, "/HAG3EHZ104C", 2400, 0.2),
)


def telegram() -> bytes:
    """95 data sets in some 2 kB, as a meter with two tariffs and a year of history would send them."""
    lines = [
        "F.F(00000000)",
        "0.0.0(31415926)",
        "0.9.1(070431)",
        "0.9.2(310517)",
        "C.1.0(27182818)",
    ]
    lines += [f"1.8.{tariff}({4711 + tariff * 31:06}.{tariff}93*kWh)" for tariff in range(3)]
    lines += [f"2.8.{tariff}({1147 + tariff * 13:06}.{tariff}39*kWh)" for tariff in range(3)]
    lines += [f"{phase}2.7(23{phase}.{phase}*V)" for phase in (3, 5, 7)]
    number = 0
    while len(lines) < DATA_SETS:
        month, kind = divmod(number, 3)
        lines.append(f"1.{(8, 6, 2)[kind]}.0*{month + 1:02}({90210 - number * 77:08}.{kind}*kW)")
        number += 1
    return "".join(f"{line}\r\n" for line in lines).encode()


def options(case: Case, folder: Path) -> tuple[str, ...]:
    """The meter as the simulator takes it."""
    return (
        *("--interval", "1", "--telegram", str(folder / TELEGRAM)),
        *("--mode", case.mode, "--speed", str(case.speed), "--ident", case.ident),
        *("--reaction", str(case.reaction * 1000)),
    )


async def read(case: Case, port: str) -> tuple[Reading, float, float]:
    """One reading: itself, and the session's seconds on the clock and on the processor."""
    line = await open_line(port, speed=case.speed if case.mode is Mode.D else 300)
    try:
        profile = (
            LineProfile(mode=Mode.D, listen_speed=case.speed)
            if case.mode is Mode.D
            else LineProfile()
        )
        busy, start = time.process_time(), line.now()
        reading = await MeterClient(line, profile).read_all()
        end = line.now()
        if case.mode is Mode.D:
            # The meter speaks when it likes.
            start = next(run.time for run in line.trace.runs if run.direction is Direction.RECEIVED)
            start -= 10 / case.speed
        return reading, end - start, time.process_time() - busy
    finally:
        await line.close()


def drain_late(seconds: float) -> Callable[[int], None]:
    """A `tcdrain` that returns so many seconds late, as on adapters that poll; on a pty it returns at once."""

    def drain(descriptor: int) -> None:
        time.sleep(seconds)

    return drain


async def measure(case: Case, folder: Path, runs: int) -> float:
    """Print a line of the table; return the worst ratio of session and limit."""
    limit = case.limit(len(telegram()))
    slowest = (0.0, 0.0)
    checked = 0
    for _ in range(runs):
        async with simulated(*options(case, folder)) as port:
            with patch.object(serial_posix, "tcdrain", drain_late(case.drain)):
                reading, seconds, busy = await read(case, port)
        assert len(reading.registers) == DATA_SETS, f"{len(reading.registers)} data sets"
        slowest = max(slowest, (seconds, busy))
        checked += reading.health.check is Verdict.RIGHT
    seconds, busy = slowest
    columns = (
        case.mode.value,
        str(case.speed),
        f"{case.reaction * 1000:.0f} ms",
        f"{case.drain * 1000:.0f} ms late" if case.drain else "at once",
        str(DATA_SETS),
        "none sent" if case.mode is Mode.D else f"{checked} of {runs}",
        f"{seconds:.3f}",
        f"{limit:.3f}",
        f"{seconds / limit:.4f}",
        f"{busy:.3f}",
    )
    print(f"| {' | '.join(columns)} |", flush=True)
    return seconds / limit


async def table(folder: Path, runs: int) -> bool:
    """Measure every case; whether the goal was reached in all of them."""
    print(
        "| mode | Bd | reaction | drain | sets | check right | session s | limit s | ratio | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    return max([await measure(case, folder, runs) for case in CASES]) <= GOAL


def main() -> int:
    """Make the telegram and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, TELEGRAM).write_bytes(telegram())
        print(f"{len(telegram())} bytes of data; the slowest of {options.runs} runs; goal {GOAL}\n")
        return 0 if asyncio.run(table(Path(folder), options.runs)) else 1


if __name__ == "__main__":
    sys.exit(main())
