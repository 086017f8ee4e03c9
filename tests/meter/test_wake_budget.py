"""How often a meter on its battery is woken, counted by the meter itself.

The client and the meter are real (the simulator's), the line between them is in memory, and time leaps.
"""

import asyncio
from itertools import pairwise
from typing import Any, Final
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.file import WriteError

from custom_components.iec62056.meter.wake_budget import WAKE_UPS_A_DAY
from custom_components.iec62056.protocol.errors import NotWritten

from ..common.battery_house import DAY, HOUR, house
from ..common.bench import START
from ..common.clock import ROUNDING
from ..common.leap import leaping

DAYS: Final = 4


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
