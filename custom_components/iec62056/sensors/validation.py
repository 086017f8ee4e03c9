"""Sensors for how much of a meter is believed: the values that are held, and the wake-ups its battery was asked for.

Never here: what the meter says.
"""

from typing import Final

from homeassistant.components.sensor import SensorStateClass
from homeassistant.const import EntityCategory
from homeassistant.core import callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from ..meter.schedule import runs_on_battery
from ..runtime import MeterConfigEntry
from .link import LinkDescription, LinkSensor

HELD_VALUES: Final = LinkDescription(
    key="held_values",
    translation_key="held_values",
    state_class=SensorStateClass.MEASUREMENT,
    entity_category=EntityCategory.DIAGNOSTIC,
    value_fn=lambda coordinator: coordinator.trust.held,
)
WAKE_UPS: Final = LinkDescription(
    key="wake_ups",
    translation_key="wake_ups",
    state_class=SensorStateClass.MEASUREMENT,
    entity_category=EntityCategory.DIAGNOSTIC,
    value_fn=lambda coordinator: coordinator.trust.budget.spent(dt_util.utcnow()),
)


@callback
def async_setup(
    entry: MeterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors."""
    coordinator = entry.runtime_data.coordinator
    descriptions = [HELD_VALUES]
    if runs_on_battery(coordinator.profile):
        descriptions.append(WAKE_UPS)
    async_add_entities(LinkSensor(coordinator, description) for description in descriptions)
