"""Finding registers by what they measure, however their codes are written."""

from decimal import Decimal

import pytest

from custom_components.iec62056.protocol.model import LineProfile, Medium
from custom_components.iec62056.registers.descriptions import describe_state
from custom_components.iec62056.registers.index import IndexedRegister, RegisterIndex
from custom_components.iec62056.registers.matching import redundant
from custom_components.iec62056.state.meter_state import MeterState

from ..common.bench import reading, register
from ..common.views import Sent


def lookup(sent: Sent, medium: Medium = Medium.ELECTRICITY) -> RegisterIndex:
    state = MeterState.of(reading(sent, medium=medium), LineProfile(medium=medium))
    return RegisterIndex.of(describe_state(state, {}))


def found(sent: Sent, c: int, d: int, e: int = 0) -> IndexedRegister:
    one = lookup(sent).get(c, d, e)
    assert one is not None
    return one


@pytest.mark.parametrize(
    "address",
    ["1.8.0", "1-0:1.8.0", "1-0:1.8.0*255", "1-1:1.8.0", "1-0:1.8.255*255", "1.8.0*00"],
)
def test_spellings_of_one_register(address: str) -> None:
    assert found({address: ["012345.678*kWh"]}, 1, 8).number("kWh") == Decimal("12345.678")


@pytest.mark.parametrize("address", ["1.8.0*01", "1-2:1.8.0", "21.8.0", "1.8.1", "ET0PE", "6.8"])
def test_what_is_another_register(address: str) -> None:
    assert lookup({address: ["1*kWh"]}).get(1, 8) is None


@pytest.mark.parametrize("address", ["F.F", "FF", "1-1:F.F", "0-0:F.F.0*255", "1-0:97.97.0"])
def test_general_registers_have_any_prefix(address: str) -> None:
    assert found({address: ["0"]}, 97, 97).text == "0"


def test_clock_is_general_whatever_the_medium() -> None:
    for medium in (Medium.ELECTRICITY, Medium.HEAT):
        assert lookup({"0.9.1": ["120000"]}, medium).get(0, 9, 1) is not None


def test_devices_behind_the_meter_are_not_the_meter() -> None:
    assert lookup({"0-1:96.14.0": ["0001"]}).get(96, 14) is None


def test_first_one_sent_counts() -> None:
    sent = {"1-0:1.8.0": ["1*kWh"], "1-1:1.8.0": ["2*kWh"], "1.8.255": ["3*kWh"]}
    assert found(sent, 1, 8).number("kWh") == 1


@pytest.mark.parametrize(
    ("sent", "unit", "number", "step"),
    [
        ("012345.678*kWh", "Wh", "12345678", "1"),
        ("0012345*kWh", "Wh", "12345000", "1000"),
        ("12345678*Wh", "kWh", "12345.678", "0.001"),
        ("00000.0*kWh", "Wh", "0", "100"),
        # Without a unit the rule's is meant.
        ("000123.4", "Wh", "123400", "100"),
        ("12*V", "Wh", None, None),
        ("--.-*kWh", "Wh", None, None),
        ("", "Wh", None, None),
        ("5*furlong", "Wh", None, None),
    ],
)
def test_number_and_step(sent: str, unit: str, number: str | None, step: str | None) -> None:
    register = found({"1.8.0": [sent]}, 1, 8)
    assert register.number(unit) == (None if number is None else Decimal(number))
    assert register.step(unit) == (None if step is None else Decimal(step))


def test_register_without_a_value() -> None:
    register = found({"1.8.0": []}, 1, 8)
    assert register.number("Wh") is None
    assert register.step("Wh") is None
    assert register.text == ""


def test_tariffs_in_their_order() -> None:
    sent = {"1.8.3": ["3*kWh"], "1.8.1": ["1*kWh"], "1.8.0": ["4*kWh"], "1.8.2*01": ["2*kWh"]}
    assert list(lookup(sent).tariffs(1, 8)) == [1, 3]


def test_codes_of_before_obis() -> None:
    index = lookup({"8.1": ["5*kWh"], "8.2": ["3*kWh"], "20": ["8*kWh"], "21": ["2*kWh"]})
    assert (one := index.get(1, 8)) is not None
    assert one.key == "20"
    assert one.number("Wh") == 8000
    assert {tariff: found.key for tariff, found in index.tariffs(1, 8).items()} == {
        1: "1-0:8.1.0",
        2: "1-0:8.2.0",
    }


@pytest.mark.parametrize(
    ("sent", "beside"),
    [
        # One of the tariffs counts: it says what the total does.
        ({"1.8.0": "5", "1.8.1": "5", "1.8.2": "0"}, ["1-0:1.8.1", "1-0:1.8.2"]),
        ({"1.8.0": "5", "1.8.1": "3", "1.8.2": "2"}, []),
        ({"1.8.1": "5", "1.8.2": "0"}, []),
        ({"1.8.0": "5", "15.8.0": "5"}, ["1-0:15.8.0"]),
        ({"15.8.0": "5", "15.8.0*01": "4"}, []),
    ],
)
def test_registers_that_say_what_others_do(sent: dict[str, str], beside: list[str]) -> None:
    registers = [register(address, f"{number}*kWh") for address, number in sent.items()]
    assert list(redundant(registers)) == beside
