"""A gap filled over the line: the integration, the client and the meter are real, only time passes as the test wants."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.statistics.gap_filler import AFTER_HOUR
from simulator import Kind, Programming
from simulator.profile import LoadProfile

from ..common.lived import Lived, lived, living
from ..common.week import BERLIN, HOUR, KEYS, QUARTER, House, Week

# The clocks go back in the outage.
BEGIN = datetime(2027, 10, 30, 16, tzinfo=UTC)
HOURS = 24
FIRST, LAST = BEGIN + 4.25 * HOUR, BEGIN + 14.5 * HOUR
SUMMED_UP = BEGIN + 15 * HOUR
END = BEGIN + 17 * HOUR


@pytest.fixture
def house() -> House:
    return House(BEGIN, HOURS, [(moment, moment + QUARTER) for moment in (FIRST, LAST)])


@pytest.fixture(
    params=[
        pytest.param(({"R1", "R5"}, {}), id="power by R5"),
        pytest.param(
            (
                {"R1", "R6"},
                {"power": False, "channels": ("1.29", "2.29"), "flagged": False, "minutes": 30},
            ),
            id="energy in partial blocks",
        ),
    ]
)
def line(house: House, request: pytest.FixtureRequest) -> Lived:
    reads, manner = request.param
    profile = LoadProfile(BERLIN, **manner)
    profile.watch(house.registers, BEGIN, BEGIN + HOURS * HOUR)
    mode = Programming(reads=frozenset(reads), records={"P.01": profile.answer})
    return lived(house, mode)


@pytest.fixture
async def week(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    *,
    freezer: FrozenDateTimeFactory,
    house: House,
    line: Lived,
) -> AsyncGenerator[Week]:
    freezer.move_to(BEGIN + timedelta(hours=1.2))
    async with living(hass, entry, freezer=freezer, house=house, line=line) as week:
        yield week


@pytest.mark.newest
async def test_the_memory_of_the_meter_fills_the_gap(week: Week, line: Lived) -> None:
    begin = BEGIN + timedelta(hours=1.25)
    await week.watch(begin, FIRST + QUARTER)
    await week.off(LAST)
    await week.watch(LAST, SUMMED_UP)
    assert (await week.changes())[BEGIN + 8 * HOUR] == (0, 0)
    assert not line.log.of(Kind.COMMAND)
    await week.tick(SUMMED_UP + AFTER_HOUR)
    assert "P.01" in line.log.of(Kind.COMMAND)[0].text
    await week.watch(SUMMED_UP + QUARTER, END)
    assert not line.log.of(Kind.TIMED_OUT)
    assert line.closed
    changes = await week.changes()
    true: dict[datetime, Any] = {
        start: week.house.hour(start) for start in changes if start > begin
    }
    assert {start: changes[start] for start in true} == true
    assert len(true) == 15
    rows = await week.rows(KEYS[0])
    state, total, _ = rows[END - HOUR]
    assert state == pytest.approx(week.house.registers(END)[0] / 1000 + 1000)
    assert total == pytest.approx(sum(change for _, _, change in rows.values()))
    shown: Any = await week.hass.services.async_call(
        DOMAIN,
        "read_load_profile",
        {
            "config_entry_id": week.entry.entry_id,
            "from": (END - 2 * HOUR).isoformat(),
            "to": (END - HOUR).isoformat(),
        },
        blocking=True,
        return_response=True,
    )
    (profile,) = shown["meters"][0]["profiles"]
    assert len(profile["rows"]) * profile["minutes"] == 60
