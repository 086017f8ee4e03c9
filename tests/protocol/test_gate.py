"""What may leave, judged on the command as it is encoded."""

import pytest

from custom_components.iec62056.protocol.access import NOTHING, Permits
from custom_components.iec62056.protocol.ascii import messages
from custom_components.iec62056.protocol.ascii.messages import COMMANDS, command
from custom_components.iec62056.protocol.errors import MeterError, NotPermitted, PasswordNeeded
from custom_components.iec62056.protocol.gate import Gate
from custom_components.iec62056.protocol.model import Value

ONE = (Value("1"),)


def passes(gate: Gate, encoded: bytes) -> bool:
    try:
        gate(encoded)
    except MeterError:
        return False
    return True


def test_nothing_is_permitted_but_reading_and_signing_off() -> None:
    gate = Gate(NOTHING, login=False)
    passed = {name for name in COMMANDS if passes(gate, command(name, "1.8.0", ONE))}
    assert passed == {name for name in COMMANDS if name[0] in "RB"}


def test_password_needs_one() -> None:
    encoded = command("P1", "", ONE)
    with pytest.raises(PasswordNeeded):
        Gate(NOTHING, login=False)(encoded)
    Gate(NOTHING, login=True)(encoded)


def test_each_list_opens_its_own_commands_and_registers() -> None:
    gate = Gate(Permits(write=frozenset(("A",)), execute=frozenset(("B",))), login=True)
    allowed = {
        (name, address)
        for name in COMMANDS
        for address in ("A", "B", "0.9.1", "A.1", "")
        if name[0] in "WE" and passes(gate, command(name, address, ONE))
    }
    assert allowed == {(name, "A") for name in COMMANDS if name[0] == "W"} | {("E2", "B")}


def test_list_that_names_a_command_means_that_one() -> None:
    gate = Gate(Permits(write=frozenset(("W5 0.9.2", "R1 A", "x)", ""))), login=False)
    assert passes(gate, command("W5", "0.9.2", ONE))
    assert not passes(gate, command("W1", "0.9.2", ONE))
    assert not passes(gate, command("W1", "A", ONE))


def test_clock_is_time_and_date_alone() -> None:
    gate = Gate(Permits(clock=True), login=False)
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
    gate = Gate(Permits(write=frozenset(("A",))), login=True)
    with pytest.raises(NotPermitted):
        gate(encoded)
