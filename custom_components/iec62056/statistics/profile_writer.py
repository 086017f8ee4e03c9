"""The rows of a load profile in the statistics of a meter's sensors: planned, written, and taken back."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from ..coordinator import MeterCoordinator
from ..protocol.model import Obis
from ..registers.registry import entity_id_of
from ..registers.units import convert, unit_of
from ..validation.offsets import NEW_COUNTS
from . import profile_amounts, recorder
from .gaps import Gap, Point
from .import_job import AIR, ImportJob, ImportStore, Replaced
from .planner import Change, Hour, Plan, SkippedRange, plan
from .register_curve import Reason

# Rows beyond the range, which the sums are taken from.
LOOK_AROUND: Final = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made of one sensor, or would make."""

    key: str
    entity_id: str
    unit: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class _Total:
    """A sensor that a load profile can fill."""

    key: str
    code: Obis
    entity_id: str
    unit: str
    # None before the recorder has made statistics of it.
    series: recorder.Series | None


class ProfileWriter:
    """Writes what was read for an import; what it replaces is safe in the importer's file before that."""

    def __init__(self, coordinator: MeterCoordinator, store: ImportStore) -> None:
        """Nothing is written yet."""
        self._coordinator = coordinator
        self._hass = coordinator.hass
        self._store = store
        self._lock = asyncio.Lock()

    async def async_import(self, job: ImportJob) -> tuple[Imported, ...]:
        """Plan the changes of every sensor, and make them. Raises DatabaseFailed."""
        async with self._lock:
            found = []
            for total in await self._totals():
                if total.series is None:
                    if not job.automatic:
                        found.append(_not_yet(job, total))
                    continue
                one = await self._plan(job, total, total.series)
                found.append(one)
                if one.plan.changes and not job.preview:
                    await self._write(total.key, total.series, one.plan.changes)
            return tuple(found)

    async def _plan(self, job: ImportJob, total: _Total, series: recorder.Series) -> Imported:
        rows = await recorder.async_rows(
            self._hass, series, job.first - LOOK_AROUND, job.last + LOOK_AROUND
        )
        used, step = profile_amounts.of_total(job.parts, total.code, series.unit)
        history = self._store.imports.history
        begun, unit = history.begun.get(total.key, (None, ""))
        gaps = [
            Gap(gap.key, first, last, series.unit)
            for gap in history.gaps
            if gap.key == total.key
            and (first := _in(gap.first, gap.unit, series.unit)) is not None
            and (last := _in(gap.last, gap.unit, series.unit)) is not None
        ]
        planned = plan(
            used,
            rows,
            gaps,
            first=job.first + AIR,
            last=job.until,
            begun=None if begun is None or job.automatic else _in(begun, unit, series.unit),
            running=await recorder.async_running(self._hass, series),
            step=step,
            everything=job.everything,
            barriers=[
                one.at
                for one in self._coordinator.record.offsets
                if one.key == total.key and one.reason in NEW_COUNTS
            ],
        )
        return Imported(total.key, series.entity_id, series.unit, planned)

    async def _write(self, key: str, series: recorder.Series, changes: Iterable[Change]) -> None:
        all_replaced = self._store.imports.replaced
        replaced = all_replaced.get(key) or Replaced(series.unit)
        all_replaced[key] = replaced.with_changes(changes)
        await self._store.async_write()
        await recorder.async_write(
            self._hass, series, {change.start: change.hour for change in changes}
        )

    async def async_clear(self) -> dict[str, int]:
        """Put back what all imports of this meter have replaced; the number of hours by entity. Raises DatabaseFailed."""
        found: dict[str, int] = {}
        async with self._lock:
            totals = {total.key: total for total in await self._totals()}
            for key, replaced in list(self._store.imports.replaced.items()):
                if (total := totals.get(key)) is None or total.series is None:
                    continue
                await self._put_back(total.series, replaced)
                found[total.entity_id] = len(replaced.rows)
                del self._store.imports.replaced[key]
                await self._store.async_write()
        return found

    async def _put_back(self, series: recorder.Series, replaced: Replaced) -> None:
        replaced = _in_series(replaced, series.unit)
        starts = replaced.rows.keys()
        rows = await recorder.async_rows(
            self._hass, series, min(starts) - LOOK_AROUND, max(starts) + LOOK_AROUND
        )
        old = replaced.restored(rows)
        new = [start for start in starts if start not in old]
        if new and recorder.can_clear(self._hass):
            await recorder.async_clear(self._hass, series, new)
        elif new:
            running = await recorder.async_running(self._hass, series)
            rows = {**({} if running is None else {running[0]: running[1]}), **rows}
            old |= _flat(new, {**rows, **old})
        await recorder.async_write(self._hass, series, old)

    async def _totals(self) -> list[_Total]:
        """The sensors that a load profile can fill."""
        coordinator, found = self._coordinator, []
        for one in profile_amounts.fillable_totals(coordinator):
            if (entity_id := entity_id_of(self._hass, coordinator.unique_id, one.key)) is None:
                continue
            series = await recorder.async_series(self._hass, entity_id)
            # One that is switched off has no state, and no statistics to come.
            if series is not None or self._hass.states.get(entity_id) is not None:
                found.append(_Total(one.key, one.code, entity_id, one.unit, series))
        return found


def _not_yet(job: ImportJob, total: _Total) -> Imported:
    refusal = SkippedRange(Reason.NOT_YET, job.first + AIR, job.until)
    return Imported(total.key, total.entity_id, total.unit, Plan(refusals=(refusal,)))


def _in(point: Point, unit: str, wanted: str) -> Point | None:
    """A reading in the unit of the statistics."""
    number = convert(point.number, unit_of(unit), wanted)
    return None if number is None else Point(point.at, number)


def _in_series(replaced: Replaced, unit: str) -> Replaced:
    """What was replaced, in the unit that the statistics have now."""

    def number(one: float) -> float:
        converted = convert(Decimal(str(one)), unit_of(replaced.unit), unit)
        return one if converted is None else float(converted)

    if replaced.unit == unit:
        return replaced
    rows = {
        start: hour and Hour(number(hour.state), number(hour.sum))
        for start, hour in replaced.rows.items()
    }
    return Replaced(unit, rows, {start: number(one) for start, one in replaced.sums.items()})


def _flat(starts: Iterable[datetime], rows: dict[datetime, Hour]) -> dict[datetime, Hour]:
    """Rows without any use, for hours that cannot be deleted: level with the one before, at 0 where all begins."""
    new = set(starts)
    kept = sorted(start for start in rows if start not in new)
    found = {}
    for start in new:
        before = max((one for one in kept if one < start), default=None)
        if before is not None:
            found[start] = rows[before]
        elif kept:
            first = rows[kept[0]]
            found[start] = Hour(first.state - first.sum, 0.0)
    return found
