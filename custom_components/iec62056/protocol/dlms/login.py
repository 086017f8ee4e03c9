"""Logins of mode E: client address, credentials, and what is kept for them between sessions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import MeterError
from ..model import LineProfile
from ..register_session import Intended, Level
from .frame import Address
from .object_cache import ObjectCache
from .push.ciphering import PushKeys
from .security import Credentials, InvocationCounter, Mechanism, Protection

# Every meter has the public client, which needs no password (Green Book 4.3).
PUBLIC_CLIENT = 16

NO_CREDENTIALS = Credentials()

# How many counters are written to disk as used before the first of them is: some readings.
COUNTERS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class DlmsLogin:
    """One association a meter offers: the client address (SAP) it is for, and how to prove oneself."""

    client: int = PUBLIC_CLIENT
    credentials: Credentials = NO_CREDENTIALS

    @property
    def level(self) -> Level:
        """The access level it is for."""
        mechanism = self.credentials.mechanism
        if mechanism.high or self.credentials.ciphered:
            return Level.SECRET
        return Level.PASSWORD if mechanism is Mechanism.LOW else Level.OPEN

    @property
    def name(self) -> str:
        """What its object list is kept under; no secret is in it."""
        protection = self.credentials.protection
        less = "" if protection is Protection.BOTH else protection.name[:1].lower()
        ciphered = f"c{less}" if self.credentials.ciphered else ""
        return f"{self.client}/{self.credentials.mechanism.value}{ciphered}"


PUBLIC = DlmsLogin()


async def _unstored(end: int) -> None:
    """Without keys, there is no counter to keep."""


@dataclass(slots=True)
class Keyring:
    """The ways into one meter, the least privileged first, and what is kept for them from session to session.

    `store` writes the end of a block of invocation counters to disk; only then is the first of them used. `known` is
    what the meter said of its objects. `refused` holds the logins the meter did not take, and why: none of them is tried
    again. `tried` are those that were sent with a password or a proof, `proven` those that the meter took. They are for the
    `intended` meter alone; None where the user stands before it. `push_keys` open what a meter pushes, `push_counters` are
    those of its latest telegrams by system title.
    """

    logins: tuple[DlmsLogin, ...] = (PUBLIC,)
    counter: InvocationCounter = field(default_factory=InvocationCounter)
    store: Callable[[int], Awaitable[None]] = _unstored
    known: ObjectCache = field(default_factory=ObjectCache)
    learned: bool = False
    refused: dict[DlmsLogin, MeterError] = field(default_factory=dict)
    tried: set[DlmsLogin] = field(default_factory=set)
    proven: set[DlmsLogin] = field(default_factory=set)
    intended: Intended | None = None
    push_keys: PushKeys | None = None
    push_counters: dict[bytes, int] = field(default_factory=dict)

    @property
    def private(self) -> bool:
        """Whether any login needs a password or a key."""
        return any(login.level is not Level.OPEN for login in self.logins)

    def unanswered(self, login: DlmsLogin) -> bool:
        """Whether it was tried, and what became of that is not known."""
        return login in self.tried and login not in self.proven and login not in self.refused

    async def reserve(self, count: int) -> None:
        """See to it that so many invocation counters may be used. Raises CounterExhausted, and what `store` raises."""
        if self.counter.lacks(count):
            end = self.counter.reserve(max(count, COUNTERS_AT_ONCE))
            await self.store(end)
            self.counter.stored(end)


def default_keyring(profile: LineProfile) -> Keyring:
    """The keyring of who has no password: the public client, or the client address the profile names."""
    return Keyring((PUBLIC if profile.client is None else DlmsLogin(profile.client),))


def server_address(profile: LineProfile) -> Address:
    """The meter's HDLC address. Raises DlmsUnsent where there is none such."""
    if profile.physical is not None and profile.server_octets:
        return Address(profile.server, profile.physical, profile.server_octets)
    return Address.server(profile.server, profile.physical)


class Preset(NamedTuple):
    """The client addresses of a make: for a password, and for a key."""

    password: int
    key: int


# By FLAG id. SPODES, the Russian profile (wb-mqtt-serial, latonita/esphome-dlms-cosem): reader 32, configurator 48.
_SPODES = Preset(32, 48)
PRESETS = {
    "EKT": _SPODES,
    "EMR": _SPODES,
    "MIR": _SPODES,
    "TPC": _SPODES,
    "KAM": Preset(1, 1),
    "KMP": Preset(1, 1),
    "NIK": Preset(2, 2),
}
OTHERS = Preset(1, 1)
