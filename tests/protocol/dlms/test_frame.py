"""Frames and addresses, against octets written down by hand and a check computed another way."""

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms.frame import (
    Address,
    Frame,
    Kind,
    check_sequence,
    frame_at,
)
from custom_components.iec62056.protocol.dlms.scanner import FLAG, Scanner
from custom_components.iec62056.protocol.dlms_errors import DlmsUnsent

from . import wire

CLIENT = Address(16)
SERVER = Address(1, 17, 2)


def test_check_sequence_has_the_published_check_value() -> None:
    assert check_sequence(b"123456789") == bytes.fromhex("6E90")


@pytest.mark.parametrize(
    ("address", "octets"),
    [
        (Address.server(1), "03"),
        (Address.server(1, 17), "02 23"),
        (Address.server(1, 866), "00 02 0C C5"),
        (Address(1, 17, 4), "00 02 00 23"),
        (Address.server(0x3FFF, 0x3FFF), "FE FE FE FF"),
    ],
)
def test_addresses_of_every_length(address: Address, octets: str) -> None:
    assert address.encode() == bytes.fromhex(octets)
    sent = Frame(Kind.RR, CLIENT, address, receive=3)
    (back,) = Scanner({FLAG: frame_at}).feed(sent.encode())
    assert back == sent


@pytest.mark.parametrize(
    "wrong", [(0x80,), (-1,), (1, 2, 1), (1, None, 2), (1, 0x80, 2), (1, 0x4000, 4), (1, 1, 3)]
)
def test_no_such_address(wrong: tuple[int, ...]) -> None:
    with pytest.raises(DlmsUnsent):
        Address(*wrong)


@pytest.mark.parametrize(
    ("kind", "control"),
    [
        (Kind.SNRM, 0x93),
        (Kind.UA, 0x73),
        (Kind.DISC, 0x53),
        (Kind.DM, 0x1F),
        (Kind.FRMR, 0x97),
        (Kind.UI, 0x13),
        (Kind.RR, 0x11),
        (Kind.RNR, 0x15),
        (Kind.REJ, 0x19),
    ],
)
def test_control_octets(kind: Kind, control: int) -> None:
    sent = wire.frame(control)
    assert Scanner({FLAG: frame_at}).feed(sent) == [Frame(kind, CLIENT, SERVER)]
    assert Frame(kind, CLIENT, SERVER).encode() == sent


def test_numbers_and_final_bit() -> None:
    sent = wire.frame(0b101_0_011_0, b"part", segmented=True)
    (got,) = Scanner({FLAG: frame_at}).feed(sent)
    assert (got.kind, got.receive, got.final, got.send) == (Kind.INFORMATION, 5, False, 3)
    assert (got.segmented, got.information) == (True, b"part")
    assert got.encode() == sent


def frame_with_flag_in_check() -> bytes:
    """A frame whose FCS begins with 7E, as a cut at flags would break it."""
    for number in range(0x10000):
        candidate = wire.frame(0x52, b"\xe6\xe7\x00" + number.to_bytes(2))
        if candidate[-3] == 0x7E:
            return candidate
    raise AssertionError


def test_flag_inside_a_frame_does_not_end_it() -> None:
    inside = wire.frame(0x30, b"\x7e\xa0\x07\x7e" * 3)
    in_check = frame_with_flag_in_check()
    assert [got.encode() for got in Scanner({FLAG: frame_at}).feed(inside + in_check)] == [
        inside,
        in_check,
    ]


FRAMES = [wire.frame(0x11), wire.frame(0x30, b"\x7e" * 40), wire.frame(0x52, b"x" * 2030)]


@pytest.mark.parametrize("between", [b"\x7e", b"", b"\x7e\x7e\x7e"], ids=["own", "shared", "many"])
def test_flags_between_frames(between: bytes) -> None:
    joined = b"\x7e" + (b"\x7e" + between if between else b"\x7e").join(
        octets[1:-1] for octets in FRAMES
    )
    got = Scanner({FLAG: frame_at}).feed(joined + b"\x7e")
    assert [item.encode() for item in got] == FRAMES


def test_octet_by_octet() -> None:
    deframer = Scanner({FLAG: frame_at})
    got = [item for octet in b"".join(FRAMES) for item in deframer.feed(bytes((octet,)))]
    assert [item.encode() for item in got] == FRAMES


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00\xff/ABC5\r\n",
        b"\x7e",
        b"\x7e\xa0",
        b"\x7e\xa7\xff\x21\x02\x23\x30",
        wire.frame(0x30, b"cut short")[:-4],
        b"\x7e\xa0\x06\x03\x21\x11",
        b"\x7e\xa0\x09\x02\x02\x02\x02\x02\x02\x7e",
    ],
)
def test_a_frame_behind_noise_is_found(noise: bytes) -> None:
    deframer = Scanner({FLAG: frame_at})
    got = deframer.feed(noise + FRAMES[1])
    got += deframer.silence()
    assert [item.encode() for item in got] == [FRAMES[1]]


@given(st.integers(1, len(FRAMES[1]) - 1), st.integers(1, 255))
def test_no_damaged_frame_is_taken(place: int, change: int) -> None:
    damaged = bytearray(FRAMES[1])
    damaged[place] ^= change
    deframer = Scanner({FLAG: frame_at})
    got = deframer.feed(bytes(damaged) + FRAMES[0]) + deframer.silence()
    assert [item.encode() for item in got] == [FRAMES[0]]


def test_both_check_sequences_count() -> None:
    """A header check that is wrong under a frame check that is right, and the other way round."""
    content = bytearray(wire.frame(0x30, b"information")[1:-3])
    content[6] ^= 1
    assert not Scanner({FLAG: frame_at}).feed(
        b"\x7e" + content + wire.crc(bytes(content)) + b"\x7e"
    )


def test_damage_behind_a_right_header_is_counted() -> None:
    damaged = bytearray(FRAMES[1])
    damaged[-6] ^= 1
    deframer = Scanner({FLAG: frame_at})
    assert not deframer.feed(bytes(damaged))
    assert deframer.damaged == 1


def test_a_stream_without_end_is_not_kept() -> None:
    deframer = Scanner({FLAG: frame_at})
    start = wire.frame(0x30, b"y" * 2000)[:-3]
    for _ in range(50):
        deframer.feed(start)
        assert len(deframer._held) <= 2049


@given(st.binary(max_size=300))
def test_any_octets(octets: bytes) -> None:
    deframer = Scanner({FLAG: frame_at})
    for got in deframer.feed(b"\x7e" + octets) + deframer.silence():
        assert got.encode() in b"\x7e" + octets
    assert not deframer._held


def test_information_is_not_shown() -> None:
    assert "secret" not in repr(Frame(Kind.UI, CLIENT, SERVER, information=b"secret"))


def test_information_longer_than_a_frame() -> None:
    with pytest.raises(DlmsUnsent):
        Frame(Kind.UI, CLIENT, SERVER, information=bytes(2031)).encode()
