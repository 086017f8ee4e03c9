"""Coordinator of one meter: polls or listens, validates readings, publishes state, turns client errors into UpdateFailed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from . import issues
from .const import DOMAIN, LOGGER
from .messages import failure
from .meter.background import in_background
from .meter.poller import Poller
from .meter.reader import MeterReader
from .meter.schedule import Timer
from .meter_record import MeterRecord
from .protocol.errors import CheckWrong, MeterError, NumberUnsteady
from .protocol.model import Reading, Register
from .state.meter_state import MeterState
from .storage import async_take_over
from .validation.candidate import APART
from .validation.validator import CheckedReading, Outcome


class MeterCoordinator(DataUpdateCoordinator[MeterState]):
    """Gets the readings of one meter and publishes what the validator lets through."""

    config_entry: ConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Prepare; nothing is read or opened yet."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, update_interval=None)
        # What names the meter in the registries: its own number, else only this entry.
        self.unique_id: str = entry.unique_id or entry.entry_id
        self.reader = MeterReader(hass, entry, self)
        self.record = MeterRecord(hass, entry, self.reader)
        self.validator = self.record.validator
        self.poller = Poller(hass, entry, self.reader, self.async_refresh)
        self.failures = self.checks_failed = 0
        self._checked: CheckedReading | None = None
        # Whether a reading of another session would settle why a value is held.
        self.needs_witness = False
        self._shown: datetime | None = None
        self._expiry_timer = Timer(hass, self.async_update_listeners)
        entry.async_on_unload(self._expiry_timer.stop)

    @property
    def due(self) -> datetime:
        """When the next reading is due by itself; that may be over."""
        return self.poller.due

    @property
    def interval(self) -> timedelta:
        """The time from one reading to the next."""
        return self.poller.schedule.interval

    @property
    def replacement_open(self) -> bool:
        """Whether another meter answers, and the user has not said what that means."""
        return self.validator.is_replaced

    async def async_wake_up_spent(self) -> bool:
        """Keep the budget of wake-ups; whether it is on disk when this returns."""
        written = await self.record.async_save_now()
        self.async_update_listeners()
        return written

    async def async_restore(self) -> None:
        """Take what was stored."""
        await self.reader.login.async_recall()
        if (state := await self.record.async_load()) is not None:
            self.reader.take_line_profile(state.profile)
            state = replace(state, profile=self.reader.line_profile)
            self._apply(Outcome(state))
            issues.async_propose_battery(self.hass, self.config_entry, state, self.interval)

    async def async_take_over(self) -> bool:
        """Take the config flow's newer reading, which knows the line as it is. False where the meter was never read."""
        states, known = async_take_over(self.hass, self.reader.device, self.reader.address)
        if known is not None:
            self.reader.restore(self.reader.wake_budget, known, self.reader.aligned_at)
        for first in states:
            self.reader.take_line_profile(first.profile)
            if self._take(self._check(first.reading)):
                await self.record.async_save_now()
                self.async_update_listeners()
        return self.data is not None

    async def async_read_now(self) -> None:
        """Read the meter because the user wants it. Raises HomeAssistantError where there is no new reading."""
        self.reader.check_budget()
        if not self.reader.line_profile.pushes:
            before = self.last_update_success, self.last_exception
            try:
                await self.async_refresh()
            except asyncio.CancelledError:
                # Who asked went away: that says nothing of the meter.
                self.last_update_success, self.last_exception = before
                raise
        if self.last_update_success:
            return
        if isinstance(err := self.last_exception, HomeAssistantError):
            raise err
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key=MeterError.key) from err

    @override
    async def _async_update_data(self) -> MeterState:
        """Read the meter once; what ends it early, ends this reading only."""
        self.poller.begin()
        self.needs_witness = False
        try:
            return await self._update()
        except asyncio.CancelledError:
            self.poller.plan(self._pause)
            raise

    async def _update(self) -> MeterState:
        pushes = self.reader.line_profile.pushes
        if self.data is not None and (pushes or not self.reader.may_wake):
            return self._as_before()
        reading = self.reader.async_read(self._is_doubtful, self.validator.record_failure)
        state: MeterState | None = None
        try:
            # Cancelled with the entry, whoever asked for it.
            for one in await in_background(self.hass, self.config_entry, reading, "reading"):
                state = await self.async_process_reading(one)
        except ServiceValidationError:
            # Another request has used the wake-up.
            return self._as_before()
        except MeterError as err:
            failed = self._record_failure(err)
            failed.retry_after = self.poller.pause_after_failure(self.data)
            raise failed from err
        if state is None:
            raise failure(NumberUnsteady())
        if self.reader.line_profile.pushes and not pushes:
            # It was found to send by itself: from now on it is listened to.
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
        return state

    def _as_before(self) -> MeterState:
        """The meter is not asked, so what is known of it stays, its failure too."""
        if not self.last_update_success and isinstance(self.last_exception, UpdateFailed):
            raise self.last_exception
        return self.data

    @property
    def _pause(self) -> float | None:
        """The seconds until the next reading, where that is not left to the schedule."""
        if self.last_update_success and self.needs_witness:
            return min(APART, self.interval.total_seconds())
        failed = None if self.last_update_success else self.last_exception
        return failed.retry_after if isinstance(failed, UpdateFailed) else None

    @callback
    @override
    def _async_refresh_finished(self) -> None:
        """Wait for the next reading, also after one that was asked for."""
        self.poller.finished(self._pause)

    def _is_doubtful(self, reading: Reading) -> bool:
        """Whether a second reading, made at once, would settle why a value is held."""
        self._checked = self._check(reading)
        return self._checked.result.retry

    def _check(self, reading: Reading) -> CheckedReading:
        checked = self.validator.check(reading, self.reader.line_profile, self.data)
        if (known := self.record.known_by_number(checked)) is None:
            return checked
        self._apply(known)
        return self.validator.check(reading, self.reader.line_profile, self.data)

    async def async_process_reading(self, reading: Reading) -> MeterState | None:
        """Join what is validated of a reading to the state; None where nothing was ever published.

        Raises UpdateFailed where another meter answers.
        """
        checked, self._checked = self._checked, None
        if checked is None or checked.reading is not reading:
            checked = self._check(reading)
        if not self._take(checked):
            return None
        await self.record.async_save()
        self.reader.history.keep_good()
        issues.async_withdraw_notices(self.hass, self.config_entry, self.reader.line_profile)
        if self.replacement_open:
            raise UpdateFailed(translation_domain=DOMAIN, translation_key="other_meter")
        return self.data

    def _take(self, checked: CheckedReading) -> bool:
        """Publish what the validator lets through. False where nothing was ever published."""
        self.needs_witness |= checked.result.later
        if (outcome := self.validator.apply(checked, self.data, dt_util.utcnow())) is not None:
            self._apply(outcome)
        return outcome is not None

    async def async_process_registers(self, registers: Sequence[Register]) -> None:
        """Join what is validated of some registers, known to be this meter's, to the state."""
        before, now = self.data, dt_util.utcnow()
        health = replace(before.health, retries=0)
        reading = replace(before.reading, registers=tuple(registers), received=now, health=health)
        checked = self.validator.check(reading, before.profile, before)
        outcome = self.validator.apply(checked, before, now)
        self._update_questions()
        if outcome is None or self.replacement_open:
            return
        # When the meter was last read, and what it said then, is another matter: the next reading is due after that.
        self.data = replace(outcome.state, received=before.received, health=before.health)
        self.record.publish_registers(Outcome(self.data, outcome.offsets))
        await self.record.async_save()
        self.async_update_listeners()

    async def async_process_pushed(self, reading: Reading) -> None:
        """Take what a meter has sent by itself, and show it now and then: all of it counts, some of it is shown."""
        try:
            state = await self.async_process_reading(reading)
        except UpdateFailed as err:
            self.async_set_update_error(err)
            return
        if state is None:
            return
        if recovered := not self.last_update_success:
            # Said as it is of a meter that is polled.
            LOGGER.info("Fetching %s data recovered", self.name)
        if recovered or self._shown is None or state.received - self._shown >= self.interval:
            self._shown = state.received
            self.async_set_updated_data(state)

    @callback
    def async_record_failure(self, err: Exception) -> None:
        """Note and show what ended the listening to a meter that sends by itself."""
        if isinstance(err, MeterError):
            err = self._record_failure(err)
        elif self.last_update_success:
            LOGGER.error("Unexpected error hearing %s", self.name, exc_info=err)
        self.async_set_update_error(err)

    def _record_failure(self, err: MeterError) -> UpdateFailed:
        self.failures += 1
        self.checks_failed += isinstance(err, CheckWrong)
        self.validator.record_failure(err)
        self.reader.failed(err)
        if self.data is not None:
            since = self.poller.schedule.next(self.data.received)
            issues.async_raise_notice(self.hass, self.config_entry, err, since, dt_util.utcnow())
            if isinstance(err, CheckWrong):
                self._update_questions()
                # Of a meter on its battery, three in a row take days.
                self.record.save()
        return failure(err)

    def _apply(self, outcome: Outcome) -> None:
        """Make this the current state, and wake up when its values become too old."""
        self.data, zone = outcome.state, dt_util.get_default_time_zone()
        self.reader.take_line_profile(self.data.profile)
        self.reader.history.succeeded(self.data.health)
        self.poller.take_state(self.data, zone)
        self.record.publish(outcome, zone, self.poller.max_age)
        self._expiry_timer.set(self.poller.expiry)
        self._update_questions()

    async def async_publish(self, outcome: Outcome) -> None:
        """Show a state that no reading has brought, but the user's answer; it is on disk before."""
        self._apply(outcome)
        await self.record.async_save_now()
        self.async_update_listeners()

    def _update_questions(self) -> None:
        issues.async_update_questions(self.hass, self.config_entry, self.validator.state, self.data)

    @property
    def connected(self) -> bool:
        """Whether the last attempt succeeded, and was not too long ago."""
        return self.last_update_success and self.poller.is_fresh(self.data.received)
