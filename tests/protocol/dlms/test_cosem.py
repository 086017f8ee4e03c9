"""What objects hold: scaler and unit, the object list of every version, columns and rows of profiles."""

from decimal import Decimal

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms.cosem import (
    AttributeAccess,
    Column,
    Rights,
    ScalerUnit,
    columns,
    object_list,
    rows,
)
from custom_components.iec62056.protocol.dlms.data import (
    NULL,
    Data,
    Tag,
    array,
    octet_string,
    structure,
)
from custom_components.iec62056.protocol.dlms.descriptors import LogicalName, Member, capture_object
from custom_components.iec62056.protocol.dlms_errors import DlmsMalformed


def unsigned(number: int) -> Data:
    return Data(Tag.UNSIGNED, number)


def integer(number: int) -> Data:
    return Data(Tag.INTEGER, number)


def enum(number: int) -> Data:
    return Data(Tag.ENUM, number)


# Scaler and unit.


@pytest.mark.parametrize(
    ("raw", "scaler", "text"),
    [
        (1234567, -3, "1234.567"),
        (1200, -3, "1.200"),
        (5, 3, "5000"),
        (0, 2, "0"),
        (-7, -1, "-0.7"),
        ((1 << 64) - 1, -4, "1844674407370955.1615"),
        ((1 << 64) - 1, 20, "1844674407370955161500000000000000000000"),
        (Decimal("230.1"), 0, "230.1"),
        (Decimal("2.5E+3"), -1, "250"),
    ],
)
def test_values_are_exact(raw: int | Decimal, scaler: int, text: str) -> None:
    scaled = ScalerUnit(scaler, 30).value(Data(Tag.LONG64, raw))
    assert str(scaled) == text


@given(st.integers(-(1 << 63), (1 << 64) - 1), st.integers(-128, 127))
def test_no_digit_is_lost(raw: int, scaler: int) -> None:
    scaled = ScalerUnit(scaler, 30).value(Data(Tag.LONG64, raw))
    numerator, denominator = scaled.as_integer_ratio()
    if scaler >= 0:
        assert (numerator, denominator) == (raw * 10**scaler, 1)
    else:
        assert numerator * 10**-scaler == raw * denominator


@pytest.mark.parametrize(
    "raw", [NULL, Data(Tag.BOOLEAN, True), octet_string(b"1"), Data(Tag.FLOAT32, Decimal("NaN"))]
)
def test_what_is_no_number(raw: Data) -> None:
    with pytest.raises(DlmsMalformed):
        ScalerUnit(0, 30).value(raw)


@pytest.mark.parametrize(
    ("code", "text"), [(30, "Wh"), (27, "W"), (13, "m3"), (255, None), (0, None), (200, None)]
)
def test_units(code: int, text: str | None) -> None:
    assert ScalerUnit.of(structure(integer(-2), enum(code))) == ScalerUnit(-2, code)
    assert ScalerUnit(-2, code).text == text


@pytest.mark.parametrize(
    "data", [NULL, structure(integer(1)), array(integer(1), enum(30)), structure(NULL, enum(30))]
)
def test_what_is_no_scaler(data: Data) -> None:
    with pytest.raises(DlmsMalformed):
        ScalerUnit.of(data)


# Object lists.


def listed(
    class_id: int, name: bytes, attributes: list[Data], methods: list[Data], version: int = 0
) -> Data:
    return structure(
        Data(Tag.LONG_UNSIGNED, class_id),
        unsigned(version),
        octet_string(name),
        structure(array(*attributes), array(*methods)),
    )


def attribute(number: int, mode: int, selectors: Data = NULL) -> Data:
    return structure(integer(number), enum(mode), selectors)


def association(version: int) -> Data:
    return listed(15, bytes((0, 0, 40, 0, 0, 255)), [attribute(1, 1)], [], version)


IMPORT = bytes((1, 0, 1, 8, 0, 255))
BOTH = Rights.AUTHENTICATED_REQUEST | Rights.AUTHENTICATED_RESPONSE
PROTECTED = Rights.AUTHENTICATED_REQUEST | Rights.ENCRYPTED_REQUEST


@pytest.mark.parametrize(
    ("version", "mode", "rights"),
    [
        (0, 0, Rights.NONE),
        (0, 1, Rights.READ),
        (1, 2, Rights.WRITE),
        (2, 3, Rights.READ | Rights.WRITE),
        (2, 4, Rights.READ | BOTH),
        (2, 5, Rights.WRITE | BOTH),
        (1, 6, Rights.READ | Rights.WRITE | BOTH),
        (3, 0, Rights.NONE),
        (3, 1, Rights.READ),
        (3, 3, Rights.READ | Rights.WRITE),
        (3, 4, Rights.AUTHENTICATED_REQUEST),
        (3, 0x0D, Rights.READ | PROTECTED),
        (3, 0x61, Rights.READ | Rights.AUTHENTICATED_RESPONSE | Rights.ENCRYPTED_RESPONSE),
        # More than an old version knows.
        (2, 0x0D, Rights.READ | PROTECTED),
    ],
)
def test_rights_of_attributes_by_version(version: int, mode: int, rights: Rights) -> None:
    register = listed(3, IMPORT, [attribute(1, 1), attribute(2, mode)], [])
    # The version is known wherever in the list the association stands.
    for entries in ((association(version), register), (register, association(version))):
        found = {entry.class_id: entry for entry in object_list(array(*entries))}[3]
        assert found.attributes[2].rights == rights
        assert found.readable(2) == (Rights.READ in rights)
        assert found.readable(1)
        assert not found.readable(3)


@pytest.mark.parametrize(
    ("version", "mode", "rights"),
    [
        (0, Data(Tag.BOOLEAN, True), Rights.READ),
        (0, Data(Tag.BOOLEAN, False), Rights.NONE),
        (1, enum(1), Rights.READ),
        (2, enum(2), Rights.READ | BOTH),
        (3, enum(0x0D), Rights.READ | PROTECTED),
        (3, enum(2), Rights.WRITE),
    ],
)
def test_rights_of_methods_by_version(version: int, mode: Data, rights: Rights) -> None:
    register = listed(3, IMPORT, [], [structure(integer(1), mode)])
    assert object_list(array(association(version), register))[1].methods == {1: rights}


def test_one_entry_whole() -> None:
    selectors = array(integer(1), integer(2))
    profile = listed(7, bytes((1, 0, 99, 1, 0, 255)), [attribute(2, 1, selectors)], [], 1)
    (entry,) = object_list(array(profile))
    assert (entry.class_id, entry.version, entry.name) == (7, 1, LogicalName(1, 0, 99, 1, 0))
    assert entry.attributes == {2: AttributeAccess(Rights.READ, frozenset((1, 2)))}


def test_manufacturer_attributes_and_classes() -> None:
    (entry,) = object_list(
        array(listed(8192, bytes((0, 128, 200, 0, 0, 255)), [attribute(-3, 1)], []))
    )
    assert entry.class_id == 8192
    assert entry.readable(-3)


def test_an_entry_without_rights() -> None:
    bare = structure(Data(Tag.LONG_UNSIGNED, 3), unsigned(0), octet_string(IMPORT), NULL)
    (entry,) = object_list(array(bare))
    assert (entry.attributes, entry.methods) == ({}, {})


@pytest.mark.parametrize(
    "data",
    [
        NULL,
        array(NULL),
        array(structure(unsigned(3))),
        array(listed(3, b"short", [], [])),
        array(listed(3, IMPORT, [structure(integer(1))], [])),
        array(listed(3, IMPORT, [structure(integer(1), NULL, NULL)], [])),
        array(listed(3, IMPORT, [structure(integer(1), integer(-1), NULL)], [])),
        array(listed(3, IMPORT, [structure(integer(1), Data(Tag.LONG_UNSIGNED, 256), NULL)], [])),
        array(listed(3, IMPORT, [], [structure(integer(1))])),
    ],
)
def test_what_is_no_object_list(data: Data) -> None:
    with pytest.raises(DlmsMalformed):
        object_list(data)


def test_one_odd_entry_is_left_out() -> None:
    good = listed(3, IMPORT, [attribute(2, 1)], [])
    odd = listed(3, b"short", [attribute(2, 1)], [])
    wrong = listed(3, IMPORT, [structure(integer(2), integer(-1), NULL)], [])
    (entry,) = object_list(array(odd, NULL, good, wrong))
    assert entry.readable(2)


def test_rights_without_selectors() -> None:
    (entry,) = object_list(array(listed(3, IMPORT, [structure(integer(2), enum(1))], [])))
    assert entry.attributes == {2: AttributeAccess(Rights.READ)}


# Profiles.


def test_columns_and_rows() -> None:
    clock, register = Member(8, LogicalName(0, 0, 1, 0, 0), 2), Member(3, LogicalName(*IMPORT), 2)
    captured = array(capture_object(clock), capture_object(register, 1))
    assert columns(captured) == (Column(clock), Column(register, 1))
    time, first, second = octet_string(bytes(12)), unsigned(5), unsigned(6)
    buffer = array(structure(time, first), structure(NULL, second))
    assert rows(buffer, 2) == ((time, first), (NULL, second))


@pytest.mark.parametrize("data", [NULL, array(NULL), array(structure(unsigned(5)))])
def test_what_is_no_profile(data: Data) -> None:
    with pytest.raises(DlmsMalformed):
        rows(data, 2)
    with pytest.raises(DlmsMalformed):
        columns(data)
