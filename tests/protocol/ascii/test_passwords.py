"""Passwords: proven as makes want it, shown nowhere."""

import traceback
import zlib

import pytest

from custom_components.iec62056.protocol.ascii.passwords import (
    Password,
    PasswordMethod,
    command_of,
    proof,
)
from custom_components.iec62056.protocol.errors import BadSecret, MeterError, SecretNeeded
from simulator.programming import crc32


def test_password_is_in_no_repr() -> None:
    assert "hunter22" not in repr(Password("hunter22"))
    assert "hunter22" not in str(Password("hunter22", PasswordMethod.CRC32))


@pytest.mark.parametrize(
    "text", ["", "wom(bat", "wom)bat", "wom\x03bat", "wömbat", "wombat" * 6, "wom/bat!"]
)
def test_what_cannot_be_sent_is_refused_without_being_named(text: str) -> None:
    with pytest.raises(BadSecret) as caught:
        Password(text)
    told = str(caught.value) + repr(caught.value)
    assert not text or text not in told
    assert "bat" not in told


def test_plain_and_result() -> None:
    assert proof(PasswordMethod.PLAIN, "00000000", "whatever") == "00000000"
    assert proof(PasswordMethod.RESULT, "0000", "whatever") == "0000"
    assert [
        command_of(login)
        for login in (PasswordMethod.PLAIN, PasswordMethod.RESULT, PasswordMethod.CRC32)
    ] == [
        "P1",
        "P2",
        "P2",
    ]


@pytest.mark.parametrize("operand", ["0", "FFFFFFFF", "12345678", "DEADBEEF", "777777"])
def test_crc32_agrees_with_a_bitwise_one(operand: str) -> None:
    assert proof(PasswordMethod.CRC32, "777777", operand) == crc32(operand, "777777")


def test_crc32_from_all_ones_is_the_common_one() -> None:
    assert proof(PasswordMethod.CRC32, "123456789", "FFFFFFFF") == f"{zlib.crc32(b'123456789'):08X}"


def test_rolling_sum_by_hand() -> None:
    # "A".."H" are 41 to 48. XOR with the seed gives 40 40 40 40 40 40 40 00: each is added to the one before,
    # the first one to the last.
    seed = bytes(ord("A") + place ^ (0x40 if place < 7 else 0) for place in range(8)).hex()
    assert proof(PasswordMethod.ROLLING_SUM, "ABCDEFGH", seed) == "4080C0004080C0C0"
    # The last one is not nothing: 80, and so everything is shifted by it.
    other = bytes(ord("A") + place ^ (0x40 if place < 7 else 0x80) for place in range(8)).hex()
    assert proof(PasswordMethod.ROLLING_SUM, "ABCDEFGH", other) == "C0004080C0004" + "0C0"


@pytest.mark.parametrize(
    ("login", "operand"),
    [
        (PasswordMethod.CRC32, ""),
        (PasswordMethod.CRC32, "xyz"),
        (PasswordMethod.CRC32, "123456789"),
        (PasswordMethod.ROLLING_SUM, "12"),
    ],
)
def test_operand_of_another_form_is_a_secret(login: PasswordMethod, operand: str) -> None:
    with pytest.raises(SecretNeeded):
        proof(login, "00000000", operand)


def test_secret_of_the_maker() -> None:
    with pytest.raises(SecretNeeded):
        proof(PasswordMethod.SECRET, "00000000", "1234")


def test_wrong_length_is_told_without_the_password() -> None:
    with pytest.raises(BadSecret) as caught:
        proof(PasswordMethod.ROLLING_SUM, "hunter2", "00" * 8)
    assert "hunter2" not in "".join(traceback.format_exception_only(caught.value))
    assert isinstance(caught.value, MeterError)
