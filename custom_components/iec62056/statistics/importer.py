"""Imports of a meter's load profile into the statistics: after an outage by itself, at any time for the user."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from homeassistant.components.recorder.const import DOMAIN as RECORDER
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, LOGGER
from ..coordinator import MeterCoordinator
from ..meter import backoff
from ..meter.background import in_background
from ..protocol.errors import LoginError, MeterError, MeterRefused, NoProgramming
from ..protocol.profiles.load_profile import LOAD_PROFILES, Profile
from .gap_filler import GapFiller
from .gaps import ReadingHistory
from .import_job import AIR, ImportJob, ImportStore
from .ledger import Ledger
from .meter_clock import zone_of_clock
from .planner import HOUR, SkippedRange, hour_of
from .profile_writer import Imported, ProfileWriter
from .register_curve import Reason

# For so long an hour that is not summed up yet, or a line that is gone, is waited for.
PATIENCE: Final = timedelta(days=2)
# So long what was read for a preview serves an import.
FRESH: Final = timedelta(hours=2)
# So many pieces in a row may fail before a read is given up.
MOST_FAILURES: Final = 8

# Part of a load profile, by its code and the range, in the zone of the meter's clock. Raises MeterError.
type ReadProfile = Callable[[str, datetime, datetime, tzinfo], Awaitable[tuple[Profile, ...]]]


@dataclass(frozen=True, slots=True)
class Result:
    """How far an import is, and what it made of each sensor where it is at its end."""

    job: ImportJob
    sensors: tuple[Imported, ...] = ()


class ProfileImporter:
    """Reads the load profile of one meter, piece by piece between the normal readings, and imports it."""

    def __init__(
        self, coordinator: MeterCoordinator, read_profile: ReadProfile, ledger: Ledger
    ) -> None:
        """Nothing is known yet, nothing is read."""
        self._coordinator = coordinator
        self._hass: HomeAssistant = coordinator.hass
        self._read_profile = read_profile
        self._store = ImportStore(coordinator.hass, coordinator.config_entry.entry_id)
        self._gaps = GapFiller(coordinator, self._store, self._go_on)
        self._writer = ProfileWriter(coordinator, self._store, ledger)
        self._refusal: MeterError | HomeAssistantError | None = None
        self._result: Result | None = None
        self._reading: asyncio.Task[None] | None = None
        self._listeners: list[CALLBACK_TYPE] = []

    async def async_load(self) -> None:
        """Take what was stored, and note each reading from now on."""
        await self._store.async_open()
        self._gaps.async_listen()

    @callback
    def async_start(self) -> None:
        """Go on with what is not finished, once Home Assistant has started."""
        entry = self._coordinator.config_entry
        entry.async_on_unload(async_at_started(self._hass, self._started))

    async def _started(self, _hass: HomeAssistant) -> None:
        if (
            job := self._store.imports.job
        ) is not None and RECORDER in self._hass.config.components:
            self._go_on(job)
        self._gaps.async_start()

    # How far it is

    @property
    def history(self) -> ReadingHistory:
        """When the totals of the meter were read."""
        return self._gaps.history

    @property
    def has_profile(self) -> bool:
        """Whether part of the meter's profile was ever read for an import."""
        return self._store.imports.has_profile

    @property
    def percent(self) -> int | None:
        """How much is read of what is being imported; None while nothing is."""
        job = self._store.imports.job
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
        self._store.imports.job = job
        self._store.imports.has_profile |= answered
        if shown != (self.has_profile, self.percent):
            for listener in list(self._listeners):
                listener()

    # What the user asks for

    async def async_read(
        self, first: datetime, last: datetime, code: str = LOAD_PROFILES[0]
    ) -> tuple[Profile, ...]:
        """The rows of a profile. Raises MeterError."""
        job = ImportJob.of(first, last)
        while not job.done:
            job = await self._with_piece(job, code, dt_util.get_default_time_zone())
        return job.parts

    async def _with_piece(self, job: ImportJob, code: str, zone: tzinfo) -> ImportJob:
        """The job after its next piece was read. Raises MeterError."""
        started = self._hass.loop.time()
        found = await self._read_profile(code, *job.piece, zone)
        return job.with_piece(found, self._hass.loop.time() - started)

    async def async_import(
        self, first: datetime, last: datetime, *, everything: bool, preview: bool, wait: float
    ) -> Result:
        """Read the profile and import it; with `preview` only say what would be.

        Returns after `wait` seconds at the latest, without an outcome where it is not all read by then: the reading
        goes on, also after a restart, and the next call for the same tells more. Raises ServiceValidationError while
        something else is being read or the battery is to be left alone, DatabaseFailed, NotKept, ClockWrong, MeterError.
        """
        wanted = replace(self._widened(first, last), everything=everything, preview=preview)
        if (job := self._store.imports.job) is None:
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
        return self._result or Result(self._store.imports.job or job)

    async def async_clear(self) -> dict[str, int]:
        """Put back what all imports of this meter have replaced; the number of hours by entity. Raises DatabaseFailed."""
        return await self._writer.async_clear()

    def _widened(self, first: datetime, last: datetime) -> ImportJob:
        """The range with all of the outages it touches, read up to the first reading where it begins before that."""
        now = dt_util.utcnow()
        first = hour_of(first)
        for gap in self.history.gaps:
            if gap.last.at > first and gap.first.at < last:
                first = min(first, hour_of(gap.first.at))
                last = max(last, hour_of(gap.last.at) + HOUR)
        until = min(last, now)
        for point, _ in self.history.begun.values():
            if first < point.at:
                last = max(last, hour_of(point.at) + HOUR)
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

    # Reading and importing

    @callback
    def _go_on(self, job: ImportJob) -> asyncio.Task[None]:
        """Read on in the background; there is never more than one reading."""
        if self._reading is None or self._reading.done():
            self._note_job(job)
            self._reading = in_background(
                self._hass, self._coordinator.config_entry, self._work(), "load profile"
            )
        return self._reading

    async def _work(self) -> None:
        """Read the job to its end, as far as the meter lets it, and import it."""
        failures = 0
        while (job := self._store.imports.job) is not None:
            try:
                if job.done:
                    await self._finish(job, await self._writer.async_import(job))
                    return
                zone = zone_of_clock(self._coordinator.record.derived)
                job = await self._with_piece(job, LOAD_PROFILES[0], zone)
            except HomeAssistantError as err:
                # The battery is to be left alone, the clock is wrong, or the database or the disk has failed.
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
            self._note_job(job, answered=True)
            await self._store.async_write()

    async def _end(self, result: Result) -> None:
        """The job is over; what was read serves the next one."""
        self._result = result
        self._note_job(None)
        await self._store.async_write()

    async def _give_up(
        self, job: ImportJob, err: MeterError | HomeAssistantError, *, lasting: bool = False
    ) -> None:
        """Leave it: for good where the meter said no, else until the next try."""
        LOGGER.info("The load profile of %s was not imported: %s", self._coordinator.name, err)
        self._refusal = err
        await self._end(Result(job))
        if job.automatic:
            now = dt_util.utcnow()
            await self._gaps.async_close(
                gap for gap in self.history.open() if lasting or now - gap.last.at > PATIENCE
            )
            self._gaps.schedule(HOUR)

    async def _finish(self, job: ImportJob, found: tuple[Imported, ...]) -> None:
        """Forget what was read; of an automatic import, tell what was left out."""
        await self._end(Result(job, found))
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
        await self._gaps.async_close(
            gap
            for gap in self.history.open()
            if gap.key not in waiting and job.first <= gap.first.at and gap.last.at < job.until
        )
        self._gaps.schedule(HOUR)


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
