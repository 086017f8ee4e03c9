"""What a meter can physically show, by the unit of its values: tables, scaled by the size of the connection.

The limits are those of a house. A larger installation exceeds them, which costs it one more reading per register.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..protocol.model import Medium, Obis


class ValueKind(StrEnum):
    """How the values of a register may move."""

    TOTAL = "total"
    """Never falls, but for a roll-over."""
    PERIODIC = "periodic"
    """A total that begins again at the end of a billing period (x.9.x)."""
    NET = "net"
    """A total that rises and falls (16.8.0)."""
    INSTANT = "instant"
    """Anything the meter can measure at a moment."""
    FREE = "free"
    """A number of which nothing is known, such as a setting or a value of a past period."""
    NAME = "name"
    """A text that stays as it is: the number of the meter."""


# By Home Assistant's state class.
_KINDS = {
    "total_increasing": ValueKind.TOTAL,
    "total": ValueKind.NET,
    "measurement": ValueKind.INSTANT,
}
# Value group D: time integral 2, from the end of the last billing period on.
_SINCE_RESET = 9

TOTALS = frozenset((ValueKind.TOTAL, ValueKind.PERIODIC, ValueKind.NET))


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a value, and the steepest change of a total per hour; None if not known."""

    low: Decimal | None = None
    high: Decimal | None = None
    rate: Decimal | None = None
    # As steep as any may become without having been so before.
    usual_rate: Decimal | None = None
    # Whether only the user can say that a total changed more steeply.
    strict: bool = False


NO_LIMITS = Limits()

# Meters without current transformers end at 125 A (preferred values of IEC 62052-11): 3 × 230 V × 125 A = 86 kW.
_HOUSE_KW = Decimal(100)
_HOUSE_A = Decimal(150)
# A car takes 11 kW in each phase at the most (16 A, IEC 61851-1), beside the rest of the house.
_USUAL_KW = Decimal(33)
# A fuse carries 1.45 times its current for an hour (IEC 60898-1, 60269-2), at a voltage 10 % high (EN 50160).
_OVERLOAD = Decimal("1.6")
_KW_PER_A = Decimal("0.69")

# One kilowatt in each unit of power, one kilowatt hour in each unit of energy. A heat meter of a house (qp 1.5 m³/h,
# 60 K: 105 kW) ends where its electricity meter does.
_POWER = {
    "W": Decimal(1000),
    "kW": Decimal(1),
    "MW": Decimal("0.001"),
    "var": Decimal(1000),
    "kvar": Decimal(1),
    "VA": Decimal(1000),
    "kVA": Decimal(1),
}
_ENERGY = {
    "Wh": Decimal(1000),
    "kWh": Decimal(1),
    "MWh": Decimal("0.001"),
    "GWh": Decimal("0.000001"),
    "J": Decimal(3_600_000),
    "kJ": Decimal(3600),
    "MJ": Decimal("3.6"),
    "GJ": Decimal("0.0036"),
    "Gcal": Decimal("0.00086"),
    "varh": Decimal(1000),
    "kvarh": Decimal(1),
    "kVAh": Decimal(1),
}
_CURRENT = {"A": Decimal(1), "mA": Decimal(1000)}

# G4 gas meters pass 6 m³/h (EN 1359), water meters of houses (Q3 4) 5 m³/h. A heat meter passes twice its rated flow
# (EN 1434); at 60 K that is 70 kW for each m³/h.
_HOUSE_FLOW = Decimal(10)
_OVERFLOW = 2
_KW_PER_FLOW = 70
# One cubic metre in each unit of volume.
_VOLUME = {"m³": Decimal(1), "L": Decimal(1000)}

# Other totals per hour, as a rule. Time passes as it does; meters may count it in steps, or set it. None is a plain
# count of events.
_RATES = {
    "s": Decimal(7200),
    "min": Decimal(120),
    "h": Decimal(2),
    "d": Decimal("0.1"),
    None: Decimal(60),
}

# Instantaneous values. Voltage: 400 V between phases and 10 %; what is measured behind transformers comes in kV, up to
# 420 kV (IEC 60038). Frequency: from railways (16.7 Hz) to 60 Hz. Power factor: meters were seen to send 4.5 in all
# three phases. Flow temperatures end at 180 °C (EN 1434), and sensors that are not connected read below zero.
_BOUNDS = {
    "V": (Decimal(0), Decimal(500)),
    "mV": (Decimal(0), Decimal(500_000)),
    "kV": (Decimal(0), Decimal(420)),
    "Hz": (Decimal(15), Decimal(70)),
    "kHz": (Decimal("0.015"), Decimal("0.07")),
    "%": (Decimal(-100), Decimal(1000)),
    "°": (Decimal(-360), Decimal(360)),
    "°C": (Decimal(-50), Decimal(200)),
    "K": (Decimal(-200), Decimal(200)),
    "m³/h": (Decimal(-20), Decimal(20)),
    "L/h": (Decimal(-20_000), Decimal(20_000)),
    "mbar": (Decimal(0), Decimal(100_000)),
    "kPa": (Decimal(0), Decimal(10_000)),
    "bar": (Decimal(0), Decimal(100)),
    None: (Decimal(-10), Decimal(10)),
}


def kind_of(code: Obis | None, state_class: str | None) -> ValueKind:
    """How the numbers of a register move, by its code and its state class."""
    kind = _KINDS.get(state_class or "", ValueKind.FREE)
    if kind is ValueKind.TOTAL and code is not None:
        since_reset = code.a == Medium.ELECTRICITY and code.d == _SINCE_RESET
        return ValueKind.PERIODIC if since_reset else kind
    return kind


def limits_of(
    kind: ValueKind,
    unit: str | None,
    amperes: Decimal | None = None,
    rated_flow: Decimal | None = None,
) -> Limits:
    """The limits of a register's values, in the unit they are published in.

    `amperes` is the current the connection is fused for, per phase, `rated_flow` what the meter is made for, in m³/h;
    None if that is not known.
    """
    kilowatts = _HOUSE_KW if amperes is None else amperes * _KW_PER_A * _OVERLOAD
    flow = _HOUSE_FLOW
    if rated_flow is not None:
        flow = rated_flow * _OVERFLOW
        kilowatts = max(kilowatts, flow * _KW_PER_FLOW)
    if kind in TOTALS:
        low = None if kind is ValueKind.NET else Decimal(0)
        if unit in _ENERGY:
            rate, usual = (one * _ENERGY[unit] for one in (kilowatts, min(kilowatts, _USUAL_KW)))
            return Limits(low=low, rate=rate, usual_rate=usual, strict=True)
        if unit in _VOLUME:
            rate = flow * _VOLUME[unit]
            return Limits(low=low, rate=rate, usual_rate=rate / 3, strict=True)
        other = _RATES.get(unit)
        return Limits(low=low, rate=other, usual_rate=other and other / 3)
    if kind is not ValueKind.INSTANT:
        return NO_LIMITS
    if unit in _POWER:
        return _both_ways(kilowatts * _POWER[unit])
    if unit in _CURRENT:
        most = _HOUSE_A if amperes is None else amperes * _OVERLOAD
        return _both_ways(most * _CURRENT[unit])
    return Limits(*_BOUNDS.get(unit, ()))


def _both_ways(most: Decimal) -> Limits:
    return Limits(-most, most)
