"""How long mode E takes in an open association, against what the wire and the meter need.

A simulated meter in a process of its own gives every octet its real time at 9600 Bd behind a raw TCP bridge of 20 ms
each way; frames of 256 octets, windows of 4. The limit is octets × 10 / speed + turns × (latency + response), where the
latency is both ways. Sign-on and association are told apart.

    python -m benchmarks.mode_e [--runs N]
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import sys
import time

from custom_components.iec62056.protocol.dlms.client import Client
from custom_components.iec62056.protocol.dlms.cosem import ASSOCIATION, CURRENT_ASSOCIATION
from custom_components.iec62056.protocol.dlms.descriptors import Item, LogicalName, Member
from custom_components.iec62056.protocol.dlms.login import PUBLIC, Keyring
from custom_components.iec62056.protocol.mode_e import ModeEMeter
from custom_components.iec62056.protocol.model import LineProfile, Mode
from custom_components.iec62056.protocol.transport.serial_line import open_line

from .parts.simulated import simulated

GOAL = 1.05
# Octets of the object list with its frames (4.3 kB without them), and the turns that may follow the request: four windows of four frames hold 4096.
LIST = 4600
TURNS = {"object list": 1 + 4, "ten registers": 1}
SPEED = 9600
LATENCY = 0.02
REGISTERS = (1, 2, 3, 9, 13, 14, 16, 21, 32, 31)


@dataclass(slots=True)
class Measured:
    """One exchange: seconds, octets both ways, how often the meter had the turn."""

    seconds: float
    octets: int
    turns: int

    def ratio(self, response: float) -> float:
        """The time it took, as a multiple of what it must take."""
        return self.seconds / self.limit(response)

    def limit(self, response: float) -> float:
        """The least time in seconds."""
        return self.octets * 10 / SPEED + self.turns * (2 * LATENCY + response)


@asynccontextmanager
async def meter(response: float) -> AsyncIterator[int]:
    """The simulated meter; its TCP port."""
    async with simulated(
        *("--tcp", "127.0.0.1:0", "--bridge-speed", str(SPEED)),
        *("--mode-e", "--hdlc", "--info", "256", "--window", "4", "--objects", "106"),
        *("--speed", str(SPEED), "--reaction", str(response * 1000)),
    ) as port:
        yield int(port.rpartition(":")[2])


@asynccontextmanager
async def delayed(port: int) -> AsyncIterator[int]:
    """The way to the meter: every run of octets arrives LATENCY later, in both directions."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(4096):
            loop.call_later(LATENCY, writer.write, octets)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        for one, other in ((reader, back), (there, writer)):
            tasks.add(loop.create_task(pump(one, other)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def exchange(client: Client, line_octets: list[int], items: list[Item]) -> Measured:
    """One GET in the open association."""
    turns, before = client.link.turns, sum(line_octets)
    start = time.perf_counter()
    results = await client.get(items)
    seconds = time.perf_counter() - start
    assert len(results) == len(items)
    return Measured(seconds, sum(line_octets) - before, client.link.turns - turns)


async def measure(response: float) -> dict[str, Measured]:
    """One session: link and association, the object list, ten registers."""
    async with meter(response) as port, delayed(port) as near:
        line = await open_line(f"socket://127.0.0.1:{near}", speed=SPEED)
        octets: list[int] = []
        add = line.trace.add

        def count(*arguments: object, **named: object) -> None:
            octets.append(len(arguments[3]))  # type: ignore[arg-type]
            add(*arguments, **named)  # type: ignore[arg-type]

        line.trace.add = count  # type: ignore[method-assign]
        try:
            profile = LineProfile(mode=Mode.E, hdlc_at_once=True)
            session = ModeEMeter(line, profile, Keyring())._session  # noqa: SLF001
            start = time.perf_counter()
            client = await session.enter(PUBLIC)
            opened = Measured(time.perf_counter() - start, sum(octets), client.link.turns)
            listing = Item(Member(ASSOCIATION, CURRENT_ASSOCIATION, 2))
            objects = await exchange(client, octets, [listing])
            assert objects.octets >= LIST, "the object list is too short to show anything"
            ten = [
                Item(Member(3, LogicalName(1, 0, c, 7 if c > 3 else 8, 0), 2)) for c in REGISTERS
            ]
            registers = await exchange(client, octets, ten)
            await session.leave()
        finally:
            await line.close()
    return {"link and association": opened, "object list": objects, "ten registers": registers}


def main() -> int:
    """Print the table; 0 where every goal is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print("| response | what | octets | turns | s | limit s | ratio |")
    print("|---|---|---|---|---|---|---|")
    met = True
    for response in (0.02, 0.2):
        runs = [asyncio.run(measure(response)) for _ in range(options.runs)]
        for name in runs[0]:
            worst = max((run[name] for run in runs), key=lambda item: item.ratio(response))
            ratio = worst.ratio(response)
            print(
                f"| {response * 1000:.0f} ms | {name} | {worst.octets} | {worst.turns} "
                f"| {worst.seconds:.3f} | {worst.limit(response):.3f} | {ratio:.4f} |",
                flush=True,
            )
            if name in TURNS:
                met &= ratio <= GOAL and worst.turns <= TURNS[name]
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
