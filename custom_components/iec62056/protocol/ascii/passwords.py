"""How a password is proven in programming mode: itself, a result of it and of the meter's operand, or written to a lock."""

from dataclasses import dataclass, field
from enum import StrEnum
import re
import zlib

from ..errors import BadSecret, SecretNeeded
from ..reasons import Secret
from ..register_session import Level

# Std 6.5.1: the longest value. All that may stand in one (6.3.14) may stand in a password.
_MOST = 32
_TEXT = re.compile(r"[^()*/!\x00-\x1f\x7f-\U0010ffff]+").fullmatch
_SEED = re.compile(r"[0-9A-Fa-f]{16}").fullmatch
_RANDOM = re.compile(r"[0-9A-Fa-f]{1,8}").fullmatch


class PasswordMethod(StrEnum):
    """What the meter is sent: the password in P1 or in P2, the result of an algorithm in P2 (Std 6.3.14 item 18).

    SECRET is an algorithm that only the maker knows. A LOCK is opened by writing its code to a register of its own.
    """

    PLAIN = "plain"
    RESULT = "result"
    CRC32 = "crc32"
    ROLLING_SUM = "rolling_sum"
    SUPPLIER_LOCK = "supplier_lock"
    CUSTOMER_LOCK = "customer_lock"
    SECRET = "secret"  # noqa: S105


# LIS-200 (manual of the EK260, 2.4.3): each party's code has a register; readers of EK270 write it there with W1.
LOCKS: dict[PasswordMethod, str] = {
    PasswordMethod.SUPPLIER_LOCK: "3:171.0",
    PasswordMethod.CUSTOMER_LOCK: "4:171.0",
}


@dataclass(frozen=True, slots=True)
class Password:
    """A meter's password; `login` says how it is proven, None as the meter's make does it. Raises BadSecret."""

    text: str = field(repr=False)
    login: PasswordMethod | None = None

    def __post_init__(self) -> None:
        if len(self.text) > _MOST:
            raise BadSecret(why=Secret.LONG)
        if not _TEXT(self.text):
            raise BadSecret(why=Secret.CHARACTERS)


def command_of(login: PasswordMethod) -> str:
    """The command that carries the proof: P1 for the password itself, P2 for a result, W1 for a lock."""
    if login in LOCKS:
        return "W1"
    return "P1" if login is PasswordMethod.PLAIN else "P2"


def level_of(login: PasswordMethod) -> Level:
    """The access level of the standard's Annex D that a proof opens."""
    return Level.SECRET if command_of(login) == "P2" else Level.PASSWORD


def proof(login: PasswordMethod, password: str, operand: str) -> str:
    """What to send for a password and the operand of P0. Raises SecretNeeded, BadSecret."""
    match login:
        case (
            PasswordMethod.PLAIN
            | PasswordMethod.RESULT
            | PasswordMethod.SUPPLIER_LOCK
            | PasswordMethod.CUSTOMER_LOCK
        ):
            return password
        case PasswordMethod.CRC32:
            return _crc32(password, operand)
        case PasswordMethod.ROLLING_SUM:
            return _rolling_sum(password, operand)
        case PasswordMethod.SECRET:
            raise SecretNeeded


def _crc32(password: str, operand: str) -> str:
    """Energomera CE208, CE308: CRC-32 of the password that begins with the operand, a number in hexadecimal digits.

    Zeros before it are left out (83BC249: latonita/esphome-energomera-iec#1). Untested against a meter.
    """
    if not _RANDOM(operand):
        raise SecretNeeded
    # zlib takes the register as it was left behind, inverted.
    return f"{zlib.crc32(password.encode(), int(operand, 16) ^ 0xFFFFFFFF):08X}"


def _rolling_sum(password: str, operand: str) -> str:
    """Elster A1700: eight characters XOR eight octets, each then added to the one before it, the first to the last."""
    if not _SEED(operand):
        raise SecretNeeded
    if len(password) != 8:
        raise BadSecret(why=Secret.NOT_EIGHT)
    mixed = [ord(one) ^ other for one, other in zip(password, bytes.fromhex(operand), strict=True)]
    last = mixed[-1]
    result = bytearray()
    for octet in mixed:
        last = (octet + last) & 0xFF
        result.append(last)
    return result.hex().upper()
