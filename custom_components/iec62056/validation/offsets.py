"""Offsets of totals: when a sensor went on from another number, and what the change of its state misses."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

# How often the recorder sums up, and how long that takes.
PERIOD: Final = timedelta(minutes=5)
AFTER_PERIOD: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Offset:
    """When the sensor of a description's key went on from another number.

    What was used meanwhile is the change of the state plus `offset`: after a replacement the last number of the old meter
    less the first of the new one, after a rollover the range of the digits, and 0 if a wrong number was put right.
    """

    key: str
    at: datetime
    offset: Decimal
    # That of the sensor's values.
    unit: str | None
    # The number that was shown until then.
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
