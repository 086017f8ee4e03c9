"""What many meters cost one Home Assistant: a real one, with recorder and frontend, looked at from outside.

Real time. Each meter is read every minute behind a raw TCP bridge of its own at 9600 Bd; after the start all of them are
due in the same second, and stay so: nothing is harder on the machine than that. The bridges are in another process. What
is measured is whole rounds, in which each meter is read once. CPU and memory are the kernel's figures of Home Assistant's
process, less those of one without meters in the same run. Late is the time from when a reading is due, a minute after the
last one, until its request is on the line.

    python -m benchmarks.house [--meters N...] [--rounds M]
"""

import argparse
import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
import json
import os
from pathlib import Path
import re
from statistics import median
import sys
import tempfile
import time
from typing import override

from demo.home import Json
from demo.processes import Ended, Program, running
from demo.start import COMPONENT, free_port, write_configuration
from simulator import Household
from simulator.manners import Check, check_character
from simulator.wire import even

ROOT = Path(__file__).parent.parent
# The newest Home Assistant.
PYTHON = ROOT / ".venv-demo/bin/python"
GOAL_METERS, GOAL = 100, 0.10
INTERVAL = 60.0
SPEED = 9600
REACTION = 0.2
RUN = 0.02  # seconds of characters that a bridge delivers at once
READY = "ready: "
READY_WITHIN = 300.0
ROUND_WITHIN = 180.0
SETTLED = 2  # rounds before anything is measured
EVEN = bytes(even(octet & 0x7F) for octet in range(256))


class Bridge(asyncio.Protocol):
    """A meter of mode C behind a bridge. `starts` and `ends` are when it was called and when its client went."""

    def __init__(self, serial: str) -> None:
        """Nobody has called yet."""
        self.starts: list[float] = []
        self.ends: list[float] = []
        self._household = Household(serial=serial, seed=int(serial))
        self._transport: asyncio.Transport | None = None
        self._heard = b""
        self._left = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._heard, self._left = transport, b"", b""

    @override
    def data_received(self, data: bytes) -> None:
        self._heard += bytes(octet & 0x7F for octet in data)
        if b"/?" in self._heard and b"!\r\n" in self._heard:
            self.starts.append(time.monotonic())
            self._say(b"/SIM5BENCH\r\n")
        elif b"\x06" in self._heard and self._heard.endswith(b"\r\n"):
            covered = self._household.block() + b"!\r\n\x03"
            check = check_character(Check.XOR, covered)
            self._say(b"\x02" + covered + check)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.ends.append(time.monotonic())
        self._transport = None

    def _say(self, octets: bytes) -> None:
        self._heard, self._left = b"", octets.translate(EVEN)
        asyncio.get_running_loop().call_later(REACTION, self._deliver, self._transport)

    def _deliver(self, to: asyncio.Transport | None) -> None:
        if to is None or to is not self._transport:
            return
        size = round(SPEED / 10 * RUN)
        to.write(self._left[:size])
        self._left = self._left[size:]
        if self._left:
            asyncio.get_running_loop().call_later(RUN, self._deliver, to)


async def serve(count: int, report: Path) -> None:
    """Serve so many meters until the end is asked for; write what they saw, again and again."""
    bridges = [Bridge(f"{10_000_000 + number}") for number in range(count)]
    servers = [await _listen(bridge) for bridge in bridges]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    _write(report, bridges)
    print(f"{READY}{json.dumps(ports)}", flush=True)
    while True:
        await asyncio.sleep(2)
        _write(report, bridges)


def _write(report: Path, bridges: list[Bridge]) -> None:
    fresh = report.with_suffix(".new")
    fresh.write_text(json.dumps([[bridge.starts, bridge.ends] for bridge in bridges]), "utf-8")
    fresh.replace(report)


async def _listen(bridge: Bridge) -> asyncio.Server:
    # It takes one client at a time, and the next one is served by the same object.
    return await asyncio.get_running_loop().create_server(lambda: bridge, "127.0.0.1", 0)


def entries(ports: list[int]) -> str:
    """Home Assistant's file of entries, with a meter on each of these ports."""
    now = "2026-01-01T00:00:00+00:00"
    listed: list[Json] = [
        {
            "created_at": now,
            "modified_at": now,
            "entry_id": f"bench{number:027}",
            "domain": COMPONENT.name,
            "title": f"Meter {number}",
            "unique_id": f"SIM_{10_000_000 + number}",
            "data": {"device": f"socket://127.0.0.1:{port}", "address": "", "speed": SPEED},
            "options": {"interval": int(INTERVAL)},
            "version": 1,
            "minor_version": 1,
            "source": "user",
            "disabled_by": None,
            "discovery_keys": {},
            "pref_disable_new_entities": False,
            "pref_disable_polling": False,
            "subentries": [],
        }
        for number, port in enumerate(ports)
    ]
    return json.dumps(
        {
            "version": 1,
            "minor_version": 5,
            "key": "core.config_entries",
            "data": {"entries": listed},
        }
    )


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has used so far: seconds of all processors, and the bytes it holds."""

    at: float
    cpu: float
    memory: int

    @classmethod
    def by(cls, pid: int) -> Used:
        """Ask the kernel."""
        process = Path("/proc") / str(pid)
        fields = (process / "stat").read_text("ascii").rpartition(")")[2].split()
        found = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text("ascii"))
        assert found is not None
        cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return cls(time.monotonic(), cpu, int(found[1]) * 1024)


@dataclass(frozen=True, slots=True)
class Measured:
    """One Home Assistant with so many meters; `seconds` of which one core was busy `share`, `late` in seconds, sorted."""

    seconds: float
    share: float
    memory: int
    late: list[float]


async def measure(folder: Path, count: int, rounds: int) -> Measured:
    """Start everything, let each meter be read, then look at some rounds."""
    report = folder / "report.json"
    configuration = folder / "config"
    async with AsyncExitStack() as stack:
        bridges = await stack.enter_async_context(
            running(
                "The bridges",
                [sys.executable, "-m", "benchmarks.house", "--serve", str(count), str(report)],
                folder / "bridges.log",
            )
        )
        await bridges.until(partial(_ready, bridges), 30)
        ready = next(line for line in bridges.words() if line.startswith(READY))
        write_configuration(configuration, free_port(0), {COMPONENT: ""})
        stored = configuration / ".storage" / "core.config_entries"
        stored.write_text(entries(json.loads(ready.removeprefix(READY))), "utf-8")
        # -P: or the components of this folder would win over those of the configuration.
        command = [str(PYTHON), "-P", "-m", "homeassistant", "--config", str(configuration)]
        home = await stack.enter_async_context(
            running("Home Assistant", [*command, "--skip-pip"], folder / "homeassistant.log")
        )
        if count:
            await home.until(partial(_read, report, SETTLED), READY_WITHIN)
        else:
            # As long as the others need.
            await asyncio.sleep(SETTLED * INTERVAL)
        before = Used.by(home.pid)
        if count:
            await home.until(partial(_read, report, SETTLED + rounds), rounds * ROUND_WITHIN)
        else:
            await asyncio.sleep(rounds * INTERVAL)
        after = Used.by(home.pid)
        measured = slice(SETTLED - 1, SETTLED - 1 + rounds)
        late = [
            start - end - INTERVAL
            for starts, ends in _seen(report)
            for start, end in zip(starts[1:][measured], ends[measured], strict=True)
        ]
    seconds = after.at - before.at
    return Measured(seconds, (after.cpu - before.cpu) / seconds, after.memory, sorted(late))


async def _ready(program: Program) -> bool:
    return any(line.startswith(READY) for line in program.words())


async def _read(report: Path, rounds: int) -> bool:
    return all(len(ends) >= rounds for _, ends in _seen(report))


def _seen(report: Path) -> list[tuple[list[float], list[float]]]:
    found: list[tuple[list[float], list[float]]] = json.loads(report.read_text("utf-8"))
    return found


def load() -> str:
    """How many others want the machine."""
    return f"{os.getloadavg()[0]:.1f}"


async def table(sizes: list[int], rounds: int) -> bool:
    """Measure every size; whether the goal was reached."""
    with tempfile.TemporaryDirectory() as folder:
        none = await measure(_empty(folder, 0), 0, rounds)
        print(f"Without meters: {none.share:.2%} of a core, {none.memory / 2**20:.0f} MiB\n")
        print(
            "| meters | readings | share of a core | CPU of a reading | memory for each meter"
            " | late: median | late: worst | load |"
        )
        print("|---|---|---|---|---|---|---|---|", flush=True)
        reached = True
        for count in sizes:
            found = await measure(_empty(folder, count), count, rounds)
            share = found.share - none.share
            columns = (
                str(count),
                str(len(found.late)),
                f"{share:.2%}",
                f"{share * found.seconds / len(found.late) * 1000:.0f} ms",
                f"{(found.memory - none.memory) / count / 2**10:.0f} KiB",
                f"{median(found.late):.2f} s",
                f"{found.late[-1]:.2f} s",
                load(),
            )
            print(f"| {' | '.join(columns)} |", flush=True)
            reached = reached and (count > GOAL_METERS or share <= GOAL)
    return reached


def _empty(folder: str, count: int) -> Path:
    made = Path(folder, str(count))
    made.mkdir()
    return made


def main() -> int:
    """Print the table; 0 where the goal is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--meters", type=int, nargs="+", default=[1, 10, 100, 300])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", nargs=2, metavar=("N", "REPORT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(int(options.serve[0]), Path(options.serve[1])))
        return 0
    goal = f"goal: {GOAL_METERS} meters below {GOAL:.0%} of a core"
    print(f"{options.rounds} rounds each; {goal}; load {load()}\n")
    try:
        return 0 if asyncio.run(table(options.meters, options.rounds)) else 1
    except Ended as err:
        print(err, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
