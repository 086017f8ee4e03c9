"""Base of all entities of a meter: its device and its availability."""

from typing import override

from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import MeterCoordinator
from .registers.naming import clean_text


def cleaned(text: str | None) -> str | None:
    """A meter's text as a name; None if nothing is left of it."""
    return None if text is None else clean_text(text) or None


class MeterEntity(CoordinatorEntity[MeterCoordinator]):
    """An entity of one meter."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: MeterCoordinator, key: str) -> None:
        """Name the entity by meter and register, whatever port or entry it comes from."""
        super().__init__(coordinator)
        identity = coordinator.data.identity
        self._attr_unique_id = f"{coordinator.unique_id}_{key}"
        title = coordinator.config_entry.title
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, coordinator.unique_id)},
            # Two meters of one name are told apart in their titles.
            name=title
            if identity.flag is None or title == cleaned(identity.numbered_name)
            else cleaned(identity.name),
            manufacturer=cleaned(identity.make),
            model=cleaned(identity.model),
            serial_number=cleaned(identity.number),
            sw_version=cleaned(identity.firmware),
        )

    @property
    @override
    def available(self) -> bool:
        """Whether the last reading is young enough: one that failed says nothing about the values before it."""
        return self.coordinator.poller.is_fresh(self.coordinator.data.received)


class LinkEntity(MeterEntity):
    """An entity about the way to the meter: it is needed most when nothing can be read."""

    @property
    @override
    def available(self) -> bool:
        return True
