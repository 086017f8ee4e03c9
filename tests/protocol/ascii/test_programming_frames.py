"""Answers of programming mode, in any pieces."""

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.ascii import messages
from custom_components.iec62056.protocol.ascii.programming_frames import (
    DAMAGED,
    MAX_FRAME,
    SILENCE,
    Frame,
    FrameReceiver,
    Kind,
    operand,
)
from custom_components.iec62056.protocol.model import CheckKind

BOTH = (CheckKind.XOR, CheckKind.SUM)


def framed(begin: bytes, block: bytes, end: bytes = b"\x03", kind: CheckKind = BOTH[0]) -> bytes:
    return begin + block + end + bytes([messages.check_character(block + end, kind)])


def heard(data: bytes, pieces: int = 1) -> Frame:
    receiver = FrameReceiver()
    for at in range(0, len(data), pieces):
        receiver.feed(data[at : at + pieces])
        if receiver.frame is not None:
            break
    return receiver.end()


@pytest.mark.parametrize("pieces", [1, 2, 1000])
@pytest.mark.parametrize("noise", [b"", b"\x00\x7f", b"Y("])
@pytest.mark.parametrize("kind", BOTH)
def test_kinds(kind: CheckKind, noise: bytes, pieces: int) -> None:
    def of(data: bytes) -> Frame:
        return heard(noise + data, pieces)

    assert of(b"\x06").kind is Kind.ACK
    assert of(b"\x15").kind is Kind.NAK
    data = of(framed(b"\x02", b"1.8.0(1)", kind=kind))
    assert (data.kind, data.block, data.more) == (Kind.DATA, b"1.8.0(1)", False)
    assert kind in data.fits
    part = of(framed(b"\x02", b"1.8.0(1", b"\x04", kind))
    assert part.more
    asked = of(framed(b"\x01", b"P0\x02(12AB)", kind=kind))
    assert asked.kind is Kind.OPERAND
    assert operand(asked.block) == "12AB"
    assert of(framed(b"\x01", b"B0", kind=kind)).kind is Kind.BREAK
    assert of(framed(b"\x01", b"R1\x02A()", kind=kind)) == DAMAGED


def test_check_that_looks_like_a_control_character() -> None:
    # Blocks whose check is ETX, EOT, STX, SOH, ACK or NAK.
    found = set()
    for number in range(128 * 128):
        block = b"(%c%c)" % (max(32, number // 128), max(32, number % 128))
        data = framed(b"\x02", block)
        if data[-1] in b"\x01\x02\x03\x04\x06\x15":
            found.add(data[-1])
            assert heard(data) == Frame(Kind.DATA, block, fits=heard(data).fits)
            assert CheckKind.XOR in heard(data).fits
    assert found == set(b"\x01\x02\x03\x04\x06\x15")


@pytest.mark.parametrize("pieces", [1, 2, 1000])
def test_own_command_is_passed_over(pieces: int) -> None:
    own = framed(b"\x01", b"P1\x02(4711)")
    damaged = own.replace(b"4", b"\x7f")
    for echo in (own, damaged, own + damaged):
        answer = framed(b"\x02", b"(1)")
        assert heard(echo + b"\x06", pieces).kind is Kind.ACK
        assert heard(echo + answer, pieces) == heard(answer, pieces)
        assert heard(echo, pieces) == DAMAGED
    receiver = FrameReceiver()
    receiver.feed(own + own)
    assert receiver.echoes == 2
    assert receiver.frame is None


def test_many_own_commands_are_passed_over_one_by_one() -> None:
    assert heard(b"\x01W\x03W" * 16000 + b"\x06", 1).kind is Kind.ACK


def test_operand_without_brackets_or_data_set() -> None:
    assert operand(b"") == ""
    assert operand(b"()") == ""
    assert heard(framed(b"\x01", b"P0")).kind is Kind.OPERAND


def test_nothing_and_noise() -> None:
    assert heard(b"") == SILENCE
    assert heard(b"abc") == DAMAGED
    assert heard(b"\x021.8.0(1)") == DAMAGED


def test_answer_without_end_is_bounded() -> None:
    receiver = FrameReceiver()
    for _ in range(3):
        receiver.feed(b"\x02" + b"9" * MAX_FRAME)
    assert receiver.frame == DAMAGED
    assert len(receiver._raw) <= MAX_FRAME + 1


@given(
    st.binary(max_size=80).map(lambda data: bytes(one & 0x7F for one in data)), st.integers(1, 9)
)
def test_pieces_do_not_matter(data: bytes, pieces: int) -> None:
    assert heard(data, pieces) == heard(data, 1)
