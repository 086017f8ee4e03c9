"""What the reader asks of whoever keeps the state of the meter."""

from datetime import datetime, timedelta
from typing import Protocol

from ..state.meter_state import MeterState


class KnownMeter(Protocol):
    """The state of one meter, and when it is read by itself."""

    @property
    def data(self) -> MeterState | None:
        """The last state; None where the meter was never read."""

    @property
    def due(self) -> datetime:
        """When the next reading is due by itself."""

    @property
    def interval(self) -> timedelta:
        """The time from one reading to the next."""

    @property
    def replacement_open(self) -> bool:
        """Whether another meter answers, and the user has not said what that means."""

    async def async_wake_up_spent(self) -> bool:
        """Keep the budget; whether it is on disk when this returns."""
