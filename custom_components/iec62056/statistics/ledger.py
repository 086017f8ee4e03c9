"""The ledger of a meter's totals: at each offset the sums of the statistics are made to follow what was counted.

A row holds state and sum of its end. Between two rows that follow each other the sum has to change as the state does, plus
the offsets whose new number came in between. Only that change is judged; any other jump of the sums is somebody else's.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from homeassistant.components.recorder.const import DOMAIN as RECORDER
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfEnergy
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util

from ..const import LOGGER
from ..coordinator import MeterCoordinator
from ..derived.sources import SUMS, sources_of
from ..meter.background import in_background
from ..meter.schedule import Timer
from ..registers.descriptions import TOTALS
from ..registers.registry import entity_id_of
from ..registers.units import convert, unit_of
from ..validation.offsets import Offset
from . import recorder
from .planner import HOUR, Hour, hour_of, near
from .recorder import DatabaseFailed, Series

PERIOD: Final = timedelta(minutes=5)
# The recorder needs a moment to sum up.
_MARGIN: Final = timedelta(minutes=1)
# A sensor is silent for longer in few meters; then the row before is looked for in all of the past.
_USUAL: Final = timedelta(days=20)


class _Row(NamedTuple):
    start: datetime
    end: datetime
    hour: Hour


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one table makes of the offsets: what its sums lack from a row on, and which offsets have no row yet."""

    rows: Mapping[datetime, Hour]
    wrong: Mapping[datetime, float]
    waiting: frozenset[Offset]

    @property
    def corrected(self) -> dict[datetime, Hour]:
        """The rows from the first wrong one on as they should be."""
        return {
            start: hour._replace(sum=hour.sum + sum(lacking))
            for start, hour in self.rows.items()
            if (lacking := [amount for begin, amount in self.wrong.items() if begin <= start])
        }


class Ledger:
    """Looks at the statistics of one meter after each offset, until both tables are right."""

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Prepare; nothing is looked at before the start."""
        self._coordinator = coordinator
        self._hass = coordinator.hass
        self._planned: tuple[Offset, ...] = ()
        self._timer = Timer(coordinator.hass, self._begin)
        # Two looks at once would both find the same amount missing.
        self._lock = asyncio.Lock()

    @callback
    def async_start(self) -> None:
        """Look at what is still open, and at what is to come."""
        entry = self._coordinator.config_entry
        entry.async_on_unload(self._timer.stop)
        entry.async_on_unload(self._coordinator.async_add_listener(self._plan))
        self._plan()

    @callback
    def _plan(self, least: timedelta | None = None) -> None:
        """Wait until the earliest offset can be looked at, and for `least`."""
        offsets = self._coordinator.record.open_offsets
        if self._lock.locked() or (least is None and offsets == self._planned):
            return
        self._planned = offsets
        self._timer.stop()
        if offsets and RECORDER in self._hass.config.components:
            now = dt_util.utcnow()
            ready = min(offset.at for offset in offsets) + PERIOD + _MARGIN
            self._timer.set(max(ready, now + (least or timedelta(0))), by_the_clock=True)

    @callback
    def _begin(self) -> None:
        in_background(self._hass, self._coordinator.config_entry, self._look(), "ledger")

    async def _look(self) -> None:
        for key in dict.fromkeys(offset.key for offset in self._coordinator.record.open_offsets):
            try:
                await self.async_settle(key)
            except DatabaseFailed:
                LOGGER.warning("The statistics of %s were not corrected yet", key)
        self._plan(PERIOD)

    async def async_settle(self, key: str) -> None:
        """Make the statistics of one sensor right at its offsets, as far as there are rows. Raises DatabaseFailed."""
        async with self._lock:
            offsets = [one for one in self._coordinator.record.open_offsets if one.key == key]
            if offsets:
                await self._settle(key, offsets)

    async def _settle(self, key: str, offsets: list[Offset]) -> None:
        coordinator, hass = self._coordinator, self._hass
        entity_id = entity_id_of(hass, coordinator.unique_id, key)
        if entity_id is None or (state := hass.states.get(entity_id)) is None:
            # What is disabled has no statistics to come.
            coordinator.record.update_offsets({one: replace(one, closed=True) for one in offsets})
            return
        await recorder.async_committed(hass)
        unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
        found = {one: await _recorded(hass, entity_id, one, unit) for one in offsets}
        came: datetime | None = None
        for one in reversed(offsets):
            # A number that was never shown came with the next one that was.
            if not found[one].recorded and came is not None:
                found[one] = replace(one, at=came, recorded=True)
            came = found[one].at if found[one].recorded else came
        kept = timedelta(days=get_instance(hass).keep_days)
        closed = []
        if (series := await recorder.async_series(hass, entity_id)) is not None:
            closed = await async_correct(
                hass,
                series,
                [one for one in found.values() if one.recorded],
                [one for one in coordinator.record.offsets if one.key == key and one.closed],
            )
        now = dt_util.utcnow()
        coordinator.record.update_offsets(
            {
                one: replace(then, closed=then in closed or now - then.at > 2 * kept)
                for one, then in found.items()
            }
        )


async def async_recorded_numbers(coordinator: MeterCoordinator) -> dict[str, Decimal]:
    """What the totals have shown last, by their keys, where a crash of Home Assistant has lost that reading."""
    hass, state = coordinator.hass, coordinator.data
    if hass.state is CoreState.running or RECORDER not in hass.config.components:
        return {}
    wanted = {
        description.key: (description.unit, known.received)
        for known in state.registers.values()
        for description in known.descriptions
        if description.state_class in TOTALS
    }
    for kind in SUMS:
        if sources := sources_of(kind, coordinator.record.derived.index):
            wanted[kind] = UnitOfEnergy.WATT_HOUR, min(one.received for one in sources)
    found = {}
    entities = er.async_get(hass)
    for key, (described, received) in wanted.items():
        entity_id = entity_id_of(hass, coordinator.unique_id, key)
        if entity_id is None or (entity := entities.async_get(entity_id)) is None:
            continue
        try:
            shown = await recorder.async_shown(hass, entity_id, received)
        except DatabaseFailed:
            continue
        if not shown:
            continue
        unit = coordinator.validator.units.get(key, described) or ""
        numbers = [in_unit(number, entity.unit_of_measurement, unit) for _, number in shown]
        offsets = [one for one in coordinator.record.open_offsets if one.key == key]
        # Before the number that ours came with, there are only older ones.
        if numbers[-1] is not None and all(
            any(number is not None and one.came_with(number) for number in numbers)
            for one in offsets[-1:]
        ):
            found[key] = numbers[-1]
    return found


async def _recorded(
    hass: HomeAssistant, entity_id: str, offset: Offset, unit: str | None
) -> Offset:
    """The offset with the time of the first recorded state that shows its new number, if there is one."""
    if offset.recorded:
        return offset
    for at, shown in await recorder.async_shown(hass, entity_id, offset.at):
        number = in_unit(shown, unit, offset.unit or "")
        if number is not None and offset.came_with(number):
            return replace(offset, at=at, recorded=True)
    return offset


async def async_correct(
    hass: HomeAssistant, series: Series, offsets: Sequence[Offset], closed: Sequence[Offset] = ()
) -> list[Offset]:
    """Make both tables right at these offsets; those of which the hour was seen right. Raises DatabaseFailed.

    `closed` are others, which rows may have in common with them.
    """
    if not offsets:
        return []
    known = {
        offset: float(amount)
        for offset in (*offsets, *closed)
        if (amount := in_unit(offset.offset, offset.unit, series.unit)) is not None
    }
    for _ in range(recorder.MOST_TRIES):
        short, hours = await _judge(hass, series, known)
        if not short.wrong and not hours.wrong:
            return [offset for offset in offsets if offset not in hours.waiting]
        if _lack_the_same(short, hours):
            for start, lacking in short.wrong.items():
                await recorder.async_move_sums(hass, series, start, lacking)
        else:
            # The database has refused one of the tables.
            for span, table in ((PERIOD, short), (HOUR, hours)):
                await recorder.async_write_table(hass, series, span, table.corrected)
    raise DatabaseFailed


async def _judge(
    hass: HomeAssistant, series: Series, known: Mapping[Offset, float]
) -> tuple[_Judged, _Judged]:
    first = hour_of(min(offset.at for offset in known if not offset.closed))
    hours = await recorder.async_table(hass, series, HOUR, first - _USUAL)
    if not any(start < first for start in hours):
        hours = await recorder.async_table(hass, series, HOUR, recorder.LONG_AGO)
    short = await recorder.async_table(hass, series, PERIOD, first - _USUAL)
    five_minutes, hour_rows = list(_rows(short, PERIOD)), list(_rows(hours, HOUR))
    begun = five_minutes[0].start if five_minutes else first
    # Where the five minutes are gone, the hours tell what was before; in the first hour of all, the five minutes do.
    earlier = [row for row in hour_rows if row.end <= begun]
    opening = five_minutes[:1] if hour_rows and hour_rows[0].start == hour_of(begun) else []
    return (
        _judged(short, [*earlier, *five_minutes], known, seam=begun if earlier else None),
        _judged(hours, [*opening, *hour_rows], known),
    )


def _rows(table: Mapping[datetime, Hour], span: timedelta) -> Iterator[_Row]:
    return (_Row(start, start + span, hour) for start, hour in table.items())


def _judged(
    table: Mapping[datetime, Hour],
    rows: Iterable[_Row],
    known: Mapping[Offset, float],
    *,
    seam: datetime | None = None,
) -> _Judged:
    """What is wrong in a table; from the `seam` on its rows are its own, those before are of the other one."""
    left, wrong = set(known), dict[datetime, float]()
    before: Hour | None = None
    is_judged = False
    for row in rows:
        due = [offset for offset in left if offset.at < row.end]
        comes = not all(offset.closed for offset in due)
        # The first sums of all begin at nothing. Where only one of the tables was moved, it shows at the seam.
        if before is not None and (comes or (is_judged and row.start == seam)):
            expected = row.hour.state - before.state + sum(known[offset] for offset in due)
            rise = row.hour.sum - before.sum
            if not near(row.hour.sum, before.sum + expected):
                wrong[row.start] = expected - rise
        is_judged |= comes
        left.difference_update(due)
        before = row.hour
    return _Judged(table, wrong, frozenset(left))


def _lack_the_same(short: _Judged, hours: _Judged) -> bool:
    """Whether the hours that are summed up lack what the five minutes do."""
    lacking: dict[datetime, float] = {}
    for start, amount in short.wrong.items():
        lacking[hour_of(start)] = lacking.get(hour_of(start), 0.0) + amount
    return all(
        start not in hours.rows or near(lacking.get(start, 0.0), hours.wrong.get(start, 0.0))
        for start in lacking.keys() | hours.wrong.keys()
    )


def in_unit(number: Decimal, unit: str | None, wanted: str) -> Decimal | None:
    """A number in another unit; None where that is of another kind."""
    return convert(number, unit_of(unit or ""), wanted)
