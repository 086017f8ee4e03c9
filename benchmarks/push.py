"""What a pushed telegram of DLMS costs: octets to registers, with its checks and its key, for each make.

python -m benchmarks.push [--count N]
"""

import argparse
from datetime import UTC, datetime
import sys
import time

from custom_components.iec62056.protocol.dlms.push.ciphering import PushKeys
from custom_components.iec62056.protocol.push import PushReader
from simulator import Household
from simulator.dlms.push import AUTHENTICATION_KEY, KEY, MAKES

KEYS = PushKeys(KEY, AUTHENTICATION_KEY)
MOMENT = datetime(2031, 5, 17, 8, 0, tzinfo=UTC)
ROUNDS = 5
# Milliseconds: no telegram may hold the event loop for longer.
GOAL = 5.0


def measure(make: str, count: int) -> tuple[int, int, float]:
    """Octets and registers of a telegram, and its CPU time in seconds: the best of some rounds."""
    household = Household(clock=lambda: MOMENT)
    pushed = [
        b"".join(MAKES[make].frames(household, MOMENT, number)) for number in range(1, count + 1)
    ]
    best, registers = float("inf"), 0
    for _ in range(ROUNDS):
        reader = PushReader(KEYS)
        begun = time.thread_time()
        readings = [
            reading for telegram in pushed for reading in reader.feed(telegram, 0.0, MOMENT)
        ]
        readings += reader.silence(MOMENT)
        best = min(best, (time.thread_time() - begun) / count)
        if len(readings) != count:
            raise RuntimeError(f"{len(readings)} of {count} telegrams were read")
        registers = len(readings[0].registers)
    return len(pushed[0]), registers, best


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=400)
    options = parser.parse_args()
    print("| make | octets | registers | CPU of a telegram |\n|---|---|---|---|")
    worst = 0.0
    for make in MAKES:
        octets, registers, seconds = measure(make, options.count)
        worst = max(worst, seconds * 1000)
        print(f"| {make} | {octets} | {registers} | {seconds * 1000:.2f} ms |", flush=True)
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
