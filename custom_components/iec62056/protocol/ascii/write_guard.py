"""What may leave towards a meter in programming mode: judged on the command as it is encoded, the last thing before it leaves."""

from dataclasses import dataclass

from ..errors import BadField, NotPermitted, PasswordNeeded
from ..model import CheckKind
from ..register_session import Permits
from . import clock, commands
from .passwords import LOCKS, Password


@dataclass(frozen=True, slots=True)
class WriteGuard:
    """Lets pass what reads and what ends a session; anything else only where it is permitted.

    With a `password`, P1 and P2 too, and the opening of a lock with it and nothing else.
    """

    permits: Permits
    password: Password | None

    def __call__(self, command: bytes) -> None:
        """Raises NotPermitted, PasswordNeeded for a command that must not leave."""
        parts = commands.decode(command)
        if parts is None:
            raise NotPermitted(code="?")
        name, address = parts
        match name[0]:
            case "R" | "B":
                return
            case "P" if self.password is not None:
                return
            case "P":
                raise PasswordNeeded(code=name, message="P0")
            case "W" if self._opens_lock(command):
                return
            case "W" if self.permits.clock and address in (clock.TIME, clock.DATE):
                return
            case "W" if _listed(name, address, self.permits.write):
                return
            case "E" if _listed(name, address, self.permits.execute):
                return
        raise NotPermitted(code=address)

    def _opens_lock(self, command: bytes) -> bool:
        """Whether a command is nothing but this password for a lock that it is meant for."""
        password = self.password
        if password is None:
            return False
        locks = LOCKS if password.login is None else {password.login} & LOCKS.keys()
        return any(
            command == commands.proving(lock, password.text, check=check)
            for lock in locks
            for check in (CheckKind.XOR, CheckKind.SUM)
        )


def _listed(name: str, address: str, codes: frozenset[str]) -> bool:
    """Whether a code of the list is this register: by any command, or by the one it names."""
    for code in codes:
        try:
            parts = commands.wish(code, name[0])
        except BadField:
            continue
        if parts.address == address and parts.command in (None, name):
            return True
    return False
