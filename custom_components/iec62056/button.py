"""Buttons: read the meter now, and call it again and again while the user moves the probe."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import MeterCoordinator
from .entity import LinkEntity
from .meter.probe_alignment import ProbeAlignment
from .runtime import MeterConfigEntry

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: MeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons; a meter that sends by itself cannot be read at will."""
    runtime = entry.runtime_data
    buttons: list[ButtonEntity] = [AlignButton(runtime.coordinator, runtime.alignment)]
    if not runtime.reader.line_profile.pushes:
        buttons.append(ReadNowButton(runtime.coordinator))
    async_add_entities(buttons)


class ReadNowButton(LinkEntity, ButtonEntity):
    """Reads the meter out of turn."""

    _attr_translation_key = "read_now"

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Name it."""
        super().__init__(coordinator, "read_now")

    @override
    async def async_press(self) -> None:
        await self.coordinator.async_read_now()


class AlignButton(LinkEntity, ButtonEntity):
    """Starts an alignment of the probe; the Signal sensor shows it."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: MeterCoordinator, alignment: ProbeAlignment) -> None:
        """Name it by what it costs."""
        super().__init__(coordinator, "align")
        self._alignment = alignment
        # Each call wakes the meter: who presses it must have been told.
        self._attr_translation_key = (
            "align_battery" if coordinator.reader.line_profile.on_battery else "align"
        )

    @override
    async def async_press(self) -> None:
        self._alignment.start()
