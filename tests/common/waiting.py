"""Waiting until something is so, with a deadline that fails with what is known by then."""

import asyncio
from asyncio import sleep
from collections.abc import Callable
import time

# Most of what is awaited comes within some turns of the loop, and a test may want the very turn.
TURNS = 1000


def now() -> float:
    """The machine's own time: no test freezes, hurries or leaps this clock."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


async def until(
    condition: Callable[[], object], seconds: float = 20.0, words: Callable[[], object] = lambda: ""
) -> None:
    """Let the loop and its threads go on until the condition holds; `words` says what came instead."""
    end, turns = now() + seconds, 0
    while not condition():
        if now() > end:
            raise AssertionError(f"not within {seconds:.0f} s. Its last words: {words()}")
        turns += 1
        # The loop's own clock may be frozen.
        await (sleep(0) if turns < TURNS else asyncio.to_thread(time.sleep, 0.001))
