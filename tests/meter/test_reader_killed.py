"""Home Assistant killed in the middle of a session in programming mode: the next start reads the meter."""

import asyncio
from dataclasses import replace
from pathlib import Path
import sys
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.model import LineProfile, Medium
from custom_components.iec62056.state.meter_state import MeterState
from simulator import Kind, Served, serve

from ..common.bench import reading
from ..common.killed import killed_once
from ..common.programmed import SECRET, SERIAL, meter
from ..common.stored_file import file_of, stored

pytestmark = pytest.mark.usefixtures("socket_enabled")

TALKER = """
import asyncio, sys
# The client alone: with Home Assistant, the start would take seconds.
sys.path.insert(0, "custom_components/iec62056")
from protocol.ascii.passwords import Password
from protocol.client import MeterClient
from protocol.transport.serial_line import open_line

async def main():
    client = MeterClient(await open_line(sys.argv[1]), password=Password(sys.argv[2]))
    async with client.conversation() as talk:
        while True:
            await talk.read(("32.7.0",))

asyncio.run(main())
"""


async def killed_while_talking(served: Served, log: Path) -> None:
    """Another process keeps a session open, and is killed in it: the meter waits for its next command."""
    command = [sys.executable, "-c", TALKER, served.url, SECRET]
    await killed_once(lambda: len(served.log.of(Kind.COMMAND)) >= 2, command, log)


async def test_next_start_reads_after_a_kill(
    hass: HomeAssistant, hass_storage: dict[str, Any], tmp_path: Path
) -> None:
    async with serve(meter()) as served:
        await killed_while_talking(served, tmp_path / "log")
        entry = MockConfigEntry(
            domain=DOMAIN, unique_id=f"LGZ_{SERIAL}", data={"device": served.url, "address": ""}
        )
        entry.add_to_hass(hass)
        profile = replace(LineProfile(medium=Medium.ELECTRICITY), speed=9600)
        hass_storage[file_of(entry)] = stored(MeterState.of(reading({"0.0.0": [SERIAL]}), profile))
        await hass.config_entries.async_setup(entry.entry_id)
        assert entry.state is ConfigEntryState.LOADED
        async with asyncio.timeout(60):
            await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.runtime_data.coordinator.last_update_success, (
            entry.runtime_data.coordinator.last_exception
        )
        assert entry.runtime_data.coordinator.failures == 0
        known = entry.runtime_data.coordinator.data.registers["1-0:1.8.0"].register
        assert known.values[0].text.startswith("1000.")
        # It was told to end the session, and did not have to wait for its own patience.
        assert not served.log.of(Kind.TIMED_OUT)
        await hass.config_entries.async_unload(entry.entry_id)
