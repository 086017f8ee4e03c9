"""What a load profile says of one total: which totals it has, which of its columns, in the unit of the statistics. Pure.

Never here: what becomes of it (history.py), parsing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from ..derived.sources import SUMS, Derived, sources_of, together
from ..protocol.model import Medium, Obis
from ..protocol.profiles.load_profile import Channel, Measure, Profile
from ..registers.index import RegisterIndex
from ..registers.units import convert, unit_of
from .planner import Amount

# Value group D of a total.
_TOTAL = 8
# Value group B where a meter has one channel: makes write 0 or 1.
_ONE_CHANNEL = frozenset((0, 1))


def fillable(code: Obis | None) -> bool:
    """Whether a register is a total that a load profile can have columns of."""
    return code is not None and code.a == Medium.ELECTRICITY and code.d == _TOTAL and code.current


class Sum(NamedTuple):
    """A total that is added up from tariffs: its code, if it were sent; its number in kWh, None where one is missing."""

    key: Derived
    code: Obis
    received: datetime
    number: Decimal | None


def sums(index: RegisterIndex) -> Iterator[Sum]:
    """The totals that a meter does not send: a load profile has columns of them all the same."""
    for kind in SUMS:
        sources = sources_of(kind, index)
        code = sources[0].known.register.obis if sources else None
        if code is None:
            continue
        numbers = [number for found in sources if (number := found.number("kWh")) is not None]
        whole = len(numbers) == len(sources) and together(sources)
        yield Sum(
            kind,
            replace(code, e=0),
            min(found.received for found in sources),
            sum(numbers, Decimal(0)) if whole else None,
        )


def of_total(profiles: Iterable[Profile], code: Obis, unit: str) -> tuple[list[Amount], Decimal]:
    """What was used of a total, in `unit`, and what each amount may be wrong by.

    Of several columns the one with the finest steps counts. Profiles with other columns go on where one ends.
    """
    found: list[Amount] = []
    worst = Decimal(0)
    for profile in profiles:
        columns = [
            (step, column)
            for column, channel in enumerate(profile.channels)
            if _is_of(channel, code)
            and (step := _converted(profile.step(column), channel, unit)) is not None
        ]
        if not columns:
            continue
        step, column = min(columns)
        worst = max(worst, step)
        channel = profile.channels[column]
        for begin, end, number in profile.amounts(column):
            amount = _converted(number, channel, unit)
            if amount is not None:
                found.append(Amount(begin, end, amount))
    return found, worst


def _is_of(channel: Channel, code: Obis) -> bool:
    """Whether a column counts what the total does; a mean or an amount has no tariff."""
    own = channel.obis
    if own is None or channel.measure is Measure.OTHER:
        return False
    same = own.b == code.b or {own.b, code.b} <= _ONE_CHANNEL
    return (own.a, own.c, own.e) == (code.a, code.c, code.e) and same


def _converted(number: Decimal, channel: Channel, unit: str) -> Decimal | None:
    spelling = channel.unit or ""
    if channel.measure is Measure.MEAN:
        # A power times hours: kW becomes kWh, kvar becomes kvarh.
        spelling += "h"
    return convert(number, unit_of(spelling), unit)
