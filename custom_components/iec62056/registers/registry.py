"""A meter in Home Assistant's registries: the title of its entry, and which sensors of its registers are enabled."""

from collections.abc import Mapping
from typing import Any

from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from ..const import DOMAIN
from ..state.identity import Identity
from .naming import clean_text
from .selection import RegisterChoice, wanted


@callback
def title_of(hass: HomeAssistant, identity: Identity) -> str:
    """What the entry of a new meter is called: two of one name are told apart by the ends of their numbers."""
    name = clean_text(identity.name)
    others = {entry.title for entry in hass.config_entries.async_entries(DOMAIN)}
    return clean_text(identity.numbered_name) if name in others else name


@callback
def entity_id_of(hass: HomeAssistant, meter: str, key: str) -> str | None:
    """The sensor of a register, None where there is none. `meter` is its unique id."""
    return er.async_get(hass).async_get_entity_id(SENSOR, DOMAIN, f"{meter}_{key}")


@callback
def is_sensor_enabled(
    hass: HomeAssistant, meter: str, choice: RegisterChoice, options: Mapping[str, Any]
) -> bool:
    """Whether a sensor is enabled; of one that is not there yet, whether it would be. `meter` is its unique id."""
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
    """Enable or disable a sensor, if it is there."""
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
    """Bring back the sensor of a meter that was removed and added again, as the user chose in the config flow.

    Otherwise Home Assistant restores it as it was when the meter was removed.
    """
    registry = er.async_get(hass)
    unique_id = f"{meter}_{key}"
    if (SENSOR, DOMAIN, unique_id) in registry.deleted_entities:
        registry.async_get_or_create(SENSOR, DOMAIN, unique_id, config_entry=entry)
        set_sensor_enabled(hass, meter, key, on=on)
