"""Wake-ups of one meter on its battery: counted and stored before they are sent, refused when the day has none left."""

from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from .wake_budget import WakeBudget

if TYPE_CHECKING:
    from ..coordinator import MeterCoordinator

HOUR: Final = timedelta(hours=1)


class WakeUps:
    """What the battery of one meter may still be asked."""

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Nothing was asked yet."""
        self.budget = WakeBudget()
        self._coordinator = coordinator

    def last_due(self, received: datetime) -> datetime:
        """When the meter was last read, or tried because that was due."""
        return self.budget.last_due(dt_util.utcnow(), received)

    def next_free(self, now: datetime) -> datetime:
        """When its day has a wake-up left."""
        return self.budget.next_free(now)

    def check_budget(self) -> None:
        """Raise ServiceValidationError if the user asks for more than the battery is to bear."""
        now, due = dt_util.utcnow(), self._coordinator.due
        if self.budget.allows(now, due):
            return
        wait = max(due, self.next_free(now)) - now
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="budget_spent",
            translation_placeholders={"hours": str(ceil(wait / HOUR))},
        )

    @property
    def may_wake(self) -> bool:
        """Whether the day has a wake-up left."""
        return self.budget.allows(dt_util.utcnow(), self._coordinator.due)

    async def async_may_wake(self) -> bool:
        """Count a wake-up just before it is sent, so that no crash forgets it. False if the day has none left: send nothing."""
        now, due = dt_util.utcnow(), self._coordinator.due
        if not self.budget.allows(now, due):
            return False
        self.budget = self.budget.woken(now, due)
        await self._coordinator.async_save_now()
        self._coordinator.async_update_listeners()
        return True
