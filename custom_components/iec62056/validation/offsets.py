"""Offsets of totals: what the change of a sensor's state misses where it went on from another number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from ..registers.descriptions import TOTALS, kept_unit
from ..state.description import Description
from ..state.meter_state import MeterState

# The recorder sums up so often, and needs a moment for it.
PERIOD: Final = timedelta(minutes=5)
AFTER_PERIOD: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Offset:
    """When the sensor of a description's key went on from another number.

    What was used meanwhile is the change of the state plus `offset`. After a replacement that is the last number of the
    old meter less the first of the new one, after a rollover the range of the digits, after the correction of a wrong
    number zero.
    """

    key: str
    at: datetime
    offset: Decimal
    # That of the sensor's values.
    unit: str | None
    # What the sensor showed until then.
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


def totals_of(state: MeterState, units: Mapping[str, str]) -> Iterator[Description]:
    """The totals of a described state, in the units of their sensors; the recorder makes sums of these."""
    for known in state.registers.values():
        for description in known.descriptions:
            if description.state_class in TOTALS:
                yield kept_unit(description, units.get(description.key))
