"""A loop whose time passes only while nobody has anything to do: a day of waiting takes no time at all."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
import time
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.util import dt as dt_util

from custom_components.iec62056.protocol.transport.serial_line import SerialLine
from custom_components.iec62056.validation import validator

# How long a thread that still works is waited for, before the loop looks again.
GLANCE = 0.01
# A frozen clock goes on by that much each time there is nothing to do for so long.
STEP, IDLE = 0.1, 0.001


class Time:
    """The time of one loop, in seconds, and of the day."""

    def __init__(self, now: float, begin: datetime) -> None:
        self.now = now
        self._start = now
        self._begin = begin
        self.threads = 0

    def time(self) -> float:
        return self.now

    def utcnow(self) -> datetime:
        return self._begin + timedelta(seconds=self.now - self._start)

    def timestamp(self) -> float:
        return self.utcnow().timestamp()


@contextmanager
def leaping(begin: datetime) -> Iterator[Time]:
    """Let the running loop's time leap. Threads it waits for take no time of it."""
    loop: Any = asyncio.get_running_loop()
    clock = Time(loop.time(), begin)
    select, run_in_executor = loop._selector.select, loop.run_in_executor

    def leap(timeout: float | None = None) -> Any:
        events = select(0)
        if events or timeout == 0:
            return events
        if clock.threads or timeout is None:
            return select(GLANCE)
        clock.now += max(timeout, 0.0)
        return events

    def in_thread(executor: Any, function: Any, *arguments: Any) -> Any:
        clock.threads += 1
        future = run_in_executor(executor, function, *arguments)

        def done(_: object) -> None:
            clock.threads -= 1

        future.add_done_callback(done)
        return future

    loop.time, loop._selector.select, loop.run_in_executor = clock.time, leap, in_thread
    try:
        with (
            patch.object(dt_util, "utcnow", clock.utcnow),
            patch.object(time, "time", clock.timestamp),
            patch.object(validator, "monotonic", clock.time),
            patch.object(SerialLine, "utcnow", lambda _: clock.utcnow().astimezone(UTC)),
        ):
            yield clock
    finally:
        loop._selector.select, loop.run_in_executor = select, run_in_executor


@contextmanager
def ticking(freezer: FrozenDateTimeFactory) -> Iterator[None]:
    """Let a frozen clock go on while the running loop has nothing to do."""
    selector: Any = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    select = selector.select

    def tick(timeout: float | None = None) -> Any:
        events = select(0 if timeout == 0 else IDLE)
        if not events and timeout != 0:
            freezer.tick(STEP)
        return events

    selector.select = tick
    try:
        yield
    finally:
        selector.select = select
