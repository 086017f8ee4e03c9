"""Made-up telegrams with the features of real ones."""

from collections.abc import Sequence
from functools import reduce
from operator import xor

LINES = (
    "0-0:F.F.0(00000000)",
    "0.0.0(70403112)",
    "0.9.1(174503)",
    "1.8.0(004711.815*kWh)",
    "1.8.1(003000.115*kWh)",
    "1.8.0*11(004600.001*kWh)",
    "1.6.0(03.125*kW)(3105160915)",
    "32.7(231.4*V)",
)


def text(lines: Sequence[str] = LINES) -> bytes:
    """The block of a readout without its end mark; a line may hold any octet, as the character of that number."""
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def framed(block: bytes | None = None, *, check: str = "xor") -> bytes:
    """A readout message STX block ! CR LF ETX BCC."""
    inner = (text() if block is None else block) + b"!\r\n\x03"
    checks = {
        "xor": reduce(xor, inner, 0),
        "sum": sum(inner) & 0x7F,
        "odd": (reduce(xor, inner, 0) + 3 + sum(inner)) % 127,
    }
    return b"\x02" + inner + (bytes([checks[check]]) if check in checks else b"")


def p1(lines: Sequence[str], name: str = "/ABC5\\2EXAMPLE") -> bytes:
    """A push telegram with CRC16."""
    body = f"{name}\r\n\r\n".encode("ascii") + text(lines) + b"!"
    crc = 0
    for character in body:
        crc ^= character
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 * (crc & 1))
    return body + f"{crc:04X}\r\n".encode("ascii")
