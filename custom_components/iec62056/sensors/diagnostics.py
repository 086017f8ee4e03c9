"""Diagnostic sensors: the last reading, the line, held values, wake-ups and the progress of an import."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfRatio, UnitOfTime
from homeassistant.core import callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from ..coordinator import MeterCoordinator
from ..entity import LinkEntity
from ..meter.alignment_run import Signal
from ..meter.probe_alignment import ProbeAlignment
from ..protocol.model import Health, ParitySeen
from ..runtime import MeterConfigEntry
from ..statistics.importer import ProfileImporter

ATTR_CALLS: Final = "calls"
ATTR_GOOD_IN_A_ROW: Final = "good_in_a_row"


@dataclass(frozen=True, kw_only=True)
class DiagnosticDescription(SensorEntityDescription):
    """A diagnostic sensor, and what of the coordinator it shows."""

    value_fn: Callable[[MeterCoordinator], Decimal | float | int | None]


def quality_of(health: Health) -> Decimal | None:
    """How many of a hundred characters arrived undamaged; None on a line that hides what was damaged."""
    if health.parity is not ParitySeen.EVEN or not health.characters:
        return None
    good = max(0, health.characters - health.parity_errors)
    return (Decimal(100 * good) / health.characters).quantize(Decimal("0.1"))


DESCRIPTIONS: Final = (
    DiagnosticDescription(
        key="link_quality",
        translation_key="link_quality",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: quality_of(coordinator.data.health),
    ),
    DiagnosticDescription(
        key="reading_duration",
        translation_key="reading_duration",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: round(coordinator.data.health.duration, 1),
    ),
    DiagnosticDescription(
        key="retries",
        translation_key="retries",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.data.health.retries,
    ),
    DiagnosticDescription(
        key="checks_failed",
        translation_key="checks_failed",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.checks_failed,
    ),
    DiagnosticDescription(
        key="held_values",
        translation_key="held_values",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: len(coordinator.validator.state.held),
    ),
)
WAKE_UPS: Final = DiagnosticDescription(
    key="wake_ups",
    translation_key="wake_ups",
    state_class=SensorStateClass.MEASUREMENT,
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
    value_fn=lambda coordinator: coordinator.reader.wake_budget.spent(dt_util.utcnow()),
)


@callback
def async_setup(
    entry: MeterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors; the one of an import only where there is something to import."""
    runtime = entry.runtime_data
    coordinator, importer = runtime.coordinator, runtime.importer
    descriptions = [*DESCRIPTIONS]
    if runtime.reader.line_profile.on_battery:
        descriptions.append(WAKE_UPS)
    async_add_entities(
        [
            LastReadingSensor(coordinator),
            SignalSensor(coordinator, runtime.alignment),
            *(DiagnosticSensor(coordinator, description) for description in descriptions),
        ]
    )
    has_progress = False

    @callback
    def add_progress() -> None:
        nonlocal has_progress
        if importer.has_profile and not has_progress:
            has_progress = True
            async_add_entities([ProgressSensor(coordinator, importer)])

    add_progress()
    entry.async_on_unload(importer.async_listen(add_progress))


class DiagnosticSensor(LinkEntity, SensorEntity):
    """One figure about the meter: of the last reading, or since the start."""

    entity_description: DiagnosticDescription

    def __init__(self, coordinator: MeterCoordinator, description: DiagnosticDescription) -> None:
        """Describe the sensor."""
        super().__init__(coordinator, description.key)
        self.entity_description = description

    @property
    @override
    def native_value(self) -> Decimal | float | int | None:
        return self.entity_description.value_fn(self.coordinator)


class LastReadingSensor(LinkEntity, SensorEntity):
    """When the meter was last read; it stays when the values have become too old."""

    _attr_device_class = SensorDeviceClass.TIMESTAMP
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    # It would write a state at every reading.
    _attr_entity_registry_enabled_default = False
    _attr_translation_key = "last_reading"

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Name it."""
        super().__init__(coordinator, "last_reading")

    @property
    @override
    def native_value(self) -> datetime:
        return self.coordinator.data.received


class SignalSensor(LinkEntity, SensorEntity):
    """What last reached the probe from the meter; during an alignment it is told after each call."""

    _attr_device_class = SensorDeviceClass.ENUM
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_translation_key = "signal"
    _unrecorded_attributes = frozenset({ATTR_CALLS, ATTR_GOOD_IN_A_ROW})

    def __init__(self, coordinator: MeterCoordinator, alignment: ProbeAlignment) -> None:
        """Name it."""
        super().__init__(coordinator, "signal")
        self._alignment = alignment
        self._attr_options = list(Signal)

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(
            self.coordinator.reader.history.signal.listeners.add(self.async_write_ha_state)
        )

    @property
    @override
    def native_value(self) -> Signal | None:
        return self.coordinator.reader.history.signal.current

    @property
    @override
    def extra_state_attributes(self) -> dict[str, int] | None:
        run = self._alignment.run
        if run is None:
            return None
        return {ATTR_CALLS: run.calls, ATTR_GOOD_IN_A_ROW: run.good_in_a_row}


class ProgressSensor(LinkEntity, SensorEntity):
    """How much of a load profile is read for an import, in whole percents; unknown while none is."""

    KEY: Final = "load_profile_progress"

    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_native_unit_of_measurement = UnitOfRatio.PERCENTAGE
    _attr_translation_key = KEY

    def __init__(self, coordinator: MeterCoordinator, importer: ProfileImporter) -> None:
        """Name it."""
        super().__init__(coordinator, self.KEY)
        self._importer = importer

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self._importer.async_listen(self.async_write_ha_state))

    @property
    @override
    def native_value(self) -> int | None:
        return self._importer.percent
