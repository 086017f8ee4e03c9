"""Access to one meter beyond its readout: sessions with the entry's credentials, and what became of them.

Here: the client is made here, with what may be tried and what may be changed; a refusal is stored, and a person asked.
Never here: when the meter is read, what a secret is (credentials), the forms that ask for one.

A password is tried once. Whether it was wrong must be on disk before it is tried again by itself: so it is written
down as unanswered before it leaves for the first time.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
import re
from typing import TYPE_CHECKING, Any, Final

from homeassistant.core import callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..derived.history import DerivedHistory
from ..derived.sources import Derived
from ..derived.values import DerivedValues
from ..entry_data import profile_overrides
from ..protocol.ascii import clock
from ..protocol.ascii.sign_on import RetryPolicy
from ..protocol.client import MeterClient
from ..protocol.dlms.login import DlmsLogin as BinaryLogin, Keyring
from ..protocol.dlms.object_cache import ObjectCache
from ..protocol.errors import (
    BadSecret,
    ClockUnknown,
    LineError,
    LockedOut,
    LoginError,
    LoginUnanswered,
    MeterError,
    NoProgramming,
    OperandRepeated,
    PasswordRefused,
    SecretNeeded,
)
from ..protocol.model import LineProfile, Mode, Reading
from ..protocol.register_session import Answer, Offer, RegisterSession, Written
from ..protocol.transport.line import Line
from ..protocol.transport.trace import CLEAR_BIT_7, Direction, Trace
from ..registers.descriptions import describe_state
from ..registers.index import RegisterIndex
from ..state.meter_state import MeterState
from .credentials import NOBODY, Credentials, async_keyring, credentials_of, permits_of
from .login_attempts import LoginAttempt, LoginOutcome, login_attempts_of
from .schedule import is_push, runs_on_battery

if TYPE_CHECKING:
    from ..coordinator import MeterCoordinator

# The command that carries a proof, or a lock's code: a trace shows it, and not what is secret of it.
_PROOF: Final = re.compile(rb"\x01(?:P[12]|W1\x02\*)")
_CLOCK_E: Final = "0-0:1.0.0"


def proof_left(trace: Trace) -> bool:
    """Whether a password, or what proves it, was sent in programming mode."""
    return any(
        run.direction is Direction.SENT and _PROOF.search(run.data.translate(CLEAR_BIT_7))
        for run in trace.runs
    )


def needs_login(profile: LineProfile) -> bool:
    """Whether the plain readout of a meter is itself read with a login: in mode E."""
    return profile.mode is Mode.E


class MeterReader:
    """How one meter is spoken to. `refused` is the last try of the entry's password where that has ended badly."""

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Nothing was tried yet."""
        self.refused: LoginAttempt | None = None
        self._coordinator = coordinator
        self._hass = coordinator.hass
        # What a meter of mode E said of its objects: kept with its state.
        self.known = ObjectCache()
        # Kept as long as the entry is set up, for the login it was made for.
        self._keyring: tuple[BinaryLogin | None, Keyring] | None = None

    @property
    def in_mode_e(self) -> bool:
        """Whether the meter is spoken to in mode E."""
        return needs_login(self._coordinator.profile)

    @property
    def _meter_id(self) -> str:
        """What the meter is known by, whichever entry speaks to it."""
        coordinator = self._coordinator
        return coordinator.config_entry.unique_id or f"{coordinator.device} {coordinator.address}"

    # Sessions

    @asynccontextmanager
    async def meter(self, line: Line, *, login: bool = True) -> AsyncIterator[MeterClient]:
        """The client on an open line; with the entry's password where it may be tried and `login` wants it."""
        entry = self._coordinator.config_entry
        credentials = await self._usable() if login else NOBODY
        async with self._client(line, credentials) as meter:
            yield meter
        if self.refused is not None and login:
            entry.async_start_reauth(self._hass)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MeterClient]:
        """The client on a line of its own turn, because somebody asks for it; a battery is asked first.

        Raises MeterError, and ServiceValidationError where the battery is to be left alone, or the entry was unloaded
        meanwhile.
        """
        async with self._turn() as line, self.meter(line) as meter:
            yield meter

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator[RegisterSession]:
        """An open session, as `session`."""
        async with self.session() as meter, meter.conversation() as talk:
            yield talk

    async def async_try(self, data: Mapping[str, Any]) -> None:
        """Prove what is in the data of an entry to the meter, once; nothing where nothing is in them.

        Raises MeterError: BadSecret where it can be sent to no meter, another LoginError where the meter does not accept
        it. What this meter has refused before is not sent again.
        """
        credentials = credentials_of(data)
        secret = credentials.secret
        if secret is not None:
            before = await login_attempts_of(self._hass).async_find(self._meter_id, secret)
            if before is not None and before.outcome is LoginOutcome.REFUSED:
                raise PasswordRefused
        said = replace(self._coordinator.profile, **profile_overrides(data))
        async with self._turn() as line:
            async with self._client(line, credentials, said) as meter, meter.conversation():
                pass
            if secret is not None and not proof_left(line.trace) and not needs_login(meter.profile):
                raise NoProgramming(meter=self._coordinator.config_entry.title)
        self.refused = None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[Line]:
        coordinator = self._coordinator
        battery = runs_on_battery(coordinator.profile)
        if is_push(coordinator.profile):
            # It hears nothing, and its line is never free.
            raise NoProgramming(meter=coordinator.config_entry.title)
        if battery:
            coordinator.wake_ups.check_budget()
        async with coordinator.hold() as line:
            if getattr(coordinator.config_entry, "runtime_data", None) is not coordinator:
                # Its entry was unloaded while the line was waited for.
                raise ServiceValidationError(
                    translation_domain=DOMAIN,
                    translation_key="not_set_up",
                    translation_placeholders={"meter": coordinator.config_entry.title},
                )
            if battery and not await coordinator.wake_ups.async_may_wake():
                # Somebody else has used it up while the line was waited for.
                coordinator.wake_ups.check_budget()
            yield line

    @asynccontextmanager
    async def _client(
        self, line: Line, credentials: Credentials, tried: LineProfile | None = None
    ) -> AsyncIterator[MeterClient]:
        """The client, and what is learned of the credentials and of the line, however it ends.

        `tried` is the way to the meter with which new credentials are tried: nothing is learned of it.
        """
        coordinator = self._coordinator
        profile = tried or coordinator.profile
        login = credentials.in_mode_e(profile)
        keyring = await self._keyring_for(credentials, profile, fresh=tried is not None)
        unproven = await self._about_to_try(credentials)
        if login is not None and not unproven:
            keyring.proven.add(login)
        meter = MeterClient(
            line,
            profile,
            effort=RetryPolicy(wake_ups=1),
            keyring=keyring,
            password=credentials.password,
            permits=permits_of(coordinator.config_entry.options),
        )
        failed: BaseException | None = None
        try:
            yield meter
        except BaseException as err:
            failed = err
            raise
        finally:
            # Also a failure teaches something about the line.
            if tried is None:
                coordinator.profile = meter.profile
            if login is None:
                outcome = _outcome(failed or meter.refusal, line.trace, unproven=unproven)
            else:
                outcome = _outcome_in_mode_e(keyring, login)
            await self._learn(credentials, outcome, unproven=unproven)

    async def _keyring_for(
        self, credentials: Credentials, profile: LineProfile, *, fresh: bool = False
    ) -> Keyring:
        login = credentials.in_mode_e(profile)
        if fresh or self._keyring is None or self._keyring[0] != login:
            keyring = await async_keyring(self._hass, credentials, profile, self.known)
            if fresh:
                return keyring
            self._keyring = login, keyring
        return self._keyring[1]

    async def async_keyring(self) -> Keyring:
        """The logins of mode E that the meter may be looked for with: only what it took before."""
        credentials, profile = await self._usable(), self._coordinator.profile
        keyring = await self._keyring_for(credentials, profile)
        if credentials.in_mode_e(profile) in keyring.proven or await self._accepted(credentials):
            return keyring
        return await async_keyring(self._hass, NOBODY, profile, self.known)

    @asynccontextmanager
    async def elsewhere(
        self, device: str, mark: Mapping[str, str]
    ) -> AsyncIterator[Keyring | None]:
        """The login of mode E for a meter at another port that has shown that mark of itself; None where none may be.

        Nothing may tell that meter from this one, and the login is only for who announces itself as this one does. Even
        so it may be another's: a login it does not take is not tried at that port again.
        """
        state = self._coordinator.data
        keyring = await self.async_keyring()
        secret = (await self._usable()).secret
        meant = None if state is None else state.identification
        like = bool(self.known.mark.keys() & mark.keys()) or meant is not None
        where, refusals = f"{self._meter_id} at {device}", login_attempts_of(self._hass)
        if (
            not (self.in_mode_e and keyring.private and like)
            or secret is None
            or self.known.differs(mark)
            or await refusals.async_find(where, secret) is not None
        ):
            yield None
            return
        login = keyring.logins[-1]
        own = replace(
            keyring,
            logins=(login,),
            known=deepcopy(keyring.known),
            refused={},
            tried=set(),
            proven=set(),
            meant=meant,
        )
        await refusals.async_note(where, secret, LoginOutcome.UNANSWERED)
        try:
            yield own
        finally:
            if login in own.proven or login not in own.tried:
                await refusals.async_forget(where, secret)

    # Passwords

    async def _usable(self) -> Credentials:
        """The entry's credentials, none where they must not be tried by themselves."""
        try:
            credentials = credentials_of(self._coordinator.config_entry.data)
        except BadSecret:
            return NOBODY
        if credentials.secret is None:
            self.refused = None
            return credentials
        tried = await login_attempts_of(self._hass).async_find(self._meter_id, credentials.secret)
        blocked = tried is not None and tried.blocks(dt_util.utcnow())
        self.refused = tried if blocked else None
        return NOBODY if blocked else credentials

    async def _about_to_try(self, credentials: Credentials) -> bool:
        """Write down that a password is tried whose end is not known; whether that was needed."""
        if credentials.secret is None:
            return False
        if await self._accepted(credentials):
            return False
        refusals = login_attempts_of(self._hass)
        await refusals.async_note(self._meter_id, credentials.secret, LoginOutcome.UNANSWERED)
        return True

    async def _accepted(self, credentials: Credentials) -> bool:
        """Whether this meter took these credentials when they were last tried."""
        if credentials.secret is None:
            return False
        tried = await login_attempts_of(self._hass).async_find(self._meter_id, credentials.secret)
        return tried is not None and tried.outcome is LoginOutcome.ACCEPTED

    async def _learn(
        self, credentials: Credentials, outcome: LoginOutcome | None, *, unproven: bool
    ) -> None:
        """Store how a try has ended."""
        if credentials.secret is None:
            return
        refusals, meter, secret = login_attempts_of(self._hass), self._meter_id, credentials.secret
        if outcome is None:
            if unproven:
                await refusals.async_forget(meter, secret)
            return
        if outcome is LoginOutcome.ACCEPTED and not unproven:
            return
        if outcome is LoginOutcome.UNANSWERED and not unproven:
            # It was right before, and the line may have been disturbed: it counts as never tried, but only once.
            await refusals.async_forget(meter, secret)
            return
        tried = await refusals.async_note(meter, secret, outcome)
        self._refuse(credentials, tried)

    @callback
    def _refuse(self, credentials: Credentials, tried: LoginAttempt) -> None:
        """Note what became of the entry's own password."""
        entry = self._coordinator.config_entry
        try:
            own = credentials_of(entry.data) == credentials
        except BadSecret:
            own = False
        if not own:
            return
        self.refused = tried if tried.outcome is not LoginOutcome.ACCEPTED else None
        if self.refused is not None:
            entry.async_start_reauth(self._hass)

    async def async_recall(self) -> None:
        """Ask for another password where the entry's was refused before the start."""
        await self._usable()
        if self.refused is not None:
            self._coordinator.config_entry.async_start_reauth(self._hass)

    # What is asked for

    async def async_with(
        self, meter: MeterClient, reading: Reading, codes: Sequence[str]
    ) -> Reading:
        """A reading and the registers that only an open session has; what cannot be had is left out."""
        try:
            answers = await meter.read(codes)
        except MeterError as err:
            self._coordinator.logger.debug("%s: %s", self._coordinator.name, err)
            return reading
        return _joined(reading, answers)

    async def async_read(self, codes: Sequence[str], *, survey: bool = False) -> tuple[Answer, ...]:
        """Registers by code; with `survey` each at the lowest level that shows it. Raises MeterError."""
        async with self.session() as meter:
            return await (meter.survey(codes) if survey else meter.read(codes))

    async def async_offered(self) -> tuple[Offer, ...]:
        """The meter's own list of its registers, with who may read and set each. Raises MeterError."""
        async with self.conversation() as talk:
            return await talk.offered()

    async def async_write(self, code: str, value: str) -> Written:
        """Set a register. Raises MeterError: then nothing was sent."""
        async with self.session() as meter:
            return await meter.write(code, value)

    async def async_set_clock(self, limit: timedelta) -> tuple[timedelta, Written | None]:
        """Set the clock to the present time if it is off by more than that; how far it was ahead.

        Raises MeterError: then nothing was changed. ClockUnknown where it cannot be said how far it is off.
        """
        state = self._coordinator.data
        codes = (_CLOCK_E,) if needs_login(self._coordinator.profile) else (clock.DATE, clock.TIME)
        async with self.conversation() as talk:
            answers = await talk.read(codes)
            shown = Reading(
                state.identification, (), dt_util.utcnow(), replace(state.health, duration=0.0)
            )
            zone = dt_util.get_default_time_zone()
            asked = MeterState.of(_joined(shown, answers), state.profile)
            lookup = RegisterIndex.of(describe_state(asked, {}))
            ahead = DerivedValues(lookup, DerivedHistory(), zone).result(Derived.CLOCK_DRIFT).value
            if not isinstance(ahead, Decimal):
                raise ClockUnknown
            drift = timedelta(seconds=int(ahead))
            if abs(drift) <= limit:
                return drift, None
            return drift, await talk.set_clock(dt_util.as_local(dt_util.utcnow()))

    async def async_execute(self, code: str, argument: str) -> Written:
        """Execute a command. Raises MeterError: then nothing was sent."""
        async with self.session() as meter:
            return await meter.execute(code, argument)

    def told(self) -> dict[str, str | None]:
        """How it stands with the password, without it."""
        refused = self.refused
        return {
            "refused": None if refused is None else refused.outcome.value,
            "refused_at": None if refused is None else _local(refused.at),
        }


def _joined(reading: Reading, answers: Sequence[Answer]) -> Reading:
    there = {register.key for register in reading.registers}
    more = tuple(
        answer.register
        for answer in answers
        if answer.register is not None and answer.register.key not in there
    )
    return replace(reading, registers=(*reading.registers, *more))


def _outcome(failed: BaseException | None, trace: Trace, *, unproven: bool) -> LoginOutcome | None:
    """What the end of a session of programming mode says of the password, None where it was not tried."""
    match failed:
        case LockedOut():
            return LoginOutcome.LOCKED
        case LoginUnanswered():
            return LoginOutcome.UNANSWERED
        case SecretNeeded() | OperandRepeated():
            return None
        case LoginError():
            return LoginOutcome.REFUSED
    if not proof_left(trace):
        return None
    if isinstance(failed, LineError) or not isinstance(failed, MeterError | None):
        return LoginOutcome.UNANSWERED if unproven else None
    return LoginOutcome.ACCEPTED


def _outcome_in_mode_e(keyring: Keyring, login: BinaryLogin) -> LoginOutcome | None:
    """What the meter has said of a login by now, None where it was not tried."""
    if login in keyring.refused:
        return LoginOutcome.REFUSED
    if login in keyring.proven:
        return LoginOutcome.ACCEPTED
    return LoginOutcome.UNANSWERED if login in keyring.tried else None


def _local(moment: datetime) -> str:
    return dt_util.as_local(moment).isoformat(timespec="seconds")
