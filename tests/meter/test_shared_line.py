"""Three meters at addresses on one line, each read every minute, for a day; one of them is reloaded again and again.

The client and the meters are real (the simulator's), the line between them is in memory, and time leaps.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from simulator import Kind, Manners, Meter

from ..common.bench import START
from ..common.leap import Time, leaping
from ..common.memory import Memory

SEED: Final = 4_041
URL: Final = "rfc2217://192.0.2.7:4001"
METERS: Final = 3
HOUR: Final = 3600.0
INTERVAL: Final = 60.0
# What a reading may wait for: one turn of each of the others, the line's rest, and its own length.
SLACK: Final = 30.0
# Said by each meter of itself: a value that another one has sent would show.
APART: Final = 10_000


# Each reading is noticed by the sensor "Last reading".
pytestmark = pytest.mark.usefixtures("every_sensor_enabled")


@dataclass
class Registers:
    """What a meter says: its number, and an energy that grows with each readout."""

    number: int
    count: int = 0

    def block(self) -> bytes:
        self.count += 1
        energy = Decimal(self.number * APART) + self.count * Decimal("0.001")
        return f"0.0.0(7700000{self.number})\r\n1.8.0({energy}*kWh)\r\n".encode()


@dataclass
class Station:
    """One meter's entry, when it was read, and what was wrong."""

    entry: MockConfigEntry
    registers: Registers
    read: list[datetime] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @callback
    def changed(self, event: Event[EventStateChangedData]) -> None:
        """Note each reading, and each value that this meter has never sent."""
        state = event.data["new_state"]
        if state is None or state.state in ("unavailable", "unknown"):
            return
        if state.attributes["device_class"] != "energy":
            moment = datetime.fromisoformat(state.state)
            if not self.read or moment > self.read[-1]:
                self.read.append(moment)
        elif not 0 < Decimal(state.state) - self.registers.number * APART < APART:
            self.wrong.append(state.state)

    @property
    def longest(self) -> float:
        """The longest time without a reading, in seconds."""
        return max((later - earlier).total_seconds() for earlier, later in pairwise(self.read))


@asynccontextmanager
async def line_of_three(hass: HomeAssistant) -> AsyncIterator[tuple[list[Station], Memory]]:
    """Three entries on one line, set up one after another."""
    registers = [Registers(number) for number in range(1, METERS + 1)]
    memory = Memory(
        *(
            Meter(
                content,
                Manners(flag="LGZ", address=f"0000{content.number}", needs_address=True),
            )
            for content in registers
        )
    )

    with memory.in_place():
        stations = []
        for content in registers:
            entry = MockConfigEntry(
                domain=DOMAIN,
                title=f"Meter {content.number}",
                unique_id=f"LGZ_7700000{content.number}",
                data={"device": URL, "address": f"0000{content.number}", "bus": True},
            )
            entry.add_to_hass(hass)
            station = Station(entry, content)
            stations.append(station)
            assert await hass.config_entries.async_setup(entry.entry_id)
            watched = [
                one.entity_id
                for one in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
                if one.unique_id.endswith(("_last_reading", "_1-0:1.8.0"))
            ]
            assert len(watched) == 2
            async_track_state_change_event(hass, watched, station.changed)
        yield stations, memory
        for station in stations:
            assert await hass.config_entries.async_unload(station.entry.entry_id)
        memory.stop()


async def live(hass: HomeAssistant, clock: Time, hours: float, reloads: int) -> None:
    """Let that much time pass on the line, reload one meter that often, and look at all of it."""
    random = Random(SEED)
    async with line_of_three(hass) as (stations, memory):
        end = clock.now + hours * HOUR
        restless = stations[1].entry
        for moment in sorted(random.uniform(clock.now, end) for _ in range(reloads)):
            await asyncio.sleep(moment - clock.now)
            assert await hass.config_entries.async_reload(restless.entry_id)
            assert restless.state is ConfigEntryState.LOADED
        await asyncio.sleep(end - clock.now)
        longest = [station.longest for station in stations]
        readings = [len(station.read) for station in stations]
        print(f"seed {SEED}: {readings} readings, longest time without one {longest} s")
        assert [station.wrong for station in stations] == [[], [], []]
        for station in stations:
            assert station.longest <= INTERVAL + SLACK
            assert len(station.read) >= hours * HOUR / (INTERVAL + SLACK)
            if station.entry is not restless:
                assert station.entry.runtime_data.coordinator.failures == 0
        assert not memory.log.of(Kind.COLLISION)
    assert not memory.open


async def test_two_hours(hass: HomeAssistant) -> None:
    with leaping(START) as clock:
        await live(hass, clock, 2, 20)


@pytest.mark.long
async def test_a_day(hass: HomeAssistant) -> None:
    with leaping(START) as clock:
        await live(hass, clock, 24, 50)
