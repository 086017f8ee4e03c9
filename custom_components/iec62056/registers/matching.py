"""Which rule of the tables holds for a code.

Here: the order in which the tables are asked, and how value groups C and E are read. Pure.
Never here: tables, values, names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..protocol.model import Medium, Obis, Reading
from .tables import (
    ABSTRACT_ONLY,
    ANGLES,
    BY_TYPE,
    HEAT,
    LISTED,
    MAXIMUM,
    MAXIMUM_TIME,
    MBUS_CODES,
    MBUS_MEDIA,
    MBUS_READINGS,
    P1_CHANNEL,
    P1_LISTED,
    PHASES,
    SYMBOLS,
    TOTALS,
    WITH_F,
    Axis,
    Kind,
    Rule,
)
from .units import Dimension, Unit

MBUS = 24
_ANGLES = 81
_ALL_TARIFFS = 255
_LAST_TARIFF = 63
# COSEM attribute 5 of an extended register: the time of its value.
_TIME_ATTRIBUTE = 5


@dataclass(frozen=True, slots=True)
class Context:
    """What the other registers of a meter tell of one.

    `mbus` is the device type of each M-Bus channel. `current` are the codes with F = 0 that stand alone: some makes
    (Pafal, EMH) write the present value so, where others mean a stored one.
    """

    mbus: Mapping[int, int] = field(default_factory=dict, hash=False)
    current: frozenset[Obis] = frozenset()

    def medium(self, code: Obis) -> Medium | None:
        """What the M-Bus device of a channel measures."""
        return MBUS_MEDIA.get(self.mbus.get(code.b, 0))

    def shared(self, code: Obis) -> bool:
        """Whether another M-Bus channel measures the same, so that a name needs the channel."""
        return sum(MBUS_MEDIA.get(kind) is self.medium(code) for kind in self.mbus.values()) > 1


def context_of(reading: Reading) -> Context:
    """Look through a reading, once, for what describes its registers."""
    codes = {register.obis for register in reading.registers}
    mbus: dict[int, int] = {}
    current: set[Obis] = set()
    for register in reading.registers:
        code = register.obis
        if code is None:
            continue
        if (code.a, code.c, code.d) == (Medium.ABSTRACT, MBUS, 1) and register.values:
            number = register.values[0].number
            if number is not None:
                mbus[code.b] = int(number)
        if code.f == 0 and replace(code, f=255) not in codes:
            current.add(code)
    return Context(mbus, frozenset(current))


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
    if code.a == Medium.HEAT and (rule := HEAT.get((code.c, code.d, tariff(code)))):
        return rule
    # Value group D of a total is 0 in these media; some makes write 8 as for electricity.
    if unit is None or code.c == 0 or code.d not in {0, 8} or tariff(code):
        return None
    return _total(Medium(code.a), unit.dimension)


def _mbus(code: Obis, unit: Unit | None, context: Context) -> Rule | None:
    medium = context.medium(code)
    if unit is None:
        return None if medium is None else TOTALS[medium][0]
    known = None if medium is None else _total(medium, unit.dimension)
    return known or MBUS_READINGS.get(unit.dimension)


def _total(medium: Medium, dimension: Dimension) -> Rule | None:
    return next((rule for rule in TOTALS[medium] if dimension in rule.dimensions), None)
