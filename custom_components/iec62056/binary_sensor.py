"""Binary sensors: whether the meter answers, and the flags of its own status."""

from typing import Final, override

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import MeterCoordinator
from .derived import status_flags
from .derived.status_flags import StatusFlag
from .entity import LinkEntity, MeterEntity
from .runtime import MeterConfigEntry
from .sensors.derived import ATTR_FROM

PARALLEL_UPDATES = 0


def _description(
    flag: StatusFlag, device_class: BinarySensorDeviceClass, *, enabled: bool = True
) -> BinarySensorEntityDescription:
    return BinarySensorEntityDescription(
        key=flag,
        translation_key=flag,
        device_class=device_class,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=enabled,
    )


DESCRIPTIONS: Final = {
    StatusFlag(description.key): description
    for description in (
        _description(StatusFlag.FAULT, BinarySensorDeviceClass.PROBLEM),
        _description(StatusFlag.PHASE_FAILURE, BinarySensorDeviceClass.PROBLEM, enabled=False),
        _description(StatusFlag.MAIN_COVER, BinarySensorDeviceClass.TAMPER),
        _description(StatusFlag.TERMINAL_COVER, BinarySensorDeviceClass.TAMPER),
        _description(StatusFlag.MAGNET, BinarySensorDeviceClass.TAMPER),
        _description(StatusFlag.ALARM, BinarySensorDeviceClass.PROBLEM),
        _description(StatusFlag.CLOCK_INVALID, BinarySensorDeviceClass.PROBLEM, enabled=False),
    )
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: MeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the connection and the flags known so far, and later those that appear."""
    coordinator = entry.runtime_data.coordinator
    known: set[StatusFlag] = set()

    @callback
    def add_new() -> None:
        new = [
            flag
            for flag in status_flags.offered(coordinator.record.derived.index)
            if flag not in known
        ]
        known.update(new)
        async_add_entities(StatusFlagSensor(coordinator, DESCRIPTIONS[flag]) for flag in new)

    async_add_entities([ConnectionSensor(coordinator)])
    add_new()
    entry.async_on_unload(coordinator.async_add_listener(add_new))


class ConnectionSensor(LinkEntity, BinarySensorEntity):
    """Whether the last attempt to read the meter succeeded, and was not too long ago."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Name it."""
        super().__init__(coordinator, "connection")

    @property
    @override
    def is_on(self) -> bool:
        return self.coordinator.connected


class StatusFlagSensor(MeterEntity, BinarySensorEntity):
    """Something the meter reports about itself."""

    _unrecorded_attributes = frozenset({ATTR_FROM})

    def __init__(
        self, coordinator: MeterCoordinator, description: BinarySensorEntityDescription
    ) -> None:
        """Describe the sensor."""
        super().__init__(coordinator, description.key)
        self.entity_description = description
        self._flag = StatusFlag(description.key)

    @property
    @override
    def is_on(self) -> bool | None:
        derived = self.coordinator.record.derived
        found = status_flags.sources(self._flag, derived.index)
        if not any(self.coordinator.poller.is_register_fresh(one.received) for one in found):
            return None
        return status_flags.is_set(self._flag, derived.index, derived.history, derived.zone)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, list[str]]:
        index = self.coordinator.record.derived.index
        return {ATTR_FROM: [found.key for found in status_flags.sources(self._flag, index)]}
