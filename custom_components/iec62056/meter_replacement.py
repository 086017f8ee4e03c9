"""Another meter answers in place of the known one: what follows from the user's answer."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from homeassistant.components.recorder.const import DOMAIN as RECORDER
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigEntryDisabler
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util

from .const import CONF_NUMBER_CODE, DOMAIN
from .coordinator import MeterCoordinator
from .entry_data import (
    CONF_AUTOMATIONS,
    CONF_CLOCK,
    CONF_EXECUTE,
    CONF_EXTRA,
    CONF_QUICK,
    CONF_QUICK_REQUEST,
    CONF_QUICK_SECONDS,
    CONF_REGISTERS,
    CONF_WRITE,
    WHO_ASKS,
    omit_keys,
)
from .registers.naming import clean_text
from .registers.registry import entity_id_of, title_of
from .runtime import MeterConfigEntry
from .state.meter_state import MeterState
from .statistics.ledger import in_unit
from .statistics.recorder import DatabaseFailed, async_shown
from .storage import async_hand_over
from .validation.offsets import totals_of
from .validation.validation_state import MeterReplacement

# What the user has allowed for one meter holds for no other; what is read besides is its own, too.
_PERMITS: Final = frozenset((CONF_WRITE, CONF_EXECUTE, CONF_CLOCK, CONF_AUTOMATIONS))
# The recorder keeps states for ten days, if the user has not said otherwise.
_SHOWN_WITHIN: Final = timedelta(days=10)
_ITS_OWN: Final = _PERMITS | {
    CONF_EXTRA,
    CONF_QUICK,
    CONF_QUICK_REQUEST,
    CONF_QUICK_SECONDS,
    CONF_REGISTERS,
}


async def async_replace_meter(
    hass: HomeAssistant, entry: MeterConfigEntry, *, sums_end: bool = False
) -> bool:
    """Give the other meter this entry, its device and its entities. False if it has an entry already.

    A sum of tariffs goes on as the total that the other meter sends, unless the user wants it to end. The password stays, to be tried once; the permissions do not.
    """
    coordinator = entry.runtime_data.coordinator
    if (found := _other(hass, entry)) is None:
        return False
    _, state = found
    before = coordinator.data.identity
    shown = await _last_shown(hass, coordinator, *found)
    taken_over = coordinator.record.replace_meter(*found, shown=shown, sums_end=sums_end)
    old, new = coordinator.unique_id, state.identity.unique_id or entry.entry_id
    _rename(hass, entry, old, new, taken_over)
    coordinator.unique_id = new
    await coordinator.record.async_save_now()
    hass.config_entries.async_update_entry(
        entry,
        title=clean_text(state.identity.numbered_name)
        if entry.title == clean_text(before.numbered_name)
        else entry.title,
        unique_id=state.identity.unique_id,
        data=_entry_data(entry, state),
        options=omit_keys(entry.options, _PERMITS),
    )
    hass.config_entries.async_schedule_reload(entry.entry_id)
    return True


async def async_add_as_new_meter(hass: HomeAssistant, entry: MeterConfigEntry) -> bool:
    """Give the other meter an entry of its own; this one is disabled. False if it has one already.

    It is read at the same times in the same way, but gets neither password nor keys, and no permissions.
    """
    coordinator = entry.runtime_data.coordinator
    if (found := _other(hass, entry)) is None:
        return False
    _, state = found
    await coordinator.async_publish(coordinator.validator.dismiss_replacement(coordinator.data))
    manager = hass.config_entries
    await manager.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    data = omit_keys(_entry_data(entry, state), WHO_ASKS)
    async_hand_over(hass, data[CONF_DEVICE], data[CONF_ADDRESS], state)
    await manager.async_add(
        ConfigEntry(
            data=data,
            discovery_keys=MappingProxyType({}),
            domain=DOMAIN,
            minor_version=entry.minor_version,
            options=omit_keys(entry.options, _ITS_OWN),
            source=SOURCE_USER,
            subentries_data=None,
            title=title_of(hass, state.identity),
            unique_id=state.identity.unique_id,
            version=entry.version,
        )
    )
    return True


@callback
def _other(
    hass: HomeAssistant, entry: MeterConfigEntry
) -> tuple[MeterReplacement, MeterState] | None:
    """The other meter and its state; None if it has an entry already."""
    other = entry.runtime_data.coordinator.validator.state.replacement
    if other is None or other.state is None:
        return None
    unique_id = other.state.identity.unique_id
    entries = hass.config_entries.async_entries(DOMAIN)
    if unique_id is not None and any(one.unique_id == unique_id for one in entries):
        return None
    return other, other.state


@callback
def asks_for_sums(hass: HomeAssistant, entry: MeterConfigEntry) -> bool:
    """Whether the other meter sends a total where this one has a sum of tariffs."""
    found = _other(hass, entry)
    return found is not None and entry.runtime_data.coordinator.record.sends_sums(found[1])


async def _last_shown(
    hass: HomeAssistant, coordinator: MeterCoordinator, other: MeterReplacement, state: MeterState
) -> dict[str, Decimal]:
    """What totals have shown last, in the units of the other meter, where only the recorder knows it."""
    found: dict[str, Decimal] = {}
    if RECORDER not in hass.config.components:
        return found
    since, entities = dt_util.utcnow() - _SHOWN_WITHIN, er.async_get(hass)
    for description in totals_of(state, {}):
        key, unit = description.key, description.unit or ""
        entity = entities.async_get(entity_id_of(hass, coordinator.unique_id, key) or "")
        if (
            entity is None
            or key not in other.first_totals
            or coordinator.validator.state.number(key) is not None
        ):
            continue
        with suppress(DatabaseFailed):
            for _, number in await async_shown(hass, entity.entity_id, since):
                if (last := in_unit(number, entity.unit_of_measurement, unit)) is not None:
                    found[key] = last
    return found


@callback
def _rename(
    hass: HomeAssistant, entry: MeterConfigEntry, old: str, new: str, taken_over: Mapping[str, str]
) -> None:
    """Let device and entities be known by the other meter's number; some take over what others have shown."""
    entities, devices = er.async_get(hass), dr.async_get(hass)
    for entity in er.async_entries_for_config_entry(entities, entry.entry_id):
        key = entity.unique_id.removeprefix(f"{old}_")
        if key in taken_over.values():
            # Of a time when the meter sent otherwise.
            entities.async_remove(entity.entity_id)
            continue
        unique_id = f"{new}_{taken_over.get(key, key)}"
        entities.async_update_entity(entity.entity_id, new_unique_id=unique_id)
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        if (DOMAIN, old) in device.identifiers:
            devices.async_update_device(device.id, new_identifiers={(DOMAIN, new)})


def _entry_data(entry: MeterConfigEntry, state: MeterState) -> dict[str, str]:
    data = omit_keys(entry.data, (CONF_NUMBER_CODE,))
    code = state.identity.number_code
    return data if code is None else {**data, CONF_NUMBER_CODE: code}
