"""Objects that meters have by the standard, for those that give no object list (Blue Book 6, 7; EN 13757-1 for heat, gas, water)."""

from collections.abc import Iterator
from typing import Final

from ..model import Medium, Obis
from .cosem import CosemObject
from .descriptors import LogicalName

_DATA, _REGISTER, _EXTENDED, _DEMAND, _CLOCK = 1, 3, 4, 5, 8

_TARIFFS: Final = range(5)
# Codes C.D.E of each medium by class; E is every tariff where it is left out.
_CODES: Final[dict[Medium, dict[int, tuple[tuple[int, ...], ...]]]] = {
    Medium.ELECTRICITY: {
        _DATA: ((0, 0, 0), (0, 2, 0)),
        _REGISTER: (
            *((c, 8) for c in (1, 2, 3, 4)),
            *((c, 8, 0) for c in (5, 6, 7, 8, 9, 10)),
            # Power in all and by phase, currents, voltages, power factors, frequency.
            *((c, 7, 0) for c in (1, 2, 3, 4, 9, 10, 13, 14, 16)),
            *((c + phase, 7, 0) for phase in (0, 20, 40) for c in (21, 22, 31, 32, 33)),
        ),
        _EXTENDED: ((1, 6, 0), (2, 6, 0)),
        _DEMAND: ((1, 4, 0), (2, 4, 0)),
    },
    Medium.HEAT: {_REGISTER: tuple((c, 0, 0) for c in (1, 2, 8, 9, 10, 11, 12))},
    Medium.COOLING: {_REGISTER: tuple((c, 0, 0) for c in (1, 2, 8, 9, 10, 11, 12))},
    Medium.HEAT_COST: {_REGISTER: ((1, 0, 0), (1, 2, 0))},
    Medium.GAS: {_REGISTER: ((3, 0, 0), (3, 1, 0), (3, 2, 0), (41, 0, 0), (42, 0, 0), (43, 0, 0))},
    Medium.COLD_WATER: {_REGISTER: ((1, 0, 0), (2, 0, 0))},
    Medium.HOT_WATER: {_REGISTER: ((1, 0, 0), (2, 0, 0), (3, 0, 0))},
}
# Device name, serial number, tariff, error register, alarm register, clock.
_ABSTRACT: Final = (
    (_DATA, (42, 0, 0)),
    (_DATA, (96, 1, 0)),
    (_DATA, (96, 14, 0)),
    (_DATA, (97, 97, 0)),
    (_DATA, (97, 98, 0)),
    (_CLOCK, (1, 0, 0)),
)
# Value groups D of electricity that are maxima with their moment, and averages of a demand period.
_MAXIMA: Final = (3, 6, 13, 16, 23, 26)
_AVERAGES: Final = (4, 14, 24)


def object_of(name: LogicalName, class_id: int) -> CosemObject:
    """An object of which only name and class are known; all its attributes are asked for."""
    return CosemObject(class_id, 0, name, {}, {})


def standard_objects(medium: Medium | None) -> tuple[CosemObject, ...]:
    """The objects that a meter of this medium may have."""
    return tuple(_objects(medium or Medium.ELECTRICITY))


def _objects(medium: Medium) -> Iterator[CosemObject]:
    for class_id, groups in _ABSTRACT:
        yield object_of(LogicalName(0, 0, *groups), class_id)
    for class_id, codes in _CODES.get(medium, {}).items():
        for c, d, *rest in codes:
            for e in rest or _TARIFFS:
                yield object_of(LogicalName(medium, 0, c, d, e), class_id)


def standard_class(obis: Obis) -> int:
    """The class that an object of that code has by the standard."""
    if obis.a == Medium.ABSTRACT:
        return _CLOCK if (obis.c, obis.d) == (1, 0) else _DATA
    if obis.c == 0:
        return _DATA
    if obis.a == Medium.ELECTRICITY and obis.d in _MAXIMA:
        return _EXTENDED
    return _DEMAND if obis.a == Medium.ELECTRICITY and obis.d in _AVERAGES else _REGISTER
