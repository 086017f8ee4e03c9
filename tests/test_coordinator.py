"""When a meter is read, and how long its values count."""

from dataclasses import replace
from datetime import timedelta
import logging
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant, State
from homeassistant.helpers.update_coordinator import UpdateFailed
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.messages import failure
from custom_components.iec62056.meter.schedule import interval_of
from custom_components.iec62056.protocol.discovery import DiscoveryHints
from custom_components.iec62056.protocol.errors import (
    CheckWrong,
    MeterRefused,
    NoAnswer,
    PortBusy,
    WrongParity,
)
from custom_components.iec62056.protocol.model import CheckKind, LineProfile, Medium, Mode, Reading
from custom_components.iec62056.state.meter_state import MeterState

from .common.bench import (
    GOOD_HEALTH,
    HOUSEHOLD,
    NUMBER,
    PORT,
    START,
    Bench,
    entity_id,
    later,
    reading,
    state,
)
from .common.heat import ELECTRIC, HEAT, fire, heat_entry
from .common.stored_file import file_of, stored

PUSH = LineProfile(medium=Medium.ELECTRICITY, mode=Mode.D)


def took(seconds: float, profile: LineProfile = ELECTRIC) -> MeterState:
    return MeterState.of(reading(health=replace(GOOD_HEALTH, duration=seconds)), profile)


@pytest.mark.parametrize(
    ("known", "interval"),
    [
        (took(3.6), timedelta(minutes=1)),
        (took(6.0), timedelta(minutes=1)),
        (took(12.34), timedelta(seconds=123)),
        (took(180), timedelta(minutes=30)),
        (took(500), timedelta(hours=1)),
        (took(4, HEAT), timedelta(hours=24)),
        (took(4, replace(HEAT, medium=Medium.GAS)), timedelta(hours=24)),
        (took(4, replace(HEAT, mode=Mode.D)), timedelta(seconds=10)),
        (took(4, PUSH), timedelta(seconds=10)),
        (took(4, LineProfile()), timedelta(minutes=1)),
    ],
)
def test_interval(known: MeterState, interval: timedelta) -> None:
    assert interval_of(known) == interval


def test_meter_that_sends_by_itself_is_not_spared() -> None:
    assert HEAT.on_battery
    assert not replace(HEAT, mode=Mode.D).on_battery
    assert not ELECTRIC.on_battery


def test_text_of_a_meter_is_no_markup_in_a_notice() -> None:
    placeholders = failure(MeterRefused(message="[x](http://y)\x07" + "z" * 500))
    assert placeholders.translation_placeholders is not None
    text = placeholders.translation_placeholders["message"]
    assert not set("[]\x07") & set(text)
    assert len(text) <= 64


def said(caplog: pytest.LogCaptureFixture, level: int) -> int:
    """How often the log was told something of that level; never with a traceback."""
    records = [record for record in caplog.records if record.levelno >= level]
    assert all(record.exc_info is None for record in records)
    return len(records)


async def test_failed_poll_changes_no_register(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def registers() -> dict[str, State]:
        found = {one.entity_id: one for one in hass.states.async_all("sensor")}
        # What tells of the line must not stay as it is.
        assert found.pop(entity_id(hass, "signal")).state == expected
        return found

    expected = "good"
    before = registers()
    bench.answers = [CheckWrong()]
    for minute in (1.1, 2.2, 3.3):
        await fire(hass, freezer, minute)
    assert bench.reads == 4
    expected = "damaged"
    assert registers() == before
    assert loaded.runtime_data.coordinator.failures == 3
    assert isinstance(error := loaded.runtime_data.coordinator.last_exception, UpdateFailed)
    assert error.translation_key == "check_wrong"
    # Said once when it begins, once when it ends, and never as a traceback.
    assert said(caplog, logging.ERROR) == 1
    bench.answers = [reading(at=later(4.4))]
    await fire(hass, freezer, 4.4)
    assert "recovered" in caplog.text
    assert said(caplog, logging.ERROR) == 1


@pytest.mark.parametrize(
    "error",
    [NoAnswer(), PortBusy(port="x"), WrongParity(percent="7"), OSError(5, "gone"), EOFError()],
)
@pytest.mark.usefixtures("loaded")
async def test_any_failure_is_one_sentence(
    hass: HomeAssistant,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    bench.answers = [error]
    await fire(hass, freezer, 1.1)
    assert said(caplog, logging.ERROR) == 1
    assert bench.open_lines == 0
    assert state(hass, "1-0:1.8.0").state == "12345.678"


@pytest.mark.usefixtures("every_sensor_enabled")
async def test_values_go_when_they_are_too_old(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """At that very time, not at the next poll; and they are back with the first good reading."""
    bench.answers = [NoAnswer()]
    hass.config_entries.async_update_entry(loaded, pref_disable_polling=True)
    await fire(hass, freezer, 14.9)
    assert state(hass, "1-0:1.8.0").state == "12345.678"
    await fire(hass, freezer, 15.1)
    assert state(hass, "1-0:1.8.0").state == "unavailable"
    assert state(hass, "last_reading").state == START.isoformat()
    bench.answers = [reading(at=later(16))]
    await fire(hass, freezer, 16)
    await loaded.runtime_data.coordinator.async_refresh()
    assert state(hass, "1-0:1.8.0").state == "12345.678"


async def test_slow_meter_may_be_old(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    bench.answers = [reading(health=replace(GOOD_HEALTH, duration=180)), NoAnswer()]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await fire(hass, freezer, 89)
    assert state(hass, "1-0:1.8.0").state == "12345.678"
    await fire(hass, freezer, 91)
    assert state(hass, "1-0:1.8.0").state == "unavailable"


async def test_register_that_is_not_sent_any_more_becomes_unknown(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    without = {address: sent for address, sent in HOUSEHOLD.items() if address != "1.8.0"}
    for minute in range(1, 17):
        bench.answers = [reading(without, at=later(minute))]
        freezer.move_to(later(minute))
        await loaded.runtime_data.coordinator.async_refresh()
        expected = "12345.678" if minute < 15 else "unknown"
        assert state(hass, "1-0:1.8.0").state == expected
        assert state(hass, "1-0:2.8.0").state == "12.003"
    assert state(hass, "1-0:1.8.0").attributes["quality"] == "stale"
    bench.answers = [reading(at=later(17))]
    freezer.move_to(later(17))
    await loaded.runtime_data.coordinator.async_refresh()
    assert state(hass, "1-0:1.8.0").state == "12345.678"


async def test_what_was_learned_is_used_and_kept(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    """Also from a failure: that this line must stay at the first speed."""
    bench.learned = lambda profile: replace(profile, medium=Medium.ELECTRICITY, stay=True)
    bench.answers = [NoAnswer()]
    await fire(hass, freezer, 1.1)
    bench.learned = lambda profile: profile
    bench.answers = [reading(at=later(2.2))]
    await fire(hass, freezer, 2.2)
    assert bench.profiles[-1].stay
    await hass.config_entries.async_unload(loaded.entry_id)
    assert hass_storage[file_of(loaded)]["data"]["state"]["profile"]["stay"] is True


async def test_start_does_not_wake_a_battery_meter(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any], freezer: FrozenDateTimeFactory
) -> None:
    entry = heat_entry(hass)
    bench.learned = lambda profile: profile
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), HEAT))
    for hour in (1, 2, 3):
        await fire(hass, freezer, hour * 60)
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert state(hass, "1-0:1.8.0").state == "12345.678"
        await hass.config_entries.async_unload(entry.entry_id)
    assert bench.reads == 0
    await hass.config_entries.async_setup(entry.entry_id)
    await fire(hass, freezer, 24 * 60 - 1)
    assert bench.reads == 0
    bench.answers = [reading(at=later(24 * 60 + 1))]
    await fire(hass, freezer, 24 * 60 + 1)
    assert bench.reads == 1


async def test_battery_meter_that_was_missed_is_read_at_start(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any], freezer: FrozenDateTimeFactory
) -> None:
    entry = heat_entry(hass)
    bench.learned = lambda profile: profile
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), HEAT))
    freezer.move_to(later(25 * 60))
    bench.answers = [NoAnswer()]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert bench.reads == 1
    # A failure is no reason to wake it again at once; the old value still counts.
    assert state(hass, "1-0:1.8.0").state == "12345.678"


async def test_reading_of_a_battery_meter_is_written_soon(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any], freezer: FrozenDateTimeFactory
) -> None:
    entry = heat_entry(hass)
    bench.learned = lambda profile: replace(profile, medium=Medium.HEAT)
    await hass.config_entries.async_setup(entry.entry_id)
    await fire(hass, freezer, 0.5)
    assert file_of(entry) in hass_storage


async def test_polling_that_is_switched_off(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    hass_storage: dict[str, Any],
    freezer: Any,
) -> None:
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), ELECTRIC))
    await fire(hass, freezer, 5)
    await hass.config_entries.async_setup(entry.entry_id)
    await fire(hass, freezer, 30)
    assert bench.reads == 0


@pytest.fixture
async def pushing(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any]
) -> MockConfigEntry:
    """A meter that sends by itself."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        unique_id=f"LGZ_{NUMBER}",
        data={"device": PORT, "address": "", "mode": "D"},
    )
    entry.add_to_hass(hass)
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), PUSH))
    await hass.config_entries.async_setup(entry.entry_id)
    await bench.until(lambda: bench.open_lines == 1)
    return entry


async def test_pushes_are_published_at_most_every_ten_seconds(
    hass: HomeAssistant, pushing: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """And none is lost: of two telegrams that take turns, both are shown."""
    shown: list[str] = []
    for second in range(25):
        at = START + timedelta(seconds=second)
        freezer.move_to(at)
        sent = {"2.8.0": [f"000012.{3 + second:03}*kWh"]}
        if second % 2:
            sent = {"1.8.0": [f"012345.{678 + second}*kWh"]}
        bench.pushes.put_nowait(reading(sent, at=at))
        await bench.until(bench.pushes.empty)
        await hass.async_block_till_done()
        shown.append(f"{state(hass, '1-0:1.8.0').state} {state(hass, '1-0:2.8.0').state}")
    assert list(dict.fromkeys(shown)) == [
        "12345.678 12.003",
        "12345.687 12.013",
        "12345.697 12.023",
    ]
    assert bench.reads == 0
    assert len(bench.lines) == 1


async def test_push_line_that_breaks_is_opened_again_with_a_pause(
    hass: HomeAssistant,
    pushing: MockConfigEntry,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("custom_components.iec62056.meter.push_listener.asyncio.sleep", pause)
    for _ in range(9):
        bench.pushes.put_nowait(NoAnswer())
        await bench.until(bench.pushes.empty)
    await bench.until(lambda: bench.open_lines == 1)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert not pushing.runtime_data.coordinator.last_update_success
    assert said(caplog, logging.ERROR) == 1
    assert state(hass, "1-0:1.8.0").state == "12345.678"

    bench.pushes.put_nowait(reading({"1.8.0": ["012345.700*kWh"]}, at=later(1)))
    await bench.until(lambda: state(hass, "1-0:1.8.0").state == "12345.700")
    bench.pushes.put_nowait(NoAnswer())
    await bench.until(lambda: len(pauses) == 10)
    assert pauses[-1] == 5


async def test_push_meter_is_not_asked(
    hass: HomeAssistant, pushing: MockConfigEntry, bench: Bench
) -> None:
    """The listener holds the line: whoever asks for an update gets what there is."""
    await pushing.runtime_data.coordinator.async_refresh()
    assert bench.reads == 0
    assert state(hass, "1-0:1.8.0").state == "12345.678"


async def test_push_meter_is_unloaded(
    hass: HomeAssistant, pushing: MockConfigEntry, bench: Bench
) -> None:
    assert await hass.config_entries.async_unload(pushing.entry_id)
    assert (bench.open_lines, bench.waiting(hass)) == (0, 0)


async def test_push_meter_that_was_never_heard(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any]
) -> None:
    entry = MockConfigEntry(domain=DOMAIN, data={"device": PORT, "address": "", "mode": "D"})
    entry.add_to_hass(hass)
    bench.pushes.put_nowait(reading())
    await hass.config_entries.async_setup(entry.entry_id)
    await bench.until(lambda: bench.open_lines == 1)
    assert bench.reads == 1
    assert entry.state is ConfigEntryState.LOADED


async def refresh(loaded: MockConfigEntry, bench: Bench, answer: Reading | Exception) -> bool:
    """Read once more; whether the meter was looked for."""
    bench.answers = [answer]
    discoveries = len(bench.discoveries)
    await loaded.runtime_data.coordinator.async_refresh()
    return len(bench.discoveries) > discoveries


async def test_meter_is_looked_for_after_repeated_failures(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    """Three failures in a row, then twice as many each time: the search takes the line for minutes."""
    coordinator = loaded.runtime_data.coordinator
    before = replace(coordinator.reader.line_profile, check_kind=CheckKind.XOR)
    coordinator.reader.line_profile = before
    looked_for = [await refresh(loaded, bench, NoAnswer()) for _ in range(14)]
    assert [number for number, looked in enumerate(looked_for) if looked] == [3, 6, 12]
    # The way that led to the meter is the first that is tried.
    assert replace(bench.discoveries[0], keyring=None) == DiscoveryHints(
        profile=before, fixed=frozenset({"address"})
    )
    assert not await refresh(loaded, bench, reading(at=later(20)))
    looked_for = [await refresh(loaded, bench, NoAnswer()) for _ in range(4)]
    assert looked_for == [False, False, False, True]


async def test_way_that_was_found_is_kept(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    for _ in range(3):
        await refresh(loaded, bench, NoAnswer())
    bench.learned = lambda profile: replace(profile, request="#", medium=Medium.ELECTRICITY)
    assert await refresh(loaded, bench, reading(at=later(4)))
    assert loaded.runtime_data.coordinator.reader.line_profile.request == "#"
    bench.learned = lambda profile: profile
    assert not await refresh(loaded, bench, reading(at=later(5)))
    assert bench.profiles[-1].request == "#"


async def test_line_that_fails_is_no_reason_to_look_for_the_meter(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    assert not any([await refresh(loaded, bench, PortBusy(port="x")) for _ in range(8)])


async def test_battery_meter_is_never_looked_for(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, hass_storage: dict[str, Any]
) -> None:
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), HEAT))
    await hass.config_entries.async_setup(entry.entry_id)
    assert not any([await refresh(entry, bench, NoAnswer()) for _ in range(8)])


async def test_other_meters_on_the_line_are_not_called_in_the_search(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    MockConfigEntry(domain=DOMAIN, data={"device": PORT, "address": "1"}).add_to_hass(hass)
    for _ in range(4):
        await refresh(loaded, bench, NoAnswer())
    assert [hints.shared for hints in bench.discoveries] == [True]


async def test_meter_that_now_sends_by_itself_is_listened_to(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    for _ in range(3):
        await refresh(loaded, bench, NoAnswer())
    bench.learned = lambda profile: replace(profile, mode=Mode.D, medium=Medium.ELECTRICITY)
    await refresh(loaded, bench, reading(at=later(4)))
    await bench.until(lambda: bench.open_lines == 1)
    bench.pushes.put_nowait(reading({**HOUSEHOLD, "1.8.0": ["012346.000*kWh"]}, at=later(5)))
    await bench.until(lambda: state(hass, "1-0:1.8.0").state == "12346.000")
    await hass.config_entries.async_unload(loaded.entry_id)


async def test_pushing_meter_is_listened_to_at_other_speeds_after_repeated_failures(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    hass_storage: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hass_storage[file_of(entry)] = stored(
        MeterState.of(reading(), replace(PUSH, listen_speed=9600))
    )
    monkeypatch.setattr("custom_components.iec62056.meter.backoff.FIRST_PAUSE", 0)
    for _ in range(4):
        bench.pushes.put_nowait(NoAnswer())
    await hass.config_entries.async_setup(entry.entry_id)
    await bench.until(lambda: len(bench.profiles) == 5)
    assert [profile.listen_speed for profile in bench.profiles] == [9600, 9600, 9600, None, 9600]
    await hass.config_entries.async_unload(entry.entry_id)


async def test_telegram_that_cannot_be_taken_does_not_end_the_listening(
    hass: HomeAssistant,
    pushing: MockConfigEntry,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("custom_components.iec62056.meter.backoff.FIRST_PAUSE", 0)
    coordinator = pushing.runtime_data.coordinator
    with patch.object(coordinator.validator, "check", side_effect=KeyError("1-0:1.8.0")):
        bench.pushes.put_nowait(reading(at=later(1)))
        await bench.until(lambda: not coordinator.last_update_success)
    bench.pushes.put_nowait(reading({**HOUSEHOLD, "1.8.0": ["012346.000*kWh"]}, at=later(2)))
    await bench.until(lambda: state(hass, "1-0:1.8.0").state == "12346.000")
    assert coordinator.last_update_success


async def test_asking_a_push_meter_that_fails_brings_nothing_back(
    pushing: MockConfigEntry, bench: Bench
) -> None:
    """`update_entity` asks it nothing, so it learns nothing of the connection."""
    coordinator = pushing.runtime_data.coordinator
    bench.pushes.put_nowait(NoAnswer())
    await bench.until(lambda: not coordinator.last_update_success)
    await coordinator.async_refresh()
    assert not coordinator.connected


async def test_battery_meter_that_was_read_again_has_no_failure_any_more(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any], freezer: FrozenDateTimeFactory
) -> None:
    """Asked once more than its day allows, it is as its last reading left it, not as the one before."""
    entry = heat_entry(hass)
    bench.learned = lambda profile: profile
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), HEAT))
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    coordinator = entry.runtime_data.coordinator
    bench.answers = [NoAnswer()]
    await fire(hass, freezer, 24 * 60 + 1)
    assert not coordinator.connected
    bench.answers = [reading(at=later(48 * 60 + 5))]
    await fire(hass, freezer, 48 * 60 + 5)
    reads = bench.reads
    for minute in range(1, 4):
        bench.answers = [reading(at=later(48 * 60 + 5 + minute))]
        freezer.move_to(later(48 * 60 + 5 + minute))
        await coordinator.async_refresh()
    assert bench.reads < reads + 3
    assert coordinator.connected


async def test_no_reading_begins_while_home_assistant_stops(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    reads = bench.reads
    bench.gate.clear()
    freezer.move_to(later(5))
    async_fire_time_changed(hass)
    await bench.until(lambda: bench.reads > reads)
    hass.set_state(CoreState.stopping)
    for task in hass._background_tasks:
        task.cancel()
    bench.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    await fire(hass, freezer, 10)
    hass.set_state(CoreState.running)
    assert bench.reads == reads + 1
