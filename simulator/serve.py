"""Where a simulated meter can be reached: a pseudo terminal, raw TCP, RFC 2217."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
import os
from pathlib import Path
import termios
import tty
from typing import Protocol, override

from . import rfc2217
from .log import Event, Kind, Log
from .manners import OBEDIENT, BridgeManners
from .meter import Meter
from .wire import Echo, Link, Wire

POLL = (
    0.002  # seconds between two looks at the speed of a pseudo terminal while the client is active
)
UNSENT_LIMIT = 65536  # octets a client may leave unread before the rest is lost
SPEEDS = {
    getattr(termios, f"B{speed}"): speed
    for speed in (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
}


class Transport(StrEnum):
    """The ways to a meter."""

    PTY = "pty"
    TCP = "tcp"
    RFC2217 = "rfc2217"


class _Pump:
    """Runs a wire in real time between its due moments and what a client does."""

    def __init__(self, wire: Wire, speed: int) -> None:
        self.wire = wire
        self.speed = speed
        self.loop = asyncio.get_running_loop()
        self.output: Callable[[bytes], None] | None = None
        self.poll: Callable[[], int] | None = None
        self._looked = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        wire.begin(self._looked)

    def received(self, octets: bytes) -> None:
        now = self._look()
        self.wire.client_writes(octets, now)
        self._settle(now)

    def switched(self, speed: int) -> None:
        now = self.loop.time()
        if speed != self.speed:
            self.speed = speed
            self.wire.client_switches(speed, now, now)
            self._settle(now)

    def run(self) -> None:
        now = self._look()
        self.wire.advance(now)
        self._settle(now)

    def disconnect(self) -> None:
        """The client's side is gone, with all that it has not sent yet."""
        self.output = self.poll = None
        self.wire.client_goes(self.loop.time())

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> float:
        """The time, after a change of speed that has happened since the last look."""
        now = self.loop.time()
        if self.poll is not None and (speed := self.poll()) != self.speed:
            self.speed = speed
            self.wire.client_switches(speed, self._looked, now)
        self._looked = now
        return now

    def _settle(self, now: float) -> None:
        if (octets := self.wire.take()) and self.output is not None:
            self.output(octets)
        due = self.wire.due
        if self.poll is not None and self.wire.client_active(now):
            due = min(due, now + POLL)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due == float("inf") else self.loop.call_at(due, self.run)


class Port(Protocol):
    """What a client opens. It can be taken away and come back while the meters go on."""

    url: str

    async def plug(self) -> None:
        """Make it there, under its name."""

    async def unplug(self) -> None:
        """Take it away, from under a client too."""


class Served:
    """A meter that can be reached at `url`."""

    def __init__(self, port: Port, meters: tuple[Meter, ...], log: Log) -> None:
        self.meters = meters
        self.log = log
        self._port = port
        self._happened = asyncio.Event()
        log.listeners.append(self._note)

    @property
    def url(self) -> str:
        """Where a client finds the meter."""
        return self._port.url

    @property
    def meter(self) -> Meter:
        """The only meter, or the first one."""
        return self.meters[0]

    async def unplug(self) -> None:
        """Take the probe or the bridge away: what the meters send meanwhile is lost."""
        await self._port.unplug()

    async def plug(self) -> None:
        """Bring it back under the same name."""
        await self._port.plug()

    async def happened(self, kind: Kind, count: int = 1, within: float = 60.0) -> list[Event]:
        """Wait until the log holds that many events of this kind; TimeoutError, with the last ones, where it does not."""
        try:
            async with asyncio.timeout(within):
                while len(self.log.of(kind)) < count:
                    self._happened.clear()
                    await self._happened.wait()
        except TimeoutError:
            last = "\n".join(map(str, list(self.log.events)[-15:]))
            raise TimeoutError(
                f"no {count} times {kind.value} in {within:.0f} s:\n{last}"
            ) from None
        return self.log.of(kind)

    def _note(self, event: Event) -> None:
        self._happened.set()


@asynccontextmanager
async def serve(
    *meters: Meter,
    transport: Transport | str = Transport.PTY,
    address: tuple[str, int] = ("127.0.0.1", 0),
    path: Path | None = None,
    speed: int = 300,
    link: Link = Link.EIGHT,
    echo: Echo = Echo.NONE,
    bridge: BridgeManners = OBEDIENT,
    speed_up: float = 1.0,
    seed: int = 0,
    log: Log | None = None,
) -> AsyncIterator[Served]:
    """Serve meters on one line until the context ends.

    `address` is where TCP and RFC 2217 listen (port 0: a free one), `path` a link to make to the pseudo terminal,
    `speed` what a raw TCP bridge is fixed to and the others begin with, `link` whether the client sees parity bits (an RFC 2217 client sets
    that itself), `bridge` what an RFC 2217 server makes of that. `speed_up` shortens the meters' characters, reactions and push intervals; their patience and the
    client's own characters stay as long as they are.
    """
    log = log or Log()
    wire = Wire(meters, log, speed=speed, link=link, echo=echo, speed_up=speed_up, seed=seed)
    async with AsyncExitStack() as stack:
        pump = _Pump(wire, speed)
        stack.callback(pump.close)
        kind = Transport(transport)
        port: Port = (
            _Terminal(pump, path)
            if kind is Transport.PTY
            else _Network(_Bridge(pump, kind, bridge), address)
        )
        await port.plug()
        stack.push_async_callback(port.unplug)
        pump.run()
        yield Served(port, meters, log)


class _Terminal:
    """A pseudo terminal: a local port, and the probe behind it."""

    def __init__(self, pump: _Pump, path: Path | None) -> None:
        self.url = "" if path is None else str(path)
        self._pump = pump
        self._path = path
        self._open = AsyncExitStack()

    async def plug(self) -> None:
        pump = self._pump
        stack = AsyncExitStack()
        self._open = stack
        master, slave = os.openpty()
        stack.callback(os.close, master)
        # Held open, so that the master outlives each client; it also tells the client's speed.
        stack.callback(os.close, slave)
        tty.setraw(slave)
        attributes = termios.tcgetattr(slave)
        attributes[4] = attributes[5] = getattr(termios, f"B{pump.speed}")
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        os.set_blocking(master, False)

        def read() -> None:
            with suppress(BlockingIOError):
                pump.received(os.read(master, 4096))

        def write(octets: bytes) -> None:
            # A full buffer is a client that does not read: a UART would overrun as well.
            with suppress(BlockingIOError):
                os.write(master, octets)

        pump.output = write
        pump.poll = lambda: _terminal_speed(slave)
        pump.loop.add_reader(master, read)
        stack.callback(pump.disconnect)
        stack.callback(pump.loop.remove_reader, master)
        name = os.ttyname(slave)
        if self._path is None:
            self.url = name
            return
        if self._path.is_symlink():
            self._path.unlink()
        self._path.symlink_to(name)
        stack.callback(self._path.unlink, missing_ok=True)

    async def unplug(self) -> None:
        await self._open.aclose()


def _terminal_speed(terminal: int) -> int:
    """The speed a client has set; 0, at which nothing is heard, for one that has no name."""
    return SPEEDS.get(termios.tcgetattr(terminal)[5], 0)


class _Network:
    """A serial port server's address."""

    def __init__(self, bridge: _Bridge, address: tuple[str, int]) -> None:
        self.url = ""
        self._bridge = bridge
        self._address = address
        self._server: asyncio.Server | None = None

    async def plug(self) -> None:
        bridge = self._bridge
        self._server = await bridge.pump.loop.create_server(lambda: _Client(bridge), *self._address)
        host, port = self._address = self._server.sockets[0].getsockname()[:2]
        scheme = "socket" if bridge.kind is Transport.TCP else "rfc2217"
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def unplug(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            # A connection taken a moment ago must become one first: a closed server would leave its socket open.
            self._bridge.pump.loop.remove_reader(server.sockets[0])
            await asyncio.sleep(0)
            server.close()
            self._bridge.drop()
            await server.wait_closed()


@dataclass(slots=True)
class _Bridge:
    """A serial port server: one client at a time, the next one is turned away as ser2net does."""

    pump: _Pump
    kind: Transport
    manners: BridgeManners
    client: asyncio.Transport | None = None

    def drop(self) -> None:
        if self.client is not None:
            self.client.abort()


class _Client(asyncio.Protocol):
    """A connection to a bridge."""

    def __init__(self, bridge: _Bridge) -> None:
        self._bridge = bridge
        self._transport: asyncio.Transport | None = None
        self._telnet: rfc2217.Server | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        bridge, pump = self._bridge, self._bridge.pump
        if not isinstance(transport, asyncio.Transport) or bridge.client is not None:
            transport.close()
            return
        self._transport = bridge.client = transport
        pump.wire.log.note(pump.loop.time(), Kind.CONNECTED)
        pump.output = self._write
        if bridge.kind is Transport.RFC2217:
            self._telnet = rfc2217.Server(
                transport.write,
                pump.received,
                pump.switched,
                self._seven_bits,
                pump.speed,
                manners=bridge.manners,
            )
            pump.output = lambda octets: self._write(rfc2217.escape(octets))

    @override
    def data_received(self, data: bytes) -> None:
        if self._telnet is not None:
            self._telnet.feed(data)
        elif self._transport is not None:
            self._bridge.pump.received(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            pump = self._bridge.pump
            pump.wire.log.note(pump.loop.time(), Kind.DISCONNECTED)
            pump.output = None
            self._bridge.client = None

    def _seven_bits(self, seven: bool) -> None:
        self._bridge.pump.wire.link = Link.SEVEN if seven else Link.EIGHT

    def _write(self, octets: bytes) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() < UNSENT_LIMIT:
            self._transport.write(octets)
