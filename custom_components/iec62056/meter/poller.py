"""When a meter is read by itself: by its schedule, sooner after a failure, never in quiet hours."""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..entry_data import ALIGNED_OFF
from ..state.meter_state import MeterState
from .background import in_background
from .reader import MeterReader
from .schedule import INTERVAL_FACTOR, Schedule, Timer

SHORTEST_AGE: Final = timedelta(minutes=15)
AGE_INTERVALS: Final = 3
# Some meters that push DLMS send their totals each hour, and everything else every few seconds.
HOURLY_AGE: Final = timedelta(hours=2, minutes=15)


class Poller:
    """The timer of one meter's readings. `schedule` is set with the first state."""

    schedule: Schedule

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        reader: MeterReader,
        read: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Know what begins a reading; nothing is planned yet."""
        self._hass = hass
        self._entry = entry
        self._reader = reader
        self._read = read
        self._received: datetime
        self._tried: datetime | None = None
        self._polls = False
        self._timer = Timer(hass, self._due)
        entry.async_on_unload(self.stop)

    @callback
    def take_state(self, state: MeterState, zone: tzinfo) -> None:
        """Know when the meter was last read, and what schedule suits it."""
        self._received = state.received
        self.schedule = Schedule.of(self._entry.options, state, zone)

    @property
    def due(self) -> datetime:
        """When the next reading is due by itself; that may be over."""
        last = self._tried or self._received
        if self._reader.line_profile.on_battery:
            last = self._reader.wake_budget.last_due(dt_util.utcnow(), self._received)
        # A clock that was set back must not put it off.
        return self.schedule.next(min(last, dt_util.utcnow()))

    @property
    def max_age(self) -> timedelta:
        """How old a value may become before it is no longer shown."""
        return max(self.schedule.interval * AGE_INTERVALS, SHORTEST_AGE)

    @property
    def expiry(self) -> datetime:
        """When the values of the last reading become too old."""
        return self.schedule.expiry(self._received, self.max_age)

    def is_fresh(self, received: datetime) -> bool:
        """Whether a value received at that time may still be shown."""
        return dt_util.utcnow() < self.schedule.expiry(received, self.max_age)

    def is_register_fresh(self, received: datetime) -> bool:
        """Whether a register received at that time may still be shown while the meter is heard."""
        if not self._reader.line_profile.dlms_push:
            return self.is_fresh(received)
        return dt_util.utcnow() < received + max(self.max_age, HOURLY_AGE)

    @callback
    def start(self) -> None:
        """Read the meter by itself. A start of Home Assistant is no reason to: the next reading comes when it is due."""
        self._polls = True
        self.plan(None)

    @callback
    def stop(self) -> None:
        """Read it no more by itself."""
        self._polls = False
        self._timer.stop()

    @callback
    def begin(self) -> None:
        """A reading begins, whoever asked for it."""
        self._timer.stop()

    @callback
    def finished(self, pause: float | None) -> None:
        """Wait for the next reading; after `pause` seconds where it is not to wait for its time."""
        self._tried = dt_util.utcnow()
        self.plan(pause)

    @callback
    def plan(self, pause: float | None) -> None:
        """Wait for the next reading, as `finished`."""
        # Home Assistant cancels the reading when it stops: the next one would find its threads gone.
        if not self._polls or self._hass.is_stopping:
            return
        now, due = dt_util.utcnow(), self.due
        aligned = self.schedule.aligned != ALIGNED_OFF
        start = due
        if pause is not None:
            start = now + timedelta(seconds=pause)
            if aligned and due > now:
                start = min(start, due)
        if self._reader.line_profile.on_battery and (pause is None or not self._reader.may_wake):
            start = max(start, due, self._reader.wake_budget.next_free(now))
        if start > now:
            awake = self.schedule.after_quiet_hours(start)
            self._timer.set(awake, by_the_clock=aligned or awake > start)
        else:
            self._due()

    @callback
    def _due(self) -> None:
        if self._entry.pref_disable_polling:
            return
        now = dt_util.utcnow()
        # A timer may be late: the machine slept.
        if (awake := self.schedule.after_quiet_hours(now)) > now:
            self._timer.set(awake, by_the_clock=True)
        else:
            in_background(self._hass, self._entry, self._read(), "reading by itself")

    def pause_after_failure(self, state: MeterState | None) -> float | None:
        """The seconds until the next try; None where the next reading is soon enough."""
        opened = self._reader.history.opened_at
        if state is None or (opened is not None and self._reader.line_profile.on_battery):
            # A battery meter may have been woken: not again before its time.
            return None
        taken = 0.0 if opened is None else self._hass.loop.time() - opened
        least = min(taken * INTERVAL_FACTOR, self.schedule.interval.total_seconds())
        return self._reader.history.backoff.pause(least)
