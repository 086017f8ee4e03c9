"""Mode E in Home Assistant: who asks, what is kept of it, what is seen of it; at a meter in memory."""

import asyncio
from datetime import datetime, timedelta
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntryState
from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_capture_events,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.diagnostics import async_get_config_entry_diagnostics
from custom_components.iec62056.entry_data import profile_overrides
from custom_components.iec62056.flows.config import MeterConfigFlow
from custom_components.iec62056.meter import invocation_counters
from custom_components.iec62056.meter.credentials import completed, credentials_of
from custom_components.iec62056.protocol.dlms.security import Keys
from custom_components.iec62056.protocol.dlms_errors import CounterExhausted
from custom_components.iec62056.protocol.errors import BadSecret
from custom_components.iec62056.protocol.model import Identification, LineProfile, Mode
from custom_components.iec62056.protocol.register_session import Level
from custom_components.iec62056.services.registers import EVENT_CHANGED
from custom_components.iec62056.state.redaction import mask_frames
from simulator import Manners
from simulator.dlms import BinaryManners, BinaryMeter, Device, Login, Thing, household
from simulator.dlms.policy import KEY, PASSWORD
from simulator.dlms.secrets import GMAC, LOW
from simulator.dlms.things import date_time, name
from simulator.dlms.values import octets, scaler_unit, u16

from ..common.bench import START, state
from ..common.dialogue import through
from ..common.flow_texts import all_checked
from ..common.leap import leaping
from ..common.programmed import URL, Sent, wire

SERIAL = "10012345"
METER = f"SIM_{SERIAL}"
SECRET = "71828182"
WRONG = "31415926"
KEYS = {
    "encryption_key": bytes(range(16)).hex(),
    "authentication_key": bytes(range(0xD0, 0xE0)).hex(),
}
WRONG_KEYS = {**KEYS, "encryption_key": bytes(16).hex()}
PROTECTED = "1-0:96.50.1"
OF_MAKER = "8193/1-0:199.8.2"


class Lines:
    """A readout that grows."""

    def __init__(self) -> None:
        self.count = 0

    def block(self) -> bytes:
        self.count += 1
        return (
            f"F.F(00000000)\r\n0.0.0({SERIAL})\r\n1.8.0({7000 + self.count * 0.001:.3f}*kWh)\r\n"
            "2.8.0(000008.1*kWh)\r\n16.7.0(00.250*kW)\r\n"
        ).encode()


def device(*, level: int = 0, logical: str = "SIM0000010012345") -> Device:
    """Anybody may read its registers, or who has the password; some objects want more. `logical` is its device name."""
    made = Device([])
    made.logins[1] = Login(PASSWORD, LOW, SECRET.encode())
    made.logins[3] = Login(KEY, GMAC, ciphered=True)
    made.things = household(
        Lines().block, device=logical, counter=lambda: max(0, made.seen - 1), level=level
    )
    return made


def meter(dev: Device, *, model: str = "E1", **binary: Any) -> BinaryMeter:
    return BinaryMeter(
        Lines(),
        dev,
        Manners(flag="SIM", model=model),
        binary=BinaryManners(reads_out=True, **binary),
    )


def entry_of(hass: HomeAssistant, **data: Any) -> MockConfigEntry:
    options = data.pop("options", {})
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Meter",
        unique_id=METER,
        data={"device": URL, "address": "", **data},
        options=options,
    )
    entry.add_to_hass(hass)
    return entry


async def load(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


def mode_of(entry: MockConfigEntry) -> Mode | None:
    """The mode of the latest reading."""
    mode: Mode | None = entry.runtime_data.coordinator.data.health.mode
    return mode


async def act(
    hass: HomeAssistant, entry: MockConfigEntry, by: Context, action: str, **said: Any
) -> Any:
    """The answer to an action."""
    return await hass.services.async_call(
        DOMAIN,
        action,
        {"config_entry_id": entry.entry_id, **said},
        blocking=True,
        return_response=True,
        context=by,
    )


def asked_again(hass: HomeAssistant) -> list[Any]:
    flows = hass.config_entries.flow.async_progress()
    return [flow for flow in flows if flow["context"]["source"] == SOURCE_REAUTH]


def sent_with(sent: Sent, secret: str) -> int:
    """How often it left."""
    return sum(secret.encode() in one for one in sent)


@pytest.fixture(autouse=True)
def _own_folder(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The counters' file is a real one."""
    if "hass" in request.fixturenames:
        request.getfixturevalue("hass").config.config_dir = str(tmp_path)


@pytest.fixture
def admin(hass_admin_user: MockUser) -> Context:
    return Context(user_id=hass_admin_user.id)


# What an entry holds


def test_a_password_is_of_programming_mode_or_of_the_low_level() -> None:
    found = credentials_of({"password": SECRET})
    assert found.in_mode_e(LineProfile(mode=Mode.C)) is None
    login = found.in_mode_e(LineProfile(mode=Mode.E))
    assert login is not None
    assert (login.client, login.level) == (1, Level.PASSWORD)


def test_who_names_a_security_level_wants_mode_e() -> None:
    data = {"password": SECRET, "security": "low", "client": 32}
    assert profile_overrides(data)["mode"] is Mode.E
    assert profile_overrides({**data, "mode": "C"})["mode"] is Mode.C
    # The address is that of the password: without it, the public client asks.
    assert "client" not in profile_overrides(data)
    assert profile_overrides({"client": 32, "mode": "E"})["client"] == 32
    login = credentials_of(data).login
    assert login is not None
    assert login.client == 32


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({**KEYS, "encryption_key": "0011", "system_title": "00" * 8}, "16 octets"),
        ({**KEYS, "encryption_key": "no key", "system_title": "00" * 8}, "0 to 9"),
        ({"encryption_key": KEYS["encryption_key"], "system_title": "00" * 8}, "16 octets"),
        ({**KEYS, "system_title": "0011"}, "system title"),
        ({"security": "gmac", "system_title": "00" * 8}, "keys are missing"),
        ({"security": "low"}, "password is missing"),
        ({"security": "aes", "password": "x" * 17}, "16 octets"),
    ],
)
def test_what_can_be_sent_to_no_meter(data: dict[str, str], why: str) -> None:
    with pytest.raises(BadSecret, match=why):
        credentials_of(data)


def test_what_a_person_leaves_out_is_filled_in_once() -> None:
    whole = completed(KEYS)
    assert bytes.fromhex(whole["system_title"])[:3] == b"HAS"
    assert completed(KEYS)["system_title"] != whole["system_title"]
    assert completed(whole) == whole
    assert whole["client"] == 1
    nik = Identification("/NIK5X", "NIK", "5", (), "X")
    assert completed({"password": SECRET, "security": "low"}, nik)["client"] == 2
    spodes = {"password": SECRET, "mode": Mode.E, "hdlc_at_once": True}
    assert completed(spodes)["client"] == 32
    assert completed({**spodes, "security": "aes"})["client"] == 48
    assert completed({"password": SECRET}) == {"password": SECRET}


# Reading


async def test_the_same_sensors_in_mode_c_and_in_mode_e(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, meter(device())):
            entry = entry_of(hass)
            await load(hass, entry)
            assert mode_of(entry) is Mode.C
            registry = er.async_get(hass)
            before = {
                one.unique_id: one.entity_id
                for one in er.async_entries_for_config_entry(registry, entry.entry_id)
            }
            hass.config_entries.async_update_entry(
                entry, data={**entry.data, "security": "low", "password": SECRET}
            )
            assert await hass.config_entries.async_reload(entry.entry_id)
            await entry.runtime_data.coordinator.async_refresh()
            assert mode_of(entry) is Mode.E
            await hass.async_block_till_done()
            after = {
                one.unique_id: one.entity_id
                for one in er.async_entries_for_config_entry(registry, entry.entry_id)
            }
            assert before.items() <= after.items()
            energy = state(hass, "1-0:1.8.0", METER)
            assert energy.attributes["unit_of_measurement"] == "kWh"
            assert float(energy.state) > 7000
            # What only its maker knows is there, and switched off.
            unknown = registry.async_get(after[f"{METER}_{OF_MAKER}"])
            assert unknown is not None
            assert unknown.disabled_by is er.RegistryEntryDisabler.INTEGRATION
            # An alarm register with a bit that is set.
            alarm = registry.async_get_entity_id("binary_sensor", DOMAIN, f"{METER}_alarm")
            shown = hass.states.get(alarm or "")
            assert shown is not None
            assert shown.state == "on"


async def test_the_object_list_is_read_once(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    with leaping(START):
        async with wire(hass, meter(device())):
            entry = entry_of(hass, security="low", password=SECRET)
            await load(hass, entry)
            await entry.runtime_data.coordinator.record.async_save_now()
            stored = hass_storage[f"{DOMAIN}.{entry.entry_id}"]["data"]["object_cache"]
            assert stored["lists"].keys() == {"16/0", "1/1"}
            first = entry.runtime_data.coordinator.data.health.characters
            assert await hass.config_entries.async_reload(entry.entry_id)
            await entry.runtime_data.coordinator.async_refresh()
            again = entry.runtime_data.coordinator.data
            assert again.health.characters * 2 < first
            assert PROTECTED.replace("1-0", "0-0") in again.registers


async def test_the_dialogue_has_read_the_object_lists(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """The entry's start reads none of them again; another configuration of the meter is noticed as ever."""
    dev = device()
    version = Thing(1, name("0.2.0"), {2: octets(b"SIM 1.0")})
    dev.things.append(version)
    with leaping(START), all_checked():
        async with wire(hass, meter(dev)):
            shown = await add(hass, {"password": SECRET}, {"security": "low"})
            assert dev.lists_read == 2
            made = await hass.config_entries.flow.async_configure(
                shown["flow_id"], {"registers": ["1-0:1.8.0"]}
            )
            await hass.async_block_till_done()
            coordinator = made["result"].runtime_data.coordinator
            await coordinator.async_refresh()
            assert mode_of(made["result"]) is Mode.E
            assert "0-0:96.50.1" in coordinator.data.registers
            assert dev.lists_read == 2
            # They are kept from now on, and not only handed on.
            await coordinator.record.async_save_now()
            stored = hass_storage[f"{DOMAIN}.{coordinator.config_entry.entry_id}"]["data"][
                "object_cache"
            ]
            assert stored["lists"].keys() == {"16/0", "1/1"}
            version.put(2, octets(b"SIM 1.1"))
            dev.things.append(Thing(3, name("32.7.0"), {2: u16(231), 3: scaler_unit(0, 35)}))
            await coordinator.async_refresh()
            assert "1-0:32.7.0" in coordinator.data.registers
            assert dev.lists_read > 2


# What a meter refuses


@pytest.mark.parametrize(
    ("data", "proof"),
    [
        ({"security": "low", "password": WRONG}, WRONG),
        ({**WRONG_KEYS, "client": 3, "system_title": b"HAS-WRNG".hex()}, "HAS-WRNG"),
    ],
    ids=["password", "keys"],
)
async def test_wrong_secret_is_tried_once_and_the_rest_is_read(
    hass: HomeAssistant, data: dict[str, Any], proof: str
) -> None:
    """Neither the next reading, a reload, nor a second entry of this meter tries it again."""
    dev = device()
    with leaping(START):
        async with wire(hass, meter(dev)) as (_, sent):
            entry = entry_of(hass, **data)
            await load(hass, entry)
            assert float(state(hass, "1-0:1.8.0", METER).state) > 7000
            assert len(asked_again(hass)) == 1
            await entry.runtime_data.coordinator.async_refresh()
            assert entry.runtime_data.coordinator.last_update_success
            assert await hass.config_entries.async_reload(entry.entry_id)
            await entry.runtime_data.coordinator.async_refresh()
            await hass.config_entries.async_remove(entry.entry_id)
            again = entry_of(hass, **data)
            await load(hass, again)
            await again.runtime_data.coordinator.async_refresh()
            assert sent_with(sent, proof) == 1
            assert len(asked_again(hass)) == 1


async def test_reauth_tries_once_and_keeps_what_the_meter_takes(hass: HomeAssistant) -> None:
    dev = device()
    with leaping(START), all_checked():
        async with wire(hass, meter(dev)) as (_, sent):
            entry = entry_of(hass, security="low", password=WRONG)
            await load(hass, entry)
            (flow,) = asked_again(hass)
            shown: Any = await hass.config_entries.flow.async_configure(flow["flow_id"], None)
            assert set(shown["data_schema"].schema) == {"password"}
            # The one that was refused does not leave again.
            flows = hass.config_entries.flow
            ended = await flows.async_configure(flow["flow_id"], {"password": WRONG})
            ended = await through(flows, ended)
            assert ended["reason"] == "not_accepted"
            assert sent_with(sent, WRONG) == 1
            again = await entry.start_reauth_flow(hass)
            ended = await flows.async_configure(again["flow_id"], {"password": SECRET})
            ended = await through(flows, ended)
            assert ended["reason"] == "reauth_successful"
            await hass.async_block_till_done()
            await entry.runtime_data.coordinator.async_refresh()
            assert "0-0:96.50.1" in entry.runtime_data.coordinator.data.registers
            assert not asked_again(hass)


# The numbers of encrypted messages


async def test_no_number_is_used_before_it_is_on_disk(hass: HomeAssistant, tmp_path: Path) -> None:
    dev = device()
    data: dict[str, Any] = {**KEYS, "client": 3, "system_title": "4841530000000007"}
    with leaping(START):
        async with wire(hass, meter(dev)):
            entry = entry_of(hass, **data)
            with patch.object(invocation_counters, "save_json", side_effect=WriteError("full")):
                await load(hass, entry)
                assert dev.seen == 0
                assert float(state(hass, "1-0:1.8.0", METER).state) > 7000
            # It is no fault of the keys.
            assert not asked_again(hass)
            await entry.runtime_data.coordinator.async_refresh()
            assert dev.seen > 0
            (end,) = json.loads((tmp_path / ".storage" / invocation_counters.FILE).read_text())[
                "ends"
            ].values()
            assert dev.seen < end
            await hass.config_entries.async_unload(entry.entry_id)
            # Killed: nothing but the file is left. The block that was begun is given up.
            hass.data.pop(invocation_counters._COUNTERS)
            fresh, _ = await invocation_counters.counters_of(hass).async_counter(
                Keys(*(bytes.fromhex(key) for key in KEYS.values())),
                bytes.fromhex(data["system_title"]),
            )
            assert fresh.reserve(1) == end + 1


async def test_two_entries_with_one_key_share_its_numbers(hass: HomeAssistant) -> None:
    keys, title = Keys(bytes(16), bytes(16)), b"HAS\0\0\0\0\1"
    first, store = await invocation_counters.counters_of(hass).async_counter(keys, title)
    second, _ = await invocation_counters.counters_of(hass).async_counter(keys, title)
    other, _ = await invocation_counters.counters_of(hass).async_counter(keys, b"HAS\0\0\0\0\2")
    assert first is second
    assert other is not first
    # A block that was asked for earlier and is written later takes nothing back.
    await store(512)
    await store(256)
    hass.data.pop(invocation_counters._COUNTERS)
    again, _ = await invocation_counters.counters_of(hass).async_counter(keys, title)
    assert again.reserve(1) == 513


@pytest.mark.parametrize(
    "content", ["{", '{"salt": "zz", "ends": {}}', '{"salt": "00", "ends": {"a": "b"}}']
)
async def test_damaged_file_of_numbers_keeps_the_keys_silent(
    hass: HomeAssistant, tmp_path: Path, content: str
) -> None:
    (tmp_path / ".storage").mkdir()
    (tmp_path / ".storage" / invocation_counters.FILE).write_text(content)
    dev = device()
    with leaping(START):
        async with wire(hass, meter(dev)):
            entry = entry_of(hass, **KEYS, client=3, system_title="4841530000000007")
            await load(hass, entry)
            assert dev.seen == 0
            assert float(state(hass, "1-0:1.8.0", METER).state) > 7000
    assert (tmp_path / ".storage" / invocation_counters.FILE).read_text() == content


@pytest.mark.parametrize("content", [None, "{"], ids=["the disk is full", "the file is damaged"])
async def test_numbers_that_cannot_be_kept_are_no_fault_of_the_key(
    hass: HomeAssistant, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / ".storage").mkdir()
        (tmp_path / ".storage" / invocation_counters.FILE).write_text(content)
    keys, title = Keys(bytes(16), bytes(16)), b"HAS\0\0\0\0\1"
    _, store = await invocation_counters.counters_of(hass).async_counter(keys, title)
    with (
        patch.object(invocation_counters, "save_json", side_effect=WriteError("full")),
        pytest.raises(CounterExhausted) as unkept,
    ):
        await store(256)
    assert invocation_counters.FILE in str(unkept.value)
    assert "new key" not in str(unkept.value)


# The dialogues


async def add(hass: HomeAssistant, advanced: dict[str, Any], binary: dict[str, Any]) -> Any:
    """Go through the dialogue up to what was found."""
    flow = hass.config_entries.flow
    shown: Any = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    shown = await flow.async_configure(
        shown["flow_id"], {"device": URL, "advanced": advanced, "binary": binary}
    )
    return await through(hass.config_entries.flow, shown)


async def test_meter_with_a_password_is_added(hass: HomeAssistant) -> None:
    dev = device(level=PASSWORD)
    with leaping(START), all_checked():
        async with wire(hass, meter(dev, announced=True)) as (_, sent):
            shown = await add(hass, {"password": WRONG}, {"security": "low"})
            assert shown["step_id"] == "user"
            assert shown["errors"]["base"] == "authentication_refused_wrong"
            assert sent_with(sent, WRONG) == 1
            shown = await hass.config_entries.flow.async_configure(
                shown["flow_id"],
                {"device": URL, "advanced": {"password": WRONG}, "binary": {"security": "low"}},
            )
            shown = await through(hass.config_entries.flow, shown)
            assert shown["errors"]
            assert sent_with(sent, WRONG) == 1
            shown = await hass.config_entries.flow.async_configure(
                shown["flow_id"],
                {"device": URL, "advanced": {"password": SECRET}, "binary": {"security": "low"}},
            )
            shown = await through(hass.config_entries.flow, shown)
            assert shown["step_id"] == "found"
            made = await hass.config_entries.flow.async_configure(
                shown["flow_id"], {"registers": ["1-0:1.8.0"]}
            )
            assert made["type"] is FlowResultType.CREATE_ENTRY
            entry = made["result"]
            assert entry.unique_id == METER
            assert entry.data["security"] == "low"
            await hass.async_block_till_done()
            assert float(state(hass, "1-0:1.8.0", METER).state) > 7000
            secret = credentials_of(entry.data).secret
            assert secret is not None
            assert await entry.runtime_data.reader.login.async_find(secret)


async def test_mode_that_is_used(hass: HomeAssistant) -> None:
    """Mode C where it gives something, though the meter announces mode E; mode E where it was chosen, or C gives nothing."""

    def used(shown: Any) -> Mode | None:
        flow = hass.config_entries.flow._progress[shown["flow_id"]]
        assert isinstance(flow, MeterConfigFlow)
        hass.config_entries.flow.async_abort(shown["flow_id"])
        return flow._state.health.mode

    with leaping(START), all_checked():
        async with wire(hass, meter(device())):
            assert used(await add(hass, {}, {})) is Mode.C
            assert used(await add(hass, {"mode": "e"}, {})) is Mode.E
        silent = BinaryMeter(Lines(), device(), Manners(flag="SIM", model="E1"))
        async with wire(hass, silent):
            assert used(await add(hass, {}, {})) is Mode.E


@pytest.mark.parametrize(
    ("binary", "why"),
    [
        ({"client": "200"}, "bad_secret_client"),
        ({"client": "x"}, "bad_secret_client"),
        ({"encryption_key": "1"}, "bad_secret_key_digits"),
    ],
)
async def test_what_cannot_be_sent_is_said_before_the_meter_is_called(
    hass: HomeAssistant, binary: dict[str, Any], why: str
) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter(device())) as (memory, _):
            shown = await add(hass, {}, binary)
            assert shown["errors"] == {"base": why}
            assert memory.opened == 0


async def options(hass: HomeAssistant, entry: MockConfigEntry, page: str) -> Any:
    flow = hass.config_entries.options
    shown = await flow.async_init(entry.entry_id)
    shown = await flow.async_configure(shown["flow_id"], {"next_step_id": "access"})
    assert page in shown["menu_options"]
    shown = await flow.async_configure(shown["flow_id"], {"next_step_id": page})
    # The page that needs no entry asks the meter at once.
    assert (shown["type"] is FlowResultType.SHOW_PROGRESS) == (page == "levels")
    return await through(flow, shown)


async def test_levels_are_compared_and_shown(hass: HomeAssistant) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter(device())):
            entry = entry_of(hass, security="low", password=SECRET)
            await load(hass, entry)
            shown = await options(hass, entry, "levels")
            told = shown["description_placeholders"]["levels"].split("\n\n")
            said = {text.partition("**")[2].partition("**")[0]: text for text in told}
            assert "`1-0:1.8.0`" in said["Read by everybody"]
            assert "`0-0:96.50.1`" in said["Read by who has the password"]
            assert "`0-0:96.13.0`" in said["Set by who has the password"]
            assert "`0-0:96.50.1`" not in said["Read by everybody"]
            done = await hass.config_entries.options.async_configure(shown["flow_id"], {})
            assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_the_action_and_the_dialogue_tell_the_same_levels(
    hass: HomeAssistant, admin: Context
) -> None:
    """What anybody is shown, what the keys show, and what nobody is shown."""
    dev = device()
    dev.things += [
        Thing(3, name("32.7.0"), {2: u16(231), 3: scaler_unit(0, 35)}, readable={2: KEY}),
        Thing(3, name("52.7.0"), {2: u16(232), 3: scaler_unit(0, 35)}, readable={2: KEY + 1}),
    ]
    codes = ["1-0:1.8.0", "0-0:96.50.1", "1-0:32.7.0", "1-0:52.7.0", OF_MAKER]
    with leaping(START), all_checked():
        async with wire(hass, meter(dev)):
            entry = entry_of(hass, **KEYS, client=3, system_title="4841530000000007")
            await load(hass, entry)
            answers = await act(hass, entry, admin, "read_registers", codes=codes, levels=True)
            told = {one["code"]: one for one in answers["meters"][0]["registers"]}
            assert {code for code in codes if told[code]["values"] is None} == {"1-0:52.7.0"}
            levels = [told[code]["level"] for code in codes]
            assert levels == ["open", "secret", "secret", "secret", "secret"]
            assert told["1-0:52.7.0"]["refused"] == "access_denied"
            async with entry.runtime_data.reader.register_session() as session:
                offers = await session.offered()
            for offer in offers:
                if offer.code in told:
                    seen = None if told[offer.code]["values"] is None else told[offer.code]["level"]
                    assert seen == offer.readable, offer.code


async def test_levels_of_a_meter_that_refuses_the_keys(hass: HomeAssistant, admin: Context) -> None:
    """What anybody may see is told all the same; the keys are not tried a second time for it."""
    with leaping(START):
        async with wire(hass, meter(device())) as (_, sent):
            entry = entry_of(hass, **WRONG_KEYS, client=3, system_title=b"HAS-WRNG".hex())
            await load(hass, entry)
            answers = await act(
                hass,
                entry,
                admin,
                "read_registers",
                codes=["1-0:1.8.0", "0-0:96.50.1"],
                levels=True,
            )
            read, denied = answers["meters"][0]["registers"]
            assert (read["level"], read["refused"]) == ("open", None)
            assert (denied["level"], denied["refused"]) == ("open", "password_needed")
            assert sent_with(sent, "HAS-WRNG") == 1


async def test_keys_are_entered_later_and_forgotten(hass: HomeAssistant) -> None:
    dev = device()
    with leaping(START), all_checked():
        async with wire(hass, meter(dev)):
            entry = entry_of(hass)
            await load(hass, entry)
            assert mode_of(entry) is Mode.C
            shown = await options(hass, entry, "keys")
            flow = hass.config_entries.options
            shown = await flow.async_configure(shown["flow_id"], {**WRONG_KEYS, "client": "3"})
            shown = await through(flow, shown)
            assert shown["errors"] == {"base": "failed"}
            assert "encryption_key" not in entry.data
            # A reading in between knows nothing of the try.
            await entry.runtime_data.coordinator.async_refresh()
            assert mode_of(entry) is Mode.C
            shown = await flow.async_configure(shown["flow_id"], {**KEYS, "client": "3"})
            await through(flow, shown)
            await hass.async_block_till_done()
            assert entry.data["client"] == 3
            assert entry.data["system_title"]
            await entry.runtime_data.coordinator.async_refresh()
            assert mode_of(entry) is Mode.E
            assert "0-0:96.50.1" in entry.runtime_data.coordinator.data.registers
            shown = await options(hass, entry, "keys")
            await flow.async_configure(shown["flow_id"], {"forget": True, "client": "3"})
            await hass.async_block_till_done()
            assert not {"encryption_key", "authentication_key", "system_title"} & entry.data.keys()


# Changing, and what is read again and again


async def test_actions_work_in_mode_e(hass: HomeAssistant, admin: Context) -> None:
    dev = device()
    with leaping(START):
        async with wire(hass, meter(dev)):
            entry = entry_of(
                hass,
                **KEYS,
                client=3,
                system_title="4841530000000007",
                options={
                    "write": ["0-0:96.13.0"],
                    "execute": ["0-0:10.0.0,1"],
                    "set_clock": True,
                },
            )
            await load(hass, entry)
            codes = ["1-0:1.8.0", "0-0:96.50.1"]
            answers = await act(hass, entry, admin, "read_registers", codes=codes)
            registers = answers["meters"][0]["registers"]
            assert [one["level"] for one in registers] == ["secret", "secret"]
            said = {"code": "0-0:96.13.0", "value": "Point 2"}
            done = await act(hass, entry, admin, "write_register", **said)
            assert done["result"] == "confirmed"
            assert done["after"] == [{"value": "Point 2", "unit": None}]
            done = await act(hass, entry, admin, "execute", code="0-0:10.0.0,1", value="1")
            assert done["result"] == "confirmed"


def local() -> datetime:
    """What a clock on the wall shows."""
    return dt_util.as_local(dt_util.utcnow())


def clocked(off: float, *, level: int = KEY) -> tuple[Device, Thing]:
    """A meter whose clock is ahead by so many seconds, and goes on from what it is set to."""
    dev = device()
    thing = next(one for one in dev.things if one.class_id == 8)
    thing.attributes[2] = lambda: octets(date_time(local() + timedelta(seconds=off)))
    thing.writable[2] = level
    return dev, thing


def clock_entry(hass: HomeAssistant, **options: Any) -> MockConfigEntry:
    return entry_of(hass, security="low", password=SECRET, options={"set_clock": True, **options})


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "UTC"])
@pytest.mark.parametrize("off", [-90, 90, 40_000_000])
async def test_the_clock_is_set_and_read_back(
    hass: HomeAssistant, admin: Context, zone: str, off: int
) -> None:
    await hass.config.async_set_time_zone(zone)
    dev, thing = clocked(off, level=PASSWORD)
    with leaping(START):
        async with wire(hass, meter(dev)):
            entry = clock_entry(hass)
            await load(hass, entry)
            events = async_capture_events(hass, EVENT_CHANGED)
            done = await act(hass, entry, admin, "set_clock")
            assert abs(done["ahead"] - off) <= 1
            assert done["result"] == "confirmed"
            (noted,) = dev.log
            assert noted.startswith(f"set {thing.name.hex()},2 ")
            now = local()
            shown = datetime.strptime(done["after"][0]["value"][:19], "%Y-%m-%d %H:%M:%S").replace(
                tzinfo=now.tzinfo
            )
            assert abs(shown - now) < timedelta(seconds=5)
            assert done["before"] != done["after"]
            (event,) = events
            assert (event.data["code"], event.data["result"]) == ("0-0:1.0.0", "confirmed")
            # It is right now.
            again = await act(hass, entry, admin, "set_clock")
            assert again["result"] == "right"
            assert len(dev.log) == 1


@pytest.mark.parametrize(("off", "limit"), [(25, {}), (-25, {}), (-100, {"limit": 120})])
async def test_a_clock_within_the_limit_is_left_alone(
    hass: HomeAssistant, admin: Context, off: int, limit: dict[str, int]
) -> None:
    dev, _ = clocked(off, level=PASSWORD)
    with leaping(START):
        async with wire(hass, meter(dev)):
            entry = clock_entry(hass)
            await load(hass, entry)
            done = await act(hass, entry, admin, "set_clock", **limit)
            assert done["result"] == "right"
            assert abs(done["ahead"] - off) <= 1
            assert dev.log == []


async def test_a_clock_that_needs_more_than_the_password(
    hass: HomeAssistant, admin: Context
) -> None:
    dev, _ = clocked(90)
    with leaping(START):
        async with wire(hass, meter(dev)):
            entry = clock_entry(hass)
            await load(hass, entry)
            done = await act(hass, entry, admin, "set_clock")
            assert done["result"] == "refused"
            assert done["after"] is None
            assert dev.log == []
            # Who does not look at the answer hears of it all the same.
            with pytest.raises(HomeAssistantError) as refused:
                await hass.services.async_call(
                    DOMAIN,
                    "set_clock",
                    {"config_entry_id": entry.entry_id},
                    blocking=True,
                    context=admin,
                )
            assert refused.value.translation_key == "access_failed"


async def test_a_clock_that_takes_the_time_and_stays_as_it_was(
    hass: HomeAssistant, admin: Context
) -> None:
    dev, thing = clocked(90, level=PASSWORD)
    stuck = thing.attributes[2]
    with leaping(START):
        async with wire(hass, meter(dev)):
            entry = clock_entry(hass)
            await load(hass, entry)
            with patch.object(Thing, "put", lambda *_: None):
                done = await act(hass, entry, admin, "set_clock")
            assert thing.attributes[2] is stuck
            assert done["result"] == "unconfirmed"
            assert done["after"] is not None


async def test_a_meter_without_a_clock_is_not_set(hass: HomeAssistant, admin: Context) -> None:
    dev, thing = clocked(90, level=PASSWORD)
    dev.things.remove(thing)
    with leaping(START):
        async with wire(hass, meter(dev)):
            entry = clock_entry(hass)
            await load(hass, entry)
            with pytest.raises(HomeAssistantError) as refused:
                await act(hass, entry, admin, "set_clock")
            assert refused.value.translation_key == "access_failed"
            assert dev.log == []


async def test_quick_registers_in_a_kept_association(hass: HomeAssistant) -> None:
    dev = device()
    with leaping(START):
        async with wire(hass, meter(dev)):
            entry = entry_of(
                hass,
                security="low",
                password=SECRET,
                options={"quick": ["1-0:16.7.0"], "quick_seconds": 1},
            )
            await load(hass, entry)
            coordinator = entry.runtime_data.coordinator
            before = coordinator.data.registers["1-0:16.7.0"].received
            came = asyncio.Event()

            def note() -> None:
                if coordinator.data.registers["1-0:16.7.0"].received > before:
                    came.set()

            coordinator.async_add_listener(note)
            await came.wait()
            assert coordinator.data.registers["1-0:16.7.0"].received > before


# Where a secret must never be


def test_frames_are_told_without_what_they_carry() -> None:
    content = b"SIM~\xa0\x200010012345"
    head = bytes((0x7E, 0xA0, 2 + 4 + 2 + len(content) + 2))
    frame = head + b"\x02\x21\x41\x93" + b"\xaa\xbb" + content + b"\xcc\xdd"
    hidden = head + bytes(3) + b"\x93" + bytes(len(content) + 4)
    assert mask_frames(frame * 2 + b"\x7e") == hidden * 2 + b"\x7e"
    for end in range(3, len(frame)):
        assert mask_frames(frame[:end]) == hidden[:end]


async def test_secrets_are_nowhere_but_in_the_entry(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level("DEBUG")
    written: list[str] = []
    cases = (
        {"security": "low", "password": SECRET},
        {"security": "low", "password": WRONG},
        {**KEYS, "client": 3, "system_title": "4841530000000007"},
    )
    with leaping(START):
        async with wire(hass, meter(device())):
            for data in cases:
                entry = entry_of(hass, **data)
                await load(hass, entry)
                told = await async_get_config_entry_diagnostics(hass, entry)
                written.append(repr(told))
                # The meter's own names are in frames too.
                assert SERIAL not in repr(told)
                assert "SIM0000010012345" not in repr(told)
                trace = entry.runtime_data.reader.history._trace
                written.append(repr([bytes(c & 0x7F for c in run.data) for run in trace.runs]))
                written.append(b"".join(bytes(run.data) for run in trace.runs).hex())
                await entry.runtime_data.coordinator.record.async_save_now()
                await hass.config_entries.async_remove(entry.entry_id)
            written += [repr(one.as_dict()) for one in hass.states.async_all()]
            written += [json.dumps(one) for name, one in hass_storage.items() if DOMAIN in name]
            written += [one.getMessage() for one in caplog.records if DOMAIN in one.name]
            written.append((tmp_path / ".storage" / invocation_counters.FILE).read_text())
    for secret in (SECRET, WRONG, *KEYS.values()):
        for form in (secret, secret.upper(), secret.encode().hex()):
            assert not [one for one in written if form in one], form
