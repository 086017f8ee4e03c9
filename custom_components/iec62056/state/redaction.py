"""Redaction of telegrams and texts: numbers that name a meter or its owner are masked.

A mask keeps the length and the class of each character, so that a telegram still reads alike.
"""

from collections.abc import Iterable, Iterator
import re
import string
from typing import Final

from ..protocol.model import Register
from ..protocol.push import TITLE_ADDRESS
from .identity import PADDING, plain

# Addresses that name the meter, its owner or its place: 0.0.x, C.1.x or 96.1.x, 42.0.0, the numbers of heat meters
# (9.20, 9.21, and 9.6 that repeats them), and the messages to the customer (96.13).
_NAMING: Final = (
    r"(?:\d{1,3}-\d{1,3}:)?"
    r"(?:0\.0(?:\.\d{1,3})?|(?:C|96)\.(?:1|13)(?:\.\d{1,3})?|42\.0\.0|9\.(?:20|21|6))"
    r"(?:[*&]\d{1,3})?"
)
_NAMING_ADDRESS: Final = re.compile(rf"{_NAMING}|{TITLE_ADDRESS}")
# Such an address with its brackets, the last of which may be cut off.
_NAMING_SET: Final = re.compile(rf"(?<![\d.:-]){_NAMING}((?:\([^()]*(?:\)|\Z))+)")
# An identification message or a request, where the number may stand too.
_OPENING: Final = re.compile(r"/[^\r\n]*")
_LONG_NUMBER: Final = re.compile(r"\d{8,}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")

# Shorter texts ("400", "R") stand in a telegram for much else.
SHORTEST_SECRET: Final = 5

# HDLC: what stands around a frame, and how its first octet begins.
_FLAG: Final = 0x7E
_FORMAT: Final = 0xA0

_MASK: Final = str.maketrans(
    string.digits + string.ascii_uppercase + string.ascii_lowercase, "9" * 10 + "X" * 26 + "x" * 26
)
_HEX_MASK: Final = str.maketrans(string.hexdigits, "9" * 10 + "a" * 6 + "A" * 6)


def secrets_of(registers: Iterable[Register]) -> frozenset[str]:
    """The texts in these registers that name the meter or its owner, as sent and as read."""
    texts = (
        text
        for register in registers
        if _NAMING_ADDRESS.fullmatch(register.address)
        for value in register.values
        for text in (value.text.strip(), plain(value.text))
    )
    return frozenset(text for text in texts if len(text) >= SHORTEST_SECRET and len(set(text)) > 1)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text, at its length, without what names a meter or its owner: known by its address or among `secrets`."""
    characters = list(text)
    for start, end in _spans(text, secrets):
        characters[start:end] = mask(text[start:end])
    return "".join(characters)


def redact_value(address: str, text: str, secrets: Iterable[str] = ()) -> str:
    """The text of a value, as `redact`."""
    return mask(text) if _NAMING_ADDRESS.fullmatch(address) else redact(text, secrets)


def mask(text: str) -> str:
    """Each character replaced by another of its class; text in hexadecimal stays text in hexadecimal."""
    # Without its padding, as `plain` takes it.
    core = text.strip(PADDING)
    if _HEX.fullmatch(core) and plain(core) != core:
        masked = bytes.fromhex(core).decode("ascii").translate(_MASK).encode().hex()
        return text.replace(core, masked.upper() if core == core.upper() else masked)
    if _HEX.fullmatch(text) and not text.isdigit():
        return text.translate(_HEX_MASK)
    return text.translate(_MASK)


def mask_frames(octets: bytes) -> bytes:
    """HDLC frames without what they carry: flags, format, length and control field stay, the rest becomes zeros."""
    masked = bytearray(len(octets))
    place = 0
    while place < len(octets):
        head = octets[place : place + 3]
        if head[0] != _FLAG:
            place += 1
            continue
        masked[place] = _FLAG
        place += 1
        if len(head) == 3 and head[1] & 0xF0 == _FORMAT:
            masked[place : place + 2] = head[1:]
            control = place + 2
            for _ in range(2):
                # The last octet of an address has bit 0 set.
                while control < len(octets) and not octets[control] & 1:
                    control += 1
                control += 1
            if control < len(octets):
                masked[control] = octets[control]
            place += max(2, (head[1] & 0x07) << 8 | head[2])
    return bytes(masked)


def _spans(text: str, secrets: Iterable[str]) -> Iterator[tuple[int, int]]:
    for found in _NAMING_SET.finditer(text):
        for bracket in re.finditer(r"[^()]+", found[1]):
            yield found.start(1) + bracket.start(), found.start(1) + bracket.end()
    for opening in _OPENING.finditer(text):
        for number in _LONG_NUMBER.finditer(opening[0]):
            yield opening.start() + number.start(), opening.start() + number.end()
    for secret in secrets:
        in_hex = secret.encode().hex()
        for form in {secret, in_hex, in_hex.upper()}:
            yield from (found.span() for found in re.finditer(re.escape(form), text))
