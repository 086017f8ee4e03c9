"""A bridge that does whatever a broken or hostile one may do: a reason, in bounded time and memory, and recovery.

The sockets are real, the time is the loop's own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
import gc
import itertools
from pathlib import Path
import tracemalloc
from urllib.parse import urlsplit

import pytest

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.discovery import NO_HINTS, discover
from custom_components.iec62056.protocol.errors import LineError, MeterError
from custom_components.iec62056.protocol.model import LineProfile, Mode
from custom_components.iec62056.protocol.transport.serial_line import INPUT_LIMIT, open_line
from simulator import Manners, Meter as SimulatedMeter, Transport, serve

from .common.clock import hurried

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PACE = 300.0
NAME = b"/ABC5HOSTILE\r\n"
# What a reading may need beside the line's own buffers: a telegram of the greatest length and its data sets.
MOST_MEMORY = 48 * 1024 * 1024
# A reading, its repetition, and the wait for a meter that never stops, in seconds; see the limits in the client.
LONGEST = 2 * 900.0 + 2 * 180.0 + 60.0
# A search of all ways, in seconds.
LONGEST_SEARCH = 180.0
RECONNECTS = 200
MANY_RECONNECTS = 5_000


async def _heard(reader: asyncio.StreamReader) -> None:
    """Wait until the client has asked for something."""
    await reader.read(64)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Without end, as fast as it is taken."""
    for _ in itertools.count():
        writer.write(b"7x(" * 1000)
        await writer.drain()
        await asyncio.sleep(1.0)


async def flood_behind_name(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A meter whose data never end."""
    await _heard(reader)
    writer.write(NAME)
    await asyncio.sleep(3.0)
    writer.write(b"\x02")
    while True:
        writer.write(b"1.8.0(000123.4*kWh)\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(1.0)


async def never_whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One block after the other begins, and none ends."""
    while True:
        await _heard(reader)
        writer.write(NAME)
        for _ in range(40):
            await asyncio.sleep(0.5)
            writer.write(b"\x021.8.0(0001")


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One character a second, for ever."""
    for character in itertools.cycle(b"/ABC5x"):
        writer.write(bytes((character,)))
        await writer.drain()
        await asyncio.sleep(1.0)


async def telnet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server of telnet that wants to negotiate, and then asks who is there."""
    writer.write(b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27")
    while True:
        await _heard(reader)
        writer.write(b"\xff\xfb\x01\xff\xfb\x03\r\nlogin: ")
        await asyncio.sleep(2.0)


async def huge_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Megabytes without a line end."""
    await _heard(reader)
    writer.write(NAME)
    await asyncio.sleep(3.0)
    writer.write(b"\x021.8.0(")
    for _ in range(80):
        writer.write(b"0" * 65536)
        await writer.drain()
        await asyncio.sleep(0.5)
    await _heard(reader)


KINDS = [flood, flood_behind_name, never_whole, dripping, telnet, huge_line]


@asynccontextmanager
async def bridge(serving: Serving) -> AsyncIterator[str]:
    """A bridge that serves each client in that way; gives its URL."""
    open_writers: list[asyncio.StreamWriter] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.append(writer)
        with suppress(OSError, asyncio.CancelledError):
            await serving(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"socket://{host}:{port}"
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()
        # A client's end comes as an exception in whoever still serves it.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            if task.get_coro().__name__ == "serve_one":  # type: ignore[union-attr]
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


@pytest.fixture
def memory() -> Iterator[Callable[[], int]]:
    """How much more memory was in use at the worst than at the beginning."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    yield lambda: tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()


@pytest.mark.parametrize("serving", KINDS)
async def test_a_reading_ends_with_a_reason(serving: Serving, memory: Callable[[], int]) -> None:
    async with bridge(serving) as url:
        line = await open_line(url, speed=9600)
        with hurried(PACE):
            started = line.now()
            with pytest.raises(MeterError):
                await MeterClient(line).read_all()
            took = line.now() - started
            await line.close()
    assert took < LONGEST
    assert memory() < MOST_MEMORY
    assert len(line._input) <= INPUT_LIMIT


@pytest.mark.parametrize("serving", [flood, dripping, telnet])
async def test_a_search_ends_in_its_time(serving: Serving) -> None:
    async with bridge(serving) as url:
        line = await open_line(url, speed=9600)
        with hurried(PACE):
            started = line.now()
            with pytest.raises(MeterError) as told:
                await discover(line, NO_HINTS)
            took = line.now() - started
            await line.close()
    # The clock runs so fast that each turn of the loop is a second.
    assert took < LONGEST_SEARCH + 60.0
    assert str(told.value)


@pytest.mark.parametrize("serving", [flood, never_whole, telnet])
async def test_a_push_meter_that_is_none(serving: Serving) -> None:
    async with bridge(serving) as url:
        line = await open_line(url, speed=9600)
        with hurried(PACE), pytest.raises(MeterError):
            await MeterClient(line, LineProfile(mode=Mode.D)).read_all()
        await line.close()


async def test_frames_without_end(memory: Callable[[], int]) -> None:
    """Mode E: a frame that is right, and means nothing, again and again."""

    async def frames(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(bytes.fromhex("7ea00721031f0000 7e") * 50)
            await writer.drain()
            await asyncio.sleep(0.2)

    async with bridge(frames) as url:
        line = await open_line(url, speed=9600)
        with hurried(PACE):
            started = line.now()
            with pytest.raises(MeterError):
                await MeterClient(line, LineProfile(mode=Mode.E, hdlc_at_once=True)).read_all()
            took = line.now() - started
        await line.close()
    assert took < 600.0
    assert memory() < MOST_MEMORY


@pytest.mark.parametrize(
    "count", [RECONNECTS, pytest.param(MANY_RECONNECTS, marks=pytest.mark.long)]
)
async def test_connections_that_are_closed_at_once(count: int) -> None:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        return

    async with bridge(closing) as url:
        await _read_once(url)
        descriptors = _files()
        for _ in range(count):
            await _read_once(url)
        for _ in range(100):
            if _files() <= descriptors + 2:
                break
            await asyncio.sleep(0.01)
        assert _files() <= descriptors + 2
        assert len(asyncio.all_tasks()) < 20


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def _read_once(url: str) -> None:
    line = await open_line(url, speed=9600)
    try:
        with pytest.raises(LineError):
            await MeterClient(line).read_all()
    finally:
        await line.close()


@pytest.mark.parametrize("serving", [flood, never_whole, telnet])
async def test_the_meter_is_read_once_the_bridge_works_again(serving: Serving) -> None:
    """The same address, which first is hostile and then a bridge to a meter."""
    now = serving

    async def served_now(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await now(reader, writer)

    meter = SimulatedMeter(_Household(), Manners(speed=300, flag="LGZ"))
    async with (
        serve(meter, transport=Transport.TCP) as served,
        bridge(served_now) as url,
    ):
        line = await open_line(url, speed=9600)
        with hurried(PACE):
            with pytest.raises(MeterError):
                await MeterClient(line).read_all()
            await line.close()
        now = _through(served.url)
        line = await open_line(url)
        with hurried(40.0):
            reading = await MeterClient(line).read_all()
            await line.close()
    assert [one.values[0].text for one in reading.registers] == ["000123.4"]


def _through(url: str) -> Serving:
    """Pass everything on to another bridge."""

    async def passing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = urlsplit(url)
        other_reader, other_writer = await asyncio.open_connection(behind.hostname, behind.port)

        async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            while run := await source.read(4096):
                to.write(run)
            to.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(copy(reader, other_writer))
            group.create_task(copy(other_reader, writer))

    return passing


class _Household:
    """The content of a telegram."""

    def block(self) -> bytes:
        return b"1.8.0(000123.4*kWh)\r\n"
