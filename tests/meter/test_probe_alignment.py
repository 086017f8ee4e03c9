"""Holding the probe in the right place: in the dialogue, and later with the button."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter import alignment_run, connection
from custom_components.iec62056.meter.alignment_run import (
    BATTERY_CALLS,
    AlignmentRun,
    Signal,
    of_failure,
    of_health,
)
from custom_components.iec62056.protocol.errors import (
    BridgeSilent,
    BridgeTaken,
    CheckWrong,
    ConnectionLost,
    LineBusy,
    MeterError,
    MeterFaster,
    MeterRefused,
    NoAnswer,
    NoData,
    NoIdentification,
    NumberUnsteady,
    OnlyEcho,
    OtherProtocol,
    PortMissing,
    SeveralMeters,
    WrongParity,
)
from custom_components.iec62056.protocol.model import Health, LineProfile, Medium, Mode
from custom_components.iec62056.state.meter_state import MeterState
from simulator import (
    Echo,
    Faults,
    Kind,
    Manners,
    Meter as SimulatedMeter,
    Mode as MeterMode,
    Telegram,
    WakeUp,
    serve,
)

from ..common.bench import (
    GOOD_HEALTH,
    HOUSEHOLD,
    IDENTIFICATION,
    NUMBER,
    PORT,
    START,
    Bench,
    Damaged,
    later,
    reading,
    state,
)
from ..common.clock import hurried
from ..common.flow_pages import suggested_of
from ..common.stored_file import file_of, stored

GOOD = IDENTIFICATION


@pytest.mark.parametrize(
    ("result", "signal"),
    [
        (Health(), Signal.GOOD),
        (Health(parity_errors=1), Signal.WEAK),
        (Health(retries=1), Signal.WEAK),
        (NoAnswer(), Signal.NOTHING),
        (BridgeSilent(port="x"), Signal.NOTHING),
        (OnlyEcho(), Signal.ECHO),
        (WrongParity(percent="40"), Signal.DAMAGED),
        (NoIdentification(), Signal.DAMAGED),
        (CheckWrong(), Signal.DAMAGED),
        (NumberUnsteady(), Signal.DAMAGED),
        (LineBusy(port="x"), Signal.DAMAGED),
        # The light arrived; something else is wrong.
        (NoData(meter="x"), Signal.GOOD),
        (MeterRefused(message="x"), Signal.GOOD),
        (SeveralMeters(), Signal.GOOD),
        (MeterFaster(port="x", speed="300", wanted="2400"), Signal.GOOD),
        # Nothing can be said of a probe that cannot be reached.
        (PortMissing(port="x"), None),
        (ConnectionLost(port="x"), None),
        (BridgeTaken(port="x"), None),
    ],
)
def test_signal(result: Health | MeterError, signal: Signal | None) -> None:
    assert (of_health(result) if isinstance(result, Health) else of_failure(result)) is signal


async def start(hass: HomeAssistant, **advanced: Any) -> Any:
    """Ask for an alignment in the dialogue."""
    flow = hass.config_entries.flow
    shown = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await flow.async_configure(
        shown["flow_id"], {"device": PORT, "align": True, "advanced": advanced}
    )


async def over(hass: HomeAssistant, shown: Any) -> tuple[list[str], Any]:
    """The texts until the calls are over, and the step after them."""
    texts = []
    while shown["type"] is FlowResultType.SHOW_PROGRESS:
        texts.append(shown["progress_action"])
        await hass.async_block_till_done(wait_background_tasks=True)
        shown = await hass.config_entries.flow.async_configure(shown["flow_id"])
    return texts, shown


async def choose(hass: HomeAssistant, shown: Any, option: str) -> Any:
    return await hass.config_entries.flow.async_configure(
        shown["flow_id"], {"next_step_id": option}
    )


async def seen(hass: HomeAssistant, bench: Bench, shown: Any, calls: int) -> Any:
    """The dialogue as it stands while that call is being made."""
    await bench.until(lambda: bench.identified == calls)
    return await hass.config_entries.flow.async_configure(shown["flow_id"])


async def test_dialogue_shows_each_call_and_ends_after_three_good_ones(
    hass: HomeAssistant, bench: Bench
) -> None:
    bench.calls = [NoAnswer(), OnlyEcho(), WrongParity(percent="40"), GOOD, Damaged(3), GOOD]
    bench.called.clear()
    shown = await start(hass)
    texts = []
    for calls in range(1, 9):
        shown = await seen(hass, bench, shown, calls)
        assert shown["type"] is FlowResultType.SHOW_PROGRESS
        placeholders = shown["description_placeholders"]
        assert placeholders["calls"] == str(calls - 1)
        texts.append((shown["progress_action"], placeholders["good"]))
        bench.called.set()
        bench.called.clear()
    await hass.async_block_till_done(wait_background_tasks=True)
    shown = await hass.config_entries.flow.async_configure(shown["flow_id"])
    assert texts == [
        ("place", "0"),
        ("place_nothing", "0"),
        ("place_echo", "0"),
        ("place_damaged", "0"),
        ("place_good", "1"),
        # Three in a row: one that came damaged begins the count anew.
        ("place_weak", "0"),
        ("place_good", "1"),
        ("place_good", "2"),
    ]
    assert (shown["type"], shown["step_id"]) == (FlowResultType.MENU, "placed")
    assert bench.reads == 0
    assert bench.open_lines == 0
    shown = await choose(hass, shown, "read")
    _, found = await over(hass, shown)
    assert found["step_id"] == "found"


async def test_each_call_leaves_the_port_to_others(hass: HomeAssistant, bench: Bench) -> None:
    await over(hass, await start(hass))
    assert len(bench.lines) == 3


async def test_dialogue_gives_up_after_three_minutes(
    hass: HomeAssistant, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(hass.loop, "time", lambda: now)
    bench.calls = [NoAnswer()]
    bench.called.clear()
    shown = await start(hass)
    for calls, left in (
        (1, "3\N{NO-BREAK SPACE}min"),
        (2, "119\N{NO-BREAK SPACE}s"),
        (3, "1\N{NO-BREAK SPACE}s"),
    ):
        shown = await seen(hass, bench, shown, calls)
        assert shown["description_placeholders"]["left"] == left
        now = {1: 1061.0, 2: 1179.4, 3: 1180.0}[calls]
        bench.called.set()
        bench.called.clear()
    await hass.async_block_till_done(wait_background_tasks=True)
    shown = await hass.config_entries.flow.async_configure(shown["flow_id"])
    assert (shown["type"], shown["step_id"]) == (FlowResultType.MENU, "not_placed")
    assert bench.identified == 3
    # Once more: with three minutes of its own.
    shown = await choose(hass, shown, "place")
    assert (shown["progress_action"], shown["description_placeholders"]["left"]) == (
        "place",
        "3\N{NO-BREAK SPACE}min",
    )
    hass.config_entries.flow.async_abort(shown["flow_id"])


async def test_settings_can_be_changed_afterwards(hass: HomeAssistant, bench: Bench) -> None:
    _, shown = await over(hass, await start(hass))
    form = await choose(hass, shown, "user")
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "user")
    suggested = suggested_of(form["data_schema"])
    assert {name: suggested[name] for name in ("device", "align")} == {
        "device": PORT,
        "align": False,
    }


async def test_closing_the_dialogue_stops_the_calls(hass: HomeAssistant, bench: Bench) -> None:
    bench.called.clear()
    shown = await start(hass)
    await bench.until(lambda: bench.open_lines == 1)
    hass.config_entries.flow.async_abort(shown["flow_id"])
    await bench.until(lambda: bench.open_lines == 0)
    bench.called.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert bench.waiting(hass) == 0
    assert bench.identified == 1


@pytest.mark.parametrize(
    "error",
    [
        OtherProtocol(protocol="SML", integration="EDL21"),
        SeveralMeters(),
        ConnectionLost(port="x"),
        NoData(meter="x"),
    ],
    ids=lambda error: error.key,
)
async def test_what_no_place_of_the_probe_mends(
    hass: HomeAssistant, bench: Bench, error: MeterError
) -> None:
    bench.calls = [NoAnswer(), error]
    if isinstance(error, NoData):
        # Understood: that counts as good, and the reading will tell the rest.
        _, shown = await over(hass, await start(hass))
        assert shown["step_id"] == "placed"
        return
    _, shown = await over(hass, await start(hass))
    assert shown["errors"] == {"base": error.key}
    assert bench.identified == 2
    assert bench.open_lines == 0


async def test_battery_meter_is_asked_for_in_the_dialogue(
    hass: HomeAssistant, bench: Bench
) -> None:
    bench.calls = [NoAnswer()]
    asked = await start(hass, wake_up="standard")
    assert (asked["type"], asked["step_id"]) == (FlowResultType.FORM, "place_battery")
    assert asked["description_placeholders"] == {"calls": str(BATTERY_CALLS)}
    assert bench.identified == 0
    shown = await hass.config_entries.flow.async_configure(asked["flow_id"], {})
    _, shown = await over(hass, shown)
    assert bench.identified == BATTERY_CALLS
    assert all(profile.wake_up for profile in bench.profiles)
    assert shown["step_id"] == "not_placed"
    assert shown["menu_options"] == ["read", "place_battery", "user"]
    again = await choose(hass, shown, "place_battery")
    assert again["type"] is FlowResultType.FORM


async def test_meter_that_sends_by_itself_is_heard(hass: HomeAssistant, bench: Bench) -> None:
    for health in (GOOD_HEALTH, replace(GOOD_HEALTH, retries=1), *[GOOD_HEALTH] * 3):
        bench.pushes.put_nowait(reading(health=health))
    _, shown = await over(hass, await start(hass, mode="d"))
    assert shown["step_id"] == "placed"
    assert bench.identified == 0
    assert bench.pushes.empty()


@pytest.mark.parametrize(
    ("characters", "signal"), [(0, Signal.NOTHING), (40, Signal.DAMAGED)], ids=["dark", "noise"]
)
async def test_push_that_does_not_come(
    hass: HomeAssistant,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    characters: int,
    signal: Signal,
) -> None:
    monkeypatch.setattr(alignment_run, "PUSHED_WITHIN", 0)
    profile = LineProfile(mode=Mode.D, listen_speed=9600)
    one = AlignmentRun.begin(PORT, 9600, profile, 0.0, battery=False)
    open_line = bench.open_line

    async def noisy(url: str, *, speed: int) -> Any:
        line = await open_line(url, speed=speed)
        line.tally.characters = characters
        return line

    with patch("custom_components.iec62056.meter.connection.open_line", noisy):
        assert await one.call(hass) is signal
    assert bench.open_lines == 0


# Afterwards: the button and the sensor.


async def press(hass: HomeAssistant, meter: str = f"LGZ_{NUMBER}") -> None:
    button = er.async_get(hass).async_get_entity_id("button", DOMAIN, f"{meter}_align")
    await hass.services.async_call("button", "press", {"entity_id": button}, blocking=True)


async def test_button_and_signal(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    assert state(hass, "signal").state == "good"
    assert "calls" not in state(hass, "signal").attributes
    energy = state(hass, "1-0:1.8.0").last_reported
    bench.calls = [NoAnswer(), NoAnswer(), Damaged(3), GOOD]
    bench.called.clear()
    await press(hass)
    shown = []
    for calls in range(1, 7):
        await bench.until(lambda calls=calls: bench.identified == calls)  # type: ignore[misc]
        if calls == 2:
            # Pressed twice is pressed once.
            await press(hass)
        signal = state(hass, "signal")
        shown.append(
            (
                signal.state,
                signal.attributes.get("calls"),
                signal.attributes.get("good_in_a_row"),
            )
        )
        bench.called.set()
        bench.called.clear()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert shown == [
        ("good", 0, 0),
        ("nothing", 1, 0),
        ("nothing", 2, 0),
        ("weak", 3, 0),
        ("good", 4, 1),
        ("good", 5, 2),
    ]
    assert bench.identified == 6
    assert (state(hass, "signal").state, "calls" in state(hass, "signal").attributes) == (
        "good",
        False,
    )
    assert bench.reads == 1
    # A call brings no values: nothing may be counted as if it did.
    assert state(hass, "1-0:1.8.0").last_reported == energy


async def test_alignment_and_readings_of_a_meter_take_turns_as_one(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    """Its own calls must not make a meter's readings wait as another one's would."""
    users: list[Any] = []
    hold = connection.acquire_line

    def noting(*asked: Any, **how: Any) -> Any:
        users.append(how["user"])
        return hold(*asked, **how)

    with patch("custom_components.iec62056.meter.connection.acquire_line", noting):
        await press(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
        await loaded.runtime_data.coordinator.async_refresh()
    assert users == [loaded.entry_id] * 4


async def test_two_alignments_are_two_users() -> None:
    one, other = (AlignmentRun.begin(PORT, 300, LineProfile(), 0.0, battery=False) for _ in "ab")
    assert one.user != other.user


async def test_signal_follows_the_readings(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    for answer, signal in (
        (NoAnswer(), "nothing"),
        (CheckWrong(), "damaged"),
        (PortMissing(port="x"), "unknown"),
        (reading(health=replace(GOOD_HEALTH, parity_errors=1)), "weak"),
        (reading(), "good"),
    ):
        bench.answers = [answer]
        await loaded.runtime_data.coordinator.async_refresh()
        assert state(hass, "signal").state == signal


async def test_alignment_ends_with_the_line(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    bench.calls = [NoAnswer(), ConnectionLost(port="x")]
    await press(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state(hass, "signal").state == "unknown"
    assert bench.identified == 2
    assert loaded.runtime_data.alignment.run is None


async def test_unload_in_the_middle_of_an_alignment_frees_the_port(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    bench.called.clear()
    await press(hass)
    await bench.until(lambda: bench.open_lines == 1)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert (bench.open_lines, bench.waiting(hass)) == (0, 0)


async def test_pushing_meter_is_listened_to_again_after_an_alignment(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, hass_storage: dict[str, Any]
) -> None:
    push = LineProfile(medium=Medium.ELECTRICITY, mode=Mode.D)
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), push))
    await hass.config_entries.async_setup(entry.entry_id)
    await bench.until(lambda: bench.open_lines == 1)
    await press(hass)
    for _ in range(3):
        bench.pushes.put_nowait(reading())
    await bench.until(lambda: len(bench.lines) == 5)
    assert [line.closed for line in bench.lines] == [True, True, True, True, False]
    bench.pushes.put_nowait(reading({**HOUSEHOLD, "1.8.0": ["012345.680*kWh"]}, at=later(5)))
    await bench.until(lambda: state(hass, "1-0:1.8.0").state == "12345.680")
    await hass.config_entries.async_unload(entry.entry_id)
    assert bench.open_lines == 0


async def test_battery_meter_has_an_allowance_of_its_own(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    heat = LineProfile(medium=Medium.HEAT, wake_up=True)
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(at=START), heat))
    await hass.config_entries.async_setup(entry.entry_id)
    bench.calls = [NoAnswer()]
    await press(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert bench.identified == BATTERY_CALLS
    freezer.tick(3600 * 5.5)
    # Neither an automation nor a reload gets around it.
    for _ in range(2):
        with pytest.raises(ServiceValidationError) as caught:
            await press(hass)
        assert caught.value.translation_key == "aligned_already"
        assert caught.value.translation_placeholders == {"hours": "19"}
        await hass.config_entries.async_reload(entry.entry_id)
    assert bench.identified == BATTERY_CALLS
    freezer.tick(3600 * 18.5)
    await press(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert bench.identified == 2 * BATTERY_CALLS


# With the real client and a meter that behaves in time.


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("mode", [MeterMode.A, MeterMode.B, MeterMode.C])
@pytest.mark.parametrize("battery", [False, True], ids=["mains", "battery"])
async def test_three_calls_in_a_row(hass: HomeAssistant, mode: MeterMode, battery: bool) -> None:
    """A meter that sends its data unasked is heard out: in the middle of them it would be deaf to the next call."""
    speed = 300 if mode is MeterMode.A else 2400
    meter = SimulatedMeter(
        Telegram(b"0.0.0(1)\r\n1.8.0(000123.4*kWh)\r\n"),
        Manners(mode=mode, speed=speed, reaction=0.8, wake_up=WakeUp() if battery else None),
    )
    async with serve(meter) as served:
        with hurried(4.0):
            one = AlignmentRun.begin(
                served.url,
                300,
                LineProfile(wake_up=battery),
                hass.loop.time(),
                battery=battery,
            )
            signals = [await one.call(hass) for _ in range(3)]
        assert signals == [Signal.GOOD] * 3
        assert one.good
        assert len(served.log.of(Kind.SIGN_ON)) == 3


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize(
    ("echo", "signal"), [(Echo.NONE, Signal.NOTHING), (Echo.FULL, Signal.ECHO)]
)
async def test_call_that_no_meter_hears(hass: HomeAssistant, echo: Echo, signal: Signal) -> None:
    """One request, not three: the hand on the probe waits for the answer."""
    meter = SimulatedMeter(Telegram(b""), faults=Faults(ignore=set(range(9))))
    async with serve(meter, echo=echo) as served:
        with hurried(4.0):
            begun = hass.loop.time()
            one = AlignmentRun.begin(served.url, 300, LineProfile(), begun, battery=False)
            assert await one.call(hass) is signal
            assert hass.loop.time() - begun < 4
        assert len(served.log.of(Kind.SIGN_ON)) == 1
