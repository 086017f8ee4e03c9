"""Hourly statistics of a sensor in the recorder: read, written and deleted, in the unit that the recorder keeps."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
import inspect
from typing import Any, Final

from homeassistant.components.recorder.db_schema import Statistics, StatisticsShortTerm
from homeassistant.components.recorder.history import state_changes_during_period
from homeassistant.components.recorder.models import StatisticData, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.recorder import get_instance
from sqlalchemy.exc import SQLAlchemyError

from ..const import DOMAIN
from .planner import HOUR, Hour, same

# Before any meter.
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
# Another may have locked the rows for a while.
MOST_TRIES: Final = 5
# The recorder finds what is later than a time, and we look for what is not earlier.
_MOMENT: Final = timedelta(milliseconds=1)


class DatabaseFailed(HomeAssistantError):
    """The recorder's database did not do what it was asked for."""

    def __init__(self) -> None:
        """Name the sentence; the recorder has logged the reason."""
        super().__init__(translation_domain=DOMAIN, translation_key="database_failed")


@dataclass(frozen=True, slots=True)
class Series:
    """The statistics of one sensor, as the recorder describes them."""

    entity_id: str
    unit: str
    metadata: StatisticMetaData


async def async_series(hass: HomeAssistant, entity_id: str) -> Series | None:
    """The statistics of a sensor; None where it has no sums. Raises DatabaseFailed."""

    def find() -> dict[str, tuple[int, StatisticMetaData]]:
        return get_metadata(hass, statistic_ids={entity_id})

    found = await _ask(hass, find)
    if entity_id not in found:
        return None
    metadata = found[entity_id][1]
    unit = metadata["unit_of_measurement"] or ""
    return Series(entity_id, unit, metadata) if metadata["has_sum"] else None


async def async_table(
    hass: HomeAssistant,
    series: Series,
    span: timedelta,
    first: datetime,
    last: datetime | None = None,
) -> dict[datetime, Hour]:
    """The rows of the table of that span, by their beginning and in the order of time. Raises DatabaseFailed."""
    unit_class = series.metadata["unit_class"]
    units: Any = None if unit_class is None else {unit_class: series.unit}

    def read() -> dict[datetime, Hour]:
        rows = statistics_during_period(
            hass,
            first,
            last,
            {series.entity_id},
            "hour" if span == HOUR else "5minute",
            units,
            {"state", "sum"},
        )
        return {
            datetime.fromtimestamp(row["start"], UTC): Hour(state, total)
            for row in rows.get(series.entity_id, [])
            if (state := row["state"]) is not None and (total := row["sum"]) is not None
        }

    return await _ask(hass, read)


async def async_shown(
    hass: HomeAssistant, entity_id: str, since: datetime
) -> list[tuple[datetime, Decimal]]:
    """The numbers that a sensor has shown since then, as far as the recorder has them. Raises DatabaseFailed."""

    def find() -> list[tuple[datetime, Decimal]]:
        states = state_changes_during_period(
            hass,
            since - _MOMENT,
            None,
            entity_id,
            no_attributes=True,
            include_start_time_state=False,
        )
        return [
            (one.last_updated, number)
            for one in states.get(entity_id, [])
            if (number := _number(one.state)) is not None
        ]

    return await _ask(hass, find)


def _number(state: str) -> Decimal | None:
    try:
        number = Decimal(state)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


async def async_move_sums(
    hass: HomeAssistant, series: Series, begin: datetime, amount: float
) -> None:
    """Add so much to the sums of both tables from that row on; done when it returns."""
    get_instance(hass).async_adjust_statistics(series.entity_id, begin, amount, series.unit)
    await async_committed(hass)


async def async_write_table(
    hass: HomeAssistant, series: Series, span: timedelta, rows: Mapping[datetime, Hour]
) -> None:
    """Write these rows of one table, over those that are there; done when it returns."""
    get_instance(hass).async_import_statistics(
        series.metadata,
        [StatisticData(start=start, state=row.state, sum=row.sum) for start, row in rows.items()],
        Statistics if span == HOUR else StatisticsShortTerm,
    )
    await async_committed(hass)


async def _ask[T](hass: HomeAssistant, job: Callable[[], T]) -> T:
    try:
        return await get_instance(hass).async_add_executor_job(job)
    except SQLAlchemyError as err:
        raise DatabaseFailed from err


async def async_write(hass: HomeAssistant, series: Series, hours: Mapping[datetime, Hour]) -> None:
    """Write these rows in one transaction, over those that are there; done when it returns. Raises DatabaseFailed."""
    if not hours:
        return
    rows = [
        StatisticData(start=start, state=hour.state, sum=hour.sum) for start, hour in hours.items()
    ]

    def write() -> None:
        async_import_statistics(hass, series.metadata, rows)

    def written(found: Mapping[datetime, Hour]) -> bool:
        return all(start in found and same(found[start], hour) for start, hour in hours.items())

    await _until(hass, series, hours, write, written)


async def _until(
    hass: HomeAssistant,
    series: Series,
    starts: Collection[datetime],
    change: Callable[[], None],
    done: Callable[[Mapping[datetime, Hour]], bool],
) -> None:
    """Change these rows until they are as they should be. Raises DatabaseFailed."""
    # The recorder tells only its log what the database has refused, and writes the other rows.
    first, last = min(starts), max(starts) + HOUR
    for _ in range(MOST_TRIES):
        change()
        await async_committed(hass)
        if done(await async_table(hass, series, HOUR, first, last)):
            return
    raise DatabaseFailed


async def async_committed(hass: HomeAssistant) -> None:
    """Wait until the recorder has done and committed all that it was told so far."""
    # Its own way to wait overlooks a task that it has begun and that no other stands behind.
    future: asyncio.Future[None] = hass.loop.create_future()
    get_instance(hass).queue_task(SynchronizeTask(future))
    await future


def can_clear(hass: HomeAssistant) -> bool:
    """Whether this recorder can delete single hours (from 2026.11 on)."""
    parameters = inspect.signature(get_instance(hass).async_clear_statistics).parameters
    return "start_time" in parameters


async def async_clear(hass: HomeAssistant, series: Series, starts: Collection[datetime]) -> None:
    """Delete the rows of these hours; where `can_clear`. Raises DatabaseFailed."""
    # As the older recorder has no such parameters, neither have the types.
    clear: Any = get_instance(hass).async_clear_statistics

    def delete() -> None:
        for begin, end in _stretches(starts):
            clear([series.entity_id], start_time=begin, end_time=end)

    def deleted(found: Mapping[datetime, Hour]) -> bool:
        return found.keys().isdisjoint(starts)

    await _until(hass, series, starts, delete, deleted)


def _stretches(starts: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Hours that follow each other, as ranges."""
    found: list[tuple[datetime, datetime]] = []
    for start in sorted(starts):
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], start + HOUR)
        else:
            found.append((start, start + HOUR))
    return found
