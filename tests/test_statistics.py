"""What is asked of a recorder that can delete single hours, and of one that cannot."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
import threading
from typing import Any
from unittest.mock import patch

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.models import StatisticMeanType
from homeassistant.components.recorder.statistics import async_import_statistics
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.core import HomeAssistant
import pytest
from sqlalchemy import event

from custom_components.iec62056 import statistics
from custom_components.iec62056.history import Hour

START = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Newer:
    """The recorder from 2026.11 on, as far as it is asked."""

    def __init__(self) -> None:
        self.cleared: list[tuple[list[str], datetime, datetime]] = []
        self.waited = 0

    def async_clear_statistics(
        self,
        statistic_ids: list[str],
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        on_done: Callable[[], None] | None = None,
    ) -> None:
        assert start_time is not None
        assert end_time is not None
        self.cleared.append((statistic_ids, start_time, end_time))

    def queue_task(self, task: SynchronizeTask) -> None:
        self.waited += 1
        task.future.set_result(None)


class Older:
    """The recorder before."""

    def async_clear_statistics(
        self, statistic_ids: list[str], *, on_done: Callable[[], None] | None = None
    ) -> None:
        raise AssertionError("this deletes all there is")


@pytest.mark.parametrize(("recorder", "can"), [(Newer(), True), (Older(), False)])
def test_whether_hours_can_be_deleted(hass: HomeAssistant, recorder: object, can: bool) -> None:
    with patch.object(statistics, "get_instance", lambda _hass: recorder):
        assert statistics.can_clear(hass) is can


async def test_only_these_hours_are_deleted(hass: HomeAssistant) -> None:
    recorder = Newer()
    metadata: Any = {}
    series = statistics.Series("sensor.meter", "kWh", metadata)
    hours = [START + number * HOUR for number in (5, 0, 1, 2, 9)]
    with patch.object(statistics, "get_instance", lambda _hass: recorder):
        await statistics.async_clear(hass, series, hours)
    assert recorder.cleared == [
        (["sensor.meter"], START, START + 3 * HOUR),
        (["sensor.meter"], START + 5 * HOUR, START + 6 * HOUR),
        (["sensor.meter"], START + 9 * HOUR, START + 10 * HOUR),
    ]
    assert recorder.waited == 1


async def test_what_is_written_is_committed(recorder_mock: Recorder, hass: HomeAssistant) -> None:
    """The recorder has begun with the rows, and nothing else waits in its queue."""
    begun, gate = threading.Event(), threading.Event()

    def hold(_: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("INSERT INTO statistics "):
            begun.set()
            assert gate.wait(10)

    write = async_import_statistics

    def import_statistics(*arguments: Any) -> None:
        write(*arguments)
        assert begun.wait(10)

    metadata: Any = {
        "has_sum": True,
        "mean_type": StatisticMeanType.NONE,
        "name": None,
        "source": "recorder",
        "statistic_id": "sensor.meter",
        "unit_class": "energy",
        "unit_of_measurement": "kWh",
    }
    series = statistics.Series("sensor.meter", "kWh", metadata)
    hours = {START: Hour(5.0, 1.0)}
    event.listen(recorder_mock.engine, "before_cursor_execute", hold)
    with patch.object(statistics, "async_import_statistics", import_statistics):
        writing = hass.async_create_task(statistics.async_write(hass, series, hours))
        done, _ = await asyncio.wait([writing], timeout=0.1)
    assert not done
    gate.set()
    await writing
    assert await statistics.async_rows(hass, series, START, START + HOUR) == hours
