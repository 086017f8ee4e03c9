"""What the user asks of a meter in programming mode, as a code, and the command that carries it."""

from collections.abc import Sequence
from dataclasses import dataclass
import re

from ..errors import BadField
from ..model import CheckKind, Value
from ..reasons import Field
from . import messages
from .passwords import LOCKS, PasswordMethod, command_of

# A command, an address of 16 characters and a value of 128 between brackets.
_MAX_CODE = 160
_CODE = re.compile(
    r"(?:(?P<command>[RWE][1-6]) )?(?P<address>[^() ]+)(?:\((?P<operand>[^()]*)\))?"
).fullmatch
_COMMAND = re.compile(
    rb"\x01(?P<name>[A-Z][0-9])"
    rb"(?:\x02(?P<address>[^(\x03\x04]*)(?:\([^()]*\))*(?P<more>(?:\r\n[^()\x00-\x1f]+\(\))*))?"
    rb"[\x03\x04].",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """A code taken apart: `command` where the user chose one, `operand` where the register needs one."""

    command: str | None
    address: str
    operand: str | None

    @property
    def name(self) -> str:
        """The register asked for, without the way it is asked."""
        return self.address if self.operand is None else f"{self.address}({self.operand})"


def wish(code: str, letter: str) -> Wish:
    """The parts of a code that a command of `letter` (R, W or E) shall carry. Raises BadField."""
    found = _CODE(code) if len(code) <= _MAX_CODE else None
    if found is None:
        raise BadField(why=Field.CODE)
    command = found["command"]
    if command is not None and not (command[0] == letter and command in messages.COMMANDS):
        raise BadField(why=Field.COMMAND)
    parts = Wish(command, found["address"], found["operand"])
    # What cannot be sent is refused here, before anything is said to the meter.
    messages.command(f"{letter}2", parts.address, (Value(parts.operand or ""),))
    return parts


def reading(parts: Wish, command: str, *, brackets: bool, check: CheckKind) -> bytes:
    """The command that reads a register; without an operand its brackets are empty, or left out (TD-3511)."""
    bare = parts.operand is None and not brackets
    values = () if bare else (Value(parts.operand or ""),)
    return messages.command(command, parts.address, values, check=check)


def reading_together(wishes: Sequence[Wish], command: str, *, check: CheckKind) -> bytes:
    """The command that reads several registers without operands at once, each in a row of its own (SATEC)."""
    rows = "\r\n".join(f"{parts.address}()" for parts in wishes)
    covered = command.encode("ascii") + messages.STX + rows.encode("ascii") + messages.ETX
    return messages.SOH + covered + bytes([messages.check_character(covered, check)])


def proving(login: PasswordMethod, text: str, *, check: CheckKind) -> bytes:
    """The command that carries a proof, or opens a lock."""
    return messages.command(command_of(login), LOCKS.get(login, ""), (Value(text),), check=check)


def writing(
    parts: Wish, command: str, value: str, *, password: str | None = None, check: CheckKind
) -> bytes:
    """The command that sets a register or executes one; `password` goes into a second bracket. Raises BadField."""
    values = (Value(value),) if password is None else (Value(value), Value(password))
    return messages.command(command, parts.address, values, check=check)


def decode(command: bytes) -> tuple[str, str] | None:
    """Command and address of an encoded command, None where it is none, or more than one.

    Several registers may only be read at once; the address is the first one's.
    """
    found = _COMMAND.fullmatch(command)
    if found is None or (found["more"] and not found["name"].startswith(b"R")):
        return None
    return found["name"].decode(), (found["address"] or b"").decode("ascii")
