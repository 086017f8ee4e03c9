"""Every kind of line with every mode on it: what can be read, and why the rest cannot."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from custom_components.iec62056.protocol.ascii.passwords import Password
from custom_components.iec62056.protocol.client import MeterClient as Client
from custom_components.iec62056.protocol.discovery import DiscoveryHints, discover
from custom_components.iec62056.protocol.errors import MeterError
from custom_components.iec62056.protocol.model import LineProfile, Mode as ClientMode, Reading
from custom_components.iec62056.protocol.transport.line import Line as OpenLine
from custom_components.iec62056.protocol.transport.serial_line import open_line
from simulator import (
    BridgeManners,
    Cell,
    Echo,
    Guard,
    Link,
    Manners,
    Meter,
    Mode,
    Programming,
    Transport,
    WakeUp,
    serve,
)
from simulator.dlms import BinaryManners, BinaryMeter, Device, household
from simulator.manners import OBEDIENT

from .clock import hurried
from .esphome import esphome
from .servers import ser2net, socat

# A server in another process and a busy machine keep the wall's time: the meter reacts in the middle of what the
# standard lets it (Std 6.4), so that even at this pace both have some 0.2 s of it.
PACE = 4.0
REACTION = 0.8
# A woken one hears again well before the client calls.
PAUSE = 1.0
AT_ONCE = 12
SIGN_ON_SPEED = 300
NUMBER = "50417723"
REGISTERS = {"0.0.0": NUMBER, "1.8.0": "004711.5", "2.8.0": "000008.1"}
# A line on which several meters have addresses; the other one's values must never be read.
OTHER_NUMBER = "60000001"

# Beside the modes of a readout.
PROGRAMMING, BINARY = "P", "E"
SECRET = "48151623"
GUARDED, BEHIND_IT = "0.4.2", "050"
# Mode E has the same values in units without a prefix.
OBJECTS = {"1-0:1.8.0": ("4711500", "Wh"), "1-0:2.8.0": ("8100", "Wh")}
# What the object list holds, so that it is short enough for 300 Bd: logical device name, association, two registers.
_FEW = (b"\x2a\x00", b"\x28\x00", b"\x01\x08", b"\x02\x08")

_SERIALS = count(1)

# A line that cannot call its meter, and a meter that this line cannot follow.
OTHER_SPEED = ("fixed_speed", "meter_faster")

type Server = Callable[[str, Path], AbstractAsyncContextManager[str]]


class Stock:
    """Registers that stay as they are."""

    def __init__(self, number: str = NUMBER) -> None:
        self._number = number

    def block(self) -> bytes:
        """A short readout."""
        if self._number == NUMBER:
            energy = REGISTERS["1.8.0"], REGISTERS["2.8.0"]
        else:
            energy = "999999.9", "999999.9"
        return f"0.0.0({self._number})\r\n1.8.0({energy[0]}*kWh)\r\n2.8.0({energy[1]}*kWh)\r\n".encode()


@dataclass(frozen=True)
class Line:
    """A kind of line. `fixed` is the speed it cannot leave, `meter_speed` where its meter hears requests.

    `bridge`: manners of its own, which have a table of their own.
    """

    name: str
    transport: Transport = Transport.PTY
    fixed: int | None = None
    link: Link = Link.EIGHT
    server: Server | None = None
    bus: bool = False
    meter_speed: int = SIGN_ON_SPEED
    linked: bool = False
    bridge: BridgeManners = OBEDIENT


@dataclass(frozen=True, order=True)
class Row:
    """One cell of the table."""

    line: str
    mode: str
    echo: bool
    battery: bool

    @property
    def possible(self) -> bool:
        """A pushing meter does not sleep, a wake-up is at 300 Bd, and a bus feeds its meters and always echoes."""
        line = LINES[self.line]
        sleeps = self.mode != Mode.D and line.meter_speed == SIGN_ON_SPEED and not line.bus
        return (sleeps or not self.battery) and (self.echo or not line.bus)


def _ser2net(*, rfc2217: bool) -> Server:
    return lambda terminal, folder: ser2net(terminal, folder, rfc2217=rfc2217)


LINES = {
    line.name: line
    for line in (
        Line("local port"),
        Line("USB, by-id name", linked=True),
        Line("raw TCP, 7E1, fixed at 300", Transport.TCP, 300, Link.SEVEN),
        Line("raw TCP, 8N1, fixed at 300", Transport.TCP, 300),
        Line("raw TCP, 7E1, fixed at 9600", Transport.TCP, 9600, Link.SEVEN),
        Line("raw TCP, 8N1, fixed at 9600", Transport.TCP, 9600),
        Line("raw TCP, fixed at 9600 as its meter", Transport.TCP, 9600, meter_speed=9600),
        Line("ser2net, raw TCP at 300", fixed=300, server=_ser2net(rfc2217=False)),
        Line("ser2net, RFC 2217", server=_ser2net(rfc2217=True)),
        Line("socat, raw TCP at 300", fixed=300, server=socat),
        Line("RFC 2217, another server", Transport.RFC2217),
        Line("ESPHome serial proxy", server=lambda terminal, _: esphome(terminal)),
        Line("20 mA loop or RS-485, two meters", bus=True),
        *(
            Line(f"RFC 2217, {name}", Transport.RFC2217, bridge=bridge)
            for name, bridge in (
                ("stays at 300 Bd", BridgeManners(fastest=300)),
                ("2400 Bd at most", BridgeManners(fastest=2400)),
                ("stays at 300 Bd and denies it", BridgeManners(fastest=300, truthful=False)),
                ("acknowledges nothing", BridgeManners(answers=False)),
            )
        ),
    )
}
ROWS = tuple(
    row
    for name in LINES
    for echo in (False, True)
    for battery in (False, True)
    for mode in "ABCD"
    if (row := Row(name, mode, echo, battery)).possible and LINES[name].bridge is OBEDIENT
)
# What goes beyond the readout, on each line once.
BEYOND = tuple(
    Row(name, mode, line.bus, battery=False)
    for name, line in LINES.items()
    for mode in (PROGRAMMING, BINARY)
    if line.bridge is OBEDIENT
)
# Bridges with manners of their own, with each meter once.
BRIDGES = tuple(
    Row(name, mode, echo=False, battery=False)
    for name, line in LINES.items()
    for mode in ("A", "B", "C", "D", PROGRAMMING, BINARY)
    if line.bridge is not OBEDIENT
)


def _speed(line: Line, mode: Mode) -> int:
    """What the meter's data come at: on a line that is fixed, a push is chosen that fits it."""
    match mode:
        case Mode.A:
            return line.meter_speed
        case Mode.B:
            return 2400 if line.meter_speed == SIGN_ON_SPEED else line.meter_speed
        case Mode.C:
            return 9600
        case Mode.D:
            return line.fixed or 2400


def _meter(row: Row, number: str, settings: dict[str, object]) -> Meter:
    stock, manners = Stock(number), Manners(address=number, **settings)  # type: ignore[arg-type]
    if row.mode == BINARY:
        device = Device([thing for thing in household(stock.block) if thing.name[2:4] in _FEW])
        return BinaryMeter(stock, device, manners, binary=BinaryManners(size=256, window=4))
    if row.mode == PROGRAMMING:
        cells = {GUARDED: Cell(f"({BEHIND_IT}*A)", Guard.PASSWORD)}
        access = Programming(cells, password=SECRET, at_first_speed=True)
        return Meter(stock, manners, programming=access)
    return Meter(stock, manners)


def _meters(row: Row) -> Iterator[Meter]:
    line = LINES[row.line]
    mode = Mode.C if row.mode in (PROGRAMMING, BINARY) else Mode(row.mode)
    settings: dict[str, object] = {"mode": mode, "speed": _speed(line, mode), "flag": "LGZ"}
    settings |= {"sign_on_speed": line.meter_speed, "reaction": REACTION}
    settings["wake_up"] = WakeUp(pause=PAUSE) if row.battery else None
    if line.bus:
        settings |= {"needs_address": mode is not Mode.D}
    yield _meter(row, NUMBER, settings)
    if line.bus and mode is not Mode.D:
        yield _meter(row, OTHER_NUMBER, settings)


@asynccontextmanager
async def served(row: Row, folder: Path) -> AsyncIterator[str]:
    """The row's line with its meter on it; gives the port's name."""
    line = LINES[row.line]
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(
            serve(
                *_meters(row),
                transport=line.transport,
                path=folder / f"usb-Probe_IR-Head_{next(_SERIALS):04}-if00-port0"
                if line.linked
                else None,
                speed=line.fixed or SIGN_ON_SPEED,
                link=line.link,
                echo=Echo.FULL if row.echo else Echo.NONE,
                bridge=line.bridge,
            )
        )
        if line.server is None:
            yield one.url
        else:
            yield await stack.enter_async_context(line.server(one.url, folder))


def _hints(row: Row) -> DiscoveryHints:
    """No more than the user knows."""
    line, profile = LINES[row.line], LineProfile()
    fixed: set[str] = set()
    if row.mode == BINARY:
        profile = LineProfile(mode=ClientMode.E)
        fixed.add("mode")
    if line.bus and row.mode != Mode.D:
        profile = replace(profile, address=NUMBER, bus=True)
        fixed.add("bus")
    return DiscoveryHints(profile, fixed=frozenset(fixed), shared=line.bus and row.mode != Mode.D)


async def read(row: Row, folder: Path) -> Reading:
    """One reading, with no more said to the client than the user knows. Raises MeterError."""
    async with _opened(row, folder) as port:
        return (await discover(port, _hints(row)))[1]


@asynccontextmanager
async def _opened(row: Row, folder: Path) -> AsyncIterator[OpenLine]:
    async with served(row, folder) as url:
        port = await open_line(url, speed=LINES[row.line].fixed or SIGN_ON_SPEED)
        try:
            yield port
        finally:
            await port.close()


async def _guarded(row: Row, folder: Path) -> str:
    """The speed at which a register was read that needs the password, of a meter that was found before."""
    async with _opened(row, folder) as port:
        profile, _ = await discover(port, _hints(row))
        async with Client(port, profile, password=Password(SECRET)).conversation() as talk:
            (answer,) = await talk.read([GUARDED])
            speed = port.speed
    if answer.refusal is not None:
        raise answer.refusal
    assert answer.register is not None
    text = answer.register.values[0].text
    return f"{speed}" if text == BEHIND_IT else f"WRONG: {text}"


async def cell(row: Row, folder: Path) -> str:
    """What the table says of a row: the speed the data were read at, or the key of the reason."""
    try:
        if row.mode == PROGRAMMING:
            return await _guarded(row, folder)
        reading = await read(row, folder)
    except MeterError as error:
        return error.key
    values = {one.address: one.values[0] for one in reading.registers}
    if row.mode == BINARY:
        good = {code: values.get(code) for code in OBJECTS} == OBJECTS
    else:
        good = {code: value.text for code, value in values.items()} == REGISTERS
    return f"{reading.health.speed}" if good else f"WRONG: {values}"


async def cells(
    rows: Collection[Row], folder: Path, *, pace: float = PACE, at_once: int = AT_ONCE
) -> dict[Row, str]:
    """The cells of many rows, several lines at a time."""
    found: dict[Row, str] = {}
    waiting = list(rows)

    async def work() -> None:
        while waiting:
            row = waiting.pop()
            found[row] = await cell(row, folder)

    with hurried(pace):
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    return found


async def other_than(stated: dict[Row, str], folder: Path) -> dict[Row, str]:
    """The cells that come out otherwise than stated.

    What does is measured again, slowly and alone: a machine that is busy for some milliseconds is late for a meter
    whose time runs faster than the machine's.
    """
    for pace, at_once in ((PACE, AT_ONCE), (1.0, 1)):
        found = await cells(stated, folder, pace=pace, at_once=at_once)
        stated = {row: stated[row] for row, one in found.items() if shown(one) != stated[row]}
    return {row: found[row] for row in stated}


def shown(one: str) -> str:
    """A cell as the document shows it."""
    if one in OTHER_SPEED:
        return "other speed"
    if one == "seven_bits":
        return "7 bits"
    if one == "bridge_refused_settings":
        return "refused"
    return f"{one} Bd" if one.isdecimal() else one
