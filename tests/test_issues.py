"""What the user is told of a line, and what mends it."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056 import issues
from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.errors import (
    CheckWrong,
    ConnectionRefused,
    MeterError,
    NoAnswer,
    OtherProtocol,
    PortBusy,
    PortMissing,
)
from custom_components.iec62056.protocol.model import CheckKind, LineProfile, Medium
from custom_components.iec62056.state.meter_state import MeterState

from .common.bench import OTHER_PORT, START, Bench, later, reading
from .common.heat import fire, heat_entry
from .common.replacement import questions
from .common.stored_file import file_of, stored

HOUR = 60
DAY = 24 * HOUR


def told(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, ir.IssueEntry]:
    """The notices about a meter, by their kind."""
    return {
        issue.translation_key or "": issue
        for (domain, issue_id), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN and issue_id.startswith(entry.entry_id) and issue.active
    }


async def fail(entry: MockConfigEntry, bench: Bench, err: MeterError, *, opens: bool) -> None:
    bench.answers = [err]
    bench.open_error = None if opens else err
    await entry.runtime_data.coordinator.async_refresh()
    bench.open_error = None


async def test_other_protocol_is_told_until_the_meter_is_back(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    await fail(loaded, bench, OtherProtocol(protocol="SML", integration="EDL21"), opens=True)
    [(kind, issue)] = told(hass, loaded).items()
    assert (kind, issue.is_fixable) == (issues.PROTOCOL, False)
    assert issue.translation_placeholders == {
        "title": loaded.title,
        "protocol": "SML",
        "integration": "EDL21",
    }
    freezer.move_to(later(2))
    bench.answers = [reading(at=later(2))]
    await loaded.runtime_data.coordinator.async_refresh()
    assert not told(hass, loaded)


@pytest.mark.parametrize(
    ("err", "minutes", "expected"),
    [
        (PortMissing(port="x"), DAY + HOUR, {issues.PORT_GONE}),
        (ConnectionRefused(port="x"), DAY + HOUR, {issues.PORT_GONE}),
        (PortMissing(port="x"), DAY - 1, set()),
        # Another program has it, or the meter is silent: another port would not help.
        (PortBusy(port="x"), DAY + HOUR, set()),
        (NoAnswer(), DAY + HOUR, set()),
    ],
)
async def test_port_that_is_gone_for_long(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    *,
    err: MeterError,
    minutes: int,
    expected: set[str],
) -> None:
    freezer.move_to(later(minutes))
    await fail(loaded, bench, err, opens=isinstance(err, NoAnswer))
    assert set(told(hass, loaded)) == expected


async def test_notice_is_there_again_after_a_start_and_goes_with_the_meter(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(START + timedelta(days=2))
    await hass.config_entries.async_unload(loaded.entry_id)
    issues.async_withdraw_notices(hass, loaded, LineProfile())
    bench.open_error = PortMissing(port="x")
    await hass.config_entries.async_setup(loaded.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert set(told(hass, loaded)) == {issues.PORT_GONE}
    await hass.config_entries.async_remove(loaded.entry_id)
    assert not told(hass, loaded)


async def test_port_is_chosen_in_the_notice(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    freezer.move_to(later(DAY + HOUR))
    await fail(loaded, bench, PortMissing(port="x"), opens=False)
    issue = told(hass, loaded)[issues.PORT_GONE]
    flows = repairs_flow_manager(hass)
    assert flows is not None
    form = await flows.async_init(DOMAIN, data={"issue_id": issue.issue_id})
    assert form["step_id"] == "init"
    placeholders = form["description_placeholders"]
    assert placeholders is not None
    assert "does not exist" in placeholders["reason"]
    bench.answers = [reading(at=later(DAY + HOUR))]
    with patch(
        "custom_components.iec62056.meter.ports.async_lasting_name",
        return_value=f"{OTHER_PORT}-by-id",
    ):
        ended = await flows.async_configure(form["flow_id"], {"device": OTHER_PORT})
    assert ended["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert loaded.data["device"] == f"{OTHER_PORT}-by-id"
    assert bench.lines[-1].name == f"{OTHER_PORT}-by-id"
    assert not told(hass, loaded)


async def test_question_is_asked_before_it_is_answered(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    """Home Assistant begins each dialogue with the name of the issue: that is no answer."""
    assert await async_setup_component(hass, "repairs", {})
    wrong = CheckWrong()
    wrong.shape = b"1.8.0(000000.000*kWh)"
    for _ in range(3):
        await fail(loaded, bench, wrong, opens=True)
    kind = loaded.runtime_data.coordinator.reader.line_profile.check_kind
    flows = repairs_flow_manager(hass)
    assert flows is not None
    form = await flows.async_init(DOMAIN, data={"issue_id": f"check_{loaded.entry_id}"})
    assert form["type"] is FlowResultType.FORM
    assert loaded.runtime_data.coordinator.reader.line_profile.check_kind is kind
    await flows.async_configure(form["flow_id"], {})
    assert loaded.runtime_data.coordinator.reader.line_profile.check_kind is CheckKind.NONE


async def test_port_of_a_meter_that_is_read_daily_is_not_gone_for_a_day_at_the_first_failure(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any], freezer: FrozenDateTimeFactory
) -> None:
    entry = heat_entry(hass)
    bench.learned = lambda profile: profile
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), LineProfile(medium=Medium.HEAT)))
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    bench.open_error = PortMissing(port="x")
    await fire(hass, freezer, DAY + 1)
    assert not entry.runtime_data.coordinator.last_update_success
    assert not told(hass, entry)
    await fire(hass, freezer, 2 * DAY + HOUR)
    assert set(told(hass, entry)) == {issues.PORT_GONE}


async def test_question_goes_with_its_meter_and_comes_back_with_it(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    wrong = CheckWrong()
    wrong.shape = b"1.8.0(000000.000*kWh)"
    for _ in range(3):
        await fail(loaded, bench, wrong, opens=True)
    assert questions(hass) == ["check"]
    await hass.config_entries.async_unload(loaded.entry_id)
    assert questions(hass) == []


async def test_answer_about_a_meter_that_was_switched_off_meanwhile(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    wrong = CheckWrong()
    wrong.shape = b"1.8.0(000000.000*kWh)"
    for _ in range(3):
        await fail(loaded, bench, wrong, opens=True)
    flows = repairs_flow_manager(hass)
    assert flows is not None
    form = await flows.async_init(DOMAIN, data={"issue_id": f"check_{loaded.entry_id}"})
    await hass.config_entries.async_unload(loaded.entry_id)
    ended = await flows.async_configure(form["flow_id"], {})
    assert (ended["type"], ended["reason"]) == (FlowResultType.ABORT, "not_set_up")


@pytest.mark.parametrize(
    ("sent", "proposed"),
    [
        ({"7-0:3.0.0": ["00123.4*m3"]}, True),
        ({"8-0:1.0.0": ["00123.4*m3"], "0.0.0": ["34567812"]}, True),
        ({"7-0:3.0.0": ["00123.4*m3"], "1-0:1.8.0": ["1*kWh"]}, False),
    ],
)
async def test_battery_is_proposed_to_a_meter_added_as_one_of_electricity(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    hass_storage: dict[str, Any],
    *,
    sent: dict[str, list[str]],
    proposed: bool,
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    hass.config_entries.async_update_entry(entry, options={"interval": 60, "amperes": 35})
    known = MeterState.of(reading(sent), LineProfile(medium=Medium.ELECTRICITY))
    hass_storage[file_of(entry)] = stored(known)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    # It keeps its rhythm until the user says otherwise.
    assert entry.runtime_data.coordinator.interval == timedelta(minutes=1)
    assert set(told(hass, entry)) == ({issues.BATTERY} if proposed else set())
    if not proposed:
        return
    await entry.runtime_data.coordinator.async_refresh()
    flows = repairs_flow_manager(hass)
    assert flows is not None
    issue = told(hass, entry)[issues.BATTERY]
    form = await flows.async_init(DOMAIN, data={"issue_id": issue.issue_id})
    ended = await flows.async_configure(form["flow_id"], {})
    assert ended["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.options == {"interval": 60, "amperes": 35, "aligned": "before"}
    assert entry.runtime_data.coordinator.interval == timedelta(days=1)
    assert not told(hass, entry)
