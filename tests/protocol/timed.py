"""What all lines of the tests have in common: a time of their own, in which nobody waits."""

from datetime import UTC, datetime, timedelta
from typing import override

from custom_components.iec62056.protocol.transport.line import Line

START = datetime(2031, 5, 17, 6, 0, tzinfo=UTC)
BEGUN = 1000.0


class TimedLine(Line):
    """A line whose clock is moved by what is said on it."""

    even_parity: bool = False
    _now: float
    _sent_at: float

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._now - BEGUN

    @property
    @override
    def sent_at(self) -> float:
        return self._sent_at

    @override
    def now(self) -> float:
        return self._now

    @override
    def utcnow(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    @override
    async def set_format(self, speed: int, *, even_parity: bool) -> None:
        await self.set_speed(speed, self._now)
        self.even_parity = even_parity
