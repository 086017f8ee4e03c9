"""A real Home Assistant core, the real client, and a meter that behaves in time."""

import asyncio
from pathlib import Path
import sys
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.model import LineProfile, Medium
from custom_components.iec62056.state.meter_state import MeterState
from simulator import Household, Kind, Manners, Meter, Mode, Served, serve

from .common.bench import reading, state
from .common.clock import hurried
from .common.dialogue import through
from .common.killed import killed_once
from .common.stored_file import file_of, stored
from .common.waiting import until

pytestmark = pytest.mark.usefixtures("socket_enabled")

SERIAL = "10012345"
TRANSPORTS = ["pty", "tcp", "rfc2217"]
# A raw bridge stays at 300 Bd: a household then takes half a minute.
FASTER = {"pty": 4.0, "tcp": 10.0, "rfc2217": 4.0}


def meter(mode: Mode = Mode.C, speed: int = 9600, serial: str = SERIAL, **manners: Any) -> Meter:
    return Meter(
        Household(serial=serial), Manners(mode=mode, speed=speed, flag="LGZ", model="E1", **manners)
    )


def open_ports() -> list[str]:
    """Sockets and terminals this process holds."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        if target.startswith(("socket:", "/dev/pts", "/dev/ptmx", "/dev/tty")):
            found.append(target)
    return sorted(found)


async def closed(before: list[str]) -> None:
    """Wait until no more is open than before: the far end of a connection takes a moment to notice."""
    await until(lambda: open_ports() == before, words=open_ports)


async def add(
    hass: HomeAssistant, device: str, address: str = "", mode: str = "auto"
) -> ConfigEntry:
    """Go through the dialogue."""
    flow = hass.config_entries.flow
    shown = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    shown = await flow.async_configure(
        shown["flow_id"],
        {"device": device, "several": {"address": address}, "advanced": {"mode": mode}},
    )
    stages = []
    while shown["type"] is FlowResultType.SHOW_PROGRESS:
        stages.append(shown["progress_action"])
        await asyncio.sleep(0.05)
        shown = await flow.async_configure(shown["flow_id"])
    assert shown["step_id"] == "found", shown
    assert stages
    created = await flow.async_configure(shown["flow_id"], {})
    assert created["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    entry: ConfigEntry = created["result"]
    assert entry.state is ConfigEntryState.LOADED
    return entry


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_from_dialogue_to_sensors_and_back(hass: HomeAssistant, transport: str) -> None:
    async with serve(meter(), transport=transport, speed_up=FASTER[transport]) as served:
        assert await async_setup_component(hass, "usb", {})
        before = open_ports()
        tasks = asyncio.all_tasks()
        entry = await add(hass, served.url)
        assert entry.unique_id == f"LGZ_{SERIAL}"
        first = state(hass, "1-0:1.8.0", f"LGZ_{SERIAL}")
        assert float(first.state) == pytest.approx(7084.592, abs=1)
        assert first.attributes["unit_of_measurement"] == "kWh"
        assert len(served.log.of(Kind.SIGN_ON)) == 1
        health = entry.runtime_data.coordinator.data.health
        assert (health.check, health.parity_errors) == ("right", 0)

        # Once more, by the coordinator.
        await entry.runtime_data.coordinator.async_refresh()
        assert entry.runtime_data.coordinator.last_update_success
        assert len(served.log.of(Kind.SIGN_ON)) == 2

        assert await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        await closed(before)
        assert not {task for task in asyncio.all_tasks() - tasks if not task.done()}


@pytest.mark.parametrize("mode", [Mode.A, Mode.B])
async def test_other_modes(hass: HomeAssistant, mode: Mode) -> None:
    async with serve(meter(mode), speed_up=10) as served:
        entry = await add(hass, served.url)
        assert entry.runtime_data.coordinator.data.health.mode == mode
        await hass.config_entries.async_unload(entry.entry_id)


async def test_meter_that_sends_by_itself(hass: HomeAssistant) -> None:
    async with serve(meter(Mode.D, interval=0.5), speed=9600, speed_up=4) as served:
        before = open_ports()
        entry = await add(hass, served.url, mode="d")
        first = entry.runtime_data.coordinator.data.received
        await until(lambda: entry.runtime_data.coordinator.data.received != first)
        await hass.config_entries.async_unload(entry.entry_id)
        await closed(before)


async def test_two_meters_on_one_line(hass: HomeAssistant) -> None:
    meters = [meter(serial=serial, address=serial) for serial in ("10012345", "20012346")]
    for one in meters:
        one.manners.needs_address = True
    async with serve(*meters, speed_up=4) as served:
        entries = [await add(hass, served.url, one.manners.address) for one in meters]
        await asyncio.gather(*(entry.runtime_data.coordinator.async_refresh() for entry in entries))
        assert all(entry.runtime_data.coordinator.last_update_success for entry in entries)
        assert not served.log.of(Kind.COLLISION)
        for entry, one in zip(entries, meters, strict=True):
            assert entry.unique_id == f"LGZ_{one.manners.address}"
            await hass.config_entries.async_unload(entry.entry_id)


async def test_silent_port_says_so(hass: HomeAssistant) -> None:
    silent = meter()
    silent.faults.ignore = set(range(1, 20))
    # All ways to a meter are tried: more than a minute of the line's time.
    with hurried(8.0):
        async with serve(silent) as served:
            flow = hass.config_entries.flow
            shown = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
            shown = await flow.async_configure(
                shown["flow_id"], {"device": served.url, "advanced": {"mode": "auto"}}
            )
            shown = await through(flow, shown)
            assert shown["errors"] == {"base": "no_answer"}


async def killed_while_reading(served: Served, log: Path) -> None:
    """Another program reads the meter and is killed while the data come."""
    command = [sys.executable, "-m", "tests.common.reader", served.url, "1"]
    await killed_once(lambda: served.log.of(Kind.DATA), command, log)
    assert len(served.log.of(Kind.SIGN_ON)) == 1


@pytest.mark.parametrize("transport", ["pty", "rfc2217"])
async def test_next_start_reads_after_a_kill(
    hass: HomeAssistant, hass_storage: dict[str, Any], transport: str, tmp_path: Path
) -> None:
    """The meter is still sending its old readout when Home Assistant starts again."""
    async with serve(meter(speed=2400), transport=transport) as served:
        await killed_while_reading(served, tmp_path / "log")
        entry = MockConfigEntry(
            domain=DOMAIN, unique_id=f"LGZ_{SERIAL}", data={"device": served.url, "address": ""}
        )
        entry.add_to_hass(hass)
        before = MeterState.of(reading({"C.1.0": [SERIAL]}), LineProfile(medium=Medium.ELECTRICITY))
        hass_storage[file_of(entry)] = stored(before)
        await hass.config_entries.async_setup(entry.entry_id)
        assert entry.state is ConfigEntryState.LOADED
        async with asyncio.timeout(240):
            await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.runtime_data.coordinator.last_update_success, (
            entry.runtime_data.coordinator.last_exception
        )
        assert entry.runtime_data.coordinator.failures == 0
        energy = state(hass, "1-0:1.8.0", f"LGZ_{SERIAL}")
        assert float(energy.state) == pytest.approx(7084.592, abs=1)
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_unload_in_the_middle_of_a_readout(hass: HomeAssistant, transport: str) -> None:
    async with serve(meter(), transport=transport, speed_up=FASTER[transport]) as served:
        before = open_ports()
        entry = await add(hass, served.url)
        running = hass.async_create_task(entry.runtime_data.coordinator.async_refresh())
        await served.happened(Kind.OPTION, 2)
        assert await hass.config_entries.async_unload(entry.entry_id)
        await running
        await closed(before)
