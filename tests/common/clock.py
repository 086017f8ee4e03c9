"""A loop whose clock runs faster than the wall's, so that a minute of the protocol takes seconds.

Here: the loop's own clock and how long it sleeps. Everything in the loop (client, simulated meter, Home Assistant)
lives in that time; other processes and threads only seem slower.
Never here: the time of day.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
import time
from typing import Any, Final

# Seconds by which a sum of floats may miss: whoever compares times allows for it.
ROUNDING: Final = 1e-6


class Clock:
    """The time of one loop, continuous through every change of its pace."""

    def __init__(self, now: float) -> None:
        self._base = now
        self._since = time.monotonic()
        self._ahead = 0.0
        self.pace = 1.0

    def time(self) -> float:
        return self._base + (time.monotonic() - self._since) * self.pace

    def set_pace(self, pace: float) -> None:
        self._base, self._since, self.pace = self.time(), time.monotonic(), pace

    def skip(self, seconds: float) -> None:
        """Let that time be over when the loop next waits: for times in which nothing is on the wire."""
        self._ahead += seconds

    def wait(self, timeout: float | None) -> float | None:
        """How long the loop really waits where it would wait `timeout` seconds of its own."""
        if self._ahead:
            self._base += self._ahead
            self._ahead = 0.0
            return 0
        return timeout and timeout / self.pace


@contextmanager
def hurried(pace: float) -> Iterator[Clock]:
    """Let the running loop's time pass `pace` times as fast."""
    loop: Any = asyncio.get_running_loop()
    clock = Clock(loop.time())
    selector = loop._selector
    select = selector.select
    loop.time = clock.time
    selector.select = lambda timeout=None: select(clock.wait(timeout))
    clock.set_pace(pace)
    try:
        yield clock
    finally:
        # Time never runs back: what is still planned comes at the wall's pace.
        clock.set_pace(1.0)
