"""The meter's own load profile in the statistics: after an outage by itself, at any time because a person asks.

Here: when a profile is read, piece by piece between the normal readings; what of it is imported; taking that back.
Never here: which rows are written (history.py), the recorder (statistics.py), the meter (coordinator).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from homeassistant.components.recorder.const import DOMAIN as RECORDER
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from ..const import CONF_FILL_GAPS, DOMAIN, LOGGER
from ..coordinator import MeterCoordinator
from ..meter import backoff
from ..protocol.errors import LoginError, MeterError, MeterRefused, NoProgramming
from ..protocol.model import Obis
from ..protocol.profiles.load_profile import LOAD_PROFILES, Profile
from ..registers.descriptions import TOTALS, kept_unit
from ..registers.registry import entity_id_of
from ..registers.units import convert, unit_of
from ..registers.values import native
from ..state.description import Description
from ..state.meter_state import MeterState
from . import profile_amounts, recorder
from .gaps import SHORTEST_GAP, Gap, Point, ReadingHistory
from .import_job import ImportJob, Imports, ImportStore, Replaced
from .planner import HOUR, Change, Hour, Plan, Reason, SkippedRange, plan

type ReadProfile = Callable[[str, datetime, datetime], Awaitable[tuple[Profile, ...]]]

# The recorder sums up an hour some seconds after it, and a meter writes its period down when its own clock says so.
AFTER_HOUR: Final = timedelta(minutes=6)
# For so long an hour that is not summed up yet, or a line that is gone, is waited for.
PATIENCE: Final = timedelta(days=2)
# What is asked for beyond an outage, so that the periods at both ends are there, and a register before the first.
AIR: Final = HOUR
# Rows beyond the range, which the sums are taken from.
LOOK_AROUND: Final = timedelta(days=10)
# So long what was read for a preview serves an import.
FRESH: Final = timedelta(hours=2)
# So many pieces in a row may fail before a read is given up.
MOST_FAILURES: Final = 8


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made of one sensor, or would make."""

    key: str
    entity_id: str
    unit: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Result:
    """How far an import is, and what it made of each sensor where it is at its end."""

    job: ImportJob
    sensors: tuple[Imported, ...] = ()


@dataclass(frozen=True, slots=True)
class _Total:
    """A sensor that a load profile can fill, and its statistics; None before the recorder has made any."""

    key: str
    code: Obis
    entity_id: str
    unit: str
    series: recorder.Series | None


class ProfileImporter:
    """Reading and importing the load profile of one meter."""

    def __init__(self, coordinator: MeterCoordinator, read_profile: ReadProfile) -> None:
        """Nothing is known yet, nothing is read."""
        self._read_profile = read_profile
        self._noted: MeterState | None = None
        self._has_started = False
        self._refusal: MeterError | HomeAssistantError | None = None
        self._result: Result | None = None
        self._coordinator = coordinator
        self._hass: HomeAssistant = coordinator.hass
        self._store = ImportStore(coordinator.hass, coordinator.config_entry.entry_id)
        self._imports = Imports()
        self._reading: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._cancel_timer: CALLBACK_TYPE | None = None
        self._cancel_started: CALLBACK_TYPE | None = None
        self._listeners: list[CALLBACK_TYPE] = []
        coordinator.config_entry.async_on_unload(self._stop)

    async def async_load(self) -> None:
        """Take what was stored, and note each reading from now on."""
        self._imports = await self._store.async_load()
        self._note()
        entry = self._coordinator.config_entry
        entry.async_on_unload(self._coordinator.async_add_listener(self._note))
        entry.async_on_unload(self._async_save)

    @callback
    def async_start(self) -> None:
        """Go on with what is not finished, once Home Assistant has started."""
        self._cancel_started = async_at_started(self._hass, self._started)

    async def _started(self, _hass: HomeAssistant) -> None:
        self._cancel_started = None
        self._has_started = True
        if (job := self._imports.job) is not None and RECORDER in self._hass.config.components:
            self._go_on(job)
        self._schedule()

    @callback
    def _stop(self) -> None:
        for cancel in (self._cancel_timer, self._cancel_started):
            if cancel is not None:
                cancel()
        self._cancel_timer = self._cancel_started = None

    # How far it is

    @property
    def has_profile(self) -> bool:
        """Whether part of the meter's profile was ever read for an import."""
        return self._imports.has_profile

    @property
    def percent(self) -> int | None:
        """How much is read of what is being imported; None while nothing is."""
        job = self._imports.job
        return None if job is None else int(job.progress * 100)

    @callback
    def async_listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Be told when one of these is another one; gives what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def _note_job(self, job: ImportJob | None, *, answered: bool = False) -> None:
        """Take the job as it is now; `answered`: the meter has given a piece of its profile."""
        shown = self.has_profile, self.percent
        self._imports.job = job
        self._imports.has_profile |= answered
        if shown != (self.has_profile, self.percent):
            for listener in list(self._listeners):
                listener()

    # The gaps

    @property
    def history(self) -> ReadingHistory:
        """When the totals were read."""
        return self._imports.history

    @callback
    def _note(self) -> None:
        """Take note of when each total was read."""
        coordinator, before = self._coordinator, self._noted
        self._noted = state = coordinator.data
        if state is None or state is before:
            return
        # The first state is what the last run knew at its end: up to then there is no gap.
        longest = timedelta.max
        if before is not None:
            longest = max(SHORTEST_GAP, coordinator.interval * 1.5)
        history = self.history
        zone = dt_util.get_default_time_zone()
        for key, one in state.registers.items():
            if not profile_amounts.fillable(one.register.obis):
                continue
            for description in self._descriptions(key):
                number = native(one.register, description, zone)
                if isinstance(number, Decimal) and description.unit is not None:
                    point = Point(one.received, number)
                    history = history.with_reading(
                        description.key, point, description.unit, longest
                    )
        for added in profile_amounts.sums(coordinator.derived.index):
            if added.number is not None:
                point = Point(added.received, added.number)
                history = history.with_reading(added.key, point, "kWh", longest)
        known, self._imports.history = self.history, history
        if (history.gaps, history.begun) != (known.gaps, known.begun):
            # A gap that a crash forgets is never filled. The latest readings are also known from the stored state.
            coordinator.config_entry.async_create_task(self._hass, self._async_save())
            self._schedule()

    def _descriptions(self, key: str) -> list[Description]:
        """The totals of a register, in the unit their sensor has."""
        coordinator = self._coordinator
        return [
            kept_unit(description, coordinator.validator.units.get(description.key))
            for description in coordinator.data.registers[key].descriptions
            if description.state_class in TOTALS
        ]

    @property
    def _fills(self) -> bool:
        """Whether gaps are filled without being asked for."""
        coordinator = self._coordinator
        return (
            bool(coordinator.config_entry.options.get(CONF_FILL_GAPS, True))
            and not coordinator.config_entry.pref_disable_polling
            and not coordinator.reader.line_profile.pushes
            and not coordinator.reader.line_profile.on_battery
            and RECORDER in self._hass.config.components
        )

    @callback
    def _schedule(self, not_before: datetime | None = None) -> None:
        """Fill the gaps when the first hour behind them is over."""
        if self._cancel_timer is not None:
            self._cancel_timer()
            self._cancel_timer = None
        gaps = self.history.open()
        if not gaps or not self._fills or not self._has_started:
            return
        ready = max(_hour_of(gap.last.at) + HOUR for gap in gaps) + AFTER_HOUR
        now = dt_util.utcnow() + timedelta(seconds=1)
        self._cancel_timer = async_track_point_in_utc_time(
            self._hass, self._fill, max(ready, not_before or now, now)
        )

    @callback
    def _fill(self, _now: datetime) -> None:
        self._cancel_timer = None
        gaps = self.history.open()
        if self._imports.job is not None or self._coordinator.offsets:
            # What a person asked for comes first, and so do sums that are about to be corrected.
            self._schedule(not_before=dt_util.utcnow() + AFTER_HOUR)
        elif gaps:
            first = _hour_of(min(gap.first.at for gap in gaps))
            last = _hour_of(max(gap.last.at for gap in gaps)) + HOUR
            self._go_on(replace(ImportJob.of(first - AIR, last), automatic=True))

    # Reading

    async def async_read(
        self, first: datetime, last: datetime, code: str = LOAD_PROFILES[0]
    ) -> tuple[Profile, ...]:
        """The rows of a profile, for somebody who wants to see them. Raises MeterError."""
        job = ImportJob.of(first, last)
        while not job.done:
            begin, end = job.piece
            started = self._hass.loop.time()
            found = await self._read_profile(code, begin, end)
            job = job.with_piece(found, self._hass.loop.time() - started)
        return job.parts

    async def async_import(
        self, first: datetime, last: datetime, *, everything: bool, preview: bool, wait: float
    ) -> Result:
        """Read the profile and import it; with `preview` only say what would be.

        Returns after `wait` seconds at the latest, without an outcome where it is not all read by then: the reading
        goes on, also after a restart, and the next call for the same tells more. Raises ServiceValidationError while
        something else is being read or the battery is to be left alone, DatabaseFailed, MeterError.
        """
        wanted = replace(self._widened(first, last), everything=everything, preview=preview)
        if (job := self._imports.job) is None:
            job = self._with_rows(wanted)
        elif not job.asks_as(wanted):
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="import_running",
                translation_placeholders={"percent": f"{job.progress * 100:.0f}"},
            )
        self._refusal = self._result = None
        await asyncio.wait([self._go_on(job)], timeout=wait)
        if self._refusal is not None:
            raise self._refusal
        return self._result or Result(self._imports.job or job)

    def _widened(self, first: datetime, last: datetime) -> ImportJob:
        """The range with all of the outages it touches, read up to the first reading where it begins before that."""
        now = dt_util.utcnow()
        first = _hour_of(first)
        for gap in self.history.gaps:
            if gap.last.at > first and gap.first.at < last:
                first = min(first, _hour_of(gap.first.at))
                last = max(last, _hour_of(gap.last.at) + HOUR)
        until = min(last, now)
        for point, _ in self.history.begun.values():
            if first < point.at:
                last = max(last, _hour_of(point.at) + HOUR)
        return replace(ImportJob.of(first - AIR, min(last, now)), until=until)

    def _with_rows(self, wanted: ImportJob) -> ImportJob:
        """What was read for a preview a while ago need not be read again."""
        if self._result is None:
            return wanted
        job = self._result.job
        if dt_util.utcnow() - job.last >= FRESH or not job.covers(wanted):
            return wanted
        refusals = [refusal for one in self._result.sensors for refusal in one.plan.refusals]
        # What was not there yet may be by now.
        waited = any(refusal.reason is Reason.NOT_YET for refusal in refusals)
        return job.newer_for(wanted) if waited else job.for_another(wanted)

    @callback
    def _go_on(self, job: ImportJob) -> asyncio.Task[None]:
        """Read on in the background; there is never more than one reading."""
        if self._reading is None or self._reading.done():
            self._note_job(job)
            entry = self._coordinator.config_entry
            self._reading = entry.async_create_background_task(
                self._hass, self._work(), f"{DOMAIN} {self._coordinator.name} load profile"
            )
        return self._reading

    async def _work(self) -> None:
        """Read the job to its end, as far as the meter lets it, and import it."""
        failures = 0
        while (job := self._imports.job) is not None:
            begin, end = job.piece
            started = self._hass.loop.time()
            try:
                if job.done:
                    await self._finish(job, await self._import(job))
                    return
                found = await self._read_profile(LOAD_PROFILES[0], begin, end)
            except HomeAssistantError as err:
                # The battery is to be left alone, or the database has failed.
                await self._give_up(job, err)
                return
            except MeterError as err:
                failures += 1
                lasting = isinstance(err, MeterRefused | LoginError | NoProgramming)
                if lasting or failures >= MOST_FAILURES:
                    await self._give_up(job, err, lasting=lasting)
                    return
                await asyncio.sleep(backoff.pause(failures))
                continue
            failures = 0
            self._note_job(job.with_piece(found, self._hass.loop.time() - started), answered=True)
            await self._async_save()

    async def _give_up(
        self, job: ImportJob, err: MeterError | HomeAssistantError, *, lasting: bool = False
    ) -> None:
        """Leave it: for good where the meter said no, else until the next try."""
        LOGGER.info("The load profile of %s was not imported: %s", self._coordinator.name, err)
        self._refusal = err
        # All that was read serves the next try.
        self._result = Result(job)
        self._note_job(None)
        await self._async_save()
        if job.automatic:
            now = dt_util.utcnow()
            await self._deal_with(
                gap for gap in self.history.open() if lasting or now - gap.last.at > PATIENCE
            )
            self._schedule(not_before=now + HOUR)

    async def _finish(self, job: ImportJob, found: tuple[Imported, ...]) -> None:
        """Forget what was read; of an automatic import, tell what was left out."""
        self._result = Result(job, found)
        self._note_job(None)
        await self._async_save()
        if job.preview:
            return
        now = dt_util.utcnow()
        waiting = set()
        for one in found:
            for refusal in one.plan.refusals:
                if refusal.reason is Reason.NOT_YET and now - refusal.last < PATIENCE:
                    waiting.add(one.key)
                elif job.automatic:
                    _tell(one, refusal)
        await self._deal_with(
            gap
            for gap in self.history.open()
            if gap.key not in waiting and job.first <= gap.first.at and gap.last.at < job.until
        )
        self._schedule(not_before=now + HOUR)

    async def _deal_with(self, gaps: Iterable[Gap]) -> None:
        self._imports.history = self.history.with_done(gaps)
        await self._async_save()

    async def _async_save(self) -> None:
        await self._store.async_save(self._imports)

    # Importing

    async def _import(self, job: ImportJob) -> tuple[Imported, ...]:
        """Plan the changes of every sensor, and make them. Raises DatabaseFailed."""
        async with self._lock:
            found = []
            for total in await self._totals():
                if total.series is None:
                    if not job.automatic:
                        found.append(_not_yet(job, total))
                    continue
                one = await self._plan(job, total, total.series)
                found.append(one)
                if one.plan.changes and not job.preview:
                    await self._write(total.key, total.series, one.plan.changes)
            return tuple(found)

    async def _plan(self, job: ImportJob, total: _Total, series: recorder.Series) -> Imported:
        rows = await recorder.async_rows(
            self._hass, series, job.first - LOOK_AROUND, job.last + LOOK_AROUND
        )
        used, step = profile_amounts.of_total(job.parts, total.code, series.unit)
        begun, unit = self.history.begun.get(total.key, (None, ""))
        gaps = [
            Gap(gap.key, first, last, series.unit)
            for gap in self.history.gaps
            if gap.key == total.key
            and (first := _in(gap.first, gap.unit, series.unit)) is not None
            and (last := _in(gap.last, gap.unit, series.unit)) is not None
        ]
        planned = plan(
            used,
            rows,
            gaps,
            first=job.first + AIR,
            last=job.until,
            begun=None if begun is None or job.automatic else _in(begun, unit, series.unit),
            running=await recorder.async_running(self._hass, series),
            step=step,
            everything=job.everything,
        )
        return Imported(total.key, series.entity_id, series.unit, planned)

    async def _write(self, key: str, series: recorder.Series, changes: Iterable[Change]) -> None:
        """Write rows, after what they replace is safe."""
        replaced = self._imports.replaced.get(key) or Replaced(series.unit)
        self._imports.replaced[key] = replaced.with_changes(changes)
        await self._async_save()
        await recorder.async_write(
            self._hass, series, {change.start: change.hour for change in changes}
        )

    async def async_clear(self) -> dict[str, int]:
        """Put back what all imports of this meter have replaced; the number of hours by entity. Raises DatabaseFailed."""
        found: dict[str, int] = {}
        async with self._lock:
            totals = {total.key: total for total in await self._totals()}
            for key, replaced in list(self._imports.replaced.items()):
                if (total := totals.get(key)) is None or total.series is None:
                    continue
                await self._put_back(total.series, replaced)
                found[total.entity_id] = len(replaced.rows)
                del self._imports.replaced[key]
                await self._async_save()
        return found

    async def _put_back(self, series: recorder.Series, replaced: Replaced) -> None:
        old = {
            start: Hour(
                _number_in(hour.state, replaced.unit, series.unit),
                _number_in(hour.sum, replaced.unit, series.unit),
            )
            for start, hour in replaced.rows.items()
            if hour is not None
        }
        new = [start for start, hour in replaced.rows.items() if hour is None]
        if new and recorder.can_clear(self._hass):
            await recorder.async_clear(self._hass, series, new)
        elif new:
            rows = await recorder.async_rows(
                self._hass, series, min(new) - LOOK_AROUND, max(new) + LOOK_AROUND
            )
            running = await recorder.async_running(self._hass, series)
            rows = {**({} if running is None else {running[0]: running[1]}), **rows}
            old |= _flat(new, {**rows, **old})
        await recorder.async_write(self._hass, series, old)

    async def _totals(self) -> list[_Total]:
        """The sensors that a load profile can fill."""
        coordinator = self._coordinator
        fillable = [
            (description.key, code, description.unit)
            for key, known in coordinator.data.registers.items()
            if (code := known.register.obis) is not None and profile_amounts.fillable(code)
            for description in self._descriptions(key)
            if description.unit is not None
        ]
        fillable += [
            (added.key, added.code, "kWh")
            for added in profile_amounts.sums(coordinator.derived.index)
        ]
        found = []
        for key, code, unit in fillable:
            if (entity_id := entity_id_of(self._hass, coordinator.unique_id, key)) is None:
                continue
            series = await recorder.async_series(self._hass, entity_id)
            # One that is switched off has no state, and no statistics to come.
            if series is not None or self._hass.states.get(entity_id) is not None:
                found.append(_Total(key, code, entity_id, unit, series))
        return found


def _not_yet(job: ImportJob, total: _Total) -> Imported:
    refusal = SkippedRange(Reason.NOT_YET, job.first + AIR, job.until)
    return Imported(total.key, total.entity_id, total.unit, Plan(refusals=(refusal,)))


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _in(point: Point, unit: str, wanted: str) -> Point | None:
    """A reading in the unit of the statistics."""
    number = convert(point.number, unit_of(unit), wanted)
    return None if number is None else Point(point.at, number)


def _number_in(number: float, unit: str, wanted: str) -> float:
    if unit == wanted:
        return number
    converted = convert(Decimal(str(number)), unit_of(unit), wanted)
    return number if converted is None else float(converted)


def _flat(starts: Iterable[datetime], rows: dict[datetime, Hour]) -> dict[datetime, Hour]:
    """Rows without any use, for hours that cannot be deleted: level with the one before, at 0 where all begins."""
    new = set(starts)
    kept = sorted(start for start in rows if start not in new)
    found = {}
    for start in new:
        before = max((one for one in kept if one < start), default=None)
        if before is not None:
            found[start] = rows[before]
        elif kept:
            first = rows[kept[0]]
            found[start] = Hour(first.state - first.sum, 0.0)
    return found


def _tell(one: Imported, refusal: SkippedRange) -> None:
    LOGGER.warning(
        "The load profile was not imported into %s from %s to %s (%s): the register rose by %s %s, the profile says %s",
        one.entity_id,
        refusal.first,
        refusal.last,
        refusal.reason,
        refusal.register,
        one.unit,
        refusal.profile,
    )
