"""One value of a register as its sensor shows it, prepared for the checks."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from decimal import Decimal
from typing import NamedTuple

from ..protocol.model import Register
from ..protocol.obis import register_timestamp
from ..registers.descriptions import kept_unit
from ..registers.values import native
from ..state.description import Description, Kind
from ..state.meter_state import RegisterState
from .candidate import Candidate
from .limits import NO_LIMITS, ValueKind, kind_of, limits_of
from .register_history import RegisterHistory, Sample

# Kinds that a text may turn into: a bare number without a known meaning is a text at first.
_TEXTS = frozenset((ValueKind.NAME, ValueKind.FREE))


class RegisterValue(NamedTuple):
    """One value of a register, described in the unit of its sensor."""

    # The keys of its register and its description.
    register_key: str
    key: str
    register: Register
    description: Description
    kind: ValueKind
    # The unit its sensor has had so far.
    unit: str | None

    @property
    def is_clock(self) -> bool:
        """Whether the text is a moment: that of the meter's clock differs in every reading."""
        values, index = self.register.values, self.description.index
        return index < len(values) and (
            register_timestamp(self.register.obis, index, values[index].text) is not None
        )

    def candidate(
        self,
        at: float,
        history: RegisterHistory | None,
        *,
        checked: bool,
        amperes: Decimal | None = None,
    ) -> Candidate:
        """The value as the checks see it; a text where numbers were is not a number."""
        good = None if history is None else history.good
        kind = self.kind
        if kind is ValueKind.NAME if good is None else good.number is None and kind in _TEXTS:
            return Candidate(
                Sample(None, repr(self.register.values), None, at, checked), ValueKind.NAME
            )
        description = self.description
        index, values = description.index, self.register.values
        text, unit = values[index] if index < len(values) else ("", None)
        number = None
        if description.kind is Kind.NUMBER and self.unit in (None, description.unit):
            if good is not None and (good.text, good.unit) == (text, unit):
                number = good.number
            else:
                value = native(self.register, description, UTC)
                number = value if isinstance(value, Decimal) else None
        if kind is ValueKind.NAME:
            kind = ValueKind.FREE
        limits = limits_of(kind, description.unit, amperes)
        if kind is ValueKind.INSTANT and (description.unit or description.device_class) is None:
            # Only the user knows what it can be.
            limits = NO_LIMITS
        return Candidate(Sample(number, text, unit, at, checked), kind, limits)


def values_of(key: str, known: RegisterState, units: Mapping[str, str]) -> Iterator[RegisterValue]:
    """The values of a described register; `units` are those its sensors have had so far."""
    for description in known.descriptions:
        register, unit = known.register, units.get(description.key)
        kept = kept_unit(description, unit)
        is_text = kept.kind is Kind.TEXT
        kind = ValueKind.NAME if is_text else kind_of(register.obis, kept.state_class)
        yield RegisterValue(key, description.key, register, kept, kind, unit)
