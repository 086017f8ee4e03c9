"""Weeks of readings with faults among them, and restarts: nothing grows, nothing is left open, no consumption is lost.

A whole Home Assistant with its recorder; the time is its own. Each minute the schedule reads by itself.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
import gc
import json
import logging
from pathlib import Path
from random import Random
from unittest.mock import NonCallableMock

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.iec62056.protocol.codec import encode
from custom_components.iec62056.protocol.errors import (
    CheckWrong,
    ConnectionLost,
    Incomplete,
    LineBusy,
    NoAnswer,
    WrongParity,
)
from custom_components.iec62056.protocol.model import Reading

from .common.bench import NUMBER, START, Bench, entity_id, reading
from .common.replacement import changes, sum_up

SEED = 6205621
SHORT, WHOLE = 300, 20_000
# One reading in twenty fails, one in two hundred is wrong and says so nowhere, one in a thousand sees a restart.
FAILS, LIES, RESTARTS = 0.05, 0.005, 0.001
FAULTS: tuple[Callable[[], Exception], ...] = (
    NoAnswer,
    CheckWrong,
    Incomplete,
    lambda: LineBusy(port="probe"),
    lambda: ConnectionLost(port="probe"),
    lambda: WrongParity(percent="12"),
    # What nobody expects of a client: it must not end the polls.
    lambda: RuntimeError("a fault of the client"),
)
ENERGY = "1-0:1.8.0"
# Half a watt-hour a second, in quiet nights nothing.
PER_MINUTE = 0.031


@dataclass(frozen=True, slots=True)
class Use:
    """What is in use: objects, open files, tasks, timers, and what the meter's file would hold."""

    objects: int
    files: int
    tasks: int
    timers: int
    stored: int


@dataclass
class House:
    """A meter of a house, and a Home Assistant that reads it."""

    hass: HomeAssistant
    entry: MockConfigEntry
    bench: Bench
    freezer: FrozenDateTimeFactory
    minute: int = 0
    chance: Random = field(default_factory=lambda: Random(SEED))
    faults: Counter[str] = field(default_factory=Counter)

    def total(self) -> float:
        """What the meter shows, in kWh."""
        return 4711.0 + self.minute * PER_MINUTE

    def good(self, total: float | None = None) -> Reading:
        """What the meter says now; `total` is another number than the true one."""
        shown = self.total() if total is None else total
        return reading(
            {
                "C.1.0": [NUMBER],
                "F.F": ["00000000"],
                "1.8.0": [f"{shown:010.3f}*kWh"],
                "2.8.0": ["000012.003*kWh"],
                "1.6.0": ["03.210*kW", f"26-11-{20 + self.minute % 9:02} 18:15"],
                "16.7": [f"{self.minute % 77 / 10:06.3f}*kW"],
                "32.7": [f"{228 + self.minute % 7}.4*V"],
            },
            at=START + timedelta(minutes=self.minute),
        )

    def answers(self) -> list[Reading | Exception]:
        """What comes of the next reading, and of a second one that is made at once."""
        drawn = self.chance.random()
        if drawn < FAILS:
            fault = self.chance.choice(FAULTS)()
            self.faults[type(fault).__name__] += 1
            return [fault]
        if drawn < FAILS + LIES:
            self.faults["lie"] += 1
            wrong = self.chance.choice((0.0, self.total() + 90_000, self.total() - 1_000))
            return [self.good(wrong), self.good()]
        return [self.good()]

    async def pass_minute(self) -> None:
        """The schedule reads; sometimes Home Assistant sets the meter up anew."""
        self.minute += 1
        self.bench.answers = self.answers()
        self.freezer.move_to(START + timedelta(minutes=self.minute))
        async_fire_time_changed(self.hass)
        await self.hass.async_block_till_done(wait_background_tasks=True)
        if self.chance.random() < RESTARTS:
            self.faults["restart"] += 1
            assert await self.hass.config_entries.async_reload(self.entry.entry_id)
            await self.hass.async_block_till_done(wait_background_tasks=True)

    def use(self) -> Use:
        """What is in use now, but for what the tests' own stand-ins remember of each call."""
        for one in gc.get_objects():
            if isinstance(one, NonCallableMock):
                one.reset_mock()
        gc.collect()
        loop = asyncio.get_running_loop()
        timers = [one for one in loop._scheduled if not one.cancelled()]  # type: ignore[attr-defined]
        return Use(
            objects=len(gc.get_objects()),
            files=len(open_descriptors()),
            tasks=len(asyncio.all_tasks()),
            timers=len(timers),
            stored=len(json.dumps(encode(self.entry.runtime_data.coordinator.record.content()))),
        )


def open_descriptors() -> list[str]:
    """What is open, the database apart: the recorder keeps a connection for each thread that has asked it."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        # The descriptor of this very listing is gone already.
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return [name for name in found if "home.db" not in name]


@pytest.fixture
def quiet() -> Iterator[None]:
    """Without a log: the tests' own collection of it would grow."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("polls", [SHORT, pytest.param(WHOLE, marks=pytest.mark.long)])
async def test_polls_with_faults(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    *,
    polls: int,
) -> None:
    print("seed", SEED)
    assert await async_setup_component(hass, "sensor", {})
    house = House(hass, entry, bench, freezer)
    bench.answers = [house.good()]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    early: Use | None = None
    while bench.reads < polls:
        reads = bench.reads
        await house.pass_minute()
        # Its pauses behind a failure are at most some minutes.
        assert bench.reads > reads or house.minute < 2 * polls
        bench.progress.clear()
        bench.lines[:] = [line for line in bench.lines if not line.closed]
        for told in (
            bench.profiles,
            bench.efforts,
            bench.discoveries,
            bench.passwords,
            bench.permits,
        ):
            told.clear()
        if early is None and bench.reads >= polls // 4:
            early = house.use()
    assert early is not None
    late = house.use()
    print(f"{bench.reads} polls in {house.minute} minutes", dict(house.faults))
    print(early, late)
    assert entry.state is ConfigEntryState.LOADED
    assert bench.open_lines == 0
    assert late.files <= early.files + 2
    assert late.tasks <= early.tasks + 2
    assert late.timers <= early.timers + 4
    assert late.stored < early.stored * 1.2 + 2_000
    assert late.objects < early.objects * 1.05 + 20_000
    # The last word is a good reading at the end of an hour, so that all that was used is known, and summed up.
    house.minute += 60 - (house.minute + 1) % 60
    end = START + timedelta(minutes=house.minute + 1)
    freezer.move_to(end - timedelta(minutes=1))
    bench.answers = [house.good()]
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)
    await sum_up(hass, START, end)
    used = sum(await changes(hass, entity_id(hass, ENERGY)))
    assert used == pytest.approx(house.minute * PER_MINUTE, abs=0.07)
