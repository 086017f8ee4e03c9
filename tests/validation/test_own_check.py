"""A check character that is always wrong: also of meters that are heard or woken seldom, the user is asked.

The client and the meter are real (the simulator's), the line between them is in memory, and time leaps.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final, override

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter.wake_budget import WAKE_UPS_A_DAY
from custom_components.iec62056.protocol.model import CheckKind
from custom_components.iec62056.repairs import async_create_fix_flow
from simulator import Check, Heat, Manners, Meter, Mode
from simulator.manners import check_character

from ..common.battery_house import DAY, HOUR, URL, House, house
from ..common.bench import START
from ..common.leap import leaping
from ..common.memory import Memory
from ..common.replacement import questions

MINUTE: Final = 60.0
SEED: Final = 62056
# Std 6.3.3.
STX, ETX = b"\x02", b"\x03"


def flip(noise: Random, first: int, behind: int) -> dict[int, int]:
    """One character that is another one, of the right parity."""
    bits = noise.randrange(1, 0x80)
    return {noise.randrange(first, behind): bits | 0x80 * (bits.bit_count() % 2)}


class Pushing(Meter):
    """Speaks unasked, and frames its data; with `noise`, each telegram has one wrong character of the right parity."""

    noise: Random | None = None

    @override
    def _block(self) -> bytes:
        covered = super()._block() + ETX
        block = STX + covered + check_character(self.manners.check, covered)
        if self.noise is not None:
            # Its name stands before the block, in less characters.
            self.faults.flips = flip(self.noise, 30, len(block))
        return block


@asynccontextmanager
async def pushing(hass: HomeAssistant) -> AsyncIterator[tuple[MockConfigEntry, Pushing]]:
    """A meter that pushes every ten seconds, and its entry, which was set up a moment ago."""
    meter = Pushing(
        Heat(clock=dt_util.utcnow), Manners(mode=Mode.D, interval=10.0, flag="LUG", model="CUX50")
    )
    memory = Memory(meter)

    with memory.in_place():
        entry = MockConfigEntry(
            domain=DOMAIN,
            unique_id="LUG_70012345",
            data={"device": URL, "address": "", "mode": "D"},
        )
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        await asyncio.sleep(MINUTE)
        assert entry.runtime_data.coordinator.reader.line_profile.check_kind is CheckKind.XOR
        yield entry, meter
        assert await hass.config_entries.async_unload(entry.entry_id)
        memory.stop()


async def agree(hass: HomeAssistant) -> None:
    """Do without the check."""
    (issue,) = (one for (domain, _), one in ir.async_get(hass).issues.items() if domain == DOMAIN)
    flow: Any = await async_create_fix_flow(hass, issue.issue_id, issue.data)
    flow.hass, flow.issue_id = hass, issue.issue_id
    await flow.async_step_init({})
    assert questions(hass) == []


async def test_meter_that_pushes(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    with leaping(START):
        async with pushing(hass) as (entry, meter):
            assert questions(hass) == []
            meter.manners.check = Check.WRONG
            await asyncio.sleep(2 * MINUTE)
            # Not yet: a disturbance of two minutes is none of the meter's.
            assert not entry.runtime_data.coordinator.last_update_success
            assert questions(hass) == []
            await asyncio.sleep(3 * MINUTE)
            assert questions(hass) == ["check"]
            assert await hass.config_entries.async_reload(entry.entry_id)
            assert questions(hass) == ["check"]
            await agree(hass)
            await asyncio.sleep(5 * MINUTE)
            assert entry.runtime_data.coordinator.last_update_success
            age = dt_util.utcnow() - entry.runtime_data.coordinator.data.received
            assert age.total_seconds() < MINUTE
            assert entry.runtime_data.coordinator.reader.line_profile.check_kind is CheckKind.NONE


async def test_meter_that_pushes_over_a_noisy_line(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """For half an hour not one telegram is whole."""
    with leaping(START):
        async with pushing(hass) as (entry, meter):
            meter.noise = Random(SEED)
            for _ in range(30):
                await asyncio.sleep(MINUTE)
                assert questions(hass) == []
            assert not entry.runtime_data.coordinator.last_update_success
            assert entry.runtime_data.coordinator.checks_failed


async def days(one: House, number: int) -> None:
    """So many days, and a start of Home Assistant in each."""
    for _ in range(number):
        await asyncio.sleep(DAY - 6 * HOUR)
        await one.stop()
        await one.start()
        await asyncio.sleep(6 * HOUR)


async def test_meter_on_its_battery(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    """Three wake-ups, days apart, with starts between them; not one of them is there for the question."""
    with leaping(START) as clock:
        async with house(hass, clock) as one:
            one.meter.manners.check = Check.WRONG
            await days(one, 2)
            assert questions(hass) == []
            await days(one, 2)
            assert questions(hass) == ["check"]
            await agree(hass)
            await days(one, 2)
            assert one.entry.runtime_data.coordinator.last_update_success
            assert (
                one.entry.runtime_data.coordinator.reader.line_profile.check_kind is CheckKind.NONE
            )
            woken = one.woken[1:]
            assert len(woken) <= 7
            for first, over in zip(woken, woken[WAKE_UPS_A_DAY:], strict=False):
                assert over - first >= DAY


async def test_meter_on_its_battery_over_a_noisy_line(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """A week in which each reading has one wrong character, of the right parity, each time another."""
    noise = Random(SEED)
    with leaping(START) as clock:
        async with house(hass, clock) as one:
            received = one.entry.runtime_data.coordinator.data.received
            for _ in range(7):
                one.meter.faults.flips = flip(noise, 1, 300)
                await days(one, 1)
                assert questions(hass) == []
            assert one.entry.runtime_data.coordinator.data.received == received
