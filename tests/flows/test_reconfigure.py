"""A meter that is set up is told where it is now, and loses nothing by it."""

from dataclasses import replace
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.entry_data import entry_data_from_form, form_from_entry_data
from custom_components.iec62056.flows.release import FORGOTTEN_AFTER
from custom_components.iec62056.protocol.errors import NoAnswer, OnlyEcho, PortMissing
from custom_components.iec62056.protocol.model import CheckKind, Medium, Mode

from ..common.bench import (
    GOOD_HEALTH,
    HOUSEHOLD,
    IDENTIFICATION,
    NO_CHECK,
    NUMBER,
    OTHER_PORT,
    PORT,
    Bench,
    entity_id,
    later,
    reading,
    state,
)
from ..common.flow_pages import form, settled, suggested_of

NEWER = {**HOUSEHOLD, "1.8.0": ["012346.000*kWh"]}


def of(entry: MockConfigEntry) -> ConfigEntryState:
    """How it is now with an entry."""
    now: ConfigEntryState = entry.state
    return now


async def begin(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    result = await entry.start_reconfigure_flow(hass)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "reconfigure")
    assert result["errors"] == {}
    return result


async def change(hass: HomeAssistant, entry: MockConfigEntry, **entered: Any) -> Any:
    """Open the form, send it, wait for the reading."""
    return await send(hass, await begin(hass, entry), **entered)


async def send(hass: HomeAssistant, result: Any, **entered: Any) -> Any:
    return await settled(
        hass, await hass.config_entries.flow.async_configure(result["flow_id"], form(**entered))
    )


async def test_meter_is_found_at_another_port_with_its_history(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    before = er.async_entries_for_config_entry(er.async_get(hass), loaded.entry_id)
    hass.config_entries.async_update_entry(
        loaded, options={"interval": 300}, data={**loaded.data, "adapter": "1:2"}
    )
    bench.answers = [reading(NEWER, at=later(5))]
    done = await change(hass, loaded, device=OTHER_PORT, address=NUMBER, mode="c")
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert dict(loaded.data) == {
        "device": OTHER_PORT,
        "address": NUMBER,
        "mode": "C",
        "number_code": "0-0:96.1.0",
    }
    assert dict(loaded.options) == {"interval": 300}
    assert of(loaded) is ConfigEntryState.LOADED
    assert loaded.runtime_data.coordinator.reader.device == OTHER_PORT
    assert loaded.runtime_data.coordinator.reader.line_profile.mode is Mode.C
    # The dialogue's reading is the first; the meter is not read twice.
    assert bench.reads == 2
    assert state(hass, "1-0:1.8.0").state == "12346.000"
    after = er.async_entries_for_config_entry(er.async_get(hass), loaded.entry_id)
    assert {one.entity_id: one.id for one in after} == {one.entity_id: one.id for one in before}


async def test_form_shows_what_holds(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    data = {**loaded.data, "mode": "C", "speed": 2400, "dtr": False, "switch_delay": 120}
    hass.config_entries.async_update_entry(loaded, data=data)
    result = await begin(hass, loaded)
    assert result["description_placeholders"] == {"title": loaded.title}
    assert suggested_of(result["data_schema"]) == {
        "device": PORT,
        "several": {"address": ""},
        "advanced": {"mode": "c", "speed": "2400", "dtr": "off", "switch_delay": 120},
    }


@pytest.mark.parametrize(
    "data",
    [
        {"device": PORT, "address": ""},
        {"device": PORT, "address": "12", "shared": True},
        {
            "device": "socket://a:1",
            "address": "12",
            "mode": "D",
            "speed": 9600,
            "bus": True,
            "wake_up": "fast",
            "request": "2",
            "stay": True,
            "switch_delay": 0,
            "dtr": True,
            "rts": False,
        },
    ],
)
def test_what_was_entered_survives_the_form(data: dict[str, Any]) -> None:
    shown = form_from_entry_data({**data, "number_code": "0-0:96.1.0", "adapter": "1:2"})
    assert entry_data_from_form(shown, data["device"]) == data


async def test_meter_rests_while_the_way_is_tried(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    result = await begin(hass, loaded)
    # The form alone disturbs nothing.
    assert of(loaded) is ConfigEntryState.LOADED
    bench.gate.clear()
    shown = await hass.config_entries.flow.async_configure(result["flow_id"], form())
    await bench.until(lambda: bench.open_lines == 1)
    assert of(loaded) is ConfigEntryState.NOT_LOADED
    bench.gate.set()
    assert (await settled(hass, shown))["reason"] == "reconfigure_successful"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert of(loaded) is ConfigEntryState.LOADED


async def test_push_meter_frees_its_port(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    """It listens all the time: without that, the dialogue would wait for its own meter for ever."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, "mode": "D"})
    push = reading(health=replace(GOOD_HEALTH, check_kind=CheckKind.CRC16))
    bench.pushes.put_nowait(push)
    await hass.config_entries.async_setup(entry.entry_id)
    await bench.until(lambda: bench.open_lines == 1)
    result = await begin(hass, entry)
    shown = await hass.config_entries.flow.async_configure(result["flow_id"], form(mode="d"))
    await bench.until(lambda: bench.reads == 2)
    assert bench.open_lines == 1
    bench.pushes.put_nowait(push)
    assert (await settled(hass, shown))["reason"] == "reconfigure_successful"
    await bench.until(lambda: bench.open_lines == 1)
    assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("error", [NoAnswer(), PortMissing(port="x")], ids=["silent", "no port"])
async def test_way_that_leads_nowhere_changes_nothing(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, error: Exception
) -> None:
    before = dict(loaded.data)
    bench.answers = [error]
    failed = await change(hass, loaded, device=OTHER_PORT)
    assert (failed["type"], failed["step_id"]) == (FlowResultType.FORM, "reconfigure")
    assert failed["errors"]["base"] in ("no_answer", "port_missing")
    assert failed["description_placeholders"]["title"] == loaded.title
    await hass.async_block_till_done(wait_background_tasks=True)
    assert of(loaded) is ConfigEntryState.LOADED
    assert loaded.data == before
    # And it can be tried again at once.
    bench.answers = [reading(NEWER, at=later(5))]
    done = await send(hass, failed, device=OTHER_PORT)
    assert done["reason"] == "reconfigure_successful"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert loaded.data["device"] == OTHER_PORT


async def test_closing_the_dialogue_sets_the_meter_up_again(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    bench.gate.clear()
    result = await begin(hass, loaded)
    shown = await hass.config_entries.flow.async_configure(result["flow_id"], form())
    await bench.until(lambda: bench.open_lines == 1)
    hass.config_entries.flow.async_abort(shown["flow_id"])
    bench.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert of(loaded) is ConfigEntryState.LOADED
    assert bench.open_lines == 0


async def test_dialogue_that_nobody_ends_gives_the_meter_back(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """The telephone was locked while the probe was aligned."""
    bench.calls = [NoAnswer()]
    bench.called.clear()
    result = await begin(hass, loaded)
    await hass.config_entries.flow.async_configure(result["flow_id"], {**form(), "align": True})
    await bench.until(lambda: bench.identified == 1)
    assert of(loaded) is ConfigEntryState.NOT_LOADED
    freezer.tick(FORGOTTEN_AFTER)
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert of(loaded) is ConfigEntryState.LOADED
    assert hass.config_entries.flow.async_progress() == []


async def test_meter_that_is_removed_meanwhile_stays_removed(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    bench.gate.clear()
    result = await begin(hass, loaded)
    shown = await hass.config_entries.flow.async_configure(result["flow_id"], form())
    await bench.until(lambda: bench.open_lines == 1)
    await hass.config_entries.async_remove(loaded.entry_id)
    bench.gate.set()
    hass.config_entries.flow.async_abort(shown["flow_id"])
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.config_entries.async_entries(DOMAIN) == []
    assert bench.open_lines == 0


@pytest.mark.parametrize(
    "sent",
    [{**HOUSEHOLD, "C.1.0": ["87654321"]}, {"1.8.0": ["1*kWh"]}],
    ids=["other number", "no number"],
)
async def test_other_meter_is_not_taken_for_this_one(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, sent: dict[str, list[str]]
) -> None:
    before = dict(loaded.data)
    bench.answers = [reading(sent)]
    refused = await change(hass, loaded, device=OTHER_PORT)
    assert (refused["type"], refused["reason"]) == (FlowResultType.ABORT, "other_meter")
    assert refused["description_placeholders"]["title"] == loaded.title
    bench.answers = [reading()]
    await hass.async_block_till_done(wait_background_tasks=True)
    assert loaded.data == before
    assert of(loaded) is ConfigEntryState.LOADED
    assert state(hass, "1-0:1.8.0").state == "12345.678"


async def test_meter_without_number_is_moved_too(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    hass.config_entries.async_update_entry(entry, unique_id=None)
    bench.answers = [reading({"1.8.0": ["1*kWh"]}, health=NO_CHECK)]
    await hass.config_entries.async_setup(entry.entry_id)
    done = await change(hass, entry, device=OTHER_PORT)
    assert done["reason"] == "reconfigure_successful"
    assert entry.data["device"] == OTHER_PORT


async def test_own_port_is_not_taken_by_itself(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    """Only another meter there makes a number necessary."""
    assert (await change(hass, loaded, device=PORT))["reason"] == "reconfigure_successful"


async def test_port_of_another_meter(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    other = MockConfigEntry(
        domain=DOMAIN, title="Other", data={"device": OTHER_PORT, "address": ""}
    )
    other.add_to_hass(hass)
    refused = await change(hass, loaded, device=OTHER_PORT)
    assert refused["reason"] == "already_configured"
    assert refused["description_placeholders"] == {"title": "Other"}
    assert of(loaded) is ConfigEntryState.LOADED


async def test_meter_that_is_being_set_up_is_left_alone(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    result = await begin(hass, loaded)
    loaded.mock_state(hass, ConfigEntryState.SETUP_IN_PROGRESS)
    asked = await hass.config_entries.flow.async_configure(result["flow_id"], form())
    assert asked["errors"] == {"base": "setting_up"}
    loaded.mock_state(hass, ConfigEntryState.LOADED)
    assert (await send(hass, asked))["reason"] == "reconfigure_successful"


async def test_meter_that_could_not_be_set_up_is_moved(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    """The reason to change the port is often that the old one leads nowhere."""
    bench.answers = [NoAnswer()]
    await hass.config_entries.async_setup(entry.entry_id)
    assert of(entry) is ConfigEntryState.SETUP_RETRY
    bench.answers = [reading()]
    assert (await change(hass, entry, device=OTHER_PORT))["reason"] == "reconfigure_successful"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert of(entry) is ConfigEntryState.LOADED
    assert hass.states.get(entity_id(hass, "1-0:1.8.0")) is not None


async def test_battery_meter_pays_for_it(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    bench.learned = lambda profile: replace(profile, medium=Medium.HEAT)
    await hass.config_entries.async_setup(entry.entry_id)
    spent = len(entry.runtime_data.coordinator.reader.wake_budget.asked)
    assert (await change(hass, entry, device=OTHER_PORT))["reason"] == "reconfigure_successful"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(entry.runtime_data.coordinator.reader.wake_budget.asked) == spent + 1
    # It is not woken once more by its new set-up.
    assert bench.reads == 2


async def test_probe_is_aligned_before_the_change(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    result = await begin(hass, loaded)
    bench.calls = [OnlyEcho(), OnlyEcho(), IDENTIFICATION]
    shown = await hass.config_entries.flow.async_configure(
        result["flow_id"], {**form(device=OTHER_PORT), "align": True}
    )
    assert of(loaded) is ConfigEntryState.NOT_LOADED
    assert shown["type"] is FlowResultType.SHOW_PROGRESS
    placed = await settled(hass, shown)
    assert placed["step_id"] == "placed"
    assert placed["menu_options"] == ["read", "place", "reconfigure"]
    again: Any = await hass.config_entries.flow.async_configure(
        placed["flow_id"], {"next_step_id": "reconfigure"}
    )
    assert again["step_id"] == "reconfigure"
    # What was entered before is still there.
    suggested = {
        key.schema: key.description["suggested_value"]
        for key in again["data_schema"].schema
        if key.description
    }
    assert suggested["device"] == OTHER_PORT
    done = await send(hass, again)
    assert done["reason"] == "reconfigure_successful"
