"""Ciphered APDUs of pushes (Green Book 9.2.7): their headers, and what a key makes of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
import hmac
from typing import Self

from ...dlms_errors import DlmsMalformed, DlmsUnsent, PushKeyNeeded, PushKeyWrong
from ...reasons import PushKey, Secret
from ..axdr import Reader, encode_string
from ..security import crypt, tag
from .frames import GENERAL_DED, GENERAL_GLO, TITLE
from .makes import make_of
from .notification import begins_right

_GENERAL_CIPHERING = 0xDD
_KEY = 16
_TAG = 12
_AUTHENTICATED, _ENCRYPTED, _COMPRESSED = 0x10, 0x20, 0x80


@dataclass(frozen=True, slots=True)
class PushKeys:
    """The keys of a customer interface: the authentication key only where the operator gave one. Raises DlmsUnsent."""

    encryption: bytes = field(repr=False)
    authentication: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if any(
            key is not None and len(key) != _KEY for key in (self.encryption, self.authentication)
        ):
            raise DlmsUnsent(why=Secret.KEY_LENGTH)


@dataclass(frozen=True, slots=True)
class Opened:
    """The plaintext of a push, and whether its tag proved it genuine."""

    plain: bytes = field(repr=False)
    genuine: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """A ciphered APDU, taken apart. `title` is empty where the meter leaves it out.

    `context` is what general-ciphering says besides, which is authenticated with the content.
    """

    title: bytes = field(repr=False)
    control: int
    counter: int
    content: bytes = field(repr=False)
    tag: bytes = field(repr=False)
    context: bytes = field(default=b"", repr=False)

    @classmethod
    def read(cls, apdu: bytes) -> Self | None:
        """The ciphered APDU; None where it is of another kind. Raises DlmsMalformed."""
        if apdu[:1] not in (
            bytes((GENERAL_GLO,)),
            bytes((GENERAL_DED,)),
            bytes((_GENERAL_CIPHERING,)),
        ):
            return None
        reader = Reader(apdu)
        context = b""
        if reader.octet() == _GENERAL_CIPHERING:
            # Transaction, originator, recipient, date-time, other information.
            parts = [reader.string() for _ in range(5)]
            title, context = parts[1], b"".join(map(encode_string, parts))
            _pass_key_info(reader)
        else:
            title = reader.string()
        content = Reader(reader.string())
        if reader.left or len(title) not in (0, TITLE):
            raise DlmsMalformed(why="its ciphering header has another length than it says")
        control, counter = content.octet(), content.number(4)
        if control & _COMPRESSED:
            raise DlmsMalformed(why="it is compressed")
        tagged = _TAG if control & _AUTHENTICATED else 0
        if content.left < tagged:
            raise DlmsMalformed(why="it is cut short")
        sealed = content.take(content.left - tagged)
        return cls(title, control, counter, sealed, content.take(tagged), context)

    @property
    def encrypted(self) -> bool:
        """Whether nothing can be read without a key."""
        return bool(self.control & _ENCRYPTED)

    def open(self, keys: PushKeys | None, name: str = "") -> Opened:
        """What is within. `name` is a P1 identification around it.

        Without a tag, or without the key for it, a wrong key shows by a plaintext that does not begin as it must.
        Raises PushKeyNeeded, PushKeyWrong, DlmsMalformed.
        """
        if not self.encrypted:
            return Opened(self.content, bool(self.tag) and self._genuine(keys, self.content))
        make = make_of(self.title or name[1:].encode("ascii"))
        if keys is None:
            raise PushKeyNeeded(make=make)
        if not self.title:
            raise DlmsMalformed(why="it does not name its system title")
        plain = crypt(keys.encryption, self.title, self.counter.to_bytes(4), self.content)
        right = begins_right(plain)
        if self.tag and keys.authentication is not None:
            if self._genuine(keys, plain):
                return Opened(plain, genuine=True)
            why = PushKey.AUTHENTICATION if right else PushKey.ENCRYPTION
            raise PushKeyWrong(why=why, make=make)
        if not right:
            raise PushKeyWrong(why=PushKey.ENCRYPTION, make=make)
        return Opened(plain)

    def _genuine(self, keys: PushKeys | None, plain: bytes) -> bool:
        """Whether the tag is that of a plaintext."""
        if keys is None or keys.authentication is None or not self.title:
            return False
        return any(hmac.compare_digest(one, self.tag) for one in self._tags(keys, plain))

    def _tags(self, keys: PushKeys, plain: bytes) -> Iterable[bytes]:
        head = bytes((self.control,)) + (keys.authentication or b"")
        # Suite 0 in general-ciphering: implementations do not agree whether what it says besides is authenticated.
        for context in {b"", self.context}:
            encrypted, associated = plain, head + context
            if not self.encrypted:
                encrypted, associated = b"", associated + plain
            yield tag(keys.encryption, self.title, self.counter.to_bytes(4), encrypted, associated)


def _pass_key_info(reader: Reader) -> None:
    """Pass over key-info: which key it is, wrapped or agreed on, cannot be told by who only listens."""
    if not reader.octet():
        return
    match reader.octet():
        case 0:
            reader.octet()
        case 1:
            reader.octet()
            reader.string()
        case 2:
            reader.string()
            reader.string()
        case _:
            raise DlmsMalformed(why="its key information has an unknown form")
