"""Codes of the catalogue."""

from itertools import product
from zoneinfo import ZoneInfo

from custom_components.iec62056.protocol.model import (
    Medium,
    Obis,
)
from custom_components.iec62056.registers.tables import (
    BY_TYPE,
    HEAT_PAIRS,
    LISTED,
    MBUS_CODES,
    MEDIA,
    WITH_F,
)

ZONE = ZoneInfo("Europe/Berlin")
E, H = Medium.ELECTRICITY, Medium.HEAT


def codes() -> list[Obis]:
    """Every code the tables know, in each phase and with a tariff, and neighbours they do not know."""
    electric = [
        (E, c + 20 * phase, d, e)
        for (c, d), phase, e in product(BY_TYPE, range(4), (0, 1))
        if c + 20 * phase <= 191
    ]
    listed = [(a, c, d, 7 if e is None else e) for c, d, e in LISTED for a in (Medium.ABSTRACT, E)]
    angles = [(E, 81, 7, e) for e in range(30)]
    mbus = [(Medium.ABSTRACT, 24, d, e) for d, e in MBUS_CODES]
    media = [(a, *code) for a, rules in MEDIA.items() for code in rules] + list(HEAT_PAIRS)
    other = [(a, c, d, 0) for a in Medium for c, d in ((1, 0), (3, 0), (1, 8), (77, 7))]
    found = [*electric, *listed, *angles, *mbus, *media, *other]
    return [Obis(int(a), 0, c, d, e) for a, c, d, e in found] + [
        Obis(a, 0, *code) for a, *code in WITH_F
    ]
