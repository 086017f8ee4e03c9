"""The line over serialx's own ESPHome transport. The node is a stand-in (tests/common/esphome.py), not an ESPHome."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from custom_components.iec62056.protocol.errors import (
    BadUrl,
    BridgeNotReady,
    ConnectionLost,
    ConnectionTimedOut,
)
from custom_components.iec62056.protocol.transport import connect
from custom_components.iec62056.protocol.transport.connect import SWITCHING_BRIDGE
from custom_components.iec62056.protocol.transport.serial_line import (
    LONGEST_LAG,
    SerialLine,
    open_line,
)

from ...common.esphome import esphome
from ...common.held import open_files, tasks
from ...common.line_ends import ANSWER, OPTION, SIGN_ON, SIGN_ON_ON_THE_WIRE, Pty, read_until
from ...common.proxy import Proxy, proxy
from ...common.waiting import until

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
async def pty() -> AsyncIterator[Pty]:
    pty = Pty()
    yield pty
    pty.unplug()


@pytest.fixture
async def node(pty: Pty) -> AsyncIterator[Proxy]:
    """A node on a network that can fail."""
    async with esphome(pty.path) as url, proxy(url) as network:
        yield network


async def gone(before: int) -> None:
    """Wait until no task is left of what was closed."""
    await until(lambda: tasks() <= before)


async def test_conversation(pty: Pty, node: Proxy) -> None:
    before = tasks()
    line = await open_line(node.url)
    assert line.can_switch
    await line.write(SIGN_ON)
    await pty.until_written(SIGN_ON_ON_THE_WIRE)
    assert pty.speed == 300
    pty.send(b"/LGZ4ZMF100AC.M23\r\n")
    assert await read_until(line, b"\n") == ANSWER
    await line.write(OPTION)
    await line.set_speed(9600, line.sent_at + line.margin)
    assert (line.speed, pty.speed) == (9600, 9600)
    await line.set_pins(dtr=True, rts=False)
    await line.close()
    await gone(before)


async def test_opened_again_and_again(pty: Pty, node: Proxy) -> None:
    before, files = tasks(), open_files()
    for _ in range(5):
        line = await open_line(node.url)
        await line.close()
    await gone(before)
    await until(lambda: open_files() == files)


async def test_node_that_restarts_in_a_conversation(pty: Pty, node: Proxy) -> None:
    """It is asleep, then it is there again: what can be told of it is told, and nothing stays open."""
    before = tasks()
    line = await open_line(node.url)
    await line.write(SIGN_ON)
    await pty.until_written(SIGN_ON_ON_THE_WIRE)
    await node.stop()
    with pytest.raises(ConnectionLost):
        await line.read(line.now() + 60)
    with pytest.raises(ConnectionLost):
        await line.write(SIGN_ON)
    with pytest.raises(ConnectionLost):
        await line.set_speed(9600, line.now())
    await line.close()
    with pytest.raises(BridgeNotReady):
        await open_line(node.url)
    await node.start()
    line = await open_line(node.url)
    pty.send(ANSWER)
    assert await read_until(line, b"\n") == ANSWER
    await line.close()
    await gone(before)


@pytest.mark.parametrize("query", ["", "port_name=other", "port_serial_number=1"])
async def test_port_the_node_does_not_have(node: Proxy, query: str) -> None:
    before = tasks()
    with pytest.raises((BadUrl, BridgeNotReady)):
        await open_line(f"{node.url.partition('?')[0]}?{query}")
    await gone(before)


async def test_node_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something takes the connection and is silent: the wait has an end, and it is ours."""
    monkeypatch.setattr(connect, "CONNECTED_WITHIN", 0.3)
    before = tasks()
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(5):
        with pytest.raises((ConnectionTimedOut, BridgeNotReady)):
            await open_line(f"esphome://127.0.0.1:{port}/?port_name=meter")
        await ended.wait()
    await gone(before)


async def test_cancelled_while_connecting(node: Proxy) -> None:
    before = tasks()
    node.stall()
    opening_line = asyncio.create_task(open_line(node.url))
    await until(lambda: bool(node._writers))
    opening_line.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening_line
    node.flow()
    await node.stop()
    await gone(before)


async def test_deadlines_follow_the_lag(node: Proxy) -> None:
    """Measured at each change of speed: the way there and back is at least twice the delay."""
    line = SerialLine(node.url)
    assert line.grace == SWITCHING_BRIDGE.grace
    node.delay = 0.1
    await line.open()
    assert line.grace >= SWITCHING_BRIDGE.grace + 0.4, "generous, before it is measured"
    lags = []
    for speed in (600, 1200, 2400, 4800, 9600, 300):
        await line.set_speed(speed, line.now())
        lags.append(line.grace - SWITCHING_BRIDGE.grace)
    assert lags == sorted(lags, reverse=True)
    assert 0.2 <= lags[-1] < lags[0]
    node.delay = 0.4
    await line.set_speed(600, line.now())
    assert line.grace >= SWITCHING_BRIDGE.grace + 0.8
    node.delay = 0.0
    await line.close()


async def test_lag_is_bounded(node: Proxy) -> None:
    line = await open_line(node.url)
    line._measure(3600.0)
    assert line.grace == SWITCHING_BRIDGE.grace + LONGEST_LAG
    await line.close()


async def test_local_line_has_no_lag_to_measure() -> None:
    pty = Pty()
    line = await open_line(pty.path)
    grace = line.grace
    await line.set_speed(9600, line.now())
    assert line.grace == grace
    await line.close()
    pty.unplug()
