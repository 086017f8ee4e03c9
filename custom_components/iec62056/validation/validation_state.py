"""What is known of the values of one meter besides the values themselves, and how it is stored."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Self

from ..protocol.ascii.checks import WRONG_ALIKE
from ..protocol.codec import as_list
from ..protocol.model import Register
from ..registers.descriptions import describe_state
from ..registers.overrides import RegisterOverride
from ..state.identity import Identity
from ..state.meter_state import MeterState
from .checks import check_values
from .register_history import HoldReason, RegisterHistory, Sample
from .register_value import values_of

NO_WRONG_CHECK = ("", 0)
_NO_OVERRIDE = RegisterOverride()


@as_list
@dataclass(frozen=True, slots=True)
class HeldValue:
    """A register as it was received and not published."""

    register: Register
    received: datetime
    reason: HoldReason


@dataclass(frozen=True, slots=True)
class MeterReplacement:
    """Another meter that answers in place of the known one, while the user is asked what has happened."""

    number: str
    validation: ValidationState
    state: MeterState | None = None
    # Its totals as first accepted, by the keys of their descriptions.
    first_totals: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ValidationState:
    """What was learned of one meter's values, and what the user has decided."""

    # By the keys of descriptions.
    histories: Mapping[str, RegisterHistory] = field(default_factory=dict)
    # By the keys of registers.
    held: Mapping[str, HeldValue] = field(default_factory=dict)
    # Texts that are different in every reading.
    varying_texts: frozenset[str] = frozenset()
    # Sensors whose held value waits for the user's decision.
    pending_repairs: frozenset[str] = frozenset()
    # Sensors whose published value the user has confirmed, with the number that was held.
    dismissed: Mapping[str, Decimal | None] = field(default_factory=dict)
    replacement: MeterReplacement | None = None
    # The user's overrides that the histories were learned with, without names.
    overrides: Mapping[str, RegisterOverride] = field(default_factory=dict)
    # The shape of the latest readings with a wrong check, and how many of that shape came in a row.
    wrong_checks: tuple[str, int] = NO_WRONG_CHECK
    # How often the last reading had the registers that it had more than once.
    repeated: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, state: MeterState, units: Mapping[str, str]) -> Self:
        """The state of a meter of which nothing but its last reading was stored: that is accepted."""
        key, name = name_of(state.identity)
        at = state.received.timestamp()
        named = RegisterHistory(good=Sample(None, name, None, at, checked=True))
        return cls({key: named, **_published(state, units)})

    def changed_overrides(self, overrides: Mapping[str, RegisterOverride]) -> frozenset[str]:
        """The keys of descriptions that these overrides change, compared with those known so far."""
        now = _nameless(overrides)
        return frozenset(
            key
            for key in {*now, *self.overrides}
            if now.get(key, _NO_OVERRIDE) != self.overrides.get(key, _NO_OVERRIDE)
        )

    def with_overrides(
        self,
        overrides: Mapping[str, RegisterOverride],
        state: MeterState | None,
        units: Mapping[str, str],
    ) -> Self:
        """The state under these overrides, which `state` is described with.

        Of what they change, only the published value is accepted, and nothing stays held.
        """
        result = self
        if (other := self.replacement) is not None and other.state is not None:
            described = describe_state(other.state, overrides)
            result = replace(self, replacement=replace(other, state=described))
        if not (changed := self.changed_overrides(overrides)):
            return result
        begun = {} if state is None else _published(state, units)
        histories = {key: one for key, one in self.histories.items() if key not in changed}
        histories |= {key: one for key, one in begun.items() if key in changed}
        dropped = {found[0] for key in changed if (found := self.held_value(key))}
        if (other := result.replacement) is not None:
            validation = other.validation.with_overrides(overrides, other.state, units)
            first = {key: one for key, one in other.first_totals.items() if key not in changed}
            first = {**numbers_of(validation.histories), **first}
            other = replace(other, validation=validation, first_totals=first)
        return replace(
            self,
            histories=histories,
            held={key: one for key, one in self.held.items() if key not in dropped},
            pending_repairs=self.pending_repairs - changed,
            dismissed=_without(self.dismissed, changed),
            replacement=other,
            overrides=_nameless(overrides),
        )

    def after_clock_change(self, *, start: bool = False) -> Self:
        """Nothing is learned from how far totals have moved since. But for a start, what was held was not too fast."""
        wrong = () if start else (HoldReason.OUT_OF_RANGE,)
        histories = {
            key: replace(
                one,
                anchor=None,
                held=tuple(
                    held._replace(reason=HoldReason.TOO_FAST) if held.reason in wrong else held
                    for held in one.held
                ),
            )
            for key, one in self.histories.items()
        }
        return replace(self, histories=histories)

    def check_failed(self, shape: bytes) -> Self:
        """The check of a reading was wrong; `shape` is empty if the line itself damaged it."""
        before, times = self.wrong_checks
        now = shape.hex()
        times = min(times + 1, WRONG_ALIKE) if now == before else 1
        return replace(self, wrong_checks=(now, times) if now else NO_WRONG_CHECK)

    @property
    def check_is_own(self) -> bool:
        """Whether the check was wrong in so many similar readings that the meter must compute it its own way."""
        return self.wrong_checks[1] >= WRONG_ALIKE

    def held_value(self, key: str) -> tuple[str, HeldValue] | None:
        """The register that a description's key belongs to, and what is held of it."""
        for register_key in (key, key.rpartition("#")[0]):
            if (held := self.held.get(register_key)) is not None:
                return register_key, held
        return None

    def held_number(self, key: str) -> Decimal | None:
        """The latest number that is held of a description's key, in the unit of its sensor."""
        numbers = [one.sample.number for one in self.histories[key].held]
        return next((one for one in reversed(numbers) if one is not None), None)

    def number(self, key: str) -> Decimal | None:
        """The accepted number of a description's key, in the unit of its sensor."""
        history = self.histories.get(key)
        return None if history is None else history.number

    def decided(self, key: str) -> Self:
        """The user has decided about the held value of a sensor."""
        return replace(
            self,
            pending_repairs=self.pending_repairs - {key},
            dismissed=_without(self.dismissed, {key}),
        )


def _without[T](mapping: Mapping[str, T], keys: Collection[str]) -> dict[str, T]:
    return {key: item for key, item in mapping.items() if key not in keys}


def _published(state: MeterState, units: Mapping[str, str]) -> dict[str, RegisterHistory]:
    """Histories of which nothing is known but the published value."""
    histories = {}
    for register_key, known in state.registers.items():
        for value in values_of(register_key, known, units):
            candidate = value.candidate(known.received.timestamp(), None, checked=True)
            after, results = check_values({}, {value.key: candidate})
            good = results[value.key].good
            histories[value.key] = after[value.key] if good else RegisterHistory()
    return histories


def numbers_of(histories: Mapping[str, RegisterHistory]) -> dict[str, Decimal]:
    """The accepted numbers, in the units of their sensors."""
    return {key: one.number for key, one in histories.items() if one.number is not None}


def name_of(identity: Identity) -> tuple[str, str]:
    """The key under which a meter's name is checked, and the name: its number, else what type it is."""
    if identity.number is not None:
        return f"={identity.number_code}", identity.number
    return "=", identity.name


def _nameless(overrides: Mapping[str, RegisterOverride]) -> dict[str, RegisterOverride]:
    """The overrides without names, which change no value."""
    return {key: replace(one, name=None) for key, one in overrides.items()}
