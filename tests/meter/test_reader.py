"""Passwords, single registers and changes, at a meter in memory, and everything that leaves towards it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
import json
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import Context, Event, HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_capture_events,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.diagnostics import async_get_config_entry_diagnostics
from custom_components.iec62056.meter import connection
from custom_components.iec62056.protocol.model import Medium, Mode
from custom_components.iec62056.services.registers import EVENT_CHANGED
from simulator import Cell, Guard, Kind

from ..common.bench import START, state
from ..common.dialogue import through
from ..common.flow_texts import all_checked
from ..common.leap import leaping
from ..common.programmed import (
    SECRET,
    SERIAL,
    URL,
    WRONG,
    changes,
    entry_of,
    meter,
    programming,
    proofs,
    wire,
)

METER = f"LGZ_{SERIAL}"
CHANGING: dict[str, dict[str, Any]] = {
    "write_register": {"code": "C.1.9", "value": "Point 2"},
    "execute": {"code": "0.1.0", "value": "1"},
    "set_clock": {},
}
ALLOWED: dict[str, Any] = {
    "write": ["C.1.9", "0.4.9"],
    "execute": ["0.1.0"],
    "set_clock": True,
}


async def load(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


async def act(
    hass: HomeAssistant, entry: MockConfigEntry, action: str, *, by: Context | None, **data: Any
) -> Any:
    return await hass.services.async_call(
        DOMAIN,
        action,
        {"config_entry_id": entry.entry_id, **data},
        blocking=True,
        return_response=True,
        context=by,
    )


@pytest.fixture
def admin(hass_admin_user: MockUser) -> Context:
    return Context(user_id=hass_admin_user.id)


def asked_again(hass: HomeAssistant) -> list[Any]:
    return [
        flow
        for flow in hass.config_entries.flow.async_progress()
        if flow["context"]["source"] == SOURCE_REAUTH
    ]


# Registers that only an open session has


async def test_added_registers_are_sensors(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, meter()) as (memory, sent):
            entry = entry_of(
                hass,
                data={"password": SECRET},
                options={"extra": ["0.4.2", "32.7.0", "9.9.9"], "registers": {"1-0:0.4.2": True}},
            )
            await load(hass, entry)
            assert float(state(hass, "1-0:32.7.0", METER).state) == 230.1
            assert state(hass, "1-0:0.4.2", METER).state == "50"
            assert len(proofs(sent)) == 1
            assert len(memory.log.of(Kind.LOGGED_IN)) == 1
            # One turn on the line for the readout and all of them.
            assert memory.opened == 1
            assert not asked_again(hass)


async def test_without_a_stored_password_no_proof_leaves(
    hass: HomeAssistant, admin: Context
) -> None:
    with leaping(START):
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(hass, options={"extra": ["0.4.2", "32.7.0"], **ALLOWED})
            await load(hass, entry)
            answers = await act(
                hass, entry, "read_registers", by=admin, codes=["0.4.2"], levels=True
            )
            (register,) = answers["meters"][0]["registers"]
            assert register["refused"] == "password_needed"
            for action, said in CHANGING.items():
                try:
                    await act(hass, entry, action, by=admin, **said)
                except HomeAssistantError:
                    continue
            assert float(state(hass, "1-0:32.7.0", METER).state) == 230.1
            assert not proofs(sent)


# A refused password


async def test_wrong_password_is_tried_once_and_the_readout_goes_on(hass: HomeAssistant) -> None:
    """Neither the next reading, a reload, nor a second entry of this meter tries it again."""
    with leaping(START):
        async with wire(hass, meter()) as (memory, sent):
            options = {"extra": ["0.4.2", "32.7.0"]}
            entry = entry_of(hass, data={"password": WRONG}, options=options)
            await load(hass, entry)
            assert float(state(hass, "1-0:1.8.0", METER).state) > 1000
            assert float(state(hass, "1-0:32.7.0", METER).state) == 230.1
            assert len(proofs(sent)) == 1
            assert len(asked_again(hass)) == 1
            await entry.runtime_data.coordinator.async_refresh()
            assert entry.runtime_data.coordinator.last_update_success
            assert await hass.config_entries.async_reload(entry.entry_id)
            await entry.runtime_data.coordinator.async_refresh()
            await hass.config_entries.async_remove(entry.entry_id)
            again = entry_of(hass, data={"password": WRONG}, options=options)
            await load(hass, again)
            await again.runtime_data.coordinator.async_refresh()
            assert len(proofs(sent)) == 1
            assert len(memory.log.of(Kind.WRONG_PASSWORD)) == 1
            assert len(asked_again(hass)) == 1


@pytest.mark.parametrize("code", [SECRET, WRONG])
async def test_code_of_a_lock_is_a_password(
    hass: HomeAssistant, hass_storage: dict[str, Any], code: str
) -> None:
    """It is tried once, what became of it is kept, and it opens nothing but its lock."""
    mode = programming(locks={"4:171.0": SECRET})
    with leaping(START):
        async with wire(hass, meter(mode=mode, flag="Els", model="EK270")) as (memory, sent):
            entry = entry_of(hass, data={"password": code}, options={"extra": ["0.4.2"]})
            await load(hass, entry)
            await entry.runtime_data.coordinator.async_refresh()
            tried = hass_storage[f"iec62056.{entry.entry_id}.login"]["data"]
            right = code == SECRET
            assert tried["outcome"] == ("accepted" if right else "refused")
            assert len(memory.log.of(Kind.WRONG_PASSWORD)) == (not right)
            assert len(asked_again(hass)) == (not right)
            # Each session opens the lock again, where it opens.
            assert len(changes(sent)) == 1 + right
            assert {one[1:-1] for one in changes(sent)} == {f"W1\x024:171.0({code})\x03".encode()}
            assert not proofs(sent)
            session = entry.runtime_data.coordinator.reader.history.last_good
            assert session is not None
            assert code not in session.trace.as_text()


async def test_a_try_that_was_cut_short_counts(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """What is on disk before a password leaves for the first time says that it has left."""
    with leaping(START):
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(hass, data={"password": SECRET}, options={"extra": ["0.4.2"]})
            seen: list[str] = []
            sent.looked_at_by = lambda data: (
                seen.append(hass_storage[f"iec62056.{entry.entry_id}.login"]["data"]["outcome"])
                if data.startswith(b"\x01P")
                else None
            )
            await load(hass, entry)
            assert seen == ["unanswered"]
            now = hass_storage[f"iec62056.{entry.entry_id}.login"]["data"]
            assert now["outcome"] == "accepted"


async def test_reauth_tries_once_and_says_what_the_meter_said(hass: HomeAssistant) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter()) as (memory, sent):
            entry = entry_of(hass, data={"password": WRONG}, options={"extra": ["0.4.2"]})
            await load(hass, entry)
            flow = hass.config_entries.flow
            (asked,) = asked_again(hass)
            shown = await flow.async_configure(asked["flow_id"])
            assert shown["step_id"] == "reauth_confirm"
            placeholders = shown["description_placeholders"] or {}
            assert "refused the password on 2026-11-22" in placeholders["lockout"]
            assert WRONG not in json.dumps(placeholders)
            # The same one is not even sent; another wrong one is, once.
            result = await flow.async_configure(
                asked["flow_id"], {"password": WRONG, "login": "auto"}
            )
            result = await through(flow, result)
            assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_accepted")
            assert len(proofs(sent)) == 1
            shown = await entry.start_reauth_flow(hass)
            result = await flow.async_configure(
                shown["flow_id"], {"password": "99999999", "login": "auto"}
            )
            result = await through(flow, result)
            assert result["reason"] == "not_accepted"
            assert len(proofs(sent)) == 2
            assert entry.data["password"] == WRONG
            shown = await entry.start_reauth_flow(hass)
            result = await flow.async_configure(
                shown["flow_id"], {"password": SECRET, "login": "auto"}
            )
            result = await through(flow, result)
            assert result["reason"] == "reauth_successful"
            await hass.async_block_till_done()
            assert entry.data["password"] == SECRET
            assert len(memory.log.of(Kind.LOGGED_IN)) == 1
            await entry.runtime_data.coordinator.async_refresh()
            assert "0.4.2" in {
                one.register.address
                for one in entry.runtime_data.coordinator.data.registers.values()
            }


async def test_reauth_keeps_its_page_where_nothing_was_tried(hass: HomeAssistant) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(hass)
            await load(hass, entry)
            shown = await entry.start_reauth_flow(hass)
            flow = hass.config_entries.flow
            shown = await flow.async_configure(
                shown["flow_id"], {"password": "a(b)", "login": "auto"}
            )
            shown = await through(flow, shown)
            assert shown["errors"] == {"base": "failed"}
            assert not proofs(sent)


async def test_locked_meter_is_left_alone_for_a_day(hass: HomeAssistant) -> None:
    mode = programming()
    mode.wrong, mode.locked_until = 3, 1e9
    with leaping(START) as clock:
        async with wire(hass, meter(mode=mode)) as (_, sent):
            entry = entry_of(hass, data={"password": SECRET}, options={"extra": ["0.4.2"]})
            await load(hass, entry)
            await entry.runtime_data.coordinator.async_refresh()
            assert len(proofs(sent)) == 1
            assert entry.runtime_data.reader.login.refused.outcome == "locked"
            mode.wrong, mode.locked_until = 0, 0.0
            clock.now += timedelta(hours=25).total_seconds()
            await entry.runtime_data.coordinator.async_refresh()
            assert len(proofs(sent)) > 1
            assert entry.runtime_data.coordinator.reader.login.refused is None


# Changes


@pytest.mark.parametrize("action", CHANGING)
async def test_without_the_option_nothing_leaves(
    hass: HomeAssistant, admin: Context, action: str
) -> None:
    """The option that is missing is named, and the port is not even opened."""
    with leaping(START):
        async with wire(hass, meter()) as (memory, sent):
            everything_else = {
                **{name: one for name, one in ALLOWED.items() if name not in NEEDED[action]},
                "automations": True,
            }
            entry = entry_of(hass, data={"password": SECRET}, options=everything_else)
            await load(hass, entry)
            opened = memory.opened
            with pytest.raises(ServiceValidationError) as refused:
                await act(hass, entry, action, by=admin, **CHANGING[action])
            assert refused.value.translation_key == f"{NEEDED[action][1]}_off"
            assert memory.opened == opened
            assert not changes(sent)


NEEDED = {
    "write_register": ("write", "write"),
    "execute": ("execute", "execute"),
    "set_clock": ("set_clock", "clock"),
}


@pytest.mark.parametrize("action", CHANGING)
async def test_automations_need_an_option_of_their_own(hass: HomeAssistant, action: str) -> None:
    with leaping(START):
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(hass, data={"password": SECRET}, options=ALLOWED)
            await load(hass, entry)
            with pytest.raises(ServiceValidationError) as refused:
                await act(hass, entry, action, by=None, **CHANGING[action])
            assert refused.value.translation_key == "automations_off"
            assert not changes(sent)


@pytest.mark.parametrize("action", [*CHANGING, "read_registers"])
async def test_only_administrators(
    hass: HomeAssistant, hass_read_only_user: MockUser, action: str
) -> None:
    with leaping(START):
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(hass, options={**ALLOWED, "automations": True})
            await load(hass, entry)
            before = len(sent)
            said = CHANGING.get(action, {"codes": ["1.8.0"]})
            with pytest.raises(Unauthorized):
                await act(hass, entry, action, by=Context(user_id=hass_read_only_user.id), **said)
            assert len(sent) == before


HOSTILE = [
    "0.4.2",
    "C.1.9)(x",
    "C.1.9\x03\x01W1\x020.4.2(1)",
    "W1 0.4.2",
    "E2 C.1.9",
    "c.1.9",
    " C.1.9",
    "C.1.9*1",
    "",
    "W9 C.1.9",
    "P1 C.1.9",
    "C" * 500,
    "C.1.9\u0661",
]


async def test_hostile_codes_change_nothing(hass: HomeAssistant, admin: Context) -> None:
    with leaping(START):
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(
                hass, data={"password": SECRET}, options={"write": ["C.1.9"], "execute": ["0.1.0"]}
            )
            await load(hass, entry)
            for code in HOSTILE:
                for action in ("write_register", "execute"):
                    with pytest.raises(HomeAssistantError):
                        await act(hass, entry, action, by=admin, code=code, value="1")
            for value in (")\x03\x01W1\x020.4.2(1", "x" * 1000, "\x06", "ä"):
                with pytest.raises(HomeAssistantError):
                    await act(hass, entry, "write_register", by=admin, code="C.1.9", value=value)
            for code in HOSTILE:
                await act(hass, entry, "read_registers", by=admin, codes=[code or "?"])
            assert not changes(sent)


async def test_write_is_read_back_and_noted(
    hass: HomeAssistant, admin: Context, hass_admin_user: MockUser
) -> None:
    with leaping(START):
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(hass, data={"password": SECRET}, options=ALLOWED)
            await load(hass, entry)
            events = async_capture_events(hass, EVENT_CHANGED)
            result = await act(
                hass, entry, "write_register", by=admin, code="C.1.9", value="Point 2"
            )
            assert result["result"] == "confirmed"
            assert result["before"] == [{"value": "Point 1", "unit": None}]
            assert result["after"] == [{"value": "Point 2", "unit": None}]
            (event,) = events
            assert event.context.user_id == hass_admin_user.id
            assert (event.data["code"], event.data["result"]) == ("C.1.9", "confirmed")
            assert "Point 2" not in json.dumps(event.data)
            assert len(changes(sent)) == 1


async def test_what_the_seal_protects_is_refused_by_the_meter(
    hass: HomeAssistant, admin: Context
) -> None:
    with leaping(START):
        async with wire(hass, meter()):
            entry = entry_of(hass, data={"password": SECRET}, options=ALLOWED)
            await load(hass, entry)
            said = {"code": "0.4.9", "value": "1.0000"}
            result = await act(hass, entry, "write_register", by=admin, **said)
            assert result["result"] == "refused"
            assert "seal" in result["reason"]
            # Whoever does not look at the answer hears of it all the same.
            with pytest.raises(HomeAssistantError) as refused:
                await hass.services.async_call(
                    DOMAIN,
                    "write_register",
                    {"config_entry_id": entry.entry_id, **said},
                    blocking=True,
                    context=admin,
                )
            assert refused.value.translation_key == "access_failed"


async def test_what_may_be_seen_at_which_level(hass: HomeAssistant, admin: Context) -> None:
    with leaping(START):
        async with wire(hass, meter()):
            entry = entry_of(hass, data={"password": SECRET})
            await load(hass, entry)
            answers = await act(
                hass,
                entry,
                "read_registers",
                by=admin,
                codes=["32.7.0", "0.4.2", "9.9.9"],
                levels=True,
            )
            found = {one["code"]: one for one in answers["meters"][0]["registers"]}
            assert found["32.7.0"]["level"] == "open"
            assert found["0.4.2"]["level"] == "password"
            assert found["0.4.2"]["values"] == [{"value": "050", "unit": "A"}]
            assert found["9.9.9"]["refused"] == "unknown_register"


# Where a password must never be


async def test_the_password_is_nowhere_but_in_the_entry(
    hass: HomeAssistant,
    admin: Context,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Everything the integration has written, with a right password and with a wrong one."""
    caplog.set_level("DEBUG")
    events: list[str] = []

    @callback
    def note(event: Event) -> None:
        events.append(repr(event.data))

    with leaping(START):
        async with wire(hass, meter()):
            hass.bus.async_listen("*", note)
            written = []
            for secret in (SECRET, WRONG):
                entry = entry_of(
                    hass,
                    data={"password": secret},
                    options={"extra": ["0.4.2", "32.7.0"], **ALLOWED},
                )
                await load(hass, entry)
                for action, said in CHANGING.items():
                    try:
                        written.append(repr(await act(hass, entry, action, by=admin, **said)))
                    except HomeAssistantError as err:
                        written.append(repr((err, err.translation_placeholders)))
                written.append(repr(await async_get_config_entry_diagnostics(hass, entry)))
                trace = entry.runtime_data.reader.history._trace
                written.append(repr([bytes(c & 0x7F for c in run.data) for run in trace.runs]))
                await entry.runtime_data.coordinator.record.async_save_now()
                await hass.config_entries.async_remove(entry.entry_id)
            written += [repr(one.as_dict()) for one in hass.states.async_all()]
            written += [repr(one) for one in ir.async_get(hass).issues.values()]
            written += [
                json.dumps(one) for name, one in hass_storage.items() if name.startswith(DOMAIN)
            ]
            ours = [record.getMessage() for record in caplog.records if DOMAIN in record.name]
            for secret in (SECRET, WRONG):
                for forms in (secret, secret.encode().hex()):
                    assert not [one for one in (*written, *events, *ours) if forms in one]


# The clock


async def test_clock_is_set_only_where_it_is_off(hass: HomeAssistant, admin: Context) -> None:
    mode = programming()
    await hass.config.async_set_time_zone("UTC")
    with leaping(START):
        async with wire(hass, meter(mode=mode)) as (_, sent):
            mode.cells["0.9.2"] = Cell("(26-11-22)", write=Guard.PASSWORD)
            mode.cells["0.9.1"] = Cell("(12:00:03)", write=Guard.PASSWORD)
            entry = entry_of(hass, data={"password": SECRET}, options={"set_clock": True})
            await load(hass, entry)
            events = async_capture_events(hass, EVENT_CHANGED)
            right = await act(hass, entry, "set_clock", by=admin, limit=60)
            assert right["result"] == "right"
            assert abs(right["ahead"]) <= 10
            assert not changes(sent)
            assert not events
            mode.cells["0.9.1"] = Cell("(14:30:00)", write=Guard.PASSWORD)
            result = await act(hass, entry, "set_clock", by=admin, limit=60)
            assert result["ahead"] > 8000
            assert result["code"] == "0.9.1"
            (change,) = changes(sent)
            assert b"0.9.1(12:00:" in change
            assert [event.data["action"] for event in events] == ["set_clock"]
            # A form that nobody knows is left alone.
            mode.cells["0.9.1"] = Cell("(noon)", write=Guard.PASSWORD)
            with pytest.raises(HomeAssistantError) as unknown:
                await act(hass, entry, "set_clock", by=admin)
            assert "form is not known" in str(unknown.value.translation_placeholders)
            assert len(changes(sent)) == 1


async def test_one_meter_at_a_time(hass: HomeAssistant, admin: Context) -> None:
    with leaping(START):
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(hass, options=ALLOWED)
            await load(hass, entry)
            other = entry_of(hass, "88003344", options=ALLOWED)
            await load(hass, other)
            with pytest.raises(ServiceValidationError) as refused:
                await hass.services.async_call(
                    DOMAIN,
                    "write_register",
                    {"config_entry_id": [entry.entry_id, other.entry_id], "code": "C.1.9"},
                    blocking=True,
                    context=admin,
                )
            assert refused.value.translation_key == "one_meter"
            assert not changes(sent)


# A battery


async def test_a_battery_is_asked_first(hass: HomeAssistant, admin: Context) -> None:
    """The day's second wake-up is the last: then the port is not even opened."""
    with leaping(START):
        async with wire(hass, meter()) as (memory, _):
            entry = entry_of(hass, options=ALLOWED)
            await load(hass, entry)
            coordinator = entry.runtime_data.coordinator
            coordinator.reader.line_profile = replace(
                coordinator.reader.line_profile, medium=Medium.HEAT
            )
            await act(hass, entry, "read_registers", by=admin, codes=["32.7.0"])
            assert coordinator.reader.wake_budget.spent(dt_util.utcnow()) == 1
            opened = memory.opened
            for action, said in {**CHANGING, "read_registers": {"codes": ["1.8.0"]}}.items():
                with pytest.raises(ServiceValidationError) as refused:
                    await act(hass, entry, action, by=admin, **said)
                assert refused.value.translation_key == "budget_spent"
            assert memory.opened == opened


async def test_a_meter_that_sends_by_itself_is_not_asked(
    hass: HomeAssistant, admin: Context
) -> None:
    """Its line is never free: whoever waited for it would wait for ever."""
    with leaping(START):
        async with wire(hass, meter()):
            entry = entry_of(hass, options=ALLOWED)
            await load(hass, entry)
            coordinator = entry.runtime_data.coordinator
            coordinator.reader.line_profile = replace(coordinator.reader.line_profile, mode=Mode.D)
            with pytest.raises(HomeAssistantError) as refused:
                await act(hass, entry, "read_registers", by=admin, codes=["32.7.0"])
            assert refused.value.translation_key == "access_failed"


async def waiting_for_the_line(
    hass: HomeAssistant, entry: MockConfigEntry, by: Context
) -> asyncio.Task[Any]:
    asked = act(hass, entry, "read_registers", by=by, codes=["32.7.0"])
    task = hass.async_create_task(asked)
    await asyncio.sleep(1)
    return task


@pytest.mark.parametrize("medium", [Medium.ELECTRICITY, Medium.HEAT])
async def test_an_action_that_waits_for_the_line_ends_with_its_entry(
    hass: HomeAssistant, hass_storage: dict[str, Any], admin: Context, medium: Medium
) -> None:
    """The meter is removed meanwhile: nothing is sent to it any more, and its file stays deleted."""
    with leaping(START):
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(hass)
            await load(hass, entry)
            coordinator = entry.runtime_data.coordinator
            coordinator.reader.line_profile = replace(
                coordinator.reader.line_profile, medium=medium
            )
            async with connection.acquire_line(hass, URL):
                task = await waiting_for_the_line(hass, entry, admin)
                await hass.config_entries.async_remove(entry.entry_id)
                before = len(sent)
            with pytest.raises(ServiceValidationError) as ended:
                await task
            assert ended.value.translation_key == "not_set_up"
            await asyncio.sleep(20)
            assert len(sent) == before
            assert f"{DOMAIN}.{entry.entry_id}" not in hass_storage


async def test_an_action_that_waits_for_the_line_ends_with_a_reload(
    hass: HomeAssistant, admin: Context
) -> None:
    """What it would write down belongs to the meter that is set up now."""
    with leaping(START):
        async with wire(hass, meter()):
            entry = entry_of(hass)
            await load(hass, entry)
            async with connection.acquire_line(hass, URL):
                task = await waiting_for_the_line(hass, entry, admin)
                await hass.config_entries.async_reload(entry.entry_id)
            with pytest.raises(ServiceValidationError) as ended:
                await task
            assert ended.value.translation_key == "not_set_up"
            await act(hass, entry, "read_registers", by=admin, codes=["32.7.0"])


async def test_reauth_page_of_a_battery_that_is_to_be_left_alone(hass: HomeAssistant) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter()) as (_, sent):
            entry = entry_of(hass)
            await load(hass, entry)
            coordinator = entry.runtime_data.coordinator
            coordinator.reader.line_profile = replace(
                coordinator.reader.line_profile, medium=Medium.HEAT
            )
            while await coordinator.reader.async_spend_wake_up():
                pass
            shown = await entry.start_reauth_flow(hass)
            flow = hass.config_entries.flow
            shown = await flow.async_configure(
                shown["flow_id"], {"password": SECRET, "login": "auto"}
            )
            shown = await through(flow, shown)
            assert shown["errors"] == {"base": "failed"}
            assert "battery" in shown["description_placeholders"]["reason"]
            assert not proofs(sent)
