"""Sign-on: from a silent or a busy line to an identification (Std 6.3.1, 6.3.2, Annex B), or to the reason why not."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from ..errors import BridgeRefusedSettings, LineBusy, MeterBreak, NoIdentification, SeveralMeters
from ..model import CheckKind, Identification, LineProfile, Progress, ProgressCallback, Stage
from ..transport.line import Line
from ..transport.trace import CLEAR_BIT_7
from . import messages
from .diagnosis import Heard, percent_wrong, reason
from .push_telegrams import Foreign
from .receiver import Receiver

# Std 6.4: the longest tr between messages and ta between characters, in seconds.
ANSWER = 1.5
BETWEEN = 1.5
# Std 6.4: the shortest time before an answer to a meter that does not say otherwise.
REACTION = 0.2

# Annex B.1: NULs for 2.1 to 2.3 s, then 1.5 to 1.7 s of silence.
WAKING = 2.2
WAKING_PAUSE = 1.6
# Annex B.2: bursts of NULs for 500 to 600 ms, a pause of two characters and 20 to 40 ms, for 4.5 s at least.
BURST = 0.55
BURST_PAUSE = 0.03
FAST_WAKING = 4.5

# Std 6.4.3.6: a meter that heard no acknowledgement sends its data from 1.5 s on; half a second for the way there.
LATEST = 1.0

# How long a probe needs after its supply, DTR or RTS, was switched.
FED_AFTER = 0.5

# What meters stay at that remember their speed, or whose session was cut off; the most frequent first.
REMEMBERED_SPEEDS = (9600, 2400, 4800, 19200)

SIGN_ON_TRIES = 3
# Each wakes a meter that lives on its battery.
MOST_WAKE_UPS = 2
# Characters of another speed are damaged by half.
NOISE_PERCENT = 25
# A meter that still sends its readout at this speed may need that long; noise is not worth waiting for.
BUSY_LIMIT = 180.0
NOISE_LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What the way to an identification may cost: `tries` in a row, `wake_ups` of a battery meter.

    `patience` is how long, in seconds, somebody who speaks between the tries is waited for; noise is waited for less.
    """

    tries: int = SIGN_ON_TRIES
    wake_ups: int = MOST_WAKE_UPS
    patience: float = BUSY_LIMIT


WHOLE_EFFORT = RetryPolicy()


@dataclass(frozen=True, slots=True)
class SessionContext:
    """On what terms one meter is spoken to: the open line, what is known of the meter, who is told, what it may cost."""

    line: Line
    profile: LineProfile
    progress: ProgressCallback | None = None
    effort: RetryPolicy = WHOLE_EFFORT


class SignOn:
    """The beginning of every conversation with one meter on one open line."""

    def __init__(self, terms: SessionContext) -> None:
        """Nothing is sent before the first call."""
        line = terms.line
        self.profile = terms.profile
        self.wake_ups = 0
        self._effort = terms.effort
        self.received: datetime = line.utcnow()
        self._line = line
        self._progress = terms.progress
        self._busy = False
        self._heard_at = line.now()
        self._reaction = 0.0
        self._before = line.tally.copy()
        self._data_from = line.tally.copy()

    async def _sign_on(self) -> Receiver:
        """The meter's identification, or its data where it sends them at once. Raises MeterError."""
        line = self._line
        effort = self._effort
        # Whoever has answered once is worth the whole effort, but for what it costs him.
        self._effort = RetryPolicy(wake_ups=effort.wake_ups)
        if self._busy and not await self._until_silent(line.now(), effort.patience):
            raise LineBusy(port=line.name)
        self._busy = True
        heard = Heard(line.tally.copy())
        start = line.now()
        for attempt in range(1, effort.tries + 1):
            receiver = Receiver()
            silent = await self._ask(receiver, heard)
            if receiver.meter_break:
                self._busy = False
                raise MeterBreak
            if self._believed(receiver, heard):
                return receiver
            if heard.silent_tries == 2 or attempt == effort.tries:
                break
            if not silent and not await self._until_silent(start, effort.patience):
                raise reason(line, heard, self.profile) or LineBusy(port=line.name)
            await self._end_old_session(heard=bool(heard.answers[-1]))
        self._busy = False
        raise reason(line, heard, self.profile) or NoIdentification()

    async def _ask(self, receiver: Receiver, heard: Heard) -> bool:
        """Send the request and hear the answer; returns whether the line is silent again."""
        line = self._line
        await self._set_speed(self.profile.sign_on_speed)
        if self.wake_ups < self._effort.wake_ups and not self.profile.bus:
            if self.profile.wake_up:
                await self._wake_up()
            elif self.profile.fast_wake_up:
                await self._wake_up_fast()
        self._tell(Stage.SIGN_ON)
        line.drop_input()
        await line.write(messages.request(self.profile.address, self.profile.request))
        self._before = line.tally.copy()
        heard.begin(self._before)
        foreign = Foreign()
        deadline = line.sent_at + ANSWER + line.grace
        # One deadline for the whole answer: noise must not keep it open.
        end = deadline + BETWEEN + self._time_of(messages.MAX_IDENTIFICATION)
        # A noise that looks like STX must not hide the identification behind it: only a data set tells data.
        while receiver.identification is None and not receiver.datasets and not receiver.closed:
            if not receiver.identifying:
                heard.identification_from = self._before
            run = await line.read(min(deadline, end))
            if not run:
                return line.now() < end
            heard.add(run)
            foreign.feed(run)
            self._hear(receiver, run)
            deadline = line.now() + BETWEEN + line.grace
        # What was heard beside the identification only makes it shorter.
        self._reaction = max(0.0, line.now() - line.sent_at - self._time_of(len(receiver.raw)))
        return False

    def _believed(self, receiver: Receiver, heard: Heard) -> bool:
        """Whether the answer may be acted upon: a damaged character could name another meter or speed.

        A name that comes with the same one damaged again is the meter's own; more alike are two meters at once.
        """
        if receiver.identification is None:
            noise = percent_wrong(self._line.tally.since(heard.asked)) > NOISE_PERCENT
            return receiver.started and not noise
        damaged = receiver.wrong(self._line.tally.since(heard.identification_from))
        known = receiver.identification in heard.identifications
        heard.identifications.append(receiver.identification)
        return not damaged or (known and damaged == 1)

    async def _wake_up(self) -> None:
        """Annex B.1: NULs, then silence. They leave in one write: gaps of 5 ms would be too many."""
        line = self._line
        self.wake_ups += 1
        self._tell(Stage.WAKING)
        await line.write(bytes(round(WAKING / self._time_of(1))))
        await line.sleep_until(line.sent_at + WAKING_PAUSE)

    async def _wake_up_fast(self) -> None:
        """Annex B.2: bursts of NULs until the meter acknowledges one; the request follows in any case."""
        line = self._line
        self.wake_ups += 1
        self._tell(Stage.WAKING)
        line.drop_input()
        burst = bytes(round(BURST / self._time_of(1)))
        end = line.now() + FAST_WAKING
        while line.now() < end:
            await line.write(burst)
            pause = line.sent_at + self._time_of(2) + BURST_PAUSE
            while run := await line.read(pause):
                if messages.ACK in run.translate(CLEAR_BIT_7):
                    await line.sleep_until(line.now() + REACTION)
                    return

    async def _end_old_session(self, *, heard: bool) -> None:
        """Send the break to a meter that may still be in a session of a client that was killed (Std 6.3.10).

        Its speed is one that has worked before; of a meter that was not heard, any that is frequent. One that was heard
        waits for an acknowledgement, and takes what it does not understand for one.
        """
        line, known = self._line, self.profile.speed
        speeds = (known,) if known is not None else () if heard else REMEMBERED_SPEEDS
        for speed in (*speeds, self.profile.sign_on_speed):
            if speed != line.speed and not line.can_switch:
                continue
            # At one that the bridge refuses, no session can have been.
            with suppress(BridgeRefusedSettings):
                await self._set_speed(speed)
                await self._write_break()
        await line.sleep_until(line.sent_at + line.margin + REACTION)

    async def _sign_off(self) -> None:
        """The break, and the time a meter has before it may be spoken to again (Std 6.3.10)."""
        await self._write_break()
        await self._line.sleep_until(self._line.sent_at + self._line.margin + REACTION)

    async def _write_break(self) -> None:
        check = self.profile.check_kind or self.profile.check_candidate or CheckKind.XOR
        await self._line.write(messages.sign_off(check, fast=self.profile.fast_wake_up))

    async def _until_silent(self, start: float, patience: float) -> bool:
        """Wait until nobody speaks: longer than characters of one message can lie apart. False: it never was."""
        line = self._line
        before = line.tally.copy()
        while True:
            deadline = line.now() + BETWEEN + line.grace
            noise = percent_wrong(line.tally.since(before)) > NOISE_PERCENT
            if deadline > start + (min(patience, NOISE_LIMIT) if noise else patience):
                return False
            if not await line.read(deadline):
                return True

    async def _settle(self, receiver: Receiver, pause: float) -> None:
        """Hear the meter out: until it was silent for `pause` seconds behind its line end, or data begin.

        Raises SeveralMeters where another one joins in.
        """
        line = self._line
        end = line.now() + ANSWER + self._time_of(messages.MAX_IDENTIFICATION)
        while not receiver.started and line.now() < end:
            wait = pause
            if receiver.identifying:
                wait = BETWEEN + line.grace
            elif receiver.raw.endswith(b"\r"):
                # Some meters end the line with CR alone (core#51271): LF has its time to come.
                wait = LATEST
            run = b""
            if self._heard_at + wait > line.now():
                run = await line.read(self._heard_at + wait)
            if not run:
                break
            self._hear(receiver, run)
        if len(receiver.identifications) > 1:
            raise SeveralMeters

    def _hear(self, receiver: Receiver, run: bytes) -> bytes:
        """Give a run to the receiver, and note when data began."""
        line = self._line
        before = (receiver.started, receiver.framed)
        rest = receiver.feed(run)
        if receiver.started and (receiver.started, receiver.framed) != before:
            self.received = line.utcnow()
            self._data_from = self._before
        self._heard_at = line.now()
        self._before = line.tally.copy()
        return rest

    def _pause_before(self, identification: Identification) -> float:
        """How long the meter must have been silent before it is spoken to, in seconds.

        A converter of a bus needs its time to turn round, however fast the meter is.
        """
        reaction = identification.reaction_time
        return max(reaction, REACTION) if self.profile.bus else reaction

    def _time_of(self, characters: int) -> float:
        """How long characters take at the present speed, in seconds (Std 5: ten bits each)."""
        return characters * 10 / self._line.speed

    async def _takes(self, speed: int) -> bool:
        """Whether the bridge sets that speed: tried before the meter is asked to change to it, and would go alone.

        No light goes out meanwhile. A speed that is refused is noted in the profile.
        """
        line, first = self._line, self._line.speed
        if speed not in (self.profile.refused_speed, self.profile.speed) and line.can_refuse:
            refused: int | None = None
            try:
                await line.set_speed(speed, at=line.now())
            except BridgeRefusedSettings:
                refused = speed
            # A bridge that does not answer now has refused nothing.
            await line.set_speed(first, at=line.now())
            self.profile = replace(self.profile, refused_speed=refused)
        return speed != self.profile.refused_speed

    async def _set_speed(self, speed: int) -> None:
        line = self._line
        if line.can_switch:
            await line.set_speed(speed, at=max(line.now(), line.sent_at + line.margin))

    def _tell(self, stage: Stage, receiver: Receiver | None = None) -> None:
        if self._progress is not None:
            counts = (0, 0) if receiver is None else (len(receiver.raw), len(receiver.datasets))
            self._progress(Progress(stage, *counts, speed=self._line.speed))
