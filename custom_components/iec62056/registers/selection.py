"""Selection of registers in the flows: which there are, their values, and which are enabled by default."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.components.sensor import SensorStateClass

from ..const import DOMAIN
from ..entry_data import CONF_REGISTERS
from ..protocol.model import Register
from ..state.description import Description, Placeholders
from ..state.meter_state import MeterState
from .descriptions import describe
from .matching import context_of, redundant
from .naming import printable
from .overrides import overrides_of
from .tables import UNKNOWN, Axis
from .units import unit_of

# From this many on, past periods and unknown codes have a page of their own.
MANY: Final = 50
LONGEST_TEXT: Final = 40


@dataclass(frozen=True, slots=True)
class RegisterChoice:
    """One sensor that a meter's registers can give."""

    key: str
    translation_key: str
    placeholders: Placeholders
    # The address as the meter shows it, and the present value.
    code: str
    value: str
    # Whether it is enabled by default.
    enabled: bool
    # Whether nothing is known of it but its code.
    bare: bool
    # Whether it is of a past period.
    past: bool
    # Whether it only rises, as the Energy dashboard wants it.
    total: bool = False
    # The user's own name.
    name: str | None = None

    @property
    def later(self) -> bool:
        """Whether it may wait on a later page."""
        return self.past or (self.bare and self.name is None)

    def label(self, texts: Mapping[str, str]) -> str:
        """Name, code and value in one line. `texts` are Home Assistant's translations of entities."""
        name = self.name
        if name is None and not self.bare:
            name = texts.get(
                f"component.{DOMAIN}.entity.sensor.{self.translation_key}.name",
                self.translation_key,
            ).format(**self.placeholders)
        code = None if name is not None and self.code in name.split() else self.code
        parts = (name, code, self.value)
        return " · ".join(part for part in parts if part)


def choices_of(state: MeterState, options: Mapping[str, Any]) -> tuple[RegisterChoice, ...]:
    """Every sensor of the registers, the useful ones first, else in the order of the telegram."""
    context, overrides = context_of(state.reading.registers), overrides_of(options)
    beside = frozenset(redundant(state.reading.registers))
    found = [
        (description, _choice(known.register, description, beside=known.register.key in beside))
        for known in state.registers.values()
        for description in describe(known.register, context, overrides)
    ]
    found.sort(key=lambda one: (not one[1].enabled, one[0].category is not None, not one[1].total))
    return tuple(choice for _, choice in found)


def has_totals(choices: Iterable[RegisterChoice]) -> bool:
    """Whether there is one that the Energy dashboard can take."""
    return any(one.total and one.enabled for one in choices)


def pages(
    choices: tuple[RegisterChoice, ...],
) -> tuple[tuple[RegisterChoice, ...], tuple[RegisterChoice, ...]]:
    """What is shown at once, and what waits behind it; nothing waits where all can be shown."""
    first = tuple(choice for choice in choices if not choice.later)
    if len(choices) <= MANY or not first:
        return choices, ()
    return first, tuple(choice for choice in choices if choice.later)


def changed_from_default(
    choices: Iterable[RegisterChoice], enabled: Iterable[str]
) -> dict[str, bool]:
    """What an entry keeps of the choice: the sensors that differ from their default."""
    chosen = set(enabled)
    return {
        choice.key: choice.key in chosen
        for choice in choices
        if (choice.key in chosen) != choice.enabled
    }


def wanted(options: Mapping[str, Any], key: str, *, enabled: bool) -> bool:
    """Whether the user wants a sensor; `enabled` is the default."""
    chosen: bool = options.get(CONF_REGISTERS, {}).get(key, enabled)
    return chosen


def _choice(register: Register, description: Description, *, beside: bool) -> RegisterChoice:
    return RegisterChoice(
        description.key,
        description.translation_key,
        description.placeholders,
        _plain(register.address.strip().removesuffix("*255")),
        _value(register, description),
        description.enabled and not beside,
        description.translation_key == UNKNOWN,
        Axis.PERIOD in description.placeholders,
        description.state_class is SensorStateClass.TOTAL_INCREASING,
        description.name,
    )


def _value(register: Register, description: Description) -> str:
    """The value as the meter wrote it, so that it can be compared with the display."""
    values = register.values
    if description.unit is not None:
        values = values[description.index : description.index + 1]
    return _plain(" ".join(f"{one.text} {_sign(one.unit)}" for one in values))


def _sign(sent: str | None) -> str:
    """The unit as people write it, where it is the same one: m³/h for m3ph."""
    if sent is None:
        return ""
    unit = unit_of(sent)
    return unit.native if unit.native is not None and unit.factor == 1 else sent


def _plain(text: str) -> str:
    """A meter's text in a list, which knows no markup: in one line and cut."""
    return " ".join(printable(text).split())[:LONGEST_TEXT].rstrip()
