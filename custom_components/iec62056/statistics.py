"""The hourly statistics of a sensor, in the recorder: read as they are, written as planned, put back as they were.

Here: all that is asked of the recorder. Rows are in the unit the recorder keeps them in.
Never here: which rows are written and why (history.py).
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
import inspect
from typing import Any

from homeassistant.components.recorder.models import StatisticData, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance

from .history import BASELINE, HOUR, Hour


@dataclass(frozen=True, slots=True)
class Series:
    """The statistics of one sensor, as the recorder describes them."""

    entity_id: str
    unit: str
    metadata: StatisticMetaData


async def async_series(hass: HomeAssistant, entity_id: str) -> Series | None:
    """The statistics of a sensor; None where it has no sums, or they have no unit."""

    def find() -> dict[str, tuple[int, StatisticMetaData]]:
        return get_metadata(hass, statistic_ids={entity_id})

    found = await get_instance(hass).async_add_executor_job(find)
    if entity_id not in found:
        return None
    metadata = found[entity_id][1]
    unit = metadata["unit_of_measurement"]
    return Series(entity_id, unit, metadata) if unit and metadata["has_sum"] else None


async def async_rows(
    hass: HomeAssistant, series: Series, first: datetime, last: datetime
) -> dict[datetime, Hour]:
    """The rows of the hours from `first` to `last` by their beginning, and the one where a filled past begins."""
    unit_class = series.metadata["unit_class"]
    units: Any = None if unit_class is None else {unit_class: series.unit}

    def read() -> dict[datetime, Hour]:
        found: dict[datetime, Hour] = {}
        for begin, end in ((BASELINE, BASELINE + HOUR), (first, last)):
            rows = statistics_during_period(
                hass, begin, end, {series.entity_id}, "hour", units, {"state", "sum"}
            )
            for row in rows.get(series.entity_id, []):
                state, total = row["state"], row["sum"]
                if state is not None and total is not None:
                    found[datetime.fromtimestamp(row["start"], UTC)] = Hour(state, total)
        return found

    return await get_instance(hass).async_add_executor_job(read)


async def async_write(hass: HomeAssistant, series: Series, hours: Mapping[datetime, Hour]) -> None:
    """Write these rows in one transaction, over those that are there; done when it returns."""
    if not hours:
        return
    rows = [
        StatisticData(start=start, state=hour.state, sum=hour.sum) for start, hour in hours.items()
    ]
    async_import_statistics(hass, series.metadata, rows)
    await _committed(hass)


async def _committed(hass: HomeAssistant) -> None:
    """Wait until the recorder has done and committed all that it was told so far."""
    # Its own way to wait overlooks a task that it has begun and that no other stands behind.
    future: asyncio.Future[None] = hass.loop.create_future()
    get_instance(hass).queue_task(SynchronizeTask(future))
    await future


def can_clear(hass: HomeAssistant) -> bool:
    """Whether this recorder can delete single hours (from 2026.11 on)."""
    parameters = inspect.signature(get_instance(hass).async_clear_statistics).parameters
    return "start_time" in parameters


async def async_clear(hass: HomeAssistant, series: Series, starts: Iterable[datetime]) -> None:
    """Delete the rows of these hours; where `can_clear`."""
    # As the older recorder has no such parameters, neither have the types.
    clear: Any = get_instance(hass).async_clear_statistics
    for begin, end in _stretches(starts):
        clear([series.entity_id], start_time=begin, end_time=end)
    await _committed(hass)


def _stretches(starts: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Hours that follow each other, as ranges."""
    found: list[tuple[datetime, datetime]] = []
    for start in sorted(starts):
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], start + HOUR)
        else:
            found.append((start, start + HOUR))
    return found
