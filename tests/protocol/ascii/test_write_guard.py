"""What may leave, judged on the command as it is encoded."""

import pytest

from custom_components.iec62056.protocol.ascii import messages
from custom_components.iec62056.protocol.ascii.messages import COMMANDS, command
from custom_components.iec62056.protocol.ascii.passwords import LOCKS, Password, PasswordMethod
from custom_components.iec62056.protocol.ascii.write_guard import WriteGuard
from custom_components.iec62056.protocol.errors import MeterError, NotPermitted, PasswordNeeded
from custom_components.iec62056.protocol.model import CheckKind, Value
from custom_components.iec62056.protocol.register_session import NOTHING, Permits

ONE = (Value("1"),)
PASSWORD = Password("4711")


def passes(gate: WriteGuard, encoded: bytes) -> bool:
    try:
        gate(encoded)
    except MeterError:
        return False
    return True


def test_nothing_is_permitted_but_reading_and_signing_off() -> None:
    gate = WriteGuard(NOTHING, None)
    passed = {name for name in COMMANDS if passes(gate, command(name, "1.8.0", ONE))}
    assert passed == {name for name in COMMANDS if name[0] in "RB"}


def test_password_needs_one() -> None:
    encoded = command("P1", "", ONE)
    with pytest.raises(PasswordNeeded):
        WriteGuard(NOTHING, None)(encoded)
    WriteGuard(NOTHING, PASSWORD)(encoded)


@pytest.mark.parametrize("check", [CheckKind.XOR, CheckKind.SUM])
@pytest.mark.parametrize("lock", list(LOCKS))
def test_lock_is_opened_with_the_password_and_with_nothing_else(
    lock: PasswordMethod, check: CheckKind
) -> None:
    def passed(password: Password | None) -> set[tuple[str, str, str]]:
        gate = WriteGuard(NOTHING, password)
        return {
            (name, address, text)
            for name in COMMANDS
            for address in ("3:171.0", "4:171.0", "3:170.0", "4:171.1", "1.8.0")
            for text in ("4711", "4712", "")
            if name[0] in "WE" and passes(gate, command(name, address, (Value(text),), check=check))
        }

    assert passed(Password("4711", lock)) == {("W1", LOCKS[lock], "4711")}
    assert passed(Password("4711")) == {("W1", address, "4711") for address in LOCKS.values()}
    assert not passed(Password("4711", PasswordMethod.PLAIN))
    assert not passed(None)


def test_several_registers_may_be_read_at_once_and_never_written() -> None:
    gate = WriteGuard(Permits(write=frozenset(("A", "B"))), PASSWORD)
    assert passes(gate, b"\x01R1\x02A()\r\nB()\x03a")
    assert not passes(gate, b"\x01W1\x02A(1)\r\nB(1)\x03a")
    assert not passes(gate, b"\x01W1\x02A()\r\nB()\x03a")


def test_each_list_opens_its_own_commands_and_registers() -> None:
    gate = WriteGuard(Permits(write=frozenset(("A",)), execute=frozenset(("B",))), PASSWORD)
    allowed = {
        (name, address)
        for name in COMMANDS
        for address in ("A", "B", "0.9.1", "A.1", "")
        if name[0] in "WE" and passes(gate, command(name, address, ONE))
    }
    assert allowed == {(name, "A") for name in COMMANDS if name[0] == "W"} | {("E2", "B")}


def test_list_that_names_a_command_means_that_one() -> None:
    gate = WriteGuard(Permits(write=frozenset(("W5 0.9.2", "R1 A", "x)", ""))), None)
    assert passes(gate, command("W5", "0.9.2", ONE))
    assert not passes(gate, command("W1", "0.9.2", ONE))
    assert not passes(gate, command("W1", "A", ONE))


def test_clock_is_time_and_date_alone() -> None:
    gate = WriteGuard(Permits(clock=True), None)
    assert passes(gate, command("W1", "0.9.1", ONE))
    assert passes(gate, command("W5", "0.9.2", ONE))
    assert not passes(gate, command("W1", "0.9.3", ONE))
    assert not passes(gate, command("E2", "0.9.1", ONE))


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x01",
        b"\x01W1\x02A(1)",
        b"\x01W1\x02A(1)B(2)\x03a",
        command("R1", "A") + command("W1", "B", ONE),
        messages.sign_off() + command("W1", "B", ONE),
        b"\x01X1\x02A(1)\x03a",
        bytes(octet | 0x80 for octet in command("R1", "A")),
    ],
)
def test_what_is_no_single_command_does_not_pass(encoded: bytes) -> None:
    gate = WriteGuard(Permits(write=frozenset(("A",))), PASSWORD)
    with pytest.raises(NotPermitted):
        gate(encoded)
