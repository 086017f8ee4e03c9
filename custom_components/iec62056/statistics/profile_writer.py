"""The rows of a load profile in the statistics of a meter's sensors: planned, written, and taken back."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN
from ..coordinator import MeterCoordinator
from ..protocol.model import Obis
from ..registers.registry import entity_id_of
from ..validation.offsets import Offset, OffsetReason
from . import profile_amounts, recorder
from .gaps import Gap, Point
from .import_job import AIR, ImportJob, ImportStore, Replaced, in_unit
from .ledger import Ledger
from .planner import HOUR, Change, Plan, SkippedRange, plan
from .register_curve import CLOCK, Reason

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


class NotKept(HomeAssistantError):
    """What an import replaces could not be written to the disk; nothing was replaced."""

    def __init__(self) -> None:
        """Name the sentence."""
        super().__init__(translation_domain=DOMAIN, translation_key="import_not_kept")


class ProfileWriter:
    """Writes what was read for an import; what it replaces is safe in the importer's file before that."""

    def __init__(self, coordinator: MeterCoordinator, store: ImportStore, ledger: Ledger) -> None:
        """Nothing is written yet."""
        self._coordinator = coordinator
        self._hass = coordinator.hass
        self._store = store
        self._ledger = ledger
        self._lock = asyncio.Lock()

    async def async_import(self, job: ImportJob) -> tuple[Imported, ...]:
        """Plan the changes of every sensor, and make them. Raises DatabaseFailed, NotKept."""
        async with self._lock:
            found = []
            for total in await self._totals():
                if total.series is None:
                    if not job.automatic:
                        found.append(_not_yet(job, total))
                    continue
                await self._ledger.async_settle(total.key)
                one = await self._plan(job, total, total.series)
                found.append(one)
                if one.plan.changes and not job.preview:
                    await self._write(total.key, total.series, one.plan.changes, one.plan.begun)
            return tuple(found)

    async def _plan(self, job: ImportJob, total: _Total, series: recorder.Series) -> Imported:
        since = job.first - LOOK_AROUND if job.automatic else recorder.LONG_AGO
        rows = await recorder.async_table(self._hass, series, HOUR, since, job.last + LOOK_AROUND)
        used, step = profile_amounts.of_total(job.parts, total.code, series.unit)
        history = self._store.imports.history
        begun, unit = history.begun.get(total.key, (None, ""))
        replaced = self._store.imports.replaced.get(total.key)
        gaps = [
            Gap(gap.key, first, last, series.unit)
            for gap in history.gaps
            if gap.key == total.key
            and (first := in_unit(gap.first, gap.unit, series.unit)) is not None
            and (last := in_unit(gap.last, gap.unit, series.unit)) is not None
        ]
        record = self._coordinator.record
        offsets = [
            one.in_unit(series.unit)
            for one in record.offsets
            if one.key == total.key and one.reason is not OffsetReason.IMPORTED
        ]
        # What another meter wrote down before it came is not of this house.
        came = [one.at for one in record.offsets if one.reason is OffsetReason.REPLACED]
        used = [one for one in used if not came or one.begin >= max(came) - CLOCK]
        # What is switched off is corrected by nobody.
        extends = not job.automatic and self._hass.states.get(series.entity_id) is not None
        planned = plan(
            used,
            rows,
            gaps,
            first=job.first + AIR,
            last=job.until,
            begun=in_unit(begun, unit, series.unit) if begun and extends else None,
            added=[]
            if replaced is None
            else [one for one, row in replaced.rows.items() if not row],
            step=step,
            everything=job.everything,
            offsets=offsets,
        )
        return Imported(total.key, series.entity_id, series.unit, planned)

    async def _write(
        self,
        key: str,
        series: recorder.Series,
        changes: Sequence[Change],
        begun: Point | None,
    ) -> None:
        """Write these rows; those from `begun` on follow them. Raises DatabaseFailed, NotKept."""
        record, imports = self._coordinator.record, self._store.imports
        before = imports.replaced.get(key, Replaced(series.unit)).in_unit(series.unit)
        imports.replaced[key] = noted = before.with_changes(changes, begun)
        joins = begun and Offset(
            key,
            begun.at,
            Decimal(0),
            series.unit,
            reason=OffsetReason.IMPORTED,
            recorded=True,
        )
        if not await self._store.async_write() or not (
            joins is None or await record.async_note_offset(joins)
        ):
            imports.replaced[key] = before
            raise NotKept
        await recorder.async_write(
            self._hass, series, {change.start: change.hour for change in changes}
        )
        imports.replaced[key] = noted.written()
        if joins is not None:
            await self._ledger.async_settle(key)

    async def async_clear(self) -> dict[str, int]:
        """Put back what all imports of this meter have replaced; the number of hours by entity.

        Raises DatabaseFailed, NotKept.
        """
        found: dict[str, int] = {}
        async with self._lock:
            totals = {total.key: total for total in await self._totals()}
            for key, replaced in list(self._store.imports.replaced.items()):
                total = totals.get(key)
                if total is None or total.series is None or not replaced.sums:
                    continue
                await self._ledger.async_settle(key)
                await self._put_back(key, total.series, replaced.in_unit(total.series.unit))
                found[total.entity_id] = len(replaced.rows)
        return found

    async def _put_back(self, key: str, series: recorder.Series, replaced: Replaced) -> None:
        rows = await recorder.async_table(self._hass, series, HOUR, recorder.LONG_AGO)
        changes = [
            Change(start, hour, rows[start]) for start, hour in replaced.restored(rows).items()
        ]
        await self._write(key, series, changes, replaced.begun)
        left = {start: None for start, hour in replaced.rows.items() if hour is None}
        if left and recorder.can_clear(self._hass):
            await recorder.async_clear(self._hass, series, left)
            left = {}
        del self._store.imports.replaced[key]
        if left:
            # What cannot be deleted may be filled again.
            self._store.imports.replaced[key] = Replaced(series.unit, left, begun=replaced.begun)
        await self._store.async_write()

    async def _totals(self) -> list[_Total]:
        """The sensors that a load profile can fill."""
        # What the user has just corrected is in the database.
        await recorder.async_committed(self._hass)
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
