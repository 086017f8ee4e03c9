"""Set-up, unloading and removal of one meter, and registration of the actions."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType

from . import issues
from .const import DOMAIN, PLATFORMS
from .coordinator import MeterCoordinator
from .entry_data import CONF_INTERVAL
from .meter.fast_polling import FastPoller
from .meter.login_manager import LoginManager, async_migrate_logins
from .meter.probe_alignment import ProbeAlignment
from .meter.push_listener import PushListener
from .meter.schedule import interval_of
from .runtime import MeterConfigEntry, MeterRuntime
from .services.load_profile import async_setup_profile_services
from .services.readings import async_setup_services
from .services.registers import async_setup_access_services
from .state.meter_state import MeterState
from .statistics.import_job import ImportStore
from .statistics.importer import ProfileImporter
from .statistics.ledger import Ledger, async_recorded_numbers
from .storage import MeterStore

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions: they can be checked in an automation also while no meter is set up."""
    await async_migrate_logins(hass)
    async_setup_services(hass)
    async_setup_profile_services(hass)
    async_setup_access_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: MeterConfigEntry) -> bool:
    """Set up a meter from what is known of it; only one that was never read is waited for."""
    coordinator = MeterCoordinator(hass, entry)
    reader = coordinator.reader
    listener = PushListener(
        hass,
        entry,
        reader,
        coordinator.async_process_pushed,
        coordinator.async_record_failure,
    )
    fast_poller = FastPoller(
        hass,
        entry,
        reader,
        coordinator.poller,
        state=lambda: coordinator.data,
        on_registers=coordinator.async_process_registers,
    )
    alignment = ProbeAlignment(
        hass, entry, reader, listener, lambda: coordinator.record.save(soon=True)
    )
    ledger = Ledger(coordinator)
    importer = ProfileImporter(coordinator, reader.async_read_profile, ledger)
    await coordinator.async_restore()
    await importer.async_load()
    if not await coordinator.async_take_over():
        try:
            await coordinator.async_config_entry_first_refresh()
        except ConfigEntryNotReady:
            # The user is asked what that means, which is answered while the entry is loaded.
            if not coordinator.replacement_open:
                raise
    if not coordinator.replacement_open:
        _keep_interval(hass, entry, coordinator.data)
    coordinator.record.show_recorded(await async_recorded_numbers(coordinator))
    entry.runtime_data = MeterRuntime(
        coordinator, reader, listener, fast_poller, alignment, importer, ledger
    )
    if not entry.pref_disable_polling:
        if reader.line_profile.pushes:
            listener.start()
        else:
            coordinator.poller.start()
            fast_poller.start()
    ledger.async_start()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    # An import goes by the sensors.
    importer.async_start()
    return True


@callback
def _keep_interval(hass: HomeAssistant, entry: MeterConfigEntry, state: MeterState) -> None:
    """Let the interval that suits the meter be the one it keeps: a reading that takes longer does not change it."""
    profile = state.profile
    if CONF_INTERVAL not in entry.options and not profile.pushes and not profile.on_battery:
        seconds = round(interval_of(state).total_seconds())
        options = {**entry.options, CONF_INTERVAL: seconds}
        hass.config_entries.async_update_entry(entry, options=options)


async def async_unload_entry(hass: HomeAssistant, entry: MeterConfigEntry) -> bool:
    """Unload a meter; its reading is cancelled and its port freed."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        issues.async_withdraw_questions(hass, entry)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: MeterConfigEntry) -> None:
    """Forget what was read from a meter that is removed."""
    await MeterStore(hass, entry.entry_id).async_remove()
    await LoginManager(hass, entry).async_remove()
    issues.async_withdraw_all(hass, entry)
    await ImportStore(hass, entry.entry_id).async_remove()


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: MeterConfigEntry, device: DeviceEntry
) -> bool:
    """Whether a device may be deleted: one that is not, or is no longer, this entry's meter."""
    return (DOMAIN, entry.unique_id or entry.entry_id) not in device.identifiers
