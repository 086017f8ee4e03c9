"""A battery meter in a house of its own, in accelerated time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from simulator import Heat, Kind, Manners, Meter, Mode, WakeUp

from .leap import Time
from .memory import Memory

URL: Final = "rfc2217://192.0.2.7:4001"
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR


@dataclass
class House:
    """A heat meter that sleeps, and its entry, which was set up a moment ago."""

    hass: HomeAssistant
    entry: MockConfigEntry
    memory: Memory
    meter: Meter
    clock: Time

    @property
    def woken(self) -> list[float]:
        """When the meter was woken, in seconds of the loop."""
        return [event.at for event in self.memory.log.of(Kind.WOKEN)]

    async def start(self) -> None:
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)
        assert self.entry.state is ConfigEntryState.LOADED

    async def stop(self) -> None:
        if self.entry.state is ConfigEntryState.LOADED:
            assert await self.hass.config_entries.async_unload(self.entry.entry_id)


@asynccontextmanager
async def house(hass: HomeAssistant, clock: Time) -> AsyncIterator[House]:
    manners = Manners(mode=Mode.B, speed=2400, flag="LUG", model="CUX50", wake_up=WakeUp())
    meter = Meter(Heat(clock=dt_util.utcnow), manners)
    memory = Memory(meter)

    with memory.in_place():
        entry = MockConfigEntry(
            domain=DOMAIN,
            unique_id="LUG_70012345",
            data={"device": URL, "address": "", "wake_up": "standard"},
        )
        entry.add_to_hass(hass)
        one = House(hass, entry, memory, meter, clock)
        await one.start()
        assert len(one.woken) == 1
        yield one
        await one.stop()
        memory.stop()
