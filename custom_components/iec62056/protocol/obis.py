"""Parses OBIS codes in every notation that meters use, and knows what follows from a code alone."""

from collections.abc import Sequence
from functools import lru_cache
import re

from . import codec
from .model import DataSet, Identification, Medium, Obis
from .values import MeterTime, TimeKind, timestamp

# EDIS letters for value group C (and D of the error register): C.1.0 is 96.1.0, F.F is 97.97.
_LETTERS = {"C": 96, "F": 97, "L": 98, "P": 99}
_GROUP = r"[0-9]{1,3}"
_CODE = re.compile(
    rf"(?:(?:(?P<a>{_GROUP})-)?(?P<b>{_GROUP}):)?"
    rf"(?P<c>{_GROUP}|[CFLP])\.(?P<d>{_GROUP}|F)(?:\.(?P<e>{_GROUP}))?"
    # F of a stored value: `*01` in the standard, `&07` where the reset was made by hand, a fourth dot at L+G and EMH.
    rf"(?:[*&.](?P<f>{_GROUP}))?"
    r"(?:,(?P<attribute>[0-9]{1,2}))?"
).fullmatch
# The error register without its dots: MT171 writes FF, heat meters F.
_FATAL_ERROR = {"F": "F.F", "FF": "F.F"}
# ZPA sends a register of its own as 0.1, beside the reset counter 0.1.0.
_NO_CODE = frozenset(("0.1",))
_ABSTRACT = frozenset((96, 97))
_MAX_ADDRESS = 32
_CACHED = 4096


def parse(address: str, medium: Medium = Medium.ELECTRICITY) -> Obis | None:
    """The canonical code of an address as a meter writes it, None where it is no OBIS code (`ET0PE`, `1-1:30D`).

    Any text may be passed; nothing raises. A prefix that was sent wins. Without one, A is 0 for the abstract codes
    C = 96, 97 and for the clock 1.0.0, else `medium`; B and E are 0, F is 255. So `1.8.0`, `1-0:1.8.0` and
    `1-0:1.8.0*255` are one code, and so are `F.F`, `FF` and `0-0:97.97.0`.
    """
    return _parse(address, medium) if len(address) <= _MAX_ADDRESS else None


@lru_cache(_CACHED)
def _parse(address: str, medium: Medium) -> Obis | None:
    address = address.strip()
    found = _CODE(_FATAL_ERROR.get(address, address))
    if found is None or address in _NO_CODE:
        return None
    c, d, e = (_group(found[name]) for name in "cde")
    if found["a"]:
        a = int(found["a"])
    else:
        a = 0 if c in _ABSTRACT or (c, d, e) == (1, 0, 0) else int(medium)
    b, f = _group(found["b"]), _group(found["f"], 255)
    attribute = int(found["attribute"]) if found["attribute"] else None
    return Obis(a, b, c, d, e, f, attribute) if a < 16 and max(b, c, d, e, f) < 256 else None


def _group(text: str | None, missing: int = 0) -> int:
    """The number of one value group."""
    return missing if text is None else _LETTERS.get(text) or int(text)


_HEX = re.compile(r"[0-9A-Fa-f]{8}").fullmatch


def _stored(text: str) -> Obis:
    if (code := parse(text)) is None:
        raise ValueError(text)
    return code


codec.as_text(Obis, str, _stored)


def parse_hex(address: str, medium: Medium = Medium.ELECTRICITY) -> Obis | None:
    """The code of a Neva address: C, D, E, F as eight hexadecimal digits; E = FF stands for a group not in use.

    Asked for by the dialect alone: in any other meter eight such digits are a name.
    """
    if not _HEX(address):
        return None
    c, d, e, f = bytes.fromhex(address)
    return parse(f"{c}.{d}.{0 if e == 0xFF else e}*{f}", medium)


# FLAG id and beginning of the model: makers of heat meters only, or a heat meter's own name.
_HEAT_METERS = (("LUG", ""), ("SIE", "2WR"), ("KAM", "MC"))
_HEAT_ENERGY = frozenset(("GJ", "MJ", "kWh", "MWh", "GWh"))
_VOLUME = frozenset(("m3", "m³", "l"))
_HEAT_REGISTERS = {"6.8": _HEAT_ENERGY, "6.26": frozenset(("m3",))}
# Value groups C of the totals of electricity, and D of those of other media.
_ELECTRIC = frozenset((1, 2, 15, 16))
# Of gas, as measured, corrected and converted.
_TOTAL, _OTHER_TOTALS = 8, frozenset((0, 1, 2, 8))
_MEASURED = frozenset((5, 6, 7, 8, 9))


def infer_medium(identification: Identification | None, datasets: Sequence[DataSet]) -> Medium:
    """The medium of a meter's codes without a prefix; found once per meter and kept, as units may be missing later.

    It is what the totals measure, and electricity if any total is of that. 6.8 is heat energy at a heat meter and
    reactive energy of quadrant II (kvarh) elsewhere: only the unit tells. Devices on the M-Bus of a P1 meter say nothing
    of the meter.
    """
    found = None
    for address, values in datasets:
        code = parse(address or "")
        units = {unit for _, unit in values if unit}
        if code is None:
            continue
        if code.a == Medium.ELECTRICITY and code.c in _ELECTRIC and code.d == _TOTAL:
            return Medium.ELECTRICITY
        if found is None and units:
            found = _medium_of(address or "", code, units)
    if found is not None:
        return found
    if identification is not None and any(
        identification.flag.upper() == flag and identification.model.upper().startswith(model)
        for flag, model in _HEAT_METERS
    ):
        return Medium.HEAT
    return Medium.ELECTRICITY


def _medium_of(address: str, code: Obis, units: set[str]) -> Medium | None:
    """What a register with units measures, if that is told and not electricity."""
    if not units.isdisjoint(_HEAT_REGISTERS.get(address, ())) or (
        "m3ph" in units and ":" not in address
    ):
        return Medium.HEAT
    if code.a in _MEASURED and code.c and code.current and code.d in _OTHER_TOTALS:
        return None if units.isdisjoint(_HEAT_ENERGY | _VOLUME) else Medium(code.a)
    return None


# Value group D of extremes with their moment in the second bracket: minimum and maximum 1, 2, 3.
_EXTREMES = frozenset((3, 6, 13, 16, 23, 26))
_CLOCK_KINDS = {1: TimeKind.TIME, 2: TimeKind.DATE, 6: TimeKind.TIME, 7: TimeKind.DATE}


def register_timestamp(code: Obis | None, index: int, text: str) -> MeterTime | None:
    """The moment in bracket `index` (from 0) of a register, None where that bracket holds something else.

    What is a date by its form is one in every register but those of identification. A bare number is one only where
    the code says so: six digits may be a time, a date or a serial number.
    """
    if code is not None and code.c == 0 and code.d in (0, 2):
        return None
    return timestamp(text, None if code is None else _time_kind(code, index))


def _time_kind(code: Obis, index: int) -> TimeKind | None:
    """What a bare number in that bracket would be."""
    c, d, e = code.c, code.d, code.e
    if code.attribute == 5:
        # ZPA sends attribute 5 of the extended register, the capture time, as a data set of its own.
        return TimeKind.DATE
    if index == 1:
        return TimeKind.DATE if code.a == Medium.ELECTRICITY and d in _EXTREMES else None
    if index > 1:
        return None
    if c == 0 and d == 9:
        return _CLOCK_KINDS.get(e)
    dated = (
        (c, d, e) == (1, 0, 0)
        or (c == 0 and d == 1 and e in (2, 3))
        # Parameters last changed, calibrated; firmware built; covers, magnet, reverse flow: odd counters, even moments.
        or (c == 96 and d == 2 and e in (1, 2, 5, 9))
        or (c, d, e) == (96, 1, 5)
        or (c == 96 and d == 51 and e and e % 2 == 0)
        # M-Bus values and their profile of DSMR 2.2; rows of load profiles, event logs and billing periods.
        or (code.a == Medium.ABSTRACT and c == 24 and d in (2, 3))
        or c in (98, 99)
    )
    return TimeKind.DATE if dated else None
