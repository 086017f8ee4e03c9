"""What a simulated meter and its wire saw, for assertions and for the user who watches."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import override

LIMIT = 10_000


class Kind(StrEnum):
    """What may happen."""

    SPEED = "the client changed its speed"
    SIGN_ON = "request"
    IGNORED = "request not answered"
    IDENTIFIED = "identification sent"
    OPTION = "option select"
    NO_OPTION = "no option select"
    DATA = "data begin"
    SENT = "data sent"
    REFUSED = "refusal sent"
    REPEAT = "repeat asked for"
    OPERAND = "operand sent"
    LOGGED_IN = "logged in"
    WRONG_PASSWORD = "password refused"  # noqa: S105
    COMMAND = "command"
    CHANGED = "changed"
    TIMED_OUT = "the session timed out"
    BREAK = "the client signed off"
    WOKEN = "woken up"
    ASLEEP = "asleep"
    DAMAGED = "damaged character heard"
    DEAF = "character arrived while sending"
    MISSED = "characters the client could not read at its speed"
    COLLISION = "two meters sent at once"
    CONNECTED = "a client connected"
    DISCONNECTED = "the client went"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `at` is in seconds of the wire's clock.

    `value` of SPEED: seconds between the client's last character leaving and its change of speed, negative where
    characters were still on their way, None where nothing was ever sent. Of OPTION: seconds between the end of
    the identification and the client's first character. Of WOKEN: how many NULs were counted. Of SENT and MISSED:
    the number of characters.
    """

    at: float
    kind: Kind
    text: str = ""
    value: float | None = None

    @override
    def __str__(self) -> str:
        parts = [f"{self.at:10.3f} {self.kind.value}"]
        if self.text:
            parts.append(self.text)
        if self.value is not None:
            parts.append(f"({self.value:.6g})")
        return " ".join(parts)


class Log:
    """The latest events, in order."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=LIMIT)
        self.listeners: list[Callable[[Event], None]] = []

    def note(self, at: float, kind: Kind, text: str = "", value: float | None = None) -> None:
        """Keep one event and tell the listeners."""
        event = Event(at, kind, text, value)
        self.events.append(event)
        for listener in self.listeners:
            listener(event)

    def of(self, *kinds: Kind) -> list[Event]:
        """All kept events of these kinds, oldest first."""
        return [event for event in self.events if event.kind in kinds]
