"""What is asked of a recorder that can delete single hours, and of one that cannot."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest

from custom_components.iec62056 import statistics

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

    async def async_block_till_done(self) -> None:
        self.waited += 1


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
