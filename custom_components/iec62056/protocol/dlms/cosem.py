"""Meaning of the values of COSEM objects: scaler and unit, object list with rights, columns and rows of profiles (Blue Book 4)."""

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from enum import IntFlag
from typing import NamedTuple

from .. import codec
from ..dlms_errors import DlmsMalformed
from .data import NULL, Data, Tag
from .descriptors import LogicalName, Member

ASSOCIATION = 15
CURRENT_ASSOCIATION = LogicalName(0, 0, 40, 0, 0)

# Blue Book 4.3.2, table of units: those a register of a meter can have, as they are written elsewhere here.
UNITS = {
    1: "a", 2: "mo", 3: "wk", 4: "d", 5: "h", 6: "min", 7: "s", 8: "deg", 9: "°C", 11: "m", 12: "m/s",
    13: "m3", 14: "m3", 15: "m3/h", 16: "m3/h", 17: "m3/d", 18: "m3/d", 19: "l", 20: "kg", 21: "N", 22: "Nm",
    23: "Pa", 24: "bar", 25: "J", 26: "J/h", 27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh",
    33: "A", 34: "C", 35: "V", 36: "V/m", 37: "F", 38: "Ohm", 40: "Wb", 41: "T", 42: "A/m", 43: "H", 44: "Hz",
    45: "1/Wh", 46: "1/varh", 47: "1/VAh", 48: "V2h", 49: "A2h", 50: "kg/s", 51: "S", 52: "K",
    53: "1/V2h", 54: "1/A2h", 55: "1/m3", 56: "%", 57: "Ah", 60: "Wh/m3", 61: "J/m3", 62: "mol%", 63: "g/m3",
    64: "Pas", 65: "J/kg", 66: "g/cm2", 67: "atm", 70: "dBm", 71: "dBuV", 72: "dB", 131: "°F", 137: "ft3",
    140: "gal", 142: "psi", 146: "BTU",
}  # fmt: skip


@codec.as_list
@dataclass(frozen=True, slots=True)
class ScalerUnit:
    """How a raw number is meant: times ten to the `scaler`, in the unit of that code (0 and 255: none)."""

    scaler: int
    unit: int

    @classmethod
    def of(cls, data: Data) -> ScalerUnit:
        """The scaler_unit attribute of a register. Raises DlmsMalformed."""
        scaler, unit = _parts(data, 2)
        # Some meters send the signed octet of the scaler as an unsigned one.
        signed = scaler.integer - 0x100 if 0x80 <= scaler.integer <= 0xFF else scaler.integer
        return cls(signed, unit.integer)

    @property
    def text(self) -> str | None:
        """The unit, None where there is none or its code is unknown."""
        return UNITS.get(self.unit)

    def value(self, raw: Data) -> Decimal:
        """The number a raw value stands for, exactly, with the decimals the scaler gives. Raises DlmsMalformed."""
        number = raw.value
        if isinstance(number, bool) or not isinstance(number, int | Decimal):
            raise DlmsMalformed(why="a number was expected")
        exact = Decimal(number)
        if not exact.is_finite():
            raise DlmsMalformed(why="a number was expected")
        sign, digits, exponent = exact.as_tuple()
        # Not `scaleb`, which rounds to the context; and 5E+3 would be shown as such.
        return Decimal(f"{Decimal((sign, digits, int(exponent) + self.scaler)):f}")


def _parts(data: Data, count: int) -> tuple[Data, ...]:
    """The fields of a structure that has at least so many. Raises DlmsMalformed."""
    if data.tag is not Tag.STRUCTURE or len(data.items) < count:
        raise DlmsMalformed(why="a structure has other fields than it should")
    return data.items[:count]


class Rights(IntFlag):
    """What the current association may do with an attribute or method, and under which protection.

    The bits are those of association version 3; older versions are translated (Blue Book 4.4.4). For a method,
    READ means that it may be called.
    """

    NONE = 0
    READ = 0x01
    WRITE = 0x02
    AUTHENTICATED_REQUEST = 0x04
    ENCRYPTED_REQUEST = 0x08
    SIGNED_REQUEST = 0x10
    AUTHENTICATED_RESPONSE = 0x20
    ENCRYPTED_RESPONSE = 0x40
    SIGNED_RESPONSE = 0x80


_BOTH = Rights.AUTHENTICATED_REQUEST | Rights.AUTHENTICATED_RESPONSE
_OLD_ATTRIBUTE_MODES = (
    Rights.NONE,
    Rights.READ,
    Rights.WRITE,
    Rights.READ | Rights.WRITE,
    Rights.READ | _BOTH,
    Rights.WRITE | _BOTH,
    Rights.READ | Rights.WRITE | _BOTH,
)
_OLD_METHOD_MODES = (Rights.NONE, Rights.READ, Rights.READ | _BOTH)
_BITS_FROM_VERSION = 3


@codec.as_list
@dataclass(frozen=True, slots=True)
class AttributeAccess:
    """The rights to one attribute, and the selectors by which parts of it may be read."""

    rights: Rights
    selectors: frozenset[int] = frozenset()


@codec.as_list
@dataclass(frozen=True, slots=True)
class CosemObject:
    """One entry of the object list: what it is, and what the current association may do with it."""

    class_id: int
    version: int
    name: LogicalName
    attributes: dict[int, AttributeAccess]
    methods: dict[int, Rights]

    def readable(self, attribute: int) -> bool:
        """Whether this association may read the attribute."""
        access = self.attributes.get(attribute)
        return access is not None and Rights.READ in access.rights


class _Entry(NamedTuple):
    """An entry before its rights are understood, which needs the version of the association."""

    class_id: int
    version: int
    name: LogicalName
    attributes: tuple[Data, ...]
    methods: tuple[Data, ...]


def object_list(data: Data) -> tuple[CosemObject, ...]:
    """The object list of the current association (class 15, attribute 2).

    Whether rights are numbers or bits is told by the version of the association, which is in the list itself.
    An entry that is none is left out. Raises DlmsMalformed where all are.
    """
    entries: list[_Entry] = []
    for item in data.items:
        with suppress(DlmsMalformed):
            entries.append(_entry(item))
    # The current one comes first where it has a name of its own.
    versions = [
        entry.version
        for entry in sorted(entries, key=lambda entry: entry.name != CURRENT_ASSOCIATION)
        if entry.class_id == ASSOCIATION
    ]
    bits = bool(versions) and versions[0] >= _BITS_FROM_VERSION
    found: list[CosemObject] = []
    for entry in entries:
        with suppress(DlmsMalformed):
            found.append(_object(entry, bits=bits))
    if data.items and not found:
        raise DlmsMalformed(why="no entry of the object list is one")
    return tuple(found)


def _entry(data: Data) -> _Entry:
    class_id, version, name, rights = _parts(data, 4)
    attributes: tuple[Data, ...] = ()
    methods: tuple[Data, ...] = ()
    if rights.tag is not Tag.NULL_DATA:
        listed = _parts(rights, 2)
        attributes, methods = listed[0].items, listed[1].items
    return _Entry(class_id.integer, version.integer, LogicalName.of(name), attributes, methods)


def short_names(data: Data) -> tuple[tuple[CosemObject, int], ...]:
    """The object list of short names (class 12, attribute 2): each object with its base name. It tells no rights.

    An entry that is none is left out. Raises DlmsMalformed where all are.
    """
    found: list[tuple[CosemObject, int]] = []
    for item in data.items:
        with suppress(DlmsMalformed):
            base, class_id, version, name = _parts(item, 4)
            listed = CosemObject(class_id.integer, version.integer, LogicalName.of(name), {}, {})
            # It is signed, and means sixteen bits.
            found.append((listed, base.integer & 0xFFFF))
    if data.items and not found:
        raise DlmsMalformed(why="no entry of the object list is one")
    return tuple(found)


def _object(entry: _Entry, *, bits: bool) -> CosemObject:
    attributes = {}
    for item in entry.attributes:
        number, mode = _parts(item, 2)
        selectors = item.items[2] if len(item.items) > 2 else NULL
        listed = () if selectors.tag is Tag.NULL_DATA else selectors.items
        attributes[number.integer] = AttributeAccess(
            _rights(mode, () if bits else _OLD_ATTRIBUTE_MODES),
            frozenset(selector.integer for selector in listed),
        )
    methods = {}
    for item in entry.methods:
        number, mode = _parts(item, 2)
        methods[number.integer] = _rights(mode, () if bits else _OLD_METHOD_MODES)
    return CosemObject(entry.class_id, entry.version, entry.name, attributes, methods)


def _rights(mode: Data, old: tuple[Rights, ...]) -> Rights:
    # Version 0 has a boolean for methods.
    number = int(mode.value) if isinstance(mode.value, bool) else mode.integer
    if not 0 <= number <= 0xFF:
        raise DlmsMalformed(why="an access right is none")
    # A number no old version knows can only be bits.
    return old[number] if number < len(old) else Rights(number)


class Column(NamedTuple):
    """One column of a profile: whose attribute it is, and the part of it, counted from 1 (0: all of it)."""

    member: Member
    data_index: int = 0


def columns(data: Data) -> tuple[Column, ...]:
    """The capture objects of a profile (class 7, attribute 3). Raises DlmsMalformed."""
    found = []
    for item in data.items:
        class_id, name, attribute, index = _parts(item, 4)
        member = Member(class_id.integer, LogicalName.of(name), attribute.integer)
        found.append(Column(member, index.integer))
    return tuple(found)


def rows(data: Data, count: int) -> tuple[tuple[Data, ...], ...]:
    """The rows of a profile's buffer with so many columns (class 7, attribute 2). Raises DlmsMalformed.

    A null stands for the value of the row above, the time excepted, which the caller continues by the capture
    period (Blue Book 4.3.6). It is left as it is here.
    """
    return tuple([_parts(row, count) for row in data.items])
