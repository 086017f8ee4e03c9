"""A bridge that serves one client: what is said where another program takes the line away. Real TCP servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
import socket
import struct

from homeassistant.core import HomeAssistant
import pytest

from custom_components.iec62056.meter import connection
from custom_components.iec62056.protocol.errors import (
    BridgeShared,
    BridgeTaken,
    ConnectionLost,
    ConnectionRefused,
    LineError,
    NoAnswer,
)
from custom_components.iec62056.protocol.transport import serial_line as line_module

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def bridge(serve: Client, scheme: str = "socket") -> AsyncIterator[str]:
    """A bridge that does this with each client; gives its URL."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    async with server:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def pushed_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Another program connects while the meter is being called."""
    await reader.readexactly(5)


async def cut_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Another program connects in the middle of the data: the bridge resets the first client."""
    await reader.readexactly(5)
    writer.write(b"/LGZ5\\2ZMD120\r\n\x020.0.0(3")
    await writer.drain()
    await asyncio.sleep(0)
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def session(hass: HomeAssistant, url: str) -> None:
    """Call the meter, and hear until nothing more comes."""
    async with connection.acquire_line(hass, url) as line:
        await line.write(b"/?!\r\n")
        while await line.read(line.now() + 0.2):
            pass
        raise NoAnswer


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a bridge does in the first second is told otherwise: let that be over at once."""
    monkeypatch.setattr(line_module, "REFUSED_WITHIN", -1.0)


async def failure(hass: HomeAssistant, url: str) -> type[Exception]:
    with pytest.raises((LineError, NoAnswer)) as caught:
        await session(hass, url)
    return type(caught.value)


@pytest.mark.parametrize("serve", [pushed_out, cut_off])
async def test_told_when_it_happens_again(hass: HomeAssistant, serve: Client) -> None:
    """Once may be anything: a bridge that restarts. Again, it is likely to be another program."""
    async with bridge(serve) as url:
        assert await failure(hass, url) is ConnectionLost
        assert await failure(hass, url) is BridgeShared
        assert await failure(hass, url) is BridgeShared


async def test_not_told_where_a_session_between_was_whole(hass: HomeAssistant) -> None:
    doing = iter((pushed_out, silent, pushed_out))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next(doing)(reader, writer)

    async with bridge(serve) as url:
        for expected in (ConnectionLost, NoAnswer, ConnectionLost):
            assert await failure(hass, url) is expected


async def test_not_told_of_sessions_that_lasted(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push meter's line that is closed every night is not fought over."""
    monkeypatch.setattr(connection, "ENDED_WITHIN", 0.0)
    async with bridge(pushed_out) as url:
        assert await failure(hass, url) is ConnectionLost
        assert await failure(hass, url) is ConnectionLost


async def test_not_told_of_a_network_that_is_gone(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side's end is known; a connection that timed out says nothing of it."""
    ends = line_module.SerialLine.connection_lost
    monkeypatch.setattr(
        line_module.SerialLine,
        "connection_lost",
        lambda self, _: ends(self, TimeoutError("no route any more")),
    )
    async with bridge(pushed_out) as url:
        assert await failure(hass, url) is ConnectionLost
        assert await failure(hass, url) is ConnectionLost


async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The bridge has its one client."""


@pytest.mark.parametrize(
    ("scheme", "told"), [("socket", BridgeTaken), ("rfc2217", ConnectionRefused)]
)
async def test_closed_at_once(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, scheme: str, told: type[Exception]
) -> None:
    """Both name the other client as what is likely, or as what to look for."""
    monkeypatch.setattr(line_module, "REFUSED_WITHIN", 1.0)
    async with bridge(at_once, scheme) as url:
        for _ in range(3):
            assert await failure(hass, url) is told


@pytest.mark.parametrize(
    ("frees_itself_in", "reads"),
    [
        (0.02, 8),
        (0.5, 8),
        # It stays taken.
        (3600.0, 1),
    ],
)
async def test_bridge_that_needs_a_moment_behind_our_own_session(
    hass: HomeAssistant,
    monkeypatch: pytest.MonkeyPatch,
    frees_itself_in: float,
    reads: int,
) -> None:
    monkeypatch.setattr(line_module, "REFUSED_WITHIN", 1.0)
    free_from = 0.0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal free_from
        if hass.loop.time() < free_from:
            return
        free_from = float("inf")
        try:
            await reader.readuntil(b"\n")
            writer.write(b"/LGZ5ZMD120\r\n")
            await reader.read()
        finally:
            free_from = hass.loop.time() + frees_itself_in

    async def read(url: str, meter: int) -> bytes:
        async with connection.acquire_line(hass, url, user=meter) as line:
            await line.write(b"/?!\r\n")
            return await line.read(line.now() + 5)

    async with bridge(serve) as url:
        told = await asyncio.gather(
            *(read(url, turn % 2) for turn in range(8)), return_exceptions=True
        )
    assert sum(isinstance(one, bytes) for one in told) == reads
    assert {type(one) for one in told} <= {bytes, BridgeTaken}
