"""From an unknown line to a meter: one way after another until one leads to a reading, or to the reason why none does.

What worked is the profile that `discover` gives back: a later reading goes straight there. Whoever keeps it discovers again
only after repeated failures, with that profile as the first step.
"""

from collections.abc import Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from .ascii import checks, sign_on
from .ascii.sign_on import REMEMBERED_SPEEDS, RetryPolicy
from .client import ANY_METER, MeterClient
from .dlms.login import Keyring
from .dlms_errors import PushUnframed
from .errors import (
    BridgeRefusedSettings,
    BridgeSilent,
    BusSilent,
    CheckWrong,
    FixedSpeed,
    LineBusy,
    LineError,
    MeterError,
    NoAnswer,
    NoIdentification,
    NumberNeeded,
    NumberUnanswered,
    OnlyEcho,
    PushHeard,
    WrongParity,
)
from .mode_d import LISTEN_WINDOW
from .model import (
    SIGN_ON_SPEED,
    DiscoveryStep,
    LineProfile,
    Mode,
    ParitySeen,
    ProgressCallback,
    Reading,
    Register,
)
from .push import FORMATS, Format, pushed
from .transport.line import Line
from .transport.trace import LineStats

# Characters that stand for other lists: current values (UH50), the short list (AS1440).
OTHER_REQUESTS = ("#", "2")
# DTR and RTS: a port is opened with both set.
OTHER_PINS = ((True, False), (False, True), (False, False))
OPENED_PINS = (True, True)

# The fields of a profile that say how the meter was reached.
_WAY = (
    "mode",
    "request",
    "sign_on_speed",
    "refused_speed",
    "wake_up",
    "fast_wake_up",
    "listen_speed",
    "dtr",
    "rts",
    "dlms_push",
    "even_parity",
)
# These leave it open whether there is a meter; the later ones tell more.
_NOT_FOUND = (NoAnswer, BusSilent, OnlyEcho, LineBusy, NoIdentification, WrongParity)
_SILENT = (NoAnswer, BusSilent, OnlyEcho)
_CALL = RetryPolicy(tries=1, patience=0.0)
_TWO_CALLS = RetryPolicy(tries=2, patience=0.0)
# Who waits for a dialogue is told that a meter is still sending.
_CLOSER = RetryPolicy(patience=sign_on.NOISE_LIMIT)
# How often it is worth looking closer who speaks.
_CLOSER_LOOKS = 2


@dataclass(frozen=True, slots=True)
class DiscoveryHints:
    """What is known of a meter before it is looked for.

    `profile` was given by the user, or led to the meter before; what is named in `fixed` (its fields) is never varied.
    `shared`: several meters are on the line, so that none is ever called without its number. `battery`: the meter lives
    on a battery, and pushes nothing. `pins`: whether DTR and RTS may be changed. `keyring`: the logins of mode E.
    """

    profile: LineProfile = ANY_METER
    fixed: frozenset[str] = frozenset()
    shared: bool = False
    battery: bool = False
    pins: bool = True
    keyring: Keyring | None = None


NO_HINTS = DiscoveryHints()


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One try of one step."""

    step: DiscoveryStep
    profile: LineProfile
    effort: RetryPolicy = _CALL

    @property
    def listens(self) -> bool:
        return self.profile.mode is Mode.D

    @property
    def wakes(self) -> bool:
        return not self.profile.bus and (self.profile.wake_up or self.profile.fast_wake_up)


async def discover(
    line: Line, hints: DiscoveryHints = NO_HINTS, progress: ProgressCallback | None = None
) -> tuple[LineProfile, Reading]:
    """Find the meter on an open line: the way that led to it, to be kept, and its first reading.

    Raises MeterError: of all that was tried, the reason that tells most; or what a meter that was found did wrong.
    """
    if hints.shared and not hints.profile.address:
        raise NumberNeeded
    return await _Discovery(line, hints, progress).run()


def _attempts(line: Line, hints: DiscoveryHints) -> Iterator[_Attempt]:
    """The tries, in order, as long as nothing is heard."""
    base, fixed = _base(hints), hints.fixed
    if base.hdlc_at_once:
        # Such a meter hears no sign-on, however it is called.
        yield _Attempt(DiscoveryStep.SIGN_ON, replace(base, mode=Mode.E))
        return
    if hints.profile != base:
        yield _Attempt(DiscoveryStep.KNOWN_WAY, hints.profile)
    if base.mode is Mode.D:
        yield _Attempt(DiscoveryStep.LISTEN, base)
        return
    # A meter on its battery sleeps: a second call would be in vain.
    asleep = hints.battery and not (base.wake_up or base.fast_wake_up)
    yield _Attempt(DiscoveryStep.SIGN_ON, base, _CALL if asleep else _TWO_CALLS)
    if not base.bus and "wake_up" not in fixed:
        yield _Attempt(DiscoveryStep.WAKE_UP, replace(base, wake_up=True))
        if "fast_wake_up" not in fixed:
            yield _Attempt(DiscoveryStep.FAST_WAKE_UP, replace(base, fast_wake_up=True))
    if "request" not in fixed:
        for request in OTHER_REQUESTS:
            yield _Attempt(DiscoveryStep.OTHER_REQUEST, replace(base, request=request))
    if line.can_switch:
        if "sign_on_speed" not in fixed:
            for speed in dict.fromkeys((base.speed or REMEMBERED_SPEEDS[0], *REMEMBERED_SPEEDS)):
                yield _Attempt(DiscoveryStep.REMEMBERED_SPEED, replace(base, sign_on_speed=speed))
        if hints.pins and not fixed & {"dtr", "rts"}:
            for dtr, rts in OTHER_PINS:
                yield _Attempt(DiscoveryStep.PINS, replace(base, dtr=dtr, rts=rts))
    if base.mode is None and not hints.battery and not base.bus:
        yield _Attempt(DiscoveryStep.LISTEN, _listening(base))


def _base(hints: DiscoveryHints) -> LineProfile:
    """The profile without the way it was reached by, apart from what the user has fixed."""
    kept = hints.fixed
    unknown = {name: getattr(ANY_METER, name) for name in _WAY if name not in kept}
    return replace(hints.profile, **unknown)


def _listening(base: LineProfile) -> LineProfile:
    return replace(base, mode=Mode.D, wake_up=False, fast_wake_up=False)


class _Discovery:
    """One discovery: what was heard and what failed so far."""

    def __init__(
        self, line: Line, hints: DiscoveryHints, progress: ProgressCallback | None
    ) -> None:
        self._line = line
        self._hints = hints
        self._base = _base(hints)
        self._progress = progress
        self._failures: list[MeterError] = []
        self._wake_ups = sign_on.MOST_WAKE_UPS
        self._closer_looks = _CLOSER_LOOKS
        self._listened = False

    async def run(self) -> tuple[LineProfile, Reading]:
        """Step by step; whoever is heard is looked at more closely."""
        for attempt in _attempts(self._line, self._hints):
            if (attempt.step is DiscoveryStep.LISTEN and self._listened) or (
                attempt.wakes and not self._wake_ups
            ):
                continue
            before = self._line.tally.copy()
            found = await self._try(attempt)
            heard = self._line.tally.since(before)
            if found is None and heard.characters and not attempt.listens:
                if not self._closer_looks:
                    break
                self._closer_looks -= 1
                found = await self._look_closer(attempt, heard)
                if found is None and isinstance(self._failures[-1], WrongParity | LineBusy):
                    break
            if found is not None:
                return found
        raise self._reason()

    async def _look_closer(
        self, attempt: _Attempt, heard: LineStats
    ) -> tuple[LineProfile, Reading] | None:
        """Somebody speaks: a meter of another speed, or one whose characters are damaged on their way."""
        damaged = heard.parity is ParitySeen.EVEN and self._line.can_switch
        if not damaged and not self._listened and self._base.mode is None:
            found = await self._try(_Attempt(DiscoveryStep.LISTEN, _listening(self._base)))
            if found is not None:
                return found
        return await self._try(replace(attempt, effort=_CLOSER))

    async def _try(self, attempt: _Attempt) -> tuple[LineProfile, Reading] | None:
        """What one step leads to; None where it leaves open whether there is a meter."""
        effort = replace(attempt.effort, wake_ups=self._wake_ups)
        watcher = self._watcher(attempt.step)
        meter = MeterClient(self._line, attempt.profile, watcher, effort, self._hints.keyring)
        before = self._line.tally.characters
        try:
            if attempt.listens:
                return await self._listen(meter, attempt)
            reading = await self._read(meter, attempt)
        except PushHeard:
            if self._base.mode not in (None, Mode.D):
                raise
            return await self._hear_push(watcher, sorted(FORMATS, key=self._is_elsewhere))
        except _NOT_FOUND as err:
            self._failures.append(err)
            if attempt.listens and self._line.tally.characters > before:
                with suppress(PushUnframed, NoAnswer):
                    # Frames at 9600 Bd are recognized among text: these are of another speed.
                    return await self._hear_push(watcher, FORMATS[1:])
        except BridgeRefusedSettings:
            # Where nothing was heard at any speed, that tells more; where something was, the meter's speed was refused.
            silent = self._failures and all(isinstance(one, _SILENT) for one in self._failures)
            elsewhere = attempt.step in (DiscoveryStep.REMEMBERED_SPEED, DiscoveryStep.PINS)
            if not elsewhere and not (attempt.listens and silent):
                raise
        else:
            return await self._unasked(attempt, reading) or (meter.profile, reading)
        finally:
            self._wake_ups -= meter.wake_ups
        if attempt.step is DiscoveryStep.PINS:
            # A bridge without such pins has nothing to put back.
            with suppress(BridgeRefusedSettings):
                await self._line.set_pins(*OPENED_PINS)
        return None

    async def _read(self, meter: MeterClient, attempt: _Attempt) -> Reading:
        """One reading; a check that is wrong is looked at again: some meters compute it in a way of their own."""
        alike: list[CheckWrong] = []
        while True:
            try:
                return await meter.read_all()
            except CheckWrong as err:
                alike.append(err)
                asleep = attempt.wakes and meter.wake_ups >= self._wake_ups
                if not err.shape or err.shape != alike[0].shape or asleep:
                    raise
                if len(alike) == checks.WRONG_ALIKE:
                    err.without = checks.without_check(meter.profile)
                    raise
            except MeterError as err:
                if not alike or isinstance(err, LineError):
                    raise
                # What the meter did when it answered tells more.
                raise alike[0] from err

    async def _listen(self, meter: MeterClient, attempt: _Attempt) -> tuple[LineProfile, Reading]:
        self._listened |= attempt.profile.listen_speed is None
        async with aclosing(meter.listen()) as telegrams:
            reading = await anext(telegrams)
        return meter.profile, reading

    async def _hear_push(
        self, watcher: ProgressCallback | None, formats: Sequence[Format]
    ) -> tuple[LineProfile, Reading]:
        """The first telegrams of a meter that pushes DLMS in one of these formats.

        Some makes name the meter in every few telegrams only: those before are joined with that one.
        """
        line, profile = self._line, replace(_listening(self._base), dlms_push=True)
        keyring = self._hints.keyring or Keyring()
        found: dict[str, Register] = {}
        deadline = None
        async with aclosing(pushed(line, profile, keyring, watcher, formats)) as telegrams:
            async for profile, reading in telegrams:  # noqa: B007 - the last one counts
                found |= {register.key: register for register in reading.registers}
                deadline = deadline or line.now() + LISTEN_WINDOW
                if reading.identification is not None or line.now() >= deadline:
                    break
        return profile, replace(reading, registers=tuple(found.values()))

    def _is_elsewhere(self, format_: Format) -> bool:
        """Whether a format has another speed than the line."""
        return format_.speed != self._line.speed

    async def _unasked(
        self, attempt: _Attempt, reading: Reading
    ) -> tuple[LineProfile, Reading] | None:
        """What came without an option select may have come unasked: then it comes again.

        At 300 Bd no meter sends unasked; a line that cannot change its speed may be set to any.
        """
        if reading.health.mode is not Mode.A or self._base.mode is not None or self._listened:
            return None
        if self._line.can_switch and attempt.profile.sign_on_speed == SIGN_ON_SPEED:
            return None
        return await self._try(_Attempt(DiscoveryStep.LISTEN, _listening(self._base)))

    def _watcher(self, step: DiscoveryStep) -> ProgressCallback | None:
        watch = self._progress
        return None if watch is None else lambda progress: watch(replace(progress, step=step))

    def _reason(self) -> MeterError:
        """Of all failures the one that tells most, the latest of its kind."""
        line, profile = self._line, self._hints.profile
        for failure in self._failures:
            if isinstance(failure, NoIdentification) and failure.steady:
                # At the speed of the meter nothing was damaged.
                return failure
        told = max(reversed(self._failures), key=lambda failure: _NOT_FOUND.index(type(failure)))
        if isinstance(told, WrongParity):
            # What other speeds make of the meter's characters says nothing of the line.
            damaged = (one for one in self._failures if isinstance(one, WrongParity))
            return min(damaged, key=lambda one: int(one.placeholders["percent"]))
        silent = isinstance(told, NoAnswer | OnlyEcho)
        if silent and not line.can_switch and line.speed != SIGN_ON_SPEED:
            return FixedSpeed(port=line.name, speed=str(line.speed))
        # The number of a meter that was read before is right.
        if isinstance(told, NoAnswer) and profile.address and profile.medium is None:
            return NumberUnanswered()
        if isinstance(told, NoAnswer) and not line.can_switch:
            return BridgeSilent(port=line.name)
        return told
