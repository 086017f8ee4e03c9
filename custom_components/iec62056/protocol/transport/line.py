"""The half-duplex line as a conversation sees it: a seam, so that it can be tested with a scripted line in no time."""

from datetime import datetime
from typing import Protocol

from .trace import LineStats, Trace

# One start bit, seven data bits, parity, one stop bit (Std 5.2); 8N1 has as many.
BITS_PER_CHARACTER = 10

_EVEN_PARITY = bytes(value | 0x80 if value.bit_count() % 2 else value for value in range(128))


def with_even_parity(data: bytes) -> bytes:
    """Seven-bit characters with even parity in bit 7: `/?!` becomes AF 3F 21.

    Raises:
        ValueError: a character has more than seven bits.
    """
    if not data.isascii():
        raise ValueError("only characters of seven bits can carry a parity bit")
    return data.translate(_EVEN_PARITY + bytes(128))


class Line(Protocol):
    """What a conversation needs of a line. All times are seconds of `now()`; speeds are in baud."""

    name: str
    """The port or URL without credentials, for messages."""
    can_switch: bool
    """Whether the speed of the open line may change."""
    can_refuse: bool = False
    """Whether somebody else sets the speed, and may refuse one."""
    speed: int
    """The speed now."""
    grace: float
    """What to add to every deadline: stalls of the link, and the lag measured on it."""
    margin: float
    """The time between the end of the last character and a change of speed on this line."""
    tally: LineStats
    """Running counters."""
    trace: Trace
    """Every run of bytes, bounded."""
    binary: bool
    """Whether all eight bits are the message's own (mode E): no parity is made or checked, no echo taken out."""

    @property
    def sent_at(self) -> float:
        """When the last written character has left: computed, ten bits per character at the speed it was written.

        Never asked for: a drain returns at once on a pty and a socket, early on adapters that still hold characters,
        late on those that poll.
        """

    def now(self) -> float:
        """Monotonic seconds."""

    def utcnow(self) -> datetime:
        """The time of day, aware, UTC."""

    async def write(self, data: bytes, *, secret: bool = False) -> None:
        """Send characters of seven bits, to which parity is added, or octets on a `binary` line.

        Returns when they are handed over, not when they have left.

        What is `secret` does not get into the trace or a library's log, nor does its echo.

        Raises:
            LineError: the line is gone.
            ValueError: a character has more than seven bits, and the line is not `binary`.
        """

    async def read(self, deadline: float) -> bytes:
        """The next run of octets as they came, our own echo apart; empty when the deadline passes.

        Bit 7 is the parity of a character where the line has one.

        Raises:
            LineError: the line is gone, and everything that came before that has been read.
        """

    async def set_speed(self, speed: int, at: float) -> None:
        """Change the speed at that time. What came before stays readable; nothing that comes afterwards is lost.

        Raises:
            LineError: the line is gone, or cannot change to that speed.
        """

    async def set_format(self, speed: int, *, even_parity: bool) -> None:
        """Change speed and parity of a line with eight data bits. What is on its way may be lost.

        Raises:
            LineError: the line is gone, or cannot be set so.
        """

    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        """Set the pins that feed many probes, also after each later change of speed; None leaves one as it is.

        A line without such pins passes it over.

        Raises:
            LineError: the line is gone, or its bridge refused.
        """

    def drop_input(self) -> None:
        """Forget everything received so far."""

    async def sleep_until(self, when: float) -> None:
        """Let time pass until `when`; at once if it is over."""

    async def close(self) -> None:
        """Free the port."""
