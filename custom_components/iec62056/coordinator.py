"""Coordinator of one meter: polls or listens, validates readings, publishes state, turns client errors into UpdateFailed."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from . import issues
from .const import DOMAIN, LOGGER
from .derived.history import DerivedHistory
from .derived.values import DerivedValues, Numbers, remember, steps_of_sums
from .entry_data import CONF_AMPERES
from .messages import failure
from .meter.poller import Poller
from .meter.reader import MeterReader
from .meter.schedule import Timer
from .protocol.errors import CheckWrong, MeterError, NumberUnsteady
from .protocol.model import Reading, Register
from .registers.index import RegisterIndex
from .registers.overrides import overrides_of
from .state.meter_state import MeterState
from .storage import SAVE_DELAY, SAVE_SOON, MeterStore, Stored, async_take_over
from .validation.offsets import Offset, totals_of
from .validation.validation_state import MeterReplacement
from .validation.validator import CheckedReading, Outcome, ReadingValidator


class MeterCoordinator(DataUpdateCoordinator[MeterState]):
    """Gets the readings of one meter and publishes what the validator lets through."""

    config_entry: ConfigEntry
    # Set with the first state.
    derived: DerivedValues

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Prepare; nothing is read or opened yet."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, update_interval=None)
        # What names the meter in the registries: its own number, else only this entry.
        self.unique_id: str = entry.unique_id or entry.entry_id
        self.store = MeterStore(hass, entry.entry_id)
        self.reader = MeterReader(hass, entry, self)
        self.poller = Poller(hass, entry, self.reader, self._read_by_itself)
        amperes = entry.options.get(CONF_AMPERES)
        self.validator = ReadingValidator(
            overrides_of(entry.options), None if amperes is None else Decimal(str(amperes))
        )
        # Offsets of totals that the statistics do not take into account yet.
        self.offsets: tuple[Offset, ...] = ()
        self.failures = self.checks_failed = 0
        self._history = DerivedHistory()
        self._checked: CheckedReading | None = None
        self._shown: datetime | None = None
        self._expiry_timer = Timer(hass, self.async_update_listeners)
        entry.async_on_unload(self._expiry_timer.stop)
        entry.async_on_unload(self.store.async_flush)

    # What the reader asks of it.

    @property
    def state(self) -> MeterState | None:
        """The last state; None where the meter was never read."""
        return self.data

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

    async def async_wake_up_spent(self) -> None:
        """Keep the budget of wake-ups; on disk when this returns."""
        await self.async_save_now()
        self.async_update_listeners()

    # Start

    async def async_restore(self) -> None:
        """Take what was stored."""
        await self.reader.login.async_recall()
        stored = await self.store.async_load()
        if stored is not None:
            self._history = stored.derived
            self.reader.restore(stored.wake_budget, stored.object_cache, stored.aligned_at)
            restored = self.validator.restore(
                stored.state.as_restored(), stored.validation, stored.units, stored.offsets
            )
            self.offsets = restored.offsets
            self._apply_state(restored.state)

    @callback
    def async_take_over(self) -> bool:
        """Take the config flow's reading: it is newer, and where the meter was moved it knows the new line.

        False where the meter was never read.
        """
        entry = self.config_entry
        states, known = async_take_over(self.hass, self.reader.device, self.reader.address)
        if known is not None:
            self.reader.restore(self.reader.wake_budget, known, self.reader.aligned_at)
        for first in states:
            self.reader.take_line_profile(first.profile)
            if self._validate(self.validator.check(first.reading, first.profile, self.data)):
                self._save(soon=True)
                self.async_update_listeners()
        if self.data is not None:
            issues.async_update_questions(self.hass, entry, self.validator.state, self.data)
        return self.data is not None

    # Readings

    @callback
    def _read_by_itself(self) -> None:
        self.in_background(self.async_refresh(), "reading by itself")

    async def async_read_now(self) -> None:
        """Read the meter because the user wants it; one that sends by itself is only asked what it has sent.

        Raises HomeAssistantError with the reason where there is no new reading.
        """
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
        if isinstance(self.last_exception, HomeAssistantError):
            raise self.last_exception
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="unknown"
        ) from self.last_exception

    @override
    async def _async_update_data(self) -> MeterState:
        """Read the meter once; what ends it early, ends this reading only."""
        self.poller.begin()
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
            for one in await self.in_background(reading, "reading"):
                state = self.async_process_reading(one)
        except ServiceValidationError:
            # Somebody else has used the wake-up.
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
        """The seconds until a reading that failed is tried again, where that is not left to the schedule."""
        failed = None if self.last_update_success else self.last_exception
        return failed.retry_after if isinstance(failed, UpdateFailed) else None

    @callback
    @override
    def _async_refresh_finished(self) -> None:
        """Wait for the next reading, also after one that was asked for."""
        self.poller.finished(self._pause)

    @callback
    def _is_doubtful(self, reading: Reading) -> bool:
        """Whether a second reading, made at once, would settle why a value is held."""
        self._checked = self.validator.check(reading, self.reader.line_profile, self.data)
        return self._checked.result.retry

    @callback
    def async_process_reading(self, reading: Reading) -> MeterState | None:
        """Join what is validated of a reading to the state; None where nothing was ever published.

        Raises UpdateFailed where another meter answers.
        """
        checked, self._checked = self._checked, None
        if checked is None or checked.reading is not reading:
            checked = self.validator.check(reading, self.reader.line_profile, self.data)
        if not self._validate(checked):
            return None
        self._save()
        self.reader.keep_good_session()
        issues.async_withdraw_notices(self.hass, self.config_entry)
        if self.replacement_open:
            raise UpdateFailed(translation_domain=DOMAIN, translation_key="other_meter")
        return self.data

    def _validate(self, checked: CheckedReading) -> bool:
        """Take what the validator makes of a reading. False where nothing was ever published."""
        outcome = self.validator.apply(checked, self.data, dt_util.utcnow())
        if outcome is None:
            return False
        self._apply(outcome)
        return True

    @callback
    def async_process_registers(self, registers: Sequence[Register]) -> None:
        """Join what is validated of some registers; of the reading as a whole they say nothing.

        They must be known to be this meter's: most say nothing of whose they are.
        """
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
        index = RegisterIndex.of(self.data, self.derived.index)
        self._note_offsets(outcome.offsets, index)
        self.derived = DerivedValues(index, self._history, self.derived.zone)
        self._save()
        self.async_update_listeners()

    @callback
    def async_process_pushed(self, reading: Reading) -> None:
        """Take what a meter has sent by itself, and show it now and then: all of it counts, some of it is shown."""
        try:
            state = self.async_process_reading(reading)
        except UpdateFailed as err:
            self.async_set_update_error(err)
            return
        recovered = not self.last_update_success
        if state is None or not (
            recovered or self._shown is None or state.received - self._shown >= self.interval
        ):
            return
        if recovered:
            # Said as it is of a meter that is polled.
            LOGGER.info("Fetching %s data recovered", self.name)
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

    @callback
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
                self._save()
        return failure(err)

    # State

    @callback
    def _apply_state(self, state: MeterState, offsets: tuple[Offset, ...] = ()) -> None:
        """Make this the current state, and wake up when its values become too old."""
        before = None if self.data is None else self.derived.index
        self.data = state
        self.reader.take_line_profile(state.profile)
        self.reader.succeeded(state.health)
        index, zone = RegisterIndex.of(state, before), dt_util.get_default_time_zone()
        if before is not None:
            self._note_offsets(offsets, index)
        self.poller.take_state(state, zone)
        self._history = remember(self._history, index, zone, self.poller.max_age)
        self.derived = DerivedValues(index, self._history, zone)
        self._expiry_timer.set(self.poller.expiry)

    @callback
    def _apply(self, outcome: Outcome) -> None:
        self._apply_state(outcome.state, outcome.offsets)
        self._update_questions()

    @callback
    def async_publish(self, outcome: Outcome) -> None:
        """Show a state that no reading has brought, but the user's answer."""
        self._apply(outcome)
        self.async_save()
        self.async_update_listeners()

    @callback
    def async_replace_meter(self, other: MeterReplacement, state: MeterState) -> None:
        """Let the other meter, known by that state, take this one's place; the entry is to be reloaded then."""
        outcome = self.validator.accept_replacement(other, state, self.data, dt_util.utcnow())
        firsts = {
            description.key: (other.first_totals[description.key], description.unit)
            for description in totals_of(state, self.validator.units)
            if description.key in other.first_totals
        }
        self._note_offsets(outcome.offsets, RegisterIndex.of(state), firsts)
        self.data = state
        self._update_questions()

    @callback
    def _note_offsets(
        self,
        offsets: tuple[Offset, ...],
        index: RegisterIndex,
        firsts: Numbers = MappingProxyType({}),
    ) -> None:
        """Keep the offsets of totals, and those of sums of them, until the statistics are corrected.

        `index` is that of the new state; `firsts` are the first numbers of totals of another meter.
        """
        before, now = self.derived.index, dt_util.utcnow()
        if not offsets and index.state.registers.keys() <= before.state.registers.keys():
            return
        numbers = {one.key: (one.offset, one.unit) for one in offsets}
        sums = (
            Offset(one.kind, now, one.offset, UnitOfEnergy.WATT_HOUR, one.last)
            for one in steps_of_sums(before, index, numbers, firsts)
        )
        self.offsets = (*self.offsets, *offsets, *sums)

    @callback
    def async_drop_offset(self, offset: Offset) -> None:
        """The statistics are right where that offset is concerned."""
        self.offsets = tuple(one for one in self.offsets if one is not offset)
        self.async_save()

    @callback
    def _update_questions(self) -> None:
        issues.async_update_questions(self.hass, self.config_entry, self.validator.state, self.data)

    def is_fresh(self, received: datetime) -> bool:
        """Whether a value received at that time may still be shown."""
        return self.poller.is_fresh(received)

    def is_register_fresh(self, received: datetime) -> bool:
        """Whether a register received at that time may still be shown while the meter is heard."""
        return self.poller.is_register_fresh(received)

    @property
    def connected(self) -> bool:
        """Whether the last attempt succeeded, and was not too long ago."""
        return self.last_update_success and self.is_fresh(self.data.received)

    # Storage

    @callback
    def async_keep_unit(self, key: str, unit: str) -> None:
        """Let a sensor keep the unit it was first seen with."""
        self.validator.keep_unit(key, unit)
        self._save()

    @callback
    def async_save(self) -> None:
        """Store what has changed besides a reading."""
        self._save(soon=True)

    async def async_save_now(self) -> None:
        """Store everything before something else is done."""
        await self.store.async_save(self._content())

    def _content(self) -> Stored:
        return Stored(
            self.data,
            self.validator.units,
            self.reader.aligned_at,
            self.validator.state,
            self.reader.wake_budget,
            self.offsets,
            self._history,
            self.reader.object_cache,
        )

    @callback
    def _save(self, *, soon: bool = False) -> None:
        soon = soon or self.reader.line_profile.on_battery
        self.store.async_save_later(self._content, SAVE_SOON if soon else SAVE_DELAY)

    def in_background[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Work that ends, at the latest, when the entry is unloaded."""
        return self.config_entry.async_create_background_task(
            self.hass, work, f"{DOMAIN} {self.name} {name}"
        )
