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
from sqlalchemy.exc import OperationalError

from custom_components.iec62056.statistics import recorder as statistics
from custom_components.iec62056.statistics.planner import Hour

START = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


def of_meter() -> statistics.Series:
    metadata: Any = {
        "has_sum": True,
        "mean_type": StatisticMeanType.NONE,
        "name": None,
        "source": "recorder",
        "statistic_id": "sensor.meter",
        "unit_class": "energy",
        "unit_of_measurement": "kWh",
    }
    return statistics.Series("sensor.meter", "kWh", metadata)


class Newer:
    """The recorder from 2026.11 on, as far as it is asked."""

    def __init__(self) -> None:
        self.cleared: list[tuple[list[str], datetime, datetime]] = []
        self.waited = 0
        self.left: dict[datetime, Hour] = {}

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

    async def async_add_executor_job(self, _read: object) -> dict[datetime, Hour]:
        """The rows that are left."""
        return self.left


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
    series = of_meter()
    hours = [START + number * HOUR for number in (5, 0, 1, 2, 9)]
    with patch.object(statistics, "get_instance", lambda _hass: recorder):
        await statistics.async_clear(hass, series, hours)
    assert recorder.cleared == [
        (["sensor.meter"], START, START + 3 * HOUR),
        (["sensor.meter"], START + 5 * HOUR, START + 6 * HOUR),
        (["sensor.meter"], START + 9 * HOUR, START + 10 * HOUR),
    ]
    assert recorder.waited == 1


async def test_hours_that_were_not_deleted_are_told(hass: HomeAssistant) -> None:
    recorder = Newer()
    recorder.left = {START: Hour(1.0, 1.0)}
    with (
        patch.object(statistics, "get_instance", lambda _hass: recorder),
        pytest.raises(statistics.DatabaseFailed),
    ):
        await statistics.async_clear(hass, of_meter(), [START, START + HOUR])


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

    series = of_meter()
    hours = {START: Hour(5.0, 1.0)}
    event.listen(recorder_mock.engine, "before_cursor_execute", hold)
    with patch.object(statistics, "async_import_statistics", import_statistics):
        writing = hass.async_create_task(statistics.async_write(hass, series, hours))
        done, _ = await asyncio.wait([writing], timeout=0.1)
    assert not done
    gate.set()
    await writing
    assert await statistics.async_table(hass, series, HOUR, START, START + HOUR) == hours


class Refusing:
    """A database that refuses so many rows, with the error of a driver."""

    def __init__(self, recorder: Recorder, times: int) -> None:
        self._recorder, self._times = recorder, times

    def __enter__(self) -> None:
        event.listen(self._recorder.engine, "before_cursor_execute", self._refuse)

    def __exit__(self, *_: object) -> None:
        event.remove(self._recorder.engine, "before_cursor_execute", self._refuse)

    def _refuse(self, _: object, _cursor: object, statement: str, *_more: object) -> None:
        if (
            statement.startswith(("INSERT INTO statistics ", "UPDATE statistics SET"))
            and self._times
        ):
            self._times -= 1
            raise OperationalError(statement, None, Exception(1213, "Deadlock found"))


async def test_what_was_refused_is_waited_for(recorder_mock: Recorder, hass: HomeAssistant) -> None:
    """The recorder puts a row that was locked behind all others, this wait included."""
    hours = {START: Hour(5.0, 1.0), START + HOUR: Hour(6.0, 2.0)}
    with (
        patch("homeassistant.components.recorder.util._is_retryable_error", lambda *_: True),
        patch.object(recorder_mock, "db_retry_wait", 0),
        Refusing(recorder_mock, 2),
    ):
        await statistics.async_write(hass, of_meter(), hours)
        assert (
            await statistics.async_table(hass, of_meter(), HOUR, START, START + 2 * HOUR) == hours
        )


OLD = {START: Hour(5.0, 1.0)}
NEW = {START: Hour(6.0, 2.0), START + HOUR: Hour(7.0, 3.0)}


async def test_half_of_it_is_made_whole(recorder_mock: Recorder, hass: HomeAssistant) -> None:
    """Of rows that are there already, the recorder leaves out the refused ones and commits the others."""
    await statistics.async_write(hass, of_meter(), OLD)
    with Refusing(recorder_mock, 1):
        await statistics.async_write(hass, of_meter(), NEW)
    assert await statistics.async_table(hass, of_meter(), HOUR, START, START + 2 * HOUR) == NEW


async def test_what_is_refused_for_good_is_told(
    recorder_mock: Recorder, hass: HomeAssistant
) -> None:
    await statistics.async_write(hass, of_meter(), OLD)
    with Refusing(recorder_mock, 99), pytest.raises(statistics.DatabaseFailed):
        await statistics.async_write(hass, of_meter(), NEW)
    assert await statistics.async_table(hass, of_meter(), HOUR, START, START + 2 * HOUR) == OLD


async def test_a_database_that_does_not_answer(
    recorder_mock: Recorder, hass: HomeAssistant
) -> None:
    with (
        patch.object(
            statistics, "get_metadata", side_effect=OperationalError("", None, Exception())
        ),
        pytest.raises(statistics.DatabaseFailed),
    ):
        await statistics.async_series(hass, "sensor.meter")
