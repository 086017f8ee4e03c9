"""The dialogue, from the port to the created meter."""

from dataclasses import replace
from datetime import timedelta
import json
from pathlib import Path
import string
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_USER, ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.flows.config import MeterConfigFlow
from custom_components.iec62056.flows.forms import shown
from custom_components.iec62056.flows.reading import _action
from custom_components.iec62056.meter import ports
from custom_components.iec62056.meter.alignment_run import Signal
from custom_components.iec62056.protocol.ascii.checks import without_check
from custom_components.iec62056.protocol.dlms_errors import PushKeyError, PushUnframed
from custom_components.iec62056.protocol.errors import (
    BridgeSilent,
    CheckWrong,
    Incomplete,
    LineBusy,
    MeterError,
    NoAnswer,
    NoIdentification,
    NumberUnanswered,
    NumberUnsteady,
    OnlyEcho,
    PortBusy,
    PortMissing,
    WrongParity,
)
from custom_components.iec62056.protocol.model import (
    CheckKind,
    DiscoveryStep,
    LineProfile,
    Medium,
    Mode,
    Progress,
    Stage,
)

from ..common.bench import (
    GOOD_HEALTH,
    HOUSEHOLD,
    IDENTIFICATION,
    NO_CHECK,
    NUMBER,
    OTHER_PORT,
    PORT,
    Bench,
    later,
    reading,
    state,
)
from ..common.errors import every_error, filled
from ..common.flow_pages import form, read, settled, start, suggested_of

EVERYTHING_AUTOMATIC = {
    "mode": "auto",
    "speed": "auto",
    "bus": False,
    "wake_up": "auto",
    "stay": False,
    "dtr": "auto",
    "rts": "auto",
    "login": "auto",
}
READ_NAMES = {"registers", "speed", "usual"}
PLACE_NAMES = {"calls", "good", "enough", "left"}
TRANSLATIONS = Path(__file__).parents[2] / "custom_components" / DOMAIN / "translations"


async def confirm(hass: HomeAssistant, result: Any) -> Any:
    return await hass.config_entries.flow.async_configure(result["flow_id"], {})


async def test_meter_is_read_once_and_its_reading_is_the_first(
    hass: HomeAssistant, bench: Bench
) -> None:
    found = await read(hass)
    assert found["type"] is FlowResultType.FORM
    assert found["step_id"] == "found"
    assert found["description_placeholders"] == {
        "make": "Landis+Gyr",
        "model": "ZMF100AC.M26",
        "number": NUMBER,
        "registers": str(len(HOUSEHOLD)),
        "rest": "0",
        "notes": "",
        "duration": "4\N{NO-BREAK SPACE}s",
        "shortest": "10\N{NO-BREAK SPACE}s",
        "longest": "7\N{NO-BREAK SPACE}d",
    }
    created = await confirm(hass, found)
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert created["title"] == "Landis+Gyr ZMF100AC.M26"
    assert created["data"] == {"device": PORT, "address": "", "number_code": "0-0:96.1.0"}
    assert created["result"].unique_id == f"LGZ_{NUMBER}"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert created["result"].state is ConfigEntryState.LOADED
    assert state(hass, "1-0:1.8.0").state == "12345.678"
    assert bench.reads == 1
    assert bench.open_lines == 0


async def test_second_meter_of_one_name_is_told_apart_by_its_number(
    hass: HomeAssistant, bench: Bench, loaded: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(loaded, title="Landis+Gyr ZMF100AC.M26")
    bench.answers = [reading({**HOUSEHOLD, "C.1.0": ["99887766"]})]
    created = await confirm(hass, await read(hass, device=OTHER_PORT))
    assert created["title"] == "Landis+Gyr ZMF100AC.M26 7766"
    await hass.async_block_till_done()
    devices = dr.async_get(hass)
    (device,) = dr.async_entries_for_config_entry(devices, created["result"].entry_id)
    assert device.name == "Landis+Gyr ZMF100AC.M26 7766"
    (first,) = dr.async_entries_for_config_entry(devices, loaded.entry_id)
    assert first.name == "Landis+Gyr ZMF100AC.M26"


async def test_progress_follows_the_stages(hass: HomeAssistant, bench: Bench) -> None:
    bench.progress = [Progress(Stage.SIGN_ON, speed=300)]
    bench.gate.clear()
    shown = await start(hass)
    await bench.until(lambda: bench.reads == 1)
    shown = await hass.config_entries.flow.async_configure(shown["flow_id"])
    assert shown["progress_action"] == "sign_on"
    assert shown["description_placeholders"] == {
        "registers": "0",
        "speed": "300",
        "usual": "67\N{NO-BREAK SPACE}s",
    }
    # Asking again while nothing has changed starts no second reading.
    again = await hass.config_entries.flow.async_configure(shown["flow_id"])
    assert again["type"] is FlowResultType.SHOW_PROGRESS
    assert bench.reads == 1
    bench.gate.set()
    assert (await settled(hass, again))["step_id"] == "found"


@pytest.mark.parametrize(
    ("progress", "action"),
    [
        (Progress(Stage.OPENING), "opening"),
        (Progress(Stage.SIGN_ON), "sign_on"),
        (Progress(Stage.SIGN_ON, step=DiscoveryStep.SIGN_ON), "step_sign_on"),
        (Progress(Stage.WAKING, step=DiscoveryStep.WAKE_UP), "step_wake_up"),
        (Progress(Stage.LISTENING, 30, 0, 9600, step=DiscoveryStep.LISTEN), "step_listen"),
        # From the first data on, what counts is how far they have come.
        (Progress(Stage.LISTENING, 60, 2, 9600, step=DiscoveryStep.LISTEN), "listening"),
        (Progress(Stage.READING, 10, 0, 9600, step=DiscoveryStep.PINS), "reading"),
    ],
)
def test_text_of_a_progress(progress: Progress, action: str) -> None:
    assert _action(progress) == action


@pytest.mark.parametrize("language", ["en", "de"])
def test_each_progress_has_a_text(language: str) -> None:
    texts = json.loads((TRANSLATIONS / f"{language}.json").read_text())["config"]["progress"]
    actions = {*Stage, *(f"step_{step}" for step in DiscoveryStep), "place", "asking"}
    assert set(texts) == actions | {f"place_{signal}" for signal in Signal}
    for action, text in texts.items():
        known = PLACE_NAMES if action.startswith("place") else READ_NAMES
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert names <= known


async def test_progress_is_drawn_again_while_a_stage_lasts(
    hass: HomeAssistant, bench: Bench
) -> None:
    """Not at every character, but not only once: a slow readout lasts minutes."""
    drawn: list[float] = []
    now = 100.0
    flow = MeterConfigFlow()
    flow.hass = hass
    with (
        patch.object(hass.loop, "time", side_effect=lambda: now),
        patch.object(flow, "async_update_progress", side_effect=drawn.append),
    ):
        for characters in range(0, 300, 3):
            now += 0.1
            flow._watch(Progress(Stage.READING, characters, characters // 20, 300))
    assert 15 <= len(drawn) <= 21
    assert drawn == sorted(drawn)
    assert all(0 <= share < 1 for share in drawn)


async def test_closing_the_dialogue_stops_the_reading(hass: HomeAssistant, bench: Bench) -> None:
    bench.gate.clear()
    shown = await start(hass)
    await bench.until(lambda: bench.open_lines == 1)
    hass.config_entries.flow.async_abort(shown["flow_id"])
    await bench.until(lambda: bench.open_lines == 0)
    assert bench.waiting(hass) == 0


@pytest.mark.parametrize("kind", list(every_error()))
async def test_each_failure_has_its_sentence_and_keeps_the_form(
    hass: HomeAssistant, bench: Bench, kind: type[MeterError]
) -> None:
    bench.answers = [filled(kind)]
    result = await read(hass, address="12345678", mode="c")
    assert result["type"] is FlowResultType.FORM
    if issubclass(kind, PushKeyError):
        assert result["step_id"] == "push_key"
        return
    assert result["step_id"] == "user"
    assert result["errors"] == {"base": kind.key}
    # Markup could come from a meter, in an error message of its own.
    assert not any(
        set("<>") & set(text) for text in (result["description_placeholders"] or {}).values()
    )
    suggested = suggested_of(result["data_schema"])
    # What moving the probe may mend is tried next.
    over_the_probe = kind in (
        NoAnswer,
        OnlyEcho,
        WrongParity,
        NoIdentification,
        Incomplete,
        CheckWrong,
        NumberUnsteady,
        LineBusy,
        BridgeSilent,
        PushUnframed,
    )
    assert suggested == {
        "device": PORT,
        "several": {"address": "12345678", "shared": False},
        "align": over_the_probe,
        "advanced": EVERYTHING_AUTOMATIC | {"mode": "c"},
    }
    bench.answers = [reading()]
    again = await hass.config_entries.flow.async_configure(result["flow_id"], form())
    assert (await settled(hass, again))["step_id"] == "found"


@pytest.mark.parametrize(
    ("kind", "shown"),
    [(NoAnswer, True), (BridgeSilent, True), (NumberUnanswered, True), (OnlyEcho, False)],
)
async def test_number_can_be_entered_where_that_may_help(
    hass: HomeAssistant, bench: Bench, kind: type[MeterError], *, shown: bool
) -> None:
    """Some meters answer only to their number: its field is not hidden in a section that is closed."""
    bench.answers = [filled(kind)]
    result = await read(hass)
    fields = {key.schema: part for key, part in result["data_schema"].schema.items()}
    assert fields["several"].options["collapsed"] is not shown


@pytest.mark.parametrize(
    "error", [PortMissing(port="x"), PortBusy(port="x")], ids=["missing", "busy"]
)
async def test_port_that_cannot_be_opened(
    hass: HomeAssistant, bench: Bench, error: MeterError
) -> None:
    bench.open_error = error
    result = await read(hass)
    assert result["errors"] == {"base": error.key}


async def test_number_without_check_character_is_read_twice(
    hass: HomeAssistant, bench: Bench
) -> None:
    first = reading(health=NO_CHECK)
    second = reading({**HOUSEHOLD, "1.8.0": ["012345.690*kWh"]}, at=later(0.2), health=NO_CHECK)
    bench.answers = [first, second]
    created = await confirm(hass, await read(hass))
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert bench.reads == 2
    assert len(bench.lines) == 1
    assert state(hass, "1-0:1.8.0").state == "12345.690"


@pytest.mark.parametrize(
    "second",
    [{**HOUSEHOLD, "C.1.0": ["34567813"]}, {"1.8.0": ["1*kWh"]}],
    ids=["other number", "no number"],
)
async def test_number_that_differs_in_two_readings_names_no_meter(
    hass: HomeAssistant, bench: Bench, second: dict[str, list[str]]
) -> None:
    bench.answers = [reading(health=NO_CHECK), reading(second, health=NO_CHECK)]
    assert (await read(hass))["errors"] == {"base": "number_unsteady"}


async def test_meter_without_number(hass: HomeAssistant, bench: Bench) -> None:
    bench.answers = [reading({"1.8.0": ["1*kWh"]}, health=NO_CHECK)]
    found = await read(hass)
    assert found["step_id"] == "found_unnamed"
    assert bench.reads == 2
    created = await confirm(hass, found)
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert created["result"].unique_id is None
    assert "number_code" not in created["data"]
    assert state(hass, "1-0:1.8.0", created["result"].entry_id).state == "1"


async def test_known_meter_on_another_port_is_moved(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    bench.learned = lambda profile: replace(profile, medium=Medium.ELECTRICITY, stay=True)
    bench.answers = [reading({**HOUSEHOLD, "1.8.0": ["012346.000*kWh"]}, at=later(5))]
    asked = await read(hass, device=OTHER_PORT, address=NUMBER)
    assert asked["step_id"] == "move"
    assert asked["description_placeholders"] == {
        "title": loaded.title,
        "old": PORT,
        "new": OTHER_PORT,
    }
    done = await confirm(hass, asked)
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "moved")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert dict(loaded.data) == {
        "device": OTHER_PORT,
        "address": NUMBER,
        "number_code": "0-0:96.1.0",
    }
    # The dialogue's reading and what it learned of the new line are taken over.
    assert state(hass, "1-0:1.8.0").state == "12346.000"
    assert loaded.runtime_data.coordinator.reader.line_profile == LineProfile(
        address=NUMBER, medium=Medium.ELECTRICITY, stay=True
    )
    assert bench.reads == 2


async def test_known_meter_that_is_disabled_is_read_again_where_it_is_moved_to(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    await hass.config_entries.async_set_disabled_by(loaded.entry_id, ConfigEntryDisabler.USER)
    done = await confirm(hass, await read(hass, device=OTHER_PORT))
    assert done["reason"] == "moved"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert loaded.state is ConfigEntryState.LOADED
    assert loaded.runtime_data.coordinator.reader.device == OTHER_PORT
    # The dialogue's reading is the first; the meter is not read twice.
    assert bench.reads == 2


PROVEN = {"password": "12345678", "login": "plain", "security": "gmac", "client": 48}
KEYED = {"encryption_key": "AA" * 16, "authentication_key": "BB" * 16, "system_title": "CC" * 8}


async def test_meter_that_is_moved_keeps_who_asks(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    kept = {**PROVEN, **KEYED, "unencrypted": True}
    hass.config_entries.async_update_entry(loaded, data={**loaded.data, **kept, "bus": True})
    await confirm(hass, await read(hass, device=OTHER_PORT))
    assert dict(loaded.data) == {
        "device": OTHER_PORT,
        "address": "",
        "number_code": "0-0:96.1.0",
        **kept,
    }


@pytest.mark.parametrize("same", [True, False])
async def test_who_is_named_while_a_meter_is_moved_asks_from_then_on(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, *, same: bool
) -> None:
    """Nothing is left of who asked before, but for the title by which a key's messages are numbered."""
    hass.config_entries.async_update_entry(loaded, data={**loaded.data, **PROVEN, **KEYED})
    key = KEYED["encryption_key"] if same else "DD" * 16
    new = {"security": "gmac", "encryption_key": key, "authentication_key": "EE" * 16}
    asked = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    asked = await hass.config_entries.flow.async_configure(
        asked["flow_id"], {**form(OTHER_PORT), "binary": new}
    )
    with patch.object(MeterConfigFlow, "_note"):
        # As if the meter had taken it.
        asked = await settled(hass, asked)
    await confirm(hass, asked)
    data = loaded.data
    assert data["device"] == OTHER_PORT
    assert {name: data[name] for name in new} == new
    assert (data["system_title"] == KEYED["system_title"]) is same
    assert not {"password", "login"} & data.keys()


async def test_known_meter_that_was_removed_meanwhile_is_added(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    asked = await read(hass, device=OTHER_PORT)
    await hass.config_entries.async_remove(loaded.entry_id)
    assert (await confirm(hass, asked))["step_id"] == "found"


@pytest.mark.parametrize(
    ("entered", "taken"),
    [
        (f"{PORT},,auto", True),
        (f"{PORT},  ,auto", True),
        (f"{PORT},87654321,auto", False),
        # A meter that sends by itself and one that is asked cannot share a line.
        (f"{PORT},87654321,d", True),
        (f"{OTHER_PORT},,auto", False),
    ],
)
async def test_port_and_address_that_are_taken(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, entered: str, taken: bool
) -> None:
    device, address, mode = entered.split(",")
    bench.answers = [reading({**HOUSEHOLD, "C.1.0": ["87654321"]})]
    result = await read(hass, device=device, address=address, mode=mode)
    if taken:
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
        assert result["description_placeholders"] == {"title": loaded.title}
        assert bench.reads == 1
    else:
        assert result["step_id"] == "found"


async def test_shared_line_needs_a_number(hass: HomeAssistant, bench: Bench) -> None:
    """Without one, all meters would answer at once."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    shared = {**form(), "several": {"address": " ", "shared": True}}
    asked = await hass.config_entries.flow.async_configure(result["flow_id"], shared)
    assert (asked["type"], asked["errors"]) == (FlowResultType.FORM, {"several": "number_needed"})
    assert bench.lines == []
    given = await hass.config_entries.flow.async_configure(
        asked["flow_id"], {**shared, "several": {"address": NUMBER, "shared": True}}
    )
    created = await confirm(hass, await settled(hass, given))
    assert created["data"] == {
        "device": PORT,
        "address": NUMBER,
        "shared": True,
        "number_code": "0-0:96.1.0",
    }


async def test_second_meter_on_a_line_needs_a_number(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    hass.config_entries.async_update_entry(loaded, data={**loaded.data, "address": NUMBER})
    result = await start(hass)
    assert (result["type"], result["errors"]) == (
        FlowResultType.FORM,
        {"several": "number_needed"},
    )
    assert bench.reads == 1


async def test_what_is_said_by_hand_is_kept_and_stays(hass: HomeAssistant, bench: Bench) -> None:
    """The line may teach what it likes: the user knows better."""
    by_hand = {
        "mode": "c",
        "speed": "9600",
        "bus": True,
        "wake_up": "never",
        "request": "#",
        "stay": True,
        "switch_delay": 250,
        "dtr": "on",
        "rts": "off",
    }
    bench.learned = lambda profile: replace(
        profile, stay=False, request="2", wake_up=True, check_kind=CheckKind.XOR
    )
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {"device": "socket://127.0.0.1:1", "advanced": by_hand}
    )
    created = await confirm(hass, await settled(hass, result))
    assert created["data"] == {
        "device": "socket://127.0.0.1:1",
        "address": "",
        "mode": "C",
        "speed": 9600,
        "bus": True,
        "wake_up": "never",
        "request": "#",
        "stay": True,
        "switch_delay": 250,
        "dtr": True,
        "rts": False,
        "number_code": "0-0:96.1.0",
    }
    given = LineProfile(
        mode=Mode.C,
        bus=True,
        wake_up=False,
        request="#",
        stay=True,
        switch_delay=0.25,
        dtr=True,
        rts=False,
    )
    assert bench.profiles == [given]
    coordinator = created["result"].runtime_data.coordinator
    assert coordinator.reader.line_profile == replace(given, check_kind=CheckKind.XOR)
    assert ([line.speed for line in bench.lines], coordinator.reader.speed) == ([9600], 9600)


async def test_two_names_of_one_port_are_one_port(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, tmp_path: Path
) -> None:
    device, link = tmp_path / "ttyUSB0", tmp_path / "by-id"
    device.touch()
    link.symlink_to(device)
    hass.config_entries.async_update_entry(loaded, data={**loaded.data, "device": str(link)})
    result = await read(hass, device=str(device))
    assert result["reason"] == "already_configured"


async def test_plain_device_is_stored_by_its_lasting_name(
    hass: HomeAssistant, bench: Bench
) -> None:
    with patch(
        "custom_components.iec62056.meter.ports.lasting_name", return_value=ports.Name(PORT)
    ) as lasting:
        created = await confirm(hass, await read(hass, device=" /dev/ttyUSB7 "))
    assert lasting.call_args_list[0].args == ("/dev/ttyUSB7",)
    assert created["data"]["device"] == PORT


async def test_same_meter_in_two_dialogues(hass: HomeAssistant, bench: Bench) -> None:
    assert (await read(hass))["step_id"] == "found"
    second = await read(hass, device=OTHER_PORT)
    assert (second["type"], second["reason"]) == (FlowResultType.ABORT, "already_in_progress")


async def test_mode_that_was_chosen_is_the_one_tried(hass: HomeAssistant, bench: Bench) -> None:
    created = await confirm(hass, await read(hass, mode="a", address=" 12 "))
    assert bench.profiles[0] == LineProfile(address="12", mode=Mode.A)
    assert created["data"] == {
        "device": PORT,
        "address": "12",
        "mode": "A",
        "number_code": "0-0:96.1.0",
    }


async def test_push_meter(hass: HomeAssistant, bench: Bench) -> None:
    bench.pushes.put_nowait(reading(health=replace(GOOD_HEALTH, check_kind=CheckKind.CRC16)))
    found = await read(hass, mode="d")
    assert set(found["data_schema"]({})) == {"registers"}
    created = await confirm(hass, found)
    assert created["data"]["mode"] == "D"
    entry = created["result"]
    await bench.until(lambda: bench.open_lines == 1)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert bench.open_lines == 0


async def test_wrong_meter_text_is_no_markup(hass: HomeAssistant, bench: Bench) -> None:
    bench.answers = [reading(identification=replace(IDENTIFICATION, model="[x](http://evil)"))]
    found = await read(hass)
    assert not set("[]") & set(found["description_placeholders"]["model"])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1\N{NO-BREAK SPACE}s"),
        (119, "119\N{NO-BREAK SPACE}s"),
        (180, "3\N{NO-BREAK SPACE}min"),
        (3600, "60\N{NO-BREAK SPACE}min"),
        (86400, "24\N{NO-BREAK SPACE}h"),
        (604800, "7\N{NO-BREAK SPACE}d"),
    ],
)
def test_times_are_short(seconds: int, text: str) -> None:
    assert shown(timedelta(seconds=seconds)) == text


async def always_wrong(hass: HomeAssistant, bench: Bench) -> Any:
    """The dialogue at the question about a check character that never fits."""
    wrong = CheckWrong()
    wrong.without = without_check(LineProfile(medium=Medium.ELECTRICITY))
    bench.answers = [wrong, reading(health=NO_CHECK)]
    asked = await read(hass)
    assert (asked["type"], asked["step_id"]) == (FlowResultType.MENU, "check_wrong")
    assert asked["menu_options"] == ["without_check", "user"]
    return asked


async def test_check_that_is_always_wrong_can_be_done_without(
    hass: HomeAssistant, bench: Bench
) -> None:
    asked = await always_wrong(hass, bench)
    chosen = await hass.config_entries.flow.async_configure(
        asked["flow_id"], {"next_step_id": "without_check"}
    )
    found = await settled(hass, chosen)
    assert found["step_id"] == "found"
    assert bench.discoveries[-1].profile.check_kind is CheckKind.NONE
    # Nothing vouches for the number but a second reading.
    assert bench.reads == 3
    created = await confirm(hass, found)
    assert (
        created["result"].runtime_data.coordinator.reader.line_profile.check_kind is CheckKind.NONE
    )


async def test_check_that_is_always_wrong_can_be_looked_into(
    hass: HomeAssistant, bench: Bench
) -> None:
    asked = await always_wrong(hass, bench)
    back = await hass.config_entries.flow.async_configure(
        asked["flow_id"], {"next_step_id": "user"}
    )
    assert (back["step_id"], back["errors"]) == ("user", {"base": "check_wrong"})
    # The answer to one line's question is not carried over to another.
    again = await hass.config_entries.flow.async_configure(back["flow_id"], form(OTHER_PORT))
    assert (await settled(hass, again))["step_id"] == "found"
    assert bench.discoveries[-1].profile.check_kind is None


async def test_port_whose_name_may_not_last_is_said_to_be_so(
    hass: HomeAssistant, bench: Bench
) -> None:
    name = ports.Name("/dev/ttyUSB0", ports.Why.PASSING)
    with patch("custom_components.iec62056.meter.ports.lasting_name", return_value=name):
        found = await read(hass, device="/dev/ttyUSB0")
    texts = json.loads((TRANSLATIONS / "en.json").read_text())["selector"]["port_name"]["options"]
    assert found["description_placeholders"]["notes"] == f"\n\n{texts['passing']}"
    assert set(texts) == set(ports.Why)
