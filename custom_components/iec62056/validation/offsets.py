"""Steps of totals: when a sensor went on from another number, and what the change of its state misses."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

# The recorder sums up so often, and needs a moment for it.
PERIOD: Final = timedelta(minutes=5)
AFTER_PERIOD: Final = timedelta(seconds=60)


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
