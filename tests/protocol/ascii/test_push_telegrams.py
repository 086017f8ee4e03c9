"""Telegrams out of a stream that starts anywhere, and protocols that are not this one."""

from random import Random

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.ascii.push_telegrams import Foreign, Listener
from custom_components.iec62056.protocol.ascii.receiver import Receiver
from custom_components.iec62056.protocol.errors import (
    InvertedSignal,
    MeterError,
    OtherProtocol,
    PushHeard,
)
from custom_components.iec62056.protocol.model import CheckKind
from custom_components.iec62056.protocol.transport.line import with_even_parity

from ..telegrams import p1

PUSH = (
    b"/ESY5Q3DX1024 V3.04\r\n\r\n"
    b"1-0:1.8.0*255(00052185.7825309*kWh)\r\n"
    b"1-0:1.7.0*255(-000142.30*W)\r\n"
    b"!\r\n"
)
# A frame with the check sequence of its octets.
HDLC = b"\x7e\xa0\x23\xce\xff\x03\x13\x12\x8b\xe6\xe7\x00" + bytes(range(1, 23)) + b"\x93\xc9\x7e"


def _heard(*runs: bytes) -> list[Receiver]:
    listener = Listener()
    return [telegram for run in runs for telegram in listener.feed(run)]


def _names(telegrams: list[Receiver]) -> list[str]:
    return [telegram.identification.raw for telegram in telegrams if telegram.identification]


@pytest.mark.parametrize(
    "stream",
    [
        PUSH,
        b"7.0*255(0639.73*W)\r\n!\r\n" + PUSH,
        b"/ESY5Q3D" + PUSH,
        b"\x00\x42" + PUSH,
        b"\x7f" * 40 + PUSH,
        PUSH + b"  25803103\r\n" + b"\x7f" * 33 + b"\r\n",
        PUSH + b"  25818685\r\nDE0000000000000000000000000000003\r\n",
    ],
)
def test_one_telegram(stream: bytes) -> None:
    telegrams = _heard(stream)
    assert _names(telegrams) == ["/ESY5Q3DX1024 V3.04"]
    assert [dataset.values[0].text for dataset in telegrams[0].datasets] == [
        "00052185.7825309",
        "-000142.30",
    ]


def test_telegrams_in_a_row_one_character_at_a_time() -> None:
    stream = (PUSH + b"  25803103\r\n") * 3
    telegrams = _heard(*(stream[at : at + 1] for at in range(len(stream))))
    assert len(telegrams) == 3
    assert telegrams[0].datasets == telegrams[2].datasets


def test_p1_with_its_crc() -> None:
    stream = p1(["1-0:1.8.1(000010.181*kWh)", "1-0:21.7.0(00.217*kW)"])
    damaged = stream.replace(b"217*kW", b"216*kW")
    good, bad = _heard(b"8*kWh)\r\n!" + stream + damaged)
    assert good.fits == {CheckKind.CRC16}
    assert not bad.fits


def test_telegram_that_lost_its_end() -> None:
    listener = Listener()
    telegrams = listener.feed(PUSH.removesuffix(b"!\r\n") + PUSH)
    assert len(telegrams) == 1
    assert listener.broken == 1


def _inverted(text: bytes) -> bytes:
    """What a UART reads where high and low are exchanged: its start bit is the stop bit before, and so on."""
    bits = [1]
    for code in text:
        bits += [1, *(1 - (code >> place & 1) for place in range(8)), 0]
    return bytes(
        sum(bits[at + place] << place for place in range(8)) for at in range(1, len(bits) - 8, 10)
    )


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize(
    "stream",
    [
        _inverted(p1(["1-0:1.8.1(000010.181*kWh)", "1-0:21.7.0(00.217*kW)"]) * 2),
        # Only pulses are left of the digits of a meter that rests between its characters.
        b"\xc7\xe7\xf7\xc7\xfc\xdf\xff\xef\xc7\xe7\xcf\xfb" * 14,
    ],
    ids=["text", "pulses"],
)
def test_inverted_signal(stream: bytes, size: int) -> None:
    with pytest.raises(InvertedSignal):
        _heard(*(stream[at : at + size] for at in range(0, len(stream), size)))


@pytest.mark.parametrize(
    "stream",
    [
        with_even_parity(PUSH),
        b"\xff\xfe\xfc\xf8\xf0\xe0\xc0\x80\x00",
        b"\x55",
        bytes(range(256)),
        Random(62056).randbytes(4096),
    ],
    ids=["parity", "flashes", "flicker", "every octet", "noise"],
)
def test_no_inverted_signal(stream: bytes) -> None:
    Foreign().feed((stream * 200)[:4096])


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01\x76\x05", OtherProtocol),
        (b"\x02/" + b"\x00" * 50 + b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01\x76\x05", OtherProtocol),
        # 7E A0 8B with bit 7 removed: a frame of 139 octets between two flags.
        (b"\x7e\x20\x0b" + b"\x41\x13\x65\x0f" * 34 + b"\x41\x7e", PushHeard),
        (b"\x11\x22\x7e\x20\x0b" + b"\x02" * 9 + b"\x7e", PushHeard),
        (HDLC, PushHeard),
        (b"\x11\x7e" * 3 + HDLC, PushHeard),
        # Octets of it pass for a whole block.
        (b"\x7e\x20\x22\x02\x41\x03\x42" + bytes(range(4, 31)) + b"\x41\x7e", PushHeard),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10, 4096])
def test_other_protocols(stream: bytes, error: type[MeterError], size: int) -> None:
    runs = [stream[at : at + size] for at in range(0, len(stream), size)]
    with pytest.raises(error):
        _heard(*runs)


@pytest.mark.parametrize(
    "stream",
    [PUSH * 20, b"~ ~ ~ 1~" * 50, b"\x7e" * 500, b"~~ " * 100, HDLC.replace(b"\x03", b"\x05") * 9],
    ids=["telegrams", "tildes", "flags", "blanks", "another speed"],
)
def test_not_another_protocol(stream: bytes) -> None:
    foreign = Foreign()
    foreign.feed(stream)
    foreign.feed(stream)


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_any_stream_then_a_telegram(runs: list[bytes]) -> None:
    listener = Listener()
    try:
        for run in runs:
            listener.feed(bytes(character & 0x7F for character in run))
        heard = [telegram for _ in range(4) for telegram in listener.feed(b"\r\n" + PUSH)]
    except InvertedSignal, OtherProtocol, PushHeard:
        return
    # The first may be lost with what came before it, and a frame that began by chance may cost another.
    assert len(heard) >= 2
    assert _names(heard)[-1] == "/ESY5Q3DX1024 V3.04"
