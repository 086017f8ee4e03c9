"""Passwords, keys and changes are for the meter of the entry: whoever else answers hears none of them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.iec62056.const import DOMAIN
from simulator import Cell, Guard, Kind

from ..common.bench import START
from ..common.dialogue import through
from ..common.leap import leaping
from ..common.programmed import wire
from ..common.stranger import OTHER, OWN, Probe, Programmed, high, keyed, low, programmed

FAMILIES = [programmed, low, high, keyed]
SENTENCE = "got neither a password nor a change"


@pytest.fixture(autouse=True)
def _own_folder(hass: HomeAssistant, tmp_path: Path) -> None:
    """The counters' file is a real one."""
    hass.config.config_dir = str(tmp_path)


@pytest.fixture
def admin(hass_admin_user: MockUser) -> Context:
    return Context(user_id=hass_admin_user.id)


class User:
    """Whoever acts on one entry; `told` is what was said where something was not done."""

    def __init__(
        self, hass: HomeAssistant, probe: Probe, entry: MockConfigEntry, by: Context
    ) -> None:
        self.hass, self.probe, self.entry, self.by = hass, probe, entry, by

    async def act(self, action: str, **said: Any) -> str:
        try:
            answer = await self.hass.services.async_call(
                DOMAIN,
                action,
                {"config_entry_id": self.entry.entry_id, **said},
                blocking=True,
                return_response=True,
                context=self.by,
            )
        except HomeAssistantError as err:
            return str(err)
        return repr(answer)

    async def write(self) -> str:
        return await self.act("write_register", code=self.probe.codes["write"], value="Point 2")

    async def execute(self) -> str:
        return await self.act("execute", code=self.probe.codes["execute"], value="1")

    async def set_clock(self) -> str:
        return await self.act("set_clock")

    async def read_registers(self) -> str:
        return await self.act("read_registers", codes=[self.probe.codes["read"]])

    async def read_levels(self) -> str:
        return await self.act("read_registers", codes=[self.probe.codes["read"]], levels=True)

    async def read_profile(self) -> str:
        return await self.act("read_load_profile")

    async def reauth(self) -> str:
        shown = await self.entry.start_reauth_flow(self.hass)
        flows = self.hass.config_entries.flow
        shown = await flows.async_configure(shown["flow_id"], self.probe.new)
        return reason_of(await through(flows, shown))

    async def options(self) -> str:
        flows = self.hass.config_entries.options
        shown = await flows.async_init(self.entry.entry_id)
        group = "password" if "login" in self.probe.new else "keys"
        for step in ("access", group):
            shown = await flows.async_configure(shown["flow_id"], {"next_step_id": step})
        kept = {
            name: str(value) if name == "client" else value
            for name, value in self.entry.data.items()
            if name in ("security", "client", "system_title")
        }
        entered = {**({} if group == "password" else kept), **self.probe.new}
        shown = await flows.async_configure(shown["flow_id"], entered)
        return reason_of(await through(flows, shown))

    async def poll(self) -> str:
        await self.entry.runtime_data.coordinator.async_refresh()
        return ""

    async def quick(self) -> str:
        # Who waits for the line ends the session there was; after failures, the next one is put off.
        async with self.entry.runtime_data.coordinator.reader.hold_line():
            pass
        await asyncio.sleep(900)
        return ""


def reason_of(shown: Any) -> str:
    assert shown["type"] in (FlowResultType.FORM, FlowResultType.ABORT)
    reason: str = shown["description_placeholders"]["reason"]
    return reason


type Action = Callable[[User], Awaitable[str]]

ACTIONS: list[Action] = [
    User.write,
    User.execute,
    User.set_clock,
    User.read_registers,
    User.read_levels,
    User.read_profile,
    User.reauth,
    User.options,
    User.poll,
    User.quick,
]


async def load(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
async def test_another_meter_hears_nothing_private(
    hass: HomeAssistant, admin: Context, family: Callable[[], Probe], action: Action
) -> None:
    """Of the same make and model, with the same password: with its number, without one, and while a user is asked."""
    probe = family()
    said: dict[str, Any] = {"interval": 86400}
    if action is User.quick:
        said["quick"] = [probe.codes["quick"]]
    if action is User.poll:
        said["extra"] = [probe.codes["read"]]
    with leaping(START):
        async with wire(hass, probe.meter) as (_, sent):
            entry = probe.entry(hass, **said)
            await load(hass, entry)
            user = User(hass, probe, entry, admin)
            coordinator = entry.runtime_data.coordinator
            for serial in (OTHER, ""):
                probe.move(serial)
                sent.clear()
                told = await action(user)
                assert sent, serial
                assert probe.private(sent) == [], serial
                assert SENTENCE in told or action in (User.poll, User.quick), serial
                assert not coordinator.validator.is_replaced or serial == OTHER
                await coordinator.async_publish(
                    coordinator.validator.dismiss_replacement(coordinator.data)
                )
            probe.move(OTHER)
            await coordinator.async_refresh()
            await coordinator.async_refresh()
            assert coordinator.validator.is_replaced
            sent.clear()
            told = await action(user)
            assert probe.private(sent) == [], "asked"
            assert SENTENCE in told or action in (User.poll, User.quick)
            # The own meter gets all of it.
            probe.move(OWN)
            await coordinator.async_publish(
                coordinator.validator.dismiss_replacement(coordinator.data)
            )
            sent.clear()
            assert SENTENCE not in await action(user)
            assert probe.private(sent)


# Where the number is told


@pytest.mark.parametrize("how", ["refuses", "deaf", "breaks"])
async def test_number_that_only_the_readout_tells(
    hass: HomeAssistant, admin: Context, how: str
) -> None:
    """It is read out in the same turn, before the password."""
    probe = Programmed(
        deaf_to=frozenset(("0.0.0",) if how == "deaf" else ()),
        breaks_at="0.0.0" if how == "breaks" else "",
    )
    probe.programming.cells["0.0.0"] = Cell("", Guard.NEVER)
    with leaping(START):
        async with wire(hass, probe.meter) as (memory, sent):
            entry = probe.entry(hass, interval=86400)
            await load(hass, entry)
            user = User(hass, probe, entry, admin)
            for serial in (OTHER, ""):
                probe.move(serial)
                assert SENTENCE in await user.write()
                assert probe.private(sent) == [], serial
            probe.move()
            before, sent[:] = len(memory.log.of(Kind.SENT)), []
            assert "confirmed" in await user.write()
            assert [one[1:3] for one in probe.private(sent)] == [b"P1", b"W1"]
            assert len(memory.log.of(Kind.SENT)) == before + 1


async def test_number_in_the_identification(hass: HomeAssistant, admin: Context) -> None:
    """Nothing is asked for it, and another one there is another meter's."""
    probe = Programmed()
    probe.meter.manners.model = f"P1-{OWN}"
    with leaping(START):
        async with wire(hass, probe.meter) as (_, sent):
            entry = probe.entry(hass, interval=86400)
            await load(hass, entry)
            user = User(hass, probe, entry, admin)
            assert "confirmed" in await user.write()
            assert not any(b"0.0.0" in one for one in sent)
            probe.meter.manners.model = f"P1-{OTHER}"
            sent.clear()
            assert SENTENCE in await user.write()
            assert probe.private(sent) == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
async def test_meter_that_never_tells_its_number(
    hass: HomeAssistant, admin: Context, family: Callable[[], Probe]
) -> None:
    """Make and model must be the same; a change needs a reading within one interval, a password does not."""
    probe = family()
    probe.move("")
    with leaping(START) as clock:
        async with wire(hass, probe.meter) as (_, sent):
            entry = probe.entry(hass, interval=3600)
            hass.config_entries.async_update_entry(entry, unique_id=None)
            await load(hass, entry)
            await entry.runtime_data.coordinator.async_refresh()
            user = User(hass, probe, entry, admin)
            assert SENTENCE not in await user.write()
            assert probe.private(sent)
            hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
            await hass.config_entries.async_reload(entry.entry_id)
            clock.now += 3601
            probe.move("")
            sent.clear()
            told = await user.write()
            assert "its last reading is too old" in told
            assert probe.private(sent) == []
            assert SENTENCE not in await user.read_registers()
            assert probe.private(sent)
            await entry.runtime_data.coordinator.async_refresh()
            assert SENTENCE not in await user.write()
            probe.move("")
            sent.clear()
            manners = probe.meter.manners
            manners.ident = (manners.ident or "").replace("E1", "E2")
            manners.model = "P2"
            for action in (User.write, User.read_registers):
                assert SENTENCE in await action(user)
            assert probe.private(sent) == []


# Sessions that are lost


@pytest.mark.parametrize("code", ["C.1.9", "0.9.2"])
async def test_session_that_is_lost_is_proven_again(
    hass: HomeAssistant, admin: Context, code: str
) -> None:
    """The meter ends it in the middle of an action, and another one is there when it is opened again."""
    probe = Programmed(breaks_at=code)
    action = User.write if code == "C.1.9" else User.set_clock
    with leaping(START):
        async with wire(hass, probe.meter) as (memory, sent):
            entry = probe.entry(hass, interval=86400)
            await load(hass, entry)

            def look(data: bytes) -> None:
                if code.encode() in data:
                    probe.move(OTHER)

            sent.looked_at_by = look
            sent.clear()
            assert SENTENCE in await action(User(hass, probe, entry, admin))
            assert [one[1:3] for one in probe.private(sent)] == [b"P1"]
            assert len(memory.log.of(Kind.LOGGED_IN)) == 1


async def test_readout_vouches_for_one_session(hass: HomeAssistant) -> None:
    """The session is lost behind a readout that has told the number, and another meter is there when it is opened again."""
    probe = Programmed(breaks_at="0.4.2")
    probe.programming.cells["0.0.0"] = Cell("", Guard.NEVER)
    with leaping(START):
        async with wire(hass, probe.meter) as (memory, sent):
            entry = probe.entry(hass, interval=86400, extra=[])
            await load(hass, entry)
            options = {**entry.options, "extra": ["0.4.2"]}
            hass.config_entries.async_update_entry(entry, options=options)

            def look(data: bytes) -> None:
                if b"0.4.2" in data:
                    probe.move(OTHER)

            sent.looked_at_by = look
            sent.clear()
            await entry.runtime_data.coordinator.async_refresh()
            assert [one[1:3] for one in probe.private(sent)] == [b"P1"]
            assert len(memory.log.of(Kind.LOGGED_IN)) == 1


async def test_change_without_a_password(hass: HomeAssistant, admin: Context) -> None:
    probe = Programmed()
    probe.secret.clear()
    probe.programming.cells["C.1.9"] = Cell("(Point 1)", Guard.OPEN, Guard.OPEN)
    with leaping(START):
        async with wire(hass, probe.meter) as (_, sent):
            entry = probe.entry(hass, interval=86400)
            await load(hass, entry)
            user = User(hass, probe, entry, admin)
            for serial in (OTHER, ""):
                probe.move(serial)
                assert SENTENCE in await user.write()
                assert probe.private(sent) == [], serial
            probe.move()
            assert "confirmed" in await user.write()
            assert [one[1:3] for one in probe.private(sent)] == [b"W1"]


# Before anything is known of the meter


@pytest.mark.parametrize("family", [low, high, keyed], ids=lambda family: family.__name__)
async def test_first_reading_of_an_entry_whose_memory_is_lost(
    hass: HomeAssistant, family: Callable[[], Probe]
) -> None:
    probe = family()
    probe.move(OTHER)
    with leaping(START):
        async with wire(hass, probe.meter) as (_, sent):
            entry = probe.entry(hass)
            data = {**entry.data, "number_code": "1-0:0.0.0"}
            hass.config_entries.async_update_entry(entry, data=data)
            await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done()
            assert sent
            assert probe.private(sent) == []


async def test_reconfiguring_tells_the_secret_to_no_other_meter(hass: HomeAssistant) -> None:
    probe = low()
    with leaping(START):
        async with wire(hass, probe.meter) as (_, sent):
            entry = probe.entry(hass)
            data = {**entry.data, "number_code": "1-0:0.0.0"}
            hass.config_entries.async_update_entry(entry, data=data)
            await load(hass, entry)
            form = {
                "device": entry.data["device"],
                "advanced": {},
                "binary": {"security": "low"},
            }
            for serial, reason in ((OTHER, "other_meter"), (OWN, "reconfigure_successful")):
                probe.move(serial)
                sent.clear()
                shown = await entry.start_reconfigure_flow(hass)
                flows = hass.config_entries.flow
                shown = await flows.async_configure(shown["flow_id"], form)
                shown = await through(flows, shown)
                assert shown["reason"] == reason
                assert bool(probe.private(sent)) == (serial == OWN)
                await hass.async_block_till_done()


# What a plain reading costs


async def test_plain_readings_cost_nothing_more(hass: HomeAssistant, admin: Context) -> None:
    probe = Programmed()
    with leaping(START):
        async with wire(hass, probe.meter) as (_, sent):
            entry = probe.entry(hass, interval=86400)
            await load(hass, entry)
            # The meter may still be asked to repeat its readout.
            await asyncio.sleep(5)
            sent.clear()
            await entry.runtime_data.coordinator.async_refresh()
            assert sent == [b"/?!\r\n", b"\x06050\r\n"]
            hass.config_entries.async_update_entry(
                entry, data={name: entry.data[name] for name in ("device", "address")}
            )
            await asyncio.sleep(5)
            sent.clear()
            user = User(hass, probe, entry, admin)
            await user.act("read_registers", codes=["16.7.0"])
            assert [one[:8] for one in sent] == [
                b"/?!\r\n",
                b"\x06051\r\n",
                b"\x01R1\x0216.7",
                b"\x01B0\x03q",
            ]


async def test_plain_reading_in_mode_e_is_one_session(hass: HomeAssistant) -> None:
    probe = low()
    probe.secret = {"mode": "E"}
    with leaping(START):
        async with wire(hass, probe.meter) as (memory, _):
            entry = probe.entry(hass, interval=86400)
            await load(hass, entry)
            before = len(memory.log.of(Kind.SIGN_ON))
            await entry.runtime_data.coordinator.async_refresh()
            assert len(memory.log.of(Kind.SIGN_ON)) == before + 1


async def test_reading_with_more_registers_has_told_the_number_already(
    hass: HomeAssistant,
) -> None:
    probe = Programmed()
    with leaping(START):
        async with wire(hass, probe.meter) as (memory, sent):
            entry = probe.entry(hass, interval=86400, extra=[probe.codes["read"]])
            await load(hass, entry)
            sent.clear()
            before = len(memory.log.of(Kind.SIGN_ON))
            await entry.runtime_data.coordinator.async_refresh()
            assert [one[1:3] for one in probe.private(sent)] == [b"P1"]
            assert not any(b"0.0.0" in one for one in sent)
            assert len(memory.log.of(Kind.SIGN_ON)) == before + 2
