"""The user's overrides of registers with an unknown code: name, unit and classes, and what they do to the statistics."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

from homeassistant.components.sensor import (
    DEVICE_CLASS_STATE_CLASSES,
    SensorDeviceClass,
    SensorStateClass,
)
from homeassistant.components.sensor.const import DEVICE_CLASS_UNITS, UNIT_CONVERTERS

from ..entry_data import CONF_CUSTOM
from ..protocol.codec import decode
from ..protocol.model import Register
from ..state.description import Description, Dimension, Kind, Unit
from .tables import UNKNOWN
from .units import unit_of

# What a meter can measure, of all that Home Assistant knows.
DEVICE_CLASSES: Final = (
    SensorDeviceClass.ENERGY,
    SensorDeviceClass.GAS,
    SensorDeviceClass.WATER,
    SensorDeviceClass.VOLUME,
    SensorDeviceClass.POWER,
    SensorDeviceClass.VOLUME_FLOW_RATE,
    SensorDeviceClass.REACTIVE_ENERGY,
    SensorDeviceClass.REACTIVE_POWER,
    SensorDeviceClass.APPARENT_POWER,
    SensorDeviceClass.POWER_FACTOR,
    SensorDeviceClass.VOLTAGE,
    SensorDeviceClass.CURRENT,
    SensorDeviceClass.FREQUENCY,
    SensorDeviceClass.TEMPERATURE,
    SensorDeviceClass.TEMPERATURE_DELTA,
    SensorDeviceClass.PRESSURE,
    SensorDeviceClass.DURATION,
    SensorDeviceClass.BATTERY,
)


class Fault(StrEnum):
    """Why Home Assistant would refuse an override."""

    UNIT = "unit_of_class"
    STATE_CLASS = "state_class_of_class"


class Effect(StrEnum):
    """What a change does to the statistics there are."""

    ENDED = "ended"
    KIND = "kind"
    UNIT = "unit"
    SCALE = "scale"


@dataclass(frozen=True, slots=True)
class RegisterOverride:
    """What the user overrides of one register; None for what not."""

    name: str | None = None
    unit: str | None = None
    device_class: SensorDeviceClass | None = None
    state_class: SensorStateClass | None = None

    @classmethod
    def from_form(cls, form: Mapping[str, Any]) -> Self:
        """What the user has filled in; an empty field says nothing. Raises ValueError on a class that is none."""
        filled = {name: text.strip() for name, text in form.items() if text}
        return decode(cls, {name: text for name, text in filled.items() if text})


def open_to(description: Description) -> bool:
    """Whether the user may override a description: the tables do not know the register."""
    return description.translation_key == UNKNOWN


def is_number(register: Register, description: Description) -> bool:
    """Whether a register can have a unit and classes."""
    values = register.values
    return description.index < len(values) and values[description.index].number is not None


def sent_unit(register: Register, description: Description) -> Unit | None:
    """The unit that the meter sends, if it is a known one: then the user cannot choose it."""
    text = register.values[description.index].unit if is_number(register, description) else None
    unit = unit_of(text) if text else None
    return None if unit is None or unit.dimension is Dimension.OTHER else unit


def overridden(
    register: Register, description: Description, custom: RegisterOverride
) -> Description:
    """The description as the user wants it."""
    if not open_to(description):
        return description
    named = replace(description, name=custom.name)
    if not is_number(register, description):
        return named
    sent = sent_unit(register, description)
    if sent is None and not (custom.unit or custom.device_class or custom.state_class):
        return named
    classed = replace(
        named,
        kind=Kind.NUMBER,
        device_class=custom.device_class,
        state_class=custom.state_class,
    )
    if sent is not None:
        return classed
    unit = unit_of(custom.unit) if custom.unit else Unit(Dimension.COUNT, None)
    return replace(classed, unit_override=unit, unit=unit.native)


def overrides_of(options: Mapping[str, Any]) -> dict[str, RegisterOverride]:
    """The overrides in the options of an entry, by the keys of descriptions."""
    return {
        key: decode(RegisterOverride, said) for key, said in options.get(CONF_CUSTOM, {}).items()
    }


def fault(described: Description) -> Fault | None:
    """Why Home Assistant would refuse a sensor of that description."""
    device_class, state_class = described.device_class, described.state_class
    if device_class is None:
        return None
    if described.unit not in DEVICE_CLASS_UNITS[device_class]:
        return Fault.UNIT
    if state_class is not None and state_class not in DEVICE_CLASS_STATE_CLASSES[device_class]:
        return Fault.STATE_CLASS
    return None


def effect(before: Description, after: Description) -> Effect | None:
    """What a change does to statistics that were made of the sensor as it was; None where they just go on."""
    if before.state_class is not None and after.state_class is None:
        return Effect.ENDED
    measured = SensorStateClass.MEASUREMENT
    if before.state_class is not None and (before.state_class is measured) != (
        after.state_class is measured
    ):
        return Effect.KIND
    if before.unit == after.unit:
        return None
    convertible = any(
        {before.unit, after.unit} <= converter.VALID_UNITS for converter in UNIT_CONVERTERS.values()
    )
    return Effect.SCALE if convertible else Effect.UNIT
