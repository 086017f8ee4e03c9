"""Whether the meter answers, and what it tells of its own state.

Here: how each looks in Home Assistant.
Never here: which bits and counters mean what (signs.py).
"""

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
    sign: StatusFlag, device_class: BinarySensorDeviceClass, *, enabled: bool = True
) -> BinarySensorEntityDescription:
    return BinarySensorEntityDescription(
        key=sign,
        translation_key=sign,
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
    """Add the connection and the signs known so far, and later those that appear."""
    coordinator = entry.runtime_data.coordinator
    known: set[StatusFlag] = set()

    @callback
    def add_new() -> None:
        new = [
            sign for sign in status_flags.offered(coordinator.derived.lookup) if sign not in known
        ]
        known.update(new)
        async_add_entities(SignSensor(coordinator, DESCRIPTIONS[sign]) for sign in new)

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


class SignSensor(MeterEntity, BinarySensorEntity):
    """Something the meter tells of itself."""

    _unrecorded_attributes = frozenset({ATTR_FROM})

    def __init__(
        self, coordinator: MeterCoordinator, description: BinarySensorEntityDescription
    ) -> None:
        """Describe the sensor."""
        super().__init__(coordinator, description.key)
        self.entity_description = description
        self._sign = StatusFlag(description.key)

    @property
    @override
    def is_on(self) -> bool | None:
        view = self.coordinator.derived
        found = status_flags.sources(self._sign, view.lookup)
        if not any(self.coordinator.is_fresh(one.received) for one in found):
            return None
        return status_flags.is_set(self._sign, view.lookup, view.memory, view.zone)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, list[str]]:
        lookup = self.coordinator.derived.lookup
        return {ATTR_FROM: [found.key for found in status_flags.sources(self._sign, lookup)]}
