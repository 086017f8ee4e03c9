"""Codes as the user writes them, and the commands they become: nothing hostile gets through."""

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.ascii import commands
from custom_components.iec62056.protocol.ascii.commands import Wish
from custom_components.iec62056.protocol.ascii.passwords import PasswordMethod
from custom_components.iec62056.protocol.errors import BadField
from custom_components.iec62056.protocol.model import CheckKind

XOR = CheckKind.XOR


@pytest.mark.parametrize(
    ("code", "letter", "parts"),
    [
        ("1.8.0", "R", Wish(None, "1.8.0", None)),
        ("ENMPE(04.22)", "R", Wish(None, "ENMPE", "04.22")),
        ("R5 P.01(2611010000;2611020000)", "R", Wish("R5", "P.01", "2611010000;2611020000")),
        ("R2 F001", "R", Wish("R2", "F001", None)),
        ("1-0:0.9.129*255", "W", Wish(None, "1-0:0.9.129*255", None)),
        ("E2 0001", "E", Wish("E2", "0001", None)),
        ("VOLTA()", "R", Wish(None, "VOLTA", "")),
    ],
)
def test_codes(code: str, letter: str, parts: Wish) -> None:
    assert commands.wish(code, letter) == parts


@pytest.mark.parametrize(
    "code",
    [
        "",
        " ",
        "1.8.0)",
        "1.8.0()\x03",
        "1.8.0\x01W1\x02A(1)",
        "(1)",
        "1.8.0(\x03)",
        "1.8.0(1)(2)",
        "1.8.0/",
        "1.8.0!",
        "1.8.0\r\n",
        "1.8.0\x00",
        "é",
        "W1 1.8.0",
        "R9 1.8.0",
        "x" * 17,
        "x(" + "9" * 129 + ")",
        "x" * 1000,
    ],
)
def test_hostile_or_useless_codes(code: str) -> None:
    with pytest.raises(BadField):
        commands.wish(code, "R")


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from("RWE"))
def test_whatever_is_typed_stays_one_command_to_one_address(
    code: str, value: str, letter: str
) -> None:
    try:
        parts = commands.wish(code, letter)
        order = commands.writing(parts, f"{letter}2", value, check=XOR)
    except BadField:
        return
    assert order.count(b"\x01") == order[:-1].count(b"\x03") == 1
    assert commands.decode(order) == (f"{letter}2", parts.address)


def test_reading_with_and_without_brackets() -> None:
    parts = commands.wish("F001", "R")
    assert commands.reading(parts, "R2", brackets=False, check=XOR) == b"\x01R2\x02F001\x03\x16"
    assert commands.reading(parts, "R2", brackets=True, check=XOR)[:-1] == b"\x01R2\x02F001()\x03"
    operand = commands.wish("P.01(;)", "R")
    assert b"P.01(;)" in commands.reading(operand, "R5", brackets=False, check=XOR)


def test_several_in_rows_as_in_the_manual_of_satec() -> None:
    two = [commands.wish(code, "R") for code in ("0.9.1", "0.9.2")]
    encoded = commands.reading_together(two, "R1", check=CheckKind.SUM)
    assert encoded == b"\x01R1\x020.9.1()\r\n0.9.2()\x03."
    assert commands.decode(encoded) == ("R1", "0.9.1")


@pytest.mark.parametrize(
    ("login", "encoded"),
    [
        (PasswordMethod.PLAIN, b"\x01P1\x02(4711)\x03"),
        (PasswordMethod.RESULT, b"\x01P2\x02(4711)\x03"),
        (PasswordMethod.SUPPLIER_LOCK, b"\x01W1\x023:171.0(4711)\x03"),
        (PasswordMethod.CUSTOMER_LOCK, b"\x01W1\x024:171.0(4711)\x03"),
    ],
)
def test_proof(login: PasswordMethod, encoded: bytes) -> None:
    assert commands.proving(login, "4711", check=XOR)[:-1] == encoded


def test_write_with_the_password_behind_it() -> None:
    parts = commands.wish("0.9.2", "W")
    signed = commands.writing(parts, "W5", "310517", password="00000000", check=XOR)
    assert signed[:-1] == b"\x01W5\x020.9.2(310517)(00000000)\x03"


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        (b"\x01B0\x03q", ("B0", "")),
        (b"\x01P1\x02(x)\x03a", ("P1", "")),
        (b"\x01R2\x02F001\x03\x16", ("R2", "F001")),
        (b"\x01W3\x02A(1)\x04a", ("W3", "A")),
        (b"\x01W1\x02A(1)B(2)\x03a", None),
        (b"\x01W1\x02A(1)\r\nB(2)\x03a", None),
        (b"\x01W1\x02A()\r\nB()\x03a", None),
        (b"\x01E2\x02A()\r\nB()\x03a", None),
        (b"\x01R1\x02A()\r\nB()\x03a\x01W1\x02A()\x03a", None),
        (b"\x01R1\x02A()\r\n\x01W1\x02B()\x03a", None),
        (b"\x01R1\x02A()\r\nB()\x03a", ("R1", "A")),
        (b"\x01W1\x02A(1)\x03a\x01W1\x02B(2)\x03a", None),
        (b"\x06051\r\n", None),
        (b"", None),
    ],
)
def test_decode(encoded: bytes, decoded: tuple[str, str] | None) -> None:
    assert commands.decode(encoded) == decoded
