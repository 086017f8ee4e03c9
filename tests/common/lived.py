"""A meter on a line in memory that lives at Home Assistant's time of day, and a Home Assistant that reads it so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import override
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.protocol.transport.trace import LineStats, Trace
from simulator import Manners, Meter, Programming

from .bench import NUMBER, Bench
from .leap import ticking
from .memory import without_names
from .week import House, Week
from .wired import WiredLine


class Lived(WiredLine):
    """The line of a meter that is read again and again, at the time of day of Home Assistant."""

    @override
    def utcnow(self) -> datetime:
        return dt_util.utcnow()

    async def open(self, _url: str, *, speed: int, watched: bool = False) -> Lived:
        """In place of the client's own: the meter has long waited for the next sign-on."""
        await self.sleep_until(self.now() + 300)
        await self.set_speed(speed, self.now())
        self.drop_input()
        self.tally, self.trace, self.closed = LineStats(), Trace(), False
        return self


@dataclass
class Registers:
    """What the meter shows at the time of day."""

    house: House

    def block(self) -> bytes:
        taken, given = (1_000_000 + one for one in self.house.registers(dt_util.utcnow()))
        return (
            f"C.1.0({NUMBER})\r\n1.8.0({taken / 1000:010.3f}*kWh)\r\n"
            f"2.8.0({given / 1000:010.3f}*kWh)\r\n"
        ).encode()


class WiredWeek(Week):
    """The course of things where the answers come over the line."""

    @override
    def answer(self, moment: datetime) -> None:
        """The meter answers for itself."""

    @override
    async def settle(self) -> None:
        # A line rests between two sessions.
        with ticking(self.freezer):
            await super().settle()


def lived(house: House, mode: Programming) -> Lived:
    """The line of that house's meter."""
    return Lived(Meter(Registers(house), Manners(flag="LGZ", model="P1"), programming=mode))


@asynccontextmanager
async def living(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    *,
    freezer: FrozenDateTimeFactory,
    house: House,
    line: Lived,
) -> AsyncIterator[WiredWeek]:
    """The meter set up, and read for the first time."""

    await hass.config.async_set_time_zone("Europe/Berlin")
    with (
        patch("custom_components.iec62056.meter.connection.open_line", line.open),
        without_names(),
    ):
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        yield WiredWeek(hass, entry, Bench(), freezer, house)
        await hass.config_entries.async_unload(entry.entry_id)
