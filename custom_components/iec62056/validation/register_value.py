"""One value of a register as its sensor shows it, prepared for the checks."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from decimal import Decimal
from typing import NamedTuple

from homeassistant.const import UnitOfVolumeFlowRate

from ..protocol.model import Medium, Obis, Register
from ..protocol.obis import register_timestamp
from ..registers.descriptions import kept_unit
from ..registers.values import native
from ..state.description import Description, Kind
from ..state.meter_state import RegisterState
from .candidate import APART, Candidate
from .limits import NO_LIMITS, ValueKind, kind_of, limits_of
from .register_history import RegisterHistory, Sample

_RATED_FLOW = str(Obis(Medium.HEAT, 0, 9, 24, 0))
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
        apart: int = APART,
        amperes: Decimal | None = None,
        rated_flow: Decimal | None = None,
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
        limits = limits_of(kind, description.unit, amperes, rated_flow)
        if kind is ValueKind.INSTANT and (description.unit or description.device_class) is None:
            # Only the user knows what it can be.
            limits = NO_LIMITS
        return Candidate(Sample(number, text, unit, at, checked), kind, limits, apart)


def values_of(key: str, known: RegisterState, units: Mapping[str, str]) -> Iterator[RegisterValue]:
    """The values of a described register; `units` are those its sensors have had so far."""
    for description in known.descriptions:
        register, unit = known.register, units.get(description.key)
        kept = kept_unit(description, unit)
        is_text = kept.kind is Kind.TEXT
        kind = ValueKind.NAME if is_text else kind_of(register.obis, kept.state_class)
        yield RegisterValue(key, description.key, register, kept, kind, unit)


def time_alone_differs(known: Register, sent: Register) -> bool:
    """Whether the numbers are the same, and a time beside them is not."""
    if len(known.values) != len(sent.values) or known.values == sent.values:
        return False
    return all(
        before == now
        or (index > 0 and register_timestamp(known.obis, index, before.text) is not None)
        for index, (before, now) in enumerate(zip(known.values, sent.values, strict=True))
    )


def rated_flow_of(registers: Mapping[str, RegisterState]) -> Decimal | None:
    """The flow that the meter says it is made for, in m³/h."""
    if (known := registers.get(_RATED_FLOW)) is None:
        return None
    description = known.descriptions[0]
    flow = native(known.register, description, UTC)
    if (
        not isinstance(flow, Decimal)
        or description.unit != UnitOfVolumeFlowRate.CUBIC_METERS_PER_HOUR
    ):
        return None
    return flow or None
