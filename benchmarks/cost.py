"""What one readout costs in Home Assistant, and where it goes; what the set-up of a meter and the import cost.

A household of 42 registers; the bytes come from memory in runs of 64, and each reading finds a minute's other values.
CPU time of the loop's thread, without the recorder's (see house.py for all of it). The median of many readings counts,
so that a busy machine disturbs little.

    python -m benchmarks.cost [--readings N]
"""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from statistics import median
import subprocess
import sys
import tempfile
import time
import tracemalloc
from typing import Any, override
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_test_home_assistant

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.coordinator import MeterCoordinator
from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.validation.validator import ReadingValidator
from simulator import Household

from .blocks import Fed, framed

COMPONENTS = Path(__file__).parents[1] / "custom_components"
WARM = 70  # an hour, over which means are remembered
RUN = 64
SETUPS = 10
IMPORTS = 3

IMPORT = """
import sys, time
import homeassistant.bootstrap, homeassistant.components.recorder.statistics, homeassistant.components.sensor
import homeassistant.components.binary_sensor, homeassistant.components.button, homeassistant.components.usb
import homeassistant.components.logbook, homeassistant.helpers.selector
start = time.process_time()
import custom_components.iec62056.flows.config, custom_components.iec62056.sensor
import custom_components.iec62056.binary_sensor, custom_components.iec62056.button
print(time.process_time() - start, start)
"""


class Clock:
    """The time of day, and the household that lives in it."""

    def __init__(self) -> None:
        """Begin in the morning."""
        self.now = datetime(2031, 5, 17, 10, tzinfo=UTC)
        self._household = Household(clock=self.utcnow)
        self.block = b""

    def utcnow(self) -> datetime:
        """The time now."""
        return self.now

    def go_on(self) -> None:
        """To the next minute; the household's work is not measured."""
        self.now += timedelta(minutes=1)
        self.block = framed(self._household.block())

    async def open_line(self, _url: str, *, speed: int, watched: bool = False) -> Fed:
        """In place of the client's own."""
        return Dated(self)


class Dated(Fed):
    """A line in the clock's time."""

    def __init__(self, clock: Clock) -> None:
        """Have the telegram of this minute."""
        super().__init__(clock.block, RUN)
        self._clock = clock

    @override
    def utcnow(self) -> datetime:
        return self._clock.now


class Parts:
    """The CPU time of some functions, each without those that it calls and that are told apart themselves."""

    def __init__(self) -> None:
        """Nothing has run yet."""
        self.seconds: dict[str, float] = {}
        self._open: list[float] = []

    def begin(self) -> float:
        """A part begins."""
        self._open.append(0.0)
        return time.thread_time()

    def end(self, name: str, start: float) -> None:
        """It ends: its own time is what no other has taken meanwhile."""
        took = time.thread_time() - start
        self.seconds[name] = self.seconds.get(name, 0.0) + took - self._open.pop()
        if self._open:
            self._open[-1] += took

    @contextmanager
    def of(self, name: str, owner: type, function: str) -> Iterator[None]:
        """Count this function's time under that name."""
        inner: Callable[..., Any] = getattr(owner, function)

        @wraps(inner)
        def counted(*arguments: Any, **named: Any) -> Any:
            start = self.begin()
            try:
                return inner(*arguments, **named)
            finally:
                self.end(name, start)

        @wraps(inner)
        async def counted_later(*arguments: Any, **named: Any) -> Any:
            start = self.begin()
            try:
                return await inner(*arguments, **named)
            finally:
                self.end(name, start)

        later = asyncio.iscoroutinefunction(inner)
        with patch.object(owner, function, counted_later if later else counted):
            yield


PARTS = (
    ("bytes → registers: the client", MeterClient, "read_all"),
    ("which values are published", ReadingValidator, "check"),
    ("what follows from them, what is kept", MeterCoordinator, "async_process_reading"),
    ("sensors", MeterCoordinator, "async_update_listeners"),
    ("Home Assistant writes states", Entity, "_async_write_ha_state"),
)
WRITES = PARTS[-1][0]
REST = "turns, tasks, timers"


def link(folder: Path) -> None:
    """Let a configuration folder hold the component."""
    (folder / COMPONENTS.name).symlink_to(COMPONENTS)


@asynccontextmanager
async def house(clock: Clock) -> AsyncGenerator[HomeAssistant]:
    """A Home Assistant that finds the component, at the clock's time."""
    with tempfile.TemporaryDirectory() as folder:
        link(Path(folder))
        async with async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(DATA_CUSTOM_COMPONENTS)
            clock.go_on()
            with (
                patch("custom_components.iec62056.meter.connection.open_line", clock.open_line),
                patch.object(dt_util, "utcnow", clock.utcnow),
            ):
                yield hass
            await hass.async_stop(force=True)


async def add(hass: HomeAssistant) -> MockConfigEntry:
    """A meter that was read once, and is set up."""
    entry = MockConfigEntry(
        domain=DOMAIN, title="Meter", unique_id="ABC_10012345", data={"device": "/dev/meter"}
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def read(clock: Clock, coordinator: MeterCoordinator) -> float:
    """The next reading; its seconds of CPU."""
    clock.go_on()
    start = time.thread_time()
    await coordinator.async_refresh()
    took = time.thread_time() - start
    assert coordinator.last_update_success
    return took


async def readouts(hass: HomeAssistant, clock: Clock, count: int) -> float:
    """Print where a readout's time and memory go; returns its seconds."""
    entry = await add(hass)
    coordinator: MeterCoordinator = entry.runtime_data.coordinator
    for _ in range(WARM):
        await read(clock, coordinator)
    whole = median([await read(clock, coordinator) for _ in range(count)])
    shares: dict[str, list[float]] = {name: [] for name, *_ in PARTS}
    with ExitStack() as stack:
        parts = Parts()
        for part in PARTS:
            stack.enter_context(parts.of(*part))
        for _ in range(count):
            parts.seconds.clear()
            took = await read(clock, coordinator)
            for name, found in shares.items():
                found.append(parts.seconds[name] / took)
    share = {name: median(found) for name, found in shares.items()}
    share[REST] = 1 - sum(share.values())
    registers, states = len(coordinator.data.registers), len(hass.states.async_all())
    print(f"A readout of {registers} registers, {states} entities: {whole * 1000:.1f} ms of CPU\n")
    print("| where it goes | share | multiple of Home Assistant's writing |\n|---|---|---|")
    for name, of_all in share.items():
        print(f"| {name} | {of_all:.0%} | {of_all / share[WRITES]:.2f} |")
    peak = await allocations(clock, coordinator)
    print(f"\nMemory: {peak / 1024:.0f} KiB at the most at once during a readout")
    return whole


async def allocations(clock: Clock, coordinator: MeterCoordinator) -> float:
    """The most bytes that a readout has allocated at once."""
    tracemalloc.start()
    try:
        peaks = []
        for _ in range(WARM):
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            await read(clock, coordinator)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
        return median(peaks)
    finally:
        tracemalloc.stop()


async def setups(hass: HomeAssistant, whole: float) -> None:
    """Print what the set-up of a known meter costs: from its file to its entities."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    found = []
    for _ in range(SETUPS):
        await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_block_till_done()
        start = time.thread_time()
        await hass.config_entries.async_setup(entry.entry_id)
        found.append(time.thread_time() - start)
        await hass.async_block_till_done()
    took = median(found)
    print(f"\nSet-up of a known meter: {took * 1000:.0f} ms of CPU, {took / whole:.1f} readouts")


def imports() -> None:
    """Print what the import costs, beside that of the parts of Home Assistant it builds on."""
    found = []
    for _ in range(IMPORTS):
        command = [sys.executable, "-W", "ignore", "-c", IMPORT]
        done = subprocess.run(
            command,
            cwd=COMPONENTS.parent,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
        ours, before = map(float, done.stdout.split())
        found.append((ours, before))
    ours, before = min(found)
    print(
        f"Import: {ours * 1000:.0f} ms of CPU,"
        f" {ours / before:.2f} of what it builds on in Home Assistant"
    )


async def run(count: int) -> None:
    """Measure all of it."""
    clock = Clock()
    async with house(clock) as hass:
        await setups(hass, await readouts(hass, clock, count))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--readings", type=int, default=200)
    options = parser.parse_args()
    asyncio.run(run(options.readings))
    imports()


if __name__ == "__main__":
    main()
