"""A line may be cut at any moment: it is read again without a hand, nothing is left open, no value is wrong."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest

from ..common.clock import hurried
from ..common.cuts import SEED, Cut, Ports, Station, all_of, station
from ..common.document import section, write_section
from ..common.held import open_files, tasks

pytestmark = pytest.mark.usefixtures("socket_enabled")

STATIONS = 6
PACE = 8.0
FEW, ALL = 24, 500
# Their line is always open, so no time can be passed over.
PUSHING = 2
FEW_PUSHED, ALL_PUSHED = 6, 100


async def settled(ports: Ports, files: Counter[str], running: int) -> None:
    """Give what is ending the time for it: the far end of a connection hears of it last."""
    for _ in range(200):
        if not ports.held and open_files() <= files and tasks() <= running:
            return
        await asyncio.sleep(0.5)


async def cut_again_and_again(hass: HomeAssistant, folder: Path, count: int) -> list[Station]:
    """So many cuts, shared among the stations; nothing may be left of them."""
    ports = Ports()
    async with AsyncExitStack() as stack:
        stack.enter_context(
            patch("custom_components.iec62056.meter.connection.open_line", ports.open_line)
        )
        clock = stack.enter_context(hurried(PACE))
        stations = [
            await stack.enter_async_context(station(hass, clock, ports, folder, number))
            for number in range(STATIONS)
        ]
        files = open_files()
        for ending in await asyncio.gather(*(one.begin() for one in stations)):
            stack.callback(ending)
        await hass.async_block_till_done()
        running = tasks()
        while left := count - sum(len(one.cuts) for one in stations):
            await all_of(clock, ports, *(one.disturb() for one in stations[:left]))
        await settled(ports, files, running)
        assert (ports.held, open_files(), tasks()) == (0, files, running)
        for one in stations:
            assert await hass.config_entries.async_unload(one.entry.entry_id)
        await settled(ports, files, running)
        assert open_files() == files
    return stations


async def cut_while_pushed(hass: HomeAssistant, folder: Path, count: int) -> list[Station]:
    """So many cuts of lines that meters send on by themselves; nothing may be left when they are unloaded."""
    # It watches for new devices from its set-up on.
    assert await async_setup_component(hass, "usb", {})
    ports = Ports()
    async with AsyncExitStack() as stack:
        stack.enter_context(
            patch("custom_components.iec62056.meter.connection.open_line", ports.open_line)
        )
        clock = stack.enter_context(hurried(PACE))
        stations = [
            await stack.enter_async_context(
                station(hass, clock, ports, folder, number, pushes=True)
            )
            for number in range(PUSHING)
        ]
        files, running = open_files(), tasks()
        for ending in await asyncio.gather(*(one.begin() for one in stations)):
            stack.callback(ending)
        while left := count - sum(len(one.cuts) for one in stations):
            await all_of(clock, ports, *(one.disturb() for one in stations[:left]))
        assert ports.held == PUSHING
        for one in stations:
            assert await hass.config_entries.async_unload(one.entry.entry_id)
        await settled(ports, files, running)
        assert (ports.held, open_files(), tasks()) == (0, files, running)
    return stations


def told(stations: list[Station]) -> str:
    """What became of the cuts, as Markdown."""
    counts = Counter(cut for one in stations for cut in one.cuts)
    rows = "".join(f"| {cut} | {counts[cut]} | {counts[cut]} |\n" for cut in Cut)
    total = counts.total()
    return (
        f"\n{total} cuts (seed {SEED}), each at a random moment of a session or just before one:\n\n"
        f"| Cut | Times | Read again by itself |\n| --- | --- | --- |\n{rows}\n"
        "No value was wrong, and as many files and tasks were open at the end as at the beginning.\n\n"
    )


async def test_some_cuts(hass: HomeAssistant, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    stations = await cut_again_and_again(hass, tmp_path, FEW)
    assert [one.faults for one in stations] == [[]] * STATIONS
    assert {cut for one in stations for cut in one.cuts} == set(Cut)


@pytest.mark.long
async def test_all_cuts(hass: HomeAssistant, tmp_path: Path) -> None:
    stations = await cut_again_and_again(hass, tmp_path, ALL)
    longest = max(one.longest for one in stations)
    print(f"seed {SEED}: {ALL} cuts, the longest way back {longest:.0f} s")
    assert [one.faults for one in stations] == [[]] * STATIONS
    write_section("cuts", told(stations))


async def test_some_cuts_of_pushing_meters(hass: HomeAssistant, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    stations = await cut_while_pushed(hass, tmp_path, FEW_PUSHED)
    assert [one.faults for one in stations] == [[]] * PUSHING


@pytest.mark.long
async def test_all_cuts_of_pushing_meters(hass: HomeAssistant, tmp_path: Path) -> None:
    stations = await cut_while_pushed(hass, tmp_path, ALL_PUSHED)
    longest = max(one.longest for one in stations)
    print(f"seed {SEED}: {ALL_PUSHED} cuts, the longest way back {longest:.0f} s")
    assert [one.faults for one in stations] == [[]] * PUSHING
    write_section("pushed cuts", told(stations))


def test_document_tells_of_all_cuts() -> None:
    assert f"{ALL} cuts (seed {SEED})" in section("cuts")
    assert f"{ALL_PUSHED} cuts (seed {SEED})" in section("pushed cuts")
