"""Values in A-XDR: every type by hand, round trips, and whatever may arrive."""

import contextlib
from decimal import Decimal
import struct
import tracemalloc

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms.axdr import (
    MAX_DEPTH,
    MAX_VALUES,
    Reader,
    decode,
    encode,
    encode_length,
)
from custom_components.iec62056.protocol.dlms.data import (
    NULL,
    Bits,
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    array,
    octet_string,
    structure,
)
from custom_components.iec62056.protocol.dlms_errors import DlmsMalformed, DlmsUnsent

KINDS = [
    ("00", NULL),
    ("FF", Data(Tag.DONT_CARE)),
    ("01 02 11 05 11 06", array(Data(Tag.UNSIGNED, 5), Data(Tag.UNSIGNED, 6))),
    ("02 02 0F FE 16 1E", structure(Data(Tag.INTEGER, -2), Data(Tag.ENUM, 30))),
    ("03 01", Data(Tag.BOOLEAN, True)),
    ("03 00", Data(Tag.BOOLEAN, False)),
    ("04 05 B0", Data(Tag.BIT_STRING, Bits(0b10110, 5))),
    ("04 09 FF 80", Data(Tag.BIT_STRING, Bits(0x1FF, 9))),
    ("04 00", Data(Tag.BIT_STRING, Bits(0, 0))),
    ("05 FF FF FF FE", Data(Tag.DOUBLE_LONG, -2)),
    ("06 FF FF FF FE", Data(Tag.DOUBLE_LONG_UNSIGNED, 4294967294)),
    ("09 03 01 02 03", octet_string(b"\1\2\3")),
    ("0A 02 41 E9", Data(Tag.VISIBLE_STRING, "Aé")),
    ("0C 03 41 C3 A9", Data(Tag.UTF8_STRING, "Aé")),
    ("0D 9A", Data(Tag.BCD, -102)),
    ("0F 80", Data(Tag.INTEGER, -128)),
    ("10 80 00", Data(Tag.LONG, -32768)),
    ("11 FF", Data(Tag.UNSIGNED, 255)),
    ("12 FF FF", Data(Tag.LONG_UNSIGNED, 65535)),
    ("14 80 00 00 00 00 00 00 00", Data(Tag.LONG64, -(1 << 63))),
    ("15 FF FF FF FF FF FF FF FF", Data(Tag.LONG64_UNSIGNED, (1 << 64) - 1)),
    ("16 09", Data(Tag.ENUM, 9)),
    ("17 43 66 19 9A", Data(Tag.FLOAT32, Decimal("230.1"))),
    ("18 3F B9 99 99 99 99 99 9A", Data(Tag.FLOAT64, Decimal("0.1"))),
    (
        "19 07E80C1F 02 0A1E2D00 FFC4 00",
        Data(Tag.DATE_TIME, bytes.fromhex("07E80C1F020A1E2D00FFC400")),
    ),
    ("1A 07E80C1F02", Data(Tag.DATE, bytes.fromhex("07E80C1F02"))),
    ("1B 0A1E2D00", Data(Tag.TIME, bytes.fromhex("0A1E2D00"))),
    ("1C FF", Data(Tag.DELTA_INTEGER, -1)),
    ("1D FF FF", Data(Tag.DELTA_LONG, -1)),
    ("1E FF FF FF FF", Data(Tag.DELTA_DOUBLE_LONG, -1)),
    ("1F FF", Data(Tag.DELTA_UNSIGNED, 255)),
    ("20 FF FF", Data(Tag.DELTA_LONG_UNSIGNED, 65535)),
    ("21 FF FF FF FF", Data(Tag.DELTA_DOUBLE_LONG_UNSIGNED, 0xFFFFFFFF)),
    # Two structures of a number and a text, described once.
    (
        "13 02 02 12 09 08 0001 01 41 0002 01 42",
        Data(
            Tag.COMPACT_ARRAY,
            CompactArray(
                TypeDescription(
                    Tag.STRUCTURE,
                    (TypeDescription(Tag.LONG_UNSIGNED), TypeDescription(Tag.OCTET_STRING)),
                ),
                (
                    structure(Data(Tag.LONG_UNSIGNED, 1), octet_string(b"A")),
                    structure(Data(Tag.LONG_UNSIGNED, 2), octet_string(b"B")),
                ),
            ),
        ),
    ),
    # An array of three within.
    (
        "13 01 0003 11 06 010203 040506",
        Data(
            Tag.COMPACT_ARRAY,
            CompactArray(
                TypeDescription(Tag.ARRAY, (TypeDescription(Tag.UNSIGNED),), 3),
                (
                    array(*(Data(Tag.UNSIGNED, number) for number in (1, 2, 3))),
                    array(*(Data(Tag.UNSIGNED, number) for number in (4, 5, 6))),
                ),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("octets", "data"), KINDS)
def test_every_type_both_ways(octets: str, data: Data) -> None:
    assert decode(bytes.fromhex(octets)) == data
    assert encode(data) == bytes.fromhex(octets)


def test_all_types_are_tried() -> None:
    assert {data.tag for _, data in KINDS} == set(Tag)


@pytest.mark.parametrize(("octets", "data"), KINDS)
def test_what_is_cut_short_is_refused_and_what_follows_left_aside(octets: str, data: Data) -> None:
    whole = bytes.fromhex(octets)
    assert decode(whole + b"\xc4\x02") == data
    for length in range(len(whole)):
        with pytest.raises(DlmsMalformed):
            decode(whole[:length])


def test_another_true() -> None:
    assert decode(b"\x03\xff") == Data(Tag.BOOLEAN, True)


@pytest.mark.parametrize(
    ("length", "octets"), [(0, "00"), (127, "7F"), (128, "8180"), (255, "81FF"), (256, "820100")]
)
def test_lengths(length: int, octets: str) -> None:
    assert encode_length(length) == bytes.fromhex(octets)
    assert Reader(bytes.fromhex(octets)).length() == length


def test_lengths_with_zeros_in_front() -> None:
    assert decode(bytes.fromhex("09 82 00 02 41 42")) == octet_string(b"AB")


@given(st.binary(min_size=4, max_size=4))
def test_short_floats_keep_their_octets(octets: bytes) -> None:
    (binary,) = struct.unpack(">f", octets)
    data = decode(b"\x17" + octets)
    assert isinstance(data.value, Decimal)
    if data.value.is_finite():
        assert encode(data) == b"\x17" + octets
        assert len(data.value.as_tuple().digits) <= 9
    else:
        assert binary - binary != 0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_long_floats_are_their_shortest_number(binary: float) -> None:
    assert decode(b"\x18" + struct.pack(">d", binary)).value == Decimal(repr(binary))


DATA = st.recursive(
    st.one_of(
        st.just(NULL),
        st.integers(-(1 << 31), (1 << 31) - 1).map(lambda number: Data(Tag.DOUBLE_LONG, number)),
        st.binary(max_size=200).map(octet_string),
        st.text(max_size=8).map(lambda text: Data(Tag.UTF8_STRING, text)),
    ),
    lambda inner: st.lists(inner, max_size=5).map(lambda items: structure(*items)),
    max_leaves=40,
)


@given(DATA)
def test_round_trip(data: Data) -> None:
    assert decode(encode(data)) == data


@pytest.mark.parametrize(
    "octets",
    [
        b"\x01\x01" * (MAX_DEPTH + 1) + b"\x00",
        b"\x02\x84\xff\xff\xff\xff" + bytes(10),
        b"\x09\x84\xff\xff\xff\xff",
        b"\x04\x84\xff\xff\xff\xff\x00",
        b"\x09\x80",
        b"\x09\x85\x01\x01\x01\x01\x01",
        b"\x07\x00\x00\x00\x00",
        # A compact array whose elements take no octets; one that holds another; a bomb of nested arrays.
        b"\x13\x02\x00\x01\x00",
        b"\x13\x13\x11\x01\x00",
        b"\x13" + b"\x01\xff\xff" * 4 + b"\x00\x01\x00",
        b"\x13" + b"\x01\xff\xff" * 2 + b"\x11\x01\x00",
        b"\x13" + b"\x01\x00\x01" * 40 + b"\x11\x01\x00",
    ],
)
def test_what_no_meter_sends(octets: bytes) -> None:
    with pytest.raises(DlmsMalformed):
        decode(octets)


def test_depth_that_is_allowed() -> None:
    octets = b"\x01\x01" * MAX_DEPTH + b"\x11\x05"
    assert encode(decode(octets)) == octets


def test_more_values_than_any_meter_has() -> None:
    rows = b"\x01\x82\xff\xf0" + bytes(0xFFF0)
    octets = b"\x01\x02" + rows + rows
    assert len(decode(rows).items) == 0xFFF0 < MAX_VALUES
    with pytest.raises(DlmsMalformed):
        decode(octets)


@settings(max_examples=1000)
@given(st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    """A value, which comes back when it is written again, or the one error."""
    try:
        data = decode(octets)
    except DlmsMalformed:
        return
    if "nan" not in repr(data).lower():
        assert decode(encode(data)) == data


def test_nothing_that_is_short_needs_much_memory() -> None:
    bombs = [
        bytes.fromhex(start) + bytes(200) for start in ("0181C0", "0281C0", "13 01 0FFF 00 40")
    ]
    tracemalloc.start()
    for octets in bombs:
        tracemalloc.reset_peak()
        with contextlib.suppress(DlmsMalformed):
            decode(octets)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        Data(Tag.UNSIGNED, 256),
        Data(Tag.UNSIGNED, -1),
        Data(Tag.UNSIGNED, "1"),
        Data(Tag.DATE_TIME, b"\x07"),
        Data(Tag.OCTET_STRING, 5),
        Data(Tag.OCTET_STRING, "A"),
        Data(Tag.VISIBLE_STRING, "€"),
        Data(Tag.BIT_STRING, Bits(4, 2)),
        Data(Tag.FLOAT32, Decimal("1e300")),
    ],
)
def test_a_value_that_is_not_of_its_type(data: Data) -> None:
    with pytest.raises(DlmsUnsent):
        encode(structure(data))


def test_what_is_expected_of_a_value() -> None:
    for data in (NULL, Data(Tag.BOOLEAN, True)):
        for what in ("items", "integer", "octets"):
            with pytest.raises(DlmsMalformed):
                getattr(data, what)
