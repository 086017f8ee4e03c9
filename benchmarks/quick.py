"""How often three registers can be read in a kept session, against what the wire itself allows.

A simulated meter in a process of its own gives every character its real time on a pseudo terminal. The limit is the
characters of commands and answers, the meter's reactions, and the shortest reaction the standard allows the reader
(200 ms, or 20 ms where the third letter of the make is lower case: Std 6.3.14 item 12). Limit and rounds are of the
same run.

    python -m benchmarks.quick [--rounds N]
"""

import argparse
import asyncio
from dataclasses import dataclass
import sys
import time

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.transport.serial_line import open_line
from custom_components.iec62056.protocol.transport.trace import Direction

from .parts.simulated import simulated

GOAL = 0.9
CODES = ("1.7.0", "32.7.0", "31.7.0")


@dataclass(frozen=True, slots=True)
class Case:
    """One meter: its identification, its speed in baud, its reaction in seconds."""

    ident: str
    speed: int
    reaction: float


CASES = (
    Case("/LGZ5ZMX310CT.B14", 9600, 0.2),
    Case("/LGz5ZMX310CT.B14", 9600, 0.02),
    Case("/LGZ0ZMX310CT.B14", 300, 0.2),
)


def options(case: Case) -> tuple[str, ...]:
    """The meter as the simulator takes it."""
    reaction = str(case.reaction * 1000)
    return "--programming", "--ident", case.ident, "--reaction", reaction


async def rounds(case: Case, port: str, count: int) -> tuple[float, float, float]:
    """Rounds a second that were reached, those that are possible, and the share of the processor's time."""
    line = await open_line(port)
    try:
        async with MeterClient(line).conversation() as talk:
            await talk.read(CODES)
            start, busy, before = line.now(), time.process_time(), len(line.trace.runs)
            for _ in range(count):
                answers = await talk.read(CODES)
                assert all(answer.register for answer in answers)
            took, busy = line.now() - start, time.process_time() - busy
        heard = [run for run in line.trace.runs[before:] if run.direction is Direction.RECEIVED]
        # STX, ETX and the check belong to the frame.
        lengths = [len(run.data) - 3 for run in heard[: len(CODES)]]
        # A command has eight characters around its code, an answer three.
        characters = sum(lengths) + sum(len(code) + 11 for code in CODES)
        limit = 1 / (len(CODES) * 2 * case.reaction + characters * 10 / case.speed)
        return count / took, limit, busy / took
    finally:
        await line.close()


async def table(count: int) -> bool:
    """Measure every case; whether the goal was reached in all of them."""
    print("| Bd | reaction | rounds/s | limit | ratio | CPU |\n|---|---|---|---|---|---|")
    worst = 1.0
    for case in CASES:
        async with simulated(*options(case)) as port:
            reached, limit, busy = await rounds(case, port, count)
        worst = min(worst, reached / limit)
        columns = (
            str(case.speed),
            f"{case.reaction * 1000:.0f} ms",
            f"{reached:.3f}",
            f"{limit:.3f}",
            f"{reached / limit:.3f}",
            f"{busy:.1%}",
        )
        print(f"| {' | '.join(columns)} |", flush=True)
    return worst >= GOAL


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    print(f"{len(CODES)} registers, {options.rounds} rounds; goal {GOAL}\n")
    return 0 if asyncio.run(table(options.rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
