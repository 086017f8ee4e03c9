"""Descriptions of registers: device class, state class, unit, name, and whether the sensor is enabled by default."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
import re

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import (
    EntityCategory,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfPower,
    UnitOfReactiveEnergy,
    UnitOfTemperature,
)

from ..protocol.model import Obis, Register, Value
from ..protocol.values import is_of_other_calendar
from ..state.description import Context, Description, Dimension, Kind, Unit
from ..state.meter_state import MeterState, RegisterState
from .matching import MBUS, code_of, context_of, fits, quantity, rule_of, stored, tariff
from .naming import name_of
from .overrides import RegisterOverride, overridden
from .tables import (
    DATED,
    EXTREMES,
    HEAT_PAIRS,
    MAXIMUM,
    UNDOCUMENTED,
    UNDOCUMENTED_TEXT,
    VOLUME_CLASSES,
    Axis,
    Rule,
)
from .units import convert, same_dimension, unit_of
from .values import moment_at, unit_at

# The state classes of which the recorder makes sums.
TOTALS = (SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING)
_DIGITS = str.maketrans("123456789", "0" * 9)
# A meter sends zeros for tariffs it could have; further ones are shown where they count.
_USUAL_TARIFFS = 2
# The decimals that are of use, by the unit that is shown.
_DECIMALS = 3
_DECIMALS_OF: dict[str | None, int] = {
    UnitOfPower.WATT: 0,
    UnitOfElectricPotential.VOLT: 1,
    UnitOfElectricCurrent.AMPERE: 2,
    UnitOfTemperature.CELSIUS: 1,
}
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


def describe(
    register: Register,
    context: Context,
    overrides: Mapping[str, RegisterOverride],
    before: RegisterState | None = None,
) -> tuple[Description, ...]:
    """The sensors of a register: one, or as many as it holds quantities.

    They are those of `before`, which was described in the same context and with the same overrides, if the register
    differs from it in nothing that they follow from.
    """
    if before is not None and before.descriptions and _is_alike(register, before.register):
        return before.descriptions
    return tuple(
        overridden(register, one, overrides[one.key]) if one.key in overrides else one
        for one in _describe_all(register, context)
    )


def describe_state(state: MeterState, overrides: Mapping[str, RegisterOverride]) -> MeterState:
    """The state with every register described; what is described already is so in the state's context."""
    context = context_of(known.register for known in state.registers.values())
    same = context == state.context
    if same and all(known.descriptions for known in state.registers.values()):
        return state
    registers = {
        key: known
        if same and known.descriptions
        else replace(known, descriptions=describe(known.register, context, overrides))
        for key, known in state.registers.items()
    }
    return replace(state, registers=registers, context=context)


def _is_alike(register: Register, before: Register) -> bool:
    """Whether both have the same descriptions: only digits differ, and zero stays zero."""
    if register.address != before.address or len(register.values) != len(before.values):
        return False
    return all(
        one == other or (one.unit == other.unit and _form(one.text) == _form(other.text))
        for one, other in zip(register.values, before.values, strict=True)
    )


def _form(text: str) -> tuple[str, bool]:
    form = text.translate(_DIGITS)
    return form, form == text


def _describe_all(register: Register, context: Context) -> tuple[Description, ...]:
    code = code_of(register, context)
    if code != register.obis:
        (description,) = _describe_all(replace(register, obis=code), Context())
        return (replace(description, key=register.key),)
    if code is None:
        return (_describe(register, _undocumented(register, 0), 0, context),)
    pair = HEAT_PAIRS.get((code.a, code.c, code.d, code.e), ())[: max(1, len(register.values))]
    if pair and all(fits(rule, unit_at(register, index)) for index, rule in enumerate(pair)):
        return tuple(_describe(register, rule, index, context) for index, rule in enumerate(pair))
    index = _value_index(register, code)
    rule = rule_of(code, unit_at(register, index), context) or _undocumented(register, index)
    if (code.c, code.d, code.e) in DATED and moment_at(register, index) is not None:
        rule = DATED[code.c, code.d, code.e]
    return (_describe(register, rule, index if rule.kind is Kind.NUMBER else 0, context),)


def kept_unit(description: Description, unit: str | None) -> Description:
    """The description in the unit its sensor has had so far, where both measure the same; else as it is."""
    if unit is None or description.unit is None or unit == description.unit:
        return description
    if description.unit_override is not None:
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


def _value_index(register: Register, code: Obis) -> int:
    """The bracket that holds the value: the first with a unit, wherever its time stamp stands."""
    values = register.values
    with_unit = next((index for index, value in enumerate(values) if value.unit), None)
    if with_unit is not None:
        return with_unit
    # M-Bus readings begin with their time, and end with the value: (time)(status)(…)(code)(unit)(value).
    return max(0, len(values) - 1) if code.c == MBUS else 0


def _undocumented(register: Register, index: int) -> Rule:
    unit = unit_at(register, index)
    if unit is None or len(register.values) > 1:
        return UNDOCUMENTED_TEXT
    if unit.dimension is Dimension.OTHER and register.values[index].number is None:
        return UNDOCUMENTED_TEXT
    rule = UNDOCUMENTED[unit.dimension]
    if unit.dimension is Dimension.VOLUME and register.obis is not None:
        return replace(rule, device_class=VOLUME_CLASSES.get(register.obis.a))
    return rule


def _describe(register: Register, rule: Rule, index: int, context: Context) -> Description:
    code = register.obis
    value = register.values[index] if index < len(register.values) else Value("")
    # Only the second of two quantities needs a key of its own; where a time stands before the value, it has none.
    second = index > 0 and rule in _SECONDS
    past = code is not None and stored(code, context)
    translation_key, placeholders = name_of(register, rule, context, past=past)
    time_index = _time_index(register, index)
    timed = time_index is not None
    description = Description(
        f"{register.key}#{index + 1}" if second else register.key,
        rule.kind,
        translation_key,
        placeholders,
        index,
        time_index,
        category=EntityCategory.DIAGNOSTIC if rule.diagnostic else None,
        enabled=code is not None and not past and _enabled(code, rule, value, timed=timed),
        hexadecimal=rule.hexadecimal,
    )
    if rule.kind is Kind.NUMBER:
        return _of_number(description, register, rule, value, past=past)
    if rule.kind is not Kind.TEXT:
        return _of_time(description, register, value)
    return description


def _enabled(code: Obis, rule: Rule, value: Value, *, timed: bool) -> bool:
    if not value.text.strip():
        return False
    is_maximum = code.d == MAXIMUM and Dimension.POWER in rule.dimensions
    if is_maximum and (code.e or timed):
        # Of a tariff, or shown as the peak demand of the month.
        return False
    if Axis.TARIFF in rule.axes and tariff(code) > _USUAL_TARIFFS and not value.number:
        return False
    return rule.phases_enabled if quantity(code)[1] else rule.enabled


def _of_number(
    description: Description, register: Register, rule: Rule, value: Value, *, past: bool
) -> Description:
    unit = unit_at(register, description.index)
    assumed = unit_of(rule.assumed) if unit is None and rule.assumed else None
    unit = unit or assumed
    state_class = None if past else rule.state_class
    if unit is None and Dimension.DURATION in rule.dimensions:
        # A time without a unit may count anything, and may be hexadecimal (eBZ).
        return replace(description, kind=Kind.TEXT)
    if unit is None and _UNITLESS.isdisjoint(rule.dimensions):
        return description
    native_unit = None if unit is None else unit.native
    suggested_unit = None if native_unit is None else _SUGGESTED.get(native_unit)
    dimension = rule.dimensions[0] if unit is None else unit.dimension
    return replace(
        description,
        device_class=rule.device_class or dimension.device_class,
        state_class=state_class,
        unit=native_unit,
        assumed=assumed,
        suggested_unit=suggested_unit,
        precision=_precision(value, unit, suggested_unit or native_unit),
    )


def _precision(value: Value, unit: Unit | None, shown: str | None) -> int | None:
    """Decimals as the meter shows them, in the unit that is shown."""
    step = value.step
    if step is not None and unit is not None:
        step = convert(step, unit, shown)
    return None if step is None else decimals_of(step, shown)


def decimals_of(step: Decimal, shown: str | None) -> int:
    """The decimals of a number whose last digit is one `step`, and no more than are of use."""
    return min(_DECIMALS_OF.get(shown, _DECIMALS), max(0, -step.adjusted()))


def _of_time(description: Description, register: Register, value: Value) -> Description:
    """A date and time, a date, or text, by what the meter sends; the rule's kind where it has sent nothing yet."""
    moment = moment_at(register, description.index)
    kind = description.kind
    if moment is None:
        unset = _LIKE_A_TIME.fullmatch(value.text) and not is_of_other_calendar(value.text)
        kind = kind if unset else Kind.TEXT
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
