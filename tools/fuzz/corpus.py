"""Where a fuzzer begins: made-up pieces with the features of what real meters send."""

from datetime import UTC, datetime

from simulator.dlms.push import AUTHENTICATION_KEY, ciphered, hdlc, in_blocks, mbus, notification
from simulator.dlms.things import date_time, name
from simulator.dlms.values import array, enum, i8, octets, scaler_unit, struct, u16, u32
from tests.protocol.dlms.test_fuzz import ANSWERS, VALUES
from tests.protocol.dlms.wire import frame
from tests.protocol.telegrams import LINES, framed, p1, text

NAMES = (
    b"/LGZ4ZMX100AC.M99\r\n",
    b"/EMH5\\@901D4EM4TX      000\r\n",
    b"/ABC5\\2EXAMPLE \r\n",
    b"/XYZ0heat*70 M\r",
    b"/EKT5CE3xxv9\r\n",
)

# Lines whose like stand in telegrams of real meters, however odd.
ODD = (
    b"0.0(12345678        )\r\n",
    b"C.1.1(        )\r\n",
    b"1.8.0*01(0123.4*kWh)(26-01-01 00:00)\r\n",
    b"1.8.0&02(0123.4*kWh)\r\n",
    b"1.6.1(01.250)(2605171215)(02.500*kW)\r\n",
    b"21.7.255*255(000123.45*W)\r\n",
    b"1-1:F.F(0000000)\r\n",
    b"0-1:24.3.0(260517120000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00012.345)\r\n",
    b"0-0:96.13.0(303132333435363738)\r\n",
    b"9.4(098.5*C&096.1*C)\r\n",
    b"6.8(0012.34*GJ)6.26(00123.45*m3)9.21(65432109)\r\n",
    b"6.36(01-01)6.6(0009.9*kW)6.33(000.1*m3ph)9.4(90*C&60*C)\r\n",
    b"1.8.0(000000*kWh)!000000*kWh!\r\n",
    b"ET0PE(45.6)(12.3)(33.3)\r\n",
    b"V\xb0(23*\xb0C)\r\n",
    b"8.8(******)\r\n",
    b"1-0:1.8.0*255(0012*)\r\n",
    b"96.1.0(???)\n\n13.7.0(0.98)\n",
    b"0-0:C.90.2(4B616D20)\r\n",
    b"1.8.0(1E5)\r\n2.8.0(-0.5)\r\n3.8.0(+7)\r\n4.8.0(1,5)\r\n",
    b"garb)1.8.0(77*kWh)x\r\n",
    b"1.8.\x000(7*kWh)\r\n",
)

PROFILE = (
    b"P.01(260329014500)(08)(15)(2)(1.5)(kW)(2.5)(kW)\r\n(0.04)(0.00)\r\n(0.10)(0.01)\r\n"
    b"P.01(1260517120000)(00000040)(60)(1)(1.29)(kWh)(0.5)(0.6)\r\n"
)
LOG = b"P.98(ERROR)\r\nP.98(260517120000)(0040)()(2)(0.9.1)()(0.9.2)()(120001)(260517)\r\nP.99(260101000000)(A1)()(0)()()\r\n"

COMMANDS = (
    b"\x01P0\x02(1234ABCD)\x03",
    b"\x01B0\x03q",
    b"\x021.8.0(000123.4*kWh)\x03",
    b"\x02(00123.4)(00001.2)\x03",
    b"\x02ET0PE(1.0)\r\n(2.0)\r\n\x04",
    b"\x02(ERROR05)\x03",
    b"\x02(ERR12)\x03",
    b"\x06",
    b"\x15",
)

DUMP = (
    b"0000: 2f4c 475a 340d 0a02 312e 382e 3028 312a  /LGZ4...1.8.0(1*\n"
    b"0010: 6b57 6829 0d0a 210d 0a03                 kWh)..!...\n"
)
STORED = (
    DUMP,
    b"2F 4C 47 5A 34 41 0D 0A 02 31 2E 38 2E 30 28 31 29 0D 0A 21 0D 0A 03 11",
    rb"b'/LGZ4A\r\n\x021.8.0(1*kWh)\r\n!\r\n\x03\x11'",
    b"<STX>1.8.0(1*kWh)<CR><LF>\n!<CR><LF>\n<ETX><BCC>",
    b"DataSet: 1.8.0;12.5;kWh\nOBIS code=1-0:1.8.0*255, value=1, unit=kWh)\n",
    b"| 1 | `R1 1.8.0()` | `STX 1.8.0(5*kWh) ETX` |\n",
)

MESSAGES = tuple(b"\xe6\xe7\x00" + answer for answer in ANSWERS)
FRAMES = (
    frame(0x73, bytes.fromhex("8180140502008006020080070400000001080400000001")),
    *(frame(0x30, message) for message in MESSAGES[:3]),
    frame(0x11),
    frame(0x15),
    frame(0x1F),
    frame(0x97),
)

# How one utterance of a meter begins in the targets of whole sessions, see `fed`.
NEXT = b"\xfe"

READOUT = (
    b"\x02" + NEXT + b"\x02" + NAMES[0] + NEXT + b"\x03" + framed(),
    b"\x03" + NEXT + b"\x01" + NAMES[0] + NEXT + b"\x03" + framed(check="sum"),
    b"\x02" + NEXT + b"\x02" + NAMES[3] + b"\x02" + b"".join(ODD) + b"!\r\n\x03",
    b"\x02" + NEXT + b"\x41" + p1(LINES) + NEXT + b"\x41" + p1(LINES) + NEXT + b"\x41" + p1(LINES),
    b"\x02" + NEXT + b"\x21\x7f\x00x",
    b"\x02" + NEXT + b"\x21" + b"1.8.0(7)\r\n",
    b"\x02" + NEXT + b"\x02" + NAMES[1] + NEXT + b"\x22\x02(1)\r\n",
    b"\x02"
    + NEXT
    + b"\x02"
    + NAMES[1]
    + NEXT
    + b"\x1f"
    + NEXT
    + b"\x02"
    + NAMES[1]
    + NEXT
    + b"\x02"
    + framed(),
)
DIALOGUE = (
    b"\x02" + NEXT + b"\x02" + NAMES[4] + b"".join(NEXT + b"\x02" + one for one in COMMANDS),
    b"\x02"
    + NEXT
    + b"\x02"
    + NAMES[1]
    + NEXT
    + b"\x02"
    + COMMANDS[0]
    + NEXT
    + b"\x22"
    + COMMANDS[4],
    b"\x02" + NEXT + b"\x02" + NAMES[0] + NEXT + b"\x03" + framed(),
)
ASSOCIATION = (
    b"\x02" + b"".join(NEXT + b"\x00" + one for one in (ANSWERS[-1], *ANSWERS[:6])),
    b"\x02" + b"".join(NEXT + b"\x80" + one for one in FRAMES),
    b"\x02" + NEXT + b"\x00" + ANSWERS[-1] + NEXT + b"\xa0" + FRAMES[5] + NEXT,
    b"\x02" + NEXT + b"\x00" + ANSWERS[-1] + NEXT + b"\x80" + FRAMES[4],
)

STREAMS = (
    *(name + framed() for name in NAMES),
    NAMES[0] + framed(b"".join(ODD)),
    p1(LINES) * 2,
    b"3)\r\n!0000\r\n" + p1(LINES),
    NAMES[2] + b"\r\n" + b"".join(ODD) + b"!\r\n",
    NAMES[1] + COMMANDS[0],
    b"/?!\r\n" + NAMES[0] + text() + b"1.8.0(1",
    b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01\x76",
    b"\x7e\xa0\x10\x41\x03\x13" + bytes(12) + b"\x7e",
)

_LIST = struct(
    octets(date_time(datetime(2031, 5, 17, 8, tzinfo=UTC))),
    *(octets(name("1.8.0")), u32(4711), scaler_unit(0, 30)),
    *(octets(name("32.7.0")), u16(2301), scaler_unit(-1, 35)),
    octets(b"100200300400"),
)
_OBJECTS = struct(
    array([struct(u16(3), octets(name(code)), i8(2), u16(0)) for code in ("0-8:25.9.0", "31.7.0")]),
    u16(46),
)
_PLAIN = notification(_LIST, None)
_TITLE = b"KFM\x01\x02\x03\x04\x05"
PUSHES = (
    b"".join(hdlc(_PLAIN, size=40)),
    b"".join(hdlc(ciphered(_PLAIN, _TITLE, 1)) + hdlc(ciphered(_PLAIN, _TITLE, 2))),
    b"".join(mbus(ciphered(_PLAIN, _TITLE, 1), size=60)),
    b"".join(in_blocks(notification(_OBJECTS, None), size=30)),
    ciphered(_PLAIN, _TITLE, 1, auth=AUTHENTICATION_KEY),
    b"/KFM5meter\r\n\r\n" + ciphered(p1(LINES), _TITLE, 1, auth=AUTHENTICATION_KEY) + b"!0000\r\n",
)
LISTS = (
    _LIST,
    _OBJECTS,
    struct(struct(octets(name("1.7.0")), u32(5), scaler_unit(0, 27))),
    b"\x02\x02" + enum(1) + b"\x01\x01\x02\x02\x00\x03" + name("1.8.0") + b"\x02" + u32(7),
    struct(octets(bytes(12)), *(u32(number) for number in range(8))),
)

SEEDS: dict[str, tuple[bytes, ...]] = {
    "messages": (*NAMES, *COMMANDS, framed()),
    "datasets": (text(), *ODD, PROFILE, LOG),
    "receive": STREAMS,
    "listen": STREAMS,
    "answers": (*COMMANDS, *ODD, *(one + b"!" for one in COMMANDS)),
    "telegram": (*STREAMS, *STORED, PROFILE),
    "profile": (PROFILE, LOG),
    "echo": (b"\x04/?!\r\n" + NAMES[0], b"\x08/?!\r\n/?!\r\n", b"\x30" + COMMANDS[1] * 3),
    "values": tuple(line.encode("ascii") for line in LINES) + ODD,
    "frames": FRAMES,
    "axdr": (*VALUES, *ANSWERS),
    "services": tuple(ANSWERS),
    "reading": READOUT,
    "discovery": READOUT,
    "push": READOUT,
    "programming": DIALOGUE,
    "binary": ASSOCIATION,
    "pushed": PUSHES,
    "pushed_list": LISTS,
    "pushed_file": (*PUSHES, _PLAIN, *(one.hex().encode("ascii") for one in PUSHES)),
}

WORDS = (
    *(b"\x01", b"\x02", b"\x03", b"\x04", b"\x06", b"\x15", b"\r\n", b"\n", b"!", b"(", b")", b"*"),
    *(
        b"/",
        b"\\W",
        b"\x7e",
        b"\x00",
        b"&",
        b"1.8.0",
        b"0-0:96.1.0",
        b"kWh",
        b"!\r\n\x03",
        b"P.01(",
    ),
    *(b"\xe6\xe7\x00", b"\x84\xff\xff\xff\xff", b"\x13\x01\xff\xff", b"\x01\x01", b"\xc4\x02\xc1"),
    *(NEXT + b"\x02", NEXT + b"\x22", NEXT + b"\x42", NEXT + b"\x80"),
)
