"""How often a meter on its battery is woken, counted by the meter itself.

The client and the meter are real (the simulator's), the line between them is in memory, and time leaps.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from homeassistant.util.file import WriteError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter.wake_budget import WAKE_UPS_A_DAY
from custom_components.iec62056.protocol.errors import NotWritten
from simulator import Heat, Kind, Manners, Meter, Mode, WakeUp

from ..common.bench import START
from ..common.clock import ROUNDING
from ..common.leap import Time, leaping
from ..common.memory import Memory

URL: Final = "rfc2217://192.0.2.7:4001"
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
DAYS: Final = 4


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

    async def address(_: HomeAssistant, host: str) -> str:
        return host

    with (
        patch(
            "custom_components.iec62056.protocol.transport.line.open_transport",
            memory.open_transport,
        ),
        patch("custom_components.iec62056.meter.connection._address", address),
    ):
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


async def test_five_restarts_in_a_day_are_one_wake_up(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    with leaping(START) as clock:
        async with house(hass, clock) as one:
            await asyncio.sleep(6 * HOUR)
            before = len(one.woken)
            # One of them takes until the reading has long been due.
            for up, down in ((2, 0.1), (3, 0.1), (4, 12), (0.5, 0.1), (1, 0.1)):
                await asyncio.sleep(up * HOUR)
                await one.stop()
                await asyncio.sleep(down * HOUR)
                await one.start()
            await asyncio.sleep(HOUR)
            assert len(one.woken) - before == 1


async def test_whoever_asks_no_day_has_more_than_the_budget(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """Reloads, the button and `update_entity`, each hour for days; nor does it starve the schedule."""
    with leaping(START) as clock:
        async with house(hass, clock) as one:
            refused = 0
            for hour in range(DAYS * 24):
                await asyncio.sleep(HOUR)
                if hour % 5 == 0:
                    await one.stop()
                    await one.start()
                elif hour % 2:
                    await one.entry.runtime_data.coordinator.async_refresh()
                else:
                    try:
                        await one.entry.runtime_data.coordinator.async_read_now()
                    except HomeAssistantError:
                        refused += 1
            assert refused > 8 * DAYS
            # The first reading is that of the set-up, which has its own allowance.
            woken = one.woken[1:]
            for first, over in zip(woken, woken[WAKE_UPS_A_DAY:], strict=False):
                # Floats: a day may lack some nanoseconds.
                assert over - first >= DAY - ROUNDING
            assert DAYS <= len(woken) <= DAYS * WAKE_UPS_A_DAY
            assert max(later - earlier for earlier, later in pairwise(woken)) <= DAY + HOUR


async def test_no_wake_up_that_could_not_be_noted(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """A crash would forget it, and the meter be woken again and again."""
    full = WriteError("no space left on device")
    with leaping(START) as clock:
        async with house(hass, clock) as one:
            before = len(one.woken)
            with patch("homeassistant.helpers.storage.Store._async_write_data", side_effect=full):
                await asyncio.sleep(2 * DAY)
            assert len(one.woken) == before
            failed = one.entry.runtime_data.coordinator.last_exception
            assert failed is not None
            assert isinstance(failed.__cause__, NotWritten)
            await asyncio.sleep(DAY)
            assert len(one.woken) > before
