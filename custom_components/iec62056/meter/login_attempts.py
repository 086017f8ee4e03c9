"""Which passwords were tried at which meter, and with what end: one file for all meters.

Here: a salted fingerprint of each, never the password; written before a password is tried for the first time, so that
no restart, reload or second entry tries a wrong one again.
Never here: what follows from that (access).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import scrypt
import re
from secrets import token_bytes
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..protocol import codec
from ..protocol.dlms.login import DlmsLogin, Keyring
from ..protocol.errors import (
    LineError,
    LockedOut,
    LoginError,
    LoginUnanswered,
    MeterError,
    OperandRepeated,
    SecretNeeded,
)
from ..protocol.transport.trace import CLEAR_BIT_7, Direction, Trace

VERSION: Final = 1
# A meter says that it is locked, not for how long; those that lock for a day are the worst known.
LOCKED_FOR: Final = timedelta(hours=24)
# More passwords than anybody enters.
MOST: Final = 200
_SALT: Final = 16
# Passwords of meters are short: each guess is to cost some time.
_COST: Final = 2**14
# The command that carries a proof, or a lock's code: a trace shows it, and not what is secret of it.
_PROOF: Final = re.compile(rb"\x01(?:P[12]|W1\x02\*)")


class LoginOutcome(StrEnum):
    """How the last try of a password ended; UNANSWERED also where Home Assistant ended before it did."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """One password at one meter: `mark` is its fingerprint under `salt`, both in hexadecimal; `at` in UTC."""

    meter: str
    salt: str
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


@codec.separable
@dataclass(frozen=True, slots=True)
class _File:
    tried: tuple[LoginAttempt, ...] = ()


@lru_cache(64)
def _mark(secret: str, salt: str) -> str:
    return scrypt(secret.encode(), salt=bytes.fromhex(salt), n=_COST, r=8, p=1).hex()


class LoginAttempts:
    """The file, once per Home Assistant."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is read yet."""
        self._hass = hass
        self._store: Store[dict[str, Any]] = Store(
            hass, VERSION, f"{DOMAIN}.refusals", atomic_writes=True, private=True
        )
        self._tried: list[LoginAttempt] | None = None

    async def async_find(self, meter: str, secret: str) -> LoginAttempt | None:
        """How the last try of a password at that meter ended, None where it was never tried."""
        for one in await self._all():
            if one.meter == meter and one.mark == await self._marked(secret, one.salt):
                return one
        return None

    async def async_note(self, meter: str, secret: str, outcome: LoginOutcome) -> LoginAttempt:
        """Store how a try ended, in place of what was known of that password; on disk when this returns."""
        before = await self.async_find(meter, secret)
        salt = token_bytes(_SALT).hex() if before is None else before.salt
        mark = await self._marked(secret, salt)
        tried = LoginAttempt(meter, salt, mark, outcome, dt_util.utcnow())
        await self._keep([*(one for one in await self._all() if one is not before), tried])
        return tried

    async def async_forget(self, meter: str, secret: str) -> None:
        """It was not tried after all."""
        if (before := await self.async_find(meter, secret)) is not None:
            await self._keep([one for one in await self._all() if one is not before])

    async def _marked(self, secret: str, salt: str) -> str:
        return await self._hass.async_add_executor_job(_mark, secret, salt)

    async def _all(self) -> list[LoginAttempt]:
        if self._tried is None:
            found, left_out = _File(), list[str]()
            try:
                found = codec.decode(_File, await self._store.async_load() or {}, left_out)
            except AttributeError, KeyError, TypeError, ValueError:
                left_out.append("all of it")
            if left_out:
                LOGGER.warning("What %s says of refused passwords cannot be used", self._store.key)
            if self._tried is None:
                self._tried = [*found.tried]
        return self._tried

    async def _keep(self, tried: list[LoginAttempt]) -> None:
        self._tried = tried[-MOST:]
        await self._store.async_save(codec.encode(_File(tuple(self._tried))))


_REFUSALS: HassKey[LoginAttempts] = HassKey(f"{DOMAIN}_refusals")


def login_attempts_of(hass: HomeAssistant) -> LoginAttempts:
    """The one file of this Home Assistant."""
    if _REFUSALS not in hass.data:
        hass.data[_REFUSALS] = LoginAttempts(hass)
    return hass.data[_REFUSALS]


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
