"""How often a meter that lives on its battery may be woken."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

DAY: Final = timedelta(hours=24)
# Twice a day keeps the battery of a heat meter within its years; one of them belongs to the schedule.
WAKE_UPS_A_DAY: Final = 2
KEPT_BACK: Final = 1


@dataclass(frozen=True, slots=True)
class WakeBudget:
    """The wake-ups of the last day: those that were due, and those that somebody asked for."""

    due: tuple[datetime, ...] = ()
    asked: tuple[datetime, ...] = ()

    def spent(self, now: datetime) -> int:
        """How many wake-ups the last day has had."""
        kept = self._of_last_day(now)
        return len(kept.due) + len(kept.asked)

    def last_due(self, now: datetime, received: datetime) -> datetime:
        """The time of the last reading, or of the last try of one that was due."""
        return max((received, *self._of_last_day(now).due))

    def next_free(self, now: datetime) -> datetime:
        """When the day has a wake-up left."""
        kept = self._of_last_day(now)
        spent = sorted((*kept.due, *kept.asked))
        return now if len(spent) < WAKE_UPS_A_DAY else spent[-WAKE_UPS_A_DAY] + DAY

    def allows(self, now: datetime, due: datetime) -> bool:
        """Whether the meter may be woken once more. `due` is when its next reading is due by itself."""
        kept = self._of_last_day(now)
        left = WAKE_UPS_A_DAY - len(kept.due) - len(kept.asked)
        if now >= due:
            return left > 0
        return left > 0 and len(kept.asked) < WAKE_UPS_A_DAY - KEPT_BACK

    def spend(self, now: datetime, due: datetime) -> Self:
        """The budget with one wake-up more; to be kept before the meter is woken."""
        kept = self._of_last_day(now)
        if now >= due:
            return replace(kept, due=(*kept.due, now))
        return replace(kept, asked=(*kept.asked, now))

    def _of_last_day(self, now: datetime) -> Self:
        # A clock that was set back must not lock the meter for years.
        return replace(
            self,
            due=tuple(at for at in self.due if abs(now - at) < DAY),
            asked=tuple(at for at in self.asked if abs(now - at) < DAY),
        )
