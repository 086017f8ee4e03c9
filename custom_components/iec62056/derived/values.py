"""Values that follow from several registers or readings, which the meter itself does not send.

Energies are in Wh, powers in W, demands in kW, as they are billed.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Final, NamedTuple

from ..protocol.values import MeterTime, TimeKind, timestamp
from ..registers.descriptions import decimals_of
from ..registers.index import IndexedRegister, RegisterIndex
from ..registers.units import convert, same_dimension, unit_of
from . import status_flags
from .history import Absence, DerivedHistory, Peak, Point
from .sources import (
    ABSOLUTE,
    COURSES,
    EXPORT,
    IMPORT,
    SUMS,
    TOTAL,
    Derived,
    maximum,
    powers,
    sources_of,
    tariff_register,
    time_of_maximum,
    together,
    total_sources,
)

# Means are taken over the shortest time that gives them; this is the longest, if readings do not lie further apart.
LONGEST_MEAN: Final = timedelta(hours=1)
# A tariff is gone after so many complete readings without it, and a day.
_GONE: Final = 10
_GONE_ON_BATTERY: Final = 7
# A date and a time read one after the other around midnight may belong to two days.
_MIDNIGHT = timedelta(minutes=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Result:
    """A derived value; None if it is not known now."""

    value: Decimal | datetime | str | None
    # The keys of the registers it follows from, and when the oldest of them was received (UTC).
    sources: tuple[str, ...]
    received: datetime
    # Where a mean begins, and when a peak was.
    since: datetime | None = None
    at: datetime | None = None
    # Whether none of them was read since the start.
    restored: bool = False
    # The keys of tariffs that the meter sends no more, and that are not counted.
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Total:
    """A total in Wh, the step of its last digit, and the registers it was added up from."""

    number: Decimal
    step: Decimal
    sources: tuple[IndexedRegister, ...]


@dataclass(frozen=True, slots=True)
class DerivedValues:
    """The derived values of a meter as last read; `zone` is the one its clock is set to."""

    index: RegisterIndex
    history: DerivedHistory
    zone: tzinfo

    def offered(self, known: Collection[Derived] = ()) -> tuple[Derived, ...]:
        """What can be derived for this meter besides what is known already."""
        return tuple(kind for kind in Derived if kind not in known and sources_of(kind, self.index))

    def unit(self, kind: Derived, default: str) -> str:
        """The unit of the first register that a value is added up from, if it measures the same as the default."""
        units = (found.description.unit or "" for found in sources_of(kind, self.index))
        return next((unit for unit in units if same_dimension(unit, default)), default)

    def decimals(self, kind: Derived, unit: str) -> int | None:
        """How many decimals of that unit the registers show; None where none is a number in such a unit."""
        steps = [step for found in sources_of(kind, self.index) if (step := found.step(unit))]
        return decimals_of(min(steps), unit) if steps else None

    def result(self, kind: Derived) -> Result:
        """The value of what was offered."""
        sources = sources_of(kind, self.index)
        if not sources:
            # A register appeared that makes it superfluous.
            return Result(None, (), self.index.received)
        keys = tuple(found.key for found in sources)
        received = min(found.received for found in sources)
        if kind in COURSES:
            mean = self.history.courses[kind].mean() if kind in self.history.courses else None
            if mean is None:
                return Result(None, keys, received)
            return Result(mean.power, keys, received, mean.since)
        restored = all(found.known.restored for found in sources)
        if kind in _PEAKS:
            peak = _peak_of(self, _PEAKS[kind])
            power, at = (None, None) if peak is None else peak
            return Result(power, keys, received, at=at, restored=restored)
        tariffs = self.index.tariffs(SUMS[kind], TOTAL, left=True) if kind in SUMS else {}
        without = tuple(one.key for one in tariffs.values() if one.key in self.index.left)
        return Result(_VALUES[kind](self), keys, received, restored=restored, without=without)


def remember(
    history: DerivedHistory, index: RegisterIndex, zone: tzinfo, max_age: timedelta
) -> DerivedHistory:
    """The history after a reading; the same reading again changes nothing. `max_age` is how long a value is shown."""
    history = history.of_meter(index.identity.number)
    for kind in COURSES:
        if sources_of(kind, index) and (total := _total(kind, index)) is not None:
            at = min(found.received for found in total.sources)
            point = Point(at, total.number, total.step)
            history = history.with_point(kind, point, max(max_age, LONGEST_MEAN))
    if (peak := _peak(index, zone)) is not None:
        month = _month_of(peak.at, zone)
        # One of a meter that is reset once a year, or of a damaged time.
        if month in _months(index.received, zone):
            history = history.with_peak(month, peak)
    history = history.with_tariffs(
        {
            found.key: (tariff, number)
            for c in (IMPORT, EXPORT)
            for tariff, found in index.tariffs(c, TOTAL).items()
            if (number := found.number("Wh")) is not None
        }
    )
    for found, number in status_flags.counts(index):
        history = history.with_count(found.key, number, found.received)
    return history


def note_absences(
    history: DerivedHistory, index: RegisterIndex, held: Collection[str]
) -> DerivedHistory:
    """The history after a complete reading: tariffs that are gone for good leave their sums, and return when they come.

    `held` are the keys of registers that were sent and not published.
    """
    history = history.of_meter(index.identity.number)
    absences: dict[str, Absence] = {}
    fewest = _GONE_ON_BATTERY if index.state.profile.on_battery else _GONE
    for c in SUMS.values():
        tariffs = index.tariffs(c, TOTAL, left=True).values()
        latest = max((found.received for found in tariffs), default=index.received)
        for found in tariffs:
            if found.received == latest:
                continue
            before = history.absences.get(found.key, Absence(found.received, 0))
            readings = before.readings + (latest > before.seen and found.key not in held)
            gone = readings >= fewest and latest - found.received >= _DAY
            number = before.left or (found.number("Wh") if gone else None)
            absences[found.key] = Absence(latest, readings, number)
    return history.with_absences(absences)


class SumStep(NamedTuple):
    """A sum of tariffs that steps by `offset` besides the change of its number from `last` to `first`; in Wh."""

    kind: Derived
    offset: Decimal
    last: Decimal
    first: Decimal


type Numbers = Mapping[str, tuple[Decimal, str | None]]


def steps_of_sums(
    before: RegisterIndex, now: RegisterIndex, offsets: Numbers, firsts: Numbers
) -> Iterator[SumStep]:
    """The sums that step because their tariffs do, or because one of them appeared or is gone.

    `offsets` are those of the tariffs, `firsts` the first numbers of new tariffs; both by the keys of the registers, with
    their units.
    """
    stepped, first = _in_watt_hours(offsets), _in_watt_hours(firsts)
    for kind in SUMS:
        old, new = _energies(kind, before), _energies(kind, now)
        if not old or not new or (old.keys() == new.keys() and not old.keys() & stepped.keys()):
            continue
        same = [stepped.get(key, Decimal(0)) for key in old.keys() & new.keys()]
        gone = [old[key] for key in old.keys() - new.keys()]
        appeared = [-first.get(key, new[key]) for key in new.keys() - old.keys()]
        yield SumStep(
            kind,
            sum([*same, *gone, *appeared], Decimal(0)),
            sum(old.values(), Decimal(0)),
            sum(new.values(), Decimal(0)),
        )


class Heir(NamedTuple):
    """What takes over a total's sensor after an exchange: both by the keys of their sensors, and their numbers in Wh."""

    old: str
    new: str
    last: Decimal
    first: Decimal


def heirs(before: RegisterIndex, now: RegisterIndex, firsts: Numbers) -> Iterator[Heir]:
    """Sums that a meter has where the one before sent the total, and totals it sends where the one before had the sum.

    `firsts` are the first numbers of its totals by the keys of their registers, with their units.
    """
    first = _in_watt_hours(firsts)
    for kind, c in SUMS.items():
        old, new = _counted(kind, c, before), _counted(kind, c, now)
        if old and new and old[0] != new[0]:
            counted = sum((first.get(key, number) for key, number in new[1].items()), Decimal(0))
            yield Heir(old[0], new[0], sum(old[1].values(), Decimal(0)), counted)


def _counted(kind: Derived, c: int, index: RegisterIndex) -> tuple[str, dict[str, Decimal]] | None:
    """The key of the sensor of a total, sent or added up, and the numbers it is made of."""
    if energies := _energies(kind, index):
        return kind, energies
    total = index.get(c, TOTAL)
    if total is None or (number := total.number("Wh")) is None:
        return None
    return total.description.key, {total.key: number}


def _in_watt_hours(numbers: Numbers) -> dict[str, Decimal]:
    """Those of the numbers that are energies."""
    found = {
        key: convert(number, unit_of(unit or ""), "Wh") for key, (number, unit) in numbers.items()
    }
    return {key: energy for key, energy in found.items() if energy is not None}


def _energies(kind: Derived, index: RegisterIndex) -> dict[str, Decimal]:
    """The tariffs of a sum; none if one of them is no number, so that there is no sum."""
    numbers = {found.key: found.number("Wh") for found in sources_of(kind, index)}
    energies = {key: number for key, number in numbers.items() if number is not None}
    return energies if len(energies) == len(numbers) else {}


def _net_power(derived: DerivedValues) -> Decimal | None:
    sources = powers(derived.index)
    numbers = [
        sign * number for found, sign in sources if (number := found.number("W")) is not None
    ]
    if len(numbers) != len(sources) or not together(tuple(found for found, _ in sources)):
        return None
    return sum(numbers, Decimal(0))


def _sum_of_tariffs(c: int) -> Callable[[DerivedValues], Decimal | None]:
    def energy(derived: DerivedValues) -> Decimal | None:
        total = _added(tuple(derived.index.tariffs(c, TOTAL).values()))
        return None if total is None else total.number

    return energy


def _tariff(derived: DerivedValues) -> str | None:
    if (found := tariff_register(derived.index)) is not None:
        # The number alone, however it is padded: 0002, 2.
        return str(int(found.text)) if found.text.isdecimal() else found.text or None
    return None if derived.history.tariff is None else str(derived.history.tariff)


def _clock(derived: DerivedValues) -> datetime | None:
    moment = clock_of(derived.index)
    return None if moment is None else moment.utc(derived.zone)


def _clock_drift(derived: DerivedValues) -> Decimal | None:
    """How far the meter's clock is ahead, in seconds, as far as the time the reading took does not explain it."""
    moment = clock_of(derived.index)
    if moment is None or moment.time is None or (shown := moment.utc(derived.zone)) is None:
        return None
    found = sources_of(Derived.CLOCK_DRIFT, derived.index)
    begin = found[0].received
    duration = timedelta(seconds=derived.index.state.health.duration)
    if len(found) > 1 and _around_midnight(moment.time, duration):
        return None
    ahead = min(shown - begin, timedelta(0)) + max(shown - begin - duration, timedelta(0))
    return Decimal(round(ahead.total_seconds()))


def _around_midnight(shown: time, duration: timedelta) -> bool:
    since = timedelta(hours=shown.hour, minutes=shown.minute, seconds=shown.second)
    margin = duration + _MIDNIGHT
    return since < margin or _DAY - since < margin


def clock_of(index: RegisterIndex) -> MeterTime | None:
    """The meter's clock as it sends it, from one register or from date and time; None where it shows no moment."""
    registers = status_flags.clock_registers(index)
    if len(registers) < 2:
        return registers[0].moment() if registers else None
    day, hour = registers[0].moment(), timestamp(registers[1].text, TimeKind.TIME)
    if day is None or hour is None or not together(registers):
        return None
    return MeterTime(day.date, hour.time, day.season or hour.season)


def _fault(derived: DerivedValues) -> str | None:
    return status_flags.fault_text(derived.index)


def _month_of(at: datetime, zone: tzinfo) -> date:
    """The month of a maximum: its time is the end of its period, and midnight still belongs to the day before."""
    return (at - timedelta(seconds=1)).astimezone(zone).date().replace(day=1)


def _peak(index: RegisterIndex, zone: tzinfo) -> Peak | None:
    found = maximum(index)
    if found is None or (power := found.number("kW")) is None:
        return None
    at = found.taken(zone)
    timed = time_of_maximum(index)
    if at is None and timed is not None and together((found, timed)):
        moment = timed.moment()
        at = None if moment is None else moment.utc(zone)
    return None if at is None else Peak(power, at)


def _months(now: datetime, zone: tzinfo) -> tuple[date, date]:
    """This month and the last one, by their first days."""
    this = now.astimezone(zone).date().replace(day=1)
    return this, (this - timedelta(days=1)).replace(day=1)


def _peak_of(derived: DerivedValues, months_ago: int) -> Peak | None:
    return derived.history.peaks.get(_months(derived.index.received, derived.zone)[months_ago])


def _peak_time(months_ago: int) -> Callable[[DerivedValues], datetime | None]:
    def at(derived: DerivedValues) -> datetime | None:
        peak = _peak_of(derived, months_ago)
        return None if peak is None else peak.at

    return at


def _total(kind: Derived, index: RegisterIndex) -> _Total | None:
    return _added(total_sources(kind, index))


def _added(sources: tuple[IndexedRegister, ...]) -> _Total | None:
    """Registers added up; none where one is missing, or from another reading than the others."""
    numbers = [found.number("Wh") for found in sources]
    steps = [found.step("Wh") for found in sources]
    if not sources or not together(sources) or None in numbers or None in steps:
        return None
    return _Total(
        sum((number for number in numbers if number is not None), Decimal(0)),
        sum((step for step in steps if step is not None), Decimal(0)),
        sources,
    )


# How many months ago the peak was.
_PEAKS: Final = {Derived.PEAK_THIS_MONTH: 0, Derived.PEAK_LAST_MONTH: 1}
_VALUES: Mapping[Derived, Callable[[DerivedValues], Decimal | datetime | str | None]] = {
    Derived.NET_POWER: _net_power,
    Derived.TOTAL_IMPORT: _sum_of_tariffs(IMPORT),
    Derived.TOTAL_EXPORT: _sum_of_tariffs(EXPORT),
    Derived.TOTAL_ABSOLUTE: _sum_of_tariffs(ABSOLUTE),
    Derived.PEAK_THIS_MONTH_TIME: _peak_time(0),
    Derived.PEAK_LAST_MONTH_TIME: _peak_time(1),
    Derived.TARIFF: _tariff,
    Derived.CLOCK: _clock,
    Derived.CLOCK_DRIFT: _clock_drift,
    Derived.FAULT: _fault,
}
