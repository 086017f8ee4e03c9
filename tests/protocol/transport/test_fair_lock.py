"""Turns on a line: everyone gets one, nobody two while another one waits, and who goes away takes none along."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from random import Random

import pytest

from custom_components.iec62056.protocol.transport.fair_lock import LONGEST_IDLE, FairLock

SEED = 21


class Line:
    """Who had the line, and that there was only one."""

    def __init__(self, queue: FairLock) -> None:
        self.queue = queue
        self.order: list[str] = []
        self.at: list[float] = []
        self.held = False

    async def use(self, user: str, idle: float = 0.0, steps: int = 1) -> None:
        async with self.queue.turn(user, idle):
            assert not self.held, "two masters"
            self.held = True
            try:
                self.order.append(user)
                self.at.append(asyncio.get_running_loop().time())
                for _ in range(steps):
                    await asyncio.sleep(0)
            finally:
                self.held = False

    async def is_free(self) -> bool:
        """Whether who comes now gets the line."""
        return await everyone(self.use("a")) == [None]


async def settle() -> None:
    """Let everyone get as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def everyone(*users: Awaitable[None]) -> list[BaseException | None]:
    """Wait for all of them; who waits for ever is a failure."""
    async with asyncio.timeout(5):
        return await asyncio.gather(*users, return_exceptions=True)


@pytest.fixture
def line() -> Line:
    return Line(FairLock())


async def test_in_order_of_arrival(line: Line) -> None:
    await everyone(*(line.use(user) for user in "dacb"))
    assert line.order == list("dacb")
    assert await line.is_free()


async def test_who_asks_often_waits_for_the_others(line: Line) -> None:
    await everyone(*(line.use(user) for user in "aaaaabcb"))
    assert "".join(line.order) == "aabcabaa"


async def test_who_comes_back_at_once_does_not_pass_the_others(line: Line) -> None:
    async def again(user: str) -> None:
        for _ in range(3):
            await line.use(user)

    await everyone(again("a"), again("b"), again("c"))
    assert "".join(line.order) == "abcabcabc"


async def test_waiting_is_seen(line: Line) -> None:
    async with line.queue.turn("a"):
        assert line.queue.waiting == 0
        tasks = [asyncio.create_task(line.use(user)) for user in "bbc"]
        await settle()
        assert line.queue.waiting == 3
        tasks[1].cancel()
        await settle()
        assert line.queue.waiting == 2
    await everyone(*tasks)
    assert "".join(line.order) == "bc"


async def test_gone_in_the_moment_its_turn_comes(line: Line) -> None:
    """The turn is neither lost nor given twice."""
    async with line.queue.turn("a"):
        tasks = [asyncio.create_task(line.use(user)) for user in "bcd"]
        await settle()
    # Its turn has come, but it was not told yet.
    tasks[0].cancel()
    await everyone(*tasks)
    assert "".join(line.order) == "cd"
    assert await line.is_free()


async def test_the_next_and_the_one_after_it_go_at_once(line: Line) -> None:
    async with line.queue.turn("a"):
        tasks = [asyncio.create_task(line.use(user)) for user in "bcd"]
        await settle()
        tasks[0].cancel()
        tasks[1].cancel()
    await everyone(*tasks)
    assert line.order == ["d"]
    assert await line.is_free()


async def test_failure_passes_the_line_on(line: Line) -> None:
    with pytest.raises(OSError, match="gone"):
        async with line.queue.turn("a"):
            raise OSError("gone")
    await line.use("b")
    assert line.order == ["b"]


class Sleeps:
    """The loop's clock, without its time passing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._sleep = asyncio.sleep
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        monkeypatch.setattr(
            "custom_components.iec62056.protocol.transport.fair_lock.asyncio.sleep", self.sleep
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await self._sleep(0)


async def test_line_rests_between_two_meters(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, clock = FairLock(), Sleeps(monkeypatch)
    begun: list[float] = []

    async def use(user: str, idle: float, takes: float) -> None:
        async with queue.turn(user, idle):
            begun.append(clock.now)
            clock.now += takes

    await use("a", 1.5, 10.0)
    # Not between two turns of one meter.
    await use("a", 1.5, 2.0)
    # Also before one that says nothing of it: the meters hear each other all the same.
    await use("b", 0.0, 4.0)
    clock.now += 1.0
    await use("a", 1.5, 1.0)
    clock.now += 60.0
    await use("b", 0.0, 1.0)
    assert begun == [1000.0, 1010.0, 1013.5, 1019.0, 1080.0]


async def test_rest_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, clock = FairLock(), Sleeps(monkeypatch)
    async with queue.turn("a", 3600.0):
        pass
    async with queue.turn("b"):
        pass
    assert sum(clock.slept) == LONGEST_IDLE


async def test_gone_while_the_line_rests(line: Line) -> None:
    await line.use("a", LONGEST_IDLE)
    resting = asyncio.create_task(line.use("b"))
    await settle()
    assert line.order == ["a"]
    resting.cancel()
    await everyone(resting)
    await line.use("a")
    assert line.order == ["a", "a"]
    assert await line.is_free()


async def test_many_users_that_come_and_go() -> None:
    """Whoever stays is served, whoever goes."""
    random = Random(SEED)
    for _ in range(200):
        line = Line(FairLock())
        tasks = []
        for _ in range(random.randrange(2, 30)):
            user = random.choice("abcd")
            tasks.append(asyncio.create_task(line.use(user, steps=random.randrange(4))))
            if random.random() < 0.3:
                random.choice(tasks).cancel()
            if random.random() < 0.3:
                await asyncio.sleep(0)
        await settle()
        done = await everyone(*tasks)
        served = Counter(line.order).total()
        assert await line.is_free()
        assert served >= sum(one is None for one in done)
