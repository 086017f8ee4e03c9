"""An entry with sensors, read again with other values."""

from collections.abc import Mapping

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .bench import HOUSEHOLD, Bench, entity_id, later, reading


async def set_up(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, sent: dict[str, list[str]]
) -> None:
    """Add a meter that sends these registers."""
    bench.answers = [reading(sent)]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def read_again(
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    sent: dict[str, list[str]],
    minute: float = 1,
    *,
    known: Mapping[str, list[str]] = HOUSEHOLD,
) -> None:
    """Read the known registers again, with these changed."""
    bench.answers = [reading({**known, **sent}, at=later(minute))]
    freezer.move_to(later(minute))
    await entry.runtime_data.coordinator.async_refresh()
    await entry.runtime_data.coordinator.hass.async_block_till_done()


def decimals(hass: HomeAssistant, key: str) -> int:
    """How many decimals Home Assistant shows of a sensor."""
    entity = er.async_get(hass).async_get(entity_id(hass, key))
    assert entity is not None
    shown: int = entity.options["sensor"]["suggested_display_precision"]
    return shown
