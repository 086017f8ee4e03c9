"""A total that goes on from another number, taken out of the statistics.

The sensor shows what stands on the meter's display: after an exchange, and where the digits have begun anew, that is
another number, and the recorder takes the step for consumption, or what it does not know for none. What it took wrongly is known once it has summed up that time, and is corrected then.
Here: the step, and its correction. The amount comes from what the recorder has: made twice, it is nothing.
Never here: when a step is made, states.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from math import isclose
from typing import Any, Final

from homeassistant.components.recorder.statistics import get_metadata, statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util

from ..validation.offsets import PERIOD, Offset

# The recorder keeps the sums of its short periods so long.
LOOK_BACK: Final = timedelta(days=10)
PATIENCE: Final = timedelta(days=2)
# Sums are floats.
_NOTHING: Final = 1e-6
_ROUNDING: Final = 1e-9


async def async_correct(hass: HomeAssistant, entity_id: str, step: Offset, now: datetime) -> bool:
    """Correct the sums from the step on. False where the recorder has not summed up that time yet."""
    found = await get_instance(hass).async_add_executor_job(_wrong, hass, entity_id, step)
    if found is None:
        return now > step.at + PATIENCE
    begin, amount = found
    if abs(amount) > _NOTHING:
        get_instance(hass).async_adjust_statistics(entity_id, begin, amount, step.unit or "")
    return True


def _wrong(hass: HomeAssistant, entity_id: str, step: Offset) -> tuple[datetime, float] | None:
    """From when on how much is to be added to the sums; None where that is not known yet."""
    metadata = get_metadata(hass, statistic_ids={entity_id})
    if entity_id not in metadata:
        return None
    unit_class = metadata[entity_id][1]["unit_class"]
    units: Any = None if unit_class is None else {unit_class: step.unit}
    rows = statistics_during_period(
        hass,
        step.period - LOOK_BACK,
        step.period + 2 * PERIOD,
        {entity_id},
        "5minute",
        units,
        {"state", "sum"},
    ).get(entity_id, [])
    begin = step.period.timestamp()
    before = [row for row in rows if row["start"] < begin]
    behind = [row for row in rows if row["start"] >= begin]
    if behind and step.last is not None and _same(behind[0]["state"], step.last):
        # What followed was shown only when the recorder had closed that time.
        before.append(behind.pop(0))
    if not behind:
        return None
    first = behind[0]
    if not before:
        # The first sums of all: nothing was there to step from.
        return step.period, 0.0
    numbers = [row[name] for name in ("state", "sum") for row in (before[-1], first)]
    state_before, state_behind, sum_before, sum_behind = (number or 0.0 for number in numbers)
    used = state_behind - state_before + float(step.offset)
    return dt_util.utc_from_timestamp(first["start"]), used - (sum_behind - sum_before)


def _same(state: float | None, number: Decimal) -> bool:
    return state is not None and isclose(state, number, rel_tol=_ROUNDING)
