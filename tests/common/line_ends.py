"""The other end of a line: a pseudo terminal and a TCP server."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import fcntl
import os
import sys
import termios
import tty

from custom_components.iec62056.protocol.transport.serial_line import SerialLine
from custom_components.iec62056.protocol.transport.trace import CLEAR_BIT_7

from .waiting import until

SIGN_ON = b"/?!\r\n"
SIGN_ON_ON_THE_WIRE = bytes.fromhex("af3f218d0a")
ANSWER = b"/LGZ4ZMF100AC.M23\r\n"
OPTION = b"\x06050\r\n"
BAUD = {termios.B300: 300, termios.B2400: 2400, termios.B9600: 9600}


class Pty:
    """The meter's end of a local port."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        self.path = os.ttyname(slave)
        tty.setraw(slave)
        # Kept open: the port must survive a client that closes it.
        self._slave = slave
        os.set_blocking(self.master, False)
        self.written = bytearray()
        self.on_written: Callable[[], None] = lambda: None
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self) -> None:
        self.written += os.read(self.master, 4096)
        self.on_written()

    def send(self, data: bytes | bytearray) -> None:
        os.write(self.master, data)

    async def until_written(self, data: bytes) -> None:
        await until(lambda: data in self.written, words=lambda: self.written)

    @property
    def unread(self) -> int:
        """How many bytes lie ready for the client."""
        count = fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, sys.byteorder)

    @property
    def speed(self) -> int:
        """The speed the client has set."""
        return BAUD[termios.tcgetattr(self.master)[5]]

    def unplug(self) -> None:
        """Take the device away."""
        if self.master >= 0:
            asyncio.get_running_loop().remove_reader(self.master)
            os.close(self._slave)
            os.close(self.master)
            self.master = -1


class Tcp:
    """A raw TCP bridge for one client."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.url = ""
        self.echo = False
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"socket://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                self.written += data
                if self.echo:
                    writer.write(data)
        writer.close()

    async def until_written(self, data: bytes) -> None:
        await until(lambda: data in self.written, words=lambda: self.written)

    async def send(self, data: bytes) -> None:
        await until(lambda: self._writer is not None)
        assert self._writer is not None
        self._writer.write(data)

    async def stop(self) -> None:
        if self._writer is not None:
            self._writer.close()
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()


async def read_until(line: SerialLine, end: bytes) -> bytes:
    """What comes, up to `end`."""
    got = b""
    while end not in got:
        run = await line.read(line.now() + 5)
        assert run, f"only {got!r}"
        got += run if line.binary else run.translate(CLEAR_BIT_7)
    return got
