"""Which registers each derived value follows from, and so whether a meter has it."""

from collections.abc import Mapping
from enum import StrEnum

from ..protocol.model import Medium
from ..registers.index import IndexedRegister, RegisterIndex
from . import status_flags

IMPORT, EXPORT, ABSOLUTE, NET = 1, 2, 15, 16
# What adds up to the net power, by value group C, the best first: alone, it is sent already.
_NET_POWERS = (
    {NET: 1},
    {IMPORT: 1, EXPORT: -1},
    {36: 1, 56: 1, 76: 1},
    {21: 1, 41: 1, 61: 1, 22: -1, 42: -1, 62: -1},
    {IMPORT: 1},
    {21: 1, 41: 1, 61: 1},
)
_MAXIMUM, _INSTANTANEOUS, TOTAL = 6, 7, 8
# Short averages, which EMH lists have in place of instantaneous values.
_SHORT_AVERAGE = 25
# COSEM attribute 5 of a maximum, its time: a register of its own at ZPA.
_TIME_ATTRIBUTE = 5
# One tariff alone is the total.
_FEWEST_TARIFFS = 2


class Derived(StrEnum):
    """What can be derived. The value is part of an entity's unique id, and must never change."""

    NET_POWER = "net_power"
    TOTAL_IMPORT = "total_import"
    TOTAL_EXPORT = "total_export"
    TOTAL_ABSOLUTE = "total_absolute"
    MEAN_POWER_IMPORT = "mean_power_import"
    MEAN_POWER_EXPORT = "mean_power_export"
    MEAN_POWER_ABSOLUTE = "mean_power_absolute"
    MEAN_POWER_HEAT = "mean_power_heat"
    PEAK_THIS_MONTH = "peak_this_month"
    PEAK_THIS_MONTH_TIME = "peak_this_month_time"
    PEAK_LAST_MONTH = "peak_last_month"
    PEAK_LAST_MONTH_TIME = "peak_last_month_time"
    TARIFF = "tariff"
    CLOCK = "meter_clock"
    CLOCK_DRIFT = "clock_drift"
    FAULT = "fault_text"


# The totals whose course gives a mean power: value groups A and C.
COURSES: Mapping[Derived, tuple[Medium, int]] = {
    Derived.MEAN_POWER_IMPORT: (Medium.ELECTRICITY, IMPORT),
    Derived.MEAN_POWER_EXPORT: (Medium.ELECTRICITY, EXPORT),
    Derived.MEAN_POWER_ABSOLUTE: (Medium.ELECTRICITY, ABSOLUTE),
    Derived.MEAN_POWER_HEAT: (Medium.HEAT, 6),
}
# Totals added up from tariffs: value group C.
SUMS: Mapping[Derived, int] = {
    Derived.TOTAL_IMPORT: IMPORT,
    Derived.TOTAL_EXPORT: EXPORT,
    Derived.TOTAL_ABSOLUTE: ABSOLUTE,
}
_POWERS = {
    (c, d) for c in (IMPORT, EXPORT, ABSOLUTE, NET) for d in (_INSTANTANEOUS, _SHORT_AVERAGE)
}
_PEAKS = frozenset(kind for kind in Derived if kind.startswith("peak_"))


def sources_of(kind: Derived, index: RegisterIndex) -> tuple[IndexedRegister, ...]:
    """The registers that a value is derived from; none if this meter does not have it."""
    if kind is Derived.NET_POWER:
        return _power_sources(index)
    if kind in SUMS:
        return _tariffs_without_total(index, SUMS[kind])
    if kind in COURSES:
        return () if _sends_power(index) else total_sources(kind, index)
    if kind in _PEAKS:
        return _peak_sources(index)
    if kind is Derived.TARIFF:
        return _tariff_sources(index)
    if kind is Derived.FAULT:
        return status_flags.fault_sources(index)
    clock = status_flags.clock_registers(index)
    # A clock that is one register is a sensor of its own already.
    return clock if kind is Derived.CLOCK_DRIFT or len(clock) > 1 else ()


def _power_sources(index: RegisterIndex) -> tuple[IndexedRegister, ...]:
    return tuple(found for found, _ in powers(index))


def powers(index: RegisterIndex) -> tuple[tuple[IndexedRegister, int], ...]:
    """What adds up to the net power, each with its sign; none where the meter sends that itself."""
    for signs in _NET_POWERS:
        found = {c: one for c in signs if (one := index.get(c, _INSTANTANEOUS)) is not None}
        if len(found) == len(signs):
            return tuple((one, signs[c]) for c, one in found.items()) if len(found) > 1 else ()
    return ()


def _sends_power(index: RegisterIndex) -> bool:
    return not index.quantities.isdisjoint(_POWERS)


def _tariffs_without_total(index: RegisterIndex, c: int) -> tuple[IndexedRegister, ...]:
    if index.get(c, TOTAL) is not None or _is_beside(index, c):
        return ()
    if len(index.tariffs(c, TOTAL, left=True)) < _FEWEST_TARIFFS:
        return ()
    return tuple(index.tariffs(c, TOTAL).values())


def _is_beside(index: RegisterIndex, c: int) -> bool:
    """Whether the quantity is import plus export in one number, and the meter sends import by itself."""
    return c == ABSOLUTE and (IMPORT, TOTAL) in index.quantities


def total_sources(kind: Derived, index: RegisterIndex) -> tuple[IndexedRegister, ...]:
    """The registers of the total whose course gives a mean power."""
    medium, c = COURSES[kind]
    if _is_beside(index, c):
        return ()
    total = index.get(c, TOTAL, medium=medium)
    if total is None:
        return () if medium is Medium.HEAT else _tariffs_without_total(index, c)
    # 6.8 of an electricity meter is reactive.
    return () if total.step("Wh") is None and total.number("Wh") is None else (total,)


def maximum(index: RegisterIndex) -> IndexedRegister | None:
    """The maximum demand of import in all tariffs."""
    return index.get(IMPORT, _MAXIMUM)


def time_of_maximum(index: RegisterIndex) -> IndexedRegister | None:
    """Its time, where that is a register of its own."""
    return index.get(IMPORT, _MAXIMUM, attribute=_TIME_ATTRIBUTE)


def _peak_sources(index: RegisterIndex) -> tuple[IndexedRegister, ...]:
    found = maximum(index)
    if found is None:
        return ()
    timed = found.description.time_index is not None or time_of_maximum(index) is not None
    return (found,) if timed else ()


def tariff_register(index: RegisterIndex) -> IndexedRegister | None:
    """The register that names the active tariff."""
    # C.14.1 of ZPA, 96.14.0 elsewhere.
    for e in (0, 1):
        if (found := index.get(96, 14, e)) is not None:
            return found
    return None


def _tariff_sources(index: RegisterIndex) -> tuple[IndexedRegister, ...]:
    if (found := tariff_register(index)) is not None:
        return (found,)
    tariffs = index.tariffs(IMPORT, TOTAL)
    if len(tariffs) < _FEWEST_TARIFFS:
        return ()
    return (*tariffs.values(), *index.tariffs(EXPORT, TOTAL).values())


def together(sources: tuple[IndexedRegister, ...]) -> bool:
    """Whether the values of all come from one reading."""
    return len({found.received for found in sources}) == 1
