"""A meter that cannot be read for a while is read again by itself: soon, not busily, and said once."""

from dataclasses import replace
from datetime import timedelta
import logging
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.iec62056.meter import backoff, connection
from custom_components.iec62056.protocol.errors import (
    BridgeNotReady,
    ConnectionLost,
    ConnectionRefused,
    MeterError,
    NoAnswer,
    PortMissing,
)
from custom_components.iec62056.protocol.model import LineProfile, Medium, Mode
from custom_components.iec62056.protocol.transport.fair_lock import BUS_IDLE
from custom_components.iec62056.state.meter_state import MeterState

from ..common.bench import GOOD_HEALTH, START, Bench, later, reading, state
from ..common.stored_file import file_of, stored

ELECTRIC = LineProfile(medium=Medium.ELECTRICITY)
DAY = 24 * 3600


def test_pauses_double_up_to_a_cap() -> None:
    assert [backoff.pause(count) for count in range(1, 10)] == [
        *(5, 10, 20, 40, 80, 160),
        *(300, 300, 300),
    ]
    assert backoff.pause(10**9) == 300


def test_long_try_has_a_long_pause_but_for_the_first() -> None:
    assert [backoff.pause(count, 1700.0) for count in (1, 2, 9)] == [5, 1700, 1700]


class Life:
    """Home Assistant's time, second by second where something is planned, and when tries were made in it."""

    def __init__(self, hass: HomeAssistant, bench: Bench, freezer: FrozenDateTimeFactory) -> None:
        self.hass = hass
        self.bench = bench
        self.freezer = freezer
        self.seconds = 0.0
        self.tries: list[float] = []
        self.opened = 0
        bench_open = bench.open_line

        async def open_line(url: str, *, speed: int, watched: bool = False) -> Any:
            self.tries.append(self.seconds)
            line = await bench_open(url, speed=speed)
            self.opened += 1
            return line

        self.patch = patch("custom_components.iec62056.meter.connection.open_line", open_line)

    async def pass_(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass."""
        end = self.seconds + seconds
        while self.seconds < end:
            self.seconds += step
            now = START + timedelta(seconds=self.seconds)
            self.freezer.move_to(now)
            async_fire_time_changed(self.hass, now)
            await self.hass.async_block_till_done(wait_background_tasks=True)


@pytest.fixture
def life(hass: HomeAssistant, bench: Bench, freezer: FrozenDateTimeFactory) -> Any:
    life = Life(hass, bench, freezer)
    with life.patch:
        yield life


@pytest.fixture
async def running(
    hass: HomeAssistant, entry: MockConfigEntry, life: Life, hass_storage: dict[str, Any]
) -> MockConfigEntry:
    """A meter that was read a while ago, and is polled every minute."""
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), ELECTRIC))
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the user sees in the log of our own."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components.iec62056") and record.levelno >= logging.INFO
    ]


@pytest.mark.parametrize(
    "error",
    [
        PortMissing(port="x"),
        ConnectionRefused(port="x"),
        BridgeNotReady(port="x"),
        ConfigEntryNotReady("ESPHome has not loaded yet"),
        OSError(5, "Input/output error"),
    ],
)
async def test_line_that_goes_and_comes_back(
    life: Life,
    bench: Bench,
    running: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """Unplugged, rebooted, asleep: tried soon, then every five minutes, and read as soon as a try gets through."""
    bench.open_error = error
    await life.pass_(3600)
    pauses = [later - earlier for earlier, later in zip(life.tries, life.tries[1:], strict=False)]
    # Home Assistant plans to the second.
    for measured, wanted in zip(pauses, [5, 10, 20, 40, 80, 160], strict=False):
        assert wanted <= measured <= wanted + 2
    assert all(300 <= measured <= 302 for measured in pauses[6:])
    assert len(pauses) > 10
    assert len(said(caplog)) == 1
    assert running.state is ConfigEntryState.LOADED

    bench.open_error = None
    bench.answers = [reading(at=START + timedelta(seconds=life.seconds))]
    await life.pass_(302)
    assert life.opened >= 1
    assert running.runtime_data.coordinator.last_update_success
    assert [text for text in said(caplog) if "recovered" in text] == said(caplog)[1:]
    # And from then on every minute again.
    before = life.opened
    await life.pass_(310)
    assert life.opened == before + 5
    assert (bench.open_lines, bench.waiting(life.hass)) == (0, 0)
    assert len(said(caplog)) == 2
    # Gone once more: that is another story, and begins with a short pause.
    bench.open_error = error
    life.tries.clear()
    await life.pass_(90)
    assert 5 <= life.tries[1] - life.tries[0] <= 7
    assert len(said(caplog)) == 3


async def test_silent_meter_is_called_less_often(
    hass: HomeAssistant,
    life: Life,
    bench: Bench,
    running: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench.answers = [NoAnswer()]
    with patch("custom_components.iec62056.meter.session_history.LOST_AFTER", 10**6):
        await life.pass_(3600)
    assert 15 <= life.opened <= 20
    assert len(said(caplog)) == 1
    assert running.runtime_data.coordinator.failures == life.opened
    assert state(hass, "1-0:1.8.0").state == "unavailable"
    bench.answers = [reading(at=START + timedelta(seconds=life.seconds))]
    await life.pass_(302)
    assert state(hass, "1-0:1.8.0").state == "12345.678"
    assert len(said(caplog)) == 2


async def test_slow_try_is_not_repeated_at_once(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    life: Life,
    bench: Bench,
    hass_storage: dict[str, Any],
) -> None:
    """A readout of three minutes that fails each time takes a tenth of the time, as a good one does."""
    slow = replace(GOOD_HEALTH, duration=180.0)
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(health=slow), ELECTRIC))
    await hass.config_entries.async_setup(entry.entry_id)
    bench.answers = [ConnectionLost(port="x")]
    clock = hass.loop.time

    def after_three_minutes() -> float:
        return clock() + 180.0 * (bench.reads > before)

    coordinator = entry.runtime_data.coordinator
    pauses: list[float | None] = []
    for _ in range(3):
        before = bench.reads
        with patch.object(hass.loop, "time", after_three_minutes):
            await coordinator.async_refresh()
        pauses.append(coordinator.last_exception.retry_after)
    assert pauses[0] == 5
    assert pauses[1:] == [pytest.approx(1800, abs=1), pytest.approx(1800, abs=1)]


@pytest.mark.parametrize(
    ("error", "opened"),
    [(NoAnswer(), True), (ConnectionLost(port="x"), True), (PortMissing(port="x"), False)],
)
async def test_battery_meter_is_not_woken_by_retries(
    entry: MockConfigEntry,
    life: Life,
    hass_storage: dict[str, Any],
    error: MeterError,
    opened: bool,
) -> None:
    """A port that cannot be opened is tried again: that wakes nobody."""
    hass, bench = life.hass, life.bench
    heat = LineProfile(medium=Medium.HEAT)
    bench.learned = lambda profile: profile
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), heat))
    life.seconds = DAY + 60.0
    life.freezer.move_to(START + timedelta(seconds=life.seconds))
    bench.answers = [error]
    bench.open_error = None if opened else error
    await hass.config_entries.async_setup(entry.entry_id)
    await life.pass_(4 * 3600, step=60)
    assert bench.reads == opened
    assert (len(life.tries) == 1) is opened
    bench.open_error = None
    bench.answers = [reading(at=START + timedelta(seconds=life.seconds))]
    await life.pass_(600, step=60)
    assert life.opened == 1


async def test_pushing_meter_that_returns_says_so_once(
    hass: HomeAssistant,
    bench: Bench,
    hass_storage: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = MockConfigEntry(
        domain="iec62056",
        unique_id="LGZ_34567812",
        data={"device": "/dev/x", "address": "", "mode": "D"},
    )
    entry.add_to_hass(hass)
    push = replace(ELECTRIC, mode=Mode.D)
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), push))
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.0)
    await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(4):
        bench.pushes.put_nowait(NoAnswer())
    await bench.until(lambda: entry.runtime_data.coordinator.failures == 4)
    assert len(said(caplog)) == 1
    for minute, energy in enumerate(("012345.700", "012345.800"), 1):
        bench.pushes.put_nowait(reading({"1.8.0": [f"{energy}*kWh"]}, at=later(minute)))
    await bench.until(lambda: state(hass, "1-0:1.8.0").state == "12345.800")
    await bench.until(bench.pushes.empty)
    assert [text for text in said(caplog)[1:] if "recovered" in text] == said(caplog)[1:]
    assert len(said(caplog)) == 2


async def test_meter_on_a_bus_lets_the_line_rest(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, hass_storage: dict[str, Any]
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "bus": True})
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), ELECTRIC))
    await hass.config_entries.async_setup(entry.entry_id)
    await entry.runtime_data.coordinator.async_refresh()
    assert [port.queue.idle for port in hass.data[connection._PORTS].values()] == [BUS_IDLE]
