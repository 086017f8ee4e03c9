"""A gap filled over the line: the integration, the client and the meter are real, only time passes as the test wants."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, override
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.backfill import AFTER_HOUR
from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.trace import Tally, Trace
from simulator import Kind, Manners, Meter, Programming
from simulator.profile import LoadProfile

from tests.bench import NUMBER, Bench
from tests.parts.week import BERLIN, HOUR, KEYS, QUARTER, House, Week
from tests.parts.wired import WiredLine

pytestmark = pytest.mark.alone

# The clocks go back in the outage.
BEGIN = datetime(2027, 10, 30, 16, tzinfo=UTC)
HOURS = 24
FIRST, LAST = BEGIN + 4.25 * HOUR, BEGIN + 14.5 * HOUR
END = BEGIN + 16 * HOUR


class Lived(WiredLine):
    """The line of a meter that is read again and again, at the time of day of Home Assistant."""

    @override
    def utcnow(self) -> datetime:
        return dt_util.utcnow()

    async def open(self, _url: str, *, speed: int) -> Lived:
        """In place of the client's own: the meter has long waited for the next sign-on."""
        await self.sleep_until(self.now() + 300)
        await self.set_speed(speed, self.now())
        self.drop_input()
        self.tally, self.trace, self.closed = Tally(), Trace(), False
        return self


@dataclass
class Registers:
    """What the meter shows at the time of day."""

    house: House

    def block(self) -> bytes:
        taken, given = (1_000_000 + one for one in self.house.registers(dt_util.utcnow()))
        return (
            f"C.1.0({NUMBER})\r\n1.8.0({taken / 1000:010.3f}*kWh)\r\n"
            f"2.8.0({given / 1000:010.3f}*kWh)\r\n"
        ).encode()


class WiredWeek(Week):
    """The course of things where the answers come over the line."""

    @override
    def answer(self, moment: datetime) -> None:
        """The meter answers for itself."""


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
    return Lived(Meter(Registers(house), Manners(flag="LGZ", model="P1"), programming=mode))


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
    await hass.config.async_set_time_zone("Europe/Berlin")

    async def address(_: HomeAssistant, host: str) -> str:
        return host

    begin = BEGIN + timedelta(hours=1.2)
    freezer.move_to(begin)
    with (
        patch("custom_components.iec62056.lines.open_line", line.open),
        patch("custom_components.iec62056.lines._address", address),
    ):
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        yield WiredWeek(hass, entry, Bench(), freezer, house)
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.newest
async def test_the_memory_of_the_meter_fills_the_gap(week: Week, line: Lived) -> None:
    begin = BEGIN + timedelta(hours=1.25)
    await week.watch(begin, FIRST + QUARTER)
    await week.off(LAST)
    await week.watch(LAST, END)
    import pprint
    pprint.pprint({str(k): (v, week.house.hour(k)) for k, v in (await week.changes()).items()})
    pprint.pprint([e.text for e in line.log.of(Kind.COMMAND)])
    print(week.entry.runtime_data.backfill.past, week.entry.runtime_data.last_update_success, week.entry.runtime_data.failures)
    assert 0
    assert not any("P.01" in event.text for event in line.log.of(Kind.COMMAND))
    await week.tick(END + AFTER_HOUR)
    assert any("P.01" in event.text for event in line.log.of(Kind.COMMAND))
    assert not line.log.of(Kind.TIMED_OUT)
    assert line.closed
    changes = await week.changes()
    true: dict[datetime, Any] = {
        start: week.house.hour(start) for start in changes if start > begin
    }
    assert {start: changes[start] for start in true} == true
    assert len(true) == 14
    rows = await week.rows(KEYS[0])
    state, total, _ = rows[END - HOUR]
    assert state == pytest.approx(week.house.registers(END)[0] / 1000 + 1000)
    assert total == pytest.approx(sum(change for _, _, change in rows.values()))
    shown: Any = await week.hass.services.async_call(
        DOMAIN,
        "read_load_profile",
        {
            "config_entry_id": week.entry.entry_id,
            "from": (END - HOUR).isoformat(),
            "to": END.isoformat(),
        },
        blocking=True,
        return_response=True,
    )
    (profile,) = shown["meters"][0]["profiles"]
    assert len(profile["rows"]) * profile["minutes"] == 60
