"""When one meter is read, what is done when that fails, and how old a value may become.

Here: the schedule, the background work and its end; every failure becomes one translated sentence.
Never here: the protocol itself, opening ports, how a register looks in Home Assistant.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from . import lines, moved, ports, recovery
from .catalogue import Context, Description, clean_text, context_of, describe_all
from .const import CONF_ADAPTER, DOMAIN, LOGGER
from .derived import View, remember
from .derived_memory import Memory
from .lookup import Lookup
from .placement import Placement, Signal, of_failure, of_health
from .protocol.ascii.signon import Effort
from .protocol.errors import CheckWrong, LineError, MeterError, NumberUnsteady, PortMissing
from .protocol.ladder import climb
from .protocol.line import Line, Trace
from .protocol.meter import Meter
from .protocol.model import LineProfile, Medium, Mode, Reading
from .settings import given, hints_of, idle_of, profile_of, speed_of
from .state import MeterState
from .store import SAVE_DELAY, SAVE_SOON, MeterStore, Stored, async_take_over
from .trust import Trust

type MeterConfigEntry = ConfigEntry[MeterCoordinator]

# A readout takes the line and the meter's display for its time: a tenth of the time is enough.
INTERVAL_FACTOR: Final = 10
SHORTEST_INTERVAL: Final = timedelta(minutes=1)
LONGEST_INTERVAL: Final = timedelta(hours=1)
# Each reading costs a battery meter some minutes of its life.
BATTERY_INTERVAL: Final = timedelta(hours=24)
PUBLISH_INTERVAL: Final = timedelta(seconds=10)

SHORTEST_LIFE: Final = timedelta(minutes=15)
LIFE_INTERVALS: Final = 3

# What a meter says in an error may stand in a notice.
LONGEST_PLACEHOLDER: Final = 64

# So often in a row the meter must have been unheard before it is looked for, and then after twice as often each time.
LOST_AFTER: Final = 3


def is_push(profile: LineProfile) -> bool:
    """Whether the meter sends by itself."""
    return profile.mode is Mode.D


def runs_on_battery(profile: LineProfile) -> bool:
    """Whether the meter must be read gently: all but electricity meters, unless they send by themselves."""
    return not is_push(profile) and profile.medium not in (
        None,
        Medium.ABSTRACT,
        Medium.ELECTRICITY,
    )


def interval_of(state: MeterState) -> timedelta:
    """The time from one reading to the next."""
    if is_push(state.profile):
        return PUBLISH_INTERVAL
    if runs_on_battery(state.profile):
        return BATTERY_INTERVAL
    wanted = timedelta(seconds=round(state.health.duration * INTERVAL_FACTOR))
    return min(max(wanted, SHORTEST_INTERVAL), LONGEST_INTERVAL)


def failure(err: MeterError) -> UpdateFailed:
    """The sentence a person gets for a reading that could not be made."""
    failed = UpdateFailed(
        translation_domain=DOMAIN,
        translation_key=err.key,
        translation_placeholders={
            name: clean_text(text, LONGEST_PLACEHOLDER) for name, text in err.placeholders.items()
        },
    )
    # Also where it is told without being raised: the diagnostics say why.
    failed.__cause__ = err
    return failed


class MeterCoordinator(DataUpdateCoordinator[MeterState]):
    """Reads one meter and keeps what is known of it."""

    config_entry: MeterConfigEntry

    def __init__(self, hass: HomeAssistant, entry: MeterConfigEntry) -> None:
        """Prepare; nothing is read or opened yet."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, update_interval=None)
        self.device: str = entry.data[CONF_DEVICE]
        self.speed = speed_of(entry.data)
        self.address: str = entry.data.get(CONF_ADDRESS, "")
        # What names the meter in the registries: its own number, else only this entry.
        self.unique_id: str = entry.unique_id or entry.entry_id
        self.profile = profile_of(entry.data)
        self.store = MeterStore(hass, entry.entry_id)
        self.trace: Trace | None = None
        self.failures = 0
        self.checks_failed = 0
        self._in_a_row = self._unheard = 0
        self._kind: str | None = None
        self.signal: Signal | None = None
        self.placement: Placement | None = None
        self.units: dict[str, str] = {}
        self.memory = Memory()
        # Set with the first data.
        self.view: View
        self.trust = Trust(self)
        self._signal_listeners: list[CALLBACK_TYPE] = []
        self._aligned: datetime | None = None
        self._listening: asyncio.Task[None] | None = None
        self._context: tuple[MeterState, Context] | None = None
        self._published: datetime | None = None
        self._cancel_expiry: CALLBACK_TYPE | None = None
        entry.async_on_unload(self._stop_expiry)
        entry.async_on_unload(self.store.async_flush)

    async def async_restore(self) -> bool:
        """Take the dialogue's reading or the stored one. False where the meter was never read."""
        stored = await self.store.async_load()
        if stored is not None:
            self.units = stored.units
            self.memory = stored.memory
            self._aligned = stored.aligned
            self.trust.restore(stored)
            self._take(stored.state)
        # The dialogue's is newer, and where the meter was moved it knows the new line.
        for first in async_take_over(self.hass, self.device, self.address):
            state = self.trust.take(first.reading, first.profile)
            if state is None:
                self.profile = replace(first.profile, **given(self.config_entry.data))
            else:
                self._take(state)
                self._save(soon=True)
        return self.data is not None

    @callback
    def async_start(self) -> None:
        """Begin to poll or to listen, in the background."""
        self.trust.async_start()
        if self.config_entry.pref_disable_polling:
            return
        if is_push(self.profile):
            self._start_listening()
        elif (wait := self._due - dt_util.utcnow()) > timedelta(0):
            # A start of Home Assistant is no reason to read: the next reading comes when it is due.
            self.update_interval = wait
        else:
            self.update_interval = self.interval
            self._in_background(self.async_refresh(), "first reading")

    @property
    def interval(self) -> timedelta:
        """The time from one reading to the next."""
        return interval_of(self.data)

    @property
    def _due(self) -> datetime:
        """When the next reading is due by itself."""
        if runs_on_battery(self.profile):
            return self.trust.next_due()
        return self.data.received + self.interval

    @property
    def life(self) -> timedelta:
        """How old a value may become before it is no longer shown."""
        return max(self.interval * LIFE_INTERVALS, SHORTEST_LIFE)

    def alive(self, received: datetime) -> bool:
        """Whether a value received at that time may still be shown."""
        return dt_util.utcnow() - received < self.life

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
        return describe_all(self.data.registers[key].register, self._context[1])

    async def async_read_now(self) -> None:
        """Read the meter because someone asks for it; one that sends by itself is only asked what it has sent.

        Raises HomeAssistantError with the reason where there is no new reading.
        """
        if runs_on_battery(self.profile):
            self.trust.check_budget()
        if not is_push(self.profile):
            await self.async_refresh()
        if self.last_update_success:
            return
        if isinstance(self.last_exception, HomeAssistantError):
            raise self.last_exception
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="unknown"
        ) from self.last_exception

    @callback
    def async_listen_signal(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Be told whenever something was heard of the meter, or was not; gives what ends that."""
        self._signal_listeners.append(listener)
        return lambda: self._signal_listeners.remove(listener)

    @callback
    def async_align(self) -> None:
        """Call the meter again and again, while a person moves the probe and watches the signal.

        Raises ServiceValidationError where that would empty the meter's battery.
        """
        if self.placement is not None:
            return
        battery = runs_on_battery(self.profile)
        if battery:
            now = dt_util.utcnow()
            if self._aligned is not None and (wait := self._aligned + BATTERY_INTERVAL - now) > (
                timedelta(0)
            ):
                raise ServiceValidationError(
                    translation_domain=DOMAIN,
                    translation_key="aligned_already",
                    translation_placeholders={"hours": str(ceil(wait / timedelta(hours=1)))},
                )
            self._aligned = now
            self._save()
        self.placement = Placement.begin(
            self.device, self.speed, self.profile, self.hass.loop.time(), battery=battery
        )
        self._in_background(self._align(self.placement), "alignment")

    async def _align(self, placement: Placement) -> None:
        self._show_signal(self.signal)
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
        try:
            while not placement.over(self.hass.loop.time()):
                self._show_signal(await placement.call(self.hass))
        except MeterError as err:
            self._show_signal(of_failure(err))
        finally:
            self.placement = None
        self._show_signal(self.signal)
        if listening is not None:
            self._start_listening()

    @callback
    def _show_signal(self, signal: Signal | None) -> None:
        self.signal = signal
        for listener in self._signal_listeners:
            listener()

    @override
    async def _async_update_data(self) -> MeterState:
        """Read the meter once; cancelled with the entry, whoever asked for it."""
        if self.data is not None:
            if is_push(self.profile):
                return self.data
            self.update_interval = self.interval
            if runs_on_battery(self.profile) and not self.trust.may_wake:
                self.update_interval = max(self._due - dt_util.utcnow(), SHORTEST_INTERVAL)
                if isinstance(self.last_exception, UpdateFailed):
                    raise self.last_exception
                return self.data
        listened = is_push(self.profile)
        state: MeterState | None = None
        for reading in await self._in_background(self._read(), "reading"):
            state = self._ingest(reading)
        if state is None:
            raise failure(NumberUnsteady())
        if is_push(self.profile) and not listened:
            # It was found to send by itself: from now on it is listened to.
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
        return state

    async def _read(self) -> list[Reading]:
        """One reading, and a second one made at once where the first is in doubt."""
        opened: float | None = None
        try:
            async with self._hold() as line:
                opened = self.hass.loop.time()
                if self.data is not None and runs_on_battery(self.profile):
                    # Only now: a port that cannot be opened wakes nobody.
                    await self.trust.async_may_wake()
                if self._lost:
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
            if (reading := await self._follow(err)) is not None:
                return [reading]
            self._count(err)
            failed = failure(err)
            failed.retry_after = self._pause_after(opened)
            raise failed from err

    async def _read_once(self, line: Line) -> Reading:
        meter = Meter(line, self.profile, effort=Effort(wake_ups=1))
        try:
            return await meter.read_all()
        finally:
            # Also a failure teaches something about the line.
            self.profile = meter.profile

    async def _may_read_again(self, first: Reading) -> bool:
        """Whether a second reading would settle a doubt, and the meter's battery can bear it."""
        if not self.trust.wants_again(first, self.profile):
            return False
        if self.data is None or not runs_on_battery(self.profile):
            return True
        return await self.trust.async_may_wake()

    @asynccontextmanager
    async def _hold(self) -> AsyncIterator[Line]:
        """The open line, when it is this meter's turn."""
        idle = idle_of(self.profile)
        async with lines.hold(
            self.hass, self.device, self.speed, user=self.config_entry.entry_id, idle=idle
        ) as line:
            self.trace = line.trace
            if self._kind is None:
                await self._note_kind()
            yield line

    async def _note_kind(self) -> None:
        """Keep what kind of adapter the probe has: should the port be gone, it is looked for on such a one."""
        entry = self.config_entry
        self._kind = await ports.async_kind(self.hass, self.device) or ""
        if self._kind and self._kind != entry.data.get(CONF_ADAPTER):
            self.hass.config_entries.async_update_entry(
                entry, data={**entry.data, CONF_ADAPTER: self._kind}
            )

    async def _follow(self, err: MeterError) -> Reading | None:
        """Look for the meter on other ports where its own is gone; never one with a battery, which each call wakes."""
        entry = self.config_entry
        kind = entry.data.get(CONF_ADAPTER)
        if (
            not isinstance(err, PortMissing)
            or kind is None
            or entry.unique_id is None
            or runs_on_battery(self.profile)
            or self.profile.wake_up
        ):
            return None
        found = await moved.async_find(self.hass, kind, entry.unique_id, self.profile)
        if found is None:
            return None
        LOGGER.info("%s is now found at %s", self.name, found.device)
        self.device, self.profile = found.device, found.profile
        self.hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_DEVICE: found.device}
        )
        return found.reading

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
        return recovery.pause(self._in_a_row, least)

    @property
    def _lost(self) -> bool:
        """Whether the way that led to the meter is to be given up for once: seldom, for the search takes the line long.

        Never with a battery meter: the search would wake it again and again.
        """
        times, rest = divmod(self._unheard, LOST_AFTER)
        return times.bit_count() == 1 and not rest and not runs_on_battery(self.profile)

    async def _find(self, line: Line) -> Reading:
        """Look for the meter as the dialogue does."""
        data = self.config_entry.data
        hints = hints_of(data, self.profile, shared=await self._shares_its_line())
        profile, reading = await climb(line, hints)
        self.profile = profile
        return reading

    async def _shares_its_line(self) -> bool:
        key = await lines.async_key(self.hass, self.device)
        for entry in self.hass.config_entries.async_entries(DOMAIN):
            if entry is not self.config_entry and key == await lines.async_key(
                self.hass, entry.data[CONF_DEVICE]
            ):
                return True
        return False

    @callback
    def _count(self, err: MeterError) -> None:
        """Note a failure, and whether it says that the meter may have to be looked for."""
        self.failures += 1
        self.trust.count_failure(err)
        self.checks_failed += isinstance(err, CheckWrong)
        self._in_a_row += 1
        if not isinstance(err, LineError):
            self._unheard += 1
        self._show_signal(of_failure(err))

    @callback
    def _start_listening(self) -> None:
        self._listening = self._in_background(self._listen(), "listen")

    async def _listen(self) -> None:
        """Take what the meter sends until the entry is unloaded."""
        while True:
            try:
                async with self._hold() as line:
                    profile = self.profile
                    if self._lost:
                        profile = replace(profile, listen_speed=None)
                    meter = Meter(line, profile)
                    async with aclosing(meter.listen()) as readings:
                        async for reading in readings:
                            self.profile = meter.profile
                            self._hear(reading)
            except MeterError as err:
                if (found := await self._follow(err)) is not None:
                    self._hear(found)
                    continue
                self._count(err)
                self.async_set_update_error(failure(err))
            # It hears for nothing on a line that is its own: only the number of failures counts.
            await asyncio.sleep(recovery.pause(self._in_a_row))

    @callback
    def _hear(self, reading: Reading) -> None:
        """Take what a push brought; of another meter, nothing is shown."""
        try:
            if (state := self._ingest(reading)) is not None:
                self._publish(state)
        except UpdateFailed as err:
            self.async_set_update_error(err)

    @callback
    def _publish(self, state: MeterState) -> None:
        """Show what a push brought, but not every second: all of it counts, some of it is shown."""
        if (
            self._published is None
            or not self.last_update_success
            or state.received - self._published >= PUBLISH_INTERVAL
        ):
            if not self.last_update_success:
                # Said as it is of a meter that is polled.
                self.logger.info("Fetching %s data recovered", self.name)
            self._published = state.received
            self.async_set_updated_data(state)

    @callback
    def _ingest(self, reading: Reading) -> MeterState | None:
        """Join what is believed of a good reading to what is known; None where nothing was ever believed.

        Raises UpdateFailed where another meter answers.
        """
        state = self.trust.take(reading, self.profile)
        if state is None:
            return None
        self._take(state)
        self._save()
        if self.trust.exchanged:
            raise UpdateFailed(translation_domain=DOMAIN, translation_key="other_meter")
        if not is_push(self.profile):
            self.update_interval = self.interval
        return state

    @callback
    def _take(self, state: MeterState) -> None:
        """Make this the current state, and wake up when its values become too old."""
        self.data = state
        self._in_a_row = self._unheard = 0
        self.profile = replace(state.profile, **given(self.config_entry.data))
        lookup, zone = Lookup.of(state), dt_util.get_default_time_zone()
        self.memory = remember(self.memory, lookup, zone, self.life)
        self.view = View(lookup, self.memory, zone)
        self._show_signal(of_health(state.health))
        self._stop_expiry()
        self._cancel_expiry = async_track_point_in_utc_time(
            self.hass, self._expired, state.received + self.life
        )

    @callback
    def async_publish(self, state: MeterState) -> None:
        """Show a state that no reading has brought, but a person's answer."""
        self._take(state)
        self.async_save()
        self.async_update_listeners()

    @callback
    def _expired(self, _now: datetime) -> None:
        self._cancel_expiry = None
        self.async_update_listeners()

    @callback
    def _stop_expiry(self) -> None:
        if self._cancel_expiry is not None:
            self._cancel_expiry()
            self._cancel_expiry = None

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
            self._aligned,
            trust.beliefs,
            trust.budget,
            trust.steps,
            memory=self.memory,
        )

    @callback
    def _save(self, *, soon: bool = False) -> None:
        soon = soon or runs_on_battery(self.profile)
        self.store.async_save_later(self._content, SAVE_SOON if soon else SAVE_DELAY)

    def _in_background[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Work that ends, at the latest, when the entry is unloaded."""
        return self.config_entry.async_create_background_task(
            self.hass, work, f"{DOMAIN} {self.name} {name}"
        )
