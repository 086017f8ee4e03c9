"""When a meter is read: at intervals or aligned to the clock, and not in quiet hours; and a timer for that."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import count
from typing import Any, Final, Self

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later, async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from ..entry_data import (
    ALIGNED_BEFORE,
    ALIGNED_OFF,
    CONF_ALIGN_READING,
    CONF_BOUNDARY,
    CONF_BOUNDARY_TIME,
    CONF_INTERVAL,
    CONF_QUIET_FROM,
    CONF_QUIET_TO,
)
from ..state.meter_state import MeterState
from .wake_budget import DAY, WAKE_UPS_A_DAY

# A readout takes the line and the meter's display for its time: a tenth of the time is enough.
INTERVAL_FACTOR: Final = 10
SHORTEST_INTERVAL: Final = timedelta(minutes=1)
LONGEST_INTERVAL: Final = timedelta(hours=1)
# Each reading costs a battery meter some minutes of its life.
BATTERY_INTERVAL: Final = DAY
PUBLISH_INTERVAL: Final = timedelta(seconds=10)

# A reading ends so long before its boundary, or begins so long after it: clocks differ, writing takes its time.
MARGIN: Final = timedelta(seconds=5)
# Statistics book by the time of writing: what comes before midnight belongs to the day, with time to try once more.
TIME_OF_DAY: Final = time(23, 50)
# A reading made so shortly before one that is due stands for it.
SERVED: Final = timedelta(minutes=10)
# Boundaries in quiet hours are passed over for so long; a daily one is never passed over.
PASSED_OVER: Final = timedelta(hours=22)


def interval_of(state: MeterState) -> timedelta:
    """The time from one reading to the next that suits the meter."""
    if state.profile.pushes:
        return PUBLISH_INTERVAL
    if state.profile.on_battery:
        return BATTERY_INTERVAL
    wanted = timedelta(seconds=round(state.health.duration * INTERVAL_FACTOR))
    return min(max(wanted, SHORTEST_INTERVAL), LONGEST_INTERVAL)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a meter is read.

    `interval`: from one reading to the next, or from boundary to boundary; `duration`: how long a reading takes;
    `at`: the boundary of a day; `quiet`: local times between which the meter is left alone.
    """

    interval: timedelta
    duration: timedelta
    zone: tzinfo
    aligned: str = ALIGNED_OFF
    at: time = TIME_OF_DAY
    quiet: tuple[time, time] | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any], state: MeterState, zone: tzinfo) -> Self:
        """What the options say, and else what suits the meter."""
        interval = interval_of(state)
        if CONF_INTERVAL in options:
            interval = timedelta(seconds=options[CONF_INTERVAL])
        duration = timedelta(seconds=state.health.duration)
        if state.profile.pushes:
            # Whoever listens disturbs nobody.
            return cls(interval, duration, zone)
        battery = state.profile.on_battery
        aligned = options.get(CONF_ALIGN_READING, ALIGNED_BEFORE if battery else ALIGNED_OFF)
        if aligned != ALIGNED_OFF:
            interval = timedelta(minutes=options.get(CONF_BOUNDARY, DAY // timedelta(minutes=1)))
            if battery:
                interval = DAY
        elif battery:
            interval = max(interval, DAY / WAKE_UPS_A_DAY)
        at = options.get(CONF_BOUNDARY_TIME)
        begin, end = options.get(CONF_QUIET_FROM), options.get(CONF_QUIET_TO)
        quiet = None
        if begin is not None and end is not None and begin != end:
            quiet = time.fromisoformat(begin), time.fromisoformat(end)
        return cls(
            interval,
            duration,
            zone,
            aligned,
            TIME_OF_DAY if at is None else time.fromisoformat(at),
            quiet,
        )

    def next(self, last: datetime) -> datetime:
        """When the reading after one at `last` is due, UTC; that time may be over."""
        if self.aligned == ALIGNED_OFF:
            return self.after_quiet_hours(last + self.interval)
        shift = MARGIN
        if self.aligned == ALIGNED_BEFORE:
            shift = -(self.duration + MARGIN)
        served = last + min(self.interval / 10, SERVED)
        boundaries = self._boundaries(served - shift)
        first = next(boundaries)
        boundary = first
        while self._is_quiet(boundary + shift):
            boundary = next(boundaries)
            if boundary - first >= PASSED_OVER:
                return self.after_quiet_hours(first + shift)
        return boundary + shift

    def after_quiet_hours(self, moment: datetime) -> datetime:
        """The moment itself, or the end of the quiet hours it lies in, UTC."""
        if self.quiet is None or not self._is_quiet(moment):
            return moment
        return min(end for end in self._moments(self.quiet[1], moment) if not self._is_quiet(end))

    def expiry(self, received: datetime, life: timedelta) -> datetime:
        """When a value is too old that may live so long while the meter is read: the next quiet hours do not count."""
        begin = self.after_quiet_hours(received)
        if self.quiet is not None:
            quiet = min(self._moments(self.quiet[0], begin))
            if quiet - begin < life:
                life -= quiet - begin
                begin = self.after_quiet_hours(quiet)
        return begin + life

    def _is_quiet(self, moment: datetime) -> bool:
        if self.quiet is None:
            return False
        begin, end = self.quiet
        local = moment.astimezone(self.zone).time()
        return begin <= local < end if begin < end else local >= begin or local < end

    def _moments(self, at: time, after: datetime) -> Iterator[datetime]:
        """When the clock next shows that time: also in the hour that comes twice, and of some days."""
        day = after.astimezone(self.zone).date()
        for ahead in range(3):
            for fold in (0, 1):
                local = datetime.combine(day + timedelta(ahead), at, self.zone).replace(fold=fold)
                if (moment := local.astimezone(UTC)) > after:
                    yield moment

    def _boundaries(self, after: datetime) -> Iterator[datetime]:
        """The boundaries after that time, in their order, without end."""
        if self.interval == DAY:
            today = after.astimezone(self.zone).date()
            for ahead in count():
                # In an hour that comes twice it is the first; in one that is left out, as long after its begin.
                local = datetime.combine(today + timedelta(ahead), self.at, self.zone)
                if (boundary := local.astimezone(UTC)) > after:
                    yield boundary
        boundary = after
        while True:
            boundary += self.interval - self._over(boundary)
            # Some zones change by half an hour: what was a boundary is none then.
            if not self._over(boundary):
                yield boundary

    def _over(self, moment: datetime) -> timedelta:
        """How long ago the last boundary was, by the local clock."""
        local = moment.astimezone(self.zone)
        return (local - local.replace(hour=0, minute=0, second=0, microsecond=0)) % self.interval


class Timer:
    """Waits for one moment; another one takes its place."""

    def __init__(self, hass: HomeAssistant, action: Callable[[], None]) -> None:
        """Know what is to be done then."""
        self._hass = hass
        self._action = action
        self._cancel: CALLBACK_TYPE | None = None

    @callback
    def set(self, moment: datetime, *, by_the_clock: bool = False) -> None:
        """Wait for that moment (UTC); if it is over, it comes at once.

        The time that lies between now and then passes, whatever becomes of the clock: a machine that learns the time
        of day after its start would else leave the meter alone for hours. `by_the_clock`, it is the clock that counts.
        """
        self.stop()
        job = HassJob(self._over, cancel_on_shutdown=True)
        if by_the_clock:
            self._cancel = async_track_point_in_utc_time(self._hass, job, moment)
        else:
            left = (moment - dt_util.utcnow()).total_seconds()
            self._cancel = async_call_later(self._hass, max(0.0, left), job)

    @callback
    def stop(self) -> None:
        """Wait no more."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @callback
    def _over(self, _now: datetime) -> None:
        self._cancel = None
        self._action()
