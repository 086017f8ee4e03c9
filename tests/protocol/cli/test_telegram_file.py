"""Stored telegrams, in the ways people and programs write them down."""

from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol import CheckKind, ParitySeen, Reading, Verdict
from custom_components.iec62056.protocol.ascii.datasets import parse
from custom_components.iec62056.protocol.cli.telegram_file import explain
from custom_components.iec62056.protocol.errors import NoTelegram
from custom_components.iec62056.protocol.model import DataSet
from custom_components.iec62056.protocol.transport.line import with_even_parity

from ..counted import calls
from ..telegrams import LINES, framed, p1, text

NOW = datetime(2031, 5, 17, tzinfo=UTC)
NAME = b"/LGZ5\\2ZMX310.A01\r\n"
TELEGRAM = NAME + framed()
WANTED = [line.split("(")[0] for line in LINES]


def _explained(data: bytes) -> Reading:
    return explain(data, "telegram.txt", NOW)


def _addresses(reading: Reading) -> list[str]:
    return [register.address for register in reading.registers]


def _texts(reading: Reading) -> list[tuple[str, list[str]]]:
    return [
        (register.address, [value.text for value in register.values])
        for register in reading.registers
    ]


def _hexdump(data: bytes) -> bytes:
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        printable = "".join(chr(c) if 32 <= c < 127 else "." for c in row)
        lines.append(f"{at:08x}  {row[:8].hex(' ')}  {row[8:].hex(' ')}  |{printable}|")
    return "\n".join(lines).encode()


def _xxd(data: bytes) -> bytes:
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        printable = "".join(chr(c) if 32 <= c < 127 else "." for c in row)
        lines.append(f"{at:08x}: {row.hex(' ', -2)}  {printable}")
    return "\n".join(lines).encode()


def _named(data: bytes, opening: bytes, closing: bytes) -> bytes:
    for code, name in ((1, b"SOH"), (2, b"STX"), (3, b"ETX"), (6, b"ACK")):
        data = data.replace(bytes([code]), opening + name + closing)
    return data


def _literal(data: bytes) -> bytes:
    lines = repr(TELEGRAM)[2:-1].split("\\r\\n")
    assert data == TELEGRAM
    return ("received = (\n" + "".join(f"    b'{line}\\r\\n'\n" for line in lines) + ")").encode()


WRITTEN = {
    "bytes": TELEGRAM,
    "parity": with_even_parity(TELEGRAM),
    "hex": TELEGRAM.hex().encode(),
    "hex with blanks": TELEGRAM.hex(" ").upper().encode() + b"\n",
    "hex with 0x": b", ".join(b"0x%02x" % code for code in TELEGRAM),
    "hexdump": _hexdump(TELEGRAM),
    "xxd": _xxd(TELEGRAM),
    "hex with parity": with_even_parity(TELEGRAM).hex().encode(),
    "angle names": _named(TELEGRAM, b"<", b">").replace(b"\r\n", b"<CR><LF>\n"),
    "slash names": b"12:30:01.5 -> << "
    + _named(TELEGRAM, b"\\", b" ").replace(b"\r\n", b"\\r\\n")
    + b"\n",
    "python": b"Received " + repr(TELEGRAM).encode() + b" over transport\n",
    "literals": _literal(TELEGRAM),
    "line feeds": TELEGRAM.replace(b"\r\n", b"\n"),
    "request echoed": b"/?!\r\n" + TELEGRAM,
    "acknowledgement echoed": b"/?!\r\n" + NAME + b"\x06050\r\n" + framed(),
    "log around it": b"starting\n" + TELEGRAM + b"\ndone\n",
}


@pytest.mark.parametrize("data", WRITTEN.values(), ids=WRITTEN)
def test_ways_to_write_a_telegram(data: bytes) -> None:
    reading = _explained(data)
    assert _addresses(reading) == WANTED
    assert reading.identification is not None
    assert reading.identification.raw == NAME.decode().strip()
    assert reading.registers[3].values[0].unit == "kWh"


@pytest.mark.parametrize(
    "kind",
    ["bytes", "parity", "hexdump", "xxd", "angle names", "slash names", "python", "line feeds"],
)
def test_check_survives_the_way_it_was_written(kind: str) -> None:
    health = _explained(WRITTEN[kind]).health
    assert (health.check, health.check_kind) == (Verdict.RIGHT, CheckKind.XOR)


def test_parity_is_seen() -> None:
    assert _explained(WRITTEN["parity"]).health.parity is ParitySeen.EVEN
    assert _explained(WRITTEN["bytes"]).health.parity is ParitySeen.UNKNOWN


@pytest.mark.parametrize(
    ("data", "check"),
    [
        (NAME + framed(check="sum"), Verdict.RIGHT),
        (NAME + framed(check="odd"), Verdict.WRONG),
        (NAME + framed()[:-1], Verdict.ABSENT),
        (NAME + framed()[:-1] + b"\n", Verdict.ABSENT),
        (text(), Verdict.ABSENT),
        (NAME + text() + b"!\r\n", Verdict.ABSENT),
        (p1(LINES), Verdict.RIGHT),
        (p1(LINES).replace(b"\r\n", b"\n"), Verdict.RIGHT),
        (p1(LINES).replace(b"4711", b"4712"), Verdict.WRONG),
        (p1(LINES) + b"\x00" + p1(LINES), Verdict.RIGHT),
    ],
)
def test_verdict(data: bytes, check: Verdict) -> None:
    assert _explained(data).health.check is check


def test_dialogue_with_several_answers() -> None:
    dialogue = (
        b"HHU:    /?!<CR><LF>\nMeter:  /MCS5\\@V0050710000051<CR><LF>\nHHU: <ACK>051<CR><LF>\n"
        b"Meter: <SOH>P0<STX>(00000001)<ETX><BCC>\nHHU: <SOH>P1<STX>(00000000)<ETX><BCC>\n"
        b"HHU: <SOH>R5<STX>0.9.1()<ETX><BCC>\nMeter: <STX>0.9.1(174503)<ETX><BCC>\n"
        b"HHU: <SOH>R1<STX>1.8.0()<ETX><BCC>\nMeter: <STX>(0033402.264*kWh)<ETX><BCC>\n"
        b"HHU: <SOH>B0<ETX><BCC>\n"
    )
    assert _texts(_explained(dialogue)) == [("0.9.1", ["174503"]), ("1.8.0", ["0033402.264"])]


@pytest.mark.parametrize(
    ("dialogue", "found", "unparsed"),
    [
        # Readout, then single answers: none belongs to the last register of the readout.
        (
            b"\x021.8.0(12*kWh)\r\nF.F(0)\r\n!\r\n\x03x\x01R1\x021.8.0()\x03Z\x02(13*kWh)\x03T",
            [("1.8.0", ["12"]), ("F.F", ["0"]), ("1.8.0", ["13"])],
            [],
        ),
        # The command was lost: whatever it asked for, it was not the one before.
        (
            b"\x01R1\x021.8.0()\x03Z\x02(13*kWh)\x03T\r\n\x02(7*kWh)(8)\x03W",
            [("1.8.0", ["13"])],
            ["(7*kWh)(8)"],
        ),
        # A password or a written value is no question.
        (
            b"\x021.8.0(12*kWh)\x03x\x01P1\x02(0000)\x03a\x02(ERR4)\x03b\x01W1\x020.9.1(1)\x03c\x02(ERR5)\x03d",
            [("1.8.0", ["12"])],
            ["(ERR4)", "(ERR5)"],
        ),
        # Rows continue the set of their own frame, also where its address comes from the command.
        (
            b"\x021.8.0(12*kWh)\x03x\x01R1\x02ET0PE()\x037\x02(68.42)\r\n(45.54)\r\n(22.88)\r\n\x03f",
            [("1.8.0", ["12"]), ("ET0PE", ["68.42", "45.54", "22.88"])],
            [],
        ),
        # Several registers asked at once: a value for each, or nobody knows which.
        (
            b"\x01R1\x020.9.1() 0.9.2()\x03.\x02(174635) (310516)\x03/",
            [("0.9.1", ["174635"]), ("0.9.2", ["310516"])],
            [],
        ),
        (
            b"\x021.8.0(12*kWh)\x03x\x01R1\x020.9.1()0.9.2()\x03.\x02(174635)\x03/",
            [("1.8.0", ["12"])],
            ["(174635)"],
        ),
    ],
)
def test_answers_without_address(
    dialogue: bytes, found: list[tuple[str, list[str]]], unparsed: list[str]
) -> None:
    reading = _explained(dialogue)
    assert _texts(reading) == found
    assert list(reading.unparsed) == unparsed


def test_log_that_says_everything_twice() -> None:
    log = (
        b"10:00 << \\STX 1.8.0(12*kWh)\\r\\n2.8.0(3*kWh)\\r\\n!\\r\\n\\ETX x\n"
        b"10:00 on_data: [ABC5]: 1.8.0(12*kWh)\n2.8.0(3*kWh)\n!\nnote (for 1.8.0 see page 3)\n"
    )
    assert _addresses(_explained(log)) == ["1.8.0", "2.8.0"]


@pytest.mark.parametrize(
    ("log", "address", "value"),
    [
        (b"[DEBUG] - DataSet: 1-0:1.8.0*255;0008048.375;kWh\n", "1-0:1.8.0*255", "0008048.375"),
        (
            b"Parsed reading (OBIS code=1.8.0, value=0008048.375, unit=kWh)\n",
            "1.8.0",
            "0008048.375",
        ),
    ],
)
def test_retold_by_a_program(log: bytes, address: str, value: str) -> None:
    (register,) = _explained(b"DataSet: MX174-0001;;\n" + log).registers
    assert (register.address, register.values[0]) == (address, (value, "kWh"))


def test_manual_with_control_characters_as_words() -> None:
    manual = (
        b"----> \n/?1! \n \n<---- \n/SAT6EX720 \n----> \nSOH R1 STX 0.9.1() 0.9.2() ETX . \n \n"
        b"<---- \nSTX 0.9.1(174635) 0.9.2(310516) ETX / \nSOH B0 ETX u \n"
    )
    assert _addresses(_explained(manual)) == ["0.9.1", "0.9.2"]


def test_table_with_command_and_answer() -> None:
    table = (
        b"| XE102 | `VOLTA()` | `VOLTA(228.93)`| none |\n| XE301 | `ET0PE()` | `ET0PE(1)(2)` |\n"
    )
    assert _addresses(_explained(table)) == ["VOLTA", "ET0PE"]


@pytest.mark.parametrize(
    ("line", "raw"),
    [
        (b"    /1234567890123", "/1234567890123"),
        (b"/NWA-HEATLINK", "/NWA-HEATLINK"),
        (b'Expect("/TPX5NEVX324.2307\r\n");', "/TPX5NEVX324.2307"),
        (b"15:48:40 : \xef\xbf\xbdH/PAX5EC3gr00006", "/PAX5EC3gr00006"),
        (b"/EBZ5DX3BZ06ETA_107                # '/' start marker", "/EBZ5DX3BZ06ETA_107"),
        (b"0.3.3(00250*imp/kWh)", None),
        (b"input/output of the meter", None),
        (b"// Total P", None),
        (b"/", None),
    ],
)
def test_names_in_files(line: bytes, raw: str | None) -> None:
    identification = _explained(line + b"\r\n1.8.0(1*kWh)\r\n").identification
    assert (None if identification is None else identification.raw) == raw


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"7EA0070321930F017E", b"1234", b"/?!\r\n", b"\x00\xff" * 40, NAME]
)
def test_no_telegram(data: bytes) -> None:
    with pytest.raises(NoTelegram, match=r"telegram\.txt"):
        _explained(data)


_PARTS = st.sampled_from([*WRITTEN.values(), b"\\x", b"\\", b"`", b"<STX>", b"\x02", b"!", b"0x"])


@given(st.lists(st.binary(max_size=60) | _PARTS, max_size=5).map(b"".join))
def test_any_file(data: bytes) -> None:
    try:
        reading = _explained(data)
    except NoTelegram:
        return
    assert reading.registers or reading.unparsed


# Beginnings of what is looked for, each made to be looked through again by the next one.
HOSTILE = [
    b"/abcd",
    b"x /abc5def ",
    b"/abc5\n",
    b"/?",
    b"\x01R1\x02",
    b"\x01R1\x021.8.0()\x03Z",
    b"\x01R1\x021.8.0()\x03Z\x02(1)\x03Z",
    b"\x02",
    b"\x021.8.0(1)\x03Z2.8.0(2)\n",
    b"\x03",
    b" ",
    b"  #",
    b"\t \n",
    b"'  \n",
    b"\\n ",
    b"\\",
    b"<STX>",
    b"SOH ",
    b"`",
    b"`a`a",
    b"00 ",
    b"0x",
    b"00112233: 0011 ",
    b"DataSet: ",
    b"DataSet: 1.8.0;",
    b"OBIS code=",
    b"OBIS code=1.8.0, value=",
    b"!\n",
    b"\n!1234",
    b"1.8.0(5)",
    b"1.8.0(5)\n",
    b"a",
    b"\xff",
]


def _try(data: bytes) -> None:
    with suppress(NoTelegram):
        _explained(data)


@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.parametrize(
    "around", [(b"", b""), (b"\x021.8.0(1)\x03x", b""), (b"\x01R1\x02", b"\x03x")]
)
def test_work_grows_with_the_size_alone(part: bytes, around: tuple[bytes, bytes]) -> None:
    before, behind = around
    size = 20_000 // len(part)
    one, two = (calls(lambda n=n: _try(before + n * part + behind)) for n in (size, 2 * size))  # type: ignore[misc]
    assert two <= 2 * one + 200


@pytest.mark.parametrize("part", HOSTILE)
def test_half_a_megabyte_of_anything_is_explained(part: bytes) -> None:
    # A pattern that goes back would not come to an end here.
    _try(b"\x021.8.0(1)\x03x" + part * (512 * 1024 // len(part)))


@pytest.mark.parametrize("part", HOSTILE)
def test_each_character_is_parsed_at_most_once(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = []

    def counted(block: bytes) -> tuple[list[DataSet], list[str]]:
        handed.append(len(block))
        return parse(block)

    monkeypatch.setattr("custom_components.iec62056.protocol.cli.telegram_file.parse", counted)
    data = part * (20_000 // len(part))
    _try(data)
    assert sum(handed) <= len(data) + 2


@pytest.mark.parametrize(
    "form",
    [
        "[{}]",
        "[ {} ]\n",
        "{}",
        '{{"type":"Buffer","data":[{}]}}',
        "payload: [{}]",
    ],
)
@pytest.mark.parametrize("between", [",", ", ", " ", ",\n", "; "])
@pytest.mark.parametrize("parity", [True, False])
def test_dump_in_decimal_numbers(form: str, between: str, parity: bool) -> None:
    sent = NAME + framed()
    octets = with_even_parity(sent) if parity else sent
    reading = explain(form.format(between.join(map(str, octets))).encode(), "dump.txt", NOW)
    assert [register.address for register in reading.registers] == WANTED
    assert reading.health.check is Verdict.RIGHT


@pytest.mark.parametrize("numbers", ["1, 2, 3", "300, " * 40, "7 " * 400, "1234567 " * 30])
def test_numbers_that_are_no_dump(numbers: str) -> None:
    with pytest.raises(NoTelegram):
        explain(numbers.encode(), "dump.txt", NOW)
