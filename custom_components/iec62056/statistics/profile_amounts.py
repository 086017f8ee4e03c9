"""What a load profile says of the totals of a meter: which it can fill, and what was used of each."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from homeassistant.util import dt as dt_util

from ..coordinator import MeterCoordinator
from ..derived.sources import SUMS, sources_of, together
from ..protocol.model import Medium, Obis
from ..protocol.profiles.load_profile import Channel, Measure, Profile
from ..registers.descriptions import TOTALS, kept_unit
from ..registers.units import convert, unit_of
from ..registers.values import native
from .register_curve import Amount

# Value group D of a total.
_TOTAL = 8
# Value group B where a meter has one channel: makes write 0 or 1.
_ONE_CHANNEL = frozenset((0, 1))


class FillableTotal(NamedTuple):
    """A total that a load profile has columns of: the key and unit of its sensor, its code and last number."""

    key: str
    code: Obis
    unit: str
    received: datetime
    # None where it cannot be told.
    number: Decimal | None


def fillable_totals(coordinator: MeterCoordinator) -> Iterator[FillableTotal]:
    """The totals of a meter that a load profile can fill, those that are added up from tariffs too."""
    zone = dt_util.get_default_time_zone()
    for known in coordinator.data.registers.values():
        code = known.register.obis
        if code is None or not fillable(code):
            continue
        for described in known.descriptions:
            description = kept_unit(described, coordinator.validator.units.get(described.key))
            if description.state_class in TOTALS and description.unit is not None:
                value = native(known.register, description, zone)
                number = value if isinstance(value, Decimal) else None
                yield FillableTotal(description.key, code, description.unit, known.received, number)
    for kind in SUMS:
        sources = sources_of(kind, coordinator.record.derived.index)
        code = sources[0].known.register.obis if sources else None
        if code is not None:
            numbers = [number for found in sources if (number := found.number("kWh")) is not None]
            whole = len(numbers) == len(sources) and together(sources)
            received = min(found.received for found in sources)
            total = sum(numbers, Decimal(0)) if whole else None
            yield FillableTotal(kind, replace(code, e=0), "kWh", received, total)


def fillable(code: Obis) -> bool:
    """Whether a register is a total that a load profile can have columns of."""
    return code.a == Medium.ELECTRICITY and code.d == _TOTAL and code.current


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
