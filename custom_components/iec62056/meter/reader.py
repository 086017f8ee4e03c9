"""One meter's port, line profile, login and wake-up budget, and the one way to an open client.

Whatever sends something to a meter goes through `session` or `acquire_line`: they ask the battery first, wait for the turn
on the line, open it, and see to it that neither a password nor a change is sent while another meter seems to answer. The
client then makes sure of the meter's number before a secret or a change leaves.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from math import ceil
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
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
    profile_overrides,
    speed_of,
)
from ..protocol.ascii.sign_on import RetryPolicy
from ..protocol.client import MeterClient
from ..protocol.discovery import discover
from ..protocol.dlms.login import Keyring
from ..protocol.dlms.object_cache import ObjectCache
from ..protocol.dlms_errors import PushKeyError
from ..protocol.errors import MeterError, NoProgramming, NotWritten, PasswordRefused
from ..protocol.model import LineProfile, Mode, Reading
from ..protocol.profiles.events import Event
from ..protocol.profiles.load_profile import Profile
from ..protocol.register_session import NOTHING, Answer, RegisterSession
from ..protocol.transport.line import Line
from . import connection
from .credentials import NOBODY, Credentials, credentials_of, permits_of
from .intended_meter import IntendedMeter
from .keyrings import Keyrings
from .known_meter import KnownMeter
from .login_manager import (
    LoginManager,
    LoginOutcome,
    outcome_in_mode_e,
    outcome_of,
    proof_left,
)
from .session_history import SessionHistory
from .wake_budget import WakeBudget

_HOUR: Final = timedelta(hours=1)


def _joined(reading: Reading, answers: Sequence[Answer]) -> Reading:
    there = {register.key for register in reading.registers}
    more = [one.register for one in answers if one.register and one.register.key not in there]
    return replace(reading, registers=(*reading.registers, *more))


class MeterReader:
    """How one meter is reached."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, meter: KnownMeter) -> None:
        """Nothing is opened yet."""
        self._hass = hass
        self._entry = entry
        self.device: str = entry.data[CONF_DEVICE]
        self.speed = speed_of(entry.data)
        self.address: str = entry.data.get(CONF_ADDRESS, "")
        self.line_profile = LineProfile(**profile_overrides(entry.data, entry.options))
        self.login = LoginManager(hass, entry)
        self.wake_budget = WakeBudget()
        self.keyrings = Keyrings(hass, entry, self.login)
        # When a battery was last asked for an alignment of the probe.
        self.aligned_at: datetime | None = None
        self.history = SessionHistory()
        self._meter = meter
        self._closed = False
        entry.async_on_unload(self._close)

    @callback
    def _close(self) -> None:
        self._closed = True

    @callback
    def restore(
        self, wake_budget: WakeBudget, object_cache: ObjectCache, aligned_at: datetime | None
    ) -> None:
        """Take what was stored."""
        self.wake_budget, self.keyrings.object_cache = wake_budget, object_cache
        self.aligned_at = aligned_at

    @callback
    def note_alignment(self, now: datetime) -> None:
        """The probe is being aligned."""
        self.aligned_at = now

    @callback
    def take_line_profile(self, profile: LineProfile) -> None:
        """Go on with what a reading has taught of the line; what the user says stays."""
        given = profile_overrides(self._entry.data, self._entry.options)
        self.line_profile = replace(profile, **given)

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

    @callback
    def failed(self, err: MeterError) -> None:
        """Count a failed reading; the user is asked for a key that does not fit any more."""
        self.history.failed(err)
        if isinstance(err, PushKeyError):
            self.keyrings.async_key_refused(err)

    @property
    def needs_rediscovery(self) -> bool:
        """Whether the meter is to be searched for; never one on its battery, which each search would wake again."""
        return self.history.is_lost and not self.line_profile.on_battery

    # The battery

    def check_budget(self) -> None:
        """Raise ServiceValidationError where more is asked for than the battery of the meter is to bear."""
        if self.may_wake:
            return
        now, due = dt_util.utcnow(), self._meter.due
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
        """Keep a wake-up on disk before it is sent. False where none is left: send nothing. Raises NotWritten."""
        if self._meter.data is None or not self.line_profile.on_battery:
            return True
        if not self.may_wake:
            return False
        self.wake_budget = self.wake_budget.spend(dt_util.utcnow(), self._meter.due)
        if not await self._meter.async_wake_up_spent():
            raise NotWritten
        return True

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
        if self._meter.data is not None:
            self.check_budget()
        async with self.hold_line() as line:
            if self._closed:
                raise self._not_now("not_set_up")
            self._check_replacement(private=private)
            if not await self.async_spend_wake_up():
                # Another request has used it up while the line was waited for.
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
            self.history.opened(line.trace, self._hass.loop.time())
            yield line

    def _not_now(self, why: str) -> ServiceValidationError:
        said = {"meter": self._entry.title}
        return ServiceValidationError(
            translation_domain=DOMAIN, translation_key=why, translation_placeholders=said
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
        made = self.keyrings.async_of if tried is None else self.keyrings.async_new
        keyring = await made(credentials, profile)
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

    def _intended(self, *, change: bool = False) -> IntendedMeter:
        since = dt_util.utcnow() - self._meter.interval if change else None
        return IntendedMeter.of(self._entry, self._meter.data, change_needs=since)

    async def async_try(self, data: Mapping[str, Any]) -> None:
        """Prove what is in the data of an entry to the meter, once; nothing where nothing is in them.

        Raises MeterError: BadSecret where it can be sent to no meter, another LoginError where the meter does not accept
        it. What this meter has refused before is not sent again.
        """
        credentials = credentials_of(data)
        if self.keyrings.key_error is not None:
            keyring = Keyring(push_keys=credentials.push_keys)
            async with self.hold_line() as line:
                await MeterClient(line, self.keyrings.key_error.found, keyring=keyring).read_all()
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
        self, code: str, first: datetime, last: datetime, zone: tzinfo
    ) -> tuple[Profile, ...]:
        """Part of a load profile, in a session of its own; `zone` is the one its clock keeps. Raises as `session`."""
        async with self.register_session() as session:
            return await session.read_profile(code, first, last, zone)

    async def async_read_events(
        self, code: str, first: datetime, last: datetime
    ) -> tuple[Event, ...]:
        """Part of an event log, in a session of its own. Raises as `session`."""
        async with self.register_session() as session:
            return await session.read_events(code, first, last, dt_util.get_default_time_zone())

    # Readings

    async def async_listener(self, line: Line) -> MeterClient:
        """The client on an open line that listens to a meter that sends by itself."""
        profile = self.line_profile
        if self.needs_rediscovery:
            profile = replace(profile, listen_speed=None)
        return MeterClient(line, profile, keyring=await self.keyrings.async_of(NOBODY, profile))

    async def async_read(
        self,
        is_doubtful: Callable[[Reading], bool],
        on_second_failure: Callable[[MeterError], None],
    ) -> list[Reading]:
        """A full reading, and a second one made at once where the first is doubtful.

        Raises MeterError, and ServiceValidationError where the battery is to be left alone.
        """
        self.history.begin()
        # One that sends by itself is only heard.
        acquired = self.hold_line() if self.line_profile.pushes else self.acquire_line()
        async with acquired as line:
            # What its key opens is found as the config flow has found it.
            keyed = credentials_of(self._entry.data).push_keys is not None
            if self.needs_rediscovery or (keyed and self._meter.data is None):
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
        own = self._entry.entry_id
        others = await connection.async_entries_at(self._hass, self.device, other_than=own)
        hints = hints_of(self._entry.data, self.line_profile, shared=bool(others))
        usable = await self.login.async_usable()
        credentials = NOBODY if self._meter.replacement_open else usable
        keyring = await self.keyrings.async_accepted(credentials, self.line_profile)
        keyring.intended = self._intended()
        hints = replace(hints, keyring=keyring)
        self.line_profile, reading = await discover(line, hints)
        return reading
