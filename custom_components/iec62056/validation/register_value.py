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
from .checks import Candidate
from .limits import NO_LIMITS, ValueKind, kind_of, limits_of
from .register_history import RegisterHistory, Sample

# What a text may be next: a bare number says nothing of itself.
_TEXTS = frozenset((ValueKind.NAME, ValueKind.FREE))


class RegisterValue(NamedTuple):
    """One value of a register, described in the unit of its sensor."""

    register_key: str
    register: Register
    description: Description
    # The unit its sensor has had so far.
    unit: str | None

    @property
    def key(self) -> str:
        """The key of its description."""
        return self.description.key

    @property
    def kind(self) -> ValueKind:
        """How such values move."""
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
        unit = units.get(description.key)
        yield RegisterValue(key, known.register, kept_unit(description, unit), unit)
