"""COSEM values as octets, and back as far as a meter needs: one function for each type."""

from collections.abc import Sequence

NULL, ARRAY, STRUCTURE, BOOLEAN, OCTETS = 0x00, 0x01, 0x02, 0x03, 0x09
# Length in octets of the types that have a fixed one.
_SIZES = {
    3: 1, 5: 4, 6: 4, 13: 1, 15: 1, 16: 2, 17: 1, 18: 2, 20: 8, 21: 8, 22: 1, 23: 4, 24: 8, 25: 12, 26: 5, 27: 4,
}  # fmt: skip


def length(count: int) -> bytes:
    """A length in front of what it counts."""
    if count < 128:
        return bytes([count])
    if count < 256:
        return bytes([0x81, count])
    return b"\x82" + count.to_bytes(2)


def sized(octets: bytes) -> bytes:
    """Octets behind their length."""
    return length(len(octets)) + octets


def null() -> bytes:
    """No value."""
    return b"\x00"


def boolean(value: bool) -> bytes:
    """Yes or no."""
    return bytes([3, value])


def u8(number: int) -> bytes:
    """Unsigned."""
    return b"\x11" + number.to_bytes(1)


def i8(number: int) -> bytes:
    """Integer."""
    return b"\x0f" + number.to_bytes(1, signed=True)


def u16(number: int) -> bytes:
    """Long-unsigned."""
    return b"\x12" + number.to_bytes(2)


def i16(number: int) -> bytes:
    """Long."""
    return b"\x10" + number.to_bytes(2, signed=True)


def u32(number: int) -> bytes:
    """Double-long-unsigned."""
    return b"\x06" + number.to_bytes(4)


def i32(number: int) -> bytes:
    """Double-long."""
    return b"\x05" + number.to_bytes(4, signed=True)


def enum(number: int) -> bytes:
    """Enumeration."""
    return b"\x16" + number.to_bytes(1)


def octets(content: bytes) -> bytes:
    """Octet-string."""
    return b"\x09" + sized(content)


def text(content: str) -> bytes:
    """Visible-string."""
    return b"\x0a" + sized(content.encode("ascii"))


def array(items: Sequence[bytes]) -> bytes:
    """Array of encoded values."""
    return b"\x01" + length(len(items)) + b"".join(items)


def struct(*items: bytes) -> bytes:
    """Structure of encoded values."""
    return b"\x02" + length(len(items)) + b"".join(items)


def scaler_unit(scaler: int, unit: int) -> bytes:
    """The attribute that says how a number is meant."""
    return struct(i8(scaler), enum(unit))


class Short(Exception):
    """What was sent ends too early, or is nothing a meter knows."""


class Cursor:
    """Octets of a client, from the first to the last."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    @property
    def left(self) -> int:
        """How many are left."""
        return len(self.content) - self.at

    def take(self, count: int) -> bytes:
        """The next ones."""
        if self.left < count:
            raise Short
        self.at += count
        return self.content[self.at - count : self.at]

    def one(self) -> int:
        """The next one."""
        return self.take(1)[0]

    def count(self) -> int:
        """A length."""
        first = self.one()
        return first if first < 128 else int.from_bytes(self.take(first - 128))

    def string(self) -> bytes:
        """Octets behind their length."""
        return self.take(self.count())

    def value(self) -> bytes:
        """One whole value, as it was encoded."""
        begin = self.at
        self._pass()
        return self.content[begin : self.at]

    def _pass(self) -> None:
        tag = self.one()
        if tag in (ARRAY, STRUCTURE):
            for _ in range(self.count()):
                self._pass()
        elif tag in (OCTETS, 0x0A, 0x0C):
            self.string()
        elif tag == 0x04:
            self.take((self.count() + 7) // 8)
        elif tag in _SIZES:
            self.take(_SIZES[tag])
        elif tag not in (NULL, 0xFF):
            raise Short


def element(tag: int, content: bytes) -> bytes:
    """An element of BER."""
    return bytes([tag]) + sized(content)


def elements(content: bytes) -> dict[int, bytes]:
    """The elements of a sequence of BER by their tags."""
    cursor = Cursor(content)
    found: dict[int, bytes] = {}
    while cursor.left:
        tag = cursor.one()
        found[tag] = cursor.string()
    return found
