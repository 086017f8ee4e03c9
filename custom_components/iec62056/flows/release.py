"""Freeing the port of an entry while a dialogue uses it, and setting the entry up again afterwards."""

from datetime import datetime, timedelta
from typing import Final, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigFlow,
    OperationNotAllowed,
)
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.event import async_call_later

from ..runtime import MeterConfigEntry

# The user goes to the meter and back in that time; whoever has locked the telephone may not come back at all.
FORGOTTEN_AFTER: Final = timedelta(minutes=30)


class ReleaseFlow(ConfigFlow):
    """A dialogue that may free the port of the entry it is about."""

    def __init__(self) -> None:
        """Begin with no entry to set up again."""
        super().__init__()
        self._released: str | None = None
        self._stop_waiting: CALLBACK_TYPE | None = None

    async def _release(self) -> bool:
        """Let the entry that is changed free its port. False while it is being set up."""
        if self.source != SOURCE_RECONFIGURE or self._released is not None:
            return True
        entry: MeterConfigEntry = self._get_reconfigure_entry()
        if entry.state is ConfigEntryState.LOADED:
            # The user at the meter is not refused, but it counts.
            await entry.runtime_data.reader.async_spend_wake_up()
        try:
            freed = await self.hass.config_entries.async_unload(entry.entry_id)
        except OperationNotAllowed:
            freed = False
        if freed:
            self._released = entry.entry_id
            self._stop_waiting = async_call_later(self.hass, FORGOTTEN_AFTER, self._forgotten)
        return freed

    @callback
    def _forgotten(self, _now: datetime) -> None:
        self._stop_waiting = None
        self.hass.config_entries.flow.async_abort(self.flow_id)

    @callback
    def _give_back(self) -> None:
        """Set the entry up again whose port was freed, in the background."""
        if self._stop_waiting is not None:
            self._stop_waiting()
            self._stop_waiting = None
        released, self._released = self._released, None
        if released is not None and self.hass.config_entries.async_get_entry(released) is not None:
            self.hass.config_entries.async_schedule_reload(released)

    @override
    @callback
    def async_remove(self) -> None:
        """Leave everything as it was when the dialogue is closed."""
        super().async_remove()
        self._give_back()
