"""System health: counts of all meters together, without names or ports."""

import asyncio
from typing import Any

from homeassistant.components import system_health
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_DEVICE
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .meter import connection
from .runtime import MeterConfigEntry


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register the page's part."""
    register.async_register_info(_info)


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    """How many meters and lines there are, how many answer, and when one last did."""
    entries: list[MeterConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    meters = [
        entry.runtime_data.coordinator
        for entry in entries
        if entry.state is ConfigEntryState.LOADED
    ]
    # Together: the page waits only a few seconds, and each bridge that is off takes its time.
    ports = set(
        await asyncio.gather(
            *(connection.async_key(hass, entry.data[CONF_DEVICE]) for entry in entries)
        )
    )
    info: dict[str, Any] = {
        "meters": len(entries),
        "meters_connected": sum(meter.connected for meter in meters),
        "lines": len(ports),
    }
    if meters:
        info["last_success"] = max(meter.data.received for meter in meters)
    return info
