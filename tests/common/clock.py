"""A loop whose clock runs faster than the wall's, so that a minute of the protocol takes seconds."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
import time
from typing import Any, Final

# Seconds by which a sum of floats may miss: whoever compares times allows for it.
ROUNDING: Final = 1e-6


class Clock:
    """The time of one loop, continuous through every change of its pace."""

    def __init__(self, now: float, select: Callable[[float | None], Any]) -> None:
        self._base = now
        self._select = select
        self._worked = time.thread_time()
        self._ahead = 0.0
        self.pace = 1.0

    def time(self) -> float:
        return self._base + (time.thread_time() - self._worked) * self.pace

    def set_pace(self, pace: float) -> None:
        self._pass(0.0)
        self.pace = pace

    def skip(self, seconds: float) -> None:
        """Let that time be over when the loop next waits: for times in which nothing is on the wire."""
        self._ahead += seconds

    def wait(self, timeout: float | None = None) -> Any:
        """In place of the selector's own wait, for `timeout` seconds of the loop's time."""
        if self._ahead:
            self._pass(self._ahead)
            self._ahead = 0.0
            timeout = 0
        begun = time.monotonic()
        events = self._select(timeout and timeout / self.pace)
        waited = (time.monotonic() - begun) * self.pace
        self._pass(waited if timeout is None else min(waited, timeout))
        return events

    def _pass(self, seconds: float) -> None:
        self._base = self.time() + seconds
        self._worked = time.thread_time()


@contextmanager
def hurried(pace: float) -> Iterator[Clock]:
    """Let the running loop's time pass `pace` times as fast."""
    loop: Any = asyncio.get_running_loop()
    selector = loop._selector
    clock = Clock(loop.time(), selector.select)
    loop.time, selector.select = clock.time, clock.wait
    clock.set_pace(pace)
    try:
        yield clock
    finally:
        # Time never runs back: what is still planned comes at the wall's pace.
        clock.set_pace(1.0)
