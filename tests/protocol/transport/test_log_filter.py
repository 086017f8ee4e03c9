"""The libraries below the line write every run of bytes into the debug log: not while it is a secret, nor its echo."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
import logging

import pytest

from custom_components.iec62056.protocol.ascii.messages import command
from custom_components.iec62056.protocol.model import Value
from custom_components.iec62056.protocol.transport.line import with_even_parity
from custom_components.iec62056.protocol.transport.serial_line import SerialLine, open_line

from ...common.esphome import esphome
from ...common.line_ends import Pty, Tcp, read_until
from ..rfc2217_server import Rfc2217Server

pytestmark = pytest.mark.usefixtures("socket_enabled")

SECRET = "48161248"
# Sent as octets: so the line gives its echo back, and it can be waited for.
PROVEN = with_even_parity(command("P1", "", (Value(SECRET),)))
ASKED = with_even_parity(b"/?!\r\n")


type Kind = Callable[[], AbstractAsyncContextManager[SerialLine]]


def shown(text: str) -> list[str]:
    """In which forms the secret stands in a text."""
    wire = with_even_parity(SECRET.encode())
    octal = "".join(f"\\{octet:o}" if octet > 127 else chr(octet) for octet in wire)
    forms = (SECRET, repr(wire)[2:-1], wire.hex(), wire.hex(" "), octal, SECRET.encode().hex())
    return [form for form in forms if form in text]


@asynccontextmanager
async def on_a_pty() -> AsyncIterator[SerialLine]:
    """A local port whose probe reflects all it is sent."""
    pty = Pty()
    pty.on_written = lambda: echo(pty)
    line = await open_line(pty.path)
    try:
        yield line
    finally:
        await line.close()
        pty.unplug()


def echo(pty: Pty) -> None:
    pty.send(pty.written)
    pty.written.clear()


@asynccontextmanager
async def on_a_raw_bridge() -> AsyncIterator[SerialLine]:
    bridge = Tcp()
    bridge.echo = True
    await bridge.start()
    line = await open_line(bridge.url)
    try:
        yield line
    finally:
        await line.close()
        await bridge.stop()


@asynccontextmanager
async def on_rfc2217() -> AsyncIterator[SerialLine]:
    async with Rfc2217Server() as server:
        line = await open_line(server.url)
        write = line.write

        async def echoed(data: bytes, *, secret: bool = False) -> None:
            await write(data, secret=secret)
            await server.until_written(data)
            server.send(data)

        line.write = echoed  # type: ignore[method-assign]
        try:
            yield line
        finally:
            await line.close()


@asynccontextmanager
async def on_esphome() -> AsyncIterator[SerialLine]:
    pty = Pty()
    pty.on_written = lambda: echo(pty)
    async with esphome(pty.path) as url:
        line = await open_line(url)
        try:
            yield line
        finally:
            await line.close()
    pty.unplug()


@asynccontextmanager
async def opened(kind: Kind = on_a_pty) -> AsyncIterator[SerialLine]:
    async with kind() as line:
        line.binary = True
        yield line


@pytest.mark.parametrize("kind", [on_a_pty, on_a_raw_bridge, on_rfc2217, on_esphome])
async def test_secret_and_its_echo_are_in_no_log(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with opened(kind) as line:
            await line.write(PROVEN, secret=True)
            await read_until(line, PROVEN)
    assert not shown(caplog.text)


async def test_log_goes_on_behind_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with opened() as line:
            await line.write(PROVEN, secret=True)
            await read_until(line, PROVEN)
            caplog.clear()
            await line.write(ASKED)
    assert repr(ASKED) in caplog.text


async def test_log_goes_on_when_the_line_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with opened() as line:
            await line.write(PROVEN, secret=True)
        caplog.clear()
        logging.getLogger("serialx.descriptor_transport").debug("others are heard")
    assert "others are heard" in caplog.text


async def test_one_line_says_nothing_while_another_has_a_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with opened() as line, opened() as other:
            await line.write(PROVEN, secret=True)
            await other.write(ASKED)
            await read_until(line, PROVEN)
    assert not shown(caplog.text)
