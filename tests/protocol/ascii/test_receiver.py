"""One telegram out of runs of characters, whatever stands around it."""

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.ascii import messages
from custom_components.iec62056.protocol.ascii.receiver import MAX_TELEGRAM, Receiver
from custom_components.iec62056.protocol.model import CheckKind, DataSet, Value
from custom_components.iec62056.protocol.transport.line import with_even_parity
from custom_components.iec62056.protocol.transport.trace import LineStats

from ..telegrams import LINES, framed, p1, text

NAME = b"/LGZ5ZMX310.A01\r\n"


def _received(stream: bytes) -> Receiver:
    receiver = Receiver()
    receiver.feed(stream)
    receiver.end()
    return receiver


@pytest.mark.parametrize(
    ("stream", "fits"),
    [
        (NAME + framed(), {CheckKind.XOR}),
        (NAME + framed(check="sum"), {CheckKind.SUM}),
        (NAME + framed(check="odd"), set()),
        (NAME + text() + b"!\r\n", {CheckKind.NONE}),
        (NAME + b"\r\n" + text() + b"!\r\n", {CheckKind.NONE}),
        (b"/?!\r\n" + NAME + framed(), {CheckKind.XOR}),
        (b"/?!" + NAME + framed(), {CheckKind.XOR}),
        (b"\x7f\x7f??" + NAME + framed(), {CheckKind.XOR}),
        (NAME + b"?" + framed(), {CheckKind.XOR}),
        (NAME + b"\x00\x7f\x1b" + framed(), {CheckKind.XOR}),
        # What a speed change that came too late makes of characters.
        (NAME + b"Jq\x03s" + framed(), {CheckKind.XOR}),
        (NAME.removesuffix(b"\n") + framed(), {CheckKind.XOR}),
        (NAME.replace(b"\r", b"") + framed(), {CheckKind.XOR}),
        (NAME + NAME + framed(), {CheckKind.XOR}),
        (b"\x01" + NAME + framed(), {CheckKind.XOR}),
        (b"\x02" + NAME + framed(), {CheckKind.XOR}),
        (NAME + framed(text() + b"1.8.2(013925.5*)Y\x02\x02\x01\x00"), {CheckKind.XOR}),
        (p1(LINES), {CheckKind.CRC16}),
        (b"3)\r\n1.8.0(7*kWh)\r\n!9A\r\n" + p1(LINES), {CheckKind.CRC16}),
        (NAME + text() + b"1.8.0(7*kWh)!\r\n", {CheckKind.NONE}),
    ],
)
def test_whole(stream: bytes, fits: set[CheckKind]) -> None:
    receiver = _received(stream)
    assert receiver.complete
    assert receiver.identification is not None
    assert receiver.fits == fits
    assert len(receiver.identifications) == 1
    assert [dataset.address for dataset in receiver.datasets[: len(LINES)]] == [
        line.split("(")[0] for line in LINES
    ]


@pytest.mark.parametrize(
    ("data", "beheaded"),
    [
        (framed(), False),
        (b"\r\n\x00\x7f" + framed(), False),
        (framed()[1:], True),
        (framed()[60:], True),
        (b"Jq" + framed(), True),
        (b"J\x02q\x05" + framed()[60:], True),
        (b"", False),
    ],
)
@pytest.mark.parametrize("name", [NAME, NAME.replace(b"MX", b"M\x00X")])
def test_beginning_that_is_missing(name: bytes, data: bytes, beheaded: bool) -> None:
    """Also where noise stands in its place, or in the name."""
    assert _received(name + data).beheaded is beheaded


@pytest.mark.parametrize("end", [2, 30, -3])
def test_cut(end: int) -> None:
    receiver = _received(NAME + framed()[:end])
    assert receiver.started
    assert not receiver.complete


def test_frame_without_identification() -> None:
    receiver = Receiver()
    rest = receiver.feed(framed() + b"\x18" + NAME)
    assert receiver.closed
    assert receiver.identification is None
    assert rest == b"\x18" + NAME


def test_text_only_after_identification() -> None:
    assert not _received(text() + b"!\r\n").started


def test_exclamation_mark_between_values_does_not_end() -> None:
    receiver = _received(
        NAME + b"0.0.0(1)\r\n0.2.2(:::G11)!(:::G11)(!)\r\n1.8.0(000783.16)(000783.16)\r\n!\r\n"
    )
    assert [dataset.address for dataset in receiver.datasets] == ["0.0.0", "0.2.2", "1.8.0"]


def test_end_of_frame_without_its_beginning_is_judged() -> None:
    stream = NAME + framed()[1:]
    receiver = _received(stream)
    assert receiver.closed
    assert receiver.fits == {CheckKind.XOR}
    damaged = bytearray(NAME + b"x" + framed()[1:])
    assert not _received(bytes(damaged)).fits


def test_next_telegram_replaces_one_without_end() -> None:
    receiver = _received(
        b"/ABC5OLD\r\n\r\n1.8.0(1*kWh)\r\n2.8.0(2*kW" + b"\r\n/ABC5NEW\r\n\r\n1.8.0(3*kWh)\r\n!\r\n"
    )
    assert receiver.identification is not None
    assert receiver.identification.model == "NEW"
    assert [dataset.values[0].text for dataset in receiver.datasets] == ["3"]


def test_break_of_the_meter() -> None:
    receiver = _received(NAME + b"\x01B0\x03q")
    assert receiver.meter_break
    assert receiver.closed


def test_other_commands_are_passed_over() -> None:
    receiver = _received(NAME + b"\x01P0\x02(1234)\x03P" + framed())
    assert receiver.fits == {CheckKind.XOR}
    assert not receiver.meter_break


def test_error_message_is_the_whole_block() -> None:
    receiver = _received(NAME + b"\x02(ERROR)\x03\x16")
    assert messages.error_message(receiver.block) == "ERROR"


def test_check_that_is_asked_for_too_early_is_asked_for_again() -> None:
    receiver = Receiver()
    for octet in NAME + framed():
        receiver.feed(bytes([octet]))
        assert receiver.wrong(LineStats()) == 0
    assert receiver.closed
    assert receiver.fits == {CheckKind.XOR}


def test_memory_of_what_is_given_up_is_bounded() -> None:
    receiver = Receiver(messages.identification(NAME.strip()))
    for _ in range(2 * MAX_TELEGRAM // 300):
        receiver.feed(b"\x01R1" + bytes(300))
    assert receiver.overflow


def test_memory_is_bounded() -> None:
    receiver = Receiver()
    receiver.feed(NAME + b"\x02")
    line = b"1.8.0(000001*kWh)\r\n" * 1000
    for _ in range(2 * MAX_TELEGRAM // len(line)):
        receiver.feed(line)
    assert receiver.overflow
    assert len(receiver.raw) < MAX_TELEGRAM + 2 * len(line)
    noise = Receiver()
    noise.feed(b"/" * (MAX_TELEGRAM + 1))
    assert len(noise.raw) == 0


@given(
    st.lists(st.integers(0x80, 0xFF), min_size=1, max_size=300),
    st.integers(0, len(LINES)),
    st.integers(1, 600),
)
def test_push_telegram_with_octets_above_7f(octets: list[int], at: int, size: int) -> None:
    message = f"0-0:96.13.0({''.join(map(chr, octets))})"
    stream = p1((*LINES[:at], message, *LINES[at:]))
    receiver = Receiver()
    for start in range(0, len(stream), size):
        receiver.feed(stream[start : start + size])
        # Asked too early, it says nothing of the whole.
        assert receiver.wrong(LineStats()) == 0
    assert receiver.fits == {CheckKind.CRC16}
    found = [dataset.address for dataset in receiver.datasets if dataset.address != "0-0:96.13.0"]
    assert found == [line.split("(")[0] for line in LINES]
    damaged = _received(stream.replace(b"004711", b"004712"))
    assert damaged.closed
    assert not damaged.fits


@pytest.mark.parametrize("octet", ["\xff", "\x7f", "\x00"])
def test_memory_that_was_never_written_is_an_empty_value(octet: str) -> None:
    receiver = _received(p1((*LINES, f"0-0:96.13.0({octet * 2048})")))
    assert receiver.fits == {CheckKind.CRC16}
    assert receiver.datasets[-1] == DataSet("0-0:96.13.0", (Value(""),))
    assert not receiver.unparsed


def test_crc16_of_a_line_with_parity_is_over_seven_bits() -> None:
    assert _received(with_even_parity(p1(LINES))).fits == {CheckKind.CRC16}


_PIECES = st.sampled_from(
    [
        NAME,
        b"/?!\r\n",
        framed(),
        framed(check="sum"),
        text(),
        b"!\r\n",
        b"!1A2B\r\n",
        p1(LINES[:3]),
        with_even_parity(p1(LINES[:3])),
        p1((*LINES[:3], "0-0:96.13.0(\xff\x83)")),
        b"\x02",
        b"\x03",
        b"\x01",
        b"\x01B0\x03q",
        b"/",
        b"\r",
        b"\n",
        b"?",
        b"\x7f",
        b"0.0.0(1",
    ]
)
_STREAMS = st.lists(_PIECES | st.binary(max_size=9), max_size=9)


@settings(max_examples=300)
@given(_STREAMS.map(b"".join), st.data())
def test_division_into_runs_does_not_matter(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=20)))
    whole, parts = Receiver(), Receiver()
    rest = whole.feed(stream)
    left = b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        left += parts.feed(stream[start:end])
    whole.end()
    parts.end()
    assert parts.datasets == whole.datasets
    assert parts.identification == whole.identification
    assert parts.raw == whole.raw
    assert (parts.complete, parts.closed, left) == (whole.complete, whole.closed, rest)
    if whole.complete:
        assert parts.fits == whole.fits


@given(st.binary(max_size=400))
def test_any_bytes(stream: bytes) -> None:
    receiver = _received(stream)
    assert receiver.block in bytes(receiver.raw)
    assert not receiver.complete or receiver.started
    assert len(receiver.raw) <= len(stream)
