"""Meters that speak IEC 62056-21, through an optical probe, the wired interface or a serial bridge.

Here: setting up, unloading and removing one meter.
Never here: anything a meter says.
"""

from homeassistant.core import HomeAssistant

from .const import PLATFORMS
from .coordinator import MeterConfigEntry, MeterCoordinator
from .store import MeterStore


async def async_setup_entry(hass: HomeAssistant, entry: MeterConfigEntry) -> bool:
    """Set up a meter from what is known of it; only one that was never read is waited for."""
    coordinator = MeterCoordinator(hass, entry)
    if not await coordinator.async_restore():
        await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    coordinator.async_start()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: MeterConfigEntry) -> bool:
    """Unload a meter; its reading is cancelled and its port freed."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: MeterConfigEntry) -> None:
    """Forget what was read from a meter that is removed."""
    await MeterStore(hass, entry.entry_id).async_remove()
