"""What of a meter's readings is believed: its records, what is held and why, and whose readings they are.

Here: a reading goes through the gates register by register, and what passes them joins the state. Frozen values and
pure functions: whoever keeps the result has all of it, or, where something failed on the way, still all of the old.
Never here: the gates themselves (plausibility), reading, files, clocks, entities, what a person is told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple, Self

from ..protocol.ascii.checks import WRONG_ALIKE
from ..protocol.codec import as_list
from ..protocol.model import LineProfile, Reading, Register, Verdict
from ..protocol.obis import register_timestamp
from ..registers.descriptions import Context, Description, Kind, context_of, kept_unit, native
from ..registers.overrides import RegisterOverride, describe_with_overrides
from ..state.identity import Identity, model_of, plain
from ..state.meter_state import MOST_REGISTERS, MeterState, RegisterState
from .checks import (
    NO_LIMITS,
    Candidate,
    CheckResult,
    HoldReason,
    RegisterHistory,
    Sample,
    ValueKind,
    accept,
    begun_anew,
    judge,
    judge_reading,
    kind_of,
    limits_of,
)
from .register_history import HeldSample

# So many texts in a row that are neither the known one nor each other are no damage: this text changes.
DIFFERENT_TEXTS = 2

BELIEVED = CheckResult()
_UNSEEN = CheckResult(HoldReason.FIRST, again=True)
NO_WRONG_CHECK = ("", 0)
_UNSAID = RegisterOverride()
# What a text may be next: a bare number says nothing of itself.
_TEXTS = frozenset((ValueKind.NAME, ValueKind.FREE))


@as_list
@dataclass(frozen=True, slots=True)
class HeldValue:
    """A register as it came and is not believed."""

    register: Register
    received: datetime
    doubt: HoldReason


@dataclass(frozen=True, slots=True)
class MeterReplacement:
    """Another meter that answers in place of the known one: what is believed of it, while a person is asked.

    `base` has its totals as they were first believed, by the keys of the descriptions.
    """

    number: str
    beliefs: ValidationState
    state: MeterState | None = None
    base: Mapping[str, Decimal] = field(default_factory=dict)


class ValidationResult(NamedTuple):
    """What a reading has led to. `again`: a second one, made at once, can settle a doubt.

    `anew` are the totals that were seen to begin anew, by the keys of their descriptions, and what each has counted
    besides the change of its number, in the unit of its sensor.
    """

    beliefs: ValidationState
    state: MeterState | None
    again: bool
    held: int
    anew: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class ValidationState:
    """What is known of one meter's values beside the values themselves.

    Records go by the keys of descriptions, holds by those of registers. `varying` are texts that were never the same
    twice. Of `asked`, a person should decide; of `kept`, one has decided that the published value is right. `said` is
    what a person says of registers that the catalogue does not know, but for their names. `wrong_checks` are the
    shape of the latest readings, where their check was wrong, and how many of that shape came in a row.
    """

    records: Mapping[str, RegisterHistory] = field(default_factory=dict)
    holds: Mapping[str, HeldValue] = field(default_factory=dict)
    varying: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    exchange: MeterReplacement | None = None
    said: Mapping[str, RegisterOverride] = field(default_factory=dict)
    wrong_checks: tuple[str, int] = NO_WRONG_CHECK

    @classmethod
    def of(cls, state: MeterState, units: Mapping[str, str]) -> Self:
        """Believe what was published so far: of a meter that was read before anything was kept of its records."""
        key, name = _name_of(state.identity)
        at = state.received.timestamp()
        named = RegisterHistory(good=Sample(None, name, None, at, checked=True))
        return cls({key: named, **_published(state, units, {})})

    def changed_from_default(self, said: Mapping[str, RegisterOverride]) -> frozenset[str]:
        """The keys of those descriptions that are others by what a person says now."""
        now = _nameless(said)
        return frozenset(
            key
            for key in {*now, *self.said}
            if now.get(key, _UNSAID) != self.said.get(key, _UNSAID)
        )

    def as_said(
        self,
        said: Mapping[str, RegisterOverride],
        state: MeterState | None,
        units: Mapping[str, str],
    ) -> Self:
        """Judge registers as what a person says now that they are.

        Where that is something else than before, only what is published is believed of them, and nothing is held.
        """
        if not (others := self.changed_from_default(said)):
            return self
        now = _nameless(said)
        begun = {} if state is None else _published(state, units, now)
        records = {key: one for key, one in self.records.items() if key not in others}
        records |= {key: one for key, one in begun.items() if key in others}
        held = {found[0] for key in others if (found := self.held_value(key))}
        exchange = self.exchange
        if exchange is not None:
            beliefs = exchange.beliefs.as_said(said, exchange.state, units)
            base = {key: one for key, one in exchange.base.items() if key not in others}
            exchange = replace(
                exchange, beliefs=beliefs, base={**_numbers(beliefs.records), **base}
            )
        return replace(
            self,
            records=records,
            holds={key: hold for key, hold in self.holds.items() if key not in held},
            asked=self.asked - others,
            kept=self.kept - others,
            exchange=exchange,
            said=now,
        )

    def check_failed(self, shape: bytes) -> Self:
        """The check of a reading was wrong; `shape` is empty where the line itself has done harm."""
        before, times = self.wrong_checks
        now = shape.hex()
        times = min(times + 1, WRONG_ALIKE) if now == before else 1
        return replace(self, wrong_checks=(now, times) if now else NO_WRONG_CHECK)

    @property
    def check_is_own(self) -> bool:
        """Whether the check was wrong so often, in readings alike, that the meter computes it in a way of its own."""
        return self.wrong_checks[1] >= WRONG_ALIKE

    def take(
        self,
        reading: Reading,
        profile: LineProfile,
        state: MeterState | None,
        units: Mapping[str, str],
        amperes: Decimal | None = None,
    ) -> ValidationResult:
        """Judge a reading and join to the state what may be published of it.

        `units` are those the sensors have, `amperes` what the connection is fused for, per phase. The state stays the very same where nothing of the reading is believed.
        """
        judging = ReadingCheck(self, reading, state, units, amperes)
        if (other := self.exchange) is not None:
            if judging.says == other.number:
                return self._of_other(other, reading, profile, state, units, amperes=amperes)
            if judging.says != judging.known_as:
                # Without a number it may be either's.
                return ValidationResult(self, state, again=False, held=0, anew={})
        judging.run()
        if judging.exchanged:
            other = MeterReplacement(judging.says or "", ValidationState(said=self.said))
            return self._of_other(other, reading, profile, state, units, amperes=amperes)
        believed = replace(reading, registers=judging.believed())
        if not believed.registers:
            return judging.result(state)
        return judging.result(MeterState.of(believed, profile, state))

    def _of_other(
        self,
        other: MeterReplacement,
        reading: Reading,
        profile: LineProfile,
        state: MeterState | None,
        units: Mapping[str, str],
        *,
        amperes: Decimal | None,
    ) -> ValidationResult:
        """Learn the other meter beside the known one; nothing of it is published."""
        taken = other.beliefs.take(reading, profile, other.state, units, amperes)
        base = {**_numbers(taken.beliefs.records), **other.base}
        exchange = MeterReplacement(other.number, taken.beliefs, taken.state, base)
        return ValidationResult(
            replace(self, exchange=exchange), state, taken.again, held=0, anew={}
        )

    def believe(
        self, key: str, state: MeterState, units: Mapping[str, str]
    ) -> tuple[ValidationState, MeterState]:
        """A person has said that the value held there is right."""
        found = self.held_value(key)
        if found is None:
            return self._settled(key), state
        register_key, hold = found
        context = context_of(state.reading)
        nature = next(
            one.nature
            for one in _values(hold.register, context, units, self.said)
            if one.key == key
        )
        records = {**self.records, key: accept(self.records[key], nature)}
        registers = {**state.registers, register_key: RegisterState(hold.register, hold.received)}
        holds = {one: held for one, held in self.holds.items() if one != register_key}
        beliefs = replace(self._settled(key), records=records, holds=holds)
        return beliefs, replace(state, registers=registers)

    def keep(self, key: str) -> ValidationState:
        """A person has said that the published value is right: nothing is asked again until a good one comes."""
        return replace(self._settled(key), kept=self.kept | {key})

    def _settled(self, key: str) -> ValidationState:
        return replace(self, asked=self.asked - {key}, kept=self.kept - {key})

    def held_value(self, key: str) -> tuple[str, HeldValue] | None:
        """The register, and what is held of it, to which a description's key belongs."""
        for register_key in (key, key.rpartition("#")[0]):
            if (hold := self.holds.get(register_key)) is not None:
                return register_key, hold
        return None

    def forget_other(self) -> ValidationState:
        """A person has said that the other meter is not this entry's."""
        return replace(self, exchange=None)


class _Value(NamedTuple):
    """One value of a register, as a sensor has it."""

    register: Register
    description: Description
    unit: str | None

    @property
    def key(self) -> str:
        return self.description.key

    @property
    def nature(self) -> ValueKind:
        if self.description.kind is Kind.TEXT:
            return ValueKind.NAME
        return kind_of(self.register.obis, self.description.state_class)

    @property
    def is_clock(self) -> bool:
        """Whether the text is a moment: the meter's clock says another one in every reading."""
        values, index = self.register.values, self.description.index
        return index < len(values) and (
            register_timestamp(self.register.obis, index, values[index].text) is not None
        )

    def case(
        self,
        received: datetime,
        record: RegisterHistory | None,
        *,
        checked: bool,
        amperes: Decimal | None = None,
    ) -> Candidate:
        """The value as the gates see it; a text where numbers were is none."""
        at = received.timestamp()
        good = None if record is None else record.good
        nature = self.nature
        if nature is ValueKind.NAME if good is None else good.number is None and nature in _TEXTS:
            return Candidate(
                Sample(None, repr(self.register.values), None, at, checked), ValueKind.NAME
            )
        index, values = self.description.index, self.register.values
        text, unit = values[index] if index < len(values) else ("", None)
        number = None
        if self.description.kind is Kind.NUMBER and self.unit in (None, self.description.unit):
            value = native(self.register, self.description, UTC)
            number = value if isinstance(value, Decimal) else None
        if nature is ValueKind.NAME:
            nature = ValueKind.FREE
        limits = limits_of(nature, self.description.unit, amperes)
        described = self.description.unit or self.description.device_class
        if nature is ValueKind.INSTANT and described is None:
            # Only a person knows what it can be.
            limits = NO_LIMITS
        return Candidate(Sample(number, text, unit, at, checked), nature, limits)


def _values(
    register: Register,
    context: Context,
    units: Mapping[str, str],
    said: Mapping[str, RegisterOverride],
) -> Iterator[_Value]:
    for description in describe_with_overrides(register, context, said):
        unit = units.get(description.key)
        yield _Value(register, kept_unit(description, unit), unit)


def _published(
    state: MeterState, units: Mapping[str, str], said: Mapping[str, RegisterOverride]
) -> dict[str, RegisterHistory]:
    """Records of which nothing is known but the published value."""
    context = context_of(state.reading)
    records = {}
    for known in state.registers.values():
        for one in _values(known.register, context, units, said):
            case = one.case(known.received, None, checked=True)
            after, _ = judge_reading({}, {one.key: case})
            records[one.key] = after[one.key] if after[one.key].good else RegisterHistory()
    return records


def _numbers(records: Mapping[str, RegisterHistory]) -> dict[str, Decimal]:
    """The believed numbers, in the units of their sensors."""
    return {
        key: record.good.number
        for key, record in records.items()
        if record.good is not None and record.good.number is not None
    }


def _nameless(said: Mapping[str, RegisterOverride]) -> dict[str, RegisterOverride]:
    """What a person says, but for the names: they change no value."""
    return {key: replace(one, name=None) for key, one in said.items()}


def _name_of(identity: Identity) -> tuple[str, str]:
    """The key under which a meter's name is judged, and the name: its number, else what kind it is."""
    if identity.number is not None:
        return f"={identity.number_code}", identity.number
    return "=", identity.name


class ReadingCheck:
    """One reading on its way through the gates."""

    def __init__(
        self,
        before: ValidationState,
        reading: Reading,
        state: MeterState | None,
        units: Mapping[str, str],
        amperes: Decimal | None,
    ) -> None:
        self._amperes = amperes
        self._before = before
        self._known = {} if state is None else state.registers
        self._reading = reading
        self._registers: dict[str, Register] = {}
        for register in reading.registers:
            # The first one sent is the current one where a meter repeats an address.
            self._registers.setdefault(register.key, register)
        self._name, self.says = self._whose(state)
        # A damaged code must not change what the others mean.
        context = context_of(reading if state is None else state.reading)
        self._records = before.records
        self._judged: dict[str, CheckResult] = {}
        self._values = [
            one
            for register in self._registers.values()
            for one in _values(register, context, units, before.said)
        ]
        self._varying = set(before.varying)

    def _whose(self, state: MeterState | None) -> tuple[str, str | None]:
        """The key under which the meter's name is judged, and what this reading says it is, if anything."""
        identity = Identity.of(self._reading.identification, self._registers.values())
        if state is None:
            return _name_of(identity)
        known = state.identity
        key, _ = _name_of(known)
        if (sent := self._registers.get(known.number_code or "")) and sent.values:
            return key, plain(sent.values[0].text)
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
        record = self._before.records.get(self._name)
        return None if record is None or record.good is None else record.good.text

    @property
    def exchanged(self) -> bool:
        """Whether the reading has confirmed another name."""
        name = self._judged.get(self._name)
        return name is not None and name.good and self.known_as not in (None, self.says)

    def run(self) -> None:
        """Judge all values."""
        records = self._before.records
        checked = self._reading.health.check is Verdict.RIGHT
        received = self._reading.received
        if len(records) >= MOST_REGISTERS:
            # What noise has made up was never confirmed.
            records = {key: record for key, record in records.items() if record.good}
        name = None
        cases: dict[str, Candidate] = {}
        free: dict[str, Candidate] = {}
        if self.says is not None:
            sample = Sample(None, self.says, None, received.timestamp(), checked)
            cases[self._name] = Candidate(sample, ValueKind.NAME)
            name = self._name if self.known_as is not None else None
        for one in self._values:
            known = records.get(one.key)
            if known is None and len(records) >= MOST_REGISTERS:
                continue
            case = one.case(received, known, checked=checked, amperes=self._amperes)
            (free if self._is_free(one, case, known) else cases)[one.key] = case
        after, judged = judge_reading(records, cases, name)
        another = self._name in judged and not judged[self._name].good
        if another and name is None and any(one.good for one in judged.values()):
            # Not even the first name is sure: of two readings, they may be two meters'.
            after, judged = judge_reading(records, cases, self._name)
        for key, case in free.items():
            if another and records:
                judged[key] = CheckResult(HoldReason.NUMBER, again=True)
            else:
                after[key], judged[key] = _seen(records, key, case)
        for key, case in cases.items():
            self._vary(key, case, judged, after)
        if not checked:
            self._judge_times(judged, after)
        self._records, self._judged = after, judged

    def _is_free(self, one: _Value, case: Candidate, known: RegisterHistory | None) -> bool:
        """Whether the value has no gate but that its code is no invention: times, changing texts, no number yet."""
        if case.nature is ValueKind.NAME:
            return one.is_clock or one.key in self._varying
        return case.sample.number is None and (known is None or known.good is None)

    def _judge_times(
        self, judged: dict[str, CheckResult], after: dict[str, RegisterHistory]
    ) -> None:
        """Where a maximum has not moved, nor has its time: without a check, a second reading must say so too."""
        received = self._reading.received.timestamp()
        for one in self._values:
            known = self._known.get(one.register.key)
            if known is None or not judged.get(one.key, _UNSEEN).good:
                continue
            key = f"{one.register.key}@"
            if key in self._varying or not _time_alone_differs(known.register, one.register):
                after.pop(key, None)
                continue
            good = Sample(None, repr(known.register.values), None, received, checked=True)
            before = after.get(key, RegisterHistory(good=good))
            sample = Sample(None, repr(one.register.values), None, received, checked=False)
            after[key], judged[one.key] = judge(before, Candidate(sample, ValueKind.NAME))
            if not judged[one.key].good and len(before.held) >= DIFFERENT_TEXTS:
                # It is the time of the reading.
                self._varying.add(key)
                judged[one.key] = BELIEVED

    def _vary(
        self,
        key: str,
        case: Candidate,
        judged: dict[str, CheckResult],
        after: dict[str, RegisterHistory],
    ) -> None:
        """A text that is another each time is not damaged each time."""
        before = self._before.records.get(key)
        if key == self._name or judged[key].doubt is not HoldReason.NAME or before is None:
            return
        if len(before.held) >= DIFFERENT_TEXTS:
            self._varying.add(key)
            after[key], judged[key] = RegisterHistory(good=case.sample), BELIEVED

    def believed(self) -> tuple[Register, ...]:
        """The registers of which every value may be published."""
        doubtful = {
            one.register.key for one in self._values if not self._judged.get(one.key, _UNSEEN).good
        }
        return tuple(register for key, register in self._registers.items() if key not in doubtful)

    def result(self, state: MeterState | None) -> ValidationResult:
        """What is believed after this reading."""
        before = self._before
        # What was never a register of the meter and does not come again was noise.
        mine = () if state is None else state.registers
        holds = {
            key: hold
            for key, hold in before.holds.items()
            if key in mine and key not in self._registers
        }
        asked, kept = set(before.asked), set(before.kept)
        held = 0
        for one in self._values:
            judgement = self._judged.get(one.key, BELIEVED)
            register_key = one.register.key
            if judgement.doubt is None:
                asked.discard(one.key)
                kept.discard(one.key)
                continue
            held += 1
            hold = HeldValue(one.register, self._reading.received, judgement.doubt)
            if judgement.doubt is HoldReason.TEXT and one.key in asked:
                # What a person is asked about is a number.
                hold = before.holds.get(register_key, hold)
            holds[register_key] = hold
            if judgement.repair and one.key not in kept:
                asked.add(one.key)
        beliefs = replace(
            before,
            records=self._records,
            holds=holds,
            varying=frozenset(self._varying),
            asked=frozenset(asked),
            kept=frozenset(kept),
            exchange=None,
        )
        again = any(one.again for one in self._judged.values())
        return ValidationResult(beliefs, state, again, held, self._begun_anew())

    def _begun_anew(self) -> dict[str, Decimal]:
        found = {}
        for one in self._values:
            known = self._before.records.get(one.key)
            # One that nobody ever believed is forgotten where there are too many.
            after = self._records.get(one.key)
            if known is None or after is None:
                continue
            if more := begun_anew(known, after, one.nature):
                found[one.key] = more
        return found


def _time_alone_differs(known: Register, sent: Register) -> bool:
    """Whether the numbers are the same, and a time beside them is not."""
    if len(known.values) != len(sent.values) or known.values == sent.values:
        return False
    return all(
        before == now
        or (index > 0 and register_timestamp(known.obis, index, before.text) is not None)
        for index, (before, now) in enumerate(zip(known.values, sent.values, strict=True))
    )


def _seen(
    records: Mapping[str, RegisterHistory], key: str, case: Candidate
) -> tuple[RegisterHistory, CheckResult]:
    """A value without a gate of its own: its code must have come before, or under a check in the first reading."""
    good = case.sample if case.nature is ValueKind.NAME else None
    if key in records or (case.sample.checked and not records):
        return RegisterHistory(good=good), BELIEVED
    return RegisterHistory(held=(HeldSample(case.sample, HoldReason.FIRST),)), _UNSEEN
