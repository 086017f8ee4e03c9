"""Error messages of programming mode by their meaning (Std 6.3.7)."""

from enum import Enum, auto
import re

from ..errors import (
    AccessDenied,
    CommandUnknown,
    LockedOut,
    LoginError,
    MeterRefused,
    NothingRecorded,
    PasswordNeeded,
    PasswordRefused,
    SealedRegister,
    SecretNeeded,
    UnknownRegister,
    ValueRefused,
)
from ..register_session import Level
from . import messages

_LONGEST = 64
# With the address before it, as P.98(ERROR), a value may begin with ER too.
_ADDRESSED = re.compile(
    rb"\s*[^()\x00-\x1f]{1,16}\((?P<text>ERR(?:OR)?|#?ER(?:R(?:OR)?)? ?[0-9]{1,5}|#[0-9]{1,5})\)\s*"
)
_FORM = re.compile(r"(?P<word>#?[A-Z]*)[ (]?(?P<number>[0-9]*)\)?")


class _Meaning(Enum):
    COMMAND = auto()
    REGISTER = auto()
    VALUE = auto()
    EMPTY = auto()
    ACCESS = auto()
    MAKER = auto()
    SEALED = auto()
    LOCKED = auto()


# Elster A1440, A1350, A1500: ERRORnn.
_ELSTER = {
    **dict.fromkeys((0, 1, 4, 7), _Meaning.COMMAND),
    2: _Meaning.MAKER,
    3: _Meaning.SEALED,
    5: _Meaning.EMPTY,
    6: _Meaning.VALUE,
    8: _Meaning.SEALED,
    11: _Meaning.VALUE,
    12: _Meaning.ACCESS,
    13: _Meaning.SEALED,
    14: _Meaning.ACCESS,
    15: _Meaning.SEALED,
    16: _Meaning.ACCESS,
}
# Elster A140, A1140, A1700: ERRn. Energomera counts from 11 on.
_ERR = {
    1: _Meaning.COMMAND,
    2: _Meaning.REGISTER,
    3: _Meaning.COMMAND,
    5: _Meaning.LOCKED,
    12: _Meaning.REGISTER,
}
# Gas volume converters with LIS-200: #nnnn.
_LIS200 = {
    1: _Meaning.REGISTER,
    2: _Meaning.REGISTER,
    6: _Meaning.VALUE,
    17: _Meaning.ACCESS,
    18: _Meaning.ACCESS,
    19: _Meaning.ACCESS,
    20: _Meaning.SEALED,
    100: _Meaning.EMPTY,
    103: _Meaning.EMPTY,
    200: _Meaning.COMMAND,
    201: _Meaning.ACCESS,
}
_FERRANTI = {1: _Meaning.REGISTER, 2: _Meaning.COMMAND}
_TABLES = {"ERROR": _ELSTER, "ERR": _ERR, "#": _LIS200, "#ERR": _FERRANTI}

_KINDS: dict[_Meaning, type[MeterRefused]] = {
    _Meaning.COMMAND: CommandUnknown,
    _Meaning.REGISTER: UnknownRegister,
    _Meaning.VALUE: ValueRefused,
    _Meaning.EMPTY: NothingRecorded,
    _Meaning.SEALED: SealedRegister,
}
# Codes of load profiles and logs: a bare ERROR says that the range is empty.
_RECORDS = "P."


def error_text(block: bytes) -> str | None:
    """The text of an error message, with or without an address before it; None where the block is none."""
    if len(block) <= _LONGEST and (found := _ADDRESSED.fullmatch(block)):
        return found["text"].decode("ascii")
    return messages.error_message(block)


def refusal(text: str, code: str, level: Level) -> MeterRefused:
    """Why a command for `code` was refused in a session of that level."""
    meaning = _meaning(text)
    said = {"code": code, "message": text}
    if text == "ERROR" and code.rpartition(" ")[2].startswith(_RECORDS):
        return NothingRecorded(**said)
    if meaning in (_Meaning.ACCESS, _Meaning.LOCKED, _Meaning.MAKER):
        return PasswordNeeded(**said) if level is Level.OPEN else AccessDenied(**said)
    return MeterRefused(message=text) if meaning is None else _KINDS[meaning](**said)


def login_refusal(text: str) -> LoginError:
    """Why a password was refused with an error message in place of a break."""
    match _meaning(text):
        case _Meaning.LOCKED:
            return LockedOut(message=text)
        case _Meaning.MAKER:
            return SecretNeeded()
        case _:
            return PasswordRefused()


def _meaning(text: str) -> _Meaning | None:
    found = _FORM.fullmatch(text)
    if found is None or not found["number"]:
        return None
    return _TABLES.get(found["word"], {}).get(int(found["number"]))
