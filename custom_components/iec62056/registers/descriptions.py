"""What Home Assistant calls a register: device class, state class, unit, name, and whether it is shown by default.

Here: how a rule of the tables and what the meter sent make a description, and a state of each later reading. Pure.
Never here: entities, the tables, the parsing of codes and texts, the clock.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
import re

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import (
    EntityCategory,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfReactiveEnergy,
)

from ..protocol.model import Obis, Register, Value
from ..protocol.obis import register_timestamp
from ..protocol.values import MeterTime, decode_text
from .matching import MBUS, Context, context_of, fits, quantity, rule_of, stored, tariff
from .naming import clean_text, name_of, printable
from .tables import (
    EXTREMES,
    HEAT_PAIRS,
    UNDOCUMENTED,
    UNDOCUMENTED_TEXT,
    Axis,
    Kind,
    Placeholders,
    Rule,
)
from .units import Dimension, Unit, convert, same_dimension, unit_of

__all__ = [
    "Context",
    "Description",
    "Kind",
    "clean_text",
    "context_of",
    "describe_all",
    "kept_unit",
    "native",
    "taken_at",
]

LONGEST_STATE = 255
# The state classes of which the recorder makes sums.
TOTALS = (SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING)
# So many descriptions are remembered: a register is described for its judgement, for what follows from it and for its
# sensor, and most registers send what they have sent before. Longer ones are described each time.
_REMEMBERED = 512
_MOST_VALUES = 2
_LONGEST_TEXT = 32
# A meter sends zeros for tariffs it could have; further ones are shown where they count.
_USUAL_TARIFFS = 2
_SUGGESTED: dict[str, str] = {
    UnitOfEnergy.WATT_HOUR: UnitOfEnergy.KILO_WATT_HOUR,
    UnitOfReactiveEnergy.VOLT_AMPERE_REACTIVE_HOUR: UnitOfReactiveEnergy.KILO_VOLT_AMPERE_REACTIVE_HOUR,
    UnitOfFrequency.KILOHERTZ: UnitOfFrequency.HERTZ,
}
# Times that are not set, in any notation. Some makes put a word where others have a time (C.2.1 of ME172).
_LIKE_A_TIME = re.compile(r"[0-9A-FSW :.,&-]*")
# What is a number without any unit.
_UNITLESS = {Dimension.COUNT, Dimension.RATIO}
_SECONDS = tuple(rule for pair in HEAT_PAIRS.values() for rule in pair[1:])


@dataclass(frozen=True, slots=True)
class Description:
    """How one value of a register becomes a sensor.

    `key` is unique within the meter. `index` is the bracket of the value, `time_index` that of its time stamp.
    `unit` is what the state is published in, `assumed` the unit of a reading that sends none. `name` and `said` are a
    person's own: the latter is the unit of the values whatever the meter sends with them.
    """

    key: str
    kind: Kind
    translation_key: str
    placeholders: Placeholders
    index: int = 0
    time_index: int | None = None
    device_class: SensorDeviceClass | None = None
    state_class: SensorStateClass | None = None
    unit: str | None = None
    assumed: Unit | None = None
    suggested_unit: str | None = None
    precision: int | None = None
    category: EntityCategory | None = None
    enabled: bool = False
    hexadecimal: bool = False
    name: str | None = None
    said: Unit | None = None


def describe_all(register: Register, context: Context) -> tuple[Description, ...]:
    """The sensors of a register: one, or as many as it holds quantities."""
    short = len(register.values) <= _MOST_VALUES and all(
        len(text) <= _LONGEST_TEXT and (unit is None or len(unit) <= _LONGEST_TEXT)
        for text, unit in register.values
    )
    return (_described if short else _describe_all)(register, context)


def _describe_all(register: Register, context: Context) -> tuple[Description, ...]:
    code = register.obis
    if code is None:
        return (_describe(register, _undocumented(register, 0), 0, context),)
    pair = HEAT_PAIRS.get((code.a, code.c, code.d, code.e), ())[: max(1, len(register.values))]
    if pair and all(fits(rule, _unit(register, index)) for index, rule in enumerate(pair)):
        return tuple(_describe(register, rule, index, context) for index, rule in enumerate(pair))
    index = _value_index(register, code)
    rule = rule_of(code, _unit(register, index), context) or _undocumented(register, index)
    return (_describe(register, rule, index if rule.kind is Kind.NUMBER else 0, context),)


_described = lru_cache(_REMEMBERED)(_describe_all)


def kept_unit(description: Description, unit: str | None) -> Description:
    """The description in the unit its sensor has had so far, where both measure the same; else as it is."""
    if unit is None or description.unit is None or unit == description.unit:
        return description
    if description.said is not None:
        return description
    if not same_dimension(unit, description.unit):
        return description
    # A unit other than the assumed one was sent once: a value without any is damaged.
    return replace(
        description,
        unit=unit,
        assumed=None,
        suggested_unit=_SUGGESTED.get(unit),
        precision=None,
    )


def native(
    register: Register, description: Description, zone: tzinfo
) -> Decimal | datetime | date | str | None:
    """The state of a sensor: exact in the description's unit, a time in UTC; None where the register has none.

    `zone` is the one the meter's clock is set to.
    """
    if description.kind is Kind.TEXT:
        return _text(register, description)
    if description.kind is Kind.NUMBER:
        return _number(register, description)
    moment = _moment(register, description.index)
    if moment is None:
        return None
    return moment.date if description.kind is Kind.DATE else moment.utc(zone)


def taken_at(register: Register, description: Description, zone: tzinfo) -> datetime | None:
    """When the meter says it took the value, in UTC; None where it does not say.

    `zone` is the one the meter's clock is set to.
    """
    if description.time_index is None:
        return None
    moment = _moment(register, description.time_index)
    return None if moment is None else moment.utc(zone)


def _value_index(register: Register, code: Obis) -> int:
    """The bracket that holds the value: the first with a unit, wherever its time stamp stands."""
    values = register.values
    with_unit = next((index for index, value in enumerate(values) if value.unit), None)
    if with_unit is not None:
        return with_unit
    # M-Bus readings begin with their time, and end with the value: (time)(status)(…)(code)(unit)(value).
    return max(0, len(values) - 1) if code.c == MBUS else 0


def _unit(register: Register, index: int) -> Unit | None:
    """The unit of a value, also where it stands in the bracket before (24.3.0)."""
    if index >= len(register.values):
        return None
    if sent := register.values[index].unit:
        return unit_of(sent)
    before = unit_of(register.values[index - 1].text) if index else None
    return None if before is None or before.dimension is Dimension.OTHER else before


def _undocumented(register: Register, index: int) -> Rule:
    unit = _unit(register, index)
    if unit is None or len(register.values) > 1:
        return UNDOCUMENTED_TEXT
    if unit.dimension is Dimension.OTHER and register.values[index].number is None:
        return UNDOCUMENTED_TEXT
    return UNDOCUMENTED[unit.dimension]


def _describe(register: Register, rule: Rule, index: int, context: Context) -> Description:
    code = register.obis
    value = register.values[index] if index < len(register.values) else Value("")
    # Only the second of two quantities needs a key of its own; where a time stands before the value, it has none.
    second = index > 0 and rule in _SECONDS
    past = code is not None and stored(code, context)
    translation_key, placeholders = name_of(register, rule, context, past=past)
    description = Description(
        f"{register.key}#{index + 1}" if second else register.key,
        rule.kind,
        translation_key,
        placeholders,
        index,
        _time_index(register, index),
        category=EntityCategory.DIAGNOSTIC if rule.diagnostic else None,
        enabled=code is not None and not past and _enabled(code, rule, value),
        hexadecimal=rule.hexadecimal,
    )
    if rule.kind is Kind.NUMBER:
        return _of_number(description, register, rule, value, past=past)
    if rule.kind is not Kind.TEXT:
        return _of_time(description, register, value)
    return description


def _enabled(code: Obis, rule: Rule, value: Value) -> bool:
    if not value.text.strip():
        return False
    if Axis.TARIFF in rule.axes and tariff(code) > _USUAL_TARIFFS and not value.number:
        return False
    return rule.phases_enabled if quantity(code)[1] else rule.enabled


def _of_number(
    description: Description, register: Register, rule: Rule, value: Value, *, past: bool
) -> Description:
    unit = _unit(register, description.index)
    assumed = unit_of(rule.assumed) if unit is None and rule.assumed else None
    unit = unit or assumed
    state_class = None if past else rule.state_class
    if unit is None and Dimension.DURATION in rule.dimensions:
        # A time without a unit may count anything, and may be hexadecimal (eBZ).
        return replace(description, kind=Kind.TEXT)
    if unit is None and _UNITLESS.isdisjoint(rule.dimensions):
        return description
    native_unit = None if unit is None else unit.native
    dimension = rule.dimensions[0] if unit is None else unit.dimension
    return replace(
        description,
        device_class=rule.device_class or dimension.device_class,
        state_class=state_class,
        unit=native_unit,
        assumed=assumed,
        suggested_unit=None if native_unit is None else _SUGGESTED.get(native_unit),
        precision=_precision(value, unit),
    )


def _precision(value: Value, unit: Unit | None) -> int | None:
    """Decimals as the meter shows them, shifted with the unit."""
    number = value.number
    if number is None:
        return None
    exponent = number.as_tuple().exponent
    shift = 0 if unit is None else unit.factor.adjusted()
    return max(0, -int(exponent) - shift)


def _of_time(description: Description, register: Register, value: Value) -> Description:
    """A date and time, a date, or text, by what the meter sends; the rule's kind where it has sent nothing yet."""
    moment = _moment(register, description.index)
    kind = description.kind
    if moment is None:
        kind = kind if _LIKE_A_TIME.fullmatch(value.text) else Kind.TEXT
    else:
        kind = Kind.DATE if moment.time is None else Kind.TIMESTAMP
    classes = {Kind.TIMESTAMP: SensorDeviceClass.TIMESTAMP, Kind.DATE: SensorDeviceClass.DATE}
    return replace(description, kind=kind, device_class=classes.get(kind))


def _time_index(register: Register, index: int) -> int | None:
    """The bracket of the value's own time: before it (P1), or behind an extreme."""
    code = register.obis
    other = 0 if index else 1
    if code is None or other >= len(register.values) or register.values[other].unit:
        return None
    return other if index or code.d in EXTREMES else None


def _number(register: Register, description: Description) -> Decimal | None:
    if description.index >= len(register.values):
        return None
    number = register.values[description.index].number
    if number is None:
        return None
    unit = description.said or _unit(register, description.index) or description.assumed
    if unit is None:
        # What has had a unit before and comes without is damaged, or another register.
        return number if description.unit is None else None
    return convert(number, unit, description.unit)


def _text(register: Register, description: Description) -> str | None:
    parts = (f"{value.text.strip()} {value.unit or ''}".strip() for value in register.values)
    text = ", ".join(part for part in parts if part)
    if description.hexadecimal:
        text = decode_text(text) or text
    # The rows of signs with which some meters draw their inputs are kept as they are.
    return printable(text)[:LONGEST_STATE].strip() or None


def _moment(register: Register, index: int) -> MeterTime | None:
    if index >= len(register.values):
        return None
    return register_timestamp(register.obis, index, register.values[index].text)
