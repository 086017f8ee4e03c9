"""An entry with derived sensors, read again and again."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
)

from .bench import Bench, later, reading


async def set_up(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, sent: dict[str, list[str]]
) -> None:
    bench.answers = [reading(sent)]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def read_again(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    sent: dict[str, list[str]],
    *,
    minute: float = 1,
) -> None:
    bench.answers = [reading(sent, at=later(minute))]
    freezer.move_to(later(minute))
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
