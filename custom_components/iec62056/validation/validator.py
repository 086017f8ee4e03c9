"""Validator of one meter: checks its readings and takes the user's answers about held values."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Final, NamedTuple

from ..protocol.ascii.checks import without_check
from ..protocol.errors import CheckWrong, MeterError
from ..protocol.model import LineProfile, Reading
from ..registers.descriptions import describe, describe_state
from ..registers.overrides import RegisterOverride
from ..state.meter_state import MeterState, RegisterState
from .checks import accept
from .offsets import Offset, OffsetReason, totals_of
from .reading_check import CheckSettings, ValidationResult, check_reading
from .register_value import values_of
from .validation_state import NO_WRONG_CHECK, MeterReplacement, ValidationState

# The recorder may keep its five-minute rows no longer than a day; meters on a battery are read once in one.
LONG_SILENCE: Final = timedelta(hours=25)
# A reading may take so long until it is checked; what is more, somebody has set the clock.
CLOCK_SLACK: Final = 120.0
# For so long a jump can be taken back where it happened.
JUMPS_KEPT: Final = timedelta(days=30)


class CheckedReading(NamedTuple):
    """A reading, what it was checked against, and the result."""

    reading: Reading
    profile: LineProfile
    before: ValidationState
    published: MeterState | None
    result: ValidationResult


class Outcome(NamedTuple):
    """The state to publish, and the offsets of the totals that step from the published one to it."""

    state: MeterState
    offsets: tuple[Offset, ...] = ()
    # Jumps of earlier that were wrong, as offsets that undo them.
    taken_back: tuple[Offset, ...] = ()


class ReadingValidator:
    """Decides which values of one meter's readings are published."""

    def __init__(
        self, overrides: Mapping[str, RegisterOverride], amperes: Decimal | None = None
    ) -> None:
        """Nothing is known yet. `amperes` is what the connection is fused for, per phase."""
        # The units that sensors keep.
        self.units: dict[str, str] = {}
        self.state = ValidationState().with_overrides(overrides, None, {})
        # Values held, and repeated requests, since the start.
        self.counts = Counter[str]()
        self._settings = CheckSettings(self.units, overrides, amperes)
        # What the clock of readings is ahead of that which nobody sets, in seconds.
        self._ahead: float | None = None

    def restore(
        self,
        published: MeterState,
        validation: ValidationState | None,
        units: Mapping[str, str],
        offsets: tuple[Offset, ...],
    ) -> Outcome:
        """Take what was stored, but for what the user has overridden differently since.

        How long Home Assistant was off is not known for sure: its clock may not be set yet.
        """
        overrides = self._settings.overrides
        published = describe_state(published, overrides)
        validation = validation or ValidationState.of(published, units)
        changed = validation.changed_overrides(overrides)
        self.units.update((key, unit) for key, unit in units.items() if key not in changed)
        validation = validation.with_overrides(overrides, published, self.units)
        self.state = validation.after_clock_change(start=True)
        return Outcome(published, tuple(one for one in offsets if one.key not in changed))

    @property
    def is_replaced(self) -> bool:
        """Whether another meter answers."""
        return self.state.replacement is not None

    def keep_unit(self, key: str, unit: str) -> None:
        """Let a sensor keep the unit it was first seen with."""
        self.units[key] = unit

    def check(
        self, reading: Reading, profile: LineProfile, published: MeterState | None
    ) -> CheckedReading:
        """Check a reading; what is known changes only if the clock was set, and else with `apply`."""
        ahead = reading.received.timestamp() - monotonic()
        if self._ahead is not None and abs(ahead - self._ahead) > CLOCK_SLACK:
            self.state = self.state.after_clock_change()
        self._ahead = ahead
        result = check_reading(self.state, reading, profile, published, self._settings)
        return CheckedReading(reading, profile, self.state, published, result)

    def apply(
        self, checked: CheckedReading, published: MeterState | None, now: datetime
    ) -> Outcome | None:
        """Take a checked reading; None if nothing was ever published, nor is now."""
        reading, profile, before, seen, result = checked
        if before is not self.state or seen is not published:
            # Something else came in between.
            before, result = self.state, self.check(reading, profile, published).result
        self.state = result.validation
        if self.state.wrong_checks != NO_WRONG_CHECK:
            self.state = replace(self.state, wrong_checks=NO_WRONG_CHECK)
        self.counts["held"] += result.held
        self.counts["retries"] += reading.health.retries
        state = result.state
        if state is None or published is None:
            return None if state is None else Outcome(state)
        if state is published:
            # The line and its health are new, the values keep their age.
            state = replace(state, profile=profile, health=reading.health)
        resets = self._offsets(before, published, result.resets, OffsetReason.RESET, now)
        jumped = dict.fromkeys(result.jumps - result.resets.keys(), Decimal(0))
        jumps = self._offsets(before, published, jumped, OffsetReason.JUMP, now)
        known = result.resets.keys() | jumped.keys()
        silent = dict.fromkeys(_silent(published, state) - known, Decimal(0))
        silence = self._offsets(before, published, silent, OffsetReason.SILENCE, now)
        return Outcome(state, (*resets, *jumps, *silence))

    def record_failure(self, err: MeterError) -> None:
        """Note a reading that failed: similar ones with a wrong check raise a question."""
        if isinstance(err, CheckWrong):
            self.state = self.state.check_failed(err.shape)

    def accept_held(
        self, key: str, published: MeterState, now: datetime, known: tuple[Offset, ...] = ()
    ) -> Outcome:
        """The user says that the held value is right, and a published one that was larger was wrong.

        `known` are the offsets so far: a jump to that value is taken back where it happened.
        """
        jumps = self._jumps_to_take_back(key, known, now)
        undone = sum((-one.offset for one in jumps), Decimal(0))
        outcome = self._accept(key, published, now, undone)
        return outcome._replace(taken_back=jumps)

    def restart_counter(self, key: str, published: MeterState, now: datetime) -> Outcome:
        """The user says that the counter began anew: what it shows was counted since."""
        return self._accept(key, published, now, self.state.number(key) or Decimal(0))

    def _jumps_to_take_back(
        self, key: str, known: tuple[Offset, ...], now: datetime
    ) -> tuple[Offset, ...]:
        """The jumps since the register was last below the held number, with the offsets that undo them."""
        held = self.state.held_number(key)
        jumps = [
            one
            for one in known
            if (one.key, one.reason) == (key, OffsetReason.JUMP)
            and not one.offset
            and now - one.at < JUMPS_KEPT
        ]
        below = [at for at, one in enumerate(jumps) if held is not None and (one.last or 0) <= held]
        return tuple(
            replace(one, offset=one.last - one.first, closed=False)
            for one in (jumps[below[-1] :] if below else ())
            if one.last is not None and one.first is not None
        )

    def _accept(self, key: str, published: MeterState, now: datetime, offset: Decimal) -> Outcome:
        """Publish the held value; a total has counted so much besides the change of its number."""
        before, state = self.state, published
        self.state = before.decided(key)
        if (found := before.held_value(key)) is None:
            return Outcome(state)
        register_key, held = found
        descriptions = describe(held.register, state.context, self._settings.overrides)
        known = RegisterState(held.register, held.received, descriptions=descriptions)
        (kind,) = (
            value.kind for value in values_of(register_key, known, self.units) if value.key == key
        )
        self.state = replace(
            self.state,
            histories={**before.histories, key: accept(before.histories[key], kind)},
            held={one: value for one, value in before.held.items() if one != register_key},
        )
        state = replace(state, registers={**state.registers, register_key: known})
        state = describe_state(state, self._settings.overrides)
        last, first = before.number(key), self.state.number(key)
        rose = last is not None and first is not None and first >= last
        reason = OffsetReason.JUMP if rose else OffsetReason.ANSWER
        return Outcome(state, self._offsets(before, published, {key: offset}, reason, now))

    def keep_published(self, key: str, published: MeterState) -> Outcome:
        """The user says that the published value is right: no question until a held one lies further from it."""
        held, state = self.state.held_number(key), self.state.decided(key)
        self.state = replace(state, dismissed={**state.dismissed, key: held})
        return Outcome(published)

    def dismiss_replacement(self, published: MeterState) -> Outcome:
        """The user says that the probe sat on the wrong meter; if it still does, that is noticed again."""
        self.state = replace(self.state, replacement=None)
        return Outcome(published)

    def ignore_check(self, published: MeterState, profile: LineProfile) -> Outcome:
        """The user says that this meter computes its check in its own way."""
        self.state = replace(self.state, wrong_checks=NO_WRONG_CHECK)
        return Outcome(replace(published, profile=without_check(profile)))

    def accept_replacement(
        self, other: MeterReplacement, state: MeterState, published: MeterState, now: datetime
    ) -> Outcome:
        """The user says that the other meter, known by that state, has replaced this one."""
        before, self.state = self.state, other.validation
        steps = {}
        for key, first in other.first_totals.items():
            if (last := before.number(key)) is not None:
                steps[key] = last - first
        return Outcome(state, self._offsets(before, published, steps, OffsetReason.REPLACED, now))

    def _offsets(
        self,
        before: ValidationState,
        published: MeterState,
        steps: Mapping[str, Decimal],
        reason: OffsetReason,
        now: datetime,
    ) -> tuple[Offset, ...]:
        """The offsets of totals that step by so much besides the change of their number."""
        return tuple(
            Offset(
                description.key,
                now,
                steps[description.key],
                description.unit,
                before.number(description.key),
                self.state.number(description.key),
                reason,
            )
            for description in totals_of(published, self.units)
            if description.key in steps
        )


def _silent(before: MeterState, after: MeterState) -> set[str]:
    """The keys of the values that come again after so long that the recorder may begin their sums at nothing."""
    return {
        description.key
        for key, known in before.registers.items()
        if after.registers[key].received - known.received > LONG_SILENCE
        for description in known.descriptions
    }
