"""A network between a client and a bridge that can fail in every way a network fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
import socket
import struct
from urllib.parse import urlsplit, urlunsplit

from .waiting import until

PIECE = 4096
# Close with an RST instead of a FIN: a bridge that lost its power knows of no connection.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """One address in front of one bridge."""

    def __init__(self, behind: str) -> None:
        self._behind = urlsplit(behind)
        self.url = ""
        self.passed = 0
        self.delay = 0.0
        self._reset_after: int | None = None
        self._address = ("127.0.0.1", 0)
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving = 0

    async def start(self) -> None:
        """Be there, at the same address as before."""
        self._server = await asyncio.start_server(self._serve, *self._address)
        self._address = self._server.sockets[0].getsockname()[:2]
        self.url = urlunsplit(self._behind._replace(netloc=f"127.0.0.1:{self._address[1]}"))

    async def stop(self) -> None:
        """Be gone: connections break, new ones are refused."""
        server, self._server = self._server, None
        if server is not None:
            # A connection taken a moment ago must become one first: a closed server would leave its socket open.
            asyncio.get_running_loop().remove_reader(server.sockets[0])
            await asyncio.sleep(0)
            server.close()
        self.flow()
        self.reset()
        await until(lambda: not self._serving, words=lambda: f"{self._serving} connections")

    def stall(self) -> None:
        """Let nothing through in either direction; nothing is lost."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let everything through again, with what has piled up."""
        self._flowing.set()

    def reset(self) -> None:
        """Break the connections."""
        for writer in self._writers:
            peer: socket.socket = writer.get_extra_info("socket")
            with suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    def reset_after(self, octets: int) -> None:
        """Break the connections once so many more octets have come from the bridge."""
        self._reset_after = self.passed + octets

    async def until_passed(self, octets: int) -> None:
        """Wait until the bridge has sent so many octets in all."""
        await until(lambda: self.passed >= octets, words=lambda: f"{self.passed} octets")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving += 1
        self._writers.add(writer)
        writers = {writer}
        try:
            bridge_reader, bridge = await asyncio.open_connection(
                self._behind.hostname, self._behind.port
            )
            writers.add(bridge)
            self._writers.add(bridge)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, bridge, from_bridge=False))
                group.create_task(self._pump(bridge_reader, writer, from_bridge=True))
        except* OSError:
            pass
        finally:
            self._writers -= writers
            for one in writers:
                one.transport.abort()
            self._serving -= 1

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_bridge: bool
    ) -> None:
        while octets := await reader.read(PIECE):
            await self._flowing.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            if from_bridge:
                if self._reset_after is not None and self.passed + len(octets) > self._reset_after:
                    octets = octets[: max(self._reset_after - self.passed, 0)]
                    self._reset_after = None
                    writer.write(octets)
                    await writer.drain()
                    self.reset()
                    return
                self.passed += len(octets)
            writer.write(octets)
            await writer.drain()
        # One side has hung up: so does the other.
        raise ConnectionResetError


@asynccontextmanager
async def proxy(behind: str) -> AsyncIterator[Proxy]:
    """A proxy in front of a bridge's URL (`socket://`, `rfc2217://`), until the context ends."""
    one = Proxy(behind)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
