"""Tables of what OBIS codes mean: rules by quantity and type, and lists of single codes.

Value groups are those of OBIS: A medium, B channel, C quantity, D type, E tariff, F billing period.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass

from ..protocol.model import Medium
from ..state.description import Dimension, Kind, Placeholders


class Axis(StrEnum):
    """What may qualify a name. The value is the suffix of the translation key and the placeholder in its text."""

    TARIFF = "tariff"
    PHASE = "phase"
    CHANNEL = "channel"
    PERIOD = "period"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is known of a group of codes.

    `dimensions` are those its unit may have, `assumed` is the unit where the meter sends none: only where no other
    could be meant. A time or date becomes what the meter sends of it. `placeholders` that are empty are filled from
    the code. `phases_enabled` stands in for `enabled` where the register is of one phase. `hexadecimal` text may be
    sent as the codes of its characters. `device_class` is only given where the dimension alone does not tell.
    """

    name: str
    kind: Kind = Kind.TEXT
    dimensions: tuple[Dimension, ...] = ()
    assumed: str | None = None
    device_class: SensorDeviceClass | None = None
    state_class: SensorStateClass | None = None
    axes: frozenset[Axis] = frozenset()
    placeholders: Placeholders = field(default_factory=dict)
    enabled: bool = False
    phases_enabled: bool = False
    diagnostic: bool = False
    hexadecimal: bool = False


class Quantity(NamedTuple):
    """One quantity of value group C: its name within a family, and its symbol in the standard."""

    family: Family
    direction: str
    symbol: str
    placeholders: Placeholders


class Family(NamedTuple):
    """Quantities whose energy and power are named and measured alike."""

    prefix: str
    energy: Dimension
    energy_unit: str
    power: Dimension


_ACTIVE = Family("", Dimension.ENERGY, "kWh", Dimension.POWER)
_REACTIVE = Family("reactive_", Dimension.REACTIVE_ENERGY, "kvarh", Dimension.REACTIVE_POWER)
_APPARENT = Family("apparent_", Dimension.APPARENT_ENERGY, "kVAh", Dimension.APPARENT_POWER)

# Value group C of electricity, without phase; +20, +40, +60 are L1, L2, L3.
QUANTITIES: dict[int, Quantity] = {
    1: Quantity(_ACTIVE, "import", "A+", {}),
    2: Quantity(_ACTIVE, "export", "A-", {}),
    3: Quantity(_REACTIVE, "import", "Q+", {}),
    4: Quantity(_REACTIVE, "export", "Q-", {}),
    5: Quantity(_REACTIVE, "quadrant", "QI", {"quadrant": "I"}),
    6: Quantity(_REACTIVE, "quadrant", "QII", {"quadrant": "II"}),
    7: Quantity(_REACTIVE, "quadrant", "QIII", {"quadrant": "III"}),
    8: Quantity(_REACTIVE, "quadrant", "QIV", {"quadrant": "IV"}),
    9: Quantity(_APPARENT, "import", "S+", {}),
    10: Quantity(_APPARENT, "export", "S-", {}),
    15: Quantity(_ACTIVE, "absolute", "|A|", {}),
    16: Quantity(_ACTIVE, "net", "A", {}),
    # Landis+Gyr's own range: reactive power with its sign, in the same distances for the phases.
    131: Quantity(_REACTIVE, "net", "Q", {}),
}
PHASES = {1: "L1", 2: "L2", 3: "L3"}

# Value group D: averages over demand periods, by the word in their name.
_DEMANDS = {
    2: "cumulative_demand",
    3: "minimum_demand",
    4: "average_demand",
    5: "last_demand",
    6: "maximum_demand",
}
# Those that a meter keeps by tariff and stores at the end of a billing period.
_KEPT_DEMANDS = {2, 6}
# Demand that capacity tariffs bill; the rest is for those who look for it.
_USEFUL_DEMANDS = {(1, 4), (1, 5), (1, 6), (15, 6)}
MAXIMUM = 6
EXTREMES = frozenset({3, MAXIMUM})
# EMH lists give the short averages where others give instantaneous values.
_CURRENT_VALUES = (7, 25)

_TARIFFS_AND_PERIODS = frozenset({Axis.TARIFF, Axis.PERIOD})
_PHASES = frozenset({Axis.PHASE})
_PERIODS = frozenset({Axis.PERIOD})
_CHANNELS = frozenset({Axis.CHANNEL})
_TARIFFS = frozenset({Axis.TARIFF})


def _quantity_rules(c: int, quantity: Quantity) -> dict[tuple[int, int], Rule]:
    family, direction, _, placeholders = quantity
    active = family is _ACTIVE
    rules = {
        (c, 8): Rule(
            f"{family.prefix}energy_{direction}",
            Kind.NUMBER,
            (family.energy,),
            family.energy_unit,
            # The net of import and export is the one total that may fall.
            state_class=SensorStateClass.TOTAL
            if direction == "net"
            else SensorStateClass.TOTAL_INCREASING,
            axes=_TARIFFS_AND_PERIODS | _PHASES,
            placeholders=placeholders,
            enabled=active,
        ),
        (c, 9): Rule(
            "energy_this_period",
            Kind.NUMBER,
            (family.energy,),
            family.energy_unit,
            # It falls to zero at each end of a billing period, which a rising total allows and a total does not.
            state_class=SensorStateClass.TOTAL_INCREASING,
            axes=_TARIFFS,
            placeholders={"quantity": ""},
        ),
    }
    for d in _CURRENT_VALUES:
        rules[c, d] = Rule(
            f"{family.prefix}power_{direction}",
            Kind.NUMBER,
            (family.power,),
            state_class=SensorStateClass.MEASUREMENT,
            axes=_PHASES,
            placeholders=placeholders,
            enabled=active,
            # Households feed in through one meter, and look at what each phase draws.
            phases_enabled=active and direction != "export",
        )
    for d, word in _DEMANDS.items():
        named = c in {1, 2} and d != 3
        rules[c, d] = Rule(
            f"{word}_{direction}" if named else word,
            Kind.NUMBER,
            (family.power,),
            state_class=SensorStateClass.MEASUREMENT,
            axes=_TARIFFS_AND_PERIODS if d in _KEPT_DEMANDS else frozenset(),
            placeholders={} if named else {"quantity": ""},
            enabled=(c, d) in _USEFUL_DEMANDS,
        )
    return rules


def _measured(
    name: str,
    dimension: Dimension,
    assumed: str | None,
    *,
    axes: frozenset[Axis] = _PHASES,
    enabled: bool = True,
    phases_enabled: bool = False,
    device_class: SensorDeviceClass | None = None,
) -> Rule:
    return Rule(
        name,
        Kind.NUMBER,
        (dimension,),
        assumed,
        device_class,
        SensorStateClass.MEASUREMENT,
        axes,
        enabled=enabled,
        phases_enabled=phases_enabled,
    )


def _counter(name: str, axes: frozenset[Axis] = frozenset(), **placeholders: str) -> Rule:
    return Rule(
        name,
        Kind.NUMBER,
        (Dimension.COUNT,),
        state_class=SensorStateClass.TOTAL_INCREASING,
        axes=axes,
        placeholders=placeholders,
        diagnostic=True,
    )


def _setting(
    name: str, *dimensions: Dimension, axes: frozenset[Axis] = frozenset(), **placeholders: str
) -> Rule:
    return Rule(
        name, Kind.NUMBER, dimensions, axes=axes, placeholders=placeholders, diagnostic=True
    )


def _duration(name: str, axes: frozenset[Axis] = frozenset()) -> Rule:
    return Rule(
        name,
        Kind.NUMBER,
        (Dimension.DURATION,),
        state_class=SensorStateClass.TOTAL_INCREASING,
        axes=axes,
        diagnostic=True,
    )


def _time(name: str, axes: frozenset[Axis] = frozenset(), **placeholders: str) -> Rule:
    return Rule(name, Kind.TIMESTAMP, axes=axes, placeholders=placeholders, diagnostic=True)


def _date(name: str, axes: frozenset[Axis] = frozenset(), **placeholders: str) -> Rule:
    return Rule(name, Kind.DATE, axes=axes, placeholders=placeholders, diagnostic=True)


def _text(
    name: str, *, enabled: bool = False, hexadecimal: bool = False, **placeholders: str
) -> Rule:
    return Rule(
        name, placeholders=placeholders, enabled=enabled, diagnostic=True, hexadecimal=hexadecimal
    )


# Electricity by (C without phase, D).
BY_TYPE: dict[tuple[int, int], Rule] = {
    key: rule
    for c, quantity in QUANTITIES.items()
    for key, rule in _quantity_rules(c, quantity).items()
}
for _d in _CURRENT_VALUES:
    BY_TYPE[11, _d] = _measured("current", Dimension.CURRENT, "A", phases_enabled=True)
    BY_TYPE[12, _d] = _measured("voltage", Dimension.VOLTAGE, "V", phases_enabled=True)
    BY_TYPE[13, _d] = _measured(
        "power_factor",
        Dimension.RATIO,
        None,
        enabled=False,
        device_class=SensorDeviceClass.POWER_FACTOR,
    )
    BY_TYPE[14, _d] = _measured("frequency", Dimension.FREQUENCY, "Hz", enabled=False)
    BY_TYPE[91, _d] = _measured("current_neutral", Dimension.CURRENT, "A", axes=frozenset())
    BY_TYPE[92, _d] = _measured("voltage_neutral", Dimension.VOLTAGE, "V", axes=frozenset())
BY_TYPE |= {
    (11, 3): _measured("current_minimum", Dimension.CURRENT, "A", enabled=False),
    (11, 6): _measured("current_maximum", Dimension.CURRENT, "A", enabled=False),
    (12, 3): _measured("voltage_minimum", Dimension.VOLTAGE, "V", enabled=False),
    (12, 6): _measured("voltage_maximum", Dimension.VOLTAGE, "V", enabled=False),
    (11, 4): _setting("fuse_threshold", Dimension.CURRENT, axes=_PHASES),
    (12, 32): _counter("voltage_dips", _PHASES),
    (12, 36): _counter("voltage_swells", _PHASES),
}  # fmt: skip
SYMBOLS = {c: quantity.symbol for c, quantity in QUANTITIES.items()} | {11: "I", 12: "U"}

# COSEM attribute 5 of a maximum, sent as a register of its own (ZPA).
MAXIMUM_TIME = _time("maximum_time", quantity="")

# Phase angles: E is ten times the phase of the reference voltage and the phase of the quantity, both from 0.
ANGLE = Rule(
    "angle",
    Kind.NUMBER,
    (Dimension.ANGLE,),
    "deg",
    # An angle is averaged around the circle.
    state_class=SensorStateClass.MEASUREMENT_ANGLE,
    placeholders={"angle": ""},
)
_ANGLE_ENDS = ("U(L1)", "U(L2)", "U(L3)", None, "I(L1)", "I(L2)", "I(L3)")
ANGLES = {
    10 * reference + e: f"{end} – {_ANGLE_ENDS[reference]}"
    for reference in range(3)
    for e, end in enumerate(_ANGLE_ENDS)
    if end is not None
}

# Electricity and abstract objects by (C, D, E); E is None where any will do.
LISTED: dict[tuple[int, int, int | None], Rule] = {
    (0, 0, None): _text("device_number", code=""),
    (0, 1, 0): _counter("billing_periods"),
    (0, 1, 2): _time("billing_time", _PERIODS),
    (0, 2, 0): _text("firmware"),
    (0, 2, 1): _text("parameter_set"),
    (0, 2, 2): _text("tariff_program"),
    (0, 2, 8): _text("firmware_signature"),
    (0, 3, 0): _setting("meter_constant", Dimension.PULSES),
    (0, 3, 3): _setting("output_constant", Dimension.PULSES),
    (0, 8, 0): _setting("measurement_period", Dimension.DURATION),
    (0, 8, 4): _setting("recording_interval", Dimension.DURATION),
    (0, 9, 1): _text("local_time"),
    (0, 9, 2): _date("local_date"),
    (0, 9, 5): _text("day_of_week"),
    (0, 9, 6): _text("reset_time"),
    (0, 9, 7): _date("reset_date"),
    (1, 0, 0): _time("clock"),
    (17, 0, 0): _setting("limiter", Dimension.POWER, Dimension.CURRENT),
    (24, 1, 0): _text("mbus_type", channel=""),
    (24, 4, 0): _text("mbus_valve", channel=""),
    (42, 0, 0): _text("logical_device_name", hexadecimal=True),
    (81, 7, None): ANGLE,
    (96, 1, 5): _time("firmware_time"),
    (96, 1, 6): _text("firmware_signature"),
    (96, 1, None): _text("device_number", code="", hexadecimal=True),
    (96, 2, 0): _counter("parameter_changes"),
    (96, 2, 1): _time("parameter_change_time"),
    (96, 2, 2): _time("tariff_program_time"),
    (96, 2, 5): _time("calibration_time"),
    (96, 3, 10): _text("breaker"),
    (96, 3, 0): _text("signals"),
    (96, 3, None): _text("signals_number", number=""),
    (96, 4, 0): _text("control_signals"),
    (96, 5, 0): _text("operating_status"),
    (96, 5, None): _text("operating_status_number", number=""),
    (96, 6, 0): _duration("battery_use"),
    (96, 6, 1): _text("battery_state"),
    (96, 6, 3): Rule("battery_voltage", Kind.NUMBER, (Dimension.VOLTAGE,), "V",
                     state_class=SensorStateClass.MEASUREMENT, enabled=True, diagnostic=True),
    (96, 7, 0): _counter("power_failures"),
    (96, 7, 1): _counter("power_failures_phase", phase="L1"),
    (96, 7, 2): _counter("power_failures_phase", phase="L2"),
    (96, 7, 3): _counter("power_failures_phase", phase="L3"),
    (96, 7, 9): _counter("long_power_failures"),
    (96, 7, 21): _counter("power_failures_any"),
    (96, 8, 0): _duration("operating_time"),
    (96, 8, None): _duration("operating_time", _TARIFFS),
    (96, 13, 0): _text("message", hexadecimal=True),
    (96, 13, 1): _text("message_code", hexadecimal=True),
    # What follows from it is a sensor of its own, "Tariff in force".
    (96, 14, None): Rule("active_tariff"),
    (96, 51, 1): _counter("terminal_cover_openings"),
    (96, 51, 2): _time("terminal_cover_time"),
    (96, 51, 3): _counter("main_cover_openings"),
    (96, 51, 5): _counter("magnetic_fields"),
    (96, 51, 6): _time("magnetic_field_time"),
    (96, 51, 7): _counter("reverse_flows"),
    (96, 51, 8): _time("reverse_flow_time"),
    (96, 51, 16): _time("clock_set_time"),
    (97, 97, 0): _text("error_register", enabled=True),
    (97, 97, None): _text("error_register_number", number=""),
    (98, 1, 0): _text("billing_data"),
    (99, 97, 0): _text("power_failure_log"),
}  # fmt: skip

# Codes that hold a date in the lists of Turkish grid operators, and a number elsewhere.
DATED = {(96, 1, 3): _date("production_date")}

# Of these C is a quantity where A is electricity: 24.4.0 is reactive power of L1.
ABSTRACT_ONLY = frozenset({17, 24, 42})
# The same in channel 3, which the companion standards of P1 use for themselves.
P1_CHANNEL = 3
P1_LISTED = {(0, 2, 8): _text("telegram_version")}

# Readings of M-Bus devices behind an electricity meter by (D, E): 24.2.1, 24.2.3 (Belgium), 24.3.0 (DSMR 2.2 and 3).
MBUS_CODES = frozenset({(2, 1), (2, 3), (3, 0)})
# Device types of the M-Bus that tell which volume it is; by the types' numbers in EN 13757-3.
MBUS_MEDIA = {
    3: Medium.GAS,
    4: Medium.HEAT,
    6: Medium.HOT_WATER,
    7: Medium.COLD_WATER,
    10: Medium.COOLING,
    11: Medium.COOLING,
    12: Medium.HEAT,
    13: Medium.HEAT,
    21: Medium.HOT_WATER,
    22: Medium.COLD_WATER,
}


def _total(
    name: str,
    dimension: Dimension,
    assumed: str | None = None,
    device_class: SensorDeviceClass | None = None,
    axes: frozenset[Axis] = _CHANNELS | _TARIFFS_AND_PERIODS,
) -> Rule:
    return Rule(
        name,
        Kind.NUMBER,
        (dimension,),
        assumed,
        device_class,
        SensorStateClass.TOTAL_INCREASING,
        axes,
        enabled=True,
    )


HEAT_ENERGY = _total("heat_energy", Dimension.ENERGY)
_COOLING_ENERGY = _total("cooling_energy", Dimension.ENERGY, axes=_CHANNELS | _PERIODS)
VOLUME = _total("volume", Dimension.VOLUME, "m3", axes=_CHANNELS | _PERIODS)
_GAS = _total("gas", Dimension.VOLUME, "m3", SensorDeviceClass.GAS, _CHANNELS | _PERIODS)
_WATER = _total("water", Dimension.VOLUME, "m3", SensorDeviceClass.WATER, _CHANNELS | _PERIODS)
_HOT_WATER = _total(
    "hot_water", Dimension.VOLUME, "m3", SensorDeviceClass.WATER, _CHANNELS | _PERIODS
)
# Of a device whose type is not known; electricity meters behind another are among them.
MBUS_READINGS: dict[Dimension, Rule] = {
    dimension: Rule(
        "mbus_reading",
        Kind.NUMBER,
        (dimension,),
        state_class=SensorStateClass.TOTAL_INCREASING,
        placeholders={"channel": ""},
        enabled=True,
    )
    for dimension in (Dimension.ENERGY, Dimension.VOLUME)
}
_FLOW = _measured("flow_rate", Dimension.FLOW, None, axes=frozenset())
# Registers of a medium other than electricity by (C, D, E).
MEDIA: dict[Medium, dict[tuple[int, int, int], Rule]] = {
    Medium.GAS: {
        (41, 0, 0): Rule(
            "gas_temperature",
            Kind.NUMBER,
            # A difference by its unit K, but an absolute temperature.
            (Dimension.TEMPERATURE, Dimension.TEMPERATURE_DIFFERENCE),
            device_class=SensorDeviceClass.TEMPERATURE,
            state_class=SensorStateClass.MEASUREMENT,
            enabled=True,
        ),
        (42, 0, 0): _measured("gas_pressure", Dimension.PRESSURE, None, axes=frozenset()),
        (43, 0, 0): _FLOW,
    },
    Medium.COLD_WATER: {(2, 0, 0): _FLOW},
    Medium.HOT_WATER: {(2, 0, 0): _FLOW},
}
# What the total of a medium other than electricity is, by what its unit measures; the first where none is sent.
TOTALS: dict[Medium, tuple[Rule, ...]] = {
    Medium.COOLING: (_COOLING_ENERGY, VOLUME),
    Medium.HEAT: (HEAT_ENERGY, VOLUME),
    Medium.GAS: (_GAS,),
    Medium.COLD_WATER: (_WATER,),
    Medium.HOT_WATER: (_HOT_WATER,),
}

# Heat meters write short codes of their own; 9.4 is listed apart, it holds two quantities.
MEDIA[Medium.HEAT] = {
    (0, 0, 0): _text("device_number", code=""),
    (6, 6, 0): _measured("heat_power_maximum", Dimension.POWER, None, axes=_PERIODS),
    (6, 8, 0): HEAT_ENERGY,
    (6, 8, 1): HEAT_ENERGY,
    (6, 8, 2): HEAT_ENERGY,
    (6, 8, 3): HEAT_ENERGY,
    (6, 8, 4): HEAT_ENERGY,
    (6, 26, 0): VOLUME,
    (6, 31, 0): _duration("operating_time"),
    (6, 32, 0): _duration("fault_time", _PERIODS),
    (6, 33, 0): _measured("flow_rate_maximum", Dimension.FLOW, None, axes=_PERIODS),
    (6, 35, 0): _setting("measurement_period", Dimension.DURATION),
    (6, 36, 1): _date("maximum_date", _PERIODS, number="1"),
    (6, 36, 2): _date("maximum_date", _PERIODS, number="2"),
    (6, 36, 3): _date("maximum_date", _PERIODS, number="3"),
    (6, 36, 4): _date("maximum_date", _PERIODS, number="4"),
    (6, 36, 5): _date("maximum_date", _PERIODS, number="5"),
    (9, 1, 0): _text("settings"),
    (9, 20, 0): _text("device_number", code=""),
    (9, 21, 0): _text("ownership_number"),
    (9, 24, 0): _setting("measuring_range", Dimension.FLOW),
    (9, 31, 0): _duration("flow_time"),
    (9, 36, 0): _time("clock"),
}  # fmt: skip
# Flow and return, in this order, in one register.
HEAT_PAIRS: dict[tuple[int, int, int, int], tuple[Rule, ...]] = {
    (Medium.HEAT, 9, 4, 0): (
        _measured("flow_temperature_maximum", Dimension.TEMPERATURE, "C", axes=_PERIODS),
        _measured("return_temperature_maximum", Dimension.TEMPERATURE, "C", axes=_PERIODS),
    ),
}

# Codes whose F is not a billing period, by (A, C, D, E, F).
WITH_F: dict[tuple[int, int, int, int, int], Rule] = {
    (Medium.ELECTRICITY, 0, 5, 1, 1): _setting("demand_limit", Dimension.POWER, number="1"),
    (Medium.ELECTRICITY, 0, 5, 1, 2): _setting("demand_limit", Dimension.POWER, number="2"),
    (Medium.ELECTRICITY, 0, 5, 1, 3): _setting("demand_limit", Dimension.POWER, number="3"),
    (Medium.ELECTRICITY, 0, 5, 1, 4): _setting("demand_limit", Dimension.POWER, number="4"),
    (Medium.HEAT, 6, 36, 0, 2): _text("monthly_set_day"),
    (Medium.HEAT, 6, 36, 0, 255): _text("yearly_set_day"),
}

# Codes of Landis+Gyr before OBIS, known by 8.1 in kWh: reactive energy everywhere else. 8.n and 9.n are the tariffs n of
# import and export; the addresses of the rest are no codes.
BEFORE_OBIS = {8: 1, 9: 2}
BEFORE_OBIS_ADDRESSES = {"20": "1.8.0", "21": "2.8.0", "11": "0.9.1", "12": "0.9.2"}

# Registers nobody documents are named by their code. Their unit tells the rest: of these dimensions a value is a
# present one whatever the code, of energy and volume it may be a total as well as a limit, which does not change.
UNKNOWN = "register"
_PRESENT = frozenset(
    {
        Dimension.POWER,
        Dimension.REACTIVE_POWER,
        Dimension.APPARENT_POWER,
        Dimension.VOLTAGE,
        Dimension.CURRENT,
        Dimension.FREQUENCY,
        Dimension.RATIO,
        Dimension.FLOW,
        Dimension.TEMPERATURE,
        Dimension.TEMPERATURE_DIFFERENCE,
        Dimension.PRESSURE,
    }
)
_COUNTED = frozenset({Dimension.ENERGY, Dimension.VOLUME})
UNDOCUMENTED_TEXT = Rule(UNKNOWN, placeholders={"code": ""})
UNDOCUMENTED = {
    dimension: Rule(
        UNKNOWN,
        Kind.NUMBER,
        (dimension,),
        state_class=SensorStateClass.MEASUREMENT
        if dimension in _PRESENT
        else SensorStateClass.TOTAL
        if dimension in _COUNTED
        else None,
        placeholders={"code": ""},
    )
    for dimension in Dimension
}
# What a volume is where only the medium is known.
VOLUME_CLASSES: dict[int, SensorDeviceClass] = {
    Medium.GAS: SensorDeviceClass.GAS,
    Medium.COLD_WATER: SensorDeviceClass.WATER,
    Medium.HOT_WATER: SensorDeviceClass.WATER,
}

ALL_RULES = (
    *BY_TYPE.values(),
    MAXIMUM_TIME,
    *LISTED.values(),
    *DATED.values(),
    *P1_LISTED.values(),
    *MBUS_READINGS.values(),
    *(rule for rules in TOTALS.values() for rule in rules),
    *(rule for rules in MEDIA.values() for rule in rules.values()),
    *(rule for rules in HEAT_PAIRS.values() for rule in rules),
    *WITH_F.values(),
    UNDOCUMENTED_TEXT,
)
