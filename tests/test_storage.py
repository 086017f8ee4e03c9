"""What survives a restart, and how readings join what was known."""

import copy
from dataclasses import replace
from datetime import UTC, timedelta
import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from homeassistant.util.file import WriteError
from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter.schedule import interval_of
from custom_components.iec62056.protocol.codec import CodecError, decode, encode
from custom_components.iec62056.protocol.dlms.object_cache import ObjectCache
from custom_components.iec62056.protocol.model import CheckKind, LineProfile, Medium, Mode, Obis
from custom_components.iec62056.registers.descriptions import describe
from custom_components.iec62056.registers.matching import context_of
from custom_components.iec62056.registers.values import native
from custom_components.iec62056.state.meter_state import (
    MOST_REGISTERS,
    MOST_TELEGRAM_BYTES,
    MeterState,
)
from custom_components.iec62056.storage import (
    MINOR_VERSION,
    First,
    MeterStore,
    Stored,
    async_hand_over,
    async_take_over,
)

from .common.bench import GOOD_HEALTH, Bench, joined, later, reading, register, values

PROFILE = LineProfile(
    address="12",
    mode=Mode.C,
    check_kind=CheckKind.XOR,
    medium=Medium.ELECTRICITY,
)


def kept() -> MeterState:
    return MeterState.of(replace(reading(), unparsed=("what?",)), PROFILE)


def test_state_survives_json() -> None:
    before = kept()
    after = decode(MeterState, json.loads(json.dumps(encode(before)))).as_restored()
    assert all(known.restored for known in after.registers.values())
    assert after.reading == before.reading
    assert after.profile == before.profile
    assert list(after.registers) == list(before.registers)
    assert {known.received for known in after.registers.values()} == {before.received}
    assert after.identity == before.identity


def test_state_without_identification_survives_json() -> None:
    before = MeterState.of(
        reading(identification=None, health=replace(GOOD_HEALTH, mode=None)), PROFILE
    )
    assert decode(MeterState, json.loads(json.dumps(encode(before)))).reading == before.reading


def test_fields_of_a_newer_version_are_passed_over() -> None:
    data = encode(kept())
    data["health"]["light"] = 3
    data["profile"]["colour"] = "red"
    data["more"] = {}
    assert decode(MeterState, data).reading == kept().reading


@pytest.mark.parametrize(
    ("place", "junk"),
    [
        (("received",), "2026-11-22T12:00:00"),
        (("health", "check"), "perhaps"),
        (("health", "duration"), "long"),
    ],
)
def test_wrong_content_is_refused(place: tuple[Any, ...], junk: Any) -> None:
    data = json.loads(json.dumps(encode(kept())))
    inner = data
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = junk
    with pytest.raises(CodecError):
        decode(MeterState, data)


def test_damaged_register_costs_no_other() -> None:
    data, left_out = json.loads(json.dumps(encode(kept()))), list[str]()
    data["registers"]["1-0:1.8.0"][0][0] = 7
    data["unparsed"] = [7, "what?"]
    data["profile"]["check_kind"] = "crc32"
    state = decode(MeterState, data, left_out)
    assert state.registers == {
        key: one for key, one in kept().registers.items() if key != "1-0:1.8.0"
    }
    assert state.unparsed == ("what?",)
    assert state.profile == replace(PROFILE, check_kind=None)
    assert left_out == ["profile.check_kind", "registers.1-0:1.8.0", "unparsed.0"]


def test_register_that_is_not_sent_stays_with_its_time() -> None:
    state = MeterState.of(reading({"1.8.0": ["1"], "2.8.0": ["2"]}), PROFILE)
    state = joined(reading({"1.8.0": ["3"]}, at=later(1)), PROFILE, state)
    assert [(key, known.received) for key, known in state.registers.items()] == [
        ("1-0:1.8.0", later(1)),
        ("1-0:2.8.0", later(0)),
    ]
    assert state.received == later(1)


def test_first_of_a_repeated_address_is_the_current_one() -> None:
    sent = reading({})
    repeated = replace(sent, registers=(register("0.1.0*0", "1"), register("0.1.0*0", "2")))
    state = MeterState.of(repeated, PROFILE)
    assert state.registers[repeated.registers[0].key].register.values == values("1")
    state = joined(repeated, PROFILE, state)
    assert state.registers[repeated.registers[0].key].register.values == values("1")


def test_one_register_in_two_spellings_is_one() -> None:
    state = MeterState.of(reading({"1.8.0": ["1"]}), PROFILE)
    state = joined(reading({"1-0:1.8.0*255": ["2"]}, at=later(1)), PROFILE, state)
    assert list(state.registers) == [str(Obis(1, 0, 1, 8, 0))]


def test_identification_that_is_missing_once_is_remembered() -> None:
    state = MeterState.of(reading(), PROFILE)
    assert joined(reading(identification=None), PROFILE, state).identity == state.identity


def test_noise_cannot_grow_without_bound() -> None:
    state = MeterState.of(reading({f"N{n}": ["1"] for n in range(MOST_REGISTERS - 1)}), PROFILE)
    state = joined(reading({"X1": ["1"], "X2": ["1"], "N1": ["2"]}), PROFILE, state)
    assert len(state.registers) == MOST_REGISTERS
    assert state.registers["N1"].register.values == values("2")
    assert (
        len(MeterState.of(replace(reading(), raw=b"x" * 10**6), PROFILE).raw) == MOST_TELEGRAM_BYTES
    )


async def test_store(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    store = MeterStore(hass, "abc")
    assert await store.async_load() is None
    content = Stored(kept(), {"1-0:1.8.0": "kWh"})
    store.async_save_later(lambda: content, 60)
    assert f"{DOMAIN}.abc" not in hass_storage
    await store.async_flush()
    assert hass_storage[f"{DOMAIN}.abc"]["version"] == 1
    loaded = await MeterStore(hass, "abc").async_load()
    assert loaded is not None
    assert encode(loaded) == encode(content)
    await store.async_remove()
    assert f"{DOMAIN}.abc" not in hass_storage


async def test_frequent_readings_do_not_put_off_the_write(
    hass: HomeAssistant, hass_storage: dict[str, Any], freezer: Any
) -> None:
    """Written once per delay, with what is newest then; never put off for ever by readings every minute."""
    store = MeterStore(hass, "abc")
    newest = [kept()]
    for minute in range(1, 16):
        newest[0] = MeterState.of(reading(at=later(minute)), PROFILE)
        store.async_save_later(lambda: Stored(newest[0]), 15 * 60)
        freezer.tick(60)
        async_fire_time_changed(hass, dt_util.utcnow())
        await hass.async_block_till_done()
    data = hass_storage[f"{DOMAIN}.abc"]["data"]
    assert data["state"]["received"] == later(15).isoformat()
    # And the next one starts anew.
    store.async_save_later(lambda: Stored(kept()), 60)
    await store.async_flush()
    assert hass_storage[f"{DOMAIN}.abc"]["data"]["state"]["received"] == later(0).isoformat()


@pytest.mark.parametrize(
    "content",
    [[], None, "text", {"state": None, "units": {}}, {"state": {}}, {"units": {}, "state": 3}],
)
async def test_file_with_something_else(
    hass: HomeAssistant, hass_storage: dict[str, Any], content: Any
) -> None:
    hass_storage[f"{DOMAIN}.abc"] = {
        "version": 1,
        "minor_version": MINOR_VERSION,
        "key": "",
        "data": content,
    }
    assert await MeterStore(hass, "abc").async_load() is None


@pytest.mark.parametrize("version", [(2, 1), (2, MINOR_VERSION)])
@pytest.mark.parametrize("name", ["", ".profile"])
async def test_file_of_a_newer_version_is_left_alone(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    *,
    name: str,
    version: tuple[int, int],
) -> None:
    """It is said, and a later update finds it as it was."""
    assert await hass.config_entries.async_unload(loaded.entry_id)
    await hass.async_block_till_done()
    key = f"{DOMAIN}.{loaded.entry_id}{name}"
    newer = {"version": version[0], "minor_version": version[1], "key": key, "data": {"a": 1}}
    hass_storage[key] = copy.deepcopy(newer)
    await hass.config_entries.async_setup(loaded.entry_id)
    await hass.async_block_till_done()
    await loaded.runtime_data.coordinator.async_refresh()
    assert await loaded.runtime_data.coordinator.record.async_save_now() is bool(name)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    await hass.async_block_till_done()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=1), fire_all=True)
    await hass.async_block_till_done()
    assert hass_storage[key] == newer
    assert key in caplog.text
    assert "newer version" in caplog.text


def _paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in plain data."""
    found = [path] if path else []
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in items:
        found += _paths(value, (*path, key))
    return found


_WHOLE = json.loads(json.dumps(encode(Stored(kept(), {"1-0:1.8.0": "kWh"}))))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(_paths(_WHOLE)),
    junk=st.sampled_from([None, 3, -1.5, "x", [], {}, ["x"], True]),
)
async def test_damaged_file_is_read_or_refused(
    hass: HomeAssistant, hass_storage: dict[str, Any], path: tuple[Any, ...], junk: Any
) -> None:
    """Whatever stands at any place of the file, loading ends in a state or in none."""
    data = copy.deepcopy(_WHOLE)
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = junk
    hass_storage[f"{DOMAIN}.abc"] = {
        "version": 1,
        "minor_version": MINOR_VERSION,
        "key": "",
        "data": data,
    }
    loaded = await MeterStore(hass, "abc").async_load()
    if loaded is not None:
        state = loaded.state
        assert interval_of(state) > timedelta(0)
        assert state.identity.name
        context = context_of(state.reading.registers)
        for known in state.registers.values():
            for description in describe(known.register, context, {}):
                native(known.register, description, UTC)
        assert json.dumps(encode(loaded))


def test_first_reading_is_handed_over_once() -> None:
    hass: Any = SimpleNamespace(data={})
    assert async_take_over(hass, "/dev/a", "") == First()
    known = ObjectCache(singly=True)
    async_hand_over(hass, "/dev/a", "", kept(), known=known)
    assert async_take_over(hass, "/dev/a", "12") == First()
    assert async_take_over(hass, "/dev/a", "") == First((kept(),), known)
    assert async_take_over(hass, "/dev/a", "") == First()


async def test_what_is_to_be_kept_soon_does_not_wait_for_a_late_write(
    hass: HomeAssistant, hass_storage: dict[str, Any], freezer: Any
) -> None:
    """A user's answer, while the readings' quarter of an hour runs."""
    store = MeterStore(hass, "abc")
    newest = [kept()]
    for minute, delay in ((1, 15 * 60), (2, 5), (3, 15 * 60)):
        newest[0] = MeterState.of(reading(at=later(minute)), PROFILE)
        store.async_save_later(lambda: Stored(newest[0]), delay)
    freezer.tick(6)
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done()
    assert hass_storage[f"{DOMAIN}.abc"]["data"]["state"]["received"] == later(3).isoformat()


async def test_nothing_is_written_after_the_end(
    hass: HomeAssistant, hass_storage: dict[str, Any], freezer: Any
) -> None:
    """Whoever still works for an entry that was unloaded must not overwrite what the next one has written."""
    store = MeterStore(hass, "abc")
    await store.async_flush()
    await store.async_save(Stored(kept()))
    store.async_save_later(lambda: Stored(kept()), 5)
    freezer.tick(6)
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done()
    assert f"{DOMAIN}.abc" not in hass_storage


async def refuse(*_: object) -> None:
    """What a full disk makes of a write."""
    raise WriteError("no space left on device")


async def test_what_a_full_disk_refused_is_written_at_the_end(
    hass: HomeAssistant, hass_storage: dict[str, Any], freezer: Any
) -> None:
    """Also where no later reading has tried again."""
    store = MeterStore(hass, "abc")
    with patch("homeassistant.helpers.storage.Store._async_write_data", refuse):
        store.async_save_later(lambda: Stored(kept()), 5)
        freezer.tick(6)
        async_fire_time_changed(hass, dt_util.utcnow())
        await hass.async_block_till_done()
        assert not await MeterStore(hass, "abd").async_save(Stored(kept()))
    assert not hass_storage
    await store.async_flush()
    assert f"{DOMAIN}.abc" in hass_storage


_DAMAGED = [
    {"version": 99, "data": {}},
    {"version": 0, "data": {}},
    {"version": 1, "minor_version": 99, "data": {"tried": 7}},
    *({"version": 1, "data": data} for data in (None, [], [7], "text", 7, {}, {"tried": [7]})),
]


@pytest.mark.parametrize("damaged", _DAMAGED, ids=str)
@pytest.mark.parametrize("name", ["", ".login", ".profile", "refusals"])
async def test_no_entry_fails_for_a_file_of_ours(  # noqa: PLR0917
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    name: str,
    damaged: dict[str, Any],
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_PASSWORD: "secret12"})
    key = f"{DOMAIN}.{name}" if name == "refusals" else f"{DOMAIN}.{entry.entry_id}{name}"
    hass_storage[key] = {"minor_version": 1, "key": key, **copy.deepcopy(damaged)}
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    assert bench.reads == 1
    if damaged["version"] != 1 and name != ".profile":
        assert key in caplog.text
