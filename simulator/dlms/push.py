"""Meters that push DLMS by themselves: their lists, ciphers and frames, and when they send."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
import re
from typing import override

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..log import Kind, Log
from ..manners import Manners
from ..meter import Content, Meter
from ..scenario import local_now
from ..wire import Conversation, Listen, Send
from .frames import build
from .things import date_time, name
from .values import array, i8, octets, scaler_unit, sized, struct, u16, u32

KEY = bytes.fromhex("5A17C0DE0F1E2D3C4B5A69788796A5B4")
AUTHENTICATION_KEY = bytes.fromhex("C3B2A1908F7E6D5C4B3A29180706F5E4")
UI_MORE, UI_LAST = 0x03, 0x13
LLC = b"\xe6\xe7\x00"

_SET = re.compile(r"([0-9.]+)\(([+-]?[0-9.]+)\*(k?)(Wh|varh|W|var|V|A)\)")
_UNITS = {"Wh": 30, "varh": 32, "W": 27, "var": 29, "V": 35, "A": 33}


def notification(body: bytes, moment: datetime | None, invoke: int = 1) -> bytes:
    """A data-notification."""
    when = b"\x00" if moment is None else b"\x0c" + date_time(moment)
    return b"\x0f" + invoke.to_bytes(4) + when + body


def ciphered(
    plain: bytes,
    title: bytes,
    counter: int,
    *,
    key: bytes = KEY,
    auth: bytes | None = None,
    control: int = 0x20,
) -> bytes:
    """General-glo-ciphering; with an authentication key, its tag of 12 octets too."""
    if auth is not None:
        control |= 0x10
    head = bytes([control]) + counter.to_bytes(4)
    iv = title.ljust(8, b"\0") + counter.to_bytes(4)
    sealed = AESGCM(key).encrypt(iv, plain, head[:1] + (auth or b""))
    content = head + sealed[: len(plain) + (0 if auth is None else 12)]
    return b"\xdb" + sized(title) + sized(content)


def hdlc(
    apdu: bytes, *, to: bytes = b"\xcf", source: bytes = b"\x02\x23", size: int = 2000
) -> list[bytes]:
    """Frames of one message, segmented where it is longer than `size` octets."""
    message = LLC + apdu
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    more = [place < len(parts) for place in range(1, len(parts) + 1)]
    return [
        build(to, source, UI_MORE if later else UI_LAST, part, more=later)
        for part, later in zip(parts, more, strict=True)
    ]


def in_blocks(
    apdu: bytes, *, to: bytes = b"\xce\xff", source: bytes = b"\x03", size: int = 110
) -> list[bytes]:
    """General block transfer: a whole frame for each block, of which only the first one has an LLC."""
    parts = [apdu[at : at + size] for at in range(0, len(apdu), size)]
    frames = []
    for number, part in enumerate(parts, 1):
        control = 0xC0 if number == len(parts) else 0x40
        block = b"\xe0" + bytes([control]) + number.to_bytes(2) + bytes(2) + sized(part)
        frames.append(build(to, source, UI_LAST, (LLC if number == 1 else b"") + block))
    return frames


def mbus(apdu: bytes, *, size: int = 245) -> list[bytes]:
    """M-Bus long frames. Data of more than 250 octets make a length that is cut to eight bits."""
    parts = [apdu[at : at + size] for at in range(0, len(apdu), size)]
    frames = []
    for number, part in enumerate(parts):
        last = 0x10 if number == len(parts) - 1 else 0
        content = bytes([0x53, 0xFF, number | last, 0x01, 0x67]) + part
        length = len(content) & 0xFF
        end = bytes([sum(content) & 0xFF, 0x16])
        frames.append(bytes([0x68, length, length, 0x68]) + content + end)
    return frames


def telegram(content: Content, ident: str) -> bytes:
    """A telegram of P1 with its CRC."""
    lines = content.block().replace(b"F.F(00000000)\r\n", b"")
    text = ident.encode("ascii") + b"\r\n\r\n" + lines + b"!"
    crc = 0
    for octet in text:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return text + f"{crc:04X}\r\n".encode("ascii")


class Values:
    """The numbers of a readout by their codes, in the base unit with so many decimals."""

    def __init__(self, content: Content) -> None:
        self._sets = {
            code: (Decimal(value) * (1000 if kilo else 1), unit)
            for code, value, kilo, unit in _SET.findall(content.block().decode("ascii"))
        }

    def raw(self, code: str, decimals: int = 0) -> int:
        """The number as it is sent."""
        return int(self._sets[code][0].scaleb(decimals))

    def scaled(self, code: str, scaler: int, encode: Callable[[int], bytes]) -> list[bytes]:
        """Code, number, scaler and unit."""
        unit = _UNITS[self._sets[code][1]]
        return [octets(name(code)), encode(self.raw(code, -scaler)), scaler_unit(scaler, unit)]


def _energies(values: Values) -> list[bytes]:
    return [u32(values.raw(code)) for code in ("1.8.0", "2.8.0", "3.8.0")]


def optical(content: Content, moment: datetime, counter: int) -> list[bytes]:
    """As an AM550 in Vienna: nine numbers without codes, encrypted, HDLC."""
    values = Values(content)
    powers = [u32(values.raw(code)) for code in ("1.7.0", "2.7.0", "3.7.0")]
    listed = [octets(date_time(moment)), *_energies(values), u32(0), *powers, u32(0)]
    plain = notification(struct(*listed), moment, counter)
    return hdlc(ciphered(plain, b"ISK\x69\x74\x0a\x0b\x0c", counter))


def wired(content: Content, moment: datetime, counter: int) -> list[bytes]:
    """As a Kaifa in Lower Austria: code, number, scaler and unit in turn, encrypted, in two M-Bus frames."""
    values = Values(content)
    listed = [octets(date_time(moment))]
    for code in ("1.8.0", "2.8.0", "3.8.0", "1.7.0", "2.7.0", "3.7.0"):
        listed += values.scaled(code, 0, u32)
    for code in ("32.7.0", "52.7.0", "72.7.0"):
        listed += values.scaled(code, -1, u16)
    for code in ("31.7.0", "51.7.0", "71.7.0"):
        listed += values.scaled(code, -2, u16)
    listed.append(octets(b"100123450007"))
    plain = notification(struct(*listed), moment, 0x80000000 | counter & 0xFFFF)
    return mbus(ciphered(plain, b"KFM\x67\x50\x01\x02\x03", counter))


def blocks(content: Content, moment: datetime, counter: int) -> list[bytes]:
    """As an E450 in Switzerland: a list of objects, then their values, in the clear, general block transfer."""
    values = Values(content)
    codes = ("1.8.0", "2.8.0", "3.8.0", "1.7.0", "2.7.0", "3.7.0", "32.7.0", "52.7.0", "72.7.0")
    own = [(40, "0-8:25.9.0"), (1, "0-0:42.0.0"), (8, "0-0:1.0.0")]
    objects = [*own, *((3, code) for code in codes)]
    entries = [struct(u16(kind), octets(name(code)), i8(2), u16(0)) for kind, code in objects]
    numbers = [
        (u16 if code[0] in "57" or code[:2] == "32" else u32)(values.raw(code)) for code in codes
    ]
    device = octets(b"LGZ1030010012345")
    body = struct(array(entries), device, octets(date_time(moment)), *numbers)
    return in_blocks(notification(body, moment, counter))


def p1(content: Content, moment: datetime, counter: int) -> list[bytes]:
    """As a Sagemcom in Luxembourg: a P1 telegram, encrypted and authenticated, with nothing around it."""
    text = telegram(content, "/Sag5\\253000001_D")
    return [
        ciphered(text, b"SAG\x67\x70\x07\x08\x09", counter, auth=AUTHENTICATION_KEY),
    ]


@dataclass(frozen=True, slots=True)
class Make:
    """What is pushed, at which speed in baud and how often in seconds. `even`: with a parity bit."""

    frames: Callable[[Content, datetime, int], list[bytes]]
    speed: int
    interval: float
    even: bool = False


MAKES = {
    "optical": Make(optical, 9600, 1.0),
    "wired": Make(wired, 2400, 5.0, even=True),
    "blocks": Make(blocks, 2400, 10.0, even=True),
    "p1": Make(p1, 115200, 10.0),
}


class PushMeter(Meter):
    """A meter that pushes as one of the makes does, and hears nothing.

    Its characters have ten bits on this wire, also where a parity bit would make them eleven.
    """

    @override
    def __init__(
        self,
        content: Content,
        make: Make,
        *,
        counter: int = 1,
        clock: Callable[[], datetime] = local_now,
    ) -> None:
        super().__init__(content, Manners(speed=make.speed, interval=make.interval))
        self.counter = counter
        self._make = make
        self._clock = clock

    @override
    def conversation(self, log: Log, speed_up: float) -> Conversation:
        """Its life, from power on."""
        following = self.now
        while True:
            following = max(following + self.manners.interval / speed_up, self.now)
            while (yield Listen(self.manners.speed, following, binary=True)) is not None:
                pass
            pushed = b"".join(self._make.frames(self.content, self._clock(), self.counter))
            self.counter += 1
            log.note(self.now, Kind.DATA, f"{len(pushed)} octets at {self.manners.speed}")
            yield Send(pushed, self.manners.speed, self.now)
