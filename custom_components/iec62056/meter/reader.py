"""One meter's port, line profile, login and wake-up budget, and the one way to an open client.

Whatever sends something to a meter goes through `session` or `acquire_line`: they ask the battery first, wait for the turn
on the line, open it, and see to it that neither a password nor a change is sent while another meter seems to answer. The
client then makes sure of the meter's number before a secret or a change leaves.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final, NamedTuple, Protocol

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, LOGGER
from ..entry_data import (
    CONF_EXTRA,
    SECRETS,
    hints_of,
    idle_of,
    line_profile_of,
    profile_overrides,
    speed_of,
)
from ..protocol.ascii.sign_on import RetryPolicy
from ..protocol.client import MeterClient
from ..protocol.discovery import discover
from ..protocol.dlms.login import DlmsLogin, Keyring
from ..protocol.dlms.object_cache import ObjectCache
from ..protocol.errors import (
    LineError,
    MeterError,
    NoProgramming,
    PasswordRefused,
    PushKeyError,
)
from ..protocol.model import Health, LineProfile, Mode, Reading
from ..protocol.profiles.events import Event
from ..protocol.profiles.load_profile import Profile
from ..protocol.profiles.requests import read_events, read_profile
from ..protocol.register_session import NOTHING, Answer, RegisterSession
from ..protocol.transport.line import Line
from ..protocol.transport.trace import Trace
from ..state.meter_state import MeterState
from . import connection
from .alignment_run import ProbeSignal, of_failure, of_health
from .backoff import Backoff
from .credentials import NOBODY, Credentials, async_keyring, credentials_of, permits_of
from .intended_meter import IntendedMeter
from .login_manager import (
    LoginManager,
    LoginOutcome,
    outcome_in_mode_e,
    outcome_of,
    proof_left,
)
from .wake_budget import WakeBudget

# So often in a row the meter must have been silent before it is searched for, and then after twice as often each time.
LOST_AFTER: Final = 3
_HOUR: Final = timedelta(hours=1)


class KnownMeter(Protocol):
    """What the reader asks of whoever keeps the state of the meter."""

    @property
    def state(self) -> MeterState | None:
        """The last state; None where the meter was never read."""

    @property
    def due(self) -> datetime:
        """When the next reading is due by itself."""

    @property
    def interval(self) -> timedelta:
        """The time from one reading to the next."""

    @property
    def replacement_open(self) -> bool:
        """Whether another meter answers, and the user has not said what that means."""

    async def async_wake_up_spent(self) -> None:
        """Keep the budget; on disk when this returns."""


class TracedSession(NamedTuple):
    """What went over the line, and when it ended (UTC)."""

    ended: datetime
    trace: Trace


def _joined(reading: Reading, answers: Sequence[Answer]) -> Reading:
    there = {register.key for register in reading.registers}
    more = tuple(
        answer.register
        for answer in answers
        if answer.register is not None and answer.register.key not in there
    )
    return replace(reading, registers=(*reading.registers, *more))


class MeterReader:
    """How one meter is reached. `object_cache` is what a meter of mode E said of its objects."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, meter: KnownMeter) -> None:
        """Nothing is opened yet."""
        self.device: str = entry.data[CONF_DEVICE]
        self.speed = speed_of(entry.data)
        self.address: str = entry.data.get(CONF_ADDRESS, "")
        self.line_profile = line_profile_of(entry.data)
        self.login = LoginManager(hass, entry)
        self.wake_budget = WakeBudget()
        self.object_cache = ObjectCache()
        # When a battery was last asked for an alignment of the probe.
        self.aligned_at: datetime | None = None
        self.signal = ProbeSignal()
        # Why the key of a meter that pushes does not fit, once that is known.
        self.key_error: PushKeyError | None = None
        self.backoff = Backoff()
        self.last_good: TracedSession | None = None
        self.last_bad: TracedSession | None = None
        # The loop's time in seconds when the line was last open; None where the last reading could not open it.
        self.opened_at: float | None = None
        self._hass = hass
        self._entry = entry
        self._meter = meter
        self._trace: Trace | None = None
        self._silent_failures = 0
        self._closed = False
        # Kept as long as the entry is set up, for the login it was made for.
        self._keyring: tuple[DlmsLogin | None, Keyring] | None = None
        entry.async_on_unload(self._close)

    @callback
    def _close(self) -> None:
        self._closed = True

    @callback
    def restore(
        self, wake_budget: WakeBudget, object_cache: ObjectCache, aligned_at: datetime | None
    ) -> None:
        """Take what was stored."""
        self.wake_budget, self.object_cache = wake_budget, object_cache
        self.aligned_at = aligned_at

    @callback
    def take_object_cache(self, object_cache: ObjectCache) -> None:
        """Go on with what a config flow has read of the objects."""
        self.object_cache = object_cache

    @callback
    def note_alignment(self, now: datetime) -> None:
        """The probe is being aligned."""
        self.aligned_at = now

    @callback
    def take_line_profile(self, profile: LineProfile) -> None:
        """Go on with what a reading has taught of the line; what the user says stays."""
        self.line_profile = replace(profile, **profile_overrides(self._entry.data))

    @callback
    def use_line_profile(self, profile: LineProfile) -> None:
        """Go on with that line profile as it is."""
        self.line_profile = profile

    @property
    def has_secrets(self) -> bool:
        """Whether the entry has a password or keys."""
        return any(secret in self._entry.data for secret in SECRETS)

    @property
    def in_mode_e(self) -> bool:
        """Whether the meter is read in mode E, in which the plain readout itself needs a login."""
        return self.line_profile.mode is Mode.E

    # How it went

    @callback
    def succeeded(self, health: Health) -> None:
        """Count a good reading."""
        self.backoff.reset()
        self._silent_failures = 0
        self.signal.show(of_health(health))

    @callback
    def keep_good_session(self) -> None:
        """Keep the trace of the session that was good, for the diagnostics."""
        self.last_good = self._session() or self.last_good

    @callback
    def failed(self, err: MeterError) -> None:
        """Count a failed reading."""
        self.last_bad = self._session() or self.last_bad
        self.backoff.fail()
        if not isinstance(err, LineError):
            self._silent_failures += 1
        if isinstance(err, PushKeyError):
            self.key_error = err
            self._entry.async_start_reauth(self._hass)
        self.signal.show(of_failure(err))

    def _session(self) -> TracedSession | None:
        return None if self._trace is None else TracedSession(dt_util.utcnow(), self._trace)

    @property
    def needs_rediscovery(self) -> bool:
        """Whether the way that led to the meter is to be given up for once: seldom, for a search takes the line long.

        Never with a battery meter: the search would wake it again and again.
        """
        times, rest = divmod(self._silent_failures, LOST_AFTER)
        return times.bit_count() == 1 and not rest and not self.line_profile.on_battery

    # The battery

    def check_budget(self) -> None:
        """Raise ServiceValidationError where more is asked for than the battery of the meter is to bear."""
        now, due = dt_util.utcnow(), self._meter.due
        if not self.line_profile.on_battery or self.wake_budget.allows(now, due):
            return
        wait = max(due, self.wake_budget.next_free(now)) - now
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="budget_spent",
            translation_placeholders={"hours": str(ceil(wait / _HOUR))},
        )

    @property
    def may_wake(self) -> bool:
        """Whether the meter may be called now: one on mains power always, one on its battery where its day allows it."""
        if not self.line_profile.on_battery:
            return True
        return self.wake_budget.allows(dt_util.utcnow(), self._meter.due)

    async def async_spend_wake_up(self) -> bool:
        """Count a wake-up before it is sent, so that no crash forgets it. False where none is left: send nothing."""
        if self._meter.state is None or not self.line_profile.on_battery:
            return True
        now, due = dt_util.utcnow(), self._meter.due
        if not self.wake_budget.allows(now, due):
            return False
        self.wake_budget = self.wake_budget.spend(now, due)
        await self._meter.async_wake_up_spent()
        return True

    # Sessions

    @asynccontextmanager
    async def session(
        self, *, login: bool = True, change: bool = False
    ) -> AsyncIterator[MeterClient]:
        """The client on a turn of its own; with the entry's password where it may be tried and `login` wants it.

        Only with `change` may it change what the options permit. Raises MeterError, and ServiceValidationError where the
        battery is to be left alone, the entry was unloaded meanwhile, or a password or a change could reach another meter.
        """
        async with (
            self.acquire_line(private=change or (login and self.has_secrets)) as line,
            self.open_client(line, login=login, change=change) as client,
        ):
            yield client

    @asynccontextmanager
    async def register_session(
        self, *, login: bool = True, change: bool = False
    ) -> AsyncIterator[RegisterSession]:
        """An open session for registers, as `session`."""
        async with (
            self.session(login=login, change=change) as client,
            client.conversation() as registers,
        ):
            yield registers

    @asynccontextmanager
    async def acquire_line(self, *, private: bool = False) -> AsyncIterator[Line]:
        """The open line in this meter's turn, to call the meter; `private`, to send it a secret or a change."""
        if self.line_profile.pushes:
            # It hears nothing, and its line is never free.
            raise NoProgramming(meter=self._entry.title)
        self._check_replacement(private=private)
        if self._meter.state is not None:
            self.check_budget()
        async with self.hold_line() as line:
            if self._closed:
                raise self._not_now("not_set_up")
            self._check_replacement(private=private)
            if not await self.async_spend_wake_up():
                # Somebody else has used it up while the line was waited for.
                self.check_budget()
            yield line

    def _check_replacement(self, *, private: bool) -> None:
        if private and self._meter.replacement_open:
            raise self._not_now("question_open")

    @asynccontextmanager
    async def hold_line(self) -> AsyncIterator[Line]:
        """The open line in this meter's turn, to listen."""
        async with connection.acquire_line(
            self._hass,
            self.device,
            self.speed,
            user=self._entry.entry_id,
            idle=idle_of(self.line_profile),
        ) as line:
            self._trace, self.opened_at = line.trace, self._hass.loop.time()
            yield line

    def _not_now(self, why: str) -> ServiceValidationError:
        return ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key=why,
            translation_placeholders={"meter": self._entry.title},
        )

    @asynccontextmanager
    async def open_client(
        self, line: Line, *, login: bool = True, change: bool = False
    ) -> AsyncIterator[MeterClient]:
        """The client on an open line, as `session`."""
        credentials = NOBODY
        # While another meter answers, it must not hear them.
        if login and not self._meter.replacement_open:
            credentials = await self.login.async_usable()
        async with self._client(line, credentials, change=change) as client:
            yield client
        if login:
            self.login.ask_again()

    @asynccontextmanager
    async def _client(
        self,
        line: Line,
        credentials: Credentials,
        tried: LineProfile | None = None,
        *,
        change: bool = False,
    ) -> AsyncIterator[MeterClient]:
        """The client, and what is learned of the credentials and of the line, however it ends.

        `tried` is the line profile with which new credentials are tried: nothing is learned of it.
        """
        profile = tried or self.line_profile
        dlms_login = credentials.in_mode_e(profile)
        keyring = await self._keyring_for(credentials, profile, fresh=tried is not None)
        keyring.intended = self._intended(change=change)
        unproven = await self.login.async_begin(credentials)
        if dlms_login is not None and not unproven:
            keyring.proven.add(dlms_login)
        client = MeterClient(
            line,
            profile,
            effort=RetryPolicy(wake_ups=1),
            keyring=keyring,
            password=credentials.password,
            permits=permits_of(self._entry.options) if change else NOTHING,
        )
        failed: BaseException | None = None
        try:
            yield client
        except BaseException as err:
            failed = err
            raise
        finally:
            # Also a failure teaches something about the line.
            if tried is None:
                self.line_profile = client.profile
            if dlms_login is None:
                outcome = outcome_of(failed or client.refusal, line.trace, unproven=unproven)
            else:
                outcome = outcome_in_mode_e(keyring, dlms_login)
            await self.login.async_end(credentials, outcome, unproven=unproven)

    async def _keyring_for(
        self, credentials: Credentials, profile: LineProfile, *, fresh: bool = False
    ) -> Keyring:
        dlms_login = credentials.in_mode_e(profile)
        if fresh or self._keyring is None or self._keyring[0] != dlms_login:
            keyring = await self._new_keyring(credentials, profile)
            if fresh:
                return keyring
            self._keyring = dlms_login, keyring
        return self._keyring[1]

    async def _new_keyring(self, credentials: Credentials, profile: LineProfile) -> Keyring:
        """A keyring for a login, or for none; what a meter pushes is opened in any case."""
        keyring = await async_keyring(self._hass, credentials, profile, self.object_cache)
        keyring.push_keys = credentials_of(self._entry.data).push_keys
        return keyring

    def _intended(self, *, change: bool = False) -> IntendedMeter:
        since = dt_util.utcnow() - self._meter.interval if change else None
        return IntendedMeter.of(self._entry, self._meter.state, change_needs=since)

    async def async_try(self, data: Mapping[str, Any]) -> None:
        """Prove what is in the data of an entry to the meter, once; nothing where nothing is in them.

        Raises MeterError: BadSecret where it can be sent to no meter, another LoginError where the meter does not accept
        it. What this meter has refused before is not sent again.
        """
        credentials = credentials_of(data)
        if self.key_error is not None:
            keyring = Keyring(push_keys=credentials.push_keys)
            async with self.hold_line() as line:
                await MeterClient(line, self.key_error.found, keyring=keyring).read_all()
            return
        secret = credentials.secret
        if secret is not None:
            before = await self.login.async_find(secret)
            if before is not None and before.outcome is LoginOutcome.REFUSED:
                raise PasswordRefused
        profile = replace(self.line_profile, **profile_overrides(data))
        async with self.acquire_line(private=secret is not None) as line:
            async with self._client(line, credentials, profile) as client, client.conversation():
                pass
            if secret is not None and not proof_left(line.trace) and client.profile.mode != Mode.E:
                raise NoProgramming(meter=self._entry.title)
        self.login.proved()

    async def async_read_profile(
        self, code: str, first: datetime, last: datetime
    ) -> tuple[Profile, ...]:
        """Part of a load profile, in a session of its own. Raises as `session`."""
        async with self.register_session() as session:
            zone = dt_util.get_default_time_zone()
            return await read_profile(session, code, first, last, zone)

    async def async_read_events(
        self, code: str, first: datetime, last: datetime
    ) -> tuple[Event, ...]:
        """Part of an event log, in a session of its own. Raises as `session`."""
        async with self.register_session() as session:
            zone = dt_util.get_default_time_zone()
            return await read_events(session, code, first, last, zone)

    @callback
    def key_fitted(self) -> None:
        """Ask for no other key of a meter that pushes: what it sends can be opened again."""
        if self.key_error is None:
            return
        self.key_error = None
        for flow in list(self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH})):
            self._hass.config_entries.flow.async_abort(flow["flow_id"])

    # Readings

    async def async_listener(self, line: Line) -> MeterClient:
        """The client on an open line that listens to a meter that sends by itself."""
        profile = self.line_profile
        if self.needs_rediscovery:
            profile = replace(profile, listen_speed=None)
        return MeterClient(line, profile, keyring=await self._keyring_for(NOBODY, profile))

    async def async_read(
        self,
        is_doubtful: Callable[[Reading], bool],
        on_second_failure: Callable[[MeterError], None],
    ) -> list[Reading]:
        """A full reading, and a second one made at once where the first is doubtful.

        Raises MeterError, and ServiceValidationError where the battery is to be left alone.
        """
        self._trace = self.opened_at = None
        # One that sends by itself is only heard.
        acquired = self.hold_line() if self.line_profile.pushes else self.acquire_line()
        async with acquired as line:
            # What its key opens is found as the config flow has found it.
            keyed = credentials_of(self._entry.data).push_keys is not None
            if self.needs_rediscovery or (keyed and self._meter.state is None):
                return [await self._rediscover(line)]
            first = await self._read_once(line)
            if not is_doubtful(first) or not await self.async_spend_wake_up():
                return [first]
            try:
                return [first, await self._read_once(line)]
            except MeterError as err:
                on_second_failure(err)
                return [first]

    async def _read_once(self, line: Line) -> Reading:
        codes: Sequence[str] = self._entry.options.get(CONF_EXTRA, ())
        async with self.open_client(line, login=bool(codes) or self.in_mode_e) as client:
            reading = await client.read_all()
            # A second session wakes a battery once more.
            if not codes or not await self.async_spend_wake_up():
                return reading
            try:
                return _joined(reading, await client.read(codes))
            except MeterError as err:
                LOGGER.debug("%s: registers beside the readout: %s", self._entry.title, err)
                return reading

    async def _rediscover(self, line: Line) -> Reading:
        """Search for the meter as the config flow does."""
        shared = await self._shares_its_line()
        hints = hints_of(self._entry.data, self.line_profile, shared=shared)
        hints = replace(hints, keyring=await self._keyring_that_was_taken())
        self.line_profile, reading = await discover(line, hints)
        return reading

    async def _keyring_that_was_taken(self) -> Keyring:
        """The logins of mode E that the meter may be searched for with: only what it took before."""
        credentials, profile = await self.login.async_usable(), self.line_profile
        if self._meter.replacement_open:
            credentials = NOBODY
        keyring = await self._keyring_for(credentials, profile)
        taken = credentials.in_mode_e(profile) in keyring.proven
        if not taken and not await self.login.async_is_accepted(credentials):
            keyring = await self._new_keyring(NOBODY, profile)
        keyring.intended = self._intended()
        return keyring

    async def _shares_its_line(self) -> bool:
        key = await connection.async_key(self._hass, self.device)
        for entry in self._hass.config_entries.async_entries(DOMAIN):
            if entry is not self._entry and key == await connection.async_key(
                self._hass, entry.data[CONF_DEVICE]
            ):
                return True
        return False
