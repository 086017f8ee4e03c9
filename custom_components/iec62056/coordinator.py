"""When one meter is read, what is done when that fails, and how old a value may become.

Here: the schedule, the background work and its end; every failure becomes one translated sentence.
Never here: the protocol itself, opening ports, how a register looks in Home Assistant.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from . import lines
from .catalogue import Context, Description, clean_text, context_of, describe_all
from .const import CONF_MODE, DOMAIN, LOGGER
from .protocol.errors import MeterError
from .protocol.line import Trace
from .protocol.meter import Meter
from .protocol.model import LineProfile, Medium, Mode, Reading
from .state import MeterState
from .store import SAVE_DELAY, SAVE_SOON, MeterStore, Stored, async_take_over

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

# Pauses between tries to listen again, in seconds.
FIRST_PAUSE: Final = 5
LONGEST_PAUSE: Final = 300


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
    return UpdateFailed(
        translation_domain=DOMAIN,
        translation_key=err.key,
        translation_placeholders={
            name: clean_text(text, LONGEST_PLACEHOLDER) for name, text in err.placeholders.items()
        },
    )


class MeterCoordinator(DataUpdateCoordinator[MeterState]):
    """Reads one meter and keeps what is known of it."""

    config_entry: MeterConfigEntry

    def __init__(self, hass: HomeAssistant, entry: MeterConfigEntry) -> None:
        """Prepare; nothing is read or opened yet."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, update_interval=None)
        self.device: str = entry.data[CONF_DEVICE]
        self.address: str = entry.data.get(CONF_ADDRESS, "")
        # What names the meter in the registries: its own number, else only this entry.
        self.unique_id: str = entry.unique_id or entry.entry_id
        mode = entry.data.get(CONF_MODE)
        self.profile = LineProfile(address=self.address, mode=Mode(mode) if mode else None)
        self.store = MeterStore(hass, entry.entry_id)
        self.trace: Trace | None = None
        self.failures = 0
        self.units: dict[str, str] = {}
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
            self._take(stored.state)
        # The dialogue's is newer, and where the meter was moved it knows the new line.
        if (first := async_take_over(self.hass, self.device, self.address)) is not None:
            self._take(first)
            self._save(soon=True)
        return self.data is not None

    @callback
    def async_start(self) -> None:
        """Begin to poll or to listen, in the background."""
        if self.config_entry.pref_disable_polling:
            return
        if is_push(self.profile):
            self._in_background(self._listen(), "listen")
        elif (wait := self.data.received + self.interval - dt_util.utcnow()) > timedelta(0):
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
    def life(self) -> timedelta:
        """How old a value may become before it is no longer shown."""
        return max(self.interval * LIFE_INTERVALS, SHORTEST_LIFE)

    def alive(self, received: datetime) -> bool:
        """Whether a value received at that time may still be shown."""
        return dt_util.utcnow() - received < self.life

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

    @override
    async def _async_update_data(self) -> MeterState:
        """Read the meter once; cancelled with the entry, whoever asked for it."""
        if self.data is not None:
            if is_push(self.profile):
                return self.data
            self.update_interval = self.interval
        reading = await self._in_background(self._read(), "reading")
        return self._ingest(reading)

    async def _read(self) -> Reading:
        try:
            async with lines.hold(self.hass, self.device) as line:
                self.trace = line.trace
                meter = Meter(line, self.profile)
                try:
                    return await meter.read_all()
                finally:
                    # Also a failure teaches something about the line.
                    self.profile = meter.profile
        except MeterError as err:
            self.failures += 1
            raise failure(err) from err

    async def _listen(self) -> None:
        """Take what the meter sends until the entry is unloaded."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with lines.hold(self.hass, self.device) as line:
                    self.trace = line.trace
                    meter = Meter(line, self.profile)
                    async with aclosing(meter.listen()) as readings:
                        async for reading in readings:
                            pause = FIRST_PAUSE
                            self.profile = meter.profile
                            self._publish(self._ingest(reading))
            except MeterError as err:
                self.failures += 1
                self.async_set_update_error(failure(err))
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    @callback
    def _publish(self, state: MeterState) -> None:
        """Show what a push brought, but not every second: all of it counts, some of it is shown."""
        if (
            self._published is None
            or not self.last_update_success
            or state.received - self._published >= PUBLISH_INTERVAL
        ):
            self._published = state.received
            self.async_set_updated_data(state)

    @callback
    def _ingest(self, reading: Reading) -> MeterState:
        """Join a good reading to what is known."""
        state = MeterState.of(reading, self.profile, self.data)
        self._take(state)
        self._save()
        if not is_push(self.profile):
            self.update_interval = self.interval
        return state

    @callback
    def _take(self, state: MeterState) -> None:
        """Make this the current state, and wake up when its values become too old."""
        self.data = state
        self.profile = replace(
            state.profile, address=self.address, mode=self.profile.mode or state.profile.mode
        )
        self._stop_expiry()
        self._cancel_expiry = async_track_point_in_utc_time(
            self.hass, self._expired, state.received + self.life
        )

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
    def _save(self, *, soon: bool = False) -> None:
        soon = soon or runs_on_battery(self.profile)
        self.store.async_save_later(
            lambda: Stored(self.data, self.units), SAVE_SOON if soon else SAVE_DELAY
        )

    def _in_background[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Work that ends, at the latest, when the entry is unloaded."""
        return self.config_entry.async_create_background_task(
            self.hass, work, f"{DOMAIN} {self.name} {name}"
        )
