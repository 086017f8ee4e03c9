"""A line whose meter says whatever a fuzzer wants, in a time of its own; and what drives a conversation over it."""

from collections.abc import Coroutine
from typing import Any, override

from custom_components.iec62056.protocol.errors import BridgeRefusedSettings
from custom_components.iec62056.protocol.transport.line import with_even_parity
from custom_components.iec62056.protocol.transport.trace import Direction, LineStats, Trace
from tests.protocol.timed import BEGUN, TimedLine

from .corpus import NEXT

LATE, ENDLESS, UNASKED, BARE = 0x1F, 0x20, 0x40, 0x80
SWITCHES, FAST, CLUMPED = 0x02, 0x04, 0x08
# What never ends comes in long runs, so that a case takes no time of its own.
LONG_RUN = 2.0
# More than that is no conversation any more: it would never end.
MOST_READS = 200_000


class FedLine(TimedLine):
    """`part` is the meter's, see above. `flood` is how many seconds of it "for ever" lasts."""

    flood = float("inf")

    def __init__(self, part: bytes) -> None:
        head, *utterances = part.split(NEXT)
        settings = head[0] if head else 0
        self.name = "/dev/fed"
        self.can_switch = bool(settings & SWITCHES)
        self.speed = 9600 if settings & FAST else 300
        self.grace = 0.05
        self.margin = 0.0
        self.binary = False
        self.tally = LineStats()
        self.trace = Trace()
        self.written: list[bytes] = []
        self.reads = 0
        self._run = 0.5 if settings & CLUMPED else 0.05
        self._utterances = utterances[::-1]
        self._now = self._sent_at = BEGUN
        self._saying = b""
        self._place = 0
        self._begin = self._said_at = BEGUN
        self._endless = False

    @override
    async def write(self, data: bytes, *, secret: bool = False) -> None:
        raw = data if self.binary else with_even_parity(data)
        self.written.append(data)
        self._sent_at = max(self._now, self._sent_at) + len(raw) * 10 / self.speed
        self.trace.add(Direction.SENT, self._now, self.speed, raw, secret=secret)
        if not self._endless:
            self._say(self._sent_at, self.answers(data))

    @override
    async def read(self, deadline: float) -> bytes:
        self.reads += 1
        assert self.reads < MOST_READS, "it never ends"
        if not self._saying and self._utterances and self._utterances[-1][:1] >= bytes((UNASKED,)):
            self._say(self._now, None)
        if self._endless and self._now - self._said_at > self.flood:
            self._saying, self._endless = b"", False
        left = len(self._saying) - self._place
        if not self._saying or self._begin > deadline or (not left and not self._endless):
            self._now = max(self._now, deadline)
            return b""
        self._now = max(self._now, self._begin)
        count = max(1, round((LONG_RUN if self._endless else self._run) * self.speed / 10))
        if self._endless:
            run = (self._saying * (count // len(self._saying) + 2))[self._place :][:count]
            self._place = (self._place + count) % len(self._saying)
        else:
            run = self._saying[self._place : self._place + count]
            self._place += count
            if self._place >= len(self._saying):
                self._saying, self._place = b"", 0
        self._now += len(run) * 10 / self.speed
        self._begin = self._now
        self.trace.add(Direction.RECEIVED, self._now, self.speed, run)
        if self.binary:
            self.tally.characters += len(run)
        else:
            self.tally.count(run)
        return run

    @override
    async def set_speed(self, speed: int, at: float) -> None:
        if not self.can_switch or speed > 19200:
            raise BridgeRefusedSettings(port=self.name, wanted=f"{speed} Bd")
        await self.sleep_until(at)
        self.speed = speed

    @override
    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        """There are none."""

    @override
    def drop_input(self) -> None:
        if self._begin <= self._now and not self._endless:
            self._saying = b""

    @override
    async def sleep_until(self, when: float) -> None:
        self._now = max(self._now, when)

    @override
    async def close(self) -> None:
        """It is never opened."""

    def answers(self, data: bytes) -> bytes | None:
        """What the meter says without being told to."""
        return None

    def wrapped(self, said: bytes) -> bytes:
        """An utterance as it is on the wire."""
        return said

    def _say(self, after: float, made: bytes | None) -> None:
        head, said = 0, made
        if said is None:
            if not self._utterances:
                return
            utterance = self._utterances.pop()
            head, said = (utterance[0], utterance[1:]) if utterance else (0, b"")
            said = said if head & BARE else self.wrapped(said)
        if said.isascii() and not head & BARE and not self.binary:
            said = with_even_parity(said)
        self._saying, self._place = said, 0
        self._begin = self._said_at = after + (head & LATE) / 10
        self._endless = bool(head & ENDLESS and said)


def drive[T](conversation: Coroutine[Any, Any, T]) -> T:
    """Hold a conversation that waits for nothing but its line, which never lets it wait."""
    try:
        conversation.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise AssertionError("it waits for something besides its line")
