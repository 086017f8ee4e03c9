"""Objects as registers: codes, texts and units as the other modes have them."""

from decimal import Decimal

import pytest

from custom_components.iec62056.protocol.dlms.apdu import AccessResult
from custom_components.iec62056.protocol.dlms.axdr import decode
from custom_components.iec62056.protocol.dlms.cosem import (
    AttributeAccess,
    CosemObject,
    Rights,
    ScalerUnit,
)
from custom_components.iec62056.protocol.dlms.data import Bits, Data, Tag, octet_string, structure
from custom_components.iec62056.protocol.dlms.descriptors import LogicalName
from custom_components.iec62056.protocol.dlms.objects import attributes, codes, registers, text
from custom_components.iec62056.protocol.model import Obis, Value
from custom_components.iec62056.protocol.obis import register_timestamp

IMPORT = LogicalName(1, 0, 1, 8, 0)
AVERAGE = LogicalName(1, 0, 1, 4, 0)
WH = ScalerUnit(1, 30)
SUMMER = bytes.fromhex("07EF0511060800000 0FF8880".replace(" ", ""))
NUMBER = Data(Tag.DOUBLE_LONG_UNSIGNED, 123)


def item(class_id: int, name: LogicalName = IMPORT, **rights: Rights) -> CosemObject:
    access = {int(number[1:]): AttributeAccess(right) for number, right in rights.items()}
    return CosemObject(class_id, 0, name, access, {})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Data(Tag.NULL_DATA), ""),
        (Data(Tag.BOOLEAN, True), "1"),
        (Data(Tag.LONG, -7), "-7"),
        (Data(Tag.FLOAT32, Decimal("12.50")), "12.50"),
        (Data(Tag.FLOAT64, Decimal("1E+3")), "1000"),
        (Data(Tag.VISIBLE_STRING, "ABC\0 "), "ABC"),
        # Latin-1 where UTF-8 was announced.
        (decode(b"\x0c\x04Z\xe4hl"), "Zähl"),
        (decode(b"\x0c\x05Z\xc3\xa4hl"), "Zähl"),
        (structure(decode(b"\x0c\x02Z\xe4")), "02010C025AE4"),
        (Data(Tag.BIT_STRING, Bits(5, 8)), "00000101"),
        (octet_string(b"31415926"), "31415926"),
        (octet_string(b"\0\0LGZ1\0"), "LGZ1"),
        (octet_string(b""), ""),
        (octet_string(b"\x12\xab"), "12AB"),
        (octet_string(SUMMER), "2031-05-17 08:00:00+02:00"),
        (Data(Tag.DATE_TIME, SUMMER), "2031-05-17 08:00:00+02:00"),
        (structure(NUMBER), "0201060000007B"),
    ],
)
def test_text(value: Data, shown: str) -> None:
    assert text(value, Obis(0, 0, 96, 1, 0)) == shown


def test_times_are_times_where_other_modes_have_them() -> None:
    code = Obis(0, 0, 1, 0, 0)
    moment = register_timestamp(code, 0, text(octet_string(SUMMER), code))
    assert moment is not None
    assert str(moment.date) == "2031-05-17"
    # Without a deviation there is no season to tell.
    bare = octet_string(SUMMER[:9] + b"\x80\x00\xff")
    assert text(bare, code) == "2031-05-17 08:00:00"
    assert register_timestamp(code, 0, text(bare, code)) is not None
    # The time and the date of the meter, as it has them beside its clock.
    assert text(octet_string(bytes((8, 30, 5, 0))), Obis(1, 0, 0, 9, 1)) == "083005"
    assert text(octet_string(bytes.fromhex("07EF051106")), Obis(1, 0, 0, 9, 2)) == "2031-05-17"
    # Four octets elsewhere are none.
    assert text(octet_string(bytes((8, 30, 5, 0))), Obis(0, 0, 96, 1, 0)) == "081E0500"
    # Nor is a clock that was never set.
    assert text(octet_string(bytes(12)), code) == "00" * 12


@pytest.mark.parametrize(
    ("tag", "number", "shown"),
    [
        (Tag.UNSIGNED, 0x1F, "1F"),
        (Tag.LONG_UNSIGNED, 1, "0001"),
        (Tag.DOUBLE_LONG_UNSIGNED, 0xA0, "000000A0"),
        (Tag.DOUBLE_LONG, -1, "FFFFFFFF"),
        (Tag.LONG64_UNSIGNED, 1, "0" * 15 + "1"),
    ],
)
def test_error_and_alarm_registers_are_bits(tag: Tag, number: int, shown: str) -> None:
    for group in (97, 98):
        assert text(Data(tag, number), Obis(0, 0, 97, group, 0)) == shown
    assert text(Data(tag, number), Obis(0, 0, 96, 7, 0)) == str(number)


def test_a_register() -> None:
    (register,) = registers(item(3), {2: NUMBER}, WH)
    assert (register.key, register.address) == ("1-0:1.8.0", "1-0:1.8.0")
    assert register.values == (Value("1230", "Wh"),)
    assert registers(item(3), {2: AccessResult.READ_WRITE_DENIED}, WH) == []
    # A unit of which only the number is known is none; a value that is no number stays as it is.
    assert registers(item(3), {2: NUMBER}, ScalerUnit(0, 199))[0].values == (Value("123"),)
    assert registers(item(3), {2: octet_string(b"n/a")}, WH)[0].values == (Value("n/a", "Wh"),)


def test_an_extended_register_without_a_moment() -> None:
    status = Data(Tag.UNSIGNED, 4)
    null = Data(Tag.NULL_DATA)
    shown = registers(item(4), {2: NUMBER, 4: status, 5: null}, WH)[0].values
    assert [value.text for value in shown] == ["1230", "", "4"]
    shown = registers(item(4), {2: NUMBER, 4: null, 5: octet_string(SUMMER)}, WH)[0].values
    assert [value.text for value in shown] == ["1230", "2031-05-17 08:00:00+02:00"]
    refused = AccessResult.READ_WRITE_DENIED
    assert registers(item(4), {2: NUMBER, 4: refused, 5: refused}, WH)[0].values == (
        Value("1230", "Wh"),
    )


def test_a_demand_register_is_two() -> None:
    demand = item(5, AVERAGE)
    assert codes(demand) == ("1-0:1.4.0", "1-0:1.5.0")
    values = {2: NUMBER, 3: Data(Tag.LONG, 7), 5: Data(Tag.NULL_DATA), 6: octet_string(SUMMER)}
    current, last = registers(demand, values, ScalerUnit(0, 27))
    assert (current.key, current.values) == ("1-0:1.4.0", (Value("123", "W"),))
    assert (last.key, [value.text for value in last.values]) == (
        "1-0:1.5.0",
        ["7", "2031-05-17 08:00:00+02:00"],
    )
    # The last average has an object of its own.
    own = AVERAGE._replace(d=5)
    assert [one.key for one in registers(demand, values, None, (own,))] == ["1-0:1.4.0"]
    # Another code than the standard's for averages: nobody knows what the last one is called.
    odd = item(5, LogicalName(1, 0, 1, 29, 0))
    assert [one.key for one in registers(odd, values, None)] == ["1-0:1.29.0"]


def test_classes_that_are_no_registers() -> None:
    for class_id in (7, 9, 15, 17, 20, 23, 64, 70):
        assert attributes(item(class_id, a2=Rights.READ)) == ()
    unknown = item(9000, a2=Rights.READ)
    assert attributes(unknown) == (2,)
    assert codes(unknown) == ("9000/1-0:1.8.0",)
    (register,) = registers(unknown, {2: NUMBER}, None)
    assert register.obis is None
    assert register.key == "9000/1-0:1.8.0"
    assert registers(unknown, {2: AccessResult.OTHER_REASON}, None) == []


def test_rights() -> None:
    # What the list leaves out is asked; what it denies is not.
    assert attributes(item(4)) == (2, 4, 5)
    assert attributes(item(4, a2=Rights.READ, a4=Rights.NONE, a5=Rights.READ)) == (2, 5)
    assert attributes(item(4, a2=Rights.NONE, a5=Rights.READ)) == ()
    assert attributes(item(5, a2=Rights.NONE, a3=Rights.READ)) == (3,)
