"""How one meter is read by itself and on request, what is done when that fails, and what is known of it.

Here: the background work and its end; every failure becomes one translated sentence.
Never here: the protocol itself, opening ports, the times of readings (schedule), how a register looks in Home Assistant.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from . import line_issues
from .const import DOMAIN, LOGGER
from .derived.history import DerivedHistory
from .derived.values import DerivedValues, remember
from .entry_data import (
    ALIGNED_OFF,
    CONF_EXTRA,
    hints_of,
    idle_of,
    line_profile_of,
    profile_overrides,
    speed_of,
)
from .meter import backoff, connection
from .meter.alignment_run import of_failure, of_health
from .meter.fast_polling import FastPoller
from .meter.probe_alignment import ProbeAlignment
from .meter.push_listener import PushListener
from .meter.reader import MeterReader, needs_login
from .meter.schedule import INTERVAL_FACTOR, Schedule, Timer, is_push, runs_on_battery
from .protocol.discovery import discover
from .protocol.errors import CheckWrong, LineError, MeterError, NumberUnsteady
from .protocol.model import Reading, Register
from .protocol.profiles.events import Event
from .protocol.profiles.load_profile import Profile
from .protocol.profiles.requests import read_events, read_profile
from .protocol.transport.line import Line
from .protocol.transport.trace import Trace
from .registers.descriptions import Context, Description, clean_text, context_of
from .registers.index import RegisterIndex
from .registers.overrides import describe_with_overrides, overrides_of
from .state.meter_state import MeterState
from .storage import SAVE_DELAY, SAVE_SOON, MeterStore, Stored, async_take_over
from .validation.offsets import Offset
from .validation.validator import ReadingValidator

SHORTEST_LIFE: Final = timedelta(minutes=15)
LIFE_INTERVALS: Final = 3

# So often in a row the meter must have been unheard before it is looked for, and then after twice as often each time.
LOST_AFTER: Final = 3


def failure(err: MeterError) -> UpdateFailed:
    """The sentence a person gets for a reading that could not be made."""
    failed = UpdateFailed(
        translation_domain=DOMAIN,
        translation_key=err.key,
        translation_placeholders={
            name: clean_text(text) for name, text in err.placeholders.items()
        },
    )
    # Also where it is told without being raised: the diagnostics say why.
    failed.__cause__ = err
    return failed


class Session(NamedTuple):
    """What went over the line, and when it ended (UTC)."""

    ended: datetime
    trace: Trace


class MeterCoordinator(DataUpdateCoordinator[MeterState]):
    """Reads one meter and keeps what is known of it."""

    config_entry: ConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Prepare; nothing is read or opened yet."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, update_interval=None)
        self.device: str = entry.data[CONF_DEVICE]
        self.speed = speed_of(entry.data)
        self.address: str = entry.data.get(CONF_ADDRESS, "")
        # What names the meter in the registries: its own number, else only this entry.
        self.unique_id: str = entry.unique_id or entry.entry_id
        self.profile = line_profile_of(entry.data)
        self.store = MeterStore(hass, entry.entry_id)
        self.trace: Trace | None = None
        self.last_good: Session | None = None
        self.last_bad: Session | None = None
        self.failures = 0
        self.checks_failed = 0
        self.consecutive_failures = self._silent_failures = 0
        self.access = MeterReader(self)
        self.push = PushListener(self)
        self.quick = FastPoller(self)
        self.alignment = ProbeAlignment(self)
        self.units: dict[str, str] = {}
        self.memory = DerivedHistory()
        # Set with the first data.
        self.view: DerivedValues
        self.schedule: Schedule
        self.trust = ReadingValidator(self)
        self._context: tuple[MeterState, Context] | None = None
        self._polls = False
        self._tried: datetime | None = None
        self._reading_timer = Timer(hass, self._read_by_itself)
        self._expiry_timer = Timer(hass, self.async_update_listeners)
        entry.async_on_unload(self._stop_polling)
        entry.async_on_unload(self._expiry_timer.stop)
        entry.async_on_unload(self.store.async_flush)

    async def async_restore(self) -> None:
        """Take what was stored."""
        await self.access.async_recall()
        stored = await self.store.async_load()
        if stored is not None:
            self.units = stored.units
            self.memory = stored.memory
            self.access.known = stored.known
            self.alignment.last = stored.aligned
            self.trust.restore(stored)
            self._take(stored.state.as_restored())

    @callback
    def async_take_over(self) -> bool:
        """Take the dialogue's reading: it is newer, and where the meter was moved it knows the new line.

        False where the meter was never read.
        """
        states, known = async_take_over(self.hass, self.device, self.address)
        if known is not None:
            self.access.known = known
        for first in states:
            state = self.trust.take(first.reading, first.profile)
            if state is None:
                self.profile = replace(first.profile, **profile_overrides(self.config_entry.data))
            else:
                self._take(state)
                self._save(soon=True)
                self.async_update_listeners()
        return self.data is not None

    @callback
    def async_start(self) -> None:
        """Begin to poll or to listen, in the background."""
        self.trust.async_start()
        if self.config_entry.pref_disable_polling:
            return
        if is_push(self.profile):
            self.push.async_start()
            return
        # A start of Home Assistant is no reason to read: the next reading comes when it is due.
        self._polls = True
        self._plan()
        self.quick.async_start()

    @property
    def interval(self) -> timedelta:
        """The time from one reading to the next."""
        return self.schedule.interval

    @property
    def due(self) -> datetime:
        """When the next reading is due by itself; that may be over."""
        last = self._tried or self.data.received
        if runs_on_battery(self.profile):
            last = self.trust.last_due(self.data.received)
        # A clock that was set back must not put it off.
        return self.schedule.next(min(last, dt_util.utcnow()))

    @callback
    def _plan(self) -> None:
        """Wait for the next reading."""
        # Home Assistant cancels the reading when it stops: the next one would find its threads gone.
        if not self._polls or self.hass.is_stopping:
            return
        now, due = dt_util.utcnow(), self.due
        start = due
        if (pause := self._pause) is not None:
            start = now + timedelta(seconds=pause)
            if self.schedule.aligned != ALIGNED_OFF and due > now:
                start = min(start, due)
        if runs_on_battery(self.profile):
            start = max(start, due, self.trust.next_free(now))
        if start > now:
            awake = self.schedule.awake(start)
            aligned = self.schedule.aligned != ALIGNED_OFF
            self._reading_timer.set(awake, by_the_clock=aligned or awake > start)
        else:
            self._read_by_itself()

    @callback
    def _stop_polling(self) -> None:
        self._polls = False
        self._reading_timer.stop()

    @property
    def _pause(self) -> float | None:
        """The seconds until a reading that failed is tried again, where that is not left to the schedule."""
        failed = None if self.last_update_success else self.last_exception
        return failed.retry_after if isinstance(failed, UpdateFailed) else None

    @callback
    def _read_by_itself(self) -> None:
        if self.config_entry.pref_disable_polling:
            return
        now = dt_util.utcnow()
        # A timer may be late: the machine slept.
        if (awake := self.schedule.awake(now)) > now:
            self._reading_timer.set(awake, by_the_clock=True)
        else:
            self.in_background(self.async_refresh(), "reading by itself")

    @callback
    @override
    def _async_refresh_finished(self) -> None:
        """Wait for the next reading, also after one that was asked for."""
        self._tried = dt_util.utcnow()
        self._plan()

    @property
    def life(self) -> timedelta:
        """How old a value may become before it is no longer shown."""
        return max(self.interval * LIFE_INTERVALS, SHORTEST_LIFE)

    def alive(self, received: datetime) -> bool:
        """Whether a value received at that time may still be shown."""
        return dt_util.utcnow() < self.schedule.expiry(received, self.life)

    @property
    def connected(self) -> bool:
        """Whether the last attempt succeeded, and was not too long ago."""
        return self.last_update_success and self.alive(self.data.received)

    @callback
    def async_keep_unit(self, key: str, unit: str) -> None:
        """Let a sensor keep the unit it was first seen with."""
        self.units[key] = unit
        self._save()

    def describe(self, key: str) -> tuple[Description, ...]:
        """What the register of that key is, seen among the others."""
        if self._context is None or self._context[0] is not self.data:
            self._context = (self.data, context_of(self.data.reading))
        register = self.data.registers[key].register
        return describe_with_overrides(
            register, self._context[1], overrides_of(self.config_entry.options)
        )

    async def async_read_now(self) -> None:
        """Read the meter because someone asks for it; one that sends by itself is only asked what it has sent.

        Raises HomeAssistantError with the reason where there is no new reading.
        """
        if runs_on_battery(self.profile):
            self.trust.check_budget()
        if not is_push(self.profile):
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

    async def async_read_profile(
        self, code: str, first: datetime, last: datetime
    ) -> tuple[Profile, ...]:
        """Part of a load profile, in a session of its own. Raises MeterError."""
        async with self.access.conversation() as conversation:
            zone = dt_util.get_default_time_zone()
            return await read_profile(conversation, code, first, last, zone)

    async def async_read_events(
        self, code: str, first: datetime, last: datetime
    ) -> tuple[Event, ...]:
        """Part of an event log, in a session of its own. Raises MeterError."""
        async with self.access.conversation() as conversation:
            zone = dt_util.get_default_time_zone()
            return await read_events(conversation, code, first, last, zone)

    @override
    async def _async_update_data(self) -> MeterState:
        """Read the meter once; what ends it early, ends this reading only."""
        self._reading_timer.stop()
        try:
            return await self._update()
        except asyncio.CancelledError:
            self._plan()
            raise

    async def _update(self) -> MeterState:
        """Read the meter once; cancelled with the entry, whoever asked for it."""
        if self.data is not None and (
            is_push(self.profile) or (runs_on_battery(self.profile) and not self.trust.may_wake)
        ):
            # It is not asked, so what is known of it stays, its failure too.
            if not self.last_update_success and isinstance(self.last_exception, UpdateFailed):
                raise self.last_exception
            return self.data
        listened = is_push(self.profile)
        state: MeterState | None = None
        for reading in await self.in_background(self._read(), "reading"):
            state = self.async_process_reading(reading)
        if state is None:
            raise failure(NumberUnsteady())
        if is_push(self.profile) and not listened:
            # It was found to send by itself: from now on it is listened to.
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
        return state

    async def _read(self) -> list[Reading]:
        """One reading, and a second one made at once where the first is in doubt."""
        opened: float | None = None
        self.trace = None
        try:
            async with self.hold() as line:
                opened = self.hass.loop.time()
                if self.data is not None and runs_on_battery(self.profile):
                    # Only now: a port that cannot be opened wakes nobody.
                    await self.trust.async_may_wake()
                if self.lost:
                    return [await self._find(line)]
                first = await self._read_once(line)
                if not await self._may_read_again(first):
                    return [first]
                try:
                    return [first, await self._read_once(line)]
                except MeterError as err:
                    self.trust.count_failure(err)
                    return [first]
        except MeterError as err:
            failed = self._count(err)
            failed.retry_after = self._pause_after(opened)
            raise failed from err

    async def _read_once(self, line: Line) -> Reading:
        codes = self.config_entry.options.get(CONF_EXTRA, ())
        login = bool(codes) or needs_login(self.profile)
        async with self.access.meter(line, login=login) as meter:
            reading = await meter.read_all()
            # A second session wakes a battery once more.
            if codes and (not runs_on_battery(self.profile) or await self.trust.async_may_wake()):
                reading = await self.access.async_with(meter, reading, codes)
            return reading

    async def _may_read_again(self, first: Reading) -> bool:
        """Whether a second reading would settle a doubt, and the meter's battery can bear it."""
        if not self.trust.wants_again(first, self.profile):
            return False
        if self.data is None or not runs_on_battery(self.profile):
            return True
        return await self.trust.async_may_wake()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Line]:
        """The open line, when it is this meter's turn."""
        idle = idle_of(self.profile)
        async with connection.hold(
            self.hass, self.device, self.speed, user=self.config_entry.entry_id, idle=idle
        ) as line:
            self.trace = line.trace
            yield line

    @callback
    def _pause_after(self, opened: float | None) -> float | None:
        """The seconds until the next try; None where the next reading is soon enough.

        `opened` is the loop's time when the line was, in s; None where it could not be.
        """
        if self.data is None or (opened is not None and runs_on_battery(self.profile)):
            # A battery meter may have been woken: not again before its time.
            return None
        taken = 0.0 if opened is None else self.hass.loop.time() - opened
        least = min(taken * INTERVAL_FACTOR, self.interval.total_seconds())
        return backoff.pause(self.consecutive_failures, least)

    @property
    def lost(self) -> bool:
        """Whether the way that led to the meter is to be given up for once: seldom, for the search takes the line long.

        Never with a battery meter: the search would wake it again and again.
        """
        times, rest = divmod(self._silent_failures, LOST_AFTER)
        return times.bit_count() == 1 and not rest and not runs_on_battery(self.profile)

    async def _find(self, line: Line) -> Reading:
        """Look for the meter as the dialogue does."""
        data = self.config_entry.data
        hints = hints_of(data, self.profile, shared=await self._shares_its_line())
        hints = replace(hints, keyring=await self.access.async_keyring())
        profile, reading = await discover(line, hints)
        self.profile = profile
        return reading

    async def _shares_its_line(self) -> bool:
        key = await connection.async_key(self.hass, self.device)
        for entry in self.hass.config_entries.async_entries(DOMAIN):
            if entry is not self.config_entry and key == await connection.async_key(
                self.hass, entry.data[CONF_DEVICE]
            ):
                return True
        return False

    @callback
    def async_fail(self, err: MeterError) -> None:
        """Note and show a failure of a meter that sends by itself."""
        self.async_set_update_error(self._count(err))

    @callback
    def _count(self, err: MeterError) -> UpdateFailed:
        """Note a failure, and whether it says that the meter may have to be looked for; gives the sentence for it."""
        self.failures += 1
        self.last_bad = self._session() or self.last_bad
        self.trust.count_failure(err)
        self.checks_failed += isinstance(err, CheckWrong)
        self.consecutive_failures += 1
        if not isinstance(err, LineError):
            self._silent_failures += 1
        self.alignment.async_show(of_failure(err))
        if self.data is not None:
            since = self.schedule.next(self.data.received)
            line_issues.async_tell(self.hass, self.config_entry, err, since, dt_util.utcnow())
            if isinstance(err, CheckWrong):
                # Of a meter on its battery, three in a row take days.
                self._save()
        return failure(err)

    @callback
    def async_process_reading(self, reading: Reading) -> MeterState | None:
        """Join what is believed of a good reading to what is known; None where nothing was ever believed.

        Raises UpdateFailed where another meter answers.
        """
        state = self.trust.take(reading, self.profile)
        if state is None:
            return None
        self._take(state)
        self._save()
        self.last_good = self._session() or self.last_good
        line_issues.async_forget(self.hass, self.config_entry.entry_id)
        if self.trust.exchanged:
            raise UpdateFailed(translation_domain=DOMAIN, translation_key="other_meter")
        return state

    @callback
    def async_process_registers(self, registers: Sequence[Register]) -> None:
        """Join what is believed of some registers; of the reading as a whole they say nothing.

        They must be known to be this meter's: most say nothing of whose they are.
        """
        before = self.data
        reading = replace(
            before.reading,
            registers=tuple(registers),
            received=dt_util.utcnow(),
            health=replace(before.health, retries=0),
        )
        state = self.trust.take(reading, before.profile)
        if state is None or self.trust.exchanged:
            return
        # When the meter was last read, and what it said then, is another matter: the next reading is due after that.
        self.data = replace(state, received=before.received, health=before.health)
        self.view = DerivedValues(RegisterIndex.of(self.data), self.memory, self.view.zone)
        self._save()
        self.async_update_listeners()

    def _session(self) -> Session | None:
        return None if self.trace is None else Session(dt_util.utcnow(), self.trace)

    @callback
    def _take(self, state: MeterState) -> None:
        """Make this the current state, and wake up when its values become too old."""
        self.data = state
        self.consecutive_failures = self._silent_failures = 0
        self.profile = replace(state.profile, **profile_overrides(self.config_entry.data))
        lookup, zone = RegisterIndex.of(state), dt_util.get_default_time_zone()
        self.schedule = Schedule.of(self.config_entry.options, state, zone)
        self.memory = remember(self.memory, lookup, zone, self.life)
        self.view = DerivedValues(lookup, self.memory, zone)
        self.alignment.async_show(of_health(state.health))
        self._expiry_timer.set(self.schedule.expiry(state.received, self.life))

    @callback
    def async_publish(self, state: MeterState) -> None:
        """Show a state that no reading has brought, but a person's answer."""
        self._take(state)
        self.async_save()
        self.async_update_listeners()

    @property
    def offsets(self) -> tuple[Offset, ...]:
        """The offsets of totals that the statistics do not take into account yet."""
        return self.trust.steps

    @callback
    def async_drop_offset(self, offset: Offset) -> None:
        """The statistics are right where that offset is concerned."""
        self.trust.drop_offset(offset)
        self.async_save()

    @callback
    def async_save(self) -> None:
        """Store what has changed besides a reading."""
        self._save(soon=True)

    async def async_save_now(self) -> None:
        """Store everything before something else is done."""
        await self.store.async_save(self._content())

    def _content(self) -> Stored:
        trust = self.trust
        return Stored(
            self.data,
            self.units,
            self.alignment.last,
            trust.beliefs,
            trust.budget,
            trust.steps,
            memory=self.memory,
            known=self.access.known,
        )

    @callback
    def _save(self, *, soon: bool = False) -> None:
        soon = soon or runs_on_battery(self.profile)
        self.store.async_save_later(self._content, SAVE_SOON if soon else SAVE_DELAY)

    def in_background[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Work that ends, at the latest, when the entry is unloaded."""
        return self.config_entry.async_create_background_task(
            self.hass, work, f"{DOMAIN} {self.name} {name}"
        )
