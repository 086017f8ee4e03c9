"""A total that goes on from another number, taken out of the statistics.

The sensor shows what stands on the meter's display: after an exchange, and where the digits have begun anew, that is
another number, and the recorder takes the step for consumption, or what it does not know for none. What it took wrongly is known once it has summed up that time, and is corrected then.
Here: the step, and its correction. The amount comes from what the recorder has: made twice, it is nothing.
Never here: when a step is made, states.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import isclose
from typing import Any, Final, Self

from homeassistant.components.recorder.statistics import get_metadata, statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util

# The recorder sums up so often.
PERIOD: Final = timedelta(minutes=5)
# It keeps the sums of these periods so long, and needs a moment to make one.
LOOK_BACK: Final = timedelta(days=10)
PATIENCE: Final = timedelta(days=2)
AFTER_PERIOD: Final = timedelta(seconds=60)
# Sums are floats.
_NOTHING: Final = 1e-6
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Offset:
    """When the sensor of a description's key went on from another number.

    What was used across the step is the change of the state, and `offset`: the last number before less the first behind
    it where another meter began, the range of the digits where they rolled over, nothing where a wrong number was put
    right. `last` is the number that was shown until then. In `unit`, that of the sensor's values.
    """

    key: str
    at: datetime
    offset: Decimal
    unit: str | None
    last: Decimal | None = None

    @property
    def period(self) -> datetime:
        """The beginning of the time that the recorder sums up together."""
        seconds = PERIOD.total_seconds()
        return datetime.fromtimestamp(self.at.timestamp() // seconds * seconds, self.at.tzinfo)

    @property
    def ready(self) -> datetime:
        """When it can be corrected."""
        return self.period + PERIOD + AFTER_PERIOD

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "key": self.key,
            "at": self.at.isoformat(),
            "offset": str(self.offset),
            "unit": self.unit,
            "last": None if self.last is None else str(self.last),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The step that `as_dict` wrote. Raises KeyError, TypeError or ValueError on anything else."""
        at, last = datetime.fromisoformat(data["at"]), data.get("last")
        return cls(
            str(data["key"]),
            at,
            Decimal(data["offset"]),
            data["unit"],
            None if last is None else Decimal(last),
        )


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
