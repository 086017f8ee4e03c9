"""Programming mode of the simulated meter, spoken to by hand: levels, seal, button, lock-out, time."""

from datetime import datetime

import pytest

from simulator import Cell, Check, Guard, Kind, Manners, Meter, Programming
from simulator.programming import crc32

from .bench import Bench, Stock

CELLS = {
    "A": Cell("(1)", Guard.PASSWORD, Guard.PASSWORD),
    "B": Cell("(2)", Guard.SECRET, Guard.SECRET),
    "C": Cell("(3)", Guard.OPEN, Guard.SEAL),
}


def xor(text: str) -> str:
    """The text with the check of what stands behind its first character."""
    check = 0
    for character in text[1:]:
        check ^= ord(character)
    return text + chr(check)


def bench(programming: Programming, **manners: object) -> Bench:
    programming.cells = programming.cells or {
        name: Cell(cell.brackets, cell.read, cell.write) for name, cell in CELLS.items()
    }
    made = Bench(Meter(Stock(), Manners(**manners), None, programming))  # type: ignore[arg-type]
    made.sign_on()
    made.select("\x06051\r\n", 9600)
    made.run(0.5)
    return made


def say(made: Bench, text: str, seconds: float = 0.5) -> str:
    """One command, and what comes back."""
    made.read = b""
    made.write(xor(text))
    made.run(seconds)
    return made.text


def test_operand_first() -> None:
    made = bench(Programming(operand="4711"))
    assert made.text.endswith(xor("\x01P0\x02(4711)\x03"))


def test_operand_is_another_one_each_time() -> None:
    programming = Programming()
    operands = {bench(programming).text[-14:] for _ in range(3)}
    assert len(operands) == 3


def test_levels() -> None:
    made = bench(Programming(secret="x", operand="00C0FFEE"))
    assert say(made, "\x01R1\x02A()\x03") == xor("\x02(ERROR14)\x03")
    assert say(made, "\x01R1\x022.8.0()\x03") == xor("\x022.8.0(000005.6*kWh)\x03")
    assert say(made, "\x01P1\x02(00000000)\x03") == "\x06"
    assert say(made, "\x01R1\x02A()\x03") == xor("\x02A(1)\x03")
    assert say(made, "\x01W1\x02B(9)\x03") == xor("\x02(ERROR14)\x03")
    assert say(made, f"\x01P2\x02({crc32('00C0FFEE', 'x')})\x03") == "\x06"
    assert say(made, "\x01W1\x02B(9)\x03") == "\x06"
    assert say(made, "\x01R1\x02B()\x03") == xor("\x02B(9)\x03")


def test_crc32_from_all_ones() -> None:
    assert crc32("FFFFFFFF", "123456789") == "CBF43926"


def test_seal_and_its_log() -> None:
    programming = Programming(clock=lambda: datetime(2031, 5, 17, 6, 5, 4))  # noqa: DTZ001
    made = bench(programming)
    say(made, "\x01P1\x02(00000000)\x03")
    assert say(made, "\x01W1\x02C(9)\x03") == xor("\x02(ERROR15)\x03")
    assert say(made, "\x01R5\x02P.98(;)\x03") == xor("\x02P.98(ERROR)\x03")
    programming.open_cover()
    assert say(made, "\x01W1\x02C(9)\x03") == "\x06"
    assert say(made, "\x01R5\x02P.98(;)\x03") == xor("\x02P.98(0310517060504)(0010)()(0)\x03")


def test_reset_needs_seal_or_button() -> None:
    programming = Programming()
    made = bench(programming)
    assert say(made, "\x01E2\x020.1.0()\x03") == xor("\x02(ERROR14)\x03")
    say(made, "\x01P1\x02(00000000)\x03")
    assert say(made, "\x01E2\x020.1.0()\x03") == xor("\x02(ERROR13)\x03")
    programming.button = True
    assert say(made, "\x01E2\x020.1.0()\x03") == "\x06"
    assert say(made, "\x01R1\x020.1.0()\x03") == xor("\x020.1.0(01)\x03")


def test_wrong_password_ends_the_session_and_several_lock() -> None:
    programming = Programming(most_wrong=2, locked_for=60)
    for _ in range(2):
        made = bench(programming)
        assert say(made, "\x01P1\x02(1)\x03") == xor("\x01B0\x03")
        assert say(made, "\x01R1\x022.8.0()\x03") == ""
    made = bench(programming)
    assert say(made, "\x01P1\x02(00000000)\x03") == xor("\x02(ERR5)\x03")


def test_session_ends_by_itself() -> None:
    made = bench(Programming(idle=5))
    made.run(4)
    assert say(made, "\x01R1\x022.8.0()\x03")
    made.run(5)
    assert made.log.of(Kind.TIMED_OUT)
    assert say(made, "\x01R1\x022.8.0()\x03") == ""


def test_break_ends_it_and_may_come_back() -> None:
    made = bench(Programming(echoes_break=True))
    assert say(made, "\x01B0\x03") == xor("\x01B0\x03")
    assert made.log.of(Kind.BREAK)


def test_damaged_command_gets_nak() -> None:
    made = bench(Programming())
    made.read = b""
    made.write("\x01R1\x022.8.0()\x03!")
    made.run(0.5)
    assert made.text == "\x15"


@pytest.mark.parametrize("body", ["X", "R9\x02A()", "E1\x02A()", "R1\x02A(", "W1\x02A"])
def test_unknown_commands(body: str) -> None:
    made = bench(Programming())
    say(made, "\x01P1\x02(00000000)\x03")
    assert say(made, f"\x01{body}\x03") == xor("\x02(ERROR01)\x03")


def test_partial_blocks() -> None:
    made = bench(Programming({"L": Cell("(" + "x" * 15 + ")")}, part=10))
    assert say(made, "\x01R6\x02L()\x03") == xor("\x02L(xxxxxxxx\x04")
    made.read = b""
    made.write("\x15")
    made.run(0.5)
    assert made.text == xor("\x02L(xxxxxxxx\x04")
    made.read = b""
    made.write("\x06")
    made.run(0.5)
    assert made.text == xor("\x02xxxxxxx)\x03")


def test_check_of_the_dialect() -> None:
    made = bench(Programming(operand=""), check=Check.SUM)
    assert made.text.endswith("\x01P0\x02()\x03V")


def test_stay_leads_to_the_readout_or_here() -> None:
    for here, kind in ((False, Kind.DATA), (True, Kind.OPERAND)):
        made = Bench(Meter(Stock(), Manners(), None, Programming(at_first_speed=here)))
        made.sign_on()
        made.write("\x06001\r\n")
        made.run_until(kind)


def test_records_answer_for_a_range() -> None:
    asked: list[str] = []

    def answer(operand: str) -> str:
        asked.append(operand)
        return "P.01(1)(2)\r\n(3)\r\n" if operand.startswith("2607") else ""

    made = bench(Programming(records={"P.01": answer}, part=12))
    assert say(made, "\x01R5\x02P.01(2607050800;)\x03") == xor("\x02P.01(1)(2)\r\n(3)\r\n\x03")
    assert say(made, "\x01R6\x02P.01(2607050800;;10)\x03") == xor("\x02P.01(1)(2)\r\n\x04")
    assert say(made, "\x06") == xor("\x02(3)\r\n\x03")
    assert say(made, "\x01R5\x02P.01()\x03") == xor("\x02P.01(ERROR)\x03")
    assert asked == ["2607050800;", "2607050800;;10", ""]
