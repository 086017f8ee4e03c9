"""Encodes and decodes values in A-XDR (Blue Book 4.1.5, IEC 61334-6), with limits on depth, number and length."""

from collections.abc import Callable
import contextlib
from decimal import Decimal
import math
import struct
from typing import cast

from ..dlms_errors import DlmsMalformed, DlmsUnsent
from ..reasons import Unsent
from .data import NULL, Bits, CompactArray, Data, Plain, Tag, TypeDescription

# Real values are at most six deep (an object list, a load profile of structures).
MAX_DEPTH = 16
# An object list of 500 objects has some 40 000.
MAX_VALUES = 1 << 16

# Octets, and whether signed.
_INTEGERS = {
    Tag.DOUBLE_LONG: (4, True),
    Tag.DOUBLE_LONG_UNSIGNED: (4, False),
    Tag.BCD: (1, True),
    Tag.INTEGER: (1, True),
    Tag.LONG: (2, True),
    Tag.UNSIGNED: (1, False),
    Tag.LONG_UNSIGNED: (2, False),
    Tag.LONG64: (8, True),
    Tag.LONG64_UNSIGNED: (8, False),
    Tag.ENUM: (1, False),
    Tag.DELTA_INTEGER: (1, True),
    Tag.DELTA_LONG: (2, True),
    Tag.DELTA_DOUBLE_LONG: (4, True),
    Tag.DELTA_UNSIGNED: (1, False),
    Tag.DELTA_LONG_UNSIGNED: (2, False),
    Tag.DELTA_DOUBLE_LONG_UNSIGNED: (4, False),
}
_FIXED = {Tag.DATE_TIME: 12, Tag.DATE: 5, Tag.TIME: 4}
_STRINGS = {Tag.VISIBLE_STRING: "latin-1", Tag.UTF8_STRING: "utf-8"}
_FLOATS = {Tag.FLOAT32: ">f", Tag.FLOAT64: ">d"}
_EMPTY = frozenset((Tag.NULL_DATA, Tag.DONT_CARE))


# By tag: of whole numbers of one octet, all there are; of longer ones, how many octets they have with their tag, how
# they are unpacked, and the tag.
_ONE_OCTET: list[tuple[Data, ...] | None] = [None] * 0x100
_NUMBERS: list[tuple[int, Callable[[bytes, int], tuple[int]], Tag] | None] = [None] * 0x100
for _tag, (_size, _signed) in _INTEGERS.items():
    _form = struct.Struct(f">{'.bh.i...q'[_size] if _signed else '.BH.I...Q'[_size]}")
    if _size == 1:
        _ONE_OCTET[_tag] = tuple(
            Data(_tag, _form.unpack(bytes((octet,)))[0]) for octet in range(0x100)
        )
    else:
        _NUMBERS[_tag] = (_size + 1, _form.unpack_from, _tag)
_NULL, _ARRAY, _STRUCTURE, _OCTETS = 0, 1, 2, 9


class Reader:
    """A cursor over octets. Everything it gives is there: what is not raises DlmsMalformed."""

    def __init__(self, octets: bytes) -> None:
        """Begin at the first octet."""
        self._octets = octets
        self._at = 0
        self._values = 0

    @property
    def left(self) -> int:
        """How many octets are left."""
        return len(self._octets) - self._at

    def take(self, count: int) -> bytes:
        """The next octets."""
        if count > self.left:
            raise DlmsMalformed(why="it is cut short")
        self._at += count
        return self._octets[self._at - count : self._at]

    def octet(self) -> int:
        """The next octet."""
        return self.take(1)[0]

    def number(self, octets: int) -> int:
        """The next unsigned number of so many octets."""
        return int.from_bytes(self.take(octets))

    def length(self) -> int:
        """A length of one octet, or 8n and n octets (IEC 61334-6 6.10)."""
        if self._at >= len(self._octets):
            raise DlmsMalformed(why="it is cut short")
        first = self._octets[self._at]
        self._at += 1
        if first < 0x80:
            return first
        if not 1 <= first & 0x7F <= 4:
            raise DlmsMalformed(why="a length is none")
        return self.number(first & 0x7F)

    def string(self) -> bytes:
        """Octets with their length in front."""
        return self.take(self.length())

    def data(self) -> Data:
        """The next value with its tag."""
        self._count()
        return self._value(self._tag(), 0)

    def _tag(self) -> Tag:
        try:
            return Tag(self.octet())
        except ValueError:
            raise DlmsMalformed(why="it has a value of an unknown type") from None

    def _count(self, values: int = 1) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise DlmsMalformed(why="it has too many values")

    def _value(self, tag: Tag, depth: int) -> Data:
        if tag in _EMPTY:
            return NULL if tag is Tag.NULL_DATA else Data(tag)
        if tag in (Tag.ARRAY, Tag.STRUCTURE):
            return Data(tag, self._elements(depth))
        if tag is Tag.COMPACT_ARRAY:
            return Data(tag, self._compact_array(depth))
        return Data(tag, self._plain(tag))

    def _elements(self, depth: int) -> tuple[Data, ...]:
        count = self.length()
        if depth == MAX_DEPTH or count > self.left:
            raise DlmsMalformed(why="its lists are longer or deeper than they can be")
        self._count(count)
        octets, at = self._octets, self._at
        elements: list[Data] = []
        append, new = elements.append, tuple.__new__
        try:
            # Numbers, short strings and lists are taken here, without a call for each: an object list has ten thousand.
            for _ in range(count):
                tag = octets[at]
                if (known := _ONE_OCTET[tag]) is not None:
                    append(known[octets[at + 1]])
                    at += 2
                elif (number := _NUMBERS[tag]) is not None:
                    size, unpack, kind = number
                    append(new(Data, (kind, unpack(octets, at + 1)[0])))
                    at += size
                elif tag in (_STRUCTURE, _ARRAY):
                    self._at = at + 1
                    kind = Tag.STRUCTURE if tag == _STRUCTURE else Tag.ARRAY
                    append(new(Data, (kind, self._elements(depth + 1))))
                    at = self._at
                elif tag == _NULL:
                    append(NULL)
                    at += 1
                elif tag == _OCTETS and (length := octets[at + 1]) < 0x80:
                    string = octets[at + 2 : at + 2 + length]
                    if len(string) < length:
                        raise DlmsMalformed(why="it is cut short")
                    append(new(Data, (Tag.OCTET_STRING, string)))
                    at += 2 + length
                else:
                    self._at = at
                    append(self._value(self._tag(), depth + 1))
                    at = self._at
        except IndexError, struct.error:
            raise DlmsMalformed(why="it is cut short") from None
        self._at = at
        return tuple(elements)

    def _plain(self, tag: Tag) -> Plain:
        if kind := _INTEGERS.get(tag):
            return int.from_bytes(self.take(kind[0]), signed=kind[1])
        if size := _FIXED.get(tag):
            return self.take(size)
        if form := _FLOATS.get(tag):
            return _decimal(self.take(struct.calcsize(form)), form)
        if encoding := _STRINGS.get(tag):
            # What is no UTF-8 is kept, to be written as it was sent; `data.shown` makes text of it.
            return self.string().decode(encoding, "surrogateescape")
        if tag is Tag.BOOLEAN:
            return self.octet() != 0
        if tag is Tag.BIT_STRING:
            length = self.length()
            size = (length + 7) // 8
            return Bits(self.number(size) >> (size * 8 - length), length)
        return self.string()

    # Compact arrays (Blue Book 4.1.5): the type once, then the contents without tags.

    def _compact_array(self, depth: int) -> CompactArray:
        description = self._description(depth + 1)
        contents = Reader(self.string())
        contents._values = self._values
        elements = []
        while contents.left:
            before = contents.left
            elements.append(contents._described(description))
            if contents.left == before:
                raise DlmsMalformed(why="a list has elements without content")
        self._values = contents._values
        return CompactArray(description, tuple(elements))

    def _description(self, depth: int) -> TypeDescription:
        self._count()
        tag = self._tag()
        if depth >= MAX_DEPTH:
            raise DlmsMalformed(why="its lists are longer or deeper than they can be")
        if tag is Tag.ARRAY:
            count = self.number(2)
            return TypeDescription(tag, (self._description(depth + 1),), count)
        if tag is Tag.STRUCTURE:
            parts = range(self.length())
            return TypeDescription(tag, tuple([self._description(depth + 1) for _ in parts]))
        if tag is Tag.COMPACT_ARRAY:
            raise DlmsMalformed(why="a compact list holds another")
        return TypeDescription(tag)

    def _described(self, description: TypeDescription) -> Data:
        tag = description.tag
        self._count()
        if tag is Tag.ARRAY:
            part = description.parts[0]
            return Data(tag, tuple([self._described(part) for _ in range(description.count)]))
        if tag is Tag.STRUCTURE:
            return Data(tag, tuple([self._described(part) for part in description.parts]))
        if tag in _EMPTY:
            return NULL if tag is Tag.NULL_DATA else Data(tag)
        return Data(tag, self._plain(tag))


def _decimal(octets: bytes, form: str) -> Decimal:
    """The shortest decimal number that is this binary one: a meter that sends 230.1 means 230.1."""
    (binary,) = struct.unpack(form, octets)
    if not math.isfinite(binary):
        return Decimal(str(binary))
    # Fewer than 7 or 16 digits may do, 9 or 17 always do. Where the type ends, rounding up leads out of it.
    for digits in range(1, 18):
        text = f"{binary:.{digits}g}"
        with contextlib.suppress(OverflowError):
            if struct.pack(form, float(text)) == octets:
                return Decimal(text)
    raise DlmsMalformed(why="a number is none")


def decode(octets: bytes) -> Data:
    """The value at the beginning of the octets; what follows it is left aside. Raises DlmsMalformed."""
    return Reader(octets).data()


def encode_length(length: int) -> bytes:
    """A length as A-XDR and BER write it."""
    if length < 0x80:
        return bytes((length,))
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((0x80 | len(octets),)) + octets


def encode_string(octets: bytes) -> bytes:
    """Octets with their length in front."""
    return encode_length(len(octets)) + octets


def encode(data: Data) -> bytes:
    """The octets of a value, its tag first. Raises DlmsUnsent where the value does not fit its type."""
    tag = bytes((data.tag,))
    if isinstance(data.value, CompactArray):
        compact = data.value
        contents = b"".join(map(_content, compact.elements))
        return tag + _encode_description(compact.description) + encode_string(contents)
    if data.tag in (Tag.ARRAY, Tag.STRUCTURE):
        return tag + encode_length(len(data.items)) + b"".join(map(encode, data.items))
    return tag + _content(data)


def _encode_description(description: TypeDescription) -> bytes:
    octets = bytes((description.tag,))
    if description.tag is Tag.ARRAY:
        octets += description.count.to_bytes(2)
    elif description.tag is Tag.STRUCTURE:
        octets += encode_length(len(description.parts))
    return octets + b"".join(map(_encode_description, description.parts))


def _content(data: Data) -> bytes:
    """The octets of a value without its tag."""
    try:
        return _plain_content(data.tag, data.value)
    except (TypeError, ValueError, OverflowError, AttributeError, struct.error) as error:
        raise DlmsUnsent(why=Unsent.TYPE) from error


def _plain_content(tag: Tag, value: Plain) -> bytes:
    # The cast is checked by what fails below: a value of another type raises.
    if tag in (Tag.ARRAY, Tag.STRUCTURE):
        return b"".join(map(_content, cast("tuple[Data, ...]", value)))
    if tag in _EMPTY:
        return b""
    if kind := _INTEGERS.get(tag):
        return cast("int", value).to_bytes(kind[0], signed=kind[1])
    if size := _FIXED.get(tag):
        if len(octets := bytes(cast("bytes", value))) != size:
            raise ValueError
        return octets
    if form := _FLOATS.get(tag):
        return struct.pack(form, cast("Decimal", value))
    if encoding := _STRINGS.get(tag):
        return encode_string(cast("str", value).encode(encoding, "surrogateescape"))
    if tag is Tag.BOOLEAN:
        return bytes((1 if value else 0,))
    if tag is Tag.BIT_STRING:
        bits = cast("Bits", value)
        size = (bits.length + 7) // 8
        return encode_length(bits.length) + (bits.number << (size * 8 - bits.length)).to_bytes(size)
    return encode_string(memoryview(cast("bytes", value)).tobytes())
