"""Sensor platform: values of registers, derived values and diagnostics."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .runtime import MeterConfigEntry
from .sensors import derived, diagnostics, registers

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: MeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of a meter."""
    diagnostics.async_setup(entry, async_add_entities)
    registers.async_setup(hass, entry, async_add_entities)
    derived.async_setup(entry, async_add_entities)
