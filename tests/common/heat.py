"""A heat meter on its battery, and the timers of an entry."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.model import LineProfile, Medium

from .bench import NUMBER, PORT, later

ELECTRIC = LineProfile(medium=Medium.ELECTRICITY)
HEAT = LineProfile(medium=Medium.HEAT)


async def fire(hass: HomeAssistant, freezer: FrozenDateTimeFactory, minutes: float) -> None:
    """Let that time of the test have come, and everything done that is due then."""
    freezer.move_to(later(minutes))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)


def heat_entry(hass: HomeAssistant) -> MockConfigEntry:
    entry = MockConfigEntry(
        domain=DOMAIN,
        unique_id=f"LGZ_{NUMBER}",
        data={"device": PORT, "address": ""},
        options={"aligned": "off"},
    )
    entry.add_to_hass(hass)
    return entry
