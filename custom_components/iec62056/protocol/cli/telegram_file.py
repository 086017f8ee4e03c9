"""Turns a stored telegram into a reading: text, bytes with or without parity bits, a hex dump, part of a log."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime
import re
from typing import NamedTuple

from .. import obis
from ..ascii import checks, messages
from ..ascii.datasets import parse
from ..ascii.registers import as_sent, registers
from ..errors import NoTelegram
from ..model import (
    MODE_B_SPEEDS,
    CheckKind,
    DataSet,
    Health,
    Identification,
    LineProfile,
    ParitySeen,
    Reading,
    Verdict,
)

MAX_FILE = 4 * 1024 * 1024

# In all the patterns below, what one attempt has looked through in vain is not looked through by the next: a few
# megabytes of mere beginnings would not come to an end.

_CONTROLS = {
    b"SOH": b"\x01",
    b"STX": b"\x02",
    b"ETX": b"\x03",
    b"EOT": b"\x04",
    b"ACK": b"\x06",
    b"NAK": b"\x15",
    b"CR": b"\r",
    b"LF": b"\n",
    b"BCC": b"",
}
_SIGNS = {b"r": b"\r", b"n": b"\n", b"t": b"\t"}

# A dump as xxd writes it (one blank between groups), as hexdump and loggers do, or bare digits.
_XXD = re.compile(rb"[0-9A-Fa-f]{4,8}:((?: [0-9A-Fa-f]{2,4})++)(?:  .*)?")
_DUMP = re.compile(rb"(?:[0-9A-Fa-f]{6,8}[ \t]+)?((?:(?:0x)?[0-9A-Fa-f]{2}[ ,\t]*+)++)(?:\|.*)?")
_DIGITS = re.compile(rb"0x|[ ,\t]")
# Numbers in brackets or bare, perhaps with a few words before them: {"type":"Buffer","data":[47,...]}.
_DECIMALS = re.compile(rb"\s*+(?:[^\[\]]{0,64}\[\s*+)?+([0-9][0-9,; \t\r\n]*+)(?:\][\s}]*+)?+")
_NUMBER = re.compile(rb"[0-9]++")
_LEAST_DECIMALS = 16

_NAMES = b"|".join(name for name in _CONTROLS if len(name) == 3)
_ESCAPED = re.compile(rb"\\r\\n|\\x[0-9A-Fa-f]{2}|\\(?:%b)\b|<(?:%b|CR|LF)>" % (_NAMES, _NAMES))
_ESCAPE = re.compile(
    rb"\\x(?P<code>[0-9A-Fa-f]{2})|\\(?P<slash>%b) ?|<(?P<angle>%b|CR|LF)>|\\(?P<sign>[rnt'\"\\])"
    % (_NAMES, _NAMES)
)
# Where line ends are spelt out, the document's own are not the meter's; string literals side by side are one.
_OWN_LINE_END = re.compile(rb"((?:\\r)?\\n|<CR><LF>)[ \t]*\r?\n[ \t]*")
_LITERALS = re.compile(rb"(['\"])[ \t]*\r?\n[ \t]*b?\1")
# Manuals print control characters as words between blanks, and tables in documents the command before its answer.
_WORDS = re.compile(rb"(?:^|(?<= ))(SOH|STX|ETX|EOT|ACK|NAK)(?: |$)", re.MULTILINE)
_ANSWER_IN_TABLE = re.compile(rb"^[^`\n]*`[^`\n]*`[^\n]*`([^`\n]+)`[^`\n]*$", re.MULTILINE)
_REMARK = re.compile(rb"(?<![ \t])[ \t]{2,}+# .*")
_ODD_ONES = bytes(code for code in range(256) if code.bit_count() % 2)

_CONTROL = re.compile(rb"[\x01-\x06\x15]")
_REQUEST = re.compile(rb"/\?[^!\r\n]{0,40}![ \t]*(?:\r?\n)?")
_COMMAND = re.compile(rb"\x01([PWREB])[0-9] ?(?:\x02([^\x01-\x04]*+))?[\x03\x04].?", re.DOTALL)
_ADDRESS = re.compile(rb"(?<![^\x00-\x20()\x7f-\xff])([^\x00-\x20()\x7f-\xff]++)\(")
_FRAME = re.compile(rb"\x02([^\x03]*)(?:(\x03)(.?)|\Z)", re.DOTALL)
_CRC = re.compile(rb"(/[^/!]{0,16384}?[\r\n]!)([0-9A-Fa-f]{3,4})[ \t]*(?:[\r\n]|\Z)")
_NAMED = re.compile(rb"/[^\r\n'\"()/]{4,%d}" % messages.MAX_IDENTIFICATION)
_LINE_END = re.compile(rb"\r\n|\r|\n")
# Lines up to one with a "!", or as many as are parsed at once.
_BLOCK = re.compile(rb"[^!]{0,65536}+[^\r\n]*+[\r\n]*+")

_SPEEDS = frozenset((*MODE_B_SPEEDS, *"0123456789"))

# Programs that print what they understood, not what came: openHAB, vzlogger.
_RETOLD = re.compile(
    rb"DataSet: (?P<a>[^;\r\n]{1,64}+);(?P<v>[^;\r\n]*);(?P<u>[^;\r\n]*)"
    rb"|OBIS code=(?P<b>[^,\r\n]{1,64}+), value=(?P<w>[^,\r\n]*), unit=(?P<x>[^)\r\n]*)"
)


class _Asked(NamedTuple):
    """A command to read: where in the stream it stood, and the addresses in it."""

    at: int
    addresses: list[str]


def explain(data: bytes, name: str, received: datetime) -> Reading:
    """The reading in what a file holds: all data sets that a meter sent, in order, also out of several answers.

    `name` is for the error's sentence. Raises NoTelegram where no data set is found.
    """
    stream, parity = characters(data[:MAX_FILE])
    identification = _identification(stream)
    # What a client asked is no data of the meter.
    stream, asked = _without_commands(_REQUEST.sub(b"\n", stream))
    datasets, unparsed = _datasets(stream, asked)
    if not datasets:
        raise NoTelegram(name=name)
    judged = list(_checks(stream))
    medium = obis.infer_medium(identification, datasets)
    found, homeless = registers(datasets, medium)
    return Reading(
        identification=identification,
        registers=found,
        received=received,
        health=Health(
            check=_verdict(judged),
            check_kind=checks.kind(LineProfile(), judged[0]) if judged else CheckKind.NONE,
            parity=parity,
            characters=len(stream),
        ),
        unparsed=tuple(
            text
            for text in (*unparsed, *homeless)
            if identification is None or text != identification.raw
        ),
        raw=stream,
    )


def characters(data: bytes) -> tuple[bytes, ParitySeen]:
    """The characters out of any way to write them down, bit 7 removed where it is parity; and what bit 7 carried."""
    data = _from_dump(data) or data
    if not data.isascii() and len(data.translate(None, _ODD_ONES)) > 0.9 * len(data):
        return bytes(code & 0x7F for code in data), ParitySeen.EVEN
    if _ESCAPED.search(data):
        data = _OWN_LINE_END.sub(rb"\1", _LITERALS.sub(b"", data))
        data = _ESCAPE.sub(_unescape, data)
    elif not _CONTROL.search(data):
        data = _WORDS.sub(lambda word: _CONTROLS[word[1]], data)
    data = _ANSWER_IN_TABLE.sub(rb"\1", data)
    return _REMARK.sub(b"", data), ParitySeen.UNKNOWN


def dumped(data: bytes) -> bytes | None:
    """The bytes of a dump, None where the data are none. Lines that begin with # are remarks."""
    lines = [line.strip() for line in data.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(b"#")]
    for form in (_XXD, _DUMP):
        found = [form.fullmatch(line) for line in lines]
        if lines and all(found):
            digits = b"".join(_DIGITS.sub(b"", line[1]) for line in found if line is not None)
            return bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
    return None


def _from_decimals(data: bytes) -> bytes | None:
    """The bytes of a list of decimal numbers, as programs print a buffer; None where the data are none."""
    found = _DECIMALS.fullmatch(data)
    numbers = [] if found is None else _NUMBER.findall(found[1])
    if len(numbers) < _LEAST_DECIMALS or any(len(number) > 3 for number in numbers):
        return None
    codes = [int(number) for number in numbers]
    fits = max(codes) < 256 and any(code & 0x7F in b"(/" for code in codes)
    return bytes(codes) if fits else None


def _from_dump(data: bytes) -> bytes | None:
    """The characters of a dump in hexadecimal or decimal numbers, None where the data are none."""
    octets = dumped(data)
    if octets is None:
        return _from_decimals(data)
    # A number alone is also hexadecimal; a telegram has its brackets or its slash.
    return octets if any(code & 0x7F in b"(/" for code in octets) else None


def _unescape(found: re.Match[bytes]) -> bytes:
    if found["code"]:
        return bytes.fromhex(found["code"].decode("ascii"))
    if control := found["slash"] or found["angle"]:
        return _CONTROLS[control]
    return _SIGNS.get(found["sign"], found["sign"])


def _identification(stream: bytes) -> Identification | None:
    """The first line that names a meter.

    Slashes stand in units and prose too: a name begins its line, or its line has no data and its speed is one.
    """
    for line in _LINE_END.split(stream):
        begins = len(line) - len(line.lstrip(b" \t\x00\x7f"))
        before_data = line.partition(b"(")[0]
        for found in _NAMED.finditer(line):
            start = found.start()
            # A backslash at the end is a document's line break.
            identification = messages.identification(found[0].removesuffix(b"\\"))
            if identification is None:
                continue
            if start == begins or line[start - 1 : start] in (b"'", b'"', messages.ETX):
                return identification
            speed = identification.speed_character
            if start < len(before_data) and identification.flag.isalpha() and speed in _SPEEDS:
                return identification
    return None


def _without_commands(stream: bytes) -> tuple[bytes, list[_Asked]]:
    """What the meter said, and what it was asked where."""
    kept = bytearray()
    asked: list[_Asked] = []
    end = 0
    for command in _COMMAND.finditer(stream):
        kept += stream[end : command.start()] + b"\n"
        end = command.end()
        addresses = _ADDRESS.findall(command[2] or b"") if command[1] == b"R" else []
        asked.append(_Asked(len(kept), [address.decode("latin-1") for address in addresses]))
    return bytes(kept + stream[end:]), asked


def _datasets(stream: bytes, asked: list[_Asked]) -> tuple[list[DataSet], list[str]]:
    """The data sets of all frames; then those outside of frames, unless a log only says them again."""
    framed: list[DataSet] = []
    unparsed: list[str] = []
    outside = bytearray()
    end = 0
    to_come = deque(asked)
    for frame in _FRAME.finditer(stream):
        outside += stream[end : frame.start()] + b"\n"
        addresses: list[str] = []
        while to_come and to_come[0].at <= frame.start():
            ask = to_come.popleft()
            if ask.at >= end:
                addresses = ask.addresses
        end = frame.end()
        sets = _parse(frame[1], unparsed)
        _give_address(sets, addresses, unparsed)
        framed += sets
    outside += stream[end:]
    others = _parse(_RETOLD.sub(_as_data_set, bytes(outside)), unparsed)
    if not framed:
        return others, unparsed
    known, sent = set(framed), set(_ADDRESS.findall(outside))
    return framed + [
        other
        for other in others
        if other not in known
        and other.address is not None
        and obis.parse(other.address)
        and other.address.encode("latin-1") in sent
    ], unparsed


def _give_address(sets: list[DataSet], asked: list[str], unparsed: list[str]) -> None:
    """An answer needs no address (Std 6.6): it belongs to what was asked, never to the frame before.

    Where no request is seen, the values cannot be understood.
    """
    count = next((at for at, found in enumerate(sets) if found.address is not None), len(sets))
    if not count:
        return
    first = sets[0].values
    if len(asked) == 1:
        sets[0] = DataSet(asked[0], first)
    elif count == 1 and asked and len(first) == len(asked):
        # One command for several registers: a value for each (SATEC).
        sets[:1] = [DataSet(*pair) for pair in zip(asked, zip(first), strict=True)]
    else:
        unparsed += (as_sent(found.values) for found in sets[:count])
        del sets[:count]


def _as_data_set(found: re.Match[bytes]) -> bytes:
    """A retold data set in the notation of Std 6.6, on a line of its own."""
    address = found["a"] or found["b"]
    if obis.parse(address.decode("latin-1")) is None:
        return b""
    value = found["v"] if found["a"] else found["w"]
    unit = found["u"] or found["x"]
    return b"\n%b(%b%b)\n" % (address, value, b"*" + unit if unit else b"")


def _parse(text: bytes, unparsed: list[str]) -> list[DataSet]:
    """Parse block after block: a stored stream may hold many telegrams, each with its own end."""
    datasets: list[DataSet] = []
    for block in _BLOCK.findall(text):
        found, left = parse(block)
        datasets += found
        unparsed += left
    return datasets


def _checks(stream: bytes) -> Iterator[frozenset[CheckKind]]:
    """Which kinds fit, for each frame and each push telegram that has a check."""
    for frame in _FRAME.finditer(stream):
        if not frame[2] or not frame[3]:
            continue
        fits = _judge(frame[1] + frame[2], frame[3])
        # Where the check was left out, a document's line end stands in its place.
        if fits or frame[3] not in b"\r\n":
            yield fits
    for telegram in _CRC.finditer(stream):
        yield _judge(telegram[1], telegram[2])


def _judge(block: bytes, check: bytes) -> frozenset[CheckKind]:
    """As sent, else with the CR that editors and terminals take away put back."""
    return messages.judge(block, check) or messages.judge(_LINE_END.sub(b"\r\n", block), check)


def _verdict(judged: list[frozenset[CheckKind]]) -> Verdict:
    if not judged:
        return Verdict.ABSENT
    return Verdict.RIGHT if all(judged) else Verdict.WRONG
