"""Meters that push DLMS in Home Assistant: found, opened with their key, shown, and asked for when the key changes."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
import json
from pathlib import Path
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util import dt as dt_util
import pytest

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.diagnostics import async_get_config_entry_diagnostics
from custom_components.iec62056.meter import poller
from custom_components.iec62056.protocol.model import Mode
from simulator import Household, Manners, Meter
from simulator.dlms import push
from simulator.dlms.push import AUTHENTICATION_KEY, KEY, MAKES, PushMeter
from simulator.dlms.things import name
from simulator.dlms.values import octets, struct, u32
from simulator.meter import Content

from ..common.bench import START, state
from ..common.dialogue import through
from ..common.flow_texts import all_checked
from ..common.leap import leaping
from ..common.programmed import URL, wire

KEYS = {"encryption_key": KEY.hex(), "authentication_key": AUTHENTICATION_KEY.hex()}
OTHER = bytes(range(0x40, 0x50))
TITLE = "ISK69740A0B0C"
METER = f"ISK_{TITLE}"


@pytest.fixture(autouse=True)
def _own_folder(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if "hass" in request.fixturenames:
        request.getfixturevalue("hass").config.config_dir = str(tmp_path)


@pytest.fixture(autouse=True)
def _checked() -> Iterator[None]:
    with all_checked():
        yield


def pushing(make: str, **more: Any) -> PushMeter:
    return PushMeter(Household(clock=dt_util.utcnow), MAKES[make], clock=dt_util.utcnow, **more)


def form(mode: str = "auto") -> dict[str, Any]:
    """The first page, filled in."""
    advanced = dict.fromkeys(("speed", "wake_up", "login", "dtr", "rts"), "auto")
    return {
        "device": URL,
        "align": False,
        "advanced": {**advanced, "mode": mode, "bus": False, "stay": False},
    }


async def begin(hass: HomeAssistant) -> Any:
    """The first page after the port was entered."""
    flows = hass.config_entries.flow
    shown = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await through(flows, await flows.async_configure(shown["flow_id"], form()))


async def answer(hass: HomeAssistant, shown: Any, **said: Any) -> Any:
    flows = hass.config_entries.flow
    return await through(flows, await flows.async_configure(shown["flow_id"], said))


async def add(hass: HomeAssistant, shown: Any, *registers: str) -> Any:
    """The entry of what was found."""
    ticked = {"registers": list(registers or ("1-0:1.8.0", "1-0:1.7.0"))}
    made = await hass.config_entries.flow.async_configure(shown["flow_id"], ticked)
    assert made["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    return made["result"]


async def test_a_key_is_asked_for_and_the_meter_read_with_it(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, pushing("optical")) as (_, sent):
            shown = await begin(hass)
            assert shown["step_id"] == "push_key"
            assert shown["description_placeholders"]["make"] == "Iskraemeco"
            assert not shown["errors"]
            asked = len(sent)
            # No key, one of the wrong length, a wrong one.
            for said, reason in (
                ({}, "there is no key"),
                ({"encryption_key": "0011"}, "16 octets"),
                ({"encryption_key": OTHER.hex()}, "no telegram"),
            ):
                shown = await answer(hass, shown, ask=False, **said)
                assert reason in shown["description_placeholders"]["reason"]
                assert (shown["step_id"], shown["errors"]) == ("push_key", {"base": "failed"})
            written = ":".join(f"{octet:02X}" for octet in KEY)
            shown = await answer(hass, shown, ask=False, encryption_key=written)
            assert shown["step_id"] == "found"
            # It only listens.
            assert len(sent) == asked
            entry = await add(hass, shown)
            assert entry.unique_id == METER
            assert entry.data["mode"] is Mode.D
            await asyncio.sleep(30)
            energy = state(hass, "1-0:1.8.0", METER)
            assert float(energy.state) > 7000
            assert energy.attributes["unit_of_measurement"] == "kWh"
            assert energy.attributes["state_class"] == "total_increasing"
            assert len(sent) == asked


async def test_what_is_not_encrypted_is_read_at_once(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, pushing("blocks")):
            shown = await begin(hass)
            assert shown["step_id"] == "found"
            assert shown["description_placeholders"]["make"] == "Landis+Gyr"
            entry = await add(hass, shown)
            assert entry.unique_id == "LGZ_LGZ1030010012345"
            await asyncio.sleep(30)
            assert float(state(hass, "1-0:1.8.0", entry.unique_id).state) > 7000


@pytest.mark.parametrize("make", ["wired", "p1"])
async def test_other_lines(hass: HomeAssistant, make: str) -> None:
    with leaping(START):
        async with wire(hass, pushing(make)):
            shown = await begin(hass)
            assert shown["step_id"] == "push_key"
            shown = await answer(hass, shown, ask=False, **KEYS)
            entry = await add(hass, shown)
            await asyncio.sleep(30)
            assert float(state(hass, "1-0:1.8.0", entry.unique_id).state) > 7000


async def test_the_user_may_have_the_meter_asked(hass: HomeAssistant) -> None:
    with leaping(START):
        pusher = pushing("optical")
        async with wire(hass, pusher) as (_, sent):
            shown = await begin(hass)
            asked = len(sent)
            shown = await answer(hass, shown, ask=True)
            # This one does not answer: the form says so, and no key is asked for again.
            assert shown["step_id"] == "user"
            assert len(sent) > asked


async def test_a_meter_that_answers_is_asked_as_ever(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, Meter(Household(clock=dt_util.utcnow), Manners())):
            shown = await begin(hass)
            assert shown["step_id"].startswith("found")


async def test_values_are_shown_every_ten_seconds(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, pushing("optical")):
            shown = await answer(hass, await begin(hass), ask=False, **KEYS)
            entry = await add(hass, shown)
            await asyncio.sleep(20)
            times = list[datetime]()
            coordinator = entry.runtime_data.coordinator
            coordinator.async_add_listener(lambda: times.append(dt_util.utcnow()))
            await asyncio.sleep(600)
            gaps = [after - before for before, after in pairwise(times)]
            assert 50 < len(times) <= 60
            assert min(gaps) >= timedelta(seconds=9.5)
            # All of them are taken.
            assert dt_util.utcnow() - coordinator.data.received < timedelta(seconds=2)


async def test_totals_that_come_each_hour_stay(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every ten seconds the power alone, twice a list with the totals. The second one makes sensors of them, which stay for a while."""
    monkeypatch.setattr(poller, "HOURLY_AGE", timedelta(minutes=25))

    def by_turns(content: Content, moment: datetime, counter: int) -> list[bytes]:
        if counter in (40, 60):
            return push.blocks(content, moment, counter)
        own = octets(name("0-0:42.0.0")), octets(b"LGZ1030010012345")
        power = octets(name("1.7.0")), u32(counter)
        return push.hdlc(push.notification(struct(*own, *power), moment))

    make = replace(MAKES["blocks"], frames=by_turns)
    with leaping(START):
        async with wire(hass, PushMeter(Household(clock=dt_util.utcnow), make)):
            entry = await add(hass, await begin(hass), "1-0:1.7.0")
            meter = entry.unique_id
            assert "1-0:1.8.0" not in entry.runtime_data.coordinator.data.registers
            await asyncio.sleep(700)
            assert float(state(hass, "1-0:1.8.0", meter).state) > 7000
            # Longer than a meter that sends nothing is believed to be there.
            await asyncio.sleep(1100)
            assert float(state(hass, "1-0:1.8.0", meter).state) > 7000
            await asyncio.sleep(600)
            assert state(hass, "1-0:1.8.0", meter).state == "unknown"
            assert float(state(hass, "1-0:1.7.0", meter).state) > 200


def another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the meter ciphers with another key."""
    real = push.ciphered
    monkeypatch.setattr(push, "ciphered", lambda *a, **more: real(*a, **{**more, "key": OTHER}))


async def test_another_key_is_asked_for_once_the_operator_has_changed_it(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with leaping(START):
        async with wire(hass, pushing("optical")):
            shown = await answer(hass, await begin(hass), ask=False, encryption_key=KEY.hex())
            entry = await add(hass, shown)
            await asyncio.sleep(30)
            assert entry.runtime_data.coordinator.last_update_success
            another_key(monkeypatch)
            await asyncio.sleep(30)
            await hass.async_block_till_done()
            (flow,) = hass.config_entries.flow.async_progress()
            assert flow["context"]["source"] == SOURCE_REAUTH
            assert flow["step_id"] == "reauth_push"
            shown = await answer(hass, flow, encryption_key="no key")
            assert shown["errors"] == {"base": "failed"}
            shown = await answer(hass, shown, encryption_key=KEY.hex())
            assert (shown["step_id"], shown["errors"]) == ("reauth_push", {"base": "failed"})
            shown = await answer(hass, shown, encryption_key=OTHER.hex())
            assert shown["reason"] == "key_fits"
            await hass.async_block_till_done()
            await asyncio.sleep(30)
            assert entry.runtime_data.coordinator.last_update_success
            assert entry.data["encryption_key"] == OTHER.hex()
            assert entry.unique_id == METER


async def test_a_key_that_fits_again_is_asked_for_no_more(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with leaping(START):
        async with wire(hass, pushing("optical")):
            shown = await answer(hass, await begin(hass), ask=False, encryption_key=KEY.hex())
            entry = await add(hass, shown)
            await asyncio.sleep(30)
            with monkeypatch.context() as changed:
                another_key(changed)
                await asyncio.sleep(30)
                assert len(hass.config_entries.flow.async_progress()) == 1
            await asyncio.sleep(600)
            assert hass.config_entries.flow.async_progress() == []
            assert entry.runtime_data.coordinator.last_update_success


async def test_a_key_is_asked_for_once_the_operator_has_one(hass: HomeAssistant) -> None:
    encrypted = list[bool]()

    def frames(content: Content, moment: datetime, counter: int) -> list[bytes]:
        own = octets(name("0-0:42.0.0")), octets(b"LGZ1030010012345")
        listed = struct(*own, octets(name("1.8.0")), u32(7_000_000 + counter))
        plain = push.notification(listed, moment)
        return push.hdlc(push.ciphered(plain, b"LGZabcde", counter) if encrypted else plain)

    with leaping(START):
        async with wire(hass, PushMeter(Household(), replace(MAKES["optical"], frames=frames))):
            entry = await add(hass, await begin(hass), "1-0:1.8.0")
            assert "mode" not in entry.data
            await asyncio.sleep(30)
            encrypted.append(True)
            await asyncio.sleep(30)
            await hass.async_block_till_done()
            (flow,) = hass.config_entries.flow.async_progress()
            assert flow["step_id"] == "reauth_push"
            shown = await answer(hass, flow, encryption_key=KEY.hex())
            assert shown["reason"] == "key_fits"
            await hass.async_block_till_done()
            await asyncio.sleep(30)
            coordinator = entry.runtime_data.coordinator
            assert coordinator.last_update_success
            # It is the same meter: its number is the one it told before.
            assert coordinator.data.identity.number == "LGZ1030010012345"
            assert not coordinator.replacement_open


async def test_another_port_needs_no_key_again(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, pushing("optical")):
            shown = await answer(hass, await begin(hass), ask=False, **KEYS)
            entry = await add(hass, shown)
            await asyncio.sleep(20)
            before = dict(entry.data)
            flows = hass.config_entries.flow
            shown = await flows.async_init(
                DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
            )
            shown = await through(
                flows, await flows.async_configure(shown["flow_id"], form(mode="d"))
            )
            assert shown["reason"] == "reconfigure_successful"
            await hass.async_block_till_done()
            assert entry.data == before
            await asyncio.sleep(20)
            assert entry.runtime_data.coordinator.last_update_success


@pytest.mark.parametrize(
    ("make", "naming"),
    [
        ("optical", b"ISK\x69\x74\x0a\x0b\x0c"),
        ("wired", b"KFM\x67\x50\x01\x02\x03"),
        ("wired", b"100123450007"),
        ("blocks", b"LGZ1030010012345"),
        ("blocks", b"10012345"),
        ("p1", b"SAG\x67\x70\x07\x08\x09"),
        ("p1", b"253000001"),
    ],
)
async def test_nothing_names_the_meter_or_its_key(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, make: str, naming: bytes
) -> None:
    caplog.set_level("DEBUG")
    with leaping(START):
        async with wire(hass, pushing(make)):
            shown = await begin(hass)
            if shown["step_id"] == "push_key":
                shown = await answer(hass, shown, ask=False, **KEYS)
            entry = await add(hass, shown)
            await asyncio.sleep(30)
            found = json.dumps(await async_get_config_entry_diagnostics(hass, entry), default=str)
            telegram = await hass.services.async_call(
                DOMAIN,
                "raw_telegram",
                {"config_entry_id": entry.entry_id},
                blocking=True,
                return_response=True,
            )
    assert json.loads(found)["last_good_session"]["runs"]
    number = entry.unique_id.partition("_")[2]
    for text in (found, json.dumps(telegram)):
        assert number not in text
        for one in (KEY, AUTHENTICATION_KEY, naming):
            for written in (one.hex(), one.hex().upper(), one.hex(" "), repr(one)[2:-1]):
                assert written not in text
    for key in (KEY, AUTHENTICATION_KEY):
        assert key.hex() not in caplog.text.lower()
        assert repr(key)[2:-1] not in caplog.text
