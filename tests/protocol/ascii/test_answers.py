"""The register in an answer, in all forms that were met."""

import pytest

from custom_components.iec62056.protocol.ascii import clock
from custom_components.iec62056.protocol.ascii.answers import register
from custom_components.iec62056.protocol.ascii.commands import wish
from custom_components.iec62056.protocol.ascii.dialects import STANDARD, Dialect, dialect
from custom_components.iec62056.protocol.ascii.passwords import PasswordMethod
from custom_components.iec62056.protocol.model import Identification, Medium, Value

LISTS = Dialect(lists=True)
NEVA = Dialect(lists=True, hexadecimal=True)
LIS200 = Dialect(objects=True)


@pytest.mark.parametrize(
    ("code", "block", "how", "values"),
    [
        ("1.8.0", b"(0004711.8*kWh)", STANDARD, [("0004711.8", "kWh")]),
        ("1.8.0", b"1.8.0(4711.8*kWh)\r\n", STANDARD, [("4711.8", "kWh")]),
        ("1.8.0", b"1-0:1.8.0*255(4711.8*kWh)", STANDARD, [("4711.8", "kWh")]),
        ("1.6.0", b"1.6.0(3.2*kW)(2611220815)", STANDARD, [("3.2", "kW"), ("2611220815", None)]),
        ("ET0PE", b"ET0PE(6.4)\r\n(4.5)\r\n(1.9)\r\n", LISTS, ["6.4", "4.5", "1.9"]),
        ("ET0PE", b"ET0PE(6.4)\r\nET0PE(4.5)\r\n", LISTS, ["6.4", "4.5"]),
        ("VOLTA", b"VOLTA(228.9)VOLTA(230.0)VOLTA(235.1)", LISTS, ["228.9", "230.0", "235.1"]),
        ("EMD01(0.0,1)", b"EMD01(22.11.26,0.4)(0.3)", LISTS, ["22.11.26", "0.4", "0.3"]),
        ("HELLO", b"HELLO(2,CE301,12)", LISTS, ["2", "CE301", "12"]),
        ("HELLO", b"HELLO(2,CE301,12)", STANDARD, ["2,CE301,12"]),
        ("0F0880FF", b"0F0880FF(46.24,31.14,15.10)", NEVA, ["46.24", "31.14", "15.10"]),
        ("030880FF", b"(01)", NEVA, ["01"]),
        ("C.90", b"C.90()", STANDARD, [""]),
        ("2:302.0", b"7-2:302.2(260.63*m3)", LIS200, [("260.63", "m3")]),
        ("6:310_1.0", b"6:310_1.0(7.5*C)", LIS200, [("7.5", "C")]),
        ("3:171.0", b"3:171.0(0)", LIS200, ["0"]),
    ],
)
def test_forms(
    code: str, block: bytes, how: Dialect, values: list[tuple[str, str | None] | str]
) -> None:
    found = register(block, wish(code, "R"), how, Medium.ELECTRICITY)
    assert found is not None
    assert found.address == code
    assert found.values == tuple(
        Value(value) if isinstance(value, str) else Value(*value) for value in values
    )


def test_same_key_as_in_the_readout() -> None:
    found = register(b"(1*kWh)", wish("R5 1.8.0", "R"), STANDARD, Medium.ELECTRICITY)
    assert found is not None
    assert found.key == "1-0:1.8.0"
    hexadecimal = register(b"0F0880FF(1)", wish("0F0880FF", "R"), NEVA, Medium.ELECTRICITY)
    assert hexadecimal is not None
    assert hexadecimal.key == "1-0:15.8.128"


def test_operands_make_other_registers() -> None:
    keys = {
        found.key
        for code in ("ENMPE(03.26)", "ENMPE(04.26)", "1.8.0(1)", "1.8.0(2)")
        if (found := register(b"(1)", wish(code, "R"), LISTS, Medium.ELECTRICITY))
    }
    assert len(keys) == 4


@pytest.mark.parametrize("block", [b"2.8.0(1*kWh)", b"", b"hello", b"2.8.0(1)\r\n(2)\r\n"])
def test_another_register_is_none(block: bytes) -> None:
    assert register(block, wish("1.8.0", "R"), STANDARD, Medium.ELECTRICITY) is None


@pytest.mark.parametrize("block", [b"3:302.0(1)", b"2:300.0(1)", b"2:3020.0(1)", b"7-2:302_1.0(1)"])
def test_another_object_is_none(block: bytes) -> None:
    assert register(block, wish("2:302.0", "R"), LIS200, Medium.GAS) is None


def test_other_register_behind_it_is_left_out() -> None:
    found = register(b"1.8.0(1)2.8.0(2)(3)", wish("1.8.0", "R"), STANDARD, Medium.ELECTRICITY)
    assert found is not None
    assert found.values == (Value("1"),)


def _named(flag: str, model: str) -> Dialect:
    return dialect(Identification("", flag, "5", (), model))


def test_dialects_by_make_and_model() -> None:
    assert _named("EKT", "CE301v12").idle < 2
    assert _named("Ekt", "CE301v12").lists
    assert _named("SIE", "TD3511").table == "F001"
    assert _named("SIE", "2WR5") == STANDARD == _named("XYZ", "")
    assert _named("EMR", "CE3076.10") == _named("EKT", "CE301v12")
    assert _named("Els", "EK270").login is PasswordMethod.CUSTOMER_LOCK
    # Electricity meters of the same maker.
    assert _named("ELS", "AS1440") == STANDARD


def test_clock_keeps_its_form() -> None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    winter = datetime(2026, 11, 22, 8, 15, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    summer = datetime(2026, 7, 22, 8, 15, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    assert clock.like(clock.TIME, "14:45:59", winter) == "08:15:09"
    assert clock.like(clock.TIME, "144559", winter) == "081509"
    assert clock.like(clock.TIME, "1144559", winter) == "0081509"
    assert clock.like(clock.TIME, "0144559", summer) == "1081509"
    assert clock.like(clock.TIME, "2144559", winter) == "2071509"
    assert clock.like(clock.DATE, "26-11-21", winter) == "26-11-22"
    assert clock.like(clock.DATE, "1260722", winter) == "0261122"
    for form in ("", "14:4559", "22.11.26", "14:45", "2026-11-22"):
        assert clock.like(clock.DATE, form, winter) is None
        assert clock.like(clock.TIME, form, winter) is None


def test_seconds_of_a_clock() -> None:
    assert clock.seconds("00:01:05") == clock.seconds("000105") == clock.seconds("1000105") == 65
    assert clock.seconds("24.11.26") is None
    assert clock.seconds("") is None
