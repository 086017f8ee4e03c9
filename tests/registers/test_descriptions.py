"""The catalogue: what each register becomes, written down by hand, and what holds for all of them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
import json
from pathlib import Path

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.components.sensor.const import (
    DEVICE_CLASS_STATE_CLASSES,
    DEVICE_CLASS_UNITS,
    STATE_CLASS_UNITS,
    UNIT_CONVERTERS,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from hypothesis import given, settings, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockEntityPlatform

from custom_components.iec62056.protocol.model import (
    Health,
    LineProfile,
    Medium,
    Reading,
    Register,
    Value,
)
from custom_components.iec62056.protocol.obis import parse
from custom_components.iec62056.registers.descriptions import describe, describe_state, kept_unit
from custom_components.iec62056.registers.matching import context_of
from custom_components.iec62056.registers.naming import clean_text
from custom_components.iec62056.registers.tables import (
    MBUS_MEDIA,
)
from custom_components.iec62056.registers.units import SPELLINGS
from custom_components.iec62056.registers.values import LONGEST_STATE, native, taken_at
from custom_components.iec62056.state.description import Context, Description, Kind
from custom_components.iec62056.state.meter_state import MeterState, RegisterState

from ..common.codes import ZONE, E, H, codes
from ..common.names import translation_keys

NAMES: dict[str, str] = {
    key: text["name"]
    for key, text in json.loads(
        (Path(__file__).parents[2] / "custom_components/iec62056/translations/en.json").read_text(
            encoding="utf-8"
        )
    )["entity"]["sensor"].items()
}
TOTAL = "total_increasing"
NOW = "measurement"


def register(address: str, *values: str, medium: Medium = E) -> Register:
    """A register from brackets as a meter writes them."""
    split = (text.partition("*") for text in values)
    return Register(
        address, parse(address, medium), tuple(Value(text, unit or None) for text, _, unit in split)
    )


def reading(*registers: Register) -> Reading:
    return Reading(None, registers, datetime(2026, 11, 1, tzinfo=UTC), Health())


def describe_one(register: Register, context: Context | None = None) -> Description:
    (description,) = describe(register, context or Context(), {})
    return description


def name(description: Description) -> str:
    return NAMES[description.translation_key].format(**description.placeholders)


def state(register: Register, context: Context | None = None) -> object:
    return native(register, describe_one(register, context), ZONE)


# Address, bracket, name, device class, state class, unit, whether shown, state.
ELECTRICITY = [
    ("1.8.0", "0012345.678*kWh", "Energy import", "energy", TOTAL, "kWh", True, "12345.678"),
    ("1-0:1.8.0*255", "5*Wh", "Energy import", "energy", TOTAL, "Wh", True, "5"),
    ("1-1:1.8.0", "5*kWh", "Energy import", "energy", TOTAL, "kWh", True, "5"),
    ("1.8.1", "0032942.0231", "Energy import tariff 1", "energy", TOTAL, "kWh", True, "32942.0231"),
    ("1.8.2", "7*KWH", "Energy import tariff 2", "energy", TOTAL, "kWh", True, "7"),
    ("1.8.4", "7*kWh", "Energy import tariff 4", "energy", TOTAL, "kWh", True, "7"),
    ("1.8.4", "000.0*kWh", "Energy import tariff 4", "energy", TOTAL, "kWh", False, "0"),
    ("2.8.0", "3.5*MWh", "Energy export", "energy", TOTAL, "MWh", True, "3.5"),
    ("2.8.2", "0*kWh", "Energy export tariff 2", "energy", TOTAL, "kWh", True, "0"),
    ("15.8.0", "8*kWh", "Energy import plus export", "energy", TOTAL, "kWh", True, "8"),
    ("16.8.0", "-8*kWh", "Net energy", "energy", "total", "kWh", True, "-8"),
    ("21.8.0", "11*kWh", "Energy import L1", "energy", TOTAL, "kWh", False, "11"),
    ("1.9.0", "11*kWh", "Energy A+ this billing period", "energy", TOTAL, "kWh", False, "11"),
    ("1.8.0*12", "9*kWh", "Energy import, period 12", "energy", None, "kWh", False, "9"),
    ("1.8.1*01", "9", "Energy import tariff 1, period 1", "energy", None, "kWh", False, "9"),
    ("21.8.0*01", "9*kWh", "21.8.0*01", "energy", None, "kWh", False, "9"),
    ("3.8.0", "1*kvarh", "Reactive energy import", "reactive_energy", TOTAL, "kvarh", False, "1"),
    ("4.8.1", "1*kVArh", "Reactive energy export tariff 1", "reactive_energy", TOTAL, "kvarh", False, "1"),
    ("5.8.0", "1*kVarh", "Reactive energy quadrant I", "reactive_energy", TOTAL, "kvarh", False, "1"),
    ("6.8.0", "1*varh", "Reactive energy quadrant II", "reactive_energy", TOTAL, "varh", False, "1"),
    ("8.8.4", "1*Mvarh", "Reactive energy quadrant IV tariff 4", "reactive_energy", TOTAL, "kvarh", False, "1000"),
    ("9.8.0", "2*kVAh", "Apparent energy import", None, TOTAL, "kVAh", False, "2"),
    ("1.7.0", "00.386*kW", "Power import", "power", NOW, "kW", True, "0.386"),
    ("1.7.255", "002124.86*W", "Power import", "power", NOW, "W", True, "2124.86"),
    ("1.7.0", "0.5", "Power import", None, None, None, True, "0.5"),
    ("2.7.0", "0*kW", "Power export", "power", NOW, "kW", True, "0"),
    ("16.7", "-0.25*kW", "Net power", "power", NOW, "kW", True, "-0.25"),
    ("36.7.0", "75.18*W", "Net power L1", "power", NOW, "W", True, "75.18"),
    ("62.7.0", "+00026*W", "Power export L3", "power", NOW, "W", False, "26"),
    ("3.7.0", "12*var", "Reactive power import", "reactive_power", NOW, "var", False, "12"),
    ("43.25", "1*kvar", "Reactive power import L2", "reactive_power", NOW, "kvar", False, "1"),
    ("8.7.0", "1*kvar", "Reactive power quadrant IV", "reactive_power", NOW, "kvar", False, "1"),
    ("131.7", "-1*kVAr", "Net reactive power", "reactive_power", NOW, "kvar", False, "-1"),
    ("171.7.0", "1*kvar", "Net reactive power L2", "reactive_power", NOW, "kvar", False, "1"),
    ("135.7.0", "1*kvar", "135.7.0", "reactive_power", NOW, "kvar", False, "1"),
    ("9.7.0", "0.032*kVA", "Apparent power import", "apparent_power", NOW, "kVA", False, "0.032"),
    ("10.7.0", "1.5*MVA", "Apparent power export", "apparent_power", NOW, "kVA", False, "1500"),
    ("1.4.0", "2.351*kW", "Running average demand import", "power", NOW, "kW", True, "2.351"),
    ("1.5.0", "2.351*kW", "Last average demand import", "power", NOW, "kW", True, "2.351"),
    ("2.5.0", "2.351*kW", "Last average demand export", "power", NOW, "kW", False, "2.351"),
    ("1.6.0", "2.468*kW", "Maximum demand import", "power", NOW, "kW", True, "2.468"),
    ("1.6.2", "0*kW", "Maximum demand import tariff 2", "power", NOW, "kW", False, "0"),
    ("1.6.1*09", "1*kW", "Maximum demand import tariff 1, period 9", "power", None, "kW", False, "1"),
    ("21.6.0", "1*kW", "21.6.0", "power", NOW, "kW", False, "1"),
    ("24.4.0", "1*kvar", "Running average demand Q- L1", "reactive_power", NOW, "kvar", False, "1"),
    ("2.6.0", "1*kW", "Maximum demand export", "power", NOW, "kW", False, "1"),
    ("3.6.1", "186*kvar", "Maximum demand Q+ tariff 1", "reactive_power", NOW, "kvar", False, "186"),
    ("23.6.0", "186*kvar", "Maximum demand Q+ L1", "reactive_power", NOW, "kvar", False, "186"),
    ("15.6.0", "1*kW", "Maximum demand |A|", "power", NOW, "kW", True, "1"),
    ("1.2.1", "275663*kW", "Cumulated maximum demand import tariff 1", "power", NOW, "kW", False, "275663"),
    ("4.2.0", "5683*kvar", "Cumulated maximum demand Q-", "reactive_power", NOW, "kvar", False, "5683"),
    ("32.7", "238.3*V", "Voltage L1", "voltage", NOW, "V", True, "238.3"),
    ("52.25", "238.3", "Voltage L2", "voltage", NOW, "V", True, "238.3"),
    ("12.7.0", "230*V", "Voltage", "voltage", NOW, "V", True, "230"),
    ("32.7.1", "17", "32.7.1", None, None, None, False, "17"),
    ("31.7.1", "1.5*%", "31.7.1", None, NOW, "%", False, "1.5"),
    ("32.6.0", "244.2*V", "Maximum voltage L1", "voltage", NOW, "V", False, "244.2"),
    ("71.7.0", "000.77*A", "Current L3", "current", NOW, "A", True, "0.77"),
    ("31.4.0", "999*A", "Fuse threshold L1", "current", None, "A", False, "999"),
    ("91.7.0", "0.1*A", "Current neutral", "current", NOW, "A", True, "0.1"),
    ("13.7", "-.--", "Power factor", "power_factor", NOW, None, False, None),
    ("13.25", "0.97*P/S", "Power factor", "power_factor", NOW, None, False, "0.97"),
    ("33.7.0", "-1.000", "Power factor L1", "power_factor", NOW, None, False, "-1"),
    ("13.7.0", "97*%", "Power factor", "power_factor", NOW, "%", False, "97"),
    ("14.7.0", "0.04995*kHz", "Frequency", "frequency", NOW, "kHz", False, "0.04995"),
    ("34.7.0", "50.0*Hz", "Frequency L1", "frequency", NOW, "Hz", False, "50"),
    ("81.7.15", "-33.3*Deg", "Angle I(L2) – U(L2)", None, "measurement_angle", "°", False, "-33.3"),
    ("81.7.3", "-33.3*deg", "81.7.3", None, None, "°", False, "-33.3"),
    ("52.32.0", "00012", "Voltage dips L2", None, TOTAL, None, False, "12"),
    ("72.36.0", "00012", "Voltage swells L3", None, TOTAL, None, False, "12"),
    ("1-2:1.8.0", "5*kWh", "1-2:1.8.0", "energy", "total", "kWh", False, "5"),
    ("1.8.0", "5*m3", "1.8.0", "volume", "total", "m³", False, "5"),
    ("1.8.0", "5*kWx", "1.8.0", None, None, "kWx", False, "5"),
    ("0.1.0", "53", "Billing period counter", None, TOTAL, None, False, "53"),
    ("0.3.0", "10000*Imp/kWh", "Meter constant", None, None, "imp/kWh", False, "10000"),
    ("0.5.1.2", "16*kW", "Demand limit 2", "power", None, "kW", False, "16"),
    ("0.8.0", "15*min", "Measurement period", "duration", None, "min", False, "15"),
    ("0-0:17.0.0", "999.9*kW", "Limiter threshold", "power", None, "kW", False, "999.9"),
    ("0-0:17.0.0", "16*A", "Limiter threshold", "current", None, "A", False, "16"),
    ("82.8.1", "0000001", "82.8.1", None, None, None, False, "0000001"),
    ("C.6.3", "3.20*V", "Battery voltage", "voltage", NOW, "V", True, "3.2"),
    ("C.6.0", "00075841", "Battery use", None, None, None, False, "00075841"),
    ("C.6.0", "75841*h", "Battery use", "duration", TOTAL, "h", False, "75841"),
    ("0-0:96.8.0*255", "00104443", "Operating time", None, None, None, False, "00104443"),
    ("C.8.1", "3713*h", "Operating time tariff 1", "duration", TOTAL, "h", False, "3713"),
    ("C.7.0", "0064", "Power failures in all phases", None, TOTAL, None, False, "64"),
    ("C.7.2", "3", "Power failures L2", None, TOTAL, None, False, "3"),
    ("0-0:96.7.9", "00007", "Long power failures in any phase", None, TOTAL, None, False, "7"),
    ("C.51.3", "2", "Main cover openings", None, TOTAL, None, False, "2"),
    ("97.97.0", "00000000", "Error register", None, None, None, True, "00000000"),
    ("FF", "0000", "Error register", None, None, None, True, "0000"),
    ("F.F.1", "01", "Error register 1", None, None, None, False, "01"),
    ("0-0:96.14.0", "0002", "Active tariff", None, None, None, False, "0002"),
    ("C.1.0", "06213678", "Device number C.1.0", None, None, None, False, "06213678"),
    ("0-0:96.1.255*255", "0000680476", "Device number 0-0:96.1.255", None, None, None, False, "0000680476"),
    ("0.2.0", "V0269", "Firmware", None, None, None, False, "V0269"),
    ("1-3:0.2.8", "50", "Telegram version", None, None, None, False, "50"),
    ("0-0:96.13.0", "48656C6C6F2C20776F726C64", "Message", None, None, None, False, "Hello, world"),
    ("C.3.1", "____--__", "Input and output signals 1", None, None, None, False, "____--__"),
    ("0.9.1", "211156", "Time of meter", None, None, None, False, "211156"),
    ("C.70", "01", "C.70", None, None, None, False, "01"),
    ("1-1:30D", "0F66", "1-1:30D", None, None, None, False, "0F66"),
    ("ET0PE", "16907.9", "ET0PE", None, None, None, False, "16907.9"),
]  # fmt: skip
HEAT_METER = [
    ("6.8", "0328.871*GJ", "Heat energy", "energy", TOTAL, "GJ", True, "328.871"),
    ("6.8", "71.873*MWh", "Heat energy", "energy", TOTAL, "MWh", True, "71.873"),
    ("6.8.1", "71.873*MWh", "Heat energy tariff 1", "energy", TOTAL, "MWh", True, "71.873"),
    ("6.8.2", "", "Heat energy tariff 2", None, None, None, False, None),
    ("6.8*01", "0069.507*MWh", "Heat energy, period 1", "energy", None, "MWh", False, "69.507"),
    ("6.26", "01804.89*m3", "Volume", "volume", TOTAL, "m³", True, "1804.89"),
    ("6.26.1", "", "6.26.1", None, None, None, False, None),
    ("6.6", "0022.4*kW", "Maximum heat power", "power", NOW, "kW", True, "22.4"),
    ("6.33", "000.744*m3ph", "Maximum flow rate", "volume_flow_rate", NOW, "m³/h", True, "0.744"),
    ("6.31", "0107988*h", "Operating time", "duration", TOTAL, "h", False, "107988"),
    ("6.32*01", "5*h", "Fault time, period 1", "duration", None, "h", False, "5"),
    ("6.35", "60*m", "Measurement period", "duration", None, "min", False, "60"),
    ("6.36", "01-01&00:00", "Yearly set day", None, None, None, False, "01-01&00:00"),
    ("6.36*02", "01&00:00", "Monthly set day", None, None, None, False, "01&00:00"),
    ("8.26.1", "00000000*m3", "8.26.1", "volume", "total", "m³", False, "0"),
    ("9.20", "66153690", "Device number 9.20", None, None, None, False, "66153690"),
    ("9.21", "66153690", "Ownership number", None, None, None, False, "66153690"),
    ("9.24", "1.5*m3ph", "Measuring range", "volume_flow_rate", None, "m³/h", False, "1.5"),
    ("9.7", "20000", "9.7", None, None, None, False, "20000"),
    ("F", "0", "Error register", None, None, None, True, "0"),
]
OTHER_MEDIA = [
    ("7-0:3.0.0", "12.5*m3", "Gas", "gas", TOTAL, "m³", True, "12.5"),
    ("7-0:3.0.0*01", "12.5*m3", "Gas, period 1", "gas", None, "m³", False, "12.5"),
    ("8-0:1.0.0", "12.5*m3", "Water", "water", TOTAL, "m³", True, "12.5"),
    ("9-0:1.0.0", "12.5*m3", "Hot water", "water", TOTAL, "m³", True, "12.5"),
    ("5-0:1.0.0", "12.5*kWh", "Cooling energy", "energy", TOTAL, "kWh", True, "12.5"),
    ("6-0:1.0.0", "12.5*kWh", "Heat energy", "energy", TOTAL, "kWh", True, "12.5"),
    ("7-0:3.1.0", "12.5*m3", "7-0:3.1.0", "gas", "total", "m³", False, "12.5"),
    ("7-0:41.0.0", "12.5*C", "Gas temperature", "temperature", NOW, "°C", True, "12.5"),
    ("7-0:41.0.0", "285.5*K", "Gas temperature", "temperature", NOW, "K", True, "285.5"),
    ("7-0:42.0.0", "1.013*bar", "Gas pressure", "pressure", NOW, "bar", True, "1.013"),
    ("7-0:43.0.0", "1.5*m3/h", "Flow rate", "volume_flow_rate", NOW, "m³/h", True, "1.5"),
    ("8-0:2.0.0", "1.5*m3/h", "Flow rate", "volume_flow_rate", NOW, "m³/h", True, "1.5"),
    ("9-0:2.0.0", "1.5*m3ph", "Flow rate", "volume_flow_rate", NOW, "m³/h", True, "1.5"),
    ("8-0:3.7.0", "12.5*m3", "8-0:3.7.0", "water", "total", "m³", False, "12.5"),
    ("6-0:10.0.0", "61.5*C", "6-0:10.0.0", "temperature", NOW, "°C", False, "61.5"),
]

type Row = tuple[str, str, str, str | None, str | None, str | None, bool, str | None]


@pytest.mark.parametrize(
    ("medium", "row"),
    [(E, row) for row in ELECTRICITY + OTHER_MEDIA] + [(H, row) for row in HEAT_METER],
    ids=lambda value: "_".join(value[:2]) if isinstance(value, tuple) else value.name,
)
def test_described_as_written_down(medium: Medium, row: Row) -> None:
    address, bracket, expected_name, device_class, state_class, unit, enabled, expected = row
    sent = register(address, bracket, medium=medium)
    description = describe_one(sent)
    assert name(description) == expected_name
    assert (description.device_class, description.state_class, description.unit, description.enabled) == (
        device_class,
        state_class,
        unit,
        enabled,
    )  # fmt: skip
    value = native(sent, description, ZONE)
    if description.kind is Kind.NUMBER:
        assert value == (None if expected is None else Decimal(expected))
        assert value is None or isinstance(value, Decimal)
    else:
        assert value == expected
    assert description.key == sent.key


# --- times


@pytest.mark.parametrize(
    ("address", "bracket", "device_class", "expected"),
    [
        ("0-0:1.0.0", "230724150730S", "timestamp", datetime(2023, 7, 24, 13, 7, 30, tzinfo=UTC)),
        ("0-0:1.0.0", "632525252525S", "timestamp", None),
        ("0.1.2", "2211010000", "timestamp", datetime(2022, 10, 31, 23, tzinfo=UTC)),
        ("0.1.2", "0000000000", "timestamp", None),
        ("0.9.2", "221113", "date", date(2022, 11, 13)),
        ("0.9.2", "00-00-00", "date", None),
        ("C.2.1", "2010051213", "timestamp", datetime(2020, 10, 5, 10, 13, tzinfo=UTC)),
        ("C.2.1", "CS3T", None, "CS3T"),
        ("C.2.5", "15-07-02", "date", date(2015, 7, 2)),
        ("C.51.2", "202505051026", "timestamp", datetime(2025, 5, 5, 8, 26, tzinfo=UTC)),
        ("C.51.6", "", "timestamp", None),
        ("1.6.0,5", "202601130730", "timestamp", datetime(2026, 1, 13, 6, 30, tzinfo=UTC)),
    ],
)
def test_times(address: str, bracket: str, device_class: str | None, expected: object) -> None:
    sent = register(address, bracket)
    description = describe_one(sent)
    assert description.device_class == device_class
    assert description.category is EntityCategory.DIAGNOSTIC
    assert not description.enabled
    assert native(sent, description, ZONE) == expected


@pytest.mark.parametrize(
    "sent",
    ["1404-08-10", "1404-08-10 15:30", "2569-08-10", "14040810", "140408101530", "256908101530"],
)
@pytest.mark.parametrize("address", ["0.9.2", "C.2.1", "0.1.2", "C.51.2"])
def test_date_of_another_calendar_stays_text(address: str, sent: str) -> None:
    """The tenth of Aban 1404, written in full, also reads as a day of 2014."""
    described = describe_one(register(address, sent))
    assert described.device_class is None
    assert native(register(address, sent), described, ZONE) == sent


@pytest.mark.parametrize(
    ("sent", "expected_name", "device_class", "expected"),
    [
        ("18-11-27", "Date of production", "date", date(2018, 11, 27)),
        ("00-00-00", "Device number 96.1.3", None, "00-00-00"),
        ("1ABC0012345678", "Device number 96.1.3", None, "1ABC0012345678"),
        ("34567812", "Device number 96.1.3", None, "34567812"),
    ],
)
def test_date_of_production(
    sent: str, expected_name: str, device_class: str | None, expected: object
) -> None:
    described = describe_one(register("96.1.3", sent))
    assert name(described) == expected_name
    assert described.device_class == device_class
    assert native(register("96.1.3", sent), described, ZONE) == expected


def test_heat_meter_clock_and_dates() -> None:
    clock = register("9.36", "2022-05-19&19:41:17", medium=H)
    assert state(clock) == datetime(2022, 5, 19, 17, 41, 17, tzinfo=UTC)
    maximum = register("6.36.2", "2020-06-23", medium=H)
    assert name(describe_one(maximum)) == "Date of maximum 2"
    assert state(maximum) == date(2020, 6, 23)


def test_time_of_a_maximum_in_a_register_of_its_own() -> None:
    assert name(describe_one(register("1.6.1,5", "202601130730"))) == "Time of maximum A+ T1"
    assert name(describe_one(register("52.6.0,5", "202601130730"))) == "Time of maximum U L2"
    assert name(describe_one(register("1.8.0,5", "202601130730"))) == "1.8.0,5"


@pytest.mark.parametrize(
    "brackets",
    [("2.468*kW", "1703100930"), ("170310093000W", "2.468*kW")],
    ids=["behind", "before"],
)
def test_a_maximum_and_its_time_in_either_order(brackets: tuple[str, str]) -> None:
    sent = register("1.6.0", *brackets)
    description = describe_one(sent)
    assert native(sent, description, ZONE) == Decimal("2.468")
    assert taken_at(sent, description, ZONE) == datetime(2017, 3, 10, 8, 30, tzinfo=UTC)
    assert description.key == "1-0:1.6.0"


def test_a_time_that_is_not_set_is_none() -> None:
    sent = register("1.6.0", "000.000*kW", "00-00-00,00:00")
    assert taken_at(sent, describe_one(sent), ZONE) is None
    alone = register("1.6.0", "000.000*kW")
    assert taken_at(alone, describe_one(alone), ZONE) is None


# --- registers of several values


def test_flow_and_return_are_two_sensors() -> None:
    sent = register("9.4", "098.5*C", "061.0*C", medium=H)
    flow, back = describe(sent, Context(), {})
    assert (name(flow), name(back)) == ("Maximum flow temperature", "Maximum return temperature")
    assert (flow.key, back.key) == ("6-0:9.4.0", "6-0:9.4.0#2")
    assert native(sent, flow, ZONE) == Decimal("98.5")
    assert native(sent, back, ZONE) == Decimal("61.0")
    assert flow.device_class is back.device_class is SensorDeviceClass.TEMPERATURE


def test_the_return_temperature_may_be_missing_later() -> None:
    _, back = describe(register("9.4", "98*C", "61*C", medium=H), Context(), {})
    assert native(register("9.4", "98*C", medium=H), back, ZONE) is None
    assert native(register("9.4", medium=H), back, ZONE) is None


def test_a_pair_in_other_units_is_no_pair_of_temperatures() -> None:
    assert describe_one(register("9.4", "5*kWh", "6*kWh", medium=H)).kind is Kind.TEXT


def test_several_values_nobody_explains_are_one_text() -> None:
    log = register("99.97.0", "2", "0-0:96.7.19", "000104180320W", "0000237126*s")
    assert name(describe_one(log)) == "Power failure log"
    assert state(log) == "2, 0-0:96.7.19, 000104180320W, 0000237126 s"
    profile = register("P.01", "1", "2.5*kW", "3.5*kW")
    assert describe_one(profile).unit is None
    assert state(profile) == "1, 2.5 kW, 3.5 kW"


def test_text_is_cut_and_printable() -> None:
    sent = register("0-0:96.13.0", "tab\there " + "x" * 600)
    shown = state(sent)
    assert isinstance(shown, str)
    assert len(shown) == LONGEST_STATE
    assert shown.startswith("tab here xxx")


# --- what other registers tell


@pytest.mark.parametrize(
    ("kind", "unit", "expected_name", "device_class"),
    [
        ("003", "m3", "Gas", "gas"),
        ("3", None, "Gas", "gas"),
        ("004", "GJ", "Heat energy", "energy"),
        ("4", "m3", "Volume", "volume"),
        ("6", "m3", "Hot water", "water"),
        ("007", "m3", "Water", "water"),
        ("10", "MWh", "Cooling energy", "energy"),
        ("2", "kWh", "M-Bus reading channel 1", "energy"),
        ("0", "m3", "M-Bus reading channel 1", "volume"),
        ("3", "kWh", "M-Bus reading channel 1", "energy"),
        ("x", "GJ", "M-Bus reading channel 1", "energy"),
        (None, "GJ", "M-Bus reading channel 1", "energy"),
    ],
)
def test_mbus_device_type_tells_gas_from_water(
    kind: str | None, unit: str | None, expected_name: str, device_class: str
) -> None:
    value = register("0-1:24.2.1", "200512134558S", f"00112.384*{unit or ''}")
    types = [] if kind is None else [register("0-1:24.1.0", kind)]
    context = context_of(reading(*types, value).registers)
    description = describe_one(value, context)
    assert name(description) == expected_name
    assert description.device_class == device_class
    assert description.state_class is SensorStateClass.TOTAL_INCREASING
    assert description.enabled
    assert native(value, description, ZONE) == Decimal("112.384")
    assert taken_at(value, description, ZONE) == datetime(2020, 5, 12, 11, 45, 58, tzinfo=UTC)


def test_mbus_without_type_and_unit_is_not_guessed() -> None:
    sent = register("0-1:24.2.1", "632525252525S", "00000.000")
    assert describe_one(sent).kind is Kind.TEXT


def test_mbus_profile_of_the_older_standard() -> None:
    sent = register("0-1:24.3.0", "130110100000", "00", "60", "1", "0-1:24.2.1", "m3", "00001.160")
    context = Context(mbus={1: 3})
    description = describe_one(sent, context)
    assert (description.device_class, description.unit) == ("gas", "m³")
    assert native(sent, description, ZONE) == Decimal("1.160")
    assert taken_at(sent, description, ZONE) == datetime(2013, 1, 10, 9, tzinfo=UTC)
    untyped = describe_one(sent)
    assert (untyped.device_class, untyped.unit) == ("volume", "m³")


def test_two_devices_of_a_kind_are_told_apart() -> None:
    values = [register(f"0-{channel}:24.2.1", "200512134558S", "1*m3") for channel in (1, 2, 3)]
    types = [register(f"0-{n}:24.1.0", kind) for n, kind in ((1, "7"), (2, "22"), (3, "3"))]
    context = context_of(reading(*types, *values).registers)
    names = [name(describe_one(value, context)) for value in values]
    assert names == ["Water channel 1", "Water channel 2", "Gas"]


def test_f_zero_is_the_present_value_where_it_stands_alone() -> None:
    alone = register("1.8.1*00", "071354.27")
    context = context_of(
        reading(alone, register("1.8.2", "5"), register("1.8.2*00", "4")).registers
    )
    present = describe_one(alone, context)
    assert (name(present), present.state_class, present.enabled) == (
        "Energy import tariff 1",
        TOTAL,
        True,
    )
    past = describe_one(register("1.8.2*00", "4"), context)
    assert (name(past), past.state_class, past.enabled) == (
        "Energy import tariff 2, period 0",
        None,
        False,
    )


# --- the unit a sensor keeps


def test_kept_unit_converts_exactly() -> None:
    first = describe_one(register("6.8", "0071.873*MWh", medium=H))
    later = register("6.8", "0258.800*GJ", medium=H)
    assert native(later, first, ZONE) == Decimal("258.800") * 1000 / 3600
    again = kept_unit(describe_one(later), "MWh")
    assert (again.unit, again.precision) == ("MWh", None)
    assert native(later, again, ZONE) == native(later, first, ZONE)


def test_kept_unit_of_another_dimension_is_left() -> None:
    description = describe_one(register("1.8.0", "5*kWh"))
    assert kept_unit(description, "kW") == description
    assert kept_unit(description, None) == description
    assert kept_unit(description, "kWh") is description
    unitless = describe_one(register("C.7.0", "5"))
    assert kept_unit(unitless, "kWh") is unitless


def test_suggested_unit_follows_the_kept_one() -> None:
    assert kept_unit(describe_one(register("1.8.0", "5*kWh")), "Wh").suggested_unit == "kWh"
    assert kept_unit(describe_one(register("1.8.0", "5*Wh")), "MWh").suggested_unit is None


def test_a_unit_lost_on_the_way_is_no_value() -> None:
    damaged = register("1.8.0", "0001234567")
    assert native(damaged, describe_one(register("1.8.0", "0001234567*Wh")), ZONE) is None
    assert native(damaged, kept_unit(describe_one(damaged), "Wh"), ZONE) is None
    assert native(damaged, kept_unit(describe_one(damaged), "kWh"), ZONE) == 1234567


def test_a_unit_of_another_dimension_is_no_value() -> None:
    description = describe_one(register("1.8.0", "5*kWh"))
    for unit in ("kW", "m3", "foo"):
        assert native(register("1.8.0", f"5*{unit}"), description, ZONE) is None


def test_an_assumed_unit_gives_way_to_one_that_is_sent() -> None:
    description = describe_one(register("1.8.0", "5"))
    assert native(register("1.8.0", "5000*Wh"), description, ZONE) == 5


def test_values_that_are_no_number() -> None:
    description = describe_one(register("1.8.0", "5*kWh"))
    for sent in ("", "-.--", "0F66*kWh"):
        assert native(register("1.8.0", sent), description, ZONE) is None
    assert native(register("1.8.0"), description, ZONE) is None


# --- display


@pytest.mark.parametrize(
    ("address", "bracket", "unit", "suggested", "precision"),
    [
        ("1.8.0", "0012345.678*kWh", "kWh", None, 3),
        ("1.8.0", "0012345*Wh", "Wh", "kWh", 3),
        ("3.8.0", "12345.6*varh", "varh", "kvarh", 3),
        ("3.8.0", "1.2345*Mvarh", "kvarh", None, 1),
        ("3.8.0", "1.2*Mvarh", "kvarh", None, 0),
        ("9.8.0", "12*VAh", "kVAh", None, 3),
        ("14.7.0", "0.04995*kHz", "kHz", "Hz", 2),
        ("13.7.0", "0.97", None, None, 2),
        ("13.7.0", "-.--", None, None, None),
        ("1.8.0", "12,50*kWh", "kWh", None, 2),
    ],
)
def test_display(
    address: str, bracket: str, unit: str | None, suggested: str | None, precision: int | None
) -> None:
    description = describe_one(register(address, bracket))
    assert (description.unit, description.suggested_unit, description.precision) == (
        unit,
        suggested,
        precision,
    )


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("MT382-1003", "MT382-1003"),
        ("  EMH4\x00\x07 \t eHZ ", "EMH4 eHZ"),
        ("PRE_AM363_D", "PRE_AM363_D"),
        ("_bold_ __move__", "bold move"),
        ("**x** `y` # z", "x y z"),
        ("[click](http://bad.example)", "click (http bad.example)"),
        ("<img src=x> | a\\b", "img src=x a b"),
        ("www.bad.example", "bad.example"),
        ("a\u202eb\u200b", "a b"),
        ("x" * 99, "x" * 20),
        ("", ""),
    ],
)
def test_text_of_a_meter_in_a_name(text: str, clean: str) -> None:
    assert clean_text(text, 20 if len(text) > 60 else 60) == clean


def test_address_of_no_code_is_cleaned_in_the_name() -> None:
    described = describe_one(register("[x](y)<b>" + "Z" * 200, "1"))
    assert described.placeholders["code"].startswith("x (y) b ZZZ")
    assert len(described.placeholders["code"]) == 40


def test_diagnostics_and_registers() -> None:
    assert describe_one(register("F.F", "0")).category is EntityCategory.DIAGNOSTIC
    assert describe_one(register("0.0.0", "123")).category is EntityCategory.DIAGNOSTIC
    assert describe_one(register("1.8.0", "1*kWh")).category is None
    assert describe_one(register("1.8.0*01", "1*kWh")).category is None


# --- what holds for every rule


type Combination = tuple[SensorDeviceClass | None, SensorStateClass | None, str | None, str | None]


def _combinations() -> dict[Combination, tuple[Register, Description]]:
    """Each combination of classes and units that any rule makes of any unit, with one register that has it."""
    found: dict[Combination, tuple[Register, Description]] = {}
    keys = translation_keys()
    contexts = [Context(), *(Context(mbus={0: kind}) for kind in MBUS_MEDIA)]
    for code, unit in product(codes(), (*SPELLINGS, None, "furlong")):
        sent = Register(str(code), code, (Value("12.5", unit),))
        for context in contexts if (code.a, code.c) == (Medium.ABSTRACT, 24) else contexts[:1]:
            for description in describe(sent, context, {}):
                assert keys[description.translation_key] == set(description.placeholders)
                assert all(description.placeholders.values())
                found.setdefault(
                    (
                        description.device_class,
                        description.state_class,
                        description.unit,
                        description.suggested_unit,
                    ),
                    (sent, description),
                )
    return found


COMBINATIONS = _combinations()


def test_every_rule_with_every_unit_fits_home_assistant() -> None:
    for device_class, state_class, unit, suggested in COMBINATIONS:
        if device_class is not None and device_class in DEVICE_CLASS_UNITS:
            assert unit in DEVICE_CLASS_UNITS[device_class]
        if device_class is not None and state_class is not None:
            assert state_class in DEVICE_CLASS_STATE_CLASSES[device_class]
        if state_class in STATE_CLASS_UNITS:
            assert unit in STATE_CLASS_UNITS[state_class]
        if suggested is not None:
            assert {unit, suggested} <= UNIT_CONVERTERS[device_class].VALID_UNITS
    assert {device_class for device_class, *_ in COMBINATIONS} >= {
        SensorDeviceClass.ENERGY,
        SensorDeviceClass.GAS,
        SensorDeviceClass.WATER,
        SensorDeviceClass.POWER_FACTOR,
        SensorDeviceClass.TIMESTAMP,
    }


async def test_home_assistant_takes_every_sensor(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    platform = MockEntityPlatform(hass, domain="sensor", platform_name="iec62056")
    sensors = []
    for number, (sent, description) in enumerate(COMBINATIONS.values()):
        sensor = SensorEntity()
        sensor.entity_id = f"sensor.n{number}"
        sensor._attr_device_class = description.device_class
        sensor._attr_state_class = description.state_class
        sensor._attr_native_unit_of_measurement = description.unit
        sensor._attr_suggested_unit_of_measurement = description.suggested_unit
        sensor._attr_suggested_display_precision = description.precision
        sensor._attr_native_value = native(sent, description, ZONE)
        sensors.append(sensor)
    await platform.async_add_entities(sensors)
    await hass.async_block_till_done()
    assert len(hass.states.async_all("sensor")) == len(COMBINATIONS)
    assert [
        record.message for record in caplog.records if record.levelname in {"WARNING", "ERROR"}
    ] == []


def test_a_stored_value_has_no_state_class() -> None:
    for code, unit in product(codes(), ("kWh", "kW", "m3", None)):
        past = replace(code, f=7)
        for description in describe(Register("", past, (Value("1", unit),)), Context(), {}):
            assert (description.state_class, description.enabled) == (None, False)


TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=40)
ADDRESS = st.one_of(
    TEXT, st.from_regex(r"[0-9CFP]{1,3}\.[0-9F]{1,2}(\.[0-9]{1,3})?(\*[0-9]{2})?", fullmatch=True)
)


@settings(max_examples=400, derandomize=True)
@given(
    address=ADDRESS,
    values=st.lists(
        st.tuples(
            st.one_of(TEXT, st.just("12.5")), st.none() | st.sampled_from([*SPELLINGS]) | TEXT
        ),
        max_size=8,
    ),
    medium=st.sampled_from(Medium),
)
def test_any_register_has_a_description_and_a_state(
    address: str, values: list[tuple[str, str | None]], medium: Medium
) -> None:
    sent = Register(address, parse(address, medium), tuple(Value(*value) for value in values))
    context = context_of(reading(sent).registers)
    descriptions = describe(sent, context, {})
    assert len({description.key for description in descriptions}) == len(descriptions)
    for description in descriptions:
        assert name(description).isprintable()
        shown = native(sent, description, ZONE)
        taken_at(sent, description, ZONE)
        if isinstance(shown, str):
            assert len(shown) <= LONGEST_STATE
            # Home Assistant asks for a number where a unit or a state class is given.
            assert (description.unit, description.state_class, description.precision) == (None,) * 3


START = datetime(2026, 11, 1, tzinfo=UTC)
TEXTS = st.one_of(
    st.decimals(0, 10**6, places=3).map(lambda number: f"{number:010.3f}"),
    st.datetimes().map(lambda moment: moment.strftime("%y-%m-%d %H:%M")),
    st.datetimes().map(lambda moment: moment.strftime("%y%m%d%H%M%S")),
    st.sampled_from(("", "---.-", "000000.000", "0", "7", "hello", "0A1B", "m3", "kWh")),
)
BRACKETS = st.builds(Value, TEXTS, st.sampled_from((None, "kWh", "Wh", "m3", "V", "?")))


@settings(deadline=None)
@given(
    st.sampled_from(("1.8.0", "1.8.3", "1.6.0", "0.9.2", "0.9.1", "6.8", "C.1.0", "24.2.1", "ZZ1")),
    st.lists(BRACKETS, max_size=3),
    st.lists(BRACKETS, max_size=3),
)
def test_descriptions_handed_on_are_those_of_the_register(
    address: str, before: list[Value], now: list[Value]
) -> None:
    known = Register(address, parse(address), tuple(before))
    sent = replace(known, values=tuple(now))
    state = RegisterState(known, START, descriptions=describe(known, Context(), {}))
    assert describe(sent, Context(), {}, state) == describe(sent, Context(), {})


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("0027182.818*kWh", "0031415.926*kWh"),
        ("26-11-20 18:15", "26-11-22 12:30"),
        ("261120181500W", "261122123000W"),
        ("hello", "hello"),
    ],
)
def test_steady_register_is_not_described_again(before: str, now: str) -> None:
    known = register("1.8.0", before)
    state = RegisterState(known, START, descriptions=describe(known, Context(), {}))
    assert describe(register("1.8.0", now), Context(), {}, state) is state.descriptions


def test_state_is_described_anew_in_another_context() -> None:
    """What an M-Bus device is may be told after its value."""
    value, kind = register("0-1:24.2.1", "200512134558S", "1*m3"), register("0-1:24.1.0", "003")
    first = describe_state(MeterState.of(reading(value), LineProfile()), {})
    assert describe_state(first, {}) is first
    assert first.registers[value.key].descriptions[0].device_class == "volume"
    received = {kind.key: RegisterState(kind, START)}
    joined = MeterState.joined(reading(kind), received, LineProfile(), first)
    assert describe_state(joined, {}).registers[value.key].descriptions[0].device_class == "gas"


def test_what_is_remembered_is_not_another_meters() -> None:
    sent = register("0-1:24.2.1", "200512134558S", "1*m3")
    gas, water = Context(mbus={1: 3}), Context(mbus={1: 7})
    assert describe_one(sent, gas).device_class == "gas"
    assert describe_one(sent, water).device_class == "water"
    assert describe_one(sent, Context(mbus={1: 3})).device_class == "gas"


# --- codes of before OBIS

OLD: dict[str, list[str]] = {
    "8.1": ["00012345*kWh"],
    "8.1*80": ["00012000"],
    "8.2": ["00000678*kWh"],
    "9.1": ["00900000*kWh"],
    "20": ["00013023*kWh"],
    "20*80": ["00012600"],
    "21": ["00900000*kWh"],
    "21*80": ["00800000"],
    "11": ["11:18:22"],
    "12": ["26-07-06"],
    "30": ["00000001"],
}


def test_codes_of_before_obis() -> None:
    registers = [register(address, *brackets) for address, brackets in OLD.items()]
    context = context_of(registers)
    described = {one.address: describe_one(one, context) for one in registers}
    assert {address: name(one) for address, one in described.items()} == {
        "8.1": "Energy import tariff 1",
        "8.1*80": "Energy import tariff 1, period 80",
        "8.2": "Energy import tariff 2",
        "9.1": "Energy export tariff 1",
        "20": "Energy import",
        "20*80": "Energy import, period 80",
        "21": "Energy export",
        "21*80": "Energy export, period 80",
        "11": "Time of meter",
        "12": "Date of meter",
        "30": "30",
    }
    for one in registers:
        description = described[one.address]
        # As ever: only what is said of it has changed.
        assert description.key == one.key
        energy = one.values[0].unit is not None
        assert (description.enabled, description.state_class) == (energy, TOTAL if energy else None)
        if one.address not in {"11", "12", "30"}:
            assert (description.device_class, description.unit) == ("energy", "kWh")
    assert native(registers[9], described["12"], ZONE) == date(2026, 7, 6)


def test_codes_are_of_today_where_the_unit_says_so() -> None:
    registers = [register("8.1", "12.3*kvarh"), register("20", "5*kWh"), register("8.2", "1*kWh")]
    context = context_of(registers)
    names = [name(describe_one(one, context)) for one in registers]
    assert names == ["8.1", "20", "8.2"]
