"""Mode D: the telegrams that a meter sends unasked (Std 6.4.4, P1)."""

from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import replace

from .ascii import checks
from .ascii.diagnosis import Heard, reason
from .ascii.push_telegrams import Listener
from .ascii.reading import Start, reading, with_medium
from .errors import BridgeRefusedSettings, CheckWrong, NoIdentification
from .model import LineProfile, Mode, Progress, ProgressCallback, Reading, Stage, Verdict
from .transport.line import Line

# Where pushing meters are found: those that announce 9600, the standard's mode D (Std 6.4.4), P1.
LISTEN_SPEEDS = (9600, 2400, 115200)
# Meters push at least every 10 s.
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
        self._heard = Heard(line.tally.copy())
        # The shapes of the telegrams whose check was wrong since the last good one; empty where the line did harm.
        self._wrong = deque[bytes](maxlen=MOST_WRONG)

    async def listen(self) -> AsyncGenerator[Reading]:
        """The telegrams, without end; damaged ones are counted as retries of the next good one.

        Raises MeterError when nothing whole came for a minute: then listen again. It is CheckWrong, with a shape, where
        all that came were alike, and wrong in nothing but their check.
        """
        line, wrong = self._line, self._wrong
        known = self.profile.listen_speed
        self._heard.begin(self._heard.start)
        for speed in self._speeds():
            if line.can_switch:
                try:
                    await line.set_speed(speed, at=max(line.now(), line.sent_at + line.margin))
                except BridgeRefusedSettings:
                    if known is not None:
                        raise
                    # Most bridges end below the speed of P1.
                    continue
            self._tell(Progress(Stage.LISTENING, speed=speed))
            async for telegram in self._telegrams(LISTEN_WINDOW if known is None else LISTEN_LIMIT):
                self.profile = replace(self.profile, listen_speed=speed)
                yield telegram
            if len(wrong) >= checks.WRONG_ALIKE and wrong[0] and len(set(wrong)) == 1:
                fault = CheckWrong()
                fault.shape = wrong[0]
                fault.without = checks.without_check(replace(self.profile, listen_speed=speed))
                raise fault
            if self.profile.listen_speed is not None:
                break
        told = CheckWrong() if len(wrong) >= checks.WRONG_ALIKE else NoIdentification()
        raise reason(line, self._heard, self.profile) or told

    def _speeds(self) -> tuple[int, ...]:
        """The speeds to listen at, in order."""
        if not self._line.can_switch:
            return (self._line.speed,)
        known = self.profile.listen_speed
        return LISTEN_SPEEDS if known is None else (known,)

    async def _telegrams(self, window: float) -> AsyncGenerator[Reading]:
        """Telegrams until none came for `window` seconds, a minute once there was one."""
        line, listener, damaged = self._line, Listener(), 0
        start = Start.of(line)
        deadline = line.now() + window
        while line.now() < deadline and (run := await line.read(deadline)):
            self._heard.add(run)
            if listener.receiver.idle:
                start = replace(start, at=line.now())
            if not listener.receiver.started:
                start = replace(start, received=line.utcnow())
            for receiver in listener.feed(run):
                count = line.tally.since(start.before)
                verdict = checks.verdict(self.profile, receiver.fits)
                if verdict is Verdict.WRONG or count.wrong > (verdict is Verdict.RIGHT):
                    damaged += 1
                    if verdict is Verdict.WRONG:
                        self._wrong.append(b"" if count.wrong else checks.shape(receiver.block))
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
                known = checks.learn(self.profile, receiver.fits, receiver.block)
                self.profile = with_medium(known, receiver)
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
