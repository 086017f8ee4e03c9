"""Units: the spellings of meters, and exact conversion."""

from decimal import Decimal

from homeassistant.components.sensor.const import UNIT_CONVERTERS
import pytest

from custom_components.iec62056.registers.units import SPELLINGS, convert, same_dimension, unit_of
from custom_components.iec62056.state.description import Dimension


@pytest.mark.parametrize(
    ("spelling", "native", "factor"),
    [
        ("kWh", "kWh", 1),
        ("KWH", "kWh", 1),
        (" Wh ", "Wh", 1),
        ("MWh", "MWh", 1),
        ("GJ", "GJ", 1),
        ("kvarh", "kvarh", 1),
        ("kVarh", "kvarh", 1),
        ("kVArh", "kvarh", 1),
        ("varh", "varh", 1),
        ("Mvarh", "kvarh", 1000),
        ("kVAh", "kVAh", 1),
        ("VAh", "kVAh", "0.001"),
        ("kvar", "kvar", 1),
        ("kVAr", "kvar", 1),
        ("var", "var", 1),
        ("Mvar", "kvar", 1000),
        ("VA", "VA", 1),
        ("kVA", "kVA", 1),
        ("MVA", "kVA", 1000),
        ("W", "W", 1),
        ("mA", "mA", 1),
        ("Hz", "Hz", 1),
        ("kHz", "kHz", 1),
        ("%", "%", 1),
        ("P/S", None, 1),
        ("deg", "°", 1),
        ("Deg", "°", 1),
        ("m3", "m³", 1),
        ("m3ph", "m³/h", 1),
        ("C", "°C", 1),
        ("K", "K", 1),
        ("h", "h", 1),
        ("hour", "h", 1),
        ("m", "min", 1),
        ("min", "min", 1),
        ("secs", "s", 1),
        ("s", "s", 1),
        ("Imp/kWh", "imp/kWh", 1),
    ],
)
def test_spellings(spelling: str, native: str | None, factor: int | str) -> None:
    unit = unit_of(spelling)
    assert (unit.native, unit.factor) == (native, Decimal(factor))
    assert unit.dimension is not Dimension.OTHER


def test_unknown_unit_stays_as_sent_but_short_and_printable() -> None:
    unit = unit_of("\x02kWfoo\n" + "x" * 100)
    assert (unit.dimension, unit.native) == (Dimension.OTHER, "kWfoo" + "x" * 11)


@pytest.mark.parametrize(
    ("number", "spelling", "native", "expected"),
    [
        ("0.328871", "GJ", "MJ", "328.871"),
        ("71.873", "MWh", "kWh", "71873.000"),
        ("1234567", "Wh", "kWh", "1234.567"),
        ("1.8", "GJ", "kWh", "500"),
        ("1", "Gcal", "GJ", "4.184"),
        ("0.012345", "Mvarh", "varh", "12345"),
        ("2.5", "MVA", "VA", "2500000"),
        ("0.04995", "kHz", "Hz", "49.95"),
        ("90", "min", "h", "1.5"),
        ("21.5", "C", "°C", "21.5"),
    ],
)
def test_conversion_is_exact(number: str, spelling: str, native: str, expected: str) -> None:
    converted = convert(Decimal(number), unit_of(spelling), native)
    assert converted == Decimal(expected)
    assert isinstance(converted, Decimal)


@pytest.mark.parametrize(
    ("spelling", "native"), [("kWh", "kW"), ("kvarh", "kWh"), ("P/S", "%"), ("foo", "kWh")]
)
def test_never_across_dimensions(spelling: str, native: str) -> None:
    assert convert(Decimal(1), unit_of(spelling), native) is None


def test_sizes_agree_with_home_assistant() -> None:
    units = {unit.native: unit.dimension for unit in SPELLINGS.values() if unit.native}
    compared = 0
    for one, dimension in units.items():
        converter = UNIT_CONVERTERS.get(dimension.device_class)
        if converter is None:
            continue
        for other in units:
            if not same_dimension(one, other):
                continue
            compared += 1
            ours = convert(Decimal(1), unit_of(one), other)
            assert ours is not None
            assert float(ours) == pytest.approx(converter.convert(1, one, other), rel=1e-9)
    assert compared > 60
