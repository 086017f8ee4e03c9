"""Quick registers: they are read all the time, and nobody waits for them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, override

from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.protocol.ascii.register_writer import RegisterWriter as Client
from custom_components.iec62056.protocol.errors import MeterError, NumberUnsteady
from custom_components.iec62056.protocol.model import Medium, Mode
from custom_components.iec62056.protocol.register_session import Answer
from custom_components.iec62056.protocol.transport.fair_lock import BUS_IDLE
from simulator import Cell, Check, Guard, Kind, Manners, Meter, Programming
from simulator.dlms import BinaryManners, BinaryMeter, Device, household
from simulator.dlms.policy import KEY
from simulator.dlms.things import name

from ..common.bench import START, entity_id, state
from ..common.leap import leaping
from ..common.programmed import SERIAL, Registers, entry_of, meter, programming, proofs, wire

OTHER: Final = "88003344"
INTERVAL: Final = 60.0
# A full reading waits for one register, the sign-off and the line's rest, and takes its own time.
SLACK: Final = 20.0
QUICK: Final[dict[str, Any]] = {"quick": ["16.7.0", "32.7.0"], "quick_seconds": 5}
NUMBER: Final = "0.0.0"


# Each reading is noticed by the sensor "Last reading".
pytestmark = pytest.mark.usefixtures("every_sensor_enabled")


class Station:
    """One entry, when it was read wholly, and when its power was seen."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, serial: str) -> None:
        self.entry = entry
        self.read: list[datetime] = []
        self.rounds = 0
        self._last = entity_id(hass, "last_reading", f"LGZ_{serial}")
        async_track_state_change_event(hass, [self._last], self._changed)
        self.coordinator = entry.runtime_data.coordinator
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
        # Whose the meter is belongs to the sign-on.
        reads.extend(code for code in codes if code != NUMBER)
        return await real(self, codes)

    monkeypatch.setattr(Client, "read", read)
    with leaping(START) as clock:
        async with wire(hass, meter()):
            one = await station(hass, options={**QUICK, "quick_seconds": 60})
            # In the pause between two rounds, and in the middle of one.
            for pause in (31.0, 1.0):
                await asyncio.sleep(pause)
                begun, before = clock.now, len(reads)
                async with one.coordinator.reader.hold_line():
                    assert len(reads) - before <= 1
                    assert clock.now - begun < 5


async def test_slow_line_is_given_up_in_the_middle_of_a_round(hass: HomeAssistant) -> None:
    """At 300 Bd one register takes 1.6 s, a round of eight 13 s: who waits, waits for the one that is being asked for."""
    codes = [f"{place}.7.0" for place in (31, 32, 33, 51, 52, 53, 71, 72)]
    mode = programming()
    mode.cells |= {code: Cell("(230.1*V)") for code in codes}
    reads: list[bytes] = []
    third = asyncio.Event()

    def look(data: bytes) -> None:
        if data[1:2] == b"R" and NUMBER.encode() not in data:
            reads.append(data)
            if len(reads) % 8 == 3:
                third.set()

    with leaping(START) as clock:
        async with wire(hass, meter(mode=mode, speed=300)) as (_, sent):
            sent.looked_at_by = look
            options = {"quick": codes, "quick_seconds": 60, "interval": 600}
            one = await station(hass, options=options)
            await third.wait()
            begun, before = clock.now, len(sent)
            async with one.coordinator.reader.hold_line():
                took = clock.now - begun
                assert [message[1:3] for message in sent[before:]] == [b"B0"]
            # 32 characters and two reactions, the break and the time a meter has for its own; then the line's rest.
            assert took < 2.7 + BUS_IDLE, took
            # The next session goes on where this one was given up.
            seen = len(reads)
            third.clear()
            await third.wait()
            assert codes[3].encode() in reads[seen]


async def test_two_registers_in_one_turn_where_the_make_tells_them_so(
    hass: HomeAssistant,
) -> None:
    mode = programming(named=False, together=2)
    with leaping(START):
        async with wire(hass, meter(mode=mode, check=Check.SUM, flag="SAT")) as (_, sent):
            one = await station(hass, options=QUICK)
            await asyncio.sleep(60)
            assert one.rounds >= 5
            reads = [message for message in sent if message[1:3] == b"R1"]
            (number,) = {message for message in reads if NUMBER.encode() in message}
            assert set(reads) - {number} == {b"\x01R1\x0216.7.0()\r\n32.7.0()\x03\x13"}


@pytest.mark.parametrize("why", ["battery", "push"])
async def test_not_where_it_would_cost_the_meter(hass: HomeAssistant, why: str) -> None:
    with leaping(START):
        async with wire(hass, meter()):
            one = await station(hass)
            coordinator = one.coordinator
            assert coordinator.config_entry.runtime_data.fast_poller.is_possible
            changed = {"medium": Medium.HEAT} if why == "battery" else {"mode": Mode.D}
            coordinator.reader.line_profile = replace(coordinator.reader.line_profile, **changed)
            assert not coordinator.config_entry.runtime_data.fast_poller.is_possible


async def test_way_is_tried_before_it_is_kept(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, meter()):
            one = await station(hass)
            for codes in (["16.7.0"], ["16.7.0", "32.7.0"]):
                way = await one.coordinator.config_entry.runtime_data.fast_poller.async_try(codes)
                assert way.request is None
                # 200 ms on both sides for each, and about thirty characters at 9600 Bd.
                assert 0.4 < way.seconds / len(codes) < 0.5
            with pytest.raises(MeterError):
                await one.coordinator.config_entry.runtime_data.fast_poller.async_try(["9.9.9"])


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


TOTAL: Final[dict[str, Any]] = {"quick": ["1.8.0"], "quick_seconds": 5, "interval": 3600}


def numbered(serial: str = SERIAL, total: str = "001000.010", **more: Any) -> Programming:
    """Programming mode that shows the meter's number."""
    mode = programming(**more)
    mode.cells |= {NUMBER: Cell(f"({serial})"), "1.8.0": Cell(f"({total}*kWh)")}
    return mode


class Seen(list[str]):
    """All that a sensor has shown."""

    def __init__(self, hass: HomeAssistant, key: str = "1-0:1.8.0") -> None:
        super().__init__()
        entity = entity_id(hass, key, f"LGZ_{SERIAL}")
        async_track_state_change_event(hass, [entity], self._changed)

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        if (new := event.data["new_state"]) is not None:
            self.append(new.state)


def put(probe: Meter, other: Meter) -> None:
    """Move the probe to another meter: what it says from now on is the other's."""
    probe.content, probe.manners, probe.programming = (
        other.content,
        other.manners,
        other.programming,
    )


def asked_for_number(sent: list[bytes]) -> int:
    return sum(NUMBER.encode() in message for message in sent)


@pytest.mark.parametrize(
    "other",
    [
        lambda: meter(OTHER, numbered(OTHER, "045000.500")),
        # A number that only looks like ours, at a meter that calls itself as ours does.
        lambda: meter(SERIAL, numbered(SERIAL[:-1] + "3", "045000.500")),
    ],
)
async def test_nothing_of_another_meter_is_shown(
    hass: HomeAssistant, other: Callable[[], Meter]
) -> None:
    with leaping(START):
        probe = meter(mode=numbered())
        async with wire(hass, probe):
            one = await station(hass, options=TOTAL)
            await asyncio.sleep(60)
            own = probe.content, probe.programming
            seen = Seen(hass)
            put(probe, other())
            probe.content = own[0]
            # Who waits for the line ends the session that was begun with the own meter.
            async with one.coordinator.reader.hold_line():
                pass
            await asyncio.sleep(600)
            assert seen == []
            probe.programming = own[1]
            assert own[1] is not None
            own[1].cells["1.8.0"] = Cell("(001000.020*kWh)")
            await asyncio.sleep(400)
            assert set(seen) == {"1000.020"}


async def test_number_is_asked_for_once_in_a_session(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, meter(mode=numbered())) as (memory, sent):
            one = await station(hass, options=QUICK)
            await asyncio.sleep(1800)
            assert one.coordinator.failures == 0
            assert one.rounds >= 0.6 * 1800 / 5
            assert 0 < asked_for_number(sent) <= len(memory.log.of(Kind.SIGN_ON)) - len(one.read)


async def test_session_that_the_meter_ends_is_proven_anew(hass: HomeAssistant) -> None:
    """It is opened again by itself, and then another meter may answer; what the own one says is not lost by that."""
    with leaping(START):
        probe = meter(mode=numbered(idle=4.0))
        async with wire(hass, probe):
            one = await station(hass, options={**TOTAL, "quick_seconds": 20})
            begun = one.coordinator.data.registers["1-0:1.8.0"].received
            await asyncio.sleep(300)
            shown = one.coordinator.data.registers["1-0:1.8.0"].received
            assert (shown - begun).total_seconds() > 240
            seen = Seen(hass)
            probe.programming = numbered(OTHER, "045000.500", idle=4.0)
            await asyncio.sleep(600)
            assert seen == []


@pytest.mark.parametrize("how", ["error", "deaf"])
async def test_meter_that_does_not_tell_its_number_in_a_session(
    hass: HomeAssistant, *, how: str
) -> None:
    """What it calls itself at the sign-on must do; and what it does not answer to is not asked again and again."""
    mode = programming(deaf_to=frozenset((NUMBER,) if how == "deaf" else ()))
    mode.cells |= {NUMBER: Cell("", Guard.NEVER), "1.8.0": Cell("(001000.010*kWh)")}
    with leaping(START):
        probe = meter(mode=mode)
        async with wire(hass, probe) as (_, sent):
            one = await station(hass, options=TOTAL)
            await asyncio.sleep(60)
            mode.cells["1.8.0"] = Cell("(001000.020*kWh)")
            before = asked_for_number(sent)
            for _ in range(5):
                async with one.coordinator.reader.hold_line():
                    pass
                await asyncio.sleep(30)
            assert asked_for_number(sent) == before > 0
            assert state(hass, "1-0:1.8.0", f"LGZ_{SERIAL}").state == "1000.020"
            seen = Seen(hass)
            mode.cells["1.8.0"] = Cell("(045000.500*kWh)")
            probe.manners = meter(model="P2").manners
            async with one.coordinator.reader.hold_line():
                pass
            await asyncio.sleep(600)
            assert not any(one.startswith("45000") for one in seen)


async def test_number_in_the_identification_needs_no_register(hass: HomeAssistant) -> None:
    with leaping(START):
        async with wire(hass, meter(mode=numbered(), model=f"P1-{SERIAL}")) as (_, sent):
            one = await station(hass, options=QUICK)
            await asyncio.sleep(120)
            assert one.rounds > 5
            assert not asked_for_number(sent)


async def test_way_is_not_found_at_another_meter(hass: HomeAssistant) -> None:
    with leaping(START):
        probe = meter(mode=numbered())
        async with wire(hass, probe):
            one = await station(hass)
            probe.programming = numbered(OTHER)
            with pytest.raises(NumberUnsteady):
                await one.coordinator.config_entry.runtime_data.fast_poller.async_try(["16.7.0"])


class Lines:
    """A readout of mode E."""

    def __init__(self, serial: str, total: str) -> None:
        self.serial, self.total = serial, total

    def block(self) -> bytes:
        return f"0.0.0({self.serial})\r\n1.8.0({self.total}*kWh)\r\n".encode()


async def test_nothing_of_another_meter_is_shown_in_mode_e(hass: HomeAssistant) -> None:
    """The link is lost where the probe is moved, and opened again by itself."""
    lines = Lines(SERIAL, "001000.010")
    probe = BinaryMeter(
        lines,
        Device(household(lines.block)),
        Manners(flag="LGZ", model="E1"),
        binary=BinaryManners(reads_out=True),
    )
    with leaping(START):
        async with wire(hass, probe):
            one = await station(hass, options={**TOTAL, "quick": ["1-0:1.8.0"]}, mode="E")
            await asyncio.sleep(60)
            seen = Seen(hass)
            lines.total = "001000.020"
            await asyncio.sleep(60)
            assert "1000.02" in seen
            lines.serial, lines.total = OTHER, "045000.500"
            async with one.coordinator.reader.hold_line():
                pass
            await asyncio.sleep(600)
            assert not any(shown.startswith("45000") for shown in seen)


class Lists(Meter):
    """A meter without programming mode that has a short list behind another request."""

    brief = "1.8.0(001000.010*kWh)\r\n"

    @override
    def _answers(self, request: str) -> bool:
        self.content = self if request.startswith("2") else Registers()
        return super()._answers(request)

    def block(self) -> bytes:
        return self.brief.encode()


@pytest.mark.parametrize(
    ("brief", "model"), [(f"0.0.0({OTHER})\r\n", "P1"), ("", "P2")], ids=["number", "model"]
)
async def test_short_list_of_another_meter_is_not_shown(
    hass: HomeAssistant, *, brief: str, model: str
) -> None:
    one = Lists(Registers(), Manners(flag="LGZ", model="P1", queries=("?", "2")))
    with leaping(START):
        async with wire(hass, one):
            await station(hass, options={**TOTAL, "quick_request": "2"})
            seen = Seen(hass)
            one.brief = "1.8.0(001000.020*kWh)\r\n"
            await asyncio.sleep(60)
            assert "1000.020" in seen
            one.brief = f"{brief}1.8.0(045000.500*kWh)\r\n"
            one.manners = replace(one.manners, model=model)
            await asyncio.sleep(600)
            assert not any(shown.startswith("45000") for shown in seen)


async def test_nothing_is_shown_where_nothing_tells_whose_it_is(hass: HomeAssistant) -> None:
    """HDLC at once has no sign-on that would name the meter, and its number was hidden meanwhile."""
    lines = Lines(SERIAL, "001000.010")
    device = Device(household(lines.block))
    probe = BinaryMeter(
        lines,
        device,
        Manners(flag="LGZ", model="E1", speed=9600),
        binary=BinaryManners(at_once=True),
    )
    with leaping(START):
        async with wire(hass, probe):
            one = await station(
                hass,
                options={**TOTAL, "quick": ["1-0:1.8.0"]},
                mode="E",
                hdlc_at_once=True,
            )
            await asyncio.sleep(60)
            lines.total = "001000.020"
            await asyncio.sleep(60)
            seen = Seen(hass)
            assert state(hass, "1-0:1.8.0", f"LGZ_{SERIAL}").state == "1000.02"
            (hidden,) = (thing for thing in device.things if thing.name == name("0.0.0"))
            hidden.readable[0] = KEY
            lines.total = "001001.500"
            # Nor is it remembered that it was told before.
            assert await hass.config_entries.async_reload(one.entry.entry_id)
            await asyncio.sleep(600)
            assert "1001.5" not in seen
