"""The messages of modes A to D as characters: encode, decode, check characters."""

from collections.abc import Sequence
import re

from ..errors import BadField
from ..model import CheckKind, Identification, Value
from ..reasons import Field

SOH = b"\x01"
STX = b"\x02"
ETX = b"\x03"
EOT = b"\x04"
ACK = b"\x06"
NAK = b"\x15"

STAY = "0"
# Std 6.4.5.2, 6.4.5.3: what is selected behind an identification.
READOUT = "0"
PROGRAMMING = "1"

# Std 6.3.14: the longest each field may be. A value may have 128 characters in programming mode C.
MAX_ADDRESS = 32
MAX_QUERY = 4
MAX_ID = 16
MAX_VALUE = 128
MAX_UNIT = 16
MAX_VALUES = 8
MAX_IDENTIFICATION = 80
# The longest push telegram met has 4 kB. Its CRC is made octet by octet: 100 kB would hold whatever else runs.
MAX_PUSH = 16 * 1024

# Std 6.3.14 items 18 to 20, and the national R5, R6 and W5.
_DIGITS = {"P": "012", "W": "12345", "R": "123456", "E": "2", "B": "01"}
COMMANDS = frozenset(letter + digit for letter, digits in _DIGITS.items() for digit in digits)

_ADDRESS = re.compile(r"[0-9A-Za-z ]*", re.ASCII)
_QUERY = re.compile(r"[!-~]+", re.ASCII)
_OPTION = re.compile(r"[0-9A-Za-z]", re.ASCII)
_TEXT = re.compile(r"[ -~]*", re.ASCII)
_FORBIDDEN = frozenset("()/!")

_IDENTIFICATION = re.compile(
    r"/(?P<flag>[ -~]{3})(?P<speed>[ -~])(?P<pairs>(?:\\[!-~])*)(?P<model>[ -~]*)", re.ASCII
)
# Noise, as it stands in a name: what no identification may hold (Std 6.3.14 item 14).
_NOISE = dict.fromkeys((*range(32), *range(127, 256)))

# The forms met: (ERROR), (ERR12), (ERROR05) as Std 6.3.7 suggests, ER(23), (#0004), (#ERR00001).
_ERROR = re.compile(
    rb"\s*(?:\((?P<text>#?ER[^()]{0,30}|#[0-9]{1,5})\)|(?P<bare>ER[A-Z]{0,4}\([0-9]{1,4}\)))\s*"
)


def _field(text: str, limit: int, *, also: str = "") -> str:
    """The text, if it may stand in a field of a data set; BadField says why not."""
    if len(text) > limit:
        raise BadField(why=Field.LONG)
    if not _TEXT.fullmatch(text):
        raise BadField(why=Field.CHARACTERS)
    if (_FORBIDDEN | set(also)) & set(text):
        raise BadField(why=Field.FORBIDDEN)
    return text


def request(address: str = "", query: str = "?") -> bytes:
    """The request message "/", query, address, "!" (Std 6.3.1).

    `query` is "?" in the standard, "2" or "#" with makes that have several lists. Raises BadField.
    """
    if len(address) > MAX_ADDRESS:
        raise BadField(why=Field.LONG)
    if not _ADDRESS.fullmatch(address):
        raise BadField(why=Field.NUMBER)
    _field(query, MAX_QUERY)
    if not _QUERY.fullmatch(query):
        raise BadField(why=Field.REQUEST)
    return f"/{query}{address}!\r\n".encode("ascii")


def option_select(speed_character: str, option: str = READOUT, procedure: str = "0") -> bytes:
    """The acknowledgement ACK V Z Y (Std 6.3.3): `speed_character` Z, `option` Y, `procedure` V. Raises BadField."""
    for text in (procedure, speed_character, option):
        if not _OPTION.fullmatch(text):
            raise BadField(why="it is not one digit or letter")
    return ACK + f"{procedure}{speed_character}{option}\r\n".encode("ascii")


def command(
    code: str,
    address: str = "",
    values: Sequence[Value] = (),
    *,
    check: CheckKind = CheckKind.XOR,
) -> bytes:
    """A command SOH C D STX data set ETX BCC (Std 6.3.4).

    Without `address` and `values` there is no data set, as in a break. A meter that announces no check character
    gets the standard's. Raises BadField.
    """
    if code not in COMMANDS:
        raise BadField(why="the standard has no such command")
    if len(values) > MAX_VALUES:
        raise BadField(why=f"it has more than {MAX_VALUES} values")
    body = _field(address, MAX_ID)
    for value in values:
        text = _field(value.text, MAX_VALUE, also="*")
        unit = "" if value.unit is None else "*" + _field(value.unit, MAX_UNIT, also="*")
        body += f"({text}{unit})"
    block = code.encode("ascii") + (STX + body.encode("ascii") if body else b"") + ETX
    return SOH + block + bytes([check_character(block, check)])


def sign_off(check: CheckKind = CheckKind.XOR, *, fast: bool = False) -> bytes:
    """The break SOH B0 ETX BCC (Std 6.3.10): ends a session from any point.

    B1 with a meter that was woken up `fast`; it acknowledges that (Annex B.2).
    """
    return command("B1" if fast else "B0", check=check)


def check_character(block: bytes, kind: CheckKind) -> int:
    """The check character of a block from the character behind the first SOH or STX up to ETX or EOT (Std 6.2).

    SUM is the arithmetic sum some makes send in its place (Energomera, SATEC).
    """
    if kind is CheckKind.SUM:
        return sum(block) & 0x7F
    # Half over half: a load profile of 200 kB must not hold whatever else runs.
    folded, size = int.from_bytes(block), len(block)
    while size > 1:
        size = (size + 1) // 2
        folded = folded >> 8 * size ^ folded & ((1 << 8 * size) - 1)
    return folded & 0x7F


def _crc_of(character: int) -> int:
    for _ in range(8):
        character = character >> 1 ^ (0xA001 if character & 1 else 0)
    return character


_CRC16 = tuple(map(_crc_of, range(256)))


def crc16(telegram: bytes) -> int:
    """CRC-16/ARC over "/" to "!" of a push telegram (DSMR P1 5.0.2, section 6.2)."""
    crc = 0
    for character in telegram:
        crc = crc >> 8 ^ _CRC16[(crc ^ character) & 0xFF]
    return crc


def judge(block: bytes, received: bytes) -> frozenset[CheckKind]:
    """Which kinds of check fit what was received behind a block; the empty set: none that is known.

    `received` is the one character behind ETX, the three or four hexadecimal digits behind "!" of a push
    telegram (some are not padded), or nothing where the meter sends no check.
    """
    if not received:
        return frozenset((CheckKind.NONE,))
    if len(received) == 1:
        return frozenset(
            kind
            for kind in (CheckKind.XOR, CheckKind.SUM)
            if check_character(block, kind) == received[0] & 0x7F
        )
    fits = len(block) <= MAX_PUSH and int(received, 16) == crc16(block)
    return frozenset((CheckKind.CRC16,) if fits else ())


def identification(line: bytes) -> Identification | None:
    r"""The identification message in a line without its CR LF (Std 6.3.2, 6.3.14 items 12 to 14 and 23 to 24).

    None where it is none, as the echo of a request is. Blanks at the end are part of it; any number of `\W`
    pairs may stand between the speed character and the model.
    """
    text = line[:MAX_IDENTIFICATION].decode("latin-1")
    # Noise may hold a slash of its own; no slash can stand inside an identification.
    text = text[text.rfind("/") :]
    found = _IDENTIFICATION.fullmatch(text.translate(_NOISE))
    if found is None or "!" in text:
        return None
    return Identification(
        raw=found[0],
        flag=found["flag"],
        speed_character=found["speed"],
        extensions=tuple(found["pairs"][1::2]),
        model=found["model"],
    )


def error_message(block: bytes) -> str | None:
    """The text of an error message (Std 6.3.7), None where the block is none."""
    found = _ERROR.fullmatch(block[:64])
    if found is None or len(block) > 64:
        return None
    return (found["text"] or found["bare"]).decode("ascii", "replace")


def is_break(frame: bytes) -> bool:
    """Whether a frame that begins with SOH is a break, whatever its check says (Std 6.3.10)."""
    return frame[:3] == SOH + b"B0"
