"""Ciphers of DLMS security suite 0 and challenges of high level security (Green Book 9.2, Blue Book 4.4.2).

No secret stands in a repr or an exception.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..dlms_errors import CounterExhausted, DlmsUnsent, ProtectionDiffers, SecurityBroken
from ..reasons import Answered, Counter, Secret, Security

# Green Book 9.2.7.4: a challenge has 8 to 64 octets.
MIN_CHALLENGE = 8
MAX_CHALLENGE = 64
CHALLENGE = 16

SYSTEM_TITLE = 8
_KEY = 16
_TAG = 12
_COUNTER = 4
_COUNTERS = 1 << 32
# At a message a second, a meter counts that far in 68 years.
_MOST_SEEN = 1 << 31

_HEAD = 1 + _COUNTER
_OVERHEAD = _HEAD + _TAG


class Mechanism(IntEnum):
    """Authentication mechanism, the last octet of its name (Green Book 9.4.2.2.3)."""

    NONE = 0
    LOW = 1
    AES = 2
    MD5 = 3
    SHA1 = 4
    GMAC = 5
    SHA256 = 6

    @property
    def high(self) -> bool:
        """Whether client and meter prove to each other that they know a secret."""
        return self > Mechanism.LOW


class Protection(IntEnum):
    """How messages are ciphered: the security control octet of suite 0 (Green Book 9.2.7.2.4)."""

    AUTHENTICATION = 0x10
    ENCRYPTION = 0x20
    BOTH = 0x30

    def has(self, part: Protection) -> bool:
        """Whether it is at least that one."""
        return self & part == part


# What is less than was asked for.
_DIFFERS = {
    Protection.AUTHENTICATION: Answered.AUTHENTICATED,
    Protection.ENCRYPTION: Answered.ENCRYPTED,
}


@dataclass(frozen=True, slots=True)
class Keys:
    """Global unicast encryption key and authentication key of suite 0, 16 octets each. Raises DlmsUnsent."""

    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.encryption) != _KEY or len(self.authentication) != _KEY:
            raise DlmsUnsent(why=Secret.KEY_LENGTH)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to log in: the mechanism, its password or secret, and the keys where services are ciphered.

    GMAC needs keys and a system title, SHA-256 a system title, ciphering both. Raises DlmsUnsent.
    """

    mechanism: Mechanism = Mechanism.NONE
    secret: bytes = field(default=b"", repr=False)
    keys: Keys | None = None
    system_title: bytes | None = None
    ciphered: bool = False
    protection: Protection = Protection.BOTH

    def __post_init__(self) -> None:
        needs_title = self.ciphered or self.mechanism in (Mechanism.GMAC, Mechanism.SHA256)
        if needs_title and len(self.system_title or b"") != SYSTEM_TITLE:
            raise DlmsUnsent(why=Secret.TITLE_LENGTH)
        if (self.ciphered or self.mechanism is Mechanism.GMAC) and self.keys is None:
            raise DlmsUnsent(why=Secret.NO_KEYS)
        secret = self.mechanism not in (Mechanism.NONE, Mechanism.GMAC)
        if secret and not self.secret:
            raise DlmsUnsent(why=Secret.NO_PASSWORD)
        if self.mechanism is Mechanism.AES and len(self.secret) > _KEY:
            raise DlmsUnsent(why=Secret.SECRET_LENGTH)


class InvocationCounter:
    """Which counter the next ciphered message carries: never one twice under a key, also not after a crash.

    `stored` is the first counter that was never reserved, as the last `reserve` gave it. Before its first use, a
    block is reserved and its end written to disk; what a crash leaves of it is lost.
    """

    def __init__(self, stored: int = 0) -> None:
        """Nothing is reserved yet."""
        self._next = stored
        self._end = stored

    def learn(self, meter: int) -> None:
        """Take over the counter the meter saw last: the next one is the greater of ours and that plus one.

        It comes in plain octets, and anything on the line may have made it: half of the numbers are never given away.
        """
        if self._next <= meter < _MOST_SEEN:
            self._next = self._end = meter + 1

    def lacks(self, count: int) -> bool:
        """Whether a block must be reserved before so many messages."""
        return self._next + count > self._end

    def reserve(self, count: int) -> int:
        """The end of a block of so many counters from the next on: to be stored, then given to `stored`.

        Raises CounterExhausted where the 32 bits end.
        """
        if self._next + count > _COUNTERS:
            raise CounterExhausted(why=Counter.END)
        return self._next + count

    def stored(self, end: int) -> None:
        """The end of a block is on disk: its counters may be used."""
        self._end = end

    def take(self) -> int:
        """The counter of one message. Raises CounterExhausted where it was not reserved."""
        if self._next >= min(self._end, _COUNTERS):
            raise CounterExhausted(why="no counter was reserved for it")
        self._next += 1
        return self._next - 1


class Ciphering:
    """Suite 0 (AES-GCM-128) of one association: authenticated and encrypted both ways, or one of it for meters that want that."""

    def __init__(
        self,
        keys: Keys,
        title: bytes,
        counter: InvocationCounter,
        protection: Protection = Protection.BOTH,
    ) -> None:
        """`title` is the client's system title; the meter's comes with its first answer."""
        self._keys = keys
        self._protection = protection
        self.title = title
        self.peer_title: bytes | None = None
        self._counter = counter
        self._seen = -1

    @staticmethod
    def overhead() -> int:
        """How many octets longer a protected message can be, its tag and length aside."""
        return _OVERHEAD

    def protect(self, plain: bytes) -> bytes:
        """Security header, content and tag of a message. Raises CounterExhausted."""
        return self._sealed(self._protection, plain)

    def unprotect(self, message: bytes) -> bytes:
        """The message of the meter within security header and tag.

        Raises SecurityBroken where it is not protected as was agreed, was changed, or came before; more is no less.
        """
        if self.peer_title is None:
            raise SecurityBroken(why=Security.NO_TITLE)
        if len(message) < _HEAD or message[0] not in Protection:
            raise SecurityBroken(why=Security.OTHERWISE)
        control, counter = Protection(message[0]), message[1:_HEAD]
        if not control.has(self._protection):
            raise ProtectionDiffers(why=_DIFFERS[control])
        end = len(message) - (_TAG if control.has(Protection.AUTHENTICATION) else 0)
        plain = message[_HEAD:end]
        if control.has(Protection.ENCRYPTION):
            plain = crypt(self._keys.encryption, self.peer_title, counter, plain)
        if control.has(Protection.AUTHENTICATION):
            right = _tag(self._keys, self.peer_title, counter, control, plain)
            if end < _HEAD or not hmac.compare_digest(right, message[end:]):
                raise SecurityBroken(why=Security.CHECK)
        # Only what is genuine may move the counter on.
        if int.from_bytes(counter) <= self._seen:
            raise SecurityBroken(why=Security.OLD)
        self._seen = int.from_bytes(counter)
        return plain

    def _sealed(self, control: Protection, plain: bytes) -> bytes:
        counter = self._counter.take().to_bytes(_COUNTER)
        keys, head = self._keys, bytes((control,)) + counter
        sealed = plain
        if control.has(Protection.ENCRYPTION):
            sealed = crypt(keys.encryption, self.title, counter, plain)
        if control.has(Protection.AUTHENTICATION):
            sealed += _tag(keys, self.title, counter, control, plain)
        return head + sealed

    def sign(self, challenge: bytes) -> bytes:
        """f(challenge) of GMAC by this client: control, counter and tag. Raises CounterExhausted."""
        signed = self._sealed(Protection.AUTHENTICATION, challenge)
        return signed[:_HEAD] + signed[-_TAG:]

    def signed(self, answer: bytes, challenge: bytes) -> bool:
        """Whether this is f(challenge) of GMAC by the meter."""
        if (
            self.peer_title is None
            or len(answer) != _OVERHEAD
            or answer[0] != Protection.AUTHENTICATION
        ):
            return False
        counter = answer[1:_HEAD]
        own = _tag(self._keys, self.peer_title, counter, Protection.AUTHENTICATION, challenge)
        return hmac.compare_digest(own, answer[_HEAD:])


def _tag(keys: Keys, title: bytes, counter: bytes, control: Protection, plain: bytes) -> bytes:
    """The authentication tag: of what is not encrypted, as associated data (Green Book 9.2.7.2.4.4)."""
    associated = bytes((control,)) + keys.authentication
    if control.has(Protection.ENCRYPTION):
        return tag(keys.encryption, title, counter, plain, associated)
    return tag(keys.encryption, title, counter, b"", associated + plain)


def check_challenge(own: bytes, meter: bytes) -> None:
    """Refuse a challenge that would have the answer to our own, or hardly any variety. Raises SecurityBroken.

    A meter (or who speaks for it) that sends our challenge back would get from us the very answer it owes us.
    """
    # Within a longer one it is as bad: AES answers block by block.
    if own in meter:
        raise SecurityBroken(why=Security.OWN_CHALLENGE)
    if not MIN_CHALLENGE <= len(meter) <= MAX_CHALLENGE:
        raise SecurityBroken(why=Security.CHALLENGE)


def _aes(secret: bytes, challenge: bytes) -> bytes:
    # Manufacturer specific by its name; in practice ECB with zeros at the end of what is too short.
    padded = challenge + bytes(-len(challenge) % _KEY)
    ecb = modes.ECB()  # noqa: S305
    sealer = Cipher(algorithms.AES(secret.ljust(_KEY, b"\0")), ecb).encryptor()
    return sealer.update(padded) + sealer.finalize()


_DIGESTS: dict[Mechanism, Callable[[bytes, bytes], bytes]] = {
    Mechanism.AES: _aes,
    Mechanism.MD5: lambda secret, challenge: hashlib.md5(challenge + secret).digest(),  # noqa: S324
    Mechanism.SHA1: lambda secret, challenge: hashlib.sha1(challenge + secret).digest(),  # noqa: S324
}


class Handshake:
    """The four passes of high level security, seen by the client (Green Book 9.2.7.4).

    The client sent its challenge CtoS and got StoC; it proves itself with `reply`, and the meter is checked with
    `check`.
    """

    def __init__(
        self,
        credentials: Credentials,
        own: bytes,
        meter: bytes,
        *,
        meter_title: bytes | None = None,
        ciphering: Ciphering | None = None,
    ) -> None:
        """`own` is CtoS, `meter` StoC. Raises SecurityBroken where the meter's is refused.

        GMAC needs `ciphering`, SHA-256 the meter's system title.
        """
        check_challenge(own, meter)
        self._credentials = credentials
        self._own = own
        self._meter = meter
        self._meter_title = meter_title
        self._ciphering = ciphering

    def reply(self) -> bytes:
        """f(StoC), which proves that the client knows the secret. Raises CounterExhausted, SecurityBroken."""
        if self._credentials.mechanism is Mechanism.GMAC and self._ciphering is not None:
            return self._ciphering.sign(self._meter)
        return self._digest(of_client=True)

    def check(self, answer: bytes) -> None:
        """Verify f(CtoS). Raises SecurityBroken where the meter does not know the secret."""
        if self._credentials.mechanism is Mechanism.GMAC and self._ciphering is not None:
            right = self._ciphering.signed(answer, self._own)
        else:
            right = hmac.compare_digest(self._digest(of_client=False), answer)
        if not right:
            raise SecurityBroken(why=Security.NO_PROOF)

    def _digest(self, *, of_client: bool) -> bytes:
        """The digest f of the challenge that `of_client` answers."""
        credentials = self._credentials
        asked, other = (self._meter, self._own) if of_client else (self._own, self._meter)
        if credentials.mechanism is not Mechanism.SHA256:
            return _DIGESTS[credentials.mechanism](credentials.secret, asked)
        client, meter = credentials.system_title or b"", self._meter_title
        if meter is None:
            raise SecurityBroken(why=Security.NO_TITLE)
        titles = client + meter if of_client else meter + client
        return hashlib.sha256(credentials.secret + titles + asked + other).digest()


def crypt(key: bytes, title: bytes, counter: bytes, text: bytes) -> bytes:
    """The plaintext of what was sealed under a system title and invocation counter, or the other way round.

    Nothing is verified: with a wrong key, the result is noise. `tag` tells, where there is one.
    """
    gcm = Cipher(algorithms.AES(key), modes.GCM(title + counter)).decryptor()
    return gcm.update(text)


def tag(key: bytes, title: bytes, counter: bytes, plain: bytes, associated: bytes) -> bytes:
    """The authentication tag that belongs to a plaintext and its associated data."""
    return AESGCM(key).encrypt(title + counter, plain, associated)[len(plain) :][:_TAG]
