"""Quick registers: they are read all the time, and nobody waits for them."""

import asyncio
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056 import quick
from custom_components.iec62056.protocol.access import Answer
from custom_components.iec62056.protocol.ascii.programming import Programming as Client
from custom_components.iec62056.protocol.errors import MeterError
from custom_components.iec62056.protocol.model import Medium, Mode
from simulator import Cell, Kind

from .bench import START, entity_id
from .parts.leap import leaping
from .parts.programmed import SERIAL, entry_of, meter, programming, proofs, wire

OTHER: Final = "88003344"
INTERVAL: Final = 60.0
# A full reading waits for one register, the sign-off and the line's rest, and takes its own time.
SLACK: Final = 20.0
QUICK: Final[dict[str, Any]] = {"quick": ["16.7.0", "32.7.0"], "quick_seconds": 5}


class Station:
    """One entry, when it was read wholly, and when its power was seen."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, serial: str) -> None:
        self.entry = entry
        self.read: list[datetime] = []
        self.rounds = 0
        self._last = entity_id(hass, "last_reading", f"LGZ_{serial}")
        async_track_state_change_event(hass, [self._last], self._changed)
        self.coordinator = entry.runtime_data
        entry.async_on_unload(self.coordinator.async_add_listener(self._counted))

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        if (new := event.data["new_state"]) is not None and new.state[:2] == "20":
            self.read.append(datetime.fromisoformat(new.state))

    @callback
    def _counted(self) -> None:
        known = self.coordinator.data.registers.get("1-0:32.7.0")
        self.rounds += known is not None and known.received > self.coordinator.data.received

    @property
    def longest(self) -> float:
        return max((later - earlier).total_seconds() for earlier, later in pairwise(self.read))


async def station(
    hass: HomeAssistant, serial: str = SERIAL, *, options: Any = None, **data: Any
) -> Station:
    entry = entry_of(hass, serial, data=data, options=options)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return Station(hass, entry, serial)


async def test_in_one_kept_session(hass: HomeAssistant) -> None:
    """Full readings come as often as without, and there is one sign-on for them and one for what lies between."""
    with leaping(START):
        async with wire(hass, meter()) as (memory, sent):
            one = await station(hass, options=QUICK)
            await asyncio.sleep(1800)
            assert one.coordinator.failures == 0
            assert len(one.read) >= 1800 / (INTERVAL + SLACK)
            assert one.longest <= INTERVAL + SLACK
            # Every five seconds, but for the sign-ons after the full readings.
            assert one.rounds >= 0.6 * 1800 / 5
            assert len(memory.log.of(Kind.SIGN_ON)) <= 2 * len(one.read) + 4
            assert not proofs(sent)
            # What a quick register says does not make the reading younger.
            assert one.coordinator.data.received.replace(microsecond=0) == one.read[-1]


async def test_two_meters_on_one_line_and_neither_reading_is_late(hass: HomeAssistant) -> None:
    with leaping(START):
        meters = [meter(serial, address=serial, needs_address=True) for serial in (SERIAL, OTHER)]
        async with wire(hass, *meters) as (memory, _):
            fast = await station(hass, options=QUICK, address=SERIAL, bus=True)
            plain = await station(hass, OTHER, address=OTHER, bus=True)
            await asyncio.sleep(3600)
            for one in (fast, plain):
                assert one.coordinator.failures == 0
                assert one.longest <= INTERVAL + SLACK, one.longest
                assert len(one.read) >= 3600 / (INTERVAL + SLACK)
            assert fast.rounds >= 0.4 * 3600 / 5
            assert not memory.log.of(Kind.COLLISION)


async def test_two_that_are_quick_do_not_starve_each_other(hass: HomeAssistant) -> None:
    with leaping(START):
        meters = [meter(serial, address=serial, needs_address=True) for serial in (SERIAL, OTHER)]
        async with wire(hass, *meters):
            both = [
                await station(hass, serial, options=QUICK, address=serial, bus=True)
                for serial in (SERIAL, OTHER)
            ]
            await asyncio.sleep(3600)
            for one in both:
                assert one.longest <= INTERVAL + 2 * SLACK, one.longest
                assert one.rounds >= 100


async def test_an_action_has_the_line_within_one_register(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    real = Client.read

    async def read(self: Client, codes: Any) -> tuple[Answer, ...]:
        reads.extend(codes)
        return await real(self, codes)

    monkeypatch.setattr(Client, "read", read)
    with leaping(START) as clock:
        async with wire(hass, meter()):
            one = await station(hass, options={**QUICK, "quick_seconds": 60})
            # In the pause between two rounds, and in the middle of one.
            for pause in (31.0, 1.0):
                await asyncio.sleep(pause)
                begun, before = clock.now, len(reads)
                async with one.coordinator.hold():
                    assert len(reads) - before <= 1
                    assert clock.now - begun < 5


@pytest.mark.parametrize("why", ["battery", "push"])
async def test_not_where_it_would_cost_the_meter(hass: HomeAssistant, why: str) -> None:
    with leaping(START):
        async with wire(hass, meter()):
            one = await station(hass)
            coordinator = one.coordinator
            assert quick.may_be_quick(coordinator)
            changed = {"medium": Medium.HEAT} if why == "battery" else {"mode": Mode.D}
            coordinator.profile = replace(coordinator.profile, **changed)
            assert not quick.may_be_quick(coordinator)


async def test_rate_is_that_of_the_shared_line(hass: HomeAssistant) -> None:
    with leaping(START):
        meters = [meter(serial, address=serial, needs_address=True) for serial in (SERIAL, OTHER)]
        async with wire(hass, *meters):
            one = await station(hass, address=SERIAL, bus=True)
            alone = await quick.async_rate(one.coordinator, 3)
            # 200 ms on both sides, three times, and the characters.
            assert 0.4 < alone < 0.83
            assert await quick.async_rate(one.coordinator, 1) > 2 * alone
            await station(hass, OTHER, options=QUICK, address=OTHER, bus=True)
            assert await quick.async_rate(one.coordinator, 3) < alone / 2


async def test_way_is_tried_before_it_is_kept(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, meter()):
            one = await station(hass)
            assert await quick.async_way(one.coordinator, ["16.7.0"]) is None
            with pytest.raises(MeterError):
                await quick.async_way(one.coordinator, ["9.9.9"])


async def test_a_meter_that_changes_is_seen_to(hass: HomeAssistant) -> None:
    """The value that is shown follows the meter between two full readings."""
    mode = programming()
    with leaping(START):
        async with wire(hass, meter(mode=mode)):
            await station(hass, options=QUICK)
            await asyncio.sleep(20)
            mode.cells["32.7.0"] = Cell("(228.4*V)")
            await asyncio.sleep(11)
            shown = hass.states.get(entity_id(hass, "1-0:32.7.0", f"LGZ_{SERIAL}"))
            assert shown is not None
            assert float(shown.state) == 228.4
