"""The check of one reading: whose it is, which of its registers may be published, and what is known then."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from ..protocol.model import LineProfile, Reading, Verdict
from ..registers.descriptions import describe, describe_state
from ..registers.matching import context_of
from ..registers.overrides import RegisterOverride
from ..state.identity import Identity, model_of, plain
from ..state.meter_state import MOST_REGISTERS, MeterState, RegisterState
from .billing_period import beside_others
from .candidate import APART, Candidate
from .checks import ACCEPTED, NOT_CHECKED, CheckResult, check_unlimited, check_value, check_values
from .limits import TOTALS, ValueKind
from .register_history import HoldReason, RegisterHistory, Sample
from .register_value import RegisterValue, rated_flow_of, time_alone_differs, values_of
from .totals import RESETTABLE, reset_offset
from .validation_state import HeldValue, MeterReplacement, ValidationState, name_of, numbers_of

# Telegrams that come unasked are witnesses for each other after so many seconds.
PUSHES_APART = 30
# After this many different texts in a row the register counts as changing.
DIFFERENT_TEXTS = 2


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """What the user has set, and the units that the sensors have."""

    units: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, RegisterOverride] = field(default_factory=dict)
    # What the connection is fused for, per phase.
    amperes: Decimal | None = None


class ValidationResult(NamedTuple):
    """What a reading leads to. The state is the very same if nothing of the reading may be published."""

    validation: ValidationState
    state: MeterState | None
    # A second reading can settle why a value is held: one made at once, or one of another session.
    retry: bool = False
    later: bool = False
    # How many values are held.
    held: int = 0
    # What totals that began again have counted besides the change of their number, in the units of their sensors.
    resets: Mapping[str, Decimal] = {}
    # The keys of totals that have risen to a number that was held first.
    jumps: frozenset[str] = frozenset()


def check_reading(
    validation: ValidationState,
    reading: Reading,
    profile: LineProfile,
    state: MeterState | None,
    settings: CheckSettings,
) -> ValidationResult:
    """Check a reading against what is known; `state` is the published one, None before the first."""
    check = ReadingCheck(validation, reading, profile, state, settings)
    if (other := validation.replacement) is not None:
        if check.name_sent == other.number:
            return check.learn(other)
        if check.name_sent != check.known_as:
            # Without a number the reading may be either meter's.
            return ValidationResult(validation, state)
    check.run()
    if check.is_replaced:
        learned = ValidationState(overrides=validation.overrides)
        return check.learn(MeterReplacement(check.name_sent or "", learned))
    return check.result()


class ReadingCheck:
    """One reading while it is checked."""

    def __init__(
        self,
        before: ValidationState,
        reading: Reading,
        profile: LineProfile,
        state: MeterState | None,
        settings: CheckSettings,
    ) -> None:
        """Describe the registers of the reading."""
        self._profile = profile
        self._state = state
        self._settings = settings
        self._before = before
        self._known: Mapping[str, RegisterState] = {} if state is None else state.registers
        self._reading = reading
        # A damaged code must not change what the others mean.
        self._context = context_of(reading.registers) if state is None else state.context
        self._checked = reading.health.check is Verdict.RIGHT
        self._received: dict[str, RegisterState] = {}
        self._sent = Counter(register.key for register in reading.registers)
        # Where the first one was lost, the next would pass as the current one.
        lost = {key for key, count in before.repeated.items() if self._sent[key] < count}
        free = MOST_REGISTERS - len(self._known)
        for register in reading.registers:
            if len(self._received) == MOST_REGISTERS:
                break
            key = register.key
            # The first one sent is the current one where a meter repeats an address.
            if key in self._received or (key in lost and not self._checked):
                continue
            if (known := self._known.get(key)) is None:
                if not free:
                    continue
                free -= 1
            descriptions = describe(register, self._context, settings.overrides, known)
            self._received[key] = RegisterState(
                register, reading.received, descriptions=descriptions
            )
        self._name, self.name_sent = self._whose()
        self._histories = before.histories
        self._results: dict[str, CheckResult] = {}
        self._values = [
            value
            for key, received in self._received.items()
            for value in values_of(key, received, settings.units)
        ]
        self._varying_texts = set(before.varying_texts)

    def _whose(self) -> tuple[str, str | None]:
        """The key under which the meter's name is checked, and the name that this reading has, if any."""
        identity = Identity.of(
            self._reading.identification, [one.register for one in self._received.values()]
        )
        if self._state is None:
            return name_of(identity)
        known = self._state.identity
        key, _ = name_of(known)
        sent = self._received.get(known.number_code or "")
        if sent is not None and sent.register.values:
            return key, plain(sent.register.values[0].text)
        if self._reading.identification is None:
            return key, None
        if known.number is None:
            return key, identity.name
        # Another make may send its number under another code.
        model = model_of(self._reading.identification, known.number)
        same = (identity.flag, model) == (known.flag, known.model)
        return key, None if same else identity.number or identity.name

    @property
    def known_as(self) -> str | None:
        """What the meter was known by before this reading."""
        history = self._before.histories.get(self._name)
        return None if history is None or history.good is None else history.good.text

    @property
    def is_replaced(self) -> bool:
        """Whether the reading has confirmed another name."""
        name = self._results.get(self._name)
        return name is not None and name.good and self.known_as not in (None, self.name_sent)

    def run(self) -> None:
        """Check all values."""
        histories = self._before.histories
        checked = self._checked
        apart = PUSHES_APART if self._profile.pushes else APART
        at = self._reading.received.timestamp()
        if len(histories) >= MOST_REGISTERS:
            # What noise has made up was never confirmed.
            histories = {key: one for key, one in histories.items() if one.good}
        name, rated_flow = None, rated_flow_of(self._known)
        candidates: dict[str, Candidate] = {}
        unchecked: dict[str, Candidate] = {}
        # What the others say is looked at first.
        periodic: list[tuple[RegisterValue, Candidate]] = []
        if self.name_sent is not None:
            sample = Sample(None, self.name_sent, None, at, checked)
            candidates[self._name] = Candidate(sample, ValueKind.NAME)
            name = self._name if self.known_as is not None else None
        for value in self._values:
            known = histories.get(value.key)
            if known is None and len(histories) >= MOST_REGISTERS:
                continue
            candidate = value.candidate(
                at,
                known,
                checked=checked,
                apart=apart,
                amperes=self._settings.amperes,
                rated_flow=rated_flow,
            )
            if self._is_unlimited(value, candidate, known):
                unchecked[value.key] = candidate
            elif candidate.kind is ValueKind.PERIODIC:
                periodic.append((value, candidate))
            else:
                candidates[value.key] = candidate
        after, results = check_values(histories, candidates, name)
        other = self._name in results and not results[self._name].good
        if other and name is None and any(one.good for one in results.values()):
            # Not even the first name is sure: two readings may be two meters'.
            after, results = check_values(histories, candidates, self._name)
        for key, candidate in unchecked.items():
            if other and histories:
                results[key] = CheckResult(HoldReason.NUMBER, retry=True)
            else:
                after[key], results[key] = check_unlimited(histories, key, candidate)
        good = {key for key, result in results.items() if result.good}
        for value, candidate in periodic:
            if other and histories:
                results[value.key] = CheckResult(HoldReason.NUMBER, retry=True)
                continue
            signed = beside_others(
                candidate,
                value,
                self._values,
                self._known,
                before=histories,
                after=after,
                good=good,
            )
            known, is_new = histories.get(value.key), bool(histories)
            after[value.key], results[value.key] = check_value(
                known or RegisterHistory(), signed, is_new=is_new and known is None
            )
        for key, candidate in candidates.items():
            if results[key].reason is HoldReason.NAME and key != self._name:
                self._check_text(key, candidate, results, after)
        if not checked:
            self._check_times(results, after)
        self._histories, self._results = after, results

    def _is_unlimited(
        self, value: RegisterValue, candidate: Candidate, known: RegisterHistory | None
    ) -> bool:
        """Whether nothing is checked but that the code is not invented: times, changing texts, no number yet."""
        if candidate.kind is ValueKind.NAME:
            return value.key in self._varying_texts or value.is_clock
        return candidate.sample.number is None and (known is None or known.good is None)

    def _check_times(
        self, results: dict[str, CheckResult], after: dict[str, RegisterHistory]
    ) -> None:
        """If a maximum has not moved, nor has its time: without a check, a second reading must say so too."""
        at = self._reading.received.timestamp()
        for value in self._values:
            known = self._known.get(value.register_key)
            if known is None or not results.get(value.key, NOT_CHECKED).good:
                continue
            key = f"{value.register_key}@"
            if key in self._varying_texts or not time_alone_differs(known.register, value.register):
                after.pop(key, None)
                continue
            good = Sample(None, repr(known.register.values), None, at, checked=True)
            before = after.get(key, RegisterHistory(good=good))
            sample = Sample(None, repr(value.register.values), None, at, checked=False)
            after[key], results[value.key] = check_value(before, Candidate(sample, ValueKind.NAME))
            if not results[value.key].good and len(before.held) >= DIFFERENT_TEXTS:
                # It is the time of the reading.
                self._varying_texts.add(key)
                results[value.key] = ACCEPTED

    def _check_text(
        self,
        key: str,
        candidate: Candidate,
        results: dict[str, CheckResult],
        after: dict[str, RegisterHistory],
    ) -> None:
        """A text that is different each time is not damaged each time."""
        before = self._before.histories.get(key)
        if before is not None and len(before.held) >= DIFFERENT_TEXTS:
            self._varying_texts.add(key)
            after[key], results[key] = RegisterHistory(good=candidate.sample), ACCEPTED

    def learn(self, other: MeterReplacement) -> ValidationResult:
        """Learn the other meter beside the known one; nothing of it is published."""
        result = check_reading(
            other.validation, self._reading, self._profile, other.state, self._settings
        )
        first = {**numbers_of(result.validation.histories), **other.first_totals}
        other = MeterReplacement(other.number, result.validation, result.state, first)
        return ValidationResult(
            replace(self._before, replacement=other), self._state, result.retry, result.later
        )

    def _published(self) -> MeterState | None:
        """The state with the registers of which every value may be published."""
        results = self._results
        held = {
            value.register_key
            for value in self._values
            if results.get(value.key, NOT_CHECKED).reason is not None
        }
        stays = {
            value.register_key for value in self._values if results.get(value.key, ACCEPTED).stays
        }
        accepted = {
            key: replace(self._known[key], received=one.received, restored=False)
            if key in stays
            else one
            for key, one in self._received.items()
            if key not in held
        }
        if not accepted:
            return self._state
        # Before a first reading there is only the context that its registers were described in.
        reading = self._reading
        before = self._state or MeterState(
            self._profile, None, {}, reading.received, reading.health, context=self._context
        )
        state = MeterState.joined(reading, accepted, self._profile, before)
        return describe_state(state, self._settings.overrides)

    def result(self) -> ValidationResult:
        """What is known after this reading."""
        before, state = self._before, self._published()
        # What was never a register of the meter and does not come again was noise.
        mine: Mapping[str, RegisterState] = {} if state is None else state.registers
        held = {
            key: one
            for key, one in before.held.items()
            if key in mine and key not in self._received
        }
        good = {key for key, result in self._results.items() if result.reason is None}
        pending = set(before.pending_repairs - good)
        dismissed = {key: one for key, one in before.dismissed.items() if key not in good}
        count = 0
        for value in self._values:
            result = self._results.get(value.key, ACCEPTED)
            if result.reason is None:
                continue
            count += 1
            now = HeldValue(value.register, self._reading.received, result.reason)
            if result.reason is HoldReason.TEXT and value.key in pending:
                # The user is asked about a number.
                now = before.held.get(value.register_key, now)
            held[value.register_key] = now
            if result.repair and not self._stays_dismissed(value.key):
                pending.add(value.key)
                dismissed.pop(value.key, None)
        validation = replace(
            before,
            histories=self._histories,
            held=held,
            varying_texts=frozenset(self._varying_texts),
            pending_repairs=frozenset(pending),
            dismissed=dismissed,
            replacement=None,
            repeated={key: count for key, count in self._sent.items() if count > 1},
        )
        retry = any(one.retry for one in self._results.values())
        later = any(one.later for one in self._results.values())
        return ValidationResult(
            validation, state, retry, later, count, self._resets(), self._jumps()
        )

    def _stays_dismissed(self, key: str) -> bool:
        """Whether the user need not be asked again: a held number is no further from the published one than before."""
        if key not in self._before.dismissed:
            return False
        known, history = self._before.dismissed[key], self._histories[key]
        held, good = history.held[-1].sample.number, history.good
        if known is None or held is None or good is None or good.number is None:
            return True
        return abs(held - good.number) <= abs(known - good.number)

    def _jumps(self) -> frozenset[str]:
        return frozenset(
            value.key
            for value in self._values
            if value.kind in TOTALS
            and (before := self._before.histories.get(value.key)) is not None
            and before.good is not None
            and any(held.reason is not HoldReason.TEXT for held in before.held)
            and self._results.get(value.key, NOT_CHECKED).good
        )

    def _resets(self) -> dict[str, Decimal]:
        found = {}
        for value in self._values:
            if value.kind not in RESETTABLE:
                continue
            before = self._before.histories.get(value.key)
            # A value that was never accepted is forgotten where there are too many.
            after = self._histories.get(value.key)
            if before is None or after is None:
                continue
            if offset := reset_offset(before, after, value.kind):
                found[value.key] = offset
        return found
