"""What one entry logs in with and what became of it: a password is tried once.

Whether it was wrong must be on disk before it is tried again. So it is written down as unanswered before it is sent for
the first time. What happens before there is an entry, or after it was deleted, is remembered until Home Assistant ends.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
import re
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..protocol.codec import decode, encode
from ..protocol.dlms.login import DlmsLogin, Keyring
from ..protocol.errors import (
    BadSecret,
    LineError,
    LockedOut,
    LoginError,
    LoginUnanswered,
    MeterError,
    NotWritten,
    OperandRepeated,
    SecretNeeded,
)
from ..protocol.transport.trace import CLEAR_BIT_7, Direction, Trace
from .credentials import NOBODY, Credentials, credentials_of
from .stores import UNREADABLE, CheckedStore

VERSION: Final = 1
# A meter says that it is locked, not for how long; those that lock for a day are the worst known.
LOCKED_FOR: Final = timedelta(hours=24)
_MARK_OCTETS: Final = 16
# The command that carries a proof, or a lock's code: a trace shows it, and not what is secret of it.
_PROOF: Final = re.compile(rb"\x01(?:P[12]|W1\x02\*)")
# The one file for all meters that 0.1.0 wrote.
_FILE_OF_ALL: Final = f"{DOMAIN}.refusals"


class LoginOutcome(StrEnum):
    """How the last try of a password ended; UNANSWERED also where Home Assistant ended before it did."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """The last try of one password. `mark` is a fingerprint of meter and password in hexadecimal, `at` in UTC."""

    mark: str
    outcome: LoginOutcome
    at: datetime

    @property
    def free_at(self) -> datetime | None:
        """Until when the meter may be locked, None where it did not say that it is."""
        return self.at + LOCKED_FOR if self.outcome is LoginOutcome.LOCKED else None

    def blocks(self, now: datetime) -> bool:
        """Whether the password must not be tried by itself again."""
        if self.outcome is LoginOutcome.LOCKED:
            # A clock that was set back must not keep it for ever.
            return abs(now - self.at) < LOCKED_FOR
        return self.outcome is not LoginOutcome.ACCEPTED


_REMEMBERED: HassKey[dict[str, LoginAttempt]] = HassKey(f"{DOMAIN}_login_attempts")


def _mark(meter: str, secret: str) -> str:
    return blake2b(f"{meter}\0{secret}".encode(), digest_size=_MARK_OCTETS).hexdigest()


@callback
def remember(hass: HomeAssistant, meter: str, secret: str, outcome: LoginOutcome) -> LoginAttempt:
    """Remember how a try at that meter ended, until Home Assistant ends."""
    attempt = LoginAttempt(_mark(meter, secret), outcome, dt_util.utcnow())
    hass.data.setdefault(_REMEMBERED, {})[attempt.mark] = attempt
    return attempt


def meter_id(entry: ConfigEntry) -> str:
    """What the meter of an entry is known by: its number, else where it is."""
    return entry.unique_id or f"{entry.data[CONF_DEVICE]} {entry.data.get(CONF_ADDRESS, '')}"


class LoginManager:
    """The password of one entry. `refused` is its last try where that has ended badly."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Nothing is read yet."""
        self.refused: LoginAttempt | None = None
        self._hass = hass
        self._entry = entry
        self._store = CheckedStore[dict[str, Any]](
            hass, VERSION, f"{DOMAIN}.{entry.entry_id}.login", atomic_writes=True, private=True
        )
        self._attempt: LoginAttempt | None = None
        self._loaded = False

    @property
    def _own(self) -> Credentials:
        try:
            return credentials_of(self._entry.data)
        except BadSecret:
            return NOBODY

    async def async_find(self, secret: str) -> LoginAttempt | None:
        """How the last try of a password at this meter ended, None where it was never tried."""
        mark = _mark(meter_id(self._entry), secret)
        stored = await self._load()
        if stored is not None and stored.mark == mark:
            return stored
        return self._hass.data.get(_REMEMBERED, {}).get(mark)

    async def async_usable(self) -> Credentials:
        """The entry's credentials, none where they must not be tried by themselves."""
        own = self._own
        self.refused = None
        if own.secret is None:
            return own
        tried = await self.async_find(own.secret)
        if tried is None or not tried.blocks(dt_util.utcnow()):
            return own
        self.refused = tried
        return NOBODY

    async def async_is_accepted(self, credentials: Credentials) -> bool:
        """Whether this meter took these credentials when they were last tried."""
        if credentials.secret is None:
            return False
        tried = await self.async_find(credentials.secret)
        return tried is not None and tried.outcome is LoginOutcome.ACCEPTED

    async def async_begin(self, credentials: Credentials) -> bool:
        """Write down that a password is tried whose end is not known; whether that was needed.

        Raises NotWritten where that cannot be kept: it must not be sent then.
        """
        if credentials.secret is None or await self.async_is_accepted(credentials):
            return False
        await self._note(credentials, LoginOutcome.UNANSWERED)
        if self._own.secret == credentials.secret and not self._store.is_written:
            await self._forget(credentials.secret)
            raise NotWritten
        return True

    async def async_end(
        self, credentials: Credentials, outcome: LoginOutcome | None, *, unproven: bool
    ) -> None:
        """Store how a try has ended; None where nothing was sent. `unproven` is what `async_begin` said."""
        if credentials.secret is None or (outcome is LoginOutcome.ACCEPTED and not unproven):
            return
        if outcome is None and not unproven:
            return
        if outcome is None or (outcome is LoginOutcome.UNANSWERED and not unproven):
            # A password that was right before counts as never tried, once: the line may have been disturbed.
            await self._forget(credentials.secret)
            return
        tried = await self._note(credentials, outcome)
        if self._own == credentials:
            self.refused = None if outcome is LoginOutcome.ACCEPTED else tried
            self.ask_again()

    @callback
    def ask_again(self) -> None:
        """Ask for another password where the entry's was refused."""
        if self.refused is not None:
            self._entry.async_start_reauth(self._hass)

    @callback
    def proved(self) -> None:
        """The meter has taken other credentials, which the entry is about to get."""
        self.refused = None

    async def async_recall(self) -> None:
        """Ask for another password where the entry's was refused before the start."""
        await self.async_usable()
        self.ask_again()

    async def async_remove(self) -> None:
        """The entry is deleted: its file goes, and what the meter said is remembered until Home Assistant ends."""
        if (attempt := await self._load()) is not None:
            self._hass.data.setdefault(_REMEMBERED, {})[attempt.mark] = attempt
        await self._store.async_remove()

    async def async_keep(self, outcome: LoginOutcome, at: datetime) -> None:
        """Take over what is known of the entry's own password."""
        if (secret := self._own.secret) is not None:
            await self._save(LoginAttempt(_mark(meter_id(self._entry), secret), outcome, at))

    async def _note(self, credentials: Credentials, outcome: LoginOutcome) -> LoginAttempt:
        """Keep how a try ended; of the entry's own password it is on disk when this returns."""
        secret = credentials.secret or ""
        tried = remember(self._hass, meter_id(self._entry), secret, outcome)
        if self._own.secret == secret:
            await self._save(tried)
        return tried

    async def _forget(self, secret: str) -> None:
        mark = _mark(meter_id(self._entry), secret)
        self._hass.data.get(_REMEMBERED, {}).pop(mark, None)
        stored = await self._load()
        if stored is not None and stored.mark == mark:
            self._attempt = None
            await self._store.async_remove()

    async def _save(self, attempt: LoginAttempt) -> None:
        self._attempt, self._loaded = attempt, True
        await self._store.async_write(encode(attempt))

    async def _load(self) -> LoginAttempt | None:
        if not self._loaded:
            self._loaded = True
            try:
                data = await self._store.async_load()
                self._attempt = None if data is None else decode(LoginAttempt, data)
            except UNREADABLE:
                LOGGER.warning("What %s says of the last login cannot be used", self._store.key)
        return self._attempt


async def async_migrate_logins(hass: HomeAssistant) -> None:
    """Give each entry what 0.1.0 kept of its password in one file for all meters, and delete that file."""
    store: Store[dict[str, Any]] = Store(hass, VERSION, _FILE_OF_ALL)
    try:
        data = await store.async_load()
        if data is None:
            return
        last = {
            str(one["meter"]): (LoginOutcome(one["outcome"]), datetime.fromisoformat(one["at"]))
            for one in sorted(data["tried"], key=lambda one: str(one["at"]))
        }
    except UNREADABLE:
        LOGGER.warning("What %s says of refused passwords cannot be used", store.key)
        last = {}
    for entry in hass.config_entries.async_entries(DOMAIN):
        if (known := last.get(meter_id(entry))) is not None:
            await LoginManager(hass, entry).async_keep(known[0], dt_util.as_utc(known[1]))
    await store.async_remove()


def proof_left(trace: Trace) -> bool:
    """Whether a password, or what proves it, was sent in programming mode."""
    return any(
        run.direction is Direction.SENT and _PROOF.search(run.data.translate(CLEAR_BIT_7))
        for run in trace.runs
    )


def outcome_of(
    failed: BaseException | None, trace: Trace, *, unproven: bool
) -> LoginOutcome | None:
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


def outcome_in_mode_e(keyring: Keyring, login: DlmsLogin) -> LoginOutcome | None:
    """What the meter has said of a login by now, None where it was not tried."""
    if login in keyring.refused:
        return LoginOutcome.REFUSED
    if login in keyring.proven:
        return LoginOutcome.ACCEPTED
    return LoginOutcome.UNANSWERED if login in keyring.tried else None
