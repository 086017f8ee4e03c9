"""A total that goes on from another number, taken out of the statistics.

The sensor shows what stands on the meter's display: after an exchange that is another number, and the recorder takes the
step for consumption. What it took wrongly is known once it has summed up that time, and is corrected then.
Here: the step, and its correction. The amount comes from what the recorder has: made twice, it is nothing.
Never here: when a step is made, states.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self

from homeassistant.components.recorder.statistics import get_metadata, statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance

# The recorder sums up so often.
PERIOD: Final = timedelta(minutes=5)
# It keeps the sums of these periods so long, and needs a moment to make one.
LOOK_BACK: Final = timedelta(days=10)
PATIENCE: Final = timedelta(days=2)
AFTER_PERIOD: Final = timedelta(seconds=60)
# Sums are floats.
_NOTHING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Step:
    """When the sensor of a description's key went on from another number.

    What was used across the step is the change of the state, and `offset`: the last number before less the first behind
    it where another meter began, nothing where a wrong number was put right. In `unit`, that of the sensor's values.
    """

    key: str
    at: datetime
    offset: Decimal
    unit: str | None

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
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The step that `as_dict` wrote. Raises KeyError, TypeError or ValueError on anything else."""
        at = datetime.fromisoformat(data["at"])
        return cls(str(data["key"]), at, Decimal(data["offset"]), data["unit"])


async def async_correct(hass: HomeAssistant, entity_id: str, step: Step, now: datetime) -> bool:
    """Correct the sums from the step on. False where the recorder has not summed up that time yet."""
    amount = await get_instance(hass).async_add_executor_job(_wrong, hass, entity_id, step)
    if amount is None:
        return now > step.at + PATIENCE
    if abs(amount) > _NOTHING:
        get_instance(hass).async_adjust_statistics(entity_id, step.period, amount, step.unit or "")
    return True


def _wrong(hass: HomeAssistant, entity_id: str, step: Step) -> float | None:
    """What is to be added to the sums; None where that is not known yet."""
    metadata = get_metadata(hass, statistic_ids={entity_id})
    if entity_id not in metadata:
        return None
    unit_class = metadata[entity_id][1]["unit_class"]
    units: Any = None if unit_class is None else {unit_class: step.unit}
    rows = statistics_during_period(
        hass,
        step.period - LOOK_BACK,
        step.period + PERIOD,
        {entity_id},
        "5minute",
        units,
        {"state", "sum"},
    ).get(entity_id, [])
    if not rows or rows[-1]["start"] != step.period.timestamp():
        return None
    if len(rows) == 1:
        # The first sums of all: nothing was there to step from.
        return 0.0
    before, behind = rows[-2:]
    numbers = [row[name] for name in ("state", "sum") for row in (before, behind)]
    state_before, state_behind, sum_before, sum_behind = (number or 0.0 for number in numbers)
    used = state_behind - state_before + float(step.offset)
    return used - (sum_behind - sum_before)
