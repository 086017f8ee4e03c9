"""Units as meters spell them, what Home Assistant calls them, and exact conversion within one dimension."""

from decimal import Decimal

from homeassistant.const import (
    DEGREE,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfPower,
    UnitOfPressure,
    UnitOfRatio,
    UnitOfReactiveEnergy,
    UnitOfReactivePower,
    UnitOfTemperature,
    UnitOfTime,
    UnitOfVolume,
    UnitOfVolumeFlowRate,
)

from ..state.description import Dimension, Unit

# Home Assistant has no unit of apparent energy; the text is ours.
_KVAH = "kVAh"
_LONGEST = 16

# Every unit that is published: its dimension and its size in one base of that dimension.
_SIZES: dict[str, tuple[Dimension, Decimal]] = {
    UnitOfEnergy.WATT_HOUR: (Dimension.ENERGY, Decimal(3600)),
    UnitOfEnergy.KILO_WATT_HOUR: (Dimension.ENERGY, Decimal(3_600_000)),
    UnitOfEnergy.MEGA_WATT_HOUR: (Dimension.ENERGY, Decimal(3_600_000_000)),
    UnitOfEnergy.GIGA_WATT_HOUR: (Dimension.ENERGY, Decimal(3_600_000_000_000)),
    UnitOfEnergy.JOULE: (Dimension.ENERGY, Decimal(1)),
    UnitOfEnergy.KILO_JOULE: (Dimension.ENERGY, Decimal(1_000)),
    UnitOfEnergy.MEGA_JOULE: (Dimension.ENERGY, Decimal(1_000_000)),
    UnitOfEnergy.GIGA_JOULE: (Dimension.ENERGY, Decimal(1_000_000_000)),
    # The thermochemical calorie, the one Home Assistant converts with.
    UnitOfEnergy.GIGA_CALORIE: (Dimension.ENERGY, Decimal(4_184_000_000)),
    UnitOfReactiveEnergy.VOLT_AMPERE_REACTIVE_HOUR: (Dimension.REACTIVE_ENERGY, Decimal(1)),
    UnitOfReactiveEnergy.KILO_VOLT_AMPERE_REACTIVE_HOUR: (Dimension.REACTIVE_ENERGY, Decimal(1000)),
    _KVAH: (Dimension.APPARENT_ENERGY, Decimal(1)),
    UnitOfPower.WATT: (Dimension.POWER, Decimal(1)),
    UnitOfPower.KILO_WATT: (Dimension.POWER, Decimal(1_000)),
    UnitOfPower.MEGA_WATT: (Dimension.POWER, Decimal(1_000_000)),
    UnitOfReactivePower.VOLT_AMPERE_REACTIVE: (Dimension.REACTIVE_POWER, Decimal(1)),
    UnitOfReactivePower.KILO_VOLT_AMPERE_REACTIVE: (Dimension.REACTIVE_POWER, Decimal(1000)),
    UnitOfApparentPower.VOLT_AMPERE: (Dimension.APPARENT_POWER, Decimal(1)),
    UnitOfApparentPower.KILO_VOLT_AMPERE: (Dimension.APPARENT_POWER, Decimal(1000)),
    UnitOfElectricPotential.MILLIVOLT: (Dimension.VOLTAGE, Decimal("0.001")),
    UnitOfElectricPotential.VOLT: (Dimension.VOLTAGE, Decimal(1)),
    UnitOfElectricPotential.KILOVOLT: (Dimension.VOLTAGE, Decimal(1000)),
    UnitOfElectricCurrent.MILLIAMPERE: (Dimension.CURRENT, Decimal("0.001")),
    UnitOfElectricCurrent.AMPERE: (Dimension.CURRENT, Decimal(1)),
    UnitOfFrequency.HERTZ: (Dimension.FREQUENCY, Decimal(1)),
    UnitOfFrequency.KILOHERTZ: (Dimension.FREQUENCY, Decimal(1000)),
    UnitOfRatio.PERCENTAGE: (Dimension.RATIO, Decimal("0.01")),
    DEGREE: (Dimension.ANGLE, Decimal(1)),
    UnitOfVolume.LITERS: (Dimension.VOLUME, Decimal("0.001")),
    UnitOfVolume.CUBIC_METERS: (Dimension.VOLUME, Decimal(1)),
    UnitOfVolumeFlowRate.LITERS_PER_HOUR: (Dimension.FLOW, Decimal("0.001")),
    UnitOfVolumeFlowRate.CUBIC_METERS_PER_HOUR: (Dimension.FLOW, Decimal(1)),
    UnitOfTemperature.CELSIUS: (Dimension.TEMPERATURE, Decimal(1)),
    UnitOfTemperature.KELVIN: (Dimension.TEMPERATURE_DIFFERENCE, Decimal(1)),
    UnitOfTime.SECONDS: (Dimension.DURATION, Decimal(1)),
    UnitOfTime.MINUTES: (Dimension.DURATION, Decimal(60)),
    UnitOfTime.HOURS: (Dimension.DURATION, Decimal(3600)),
    UnitOfTime.DAYS: (Dimension.DURATION, Decimal(86400)),
    UnitOfPressure.MBAR: (Dimension.PRESSURE, Decimal(100)),
    UnitOfPressure.KPA: (Dimension.PRESSURE, Decimal(1000)),
    UnitOfPressure.BAR: (Dimension.PRESSURE, Decimal(100_000)),
}


PUBLISHED = tuple(_SIZES)


def _published(native: str, factor: Decimal = Decimal(1)) -> Unit:
    return Unit(_SIZES[native][0], native, factor)


# Spellings by their folded text: makes differ in case alone (KWH, kVarh, kVArh, Deg). That folds m and M together,
# so a prefix is read as what a meter can mean: mega with Wh, W, var, VA; milli with V and A.
SPELLINGS: dict[str, Unit] = {
    "wh": _published(UnitOfEnergy.WATT_HOUR),
    "kwh": _published(UnitOfEnergy.KILO_WATT_HOUR),
    "mwh": _published(UnitOfEnergy.MEGA_WATT_HOUR),
    "gwh": _published(UnitOfEnergy.GIGA_WATT_HOUR),
    "j": _published(UnitOfEnergy.JOULE),
    "kj": _published(UnitOfEnergy.KILO_JOULE),
    "mj": _published(UnitOfEnergy.MEGA_JOULE),
    "gj": _published(UnitOfEnergy.GIGA_JOULE),
    "gcal": _published(UnitOfEnergy.GIGA_CALORIE),
    "varh": _published(UnitOfReactiveEnergy.VOLT_AMPERE_REACTIVE_HOUR),
    "kvarh": _published(UnitOfReactiveEnergy.KILO_VOLT_AMPERE_REACTIVE_HOUR),
    "mvarh": _published(UnitOfReactiveEnergy.KILO_VOLT_AMPERE_REACTIVE_HOUR, Decimal(1000)),
    "vah": _published(_KVAH, Decimal("0.001")),
    "kvah": _published(_KVAH),
    "mvah": _published(_KVAH, Decimal(1000)),
    "w": _published(UnitOfPower.WATT),
    "kw": _published(UnitOfPower.KILO_WATT),
    "mw": _published(UnitOfPower.MEGA_WATT),
    "var": _published(UnitOfReactivePower.VOLT_AMPERE_REACTIVE),
    "kvar": _published(UnitOfReactivePower.KILO_VOLT_AMPERE_REACTIVE),
    "mvar": _published(UnitOfReactivePower.KILO_VOLT_AMPERE_REACTIVE, Decimal(1000)),
    "va": _published(UnitOfApparentPower.VOLT_AMPERE),
    "kva": _published(UnitOfApparentPower.KILO_VOLT_AMPERE),
    "mva": _published(UnitOfApparentPower.KILO_VOLT_AMPERE, Decimal(1000)),
    "mv": _published(UnitOfElectricPotential.MILLIVOLT),
    "v": _published(UnitOfElectricPotential.VOLT),
    "kv": _published(UnitOfElectricPotential.KILOVOLT),
    "ma": _published(UnitOfElectricCurrent.MILLIAMPERE),
    "a": _published(UnitOfElectricCurrent.AMPERE),
    "hz": _published(UnitOfFrequency.HERTZ),
    "khz": _published(UnitOfFrequency.KILOHERTZ),
    "%": _published(UnitOfRatio.PERCENTAGE),
    # EMH's lists give the power factor this "unit".
    "p/s": Unit(Dimension.RATIO, None),
    "deg": _published(DEGREE),
    "°": _published(DEGREE),
    "l": _published(UnitOfVolume.LITERS),
    "m3": _published(UnitOfVolume.CUBIC_METERS),
    "m³": _published(UnitOfVolume.CUBIC_METERS),
    "l/h": _published(UnitOfVolumeFlowRate.LITERS_PER_HOUR),
    "m3ph": _published(UnitOfVolumeFlowRate.CUBIC_METERS_PER_HOUR),
    "m3/h": _published(UnitOfVolumeFlowRate.CUBIC_METERS_PER_HOUR),
    "m³/h": _published(UnitOfVolumeFlowRate.CUBIC_METERS_PER_HOUR),
    "c": _published(UnitOfTemperature.CELSIUS),
    "°c": _published(UnitOfTemperature.CELSIUS),
    "k": _published(UnitOfTemperature.KELVIN),
    "s": _published(UnitOfTime.SECONDS),
    "sec": _published(UnitOfTime.SECONDS),
    "secs": _published(UnitOfTime.SECONDS),
    # Heat meters write minutes as m (6.35); no register of a meter is a length.
    "m": _published(UnitOfTime.MINUTES),
    "min": _published(UnitOfTime.MINUTES),
    "h": _published(UnitOfTime.HOURS),
    "hour": _published(UnitOfTime.HOURS),
    "hours": _published(UnitOfTime.HOURS),
    "d": _published(UnitOfTime.DAYS),
    "mbar": _published(UnitOfPressure.MBAR),
    "kpa": _published(UnitOfPressure.KPA),
    "bar": _published(UnitOfPressure.BAR),
    "imp/kwh": Unit(Dimension.PULSES, "imp/kWh"),
    "imp/kvarh": Unit(Dimension.PULSES, "imp/kvarh"),
}


def unit_of(spelling: str) -> Unit:
    """The unit that a meter's text stands for; one that is not known stays as it is, cut to a readable length."""
    spelling = spelling.strip()
    known = SPELLINGS.get(spelling.casefold())
    if known is not None:
        return known
    printable = "".join(character for character in spelling if character.isprintable())
    return Unit(Dimension.OTHER, printable[:_LONGEST])


def same_dimension(one: str, other: str) -> bool:
    """Whether values can be converted between two published units."""
    return one in _SIZES and other in _SIZES and _SIZES[one][0] is _SIZES[other][0]


def convert(number: Decimal, unit: Unit, native: str | None) -> Decimal | None:
    """The number of a unit as sent in a published unit, exact as far as decimals go; None across dimensions."""
    if unit.factor != 1:
        number *= unit.factor
    if unit.native == native:
        return number
    if unit.native is None or native is None or not same_dimension(unit.native, native):
        return None
    return number * _SIZES[unit.native][1] / _SIZES[native][1]
