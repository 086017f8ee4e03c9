"""Corrections: offsets of totals are taken out of the sums of the statistics.

The sensor shows what the meter's display shows. After a replacement or a rollover that is another number, and the
recorder counts the difference as consumption. The amount to correct comes from the recorder's own rows once they are
there, so a correction made twice changes nothing.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from math import isclose
from typing import Any, Final

from homeassistant.components.recorder.const import DOMAIN as RECORDER
from homeassistant.components.recorder.statistics import get_metadata, statistics_during_period
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util

from ..coordinator import MeterCoordinator
from ..meter.background import in_background
from ..meter.schedule import Timer
from ..registers.registry import entity_id_of
from ..validation.offsets import PERIOD, Offset

# The recorder keeps the sums of its short periods so long.
LOOK_BACK: Final = timedelta(days=10)
PATIENCE: Final = timedelta(days=2)
# Sums are floats.
_NOTHING: Final = 1e-6
_ROUNDING: Final = 1e-9


class Corrections:
    """Corrects the statistics of one meter, as soon as the recorder has summed up the time of an offset."""

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Prepare; nothing is corrected before the start."""
        self._coordinator = coordinator
        self._hass = coordinator.hass
        self._offsets: tuple[Offset, ...] = ()
        self._timer = Timer(coordinator.hass, self._begin)
        self._is_correcting = False

    @callback
    def async_start(self) -> None:
        """Correct what is still open, and what is to come."""
        entry = self._coordinator.config_entry
        entry.async_on_unload(self._timer.stop)
        entry.async_on_unload(self._coordinator.async_add_listener(self._look))
        self._look()

    @callback
    def _look(self) -> None:
        if self._offsets != self._coordinator.record.offsets:
            self._plan()

    @callback
    def _plan(self, least: timedelta = timedelta(0)) -> None:
        """Wait until the earliest offset can be corrected, and for `least`."""
        self._offsets = self._coordinator.record.offsets
        self._timer.stop()
        if not self._is_correcting and self._offsets and RECORDER in self._hass.config.components:
            ready = min(offset.ready for offset in self._offsets)
            self._timer.set(max(ready, dt_util.utcnow() + least), by_the_clock=True)

    @callback
    def _begin(self) -> None:
        # Two corrections at once would both find the same amount missing.
        self._is_correcting = True
        work = self._correct(dt_util.utcnow())
        in_background(self._hass, self._coordinator.config_entry, work, "correction")

    async def _correct(self, now: datetime) -> None:
        try:
            for offset in self._coordinator.record.offsets:
                if offset.ready > now:
                    continue
                entity_id = entity_id_of(self._hass, self._coordinator.unique_id, offset.key)
                if entity_id is None or await async_correct(self._hass, entity_id, offset, now):
                    self._coordinator.record.drop_offset(offset)
        finally:
            self._is_correcting = False
        self._plan(PERIOD)


async def async_correct(hass: HomeAssistant, entity_id: str, offset: Offset, now: datetime) -> bool:
    """Correct the sums from the step on. False where the recorder has not summed up that time yet."""
    found = await get_instance(hass).async_add_executor_job(_wrong, hass, entity_id, offset)
    if found is None:
        return now > offset.at + PATIENCE
    begin, amount = found
    if abs(amount) > _NOTHING:
        get_instance(hass).async_adjust_statistics(entity_id, begin, amount, offset.unit or "")
    return True


def _wrong(hass: HomeAssistant, entity_id: str, offset: Offset) -> tuple[datetime, float] | None:
    """From when on how much is to be added to the sums; None where that is not known yet."""
    metadata = get_metadata(hass, statistic_ids={entity_id})
    if entity_id not in metadata:
        return None
    unit_class = metadata[entity_id][1]["unit_class"]
    units: Any = None if unit_class is None else {unit_class: offset.unit}
    rows = statistics_during_period(
        hass,
        offset.period - LOOK_BACK,
        offset.period + 2 * PERIOD,
        {entity_id},
        "5minute",
        units,
        {"state", "sum"},
    ).get(entity_id, [])
    begin = offset.period.timestamp()
    before = [row for row in rows if row["start"] < begin]
    behind = [row for row in rows if row["start"] >= begin]
    if behind and offset.last is not None and _same(behind[0]["state"], offset.last):
        # What followed was shown only when the recorder had closed that time.
        before.append(behind.pop(0))
    if not behind:
        return None
    first = behind[0]
    if not before:
        # The first sums of all: nothing was there to step from.
        return offset.period, 0.0
    numbers = [row[name] for name in ("state", "sum") for row in (before[-1], first)]
    state_before, state_behind, sum_before, sum_behind = (number or 0.0 for number in numbers)
    used = state_behind - state_before + float(offset.offset)
    return dt_util.utc_from_timestamp(first["start"]), used - (sum_behind - sum_before)


def _same(state: float | None, number: Decimal) -> bool:
    return state is not None and isclose(state, number, rel_tol=_ROUNDING)
