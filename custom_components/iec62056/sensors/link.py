"""Sensors for how well the meter is heard: how long a reading takes, what was damaged, what was asked again.

Never here: what the meter says.
"""

from collections.abc import Callable
from dataclasses import dataclass
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

from ..coordinator import MeterCoordinator
from ..entity import LinkEntity
from ..protocol.model import Health, ParitySeen
from ..runtime import MeterConfigEntry


@dataclass(frozen=True, kw_only=True)
class LinkDescription(SensorEntityDescription):
    """A diagnostic sensor, and what of the coordinator it shows."""

    value_fn: Callable[[MeterCoordinator], Decimal | float | int | None]


def quality_of(health: Health) -> Decimal | None:
    """How many of a hundred characters arrived undamaged; None on a line that hides what was damaged."""
    if health.parity is not ParitySeen.EVEN or not health.characters:
        return None
    good = max(0, health.characters - health.parity_errors)
    return (Decimal(100 * good) / health.characters).quantize(Decimal("0.1"))


DESCRIPTIONS: Final = (
    LinkDescription(
        key="link_quality",
        translation_key="link_quality",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: quality_of(coordinator.data.health),
    ),
    LinkDescription(
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
    LinkDescription(
        key="retries",
        translation_key="retries",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.data.health.retries,
    ),
    LinkDescription(
        key="checks_failed",
        translation_key="checks_failed",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.checks_failed,
    ),
)


@callback
def async_setup(
    entry: MeterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of the link."""
    async_add_entities(
        LinkSensor(entry.runtime_data.coordinator, description) for description in DESCRIPTIONS
    )


class LinkSensor(LinkEntity, SensorEntity):
    """One figure of the link, of the last reading or since the start."""

    entity_description: LinkDescription

    def __init__(self, coordinator: MeterCoordinator, description: LinkDescription) -> None:
        """Describe the sensor."""
        super().__init__(coordinator, description.key)
        self.entity_description = description

    @property
    @override
    def native_value(self) -> Decimal | float | int | None:
        return self.entity_description.value_fn(self.coordinator)
