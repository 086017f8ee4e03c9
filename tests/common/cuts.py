"""Lines that are cut at random moments of a session, and Home Assistant on the other end of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from random import Random
import sys
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.transport.serial_line import SerialLine, open_line
from simulator import Kind, Manners, Meter, Mode, Served, serve

from .clock import Clock
from .proxy import Proxy, proxy

SEED: Final = 62_056
ROOT: Final = Path(__file__).parents[2]
# In the middle of what the standard allows (Std 6.4), so that a busy machine costs nothing at a fast clock.
REACTION: Final = 0.8
# A session of these meters takes some 4 s; the cut may also come when it is over.
SESSION: Final = 5.0
LONGEST_CUT: Final = 30.0
# A meter that sends by itself does so that often: a cut falls into a telegram, or between two.
PUSHED_EVERY: Final = 2.0
IDLE_SHARE: Final = 0.15
# So much time is passed over at once while no port is open.
STEP: Final = 20.0
# No reading and no search for a meter takes so long.
LONGEST_HELD: Final = 600.0
# From the moment the line is back: the longest pause between tries, and the tries themselves.
PATIENCE: Final = 2 * 3600.0

# Too little for a meter to have jumped, and never the same in two readouts.
KWH_PER_READOUT: Final = Decimal("0.0001")
EXPORTED: Final = Decimal(5000)


class Cut(StrEnum):
    """What happens to a line."""

    UNPLUG = "unplugged and plugged in again"
    RESET = "connection reset"
    CUT_SHORT = "connection reset after some more bytes"
    STALL = "network stalled"
    REBOOT = "bridge rebooted"
    KILL = "reading process killed"


ON_PORT = (Cut.UNPLUG, Cut.KILL)
ON_BRIDGE = (Cut.RESET, Cut.CUT_SHORT, Cut.STALL, Cut.REBOOT, Cut.UNPLUG, Cut.KILL)


class Counting:
    """Registers that say which readout they are from."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.count = 0

    def block(self) -> bytes:
        """The next readout."""
        self.count += 1
        imported = self.count * KWH_PER_READOUT
        return (
            f"0.0.0({self.number})\r\n1.8.0({imported}*kWh)\r\n2.8.0({EXPORTED + imported}*kWh)\r\n"
        ).encode()


def readout_of(text: str) -> int:
    """Which readout a value is from; -1 for a value that no readout had."""
    value = Decimal(text)
    number = (value - EXPORTED if value >= EXPORTED else value) / KWH_PER_READOUT
    return int(number) if number == int(number) else -1


class Ports:
    """How many ports Home Assistant holds or is opening."""

    def __init__(self) -> None:
        self.held = 0

    async def open_line(self, url: str, **settings: Any) -> SerialLine:
        """In place of the client's own."""
        self.held += 1
        try:
            line = await open_line(url, **settings)
        except BaseException:
            self.held -= 1
            raise
        close = line.close

        async def closing() -> None:
            line.close = close  # type: ignore[method-assign]
            try:
                await close()
            finally:
                self.held -= 1

        line.close = closing  # type: ignore[method-assign]
        return line


@dataclass
class Station:
    """One meter, its line and its entry."""

    hass: HomeAssistant
    clock: Clock
    ports: Ports
    served: Served
    content: Counting
    network: Proxy | None
    entry: MockConfigEntry
    random: Random
    pushes: bool = False
    faults: list[str] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    longest: float = 0.0
    _last: dict[str, int] = field(default_factory=dict)

    async def begin(self) -> Callable[[], None]:
        """Set the entry up, and look at every state that is written from then on."""
        async with self.entry.setup_lock:
            # The first entry of all brings the others with it.
            begun = self.entry.state is ConfigEntryState.LOADED
        assert begun or await self.hass.config_entries.async_setup(self.entry.entry_id)
        registry = er.async_get(self.hass)
        watched = [
            one.entity_id
            for one in er.async_entries_for_config_entry(registry, self.entry.entry_id)
            if one.unique_id.endswith(("_1-0:1.8.0", "_1-0:2.8.0"))
        ]
        assert len(watched) == 2
        return async_track_state_change_event(self.hass, watched, self._changed)

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        """Only what the meter has sent, and never backwards."""
        state = event.data["new_state"]
        if state is None or state.state in ("unavailable", "unknown"):
            return
        readout = readout_of(state.state)
        if not self._last.get(state.entity_id, 0) <= readout <= self.content.count:
            self.faults.append(f"{state.entity_id} became {state.state}")
        self._last[state.entity_id] = readout

    @property
    def shown(self) -> int:
        """The readout that Home Assistant shows; 0 while it shows none."""
        if self.entry.state is not ConfigEntryState.LOADED:
            return 0
        registers = self.entry.runtime_data.coordinator.data.registers
        imported, exported = (
            readout_of(registers[key].register.values[0].text) for key in ("1-0:1.8.0", "1-0:2.8.0")
        )
        if imported != exported:
            self.faults.append(f"one reading of two readouts: {imported}, {exported}")
        return imported

    async def disturb(self) -> None:
        """One cut at a random moment, and the time until a new value is there."""
        cut = self.random.choice(ON_PORT if self.network is None else ON_BRIDGE)
        moment = self.random.uniform(0, SESSION)
        length = min(self.random.expovariate(1 / 5), LONGEST_CUT)
        idle = self.random.random() < IDLE_SHARE
        octets = self.random.randrange(120)
        self.cuts.append(cut)
        if cut is Cut.KILL:
            await self._kill(moment)
        else:
            if not idle:
                begun = Kind.DATA if self.pushes else Kind.SIGN_ON
                sessions = len(self.served.log.of(begun))
                await self.served.happened(begun, sessions + 1, PATIENCE)
                await asyncio.sleep(0 if cut is Cut.CUT_SHORT else moment)
            await self._cut(cut, length, octets)
        await self._recover(cut)

    async def _cut(self, cut: Cut, length: float, octets: int) -> None:
        """Cut the line, and mend it after that many seconds."""
        network = self.network
        if cut is Cut.UNPLUG:
            await self.served.unplug()
            await asyncio.sleep(length)
            await self.served.plug()
            return
        assert network is not None
        match cut:
            case Cut.RESET:
                network.reset()
            case Cut.CUT_SHORT:
                network.reset_after(octets)
            case Cut.STALL:
                network.stall()
                await asyncio.sleep(length)
                network.flow()
            case _:
                await network.stop()
                await asyncio.sleep(length)
                await network.start()

    async def _kill(self, moment: float) -> None:
        """The process that reads dies in the middle; Home Assistant starts after it."""
        await self.hass.config_entries.async_unload(self.entry.entry_id)
        url = self.served.url if self.network is None else self.network.url
        self.ports.held += 1
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.common.reader", url, str(self.clock.pace)),
                *([Mode.D] if self.pushes else []),
                stdout=asyncio.subprocess.PIPE,
                cwd=ROOT,
            )
            try:
                assert process.stdout is not None
                async with asyncio.timeout(PATIENCE):
                    assert await process.stdout.readline() == b"open\n"
                await asyncio.sleep(moment)
            finally:
                process.kill()
                await process.wait()
        finally:
            self.ports.held -= 1
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)

    async def _recover(self, cut: Cut) -> None:
        mended, before = self.clock.time(), self.content.count
        while self.shown <= before:
            if self.clock.time() - mended > PATIENCE:
                self.faults.append(f"not read again after: {cut}")
                return
            await asyncio.sleep(0.5)
        self.longest = max(self.longest, self.clock.time() - mended)


@asynccontextmanager
async def station(
    hass: HomeAssistant,
    clock: Clock,
    ports: Ports,
    folder: Path,
    number: int,
    *,
    pushes: bool = False,
) -> AsyncIterator[Station]:
    """A meter on a local port or, with an odd number, behind a bridge on a network that fails."""
    content = Counting(f"7001{number:04}")
    manners = Manners(flag="LGZ", speed=2400, reaction=REACTION, interval=PUSHED_EVERY)
    if pushes:
        manners.mode = Mode.D
    meter = Meter(content, manners)
    async with AsyncExitStack() as stack:
        if number % 2:
            served = await stack.enter_async_context(serve(meter, transport="rfc2217"))
            network = await stack.enter_async_context(proxy(served.url))
            url = network.url
        else:
            url = str(folder / f"usb-Probe_{number}-if00-port0")
            served = await stack.enter_async_context(serve(meter, path=Path(url)))
            network = None
        entry = MockConfigEntry(
            domain=DOMAIN,
            title=f"Meter {number}",
            unique_id=f"LGZ_{content.number}",
            data={"device": url, "address": ""} | ({"mode": Mode.D.value} if pushes else {}),
        )
        entry.add_to_hass(hass)
        random = Random(SEED + number)
        yield Station(hass, clock, ports, served, content, network, entry, random, pushes)


async def all_of(clock: Clock, ports: Ports, *work: Coroutine[Any, Any, None]) -> None:
    """Do that at the same time, and pass over the time in which no port is open."""
    idle = clock.time()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0.5)
            if not ports.held:
                clock.skip(STEP)
                idle = clock.time()
            assert clock.time() - idle < LONGEST_HELD, "a port is left open"
