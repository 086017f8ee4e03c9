"""Which rule of the tables holds for a code, and how value groups C, E and F are read."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..protocol.model import Medium, Obis, Register
from ..protocol.obis import parse
from ..state.description import Context, Dimension, Kind, Unit
from .tables import (
    ABSTRACT_ONLY,
    ANGLES,
    BEFORE_OBIS,
    BEFORE_OBIS_ADDRESSES,
    BY_TYPE,
    LISTED,
    MAXIMUM,
    MAXIMUM_TIME,
    MBUS_CODES,
    MBUS_MEDIA,
    MBUS_READINGS,
    MEDIA,
    P1_CHANNEL,
    P1_LISTED,
    PHASES,
    SYMBOLS,
    TOTALS,
    WITH_F,
    Axis,
    Rule,
)
from .units import unit_of

MBUS = 24
_ANGLES = 81
_ALL_TARIFFS = 255
# Value groups C, D and F: import, import plus export, the energy so far, and no period of the past.
_IMPORT, _ABSOLUTE = 1, 15
_ENERGY = 8
_PRESENT = 255
_LAST_TARIFF = 63
# Value groups A, C, D, E of import in tariff 1, as Landis+Gyr wrote it before OBIS.
_BEFORE_OBIS = (Medium.ELECTRICITY, 8, 1, 0)
# COSEM attribute 5 of an extended register: the time of its value.
_TIME_ATTRIBUTE = 5


def context_of(registers: Iterable[Register]) -> Context:
    """What the registers of a meter tell about each other."""
    registers = tuple(registers)
    mbus: dict[int, int] = {}
    alone: set[Obis] = set()
    before_obis = False
    for register in registers:
        code = register.obis
        if code is None:
            continue
        if (code.a, code.c, code.d, code.e) == _BEFORE_OBIS and register.values:
            sent = register.values[0].unit
            before_obis |= sent is not None and unit_of(sent).dimension is Dimension.ENERGY
        if (code.c, code.d, code.a) == (MBUS, 1, Medium.ABSTRACT) and register.values:
            number = register.values[0].number
            if number is not None:
                mbus[code.b] = int(number)
        if code.f == 0:
            alone.add(replace(code, f=255))
    if alone:
        alone -= {register.obis for register in registers}
    current = frozenset(replace(code, f=0) for code in alone)
    return Context(mbus, current, before_obis)


def code_of(register: Register, context: Context) -> Obis | None:
    """The code of a register, also where the meter has codes of before OBIS."""
    code = register.obis
    if not context.before_obis:
        return code
    if code is not None:
        tariffs = code.a == Medium.ELECTRICITY and code.c in BEFORE_OBIS and not code.e
        return replace(code, c=BEFORE_OBIS[code.c], d=_ENERGY, e=code.d) if tariffs else code
    address, mark, period = register.address.partition("*")
    known = BEFORE_OBIS_ADDRESSES.get(address)
    return None if known is None else parse(f"{known}{mark}{period}")


def redundant(registers: Iterable[Register]) -> Iterator[str]:
    """The keys of registers that say what others do, so that their sensors are off by default.

    These are tariffs of a total of which at most one counts, and import plus export in one number.
    """
    energies = {
        one.obis: (one.key, bool(one.values and one.values[0].number))
        for one in registers
        if one.obis is not None and (one.obis.d, one.obis.f) == (_ENERGY, _PRESENT)
    }
    quantities = {(code.a, code.c) for code in energies}
    totals = {(code.a, code.c) for code in energies if not tariff(code)}
    counting = Counter(
        (code.a, code.c) for code, (_, counts) in energies.items() if tariff(code) and counts
    )
    for code, (key, _) in energies.items():
        one = code.a, code.c
        if (tariff(code) and one in totals and counting[one] <= 1) or (
            code.c == _ABSOLUTE and (code.a, _IMPORT) in quantities
        ):
            yield key


def medium_of(code: Obis, context: Context) -> Medium | None:
    """What the M-Bus device of a channel measures."""
    return MBUS_MEDIA.get(context.mbus.get(code.b, 0))


def is_shared(code: Obis, context: Context) -> bool:
    """Whether another M-Bus channel measures the same, so that a name needs the channel."""
    medium = medium_of(code, context)
    return sum(MBUS_MEDIA.get(kind) is medium for kind in context.mbus.values()) > 1


def tariff(code: Obis) -> int:
    """Value group E as a tariff; 0 for all together, which EasyMeter writes as 255, and where E is something else."""
    mbus = code.a == Medium.ABSTRACT and code.c == MBUS
    return 0 if mbus or code.e == _ALL_TARIFFS else code.e


def quantity(code: Obis) -> tuple[int, str | None]:
    """Value group C without its phase, and the phase."""
    if code.a != Medium.ELECTRICITY:
        return code.c, None
    if code.c <= 80:
        phase, base = divmod(code.c - 1, 20)
        return base + 1, PHASES.get(phase)
    phase, base = divmod(code.c - 131, 20)
    # Of the range from 131 on only the distances themselves are known.
    return (131, PHASES.get(phase)) if base == 0 and 0 <= phase <= 3 else (code.c, None)


def stored(code: Obis, context: Context) -> bool:
    """Whether F means a value of a past billing period."""
    return not (code.current or code in context.current or _with_f(code) in WITH_F)


def rule_of(code: Obis, unit: Unit | None, context: Context) -> Rule | None:
    """The rule of a code; None where none is known, or where its unit says that something else is meant."""
    rule = _find(code, unit, context)
    return rule if rule is not None and fits(rule, unit) else None


def fits(rule: Rule, unit: Unit | None) -> bool:
    """Whether a value in that unit can be what the rule says."""
    return rule.kind is not Kind.NUMBER or unit is None or unit.dimension in rule.dimensions


def _find(code: Obis, unit: Unit | None, context: Context) -> Rule | None:
    if code.attribute is not None:
        timed = code.attribute == _TIME_ATTRIBUTE and code.d == MAXIMUM
        return MAXIMUM_TIME if timed and quantity(code)[0] in SYMBOLS else None
    if rule := WITH_F.get(_with_f(code)):
        return rule
    if code.a in TOTALS and (rule := _other_medium(code, unit)):
        return rule
    general = code.c == 0 or code.a in {Medium.ABSTRACT, Medium.ELECTRICITY}
    if general and (rule := _listed(code)):
        return rule
    if code.a == Medium.ABSTRACT and code.c == MBUS and (code.d, code.e) in MBUS_CODES:
        return _mbus(code, unit, context)
    return _by_type(code) if code.a == Medium.ELECTRICITY else None


def _with_f(code: Obis) -> tuple[int, int, int, int, int]:
    return code.a, code.c, code.d, code.e, code.f


def _listed(code: Obis) -> Rule | None:
    if code.c == _ANGLES and code.e not in ANGLES:
        return None
    if code.c in ABSTRACT_ONLY and code.a != Medium.ABSTRACT:
        return None
    if code.b == P1_CHANNEL and (rule := P1_LISTED.get((code.c, code.d, code.e))):
        return rule
    return LISTED.get((code.c, code.d, code.e)) or LISTED.get((code.c, code.d, None))


def _by_type(code: Obis) -> Rule | None:
    # Further channels are pulse inputs: of which quantity, only their owner knows.
    if code.b > 1:
        return None
    rule = BY_TYPE.get((quantity(code)[0], code.d))
    # E of what has no tariffs is the number of a harmonic, or a make's own list.
    if rule is None or tariff(code) > (_LAST_TARIFF if Axis.TARIFF in rule.axes else 0):
        return None
    return rule


def _other_medium(code: Obis, unit: Unit | None) -> Rule | None:
    """A rule for a meter of heat, gas or water: the short codes of heat meters, or a total by its unit."""
    rule = MEDIA.get(Medium(code.a), {}).get((code.c, code.d, tariff(code)))
    if rule is not None and (code.a == Medium.HEAT or fits(rule, unit)):
        return rule
    # Value group D of a total is 0 in these media; some makes write 8 as for electricity.
    if unit is None or code.c == 0 or code.d not in {0, 8} or tariff(code):
        return None
    return _total(Medium(code.a), unit.dimension)


def _mbus(code: Obis, unit: Unit | None, context: Context) -> Rule | None:
    medium = medium_of(code, context)
    if unit is None:
        return None if medium is None else TOTALS[medium][0]
    known = None if medium is None else _total(medium, unit.dimension)
    return known or MBUS_READINGS.get(unit.dimension)


def _total(medium: Medium, dimension: Dimension) -> Rule | None:
    return next((rule for rule in TOTALS[medium] if dimension in rule.dimensions), None)
