"""The current registers of one meter by what they measure, however the meter writes their codes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Self

from ..protocol.model import Medium, Obis, Value
from ..protocol.obis import register_timestamp
from ..protocol.values import MeterTime
from ..state.description import Description, Kind
from ..state.identity import Identity
from ..state.meter_state import MeterState, RegisterState
from .matching import code_of, quantity, stored, tariff
from .units import convert, unit_of
from .values import native, taken_at

type Place = tuple[int, int, int, int, int | None]

# Further channels are pulse inputs, or devices behind the meter.
_LAST_OWN_CHANNEL = 1
# Value group C of what belongs to the meter whatever it measures.
_GENERAL = frozenset({0, 96, 97})


@dataclass(frozen=True, slots=True)
class IndexedRegister:
    """One current register, and the description of its value."""

    known: RegisterState
    description: Description

    @property
    def key(self) -> str:
        """The key of the register."""
        return self.known.register.key

    @property
    def received(self) -> datetime:
        """When its last good value came (UTC)."""
        return self.known.received

    @property
    def text(self) -> str:
        """Its first value as sent, without blanks around it; empty where it has none."""
        return self.bracket(0)

    def bracket(self, index: int) -> str:
        """The text of one of its values as sent, without blanks around it; empty where it has none."""
        sent = self.known.register.values
        return sent[index].text.strip() if index < len(sent) else ""

    def number(self, unit: str) -> Decimal | None:
        """Its value in a published unit, exact; None where it is no number or measures something else."""
        return self._number(self.known, unit)

    def step(self, unit: str) -> Decimal | None:
        """The smallest change its last digit can show, in a published unit."""
        register, index = self.known.register, self.description.index
        if index >= len(register.values) or (step := register.values[index].step) is None:
            return None
        values = list(register.values)
        values[index] = Value(format(step, "f"), values[index].unit)
        smallest = replace(register, values=tuple(values))
        return self._number(replace(self.known, register=smallest), unit)

    def moment(self, index: int = 0) -> MeterTime | None:
        """The moment of the meter's clock that one of its values is."""
        register = self.known.register
        return register_timestamp(register.obis, index, self.bracket(index))

    def taken(self, zone: tzinfo) -> datetime | None:
        """When the meter says it took the value (UTC); `zone` is that of its clock."""
        return taken_at(self.known.register, self.description, zone)

    def _number(self, known: RegisterState, unit: str) -> Decimal | None:
        description = self.description
        if description.kind is not Kind.NUMBER or description.unit is None:
            return None
        if description.unit_override is not None:
            # An override changes the register's sensor alone.
            return None
        # A number is the same in every zone.
        value = native(known.register, description, UTC)
        if not isinstance(value, Decimal):
            return None
        return convert(value, unit_of(description.unit), unit)


@dataclass(frozen=True, slots=True)
class RegisterIndex:
    """All current registers of the meter itself, and when it was last read (UTC)."""

    state: MeterState
    # The keys of the registers.
    places: Mapping[Place, str]
    # Value groups C (without its phase) and D of all current registers of electricity.
    quantities: frozenset[tuple[int, int]]
    # The keys of tariffs that the meter sends no more, and that no sum counts.
    left: frozenset[str] = frozenset()

    @classmethod
    def of(cls, state: MeterState, before: Self | None = None) -> Self:
        """Index the registers of a described state; those of `before` have their places already."""
        if (
            before is not None
            and before.state.context == state.context
            and before.state.registers.keys() == state.registers.keys()
        ):
            return cls(state, before.places, before.quantities)
        places: dict[Place, str] = {}
        for key, known in state.registers.items():
            code = code_of(known.register, state.context)
            if code is not None and _own(code) and not stored(code, state.context):
                # The first one sent is the current one where two spellings mean the same.
                places.setdefault(_place(code), key)
        quantities = {
            (quantity(code)[0], code.d)
            for key in places.values()
            if (code := code_of(state.registers[key].register, state.context))
            and code.a == Medium.ELECTRICITY
        }
        return cls(state, places, frozenset(quantities))

    @property
    def identity(self) -> Identity:
        """Who the meter is."""
        return self.state.identity

    @property
    def received(self) -> datetime:
        """When the last good reading came (UTC)."""
        return self.state.received

    def get(
        self,
        c: int,
        d: int,
        e: int = 0,
        *,
        medium: Medium = Medium.ELECTRICITY,
        attribute: int | None = None,
    ) -> IndexedRegister | None:
        """The current register of these value groups; E is the tariff where the quantity has tariffs."""
        key = self.places.get((_group(medium, c), c, d, e, attribute))
        return None if key is None else self._found(key)

    def tariffs(self, c: int, d: int, *, left: bool = False) -> dict[int, IndexedRegister]:
        """The registers of the single tariffs of a quantity, in their order; with those that have left if `left`."""
        found = {
            place[3]: self._found(key)
            for place, key in self.places.items()
            if place[:3] == (Medium.ELECTRICITY, c, d)
            and place[3]
            and place[4] is None
            and (left or key not in self.left)
        }
        return dict(sorted(found.items()))

    def _found(self, key: str) -> IndexedRegister:
        known = self.state.registers[key]
        return IndexedRegister(known, known.descriptions[0])


def _own(code: Obis) -> bool:
    return code.b <= (0 if code.a == Medium.ABSTRACT else _LAST_OWN_CHANNEL)


def _place(code: Obis) -> Place:
    return _group(code.a, code.c), code.c, code.d, tariff(code), code.attribute


def _group(a: int, c: int) -> int:
    """Value group A of a code; that of general and abstract objects is written in several ways (1-0:96.5.5, 1-1:F.F)."""
    return Medium.ABSTRACT if c in _GENERAL else int(a)
