"""Turns on one line that several meters share."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

# What a meter still owes after a session that was broken off comes within the longest reaction time (Std 6.4.2).
BUS_IDLE: Final = 1.5
# Whatever is asked for: the next meter is not kept waiting for longer.
LONGEST_IDLE: Final = 5.0


class FairLock:
    """One line's queue. Users take turns in order of arrival; each has one turn while another one waits.

    A user that asks ten times at once goes to the end after each turn, so that nobody waits longer than one turn of
    every other user.
    """

    def __init__(self) -> None:
        """Begin with a free line that nobody has used."""
        self.idle = 0.0
        self._taken = False
        self._places: dict[Hashable, deque[asyncio.Future[None]]] = {}
        self._last: Hashable = None
        self._left_at = 0.0
        self._knock = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many turns are waited for: whoever keeps a session open gives the line back when there are any."""
        return sum(len(places) for places in self._places.values())

    async def wanted(self) -> None:
        """Come back as soon as somebody waits for the line."""
        while not self.waiting:
            self._knock.clear()
            await self._knock.wait()

    @asynccontextmanager
    async def turn(self, user: Hashable, idle: float = 0.0) -> AsyncIterator[None]:
        """Wait for the line, have it, and pass it on whatever happens.

        `idle` seconds of silence between two users are what a line needs on which they hear each other; a line that
        needed them once keeps them.
        """
        self.idle = min(max(self.idle, idle), LONGEST_IDLE)
        await self._take(user)
        try:
            if self._last != user:
                loop = asyncio.get_running_loop()
                await asyncio.sleep(max(0.0, self._left_at + self.idle - loop.time()))
            self._last = user
            try:
                yield
            finally:
                self._left_at = asyncio.get_running_loop().time()
        finally:
            self._pass_on()

    async def _take(self, user: Hashable) -> None:
        if not self._taken:
            self._taken = True
            return
        place = asyncio.get_running_loop().create_future()
        self._places.setdefault(user, deque()).append(place)
        self._knock.set()
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._give_up(user, place)
            else:
                # The line was given to someone who has gone meanwhile.
                self._pass_on()
            raise

    def _give_up(self, user: Hashable, place: asyncio.Future[None]) -> None:
        """Leave the queue."""
        # Its turn may have come in the same moment: then it has no place any more.
        places = self._places.get(user, deque())
        if place in places:
            places.remove(place)
            if not places:
                del self._places[user]

    def _pass_on(self) -> None:
        """Give the line to the user who waits longest, or to nobody."""
        self._taken = False
        while self._places and not self._taken:
            user = next(iter(self._places))
            places = self._places.pop(user)
            place = places.popleft()
            if places:
                self._places[user] = places
            if not place.done():
                place.set_result(None)
                self._taken = True
