"""Values of COSEM with their types (Blue Book 4.1.5); numbers are int or Decimal, never float."""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple

from ..dlms_errors import DlmsMalformed


class Tag(IntEnum):
    """The types of Data, by the names of the Blue Book."""

    NULL_DATA = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOLEAN = 3
    BIT_STRING = 4
    DOUBLE_LONG = 5
    DOUBLE_LONG_UNSIGNED = 6
    OCTET_STRING = 9
    VISIBLE_STRING = 10
    UTF8_STRING = 12
    BCD = 13
    INTEGER = 15
    LONG = 16
    UNSIGNED = 17
    LONG_UNSIGNED = 18
    COMPACT_ARRAY = 19
    LONG64 = 20
    LONG64_UNSIGNED = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DELTA_INTEGER = 28
    DELTA_LONG = 29
    DELTA_DOUBLE_LONG = 30
    DELTA_UNSIGNED = 31
    DELTA_LONG_UNSIGNED = 32
    DELTA_DOUBLE_LONG_UNSIGNED = 33
    DONT_CARE = 255


@dataclass(frozen=True, slots=True)
class Bits:
    """A bit-string; the first bit is the most significant one of `number`."""

    number: int
    length: int


@dataclass(frozen=True, slots=True)
class TypeDescription:
    """The type of the elements of a compact array; `count` of an array within it."""

    tag: Tag
    parts: tuple[TypeDescription, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class CompactArray:
    """An array whose elements share one type description."""

    description: TypeDescription
    elements: tuple[Data, ...]


# What stands for an octet that is no UTF-8: the same octet as Latin-1.
_LATIN_1 = {0xDC00 | octet: octet for octet in range(0x80, 0x100)}

type Plain = bool | int | Decimal | bytes | str | Bits | CompactArray | tuple[Data, ...] | None


class Data(NamedTuple):
    """One value with its type. Arrays and structures hold a tuple; dates and octet-strings are octets.

    A named tuple, as it is made ten thousand times for one object list.
    """

    tag: Tag
    value: Plain = None

    @property
    def items(self) -> tuple[Data, ...]:
        """The elements of an array, compact array or structure. Raises DlmsMalformed where it is none."""
        if isinstance(self.value, tuple):
            return self.value
        if isinstance(self.value, CompactArray):
            return self.value.elements
        raise DlmsMalformed(why="a list was expected")

    @property
    def integer(self) -> int:
        """The value of a whole number or enumeration. Raises DlmsMalformed where it is none."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return self.value
        raise DlmsMalformed(why="a whole number was expected")

    @property
    def octets(self) -> bytes:
        """The value of an octet-string or date. Raises DlmsMalformed where it is none."""
        if isinstance(self.value, bytes):
            return self.value
        raise DlmsMalformed(why="an octet-string was expected")


NULL = Data(Tag.NULL_DATA)


def shown(string: str) -> str:
    """A string as it can be stored and shown: octets that are no UTF-8 are Latin-1."""
    return string.translate(_LATIN_1)


def structure(*items: Data) -> Data:
    """A structure of these values."""
    return Data(Tag.STRUCTURE, items)


def array(*items: Data) -> Data:
    """An array of these values."""
    return Data(Tag.ARRAY, items)


def octet_string(octets: bytes) -> Data:
    """An octet-string."""
    return Data(Tag.OCTET_STRING, octets)
