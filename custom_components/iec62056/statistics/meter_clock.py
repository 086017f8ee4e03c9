"""The zone that a meter's clock keeps, which the times of its load profile are in."""

from datetime import timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Final

from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..derived.sources import Derived
from ..derived.values import DerivedValues, clock_of
from .planner import HOUR
from .register_curve import CLOCK

# No zone is farther from UTC.
_FARTHEST: Final = timedelta(hours=14)


class ClockWrong(HomeAssistantError):
    """The meter's clock is off, and no zone explains it."""

    def __init__(self, ahead: timedelta) -> None:
        """Say how far it is ahead."""
        super().__init__(
            translation_domain=DOMAIN,
            translation_key="import_clock_wrong",
            translation_placeholders={"minutes": f"{ahead / timedelta(minutes=1):.0f}"},
        )


def zone_of_clock(derived: DerivedValues) -> tzinfo:
    """The zone of Home Assistant, or the one that the meter's clock keeps all year. Raises ClockWrong.

    Whole hours are those of another zone, counted from the local time or from UTC. A clock that tells its own offset
    has none to be explained.
    """
    zone = dt_util.get_default_time_zone()
    drift = derived.result(Derived.CLOCK_DRIFT)
    clock = clock_of(derived.index)
    if clock is None or not isinstance(drift.value, Decimal):
        return zone
    ahead = timedelta(seconds=int(drift.value))
    local = drift.received.astimezone(zone).utcoffset() or timedelta(0)
    for base in (local, timedelta(0)):
        offset = base + round((local + ahead - base) / HOUR) * HOUR
        if abs(local + ahead - offset) <= CLOCK and abs(offset) <= _FARTHEST:
            if offset == local:
                return zone
            if clock.offset is None:
                return timezone(offset)
    raise ClockWrong(ahead)
