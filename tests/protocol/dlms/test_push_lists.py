"""Lists of pushes, in each way that makes write them: every value comes back under its code, in its unit."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms.frame import Address
from custom_components.iec62056.protocol.dlms.push.makes import LISTS, NAMES, PositionalList
from custom_components.iec62056.protocol.dlms.push.messages import Carrier, Message
from custom_components.iec62056.protocol.dlms.push.telegrams import Telegram, understand
from custom_components.iec62056.protocol.dlms_errors import DlmsMalformed
from custom_components.iec62056.protocol.model import Register
from custom_components.iec62056.protocol.values import timestamp
from simulator.dlms.push import notification
from simulator.dlms.things import date_time, name
from simulator.dlms.values import (
    array,
    boolean,
    enum,
    i8,
    null,
    octets,
    scaler_unit,
    sized,
    struct,
    text,
    u8,
    u16,
    u32,
)

MOMENT = datetime(2031, 5, 17, 8, 0, 5, tzinfo=timezone(timedelta(hours=2)))
UNITS = {27: "W", 29: "var", 30: "Wh", 32: "varh", 33: "A", 35: "V", 255: None}

GROUPS = st.integers(1, 200)
# The medium is electricity and D no quantity of a convention, so that nothing but the telegram gives a unit.
CODES = st.builds(lambda b, c, e: f"1-{b}:{c}.9.{e}", st.integers(0, 3), GROUPS, st.integers(0, 9))
ROWS = st.lists(
    st.tuples(CODES, st.integers(0, 2**32 - 1), st.integers(-4, 3), st.sampled_from(list(UNITS))),
    min_size=1,
    max_size=12,
)


def u64(number: int) -> bytes:
    return b"\x15" + number.to_bytes(8)


def understood(
    body: bytes, *, title: bytes = b"", blocks: bool = False, lower: int = 0x7F
) -> Telegram:
    plain = notification(body, MOMENT)
    apdu = b"\xdb" + sized(title) + sized(bytes(5) + plain) if title else plain
    message = Message(apdu, Carrier.HDLC, in_blocks=blocks, to=Address(103, lower, 2))
    telegram = understand(message)
    assert telegram is not None
    return telegram


def registers(body: bytes, **origin: object) -> tuple[Register, ...]:
    return understood(body, **origin).registers  # type: ignore[arg-type]


def told(body: bytes, **origin: object) -> dict[str, tuple[str, str | None]]:
    """The first value of each register by its key."""
    return {one.key: tuple(one.values[0]) for one in registers(body, **origin)}  # type: ignore[misc]


def flat(rows: Sequence[Sequence[bytes]]) -> bytes:
    return struct(*(part for row in rows for part in row))


@settings(max_examples=100, deadline=None)
@given(ROWS, st.sampled_from(["flat", "rows", "mixed", "array"]))
def test_numbers_with_their_scaler(rows: list[tuple[str, int, int, int]], form: str) -> None:
    parts = [
        [octets(name(code)), u32(number), scaler_unit(scaler, unit)]
        for code, number, scaler, unit in rows
    ]
    structures = [struct(*part) for part in parts]
    body = {
        "flat": flat(parts),
        "rows": struct(*structures),
        "array": array(structures),
        "mixed": struct(*parts[0], *structures[1:]),
    }[form]
    found = registers(body)
    assert [str(one.obis) for one in found] == [code for code, *_ in rows]
    for one, (_, number, scaler, unit) in zip(found, rows, strict=True):
        assert one.values[0].number == Decimal(number).scaleb(scaler)
        assert one.values[0].unit == UNITS[unit]
        assert one.address == one.key


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_a_list_of_objects_before_their_values(rows: list[tuple[str, int, int, int]]) -> None:
    entries = [(40, "0-8:25.9.0", 2), *((3, code, 2) for code, *_ in rows)]
    listed = [
        struct(u16(kind), octets(name(code)), i8(number), u16(0)) for kind, code, number in entries
    ]
    body = struct(array(listed), *(u32(number) for _, number, *_ in rows))
    found = registers(body)
    assert [(str(one.obis), one.values[0].text) for one in found] == [
        (code, str(number)) for code, number, *_ in rows
    ]


def test_objects_with_more_members_and_other_attributes() -> None:
    entries = [
        (40, "0-0:25.9.0", 2),
        (1, "0-0:25.9.0", 1),
        (70, "0-0:96.3.10", 3),
        (1, "0-0:96.5.135", 2),
    ]
    rest = (u16(0), struct(enum(0), null()), array([]))
    listed = [
        struct(u16(kind), octets(name(code)), i8(number), *rest) for kind, code, number in entries
    ]
    own = octets(name("0-0:25.9.0"))
    body = struct(array(listed), own, enum(1), struct(octets(b"\0\0\x62\4"), u16(3)))
    by_object, by_state, structured = registers(body)
    assert (by_object.key, by_object.values[0].text) == ("0-0:25.9.0,1", "0000190900FF")
    assert (by_state.key, by_state.values[0].text) == ("0-0:96.3.10,3", "1")
    assert [value.text for value in structured.values] == ["00006204", "3"]


def test_elements_without_a_code_among_those_with_one() -> None:
    clock, number = octets(date_time(MOMENT)), octets(b"100200300400")
    pair = [octets(name("1.7.0")), u32(5), octets(name("2.7.0")), u32(6)]
    third = [octets(name("1.8.0")), u32(7)]
    found = registers(struct(clock, *pair, *third, number), title=b"SAG\1\2\3\4\5")
    assert [(one.address, one.key) for one in found] == [
        ("[0]", "0-0:1.0.0"),
        ("1-0:1.7.0", "1-0:1.7.0"),
        ("1-0:2.7.0", "1-0:2.7.0"),
        ("1-0:1.8.0", "1-0:1.8.0"),
        ("[7]", "0-0:96.1.0"),
    ]
    # The name of the list is neither.
    named = registers(struct(text("Kamstrup_V0001"), *pair))
    assert (named[0].key, named[0].obis) == ("[0]", None)
    # Phases that are not measured.
    single = told(struct(text("Kamstrup_V0001"), *pair, null(), null(), null(), null()))
    assert set(single) == {"[0]", "1-0:1.7.0", "1-0:2.7.0"}


MAKERS: dict[str, bytes] = {
    "c": octets(date_time(MOMENT)),
    "t": octets(b"12345678"),
    "o": octets(name("0-6:25.9.0")),
    "h": octets(bytes((8, 0, 5, 0))),
    "d": octets((2031).to_bytes(2) + bytes((5, 17, 6))),
    "p": octets(b"\0\1"),
    "e": enum(1),
    "b": boolean(True),
    "a": array([u16(9400)]),
}


def positional(shape: str, *, wide: bool = False, least: int = 2300) -> bytes:
    """A list of these types; its numbers are voltages in tenths of a volt, from `least` on."""
    parts = []
    for place, letter in enumerate(shape):
        number = least + place
        match letter:
            case "w":
                parts.append(u64(number) if wide else u32(number))
            case "s":
                parts.append(u16(number))
            case _:
                parts.append(MAKERS[letter])
    return struct(*parts)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("listed", LISTS, ids=lambda one: one.shape)
def test_lists_without_codes(listed: PositionalList, wide: bool) -> None:
    shape, codes = listed.shape, listed.codes
    least = 230 if listed.convention.voltage == 0 else 2300
    found = registers(positional(shape, wide=wide, least=least))
    assert [one.address for one in found] == [f"[{place}]" for place in range(len(shape))]
    assert ["" if one.obis is None else str(one.obis) for one in found] == list(codes)
    for one, letter in zip(found, shape, strict=True):
        if letter in "ws" and one.obis is not None:
            assert one.values[0].unit or one.obis.c == 13


def test_each_list_is_one_of_its_kind() -> None:
    """By its types alone, or else by its make."""
    shapes = [one.shape for one in LISTS]
    assert len(set(shapes)) == len(shapes)
    for one in LISTS:
        assert len(one.shape) == len(one.codes)
        assert one.makes <= NAMES.keys()
        named = [code for code in one.codes if code]
        assert len(set(named)) == len(named)


def test_a_list_of_another_make_keeps_its_numbers_bare() -> None:
    vienna = positional("c" + "w" * 8)
    assert told(vienna, title=b"ISK\1\2\3\4\5")["1-0:1.8.0"] == ("2301", "Wh")
    other = registers(vienna, title=b"KFM\1\2\3\4\5")
    assert all(one.obis is None and one.values[0].unit is None for one in other)


def test_a_list_name_that_looks_like_a_code() -> None:
    body = positional("othd" + "w" * 6)[2:]
    body = b"\x02\x0c" + body + octets(b"") + octets(b"")
    found = told(body, title=b"SMS\1\2\3\4\5")
    assert found["0-0:96.1.0"] == ("12345678", None)
    assert found["1-0:1.8.0"] == ("2304", "Wh")
    assert found["1-0:0.9.1"][0] == "080005"
    assert found["1-0:0.9.2"][0] == "2031-05-17"


def test_a_list_that_nobody_knows() -> None:
    found = registers(struct(text("12345678"), u8(0), u32(7), enum(3)))
    assert [(one.key, one.values[0].text) for one in found] == [
        ("[0]", "12345678"),
        ("[1]", "0"),
        ("[2]", "7"),
        ("[3]", "3"),
    ]
    assert told(octets(b"\x12\x5a\0")) == {"[0]": ("125A00", None)}


def objects(*pairs: tuple[str, bytes]) -> bytes:
    listed = [
        struct(u16(3), octets(name(code)), i8(2), u16(0))
        for code, _ in (("0-8:25.9.0", b""), *pairs)
    ]
    return struct(array(listed), *(value for _, value in pairs))


BY_MAKE: list[tuple[bytes, bool, int, int, str, bytes, str]] = [
    # title, blocks, lower, voltage as sent, its text, current as sent, its text
    (b"LGZ\1\2\3\4\5", True, 0x7F, 236, "236", u16(46), "0.46"),
    (b"LGZ\1\2\3\4\5", True, 0x4D, 236, "236", u16(46), "46"),
    (b"LGZ\1\2\3\4\5", False, 0x7F, 2361, "236.1", u16(46), "0.46"),
    (b"ISK\1\2\3\4\5", False, 0x7F, 2361, "236.1", u16(46), "0.46"),
    (b"KFM\1\2\3\4\5", False, 0x7F, 2361, "236.1", u32(460), "0.460"),
    (b"", True, 0x7F, 236, "236", u16(46), "0.46"),
]


@pytest.mark.parametrize("case", BY_MAKE)
def test_numbers_without_a_scaler_follow_their_make(
    case: tuple[bytes, bool, int, int, str, bytes, str],
) -> None:
    title, blocks, lower, voltage, volts, current, amperes = case
    body = objects(
        ("32.7.0", u16(voltage)),
        ("31.7.0", current),
        ("1.8.0", u32(7)),
        ("3.7.0", u32(8)),
    )
    assert told(body, title=title, blocks=blocks, lower=lower) == {
        "1-0:32.7.0": (volts, "V"),
        "1-0:31.7.0": (amperes, "A"),
        "1-0:1.8.0": ("7", "Wh"),
        "1-0:3.7.0": ("8", "var"),
    }


@pytest.mark.parametrize("voltage", [23, 2361, 23610])
def test_no_unit_for_a_voltage_that_is_none(voltage: int) -> None:
    body = objects(("32.7.0", u16(voltage)), ("52.7.0", u16(0)))
    found = told(body, title=b"LGZ\1\2\3\4\5", blocks=True)
    assert found == {"1-0:32.7.0": (str(voltage), None), "1-0:52.7.0": ("0", None)}


def test_nobody_knows_the_current_of_64_bits() -> None:
    body = objects(("31.7.0", u64(3)), ("1.8.0", u64(7)))
    found = told(body, title=b"LGZ\1\2\3\4\5", blocks=True, lower=0x4D)
    assert found == {"1-0:31.7.0": ("3", None), "1-0:1.8.0": ("7", "Wh")}


@pytest.mark.parametrize(
    ("model", "energy", "voltage"),
    [
        ("6841131BN243101040", ("70", "Wh"), ("231", "V")),
        ("6841131BN245101092", ("7", "Wh"), ("231", "V")),
        ("6841138BN243101010", ("7", None), ("231", None)),
        ("6841138BN299999999", ("7", None), ("231", None)),
    ],
)
def test_kamstrup_by_its_type_number(
    model: str, energy: tuple[str, str | None], voltage: tuple[str, str | None]
) -> None:
    rows = [("1-1:96.1.1", text(model)), ("1-1:1.8.0", u32(7)), ("1-1:32.7.0", u16(231))]
    body = struct(
        text("Kamstrup_V0001"),
        *(part for code, value in rows for part in (octets(name(code)), value)),
    )
    found = told(body)
    assert found["1-1:1.8.0"] == energy
    assert found["1-1:32.7.0"] == voltage


def test_a_list_without_tags() -> None:
    def entry(kind: int, code: str, number: int, value: bytes) -> bytes:
        return b"\x02\x02" + kind.to_bytes(2) + name(code) + bytes((number,)) + value

    entries = [
        entry(1, "0-0:96.1.1", 2, octets(b"9876543210")),
        entry(70, "0-0:96.3.10", 3, enum(1)),
        entry(3, "1.8.0", 2, u32(4711)),
    ]
    body = b"\x02\x02" + enum(1) + b"\x01\x03" + b"".join(entries)
    assert told(body) == {
        "[0]": ("1", None),
        "0-0:96.1.1": ("9876543210", None),
        "0-0:96.3.10,3": ("1", None),
        "1-0:1.8.0": ("4711", "Wh"),
    }
    for cut in range(1, len(body)):
        with pytest.raises(DlmsMalformed):
            registers(body[:cut])


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (MOMENT, "2031-05-17T08:00:05+02:00"),
        (MOMENT.astimezone(UTC), "2031-05-17T06:00:05+00:00"),
        (MOMENT.astimezone(timezone(-timedelta(hours=3, minutes=30))), "2031-05-17T02:30:05-03:30"),
    ],
)
def test_times_keep_their_offset(moment: datetime, shown: str) -> None:
    body = struct(octets(name("0-0:1.0.0")), octets(date_time(moment)))
    (clock,) = registers(body)
    assert clock.values[0].text == shown
    read = timestamp(shown)
    assert read is not None
    assert read.utc(timezone(timedelta(hours=9))) == moment


def test_times_without_an_offset() -> None:
    octets_ = date_time(MOMENT)[:9] + b"\x80\x00\x00"
    (clock,) = registers(struct(octets(name("0-0:1.0.0")), octets(octets_)))
    assert clock.values[0].text == "2031-05-17T08:00:05"
    unset = b"\xff" * 12
    (clock,) = registers(struct(octets(name("0-0:1.0.0")), octets(unset)))
    assert clock.values[0].text == "FF" * 12


@pytest.mark.parametrize(
    "when", [b"\x00", b"\x0c" + date_time(MOMENT), b"\x09\x0c" + date_time(MOMENT)]
)
def test_the_head_has_three_forms(when: bytes) -> None:
    apdu = b"\x0f\x00\x00\x00\x01" + when + struct(octets(name("1.7.0")), u32(5))
    telegram = understand(Message(apdu, Carrier.HDLC))
    assert telegram is not None
    assert [one.key for one in telegram.registers] == ["1-0:1.7.0"]


@pytest.mark.parametrize(
    "apdu",
    [
        b"\x0f\x00\x00\x00\x01\x00" + struct(u32(5)) + b"\x00",
        b"\x0f\x00\x00\x00\x01\x00" + struct(u32(5))[:-1],
        b"\x0f\x00\x00\x00\x01\x05hello" + struct(u32(5)),
        b"\x0f\x00\x00\x00\x01\x0c" + b"\x07\xe7\x0d" + date_time(MOMENT)[3:] + struct(u32(5)),
        b"\x0f\x00\x00\x00\x01\x00\x77",
        b"\x0f\x00",
    ],
)
def test_notifications_that_are_none(apdu: bytes) -> None:
    with pytest.raises(DlmsMalformed):
        understand(Message(apdu, Carrier.HDLC))


def test_other_apdus_are_no_push() -> None:
    for apdu in (b"", b"\xc4\x01\xc1\x00\x00", b"\xd8\x01\x01", b"abc"):
        assert understand(Message(apdu, Carrier.HDLC)) is None


def test_the_meter_is_named_by_its_title_else_by_its_device_name() -> None:
    body = struct(octets(name("0-0:42.0.0")), octets(b"LGZ1030000012345"))
    named = understood(body).identification
    assert named is not None
    assert (named.flag, named.raw) == ("LGZ", "LGZ1030000012345")
    titled = understood(body, title=b"ISK\1\2\3\4\5").identification
    assert titled is not None
    assert (titled.flag, titled.raw) == ("ISK", "49534B0102030405")
    assert understood(struct(u32(1))).identification is None
