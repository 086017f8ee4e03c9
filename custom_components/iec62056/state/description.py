"""What Home Assistant calls one value of a register: kind, classes, unit, name and where the value stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, StrEnum
from typing import NamedTuple

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import EntityCategory

from ..protocol.model import Obis

type Placeholders = dict[str, str]


class Kind(StrEnum):
    """What the state of a sensor is."""

    NUMBER = "number"
    TIMESTAMP = "timestamp"
    DATE = "date"
    TEXT = "text"


class Dimension(Enum):
    """What a unit measures; the value is the device class Home Assistant has for it, if any."""

    ENERGY = SensorDeviceClass.ENERGY
    REACTIVE_ENERGY = SensorDeviceClass.REACTIVE_ENERGY
    APPARENT_ENERGY = "apparent_energy"
    POWER = SensorDeviceClass.POWER
    REACTIVE_POWER = SensorDeviceClass.REACTIVE_POWER
    APPARENT_POWER = SensorDeviceClass.APPARENT_POWER
    VOLTAGE = SensorDeviceClass.VOLTAGE
    CURRENT = SensorDeviceClass.CURRENT
    FREQUENCY = SensorDeviceClass.FREQUENCY
    RATIO = "ratio"
    ANGLE = "angle"
    VOLUME = SensorDeviceClass.VOLUME
    FLOW = SensorDeviceClass.VOLUME_FLOW_RATE
    TEMPERATURE = SensorDeviceClass.TEMPERATURE
    TEMPERATURE_DIFFERENCE = SensorDeviceClass.TEMPERATURE_DELTA
    DURATION = SensorDeviceClass.DURATION
    PRESSURE = SensorDeviceClass.PRESSURE
    COUNT = "count"
    PULSES = "pulses"
    OTHER = "other"

    @property
    def device_class(self) -> SensorDeviceClass | None:
        """The device class, None where Home Assistant has none."""
        return self.value if isinstance(self.value, SensorDeviceClass) else None


class Unit(NamedTuple):
    """A unit as sent: the unit its values are published in, and the factor that leads there."""

    dimension: Dimension
    native: str | None
    factor: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Context:
    """What the other registers of a meter tell about one."""

    # The device type of each M-Bus channel.
    mbus: Mapping[int, int] = field(default_factory=dict)
    # Codes with F = 0 that stand alone: Pafal and EMH write the present value so, other makes a stored one.
    current: frozenset[Obis] = frozenset()
    # Whether codes are those that Landis+Gyr had before OBIS.
    before_obis: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """How one value of a register becomes a sensor."""

    # Unique within the meter.
    key: str
    kind: Kind
    translation_key: str
    placeholders: Placeholders
    # The bracket of the value, and that of its time stamp.
    index: int = 0
    time_index: int | None = None
    device_class: SensorDeviceClass | None = None
    state_class: SensorStateClass | None = None
    # What the state is published in.
    unit: str | None = None
    # The unit of a reading that sends none.
    assumed: Unit | None = None
    suggested_unit: str | None = None
    precision: int | None = None
    category: EntityCategory | None = None
    enabled: bool = False
    # Text that may be sent as the codes of its characters.
    hexadecimal: bool = False
    # The user's own name, and the unit that counts whatever the meter sends with the value.
    name: str | None = None
    unit_override: Unit | None = None
