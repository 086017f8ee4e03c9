"""Messages: what is encoded, what is refused, and what real meters answer."""

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.ascii import messages
from custom_components.iec62056.protocol.errors import BadField
from custom_components.iec62056.protocol.model import CheckKind, Mode, Value


@pytest.mark.parametrize(
    ("address", "query", "sent"),
    [
        ("", "?", b"/?!\r\n"),
        ("00123456", "?", b"/?00123456!\r\n"),
        ("No 7", "?", b"/?No 7!\r\n"),
        ("", "#", b"/#!\r\n"),
        ("", "2", b"/2!\r\n"),
        ("1" * 32, "?", b"/?" + b"1" * 32 + b"!\r\n"),
    ],
)
def test_request(address: str, query: str, sent: bytes) -> None:
    assert messages.request(address, query) == sent


@pytest.mark.parametrize(
    "address", ["1" * 33, "1!\r\n/?", "12\r", "ä", "1(2", "a/b", "a!b", "a\x00", "a-b", "１"]
)
def test_request_refuses_address(address: str) -> None:
    with pytest.raises(BadField):
        messages.request(address)


@pytest.mark.parametrize("query", ["", "?" * 5, "/", "!", "?(", "\n", "? ", "é"])
def test_request_refuses_query(query: str) -> None:
    with pytest.raises(BadField):
        messages.request("", query)


def test_option_select() -> None:
    assert messages.option_select("5") == b"\x06050\r\n"
    assert messages.option_select("5", "1") == b"\x06051\r\n"
    assert messages.option_select("5", "2", "2") == b"\x06252\r\n"


@pytest.mark.parametrize("character", ["", "55", "\r", "!", "ß", " ", "("])
def test_option_select_refuses(character: str) -> None:
    with pytest.raises(BadField):
        messages.option_select(character)


@pytest.mark.parametrize(
    ("frame", "sent"),
    [
        (messages.command("P0", "", [Value("1234567")]), b"\x01P0\x02(1234567)\x03P"),
        (messages.command("R1", "1.8.0", [Value("")]), b"\x01R1\x021.8.0()\x03Z"),
        (messages.command("R2", "F001"), b"\x01R2\x02F001\x03\x16"),
        (messages.sign_off(), b"\x01B0\x03q"),
        (messages.sign_off(CheckKind.SUM), b"\x01B0\x03u"),
        (
            messages.command("R1", "HELLO", [Value("")], check=CheckKind.SUM),
            b"\x01R1\x02HELLO()\x03M",
        ),
        (messages.command("R1", "100700FF", [Value("")]), b"\x01R1\x02100700FF()\x03e"),
    ],
)
def test_command(frame: bytes, sent: bytes) -> None:
    assert frame == sent


def test_command_with_unit_and_several_values() -> None:
    frame = messages.command("W5", "0.9.2", [Value("310516"), Value("1.5", "kW")])
    assert frame[:-1] == b"\x01W5\x020.9.2(310516)(1.5*kW)\x03"


@pytest.mark.parametrize(
    ("code", "address", "values"),
    [
        ("X1", "", []),
        ("R", "", []),
        ("R0", "1.8.0", []),
        ("B0\x03q\x01B0", "", []),
        ("R1", "1" * 17, []),
        ("R1", "1.8.0()\x03Z\x01W1", []),
        ("R1", "1.8.0", [Value("1)(2")]),
        ("R1", "1.8.0", [Value("1*kW")]),
        ("R1", "1.8.0", [Value("1" * 129)]),
        ("R1", "1.8.0", [Value("1", "k/h")]),
        ("R1", "1.8.0", [Value("1", "k" * 17)]),
        ("R1", "1.8.0", [Value("\x03")]),
        ("R1", "1.8.0", [Value("é")]),
        ("R1", "1.8.0", [Value("")] * 9),
    ],
)
def test_command_refuses(code: str, address: str, values: list[Value]) -> None:
    with pytest.raises(BadField):
        messages.command(code, address, values)


_ANY = st.text(max_size=40) | st.text(
    alphabet="/?!()*\r\n\x01\x02\x03\x04\x06\x15BR10 ", max_size=12
)
_STARTS = (b"/", b"\x01", b"\x06")


@given(_ANY, _ANY)
def test_one_request_is_one_message(address: str, query: str) -> None:
    try:
        sent = messages.request(address, query)
    except BadField:
        return
    assert sent.isascii()
    assert sent.count(b"/") == sent.count(b"!") == sent.count(b"\r\n") == 1
    assert not any(character < 0x20 for character in sent[:-2])


@given(_ANY, _ANY, _ANY)
def test_one_option_select_is_one_message(z: str, y: str, v: str) -> None:
    try:
        sent = messages.option_select(z, y, v)
    except BadField:
        return
    assert len(sent) == 6
    assert sent[1:4].isalnum()


@given(
    st.sampled_from(sorted(messages.COMMANDS)) | _ANY,
    _ANY,
    st.lists(st.builds(Value, _ANY, st.none() | _ANY), max_size=3),
    st.sampled_from(CheckKind),
)
def test_one_command_is_one_frame(
    code: str, address: str, values: list[Value], check: CheckKind
) -> None:
    try:
        sent = messages.command(code, address, values, check=check)
    except BadField:
        return
    # The check character may have any value; before it every control character stands once, at its place.
    body = sent[:-1]
    assert sent.isascii()
    assert body.startswith(b"\x01" + code.encode("ascii"))
    controls = [character for character in body if character < 0x20]
    assert controls in ([1, 2, 3], [1, 3])
    assert body[-1] == controls[-1]
    assert not set(b"/!") & set(body)


@pytest.mark.parametrize(
    ("line", "flag", "speed", "extensions", "model"),
    [
        (b"/LGZ4ZMX310.A01", "LGZ", "4", (), "ZMX310.A01"),
        (b"/LGZ4\\2ZMX310.A01", "LGZ", "4", ("2",), "ZMX310.A01"),
        (b"/LGZ52ZMX120.G03", "LGZ", "5", (), "2ZMX120.G03"),
        (b"/EMH5\\@\\201LZX0013F", "EMH", "5", ("@", "2"), "01LZX0013F"),
        (b"/ELS5\\@V9.99         ", "ELS", "5", ("@",), "V9.99         "),
        (b"/VMX5\\2", "VMX", "5", ("2",), ""),
        (b"/KAM MX", "KAM", " ", (), "MX"),
        (b"/NWA-HEATLINK", "NWA", "-", (), "HEATLINK"),
        (b"/1234567890123", "123", "4", (), "567890123"),
        (b"/ABC5<1>ABC.TF.21", "ABC", "5", (), "<1>ABC.TF.21"),
        (b"/Els6\\2EX280", "Els", "6", ("2",), "EX280"),
        (b"/GEC5090100140400@000", "GEC", "5", (), "090100140400@000"),
        (b"x\x7f/ISk5MX174-0001", "ISk", "5", (), "MX174-0001"),
        (b"/ISk5\x02MX5T-200", "ISk", "5", (), "MX5T-200"),
        (b"/?!/ISk5MX174-0001", "ISk", "5", (), "MX174-0001"),
    ],
)
def test_identification(
    line: bytes, flag: str, speed: str, extensions: tuple[str, ...], model: str
) -> None:
    found = messages.identification(line)
    assert found is not None
    assert (found.flag, found.speed_character, found.extensions, found.model) == (
        flag,
        speed,
        extensions,
        model,
    )
    assert found.raw.startswith("/" + flag)


@pytest.mark.parametrize("line", [b"", b"/", b"/LGZ", b"/?!", b"/?00123456!", b"LGZ5ABC", b"/2!"])
def test_no_identification(line: bytes) -> None:
    assert messages.identification(line) is None


@pytest.mark.parametrize(
    ("line", "mode", "speed", "reaction"),
    [
        (b"/LGZ5X", Mode.C, 9600, 0.2),
        (b"/ISk5X", Mode.C, 9600, 0.02),
        (b"/ACE0X", Mode.C, 300, 0.2),
        (b"/LUGCX", Mode.B, 2400, 0.2),
        (b"/MIRE2301", Mode.B, 9600, 0.2),
        (b"/KAM MX", Mode.A, 300, 0.2),
        (b"/SLB7MX", Mode.A, 300, 0.2),
    ],
)
def test_what_an_identification_says(line: bytes, mode: Mode, speed: int, reaction: float) -> None:
    found = messages.identification(line)
    assert found is not None
    assert (found.mode, found.speed, found.reaction_time) == (mode, speed, reaction)


@pytest.mark.parametrize(
    ("block", "received", "fits"),
    [
        (b"P0\x02(1234567)\x03", b"Q", set()),
        (b"P0\x02(1234567)\x03", b"P", {CheckKind.XOR}),
        (b"R1\x02HELLO()\x03", b"M", {CheckKind.SUM}),
        (b"B0\x03", b"q", {CheckKind.XOR}),
        (b"B0\x03", b"u", {CheckKind.SUM}),
        (b"B0\x03", b"", {CheckKind.NONE}),
        (b"/X!", b"3412", set()),
        (b"\x03", b"\x03", {CheckKind.XOR, CheckKind.SUM}),
    ],
)
def test_judge(block: bytes, received: bytes, fits: set[CheckKind]) -> None:
    assert messages.judge(block, received) == fits


def test_crc_of_the_standard_check_string() -> None:
    # CRC-16/ARC of "123456789" is BB3D in every catalogue of CRCs.
    assert messages.crc16(b"123456789") == 0xBB3D
    assert messages.judge(b"123456789", b"BB3D") == {CheckKind.CRC16}
    assert messages.judge(b"123456789", b"bb3d") == {CheckKind.CRC16}


def test_crc_without_leading_zero() -> None:
    block = next(
        text
        for text in (f"/ABC-{number}\r\n\r\n!".encode() for number in range(1000))
        if 0x100 <= messages.crc16(text) < 0x1000
    )
    assert messages.judge(block, f"{messages.crc16(block):X}".encode()) == {CheckKind.CRC16}


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (b"(ERROR)", "ERROR"),
        (b"(ERR12)\r\n", "ERR12"),
        (b"(ERROR05)", "ERROR05"),
        (b"ER(23)", "ER(23)"),
        (b"(#0004)", "#0004"),
        (b"F.F(00000000)\r\n", None),
        (b"1.8.0(ERROR)", None),
        (b"(0033.264*kWh)", None),
        (b"", None),
        (b"(ERROR)" + b" " * 80, None),
    ],
)
def test_error_message(block: bytes, text: str | None) -> None:
    assert messages.error_message(block) == text


def test_break_whatever_its_check() -> None:
    assert messages.is_break(b"\x01B0\x03q")
    assert messages.is_break(b"\x01B0\x03u")
    assert not messages.is_break(b"\x01P0\x02()\x03`")


@given(st.binary(max_size=300))
def test_the_standards_check_is_the_parity_of_each_bit(block: bytes) -> None:
    expected = 0
    for code in block:
        expected ^= code
    assert messages.check_character(block, CheckKind.XOR) == expected & 0x7F


def test_the_crc_of_a_push_telegram_is_made_up_to_a_length() -> None:
    """Octet by octet: what is longer is no push telegram, and would hold whatever else runs."""
    block = b"/ABC5LONG\r\n".ljust(messages.MAX_PUSH, b"x")
    check = b"%04X" % messages.crc16(block)
    assert messages.judge(block, check) == {CheckKind.CRC16}
    check = b"%04X" % messages.crc16(block + b"x")
    assert not messages.judge(block + b"x", check)
