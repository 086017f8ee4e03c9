"""The demo's dealings with Home Assistant, against one that answers from a script."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pytest

from demo import meter
from demo.home import Home, HomeError


class ScriptedHome:
    """Gives the steps of a dialogue one after the other, and keeps what it was told."""

    def __init__(self, *steps: dict[str, Any]) -> None:
        self.steps = [{"flow_id": "1", **step} for step in steps]
        self.told: list[tuple[str, Any]] = []

    async def get(self, path: str) -> Any:
        return self.steps.pop(0)

    async def post(self, path: str, data: Any) -> Any:
        self.told.append((path, data))
        return self.steps.pop(0)

    async def command(self, kind: str, **fields: Any) -> Any:
        self.told.append((kind, fields))
        return None

    def as_home(self) -> Home:
        return cast(Home, self)


def sensor(state: str, entity_id: str = "sensor.a") -> meter.Sensor:
    return meter.Sensor(entity_id, "1-0:1.8.0", "Energy", state, "kWh")


async def test_the_dialogue_is_gone_through_to_its_end() -> None:
    home = ScriptedHome(
        {"type": "form", "step_id": "user"},
        {"type": "progress", "progress_action": "sign_on"},
        {"type": "progress", "progress_action": "reading"},
        {"type": "progress", "progress_action": "reading"},
        {"type": "form", "step_id": "found", "errors": None},
        {"type": "create_entry", "result": {"entry_id": "abc"}},
    )
    watched: list[str] = []
    assert await meter.add(home.as_home(), "/dev/meter", watched.append) == "abc"
    assert watched == ["sign_on", "reading"]
    assert home.told[1][1]["device"] == "/dev/meter"


@pytest.mark.parametrize(
    "last",
    [
        {"type": "abort", "reason": "no_answer"},
        {"type": "form", "step_id": "user", "errors": {"base": "no_answer"}},
    ],
)
async def test_a_meter_that_is_not_found_ends_the_dialogue(last: dict[str, Any]) -> None:
    home = ScriptedHome({"type": "form", "step_id": "user"}, last)
    with pytest.raises(HomeError, match="no_answer"):
        await meter.add(home.as_home(), "/dev/meter", print)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("1.0", "1.1", True),
        ("1.0", "1.00", False),
        ("unavailable", "1.1", False),
        ("1.0", "unknown", False),
        ("2026-11-22", "2026-11-23", False),
    ],
)
def test_only_numbers_that_differ_have_moved(before: str, after: str, expected: bool) -> None:
    assert bool(meter.moved([sensor(before)], [sensor(after)])) is expected


def test_a_sensor_that_appeared_has_not_moved() -> None:
    assert not meter.moved([], [sensor("1.0")])


def test_the_table_shows_both_readings_and_marks_what_moved() -> None:
    before = [sensor("1.0"), sensor("230", "sensor.b")]
    after = [sensor("1.5"), sensor("230", "sensor.b")]
    header, first, second = meter.table(before, after).splitlines()
    assert header.split() == ["Sensor", "first", "then"]
    assert first.split() == ["Energy", "1.0", "1.5", "kWh", "*"]
    assert second.split() == ["Energy", "230", "230", "kWh"]


async def test_the_invented_past_leads_up_to_the_reading() -> None:
    home = ScriptedHome()
    await meter.invent_past(home.as_home(), sensor("5000.5"), meter.TAKEN)
    ((kind, told),) = home.told
    assert kind == "recorder/import_statistics"
    assert told["metadata"]["statistic_id"] == "sensor.a"
    rows = told["stats"]
    starts = [datetime.fromisoformat(row["start"]) for row in rows]
    assert len(rows) == meter.HISTORY // timedelta(hours=1)
    assert {later - earlier for earlier, later in pairwise(starts)} == {timedelta(hours=1)}
    assert all((start.minute, start.second, start.microsecond) == (0, 0, 0) for start in starts)
    # Home Assistant counts on from 0 with the first state it sees: a jump there would show as use.
    assert (rows[-1]["state"], rows[-1]["sum"]) == (5000.5, 0)
    sums = [row["sum"] for row in rows]
    assert sums == sorted(sums)
    assert sums[-1] - sums[0] > sum(meter.TAKEN) * 6


async def test_no_past_can_be_invented_for_a_sensor_without_a_number() -> None:
    with pytest.raises(HomeError, match="unavailable"):
        await meter.invent_past(ScriptedHome().as_home(), sensor("unavailable"), meter.TAKEN)
