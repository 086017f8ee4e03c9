"""Corrections of one meter's totals, made as soon as the recorder has summed up the time of an offset."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from homeassistant.components.recorder.const import DOMAIN as RECORDER
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from ..registers.registry import entity_id_of
from ..validation.offsets import PERIOD
from .corrections import async_correct

if TYPE_CHECKING:
    from ..coordinator import MeterCoordinator


class CorrectionTimers:
    """Waits for the recorder, and corrects."""

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Nothing waits yet."""
        self._coordinator = coordinator
        self._hass = coordinator.hass
        self._cancel: CALLBACK_TYPE | None = None
        self._correcting = False
        coordinator.config_entry.async_on_unload(self._stop)

    @callback
    def async_plan(self, least: timedelta = timedelta(0)) -> None:
        """Correct the earliest offset as soon as possible, after that time at the earliest."""
        self._stop()
        offsets = self._coordinator.offsets
        if self._correcting or not offsets or RECORDER not in self._hass.config.components:
            return
        ready = min(offset.ready for offset in offsets)
        self._cancel = async_track_point_in_utc_time(
            self._hass, self._begin, max(ready, dt_util.utcnow() + least)
        )

    @callback
    def _begin(self, now: datetime) -> None:
        self._cancel = None
        # Of two at once, both would find the same amount missing.
        self._correcting = True
        self._coordinator.in_background(self._correct(now), "correction")

    @callback
    def _stop(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    async def _correct(self, now: datetime) -> None:
        try:
            for offset in self._coordinator.offsets:
                if offset.ready > now:
                    continue
                entity_id = entity_id_of(self._hass, self._coordinator.unique_id, offset.key)
                if entity_id is None or await async_correct(self._hass, entity_id, offset, now):
                    self._coordinator.async_drop_offset(offset)
        finally:
            self._correcting = False
        self.async_plan(PERIOD)
