"""Whether a register's sensor is switched on, as Home Assistant's registry of entities has it.

Here: a register's sensor by its key; what a dialogue shows as ticked, and what its ticks change. What a person has
switched on or off anywhere counts until a dialogue is told otherwise.
Never here: forms, entities, which registers are useful.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from ..const import DOMAIN
from .selection import RegisterChoice, wanted


@callback
def entity_id_of(hass: HomeAssistant, meter: str, key: str) -> str | None:
    """The sensor of a register, None where there is none. `meter` is its unique id."""
    return er.async_get(hass).async_get_entity_id(SENSOR, DOMAIN, f"{meter}_{key}")


@callback
def is_sensor_enabled(
    hass: HomeAssistant, meter: str, choice: RegisterChoice, options: Mapping[str, Any]
) -> bool:
    """Whether a sensor is on; of one that is not there yet, whether it would be. `meter` is its unique id."""
    registry = er.async_get(hass)
    unique_id = f"{meter}_{choice.key}"
    entity_id = entity_id_of(hass, meter, choice.key)
    known = (
        registry.deleted_entities.get((SENSOR, DOMAIN, unique_id))
        if entity_id is None
        else registry.async_get(entity_id)
    )
    if known is None:
        return wanted(options, choice.key, enabled=choice.enabled)
    return known.disabled_by is None


@callback
def set_sensor_enabled(hass: HomeAssistant, meter: str, key: str, *, on: bool) -> None:
    """Switch a sensor on or off, if it is there and is not so already."""
    registry = er.async_get(hass)
    entity_id = entity_id_of(hass, meter, key)
    known = None if entity_id is None else registry.async_get(entity_id)
    if known is not None and (known.disabled_by is None) != on:
        disabled_by = None if on else er.RegistryEntryDisabler.INTEGRATION
        registry.async_update_entity(known.entity_id, disabled_by=disabled_by)


@callback
def restore_sensor(
    hass: HomeAssistant, entry: ConfigEntry, meter: str, key: str, *, on: bool
) -> None:
    """Bring back the sensor of a meter that was removed and added again, as the dialogue was told.

    By itself, Home Assistant gives it back as it was when the meter was removed.
    """
    registry = er.async_get(hass)
    unique_id = f"{meter}_{key}"
    if (SENSOR, DOMAIN, unique_id) in registry.deleted_entities:
        registry.async_get_or_create(SENSOR, DOMAIN, unique_id, config_entry=entry)
        set_sensor_enabled(hass, meter, key, on=on)
