"""Alignment of the probe: calls the meter again and again and judges what comes back."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from homeassistant.core import HomeAssistant, callback

from ..entry_data import idle_of
from ..protocol.ascii.sign_on import RetryPolicy
from ..protocol.client import MeterClient
from ..protocol.dlms_errors import PushUnframed
from ..protocol.errors import (
    BridgeSilent,
    CheckWrong,
    FixedSpeed,
    Incomplete,
    LineBusy,
    LineError,
    MeterError,
    NoAnswer,
    NoIdentification,
    NumberUnsteady,
    OnlyEcho,
    OtherProtocol,
    SeveralMeters,
    WrongParity,
)
from ..protocol.model import Health, LineProfile, Mode
from ..protocol.transport.line import Line
from . import connection
from .listeners import Listeners

# A hand that lets go of the probe moves it: one good answer is no proof.
ENOUGH_IN_A_ROW: Final = 3
LONGEST: Final = 180.0
# Each call wakes a battery meter: enough to see three good ones after three that were not.
BATTERY_CALLS: Final = 6
# Meters that send by themselves do so every 10 s at least: after that, silence is an answer.
PUSHED_WITHIN: Final = 12.0
# One request each: the hand on the probe waits for the answer.
ONCE: Final = RetryPolicy(tries=1)
# The modes in which a meter waits for an answer, and so can be told that there is none. Of the others, a long
# readout at 300 Bd is waited for; longer than any pause within one (Std 6.4).
SIGNED_OFF: Final = (Mode.C, Mode.E)
TALKS_FOR: Final = 60.0
SILENCE: Final = 1.5


class Signal(StrEnum):
    """What reaches the probe from the meter; the worst last."""

    GOOD = "good"
    WEAK = "weak"
    DAMAGED = "damaged"
    ECHO = "echo"
    NOTHING = "nothing"


# What every other error of a meter has in common: it was understood.
_SIGNALS: Final[dict[type[MeterError], Signal]] = {
    NoAnswer: Signal.NOTHING,
    BridgeSilent: Signal.NOTHING,
    FixedSpeed: Signal.NOTHING,
    OnlyEcho: Signal.ECHO,
    WrongParity: Signal.DAMAGED,
    NoIdentification: Signal.DAMAGED,
    Incomplete: Signal.DAMAGED,
    CheckWrong: Signal.DAMAGED,
    NumberUnsteady: Signal.DAMAGED,
    LineBusy: Signal.DAMAGED,
    PushUnframed: Signal.DAMAGED,
}
# No place of the probe changes these.
_FINAL: Final = (OtherProtocol, SeveralMeters)


def of_health(health: Health) -> Signal:
    """What a reading says of the probe."""
    return Signal.WEAK if health.parity_errors or health.retries else Signal.GOOD


def of_failure(err: MeterError) -> Signal | None:
    """What a failed reading says of the probe; None where the line itself failed."""
    if (signal := _SIGNALS.get(type(err))) is not None:
        return signal
    return None if isinstance(err, LineError) else Signal.GOOD


def is_over_the_probe(err: MeterError) -> bool:
    """Whether moving the probe may help."""
    return of_failure(err) not in (None, Signal.GOOD) and not isinstance(err, FixedSpeed)


class ProbeSignal:
    """What came last from one probe, and who is told."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self.current: Signal | None = None
        self.listeners = Listeners()

    @callback
    def show(self, signal: Signal | None) -> None:
        """Tell what came."""
        self.current = signal
        self.listeners.notify()


@dataclass(slots=True)
class AlignmentRun:
    """The calls of one alignment. `most` is how many of them the meter may be asked for.

    `user` is who waits for the line (`lines.hold`): an entry's own, so that its readings and calls take turns as one.
    """

    device: str
    speed: int
    profile: LineProfile
    deadline: float
    user: Hashable
    most: int | None = None
    calls: int = 0
    good_in_a_row: int = 0

    @classmethod
    def begin(
        cls,
        device: str,
        speed: int,
        profile: LineProfile,
        now: float,
        *,
        battery: bool,
        user: Hashable = None,
    ) -> Self:
        """No call was made yet. `speed` is a fixed bridge's, in baud; `now` the loop's time in seconds.

        Without a `user`, this alignment is one of its own.
        """
        asks = object() if user is None else user
        most = BATTERY_CALLS if battery else None
        return cls(device, speed, profile, now + LONGEST, asks, most)

    @property
    def good(self) -> bool:
        """Whether the probe sits well."""
        return self.good_in_a_row >= ENOUGH_IN_A_ROW

    def over(self, now: float) -> bool:
        """Whether no other call is to be made."""
        return self.good or now >= self.deadline or self.calls == self.most

    async def call(self, hass: HomeAssistant) -> Signal:
        """Call the meter once, or hear one telegram of a meter that sends by itself.

        Raises MeterError where no place of the probe would help: the line failed, or speaks something else.
        """
        try:
            idle = idle_of(self.profile)
            async with connection.acquire_line(
                hass, self.device, self.speed, user=self.user, idle=idle
            ) as line:
                signal = await self._hear(line)
        except MeterError as err:
            found = of_failure(err)
            if found is None or isinstance(err, _FINAL):
                raise
            signal = found
        self.calls += 1
        self.good_in_a_row = self.good_in_a_row + 1 if signal is Signal.GOOD else 0
        return signal

    async def _hear(self, line: Line) -> Signal:
        meter = MeterClient(line, self.profile, effort=ONCE)
        if self.profile.mode is not Mode.D:
            answered = await meter.identify()
            signal = Signal.WEAK if line.tally.wrong else Signal.GOOD
            if (self.profile.mode or answered.mode) not in SIGNED_OFF:
                await _until_silent(line)
            return signal
        known = self.profile.listen_speed is not None
        try:
            async with asyncio.timeout(PUSHED_WITHIN if known else None):
                reading = await meter.read_all()
        except TimeoutError:
            return Signal.DAMAGED if line.tally.characters else Signal.NOTHING
        self.profile = meter.profile
        return of_health(reading.health)


async def _until_silent(line: Line) -> None:
    """Wait for the end of data that nobody asked for: in the middle of them the meter would not hear the next call."""
    end = line.now() + TALKS_FOR
    while line.now() < end and await line.read(line.now() + SILENCE + line.grace):
        pass
