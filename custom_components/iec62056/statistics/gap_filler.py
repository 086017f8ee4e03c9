"""Gaps in the readings of totals: noted while the meter is read, and filled from its load profile."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from homeassistant.components.recorder.const import DOMAIN as RECORDER
from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from ..const import CONF_FILL_GAPS
from ..coordinator import MeterCoordinator
from ..meter.schedule import Timer
from ..state.meter_state import MeterState
from ..validation.offsets import AT_ONCE, OffsetReason
from .gaps import SHORTEST_GAP, Gap, Point, ReadingHistory
from .import_job import AIR, ImportJob, ImportStore
from .planner import HOUR, hour_of
from .profile_amounts import fillable_totals

# The recorder sums up an hour some seconds after it, and a meter writes its period down when its own clock says so.
AFTER_HOUR: Final = timedelta(minutes=6)


class GapFiller:
    """Notes when each total was read, and wants the load profile once the first hour after an outage is over."""

    def __init__(
        self, coordinator: MeterCoordinator, store: ImportStore, fill: Callable[[ImportJob], object]
    ) -> None:
        """Nothing is noted yet."""
        self._coordinator = coordinator
        self._store = store
        self._fill = fill
        self._noted: MeterState | None = None
        self._has_started = False
        self._timer = Timer(coordinator.hass, self._fill_gaps)

    @property
    def history(self) -> ReadingHistory:
        """When the totals were read."""
        return self._store.imports.history

    @callback
    def async_listen(self) -> None:
        """Note each reading from now on."""
        entry = self._coordinator.config_entry
        entry.async_on_unload(self._timer.stop)
        entry.async_on_unload(self._coordinator.async_add_listener(self._note))
        # The latest readings are not saved each time: at a start, the stored state tells them.
        entry.async_on_unload(self._store.async_flush)
        self._note()

    @callback
    def async_start(self) -> None:
        """Begin to fill gaps."""
        self._has_started = True
        self.schedule()

    @callback
    def _note(self) -> None:
        coordinator, before = self._coordinator, self._noted
        self._noted = state = coordinator.data
        if state is None or state is before:
            return
        # The first state is what the last run knew at its end: up to then there is no gap.
        longest = timedelta.max
        if before is not None:
            longest = max(SHORTEST_GAP, coordinator.interval * 1.5)
        known = self.history
        # What was stored may be older than the history after a crash.
        history = known if before is None else known.without_future(state.received)
        for total in fillable_totals(coordinator):
            if total.number is not None:
                point = Point(total.received, total.number)
                if (begin := self._wrong_since(total.key, point)) is not None:
                    history = history.with_wrong_time(total.key, begin, point, total.unit)
                else:
                    history = history.with_reading(total.key, point, total.unit, longest)
        self._store.imports.history = history
        if (history.gaps, history.begun) != (known.gaps, known.begun):
            # A gap that a crash forgets is never filled.
            coordinator.config_entry.async_create_task(coordinator.hass, self._store.async_write())
            self.schedule()

    def _wrong_since(self, key: str, now: Point) -> Point | None:
        """Where a register that has just fallen was right last, if a jump since then was taken back."""
        latest = self.history.latest.get(key)
        noted = [gap.first.at for gap in self.history.gaps if gap.key == key]
        jumps = [
            one
            for one in self._coordinator.record.open_offsets
            if one.key == key
            and one.reason is OffsetReason.JUMP
            and one.offset
            and one.last
            # It stays open for a while.
            and not any(abs(at - one.at) < AT_ONCE for at in noted)
        ]
        if not jumps or latest is None or now.number >= latest.number:
            return None
        return Point(jumps[0].at, jumps[0].last or latest.number)

    async def async_close(self, gaps: Iterable[Gap]) -> None:
        """These gaps are dealt with."""
        self._store.imports.history = self.history.with_done(gaps)
        await self._store.async_write()

    @property
    def _is_wanted(self) -> bool:
        """Whether gaps are filled without being asked for."""
        coordinator = self._coordinator
        return (
            bool(coordinator.config_entry.options.get(CONF_FILL_GAPS, True))
            and not coordinator.config_entry.pref_disable_polling
            and not coordinator.reader.line_profile.pushes
            and not coordinator.reader.line_profile.on_battery
            and RECORDER in coordinator.hass.config.components
        )

    @callback
    def schedule(self, least: timedelta = timedelta(seconds=1)) -> None:
        """Fill the gaps when the first hour behind them is over, and not before that time has passed."""
        self._timer.stop()
        gaps = self.history.open()
        if gaps and self._is_wanted and self._has_started:
            ready = max(hour_of(gap.last.at) + HOUR for gap in gaps) + AFTER_HOUR
            self._timer.set(max(ready, dt_util.utcnow() + least), by_the_clock=True)

    @callback
    def _fill_gaps(self) -> None:
        gaps = self.history.open()
        if self._store.imports.job is not None or self._coordinator.record.open_offsets:
            # What the user asked for comes first, and so do sums that are about to be corrected.
            self.schedule(AFTER_HOUR)
        elif gaps:
            first = hour_of(min(gap.first.at for gap in gaps))
            last = hour_of(max(gap.last.at for gap in gaps)) + HOUR
            self._fill(replace(ImportJob.of(first - AIR, last), automatic=True))
