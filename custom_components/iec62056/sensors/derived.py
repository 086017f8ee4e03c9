"""Sensors of derived values; each is marked as derived and names its registers."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfEnergy, UnitOfPower, UnitOfTime
from homeassistant.core import callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import MeterCoordinator
from ..derived.sources import SUMS, Derived
from ..derived.status_flags import Fault
from ..registers.units import convert, unit_of
from ..runtime import MeterConfigEntry
from .meter_sensor import MeterSensor

ATTR_DERIVED: Final = "derived"
ATTR_FROM: Final = "from"
ATTR_SINCE: Final = "since"
ATTR_PEAK_TIME: Final = "peak_time"
ATTR_WITHOUT: Final = "without"

# What is as exact as its registers.
ADDED_UP: Final = frozenset((Derived.NET_POWER, *SUMS))


def _power(kind: Derived, name: str, *, enabled: bool = True) -> SensorEntityDescription:
    return SensorEntityDescription(
        key=kind,
        translation_key=name,
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_display_precision=0,
        entity_registry_enabled_default=enabled,
    )


def _total(kind: Derived, name: str) -> SensorEntityDescription:
    return SensorEntityDescription(
        key=kind,
        translation_key=name,
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    )


def _peak(
    kind: Derived, state_class: SensorStateClass | None, *, enabled: bool = True
) -> SensorEntityDescription:
    return SensorEntityDescription(
        key=kind,
        translation_key=kind,
        device_class=SensorDeviceClass.POWER,
        state_class=state_class,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        entity_registry_enabled_default=enabled,
    )


def _time(kind: Derived) -> SensorEntityDescription:
    return SensorEntityDescription(
        key=kind,
        translation_key=kind,
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_registry_enabled_default=False,
    )


DESCRIPTIONS: Final = {
    Derived(description.key): description
    for description in (
        # Named as the registers are that send the same: a meter has one or the other.
        _power(Derived.NET_POWER, "power_net"),
        _total(Derived.TOTAL_IMPORT, "energy_import"),
        _total(Derived.TOTAL_EXPORT, "energy_export"),
        _total(Derived.TOTAL_ABSOLUTE, "energy_absolute"),
        _power(Derived.MEAN_POWER_IMPORT, Derived.MEAN_POWER_IMPORT),
        _power(Derived.MEAN_POWER_EXPORT, Derived.MEAN_POWER_EXPORT),
        _power(Derived.MEAN_POWER_ABSOLUTE, Derived.MEAN_POWER_ABSOLUTE),
        # A heat meter is read so rarely that it is the mean of a day.
        _power(Derived.MEAN_POWER_HEAT, Derived.MEAN_POWER_HEAT, enabled=False),
        _peak(Derived.PEAK_THIS_MONTH, SensorStateClass.MEASUREMENT),
        _time(Derived.PEAK_THIS_MONTH_TIME),
        _peak(Derived.PEAK_LAST_MONTH, None, enabled=False),
        _time(Derived.PEAK_LAST_MONTH_TIME),
        SensorEntityDescription(key=Derived.TARIFF, translation_key=Derived.TARIFF),
        SensorEntityDescription(
            key=Derived.CLOCK,
            translation_key="clock",
            device_class=SensorDeviceClass.TIMESTAMP,
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
        ),
        SensorEntityDescription(
            key=Derived.CLOCK_DRIFT,
            translation_key=Derived.CLOCK_DRIFT,
            device_class=SensorDeviceClass.DURATION,
            state_class=SensorStateClass.MEASUREMENT,
            native_unit_of_measurement=UnitOfTime.SECONDS,
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
        ),
        SensorEntityDescription(
            key=Derived.FAULT,
            translation_key=Derived.FAULT,
            device_class=SensorDeviceClass.ENUM,
            options=list(Fault),
            entity_category=EntityCategory.DIAGNOSTIC,
        ),
    )
}


@callback
def async_setup(
    entry: MeterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add what can be derived now, and later what new registers allow."""
    coordinator = entry.runtime_data.coordinator
    known: set[Derived] = set()

    @callback
    def add_new() -> None:
        new = coordinator.record.derived.offered(known)
        known.update(new)
        async_add_entities(DerivedSensor(coordinator, DESCRIPTIONS[kind]) for kind in new)

    add_new()
    entry.async_on_unload(coordinator.async_add_listener(add_new))


class DerivedSensor(MeterSensor):
    """A value that follows from one or several registers."""

    # They tell how the present state came about.
    _unrecorded_attributes = frozenset(
        {ATTR_DERIVED, ATTR_FROM, ATTR_SINCE, ATTR_PEAK_TIME, ATTR_WITHOUT}
    )

    def __init__(self, coordinator: MeterCoordinator, description: SensorEntityDescription) -> None:
        """Describe the sensor."""
        super().__init__(coordinator, description.key)
        self.entity_description = description
        self._kind = Derived(description.key)
        if self._kind is Derived.NET_POWER:
            unit = coordinator.record.derived.unit(self._kind, UnitOfPower.WATT)
            self._attr_native_unit_of_measurement = unit
        self._refresh()

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        self._refresh()
        super()._handle_coordinator_update()

    def _refresh(self) -> None:
        result = self.coordinator.record.derived.result(self._kind)
        is_fresh = self.coordinator.poller.is_register_fresh(result.received)
        value: Decimal | datetime | str | None = result.value if is_fresh else None
        if value is not None and result.restored:
            value = self.coordinator.record.recorded_numbers.get(self._kind, value)
        attributes: dict[str, Any] = {ATTR_DERIVED: True, ATTR_FROM: list(result.sources)}
        if result.without:
            attributes[ATTR_WITHOUT] = list(result.without)
        for name, at in ((ATTR_SINCE, result.since), (ATTR_PEAK_TIME, result.at)):
            if value is not None and at is not None:
                attributes[name] = at.isoformat()
        if self._kind is Derived.NET_POWER and isinstance(value, Decimal):
            value = convert(value, unit_of(UnitOfPower.WATT), self.native_unit_of_measurement)
        if self._kind in ADDED_UP:
            unit = self.suggested_unit_of_measurement or self.native_unit_of_measurement or ""
            self._show_decimals(self.coordinator.record.derived.decimals(self._kind, unit))
        self._attr_native_value = value
        self._attr_extra_state_attributes = attributes
