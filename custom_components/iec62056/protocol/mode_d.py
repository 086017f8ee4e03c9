"""Mode D: the telegrams that a meter sends unasked (Std 6.4.4, P1)."""

from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import replace

from .ascii import checks
from .ascii.diagnosis import BAD_PERCENT, Heard, reason, unreadable_percent
from .ascii.push_telegrams import Listener
from .ascii.reading import Start, reading, with_medium
from .errors import BridgeRefusedSettings, CheckWrong, MeterError, NoIdentification
from .model import LineProfile, Mode, Progress, ProgressCallback, Reading, Stage, Verdict
from .transport.line import Line

# Where pushing meters are found: those that announce 9600, the standard's mode D (Std 6.4.4), P1.
LISTEN_SPEEDS = (9600, 2400, 115200)
# Meters push at least every 10 s. Where text is heard, its beginning may have been missed: then as long again.
LISTEN_WINDOW = 11.0
# A meter that pushed before may pause; after this the reason is told.
LISTEN_LIMIT = 60.0
# Of the telegrams whose check was wrong: as many as the quickest meters push in that time.
MOST_WRONG = 60


class ModeDMeter:
    """One meter of mode D on one open line. `profile` is what was given plus what was learned."""

    def __init__(
        self, line: Line, profile: LineProfile, progress: ProgressCallback | None = None
    ) -> None:
        """Nothing is heard yet."""
        self.profile = profile
        self._line = line
        self._progress = progress
        # The shapes of the telegrams whose check was wrong since the last good one; empty where the line did harm.
        self._wrong = deque[bytes](maxlen=MOST_WRONG)

    async def listen(self) -> AsyncGenerator[Reading]:
        """The telegrams, without end; damaged ones are counted as retries of the next good one.

        Raises MeterError when nothing whole came for a minute: then listen again. It is CheckWrong, with a shape, where
        all that came were alike, and wrong in nothing but their check.
        """
        line, wrong = self._line, self._wrong
        failures: list[tuple[int, MeterError]] = []
        refused: MeterError | None = None
        for speed in self._speeds():
            if line.can_switch:
                try:
                    await line.set_speed(speed, at=max(line.now(), line.sent_at + line.margin))
                except BridgeRefusedSettings as err:
                    # Most bridges end below the speed of P1.
                    refused = err
                    continue
            self._tell(Progress(Stage.LISTENING, speed=speed))
            heard = Heard(line.tally.copy())
            heard.begin(heard.start)
            async for telegram in self._telegrams(heard):
                self.profile = replace(self.profile, listen_speed=speed)
                yield telegram
            if len(wrong) >= checks.WRONG_ALIKE and wrong[0] and len(set(wrong)) == 1:
                fault = CheckWrong()
                fault.shape = wrong[0]
                fault.without = checks.without_check(replace(self.profile, listen_speed=speed))
                raise fault
            unreadable = unreadable_percent(line, heard)
            failure = reason(line, heard, self.profile)
            if failure is None:
                failure = NoIdentification()
                failure.steady = unreadable < BAD_PERCENT
            failures.append((unreadable, failure))
            if self.profile.listen_speed is not None:
                break
        if len(wrong) >= checks.WRONG_ALIKE:
            raise CheckWrong
        if not failures and refused is not None:
            raise refused
        # What other speeds make of the meter's characters says nothing of the line.
        best = min(unreadable for unreadable, _ in failures)
        raise next(failure for unreadable, failure in failures if unreadable == best)

    def _speeds(self) -> tuple[int, ...]:
        """The speeds to listen at, in order."""
        if not self._line.can_switch:
            return (self._line.speed,)
        known = self.profile.listen_speed
        return LISTEN_SPEEDS if known is None else (known,)

    async def _telegrams(self, heard: Heard) -> AsyncGenerator[Reading]:
        """Telegrams until none came for a minute; for a window, where it is not known that any come."""
        line, listener, damaged = self._line, Listener(), 0
        start = Start.of(line)
        known = self.profile.listen_speed is not None
        deadline = line.now() + (LISTEN_LIMIT if known else LISTEN_WINDOW)
        while True:
            run = await line.read(deadline) if line.now() < deadline else b""
            if not run:
                if known or unreadable_percent(line, heard) >= BAD_PERCENT:
                    break
                known = True
                deadline = line.now() + LISTEN_WINDOW
                continue
            heard.add(run)
            if listener.receiver.idle:
                start = replace(start, at=line.now())
            if not listener.receiver.started:
                start = replace(start, received=line.utcnow())
            for receiver in listener.feed(run):
                harmed = receiver.wrong(line.tally.since(start.before))
                verdict = checks.verdict(self.profile, receiver.fits)
                if verdict is Verdict.WRONG or harmed > (verdict is Verdict.RIGHT):
                    damaged += 1
                    if verdict is Verdict.WRONG:
                        self._wrong.append(b"" if harmed else checks.shape(receiver.block))
                    continue
                found = await reading(
                    line,
                    with_medium(self.profile, receiver),
                    receiver,
                    start,
                    mode=Mode.D,
                    check=verdict,
                    retries=damaged + listener.broken,
                )
                learned = checks.learn(self.profile, receiver.fits, receiver.block)
                self.profile = with_medium(learned, receiver)
                known = True
                damaged = listener.broken = 0
                self._wrong.clear()
                deadline = line.now() + LISTEN_LIMIT
                yield found
            if listener.receiver.idle:
                start = replace(start, before=line.tally.copy())
            characters, datasets = len(listener.receiver.raw), len(listener.receiver.datasets)
            self._tell(Progress(Stage.LISTENING, characters, datasets, line.speed))

    def _tell(self, progress: Progress) -> None:
        if self._progress is not None:
            self._progress(progress)
