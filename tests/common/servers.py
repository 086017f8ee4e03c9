"""Serial servers as people run them, in front of a pseudo terminal: ser2net and socat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os
from pathlib import Path
import shutil
import socket

import pytest

from demo.processes import running

PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
SER2NET = shutil.which("ser2net", path=PATH)
SOCAT = shutil.which("socat", path=PATH)
LISTENING = "0A"
STARTED_WITHIN = 20.0

needs_servers = pytest.mark.skipif(
    not (SER2NET and SOCAT), reason="ser2net and socat are not here; scripts/test brings them"
)


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _listens(port: int) -> bool:
    """Whether something does, asked of the kernel: a connection would be the server's one client."""
    rows = (row.split() for row in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:])
    return any(row[1].endswith(f":{port:04X}") and row[3] == LISTENING for row in rows)


@asynccontextmanager
async def _serving(port: int, folder: Path, program: str, *arguments: str) -> AsyncIterator[None]:
    async def listens() -> bool:
        return _listens(port)

    async with running(program, [program, *arguments], folder / f"{port}.log") as server:
        await server.until(listens, STARTED_WITHIN)
        yield


@asynccontextmanager
async def ser2net(
    terminal: str, folder: Path, *, rfc2217: bool, setting: str = "300n81"
) -> AsyncIterator[str]:
    """Serve a terminal, with the client in command of its speed or at that fixed setting; gives the URL."""
    assert SER2NET is not None
    port = free_port()
    accepter = f"{'telnet(rfc2217),' if rfc2217 else ''}tcp,127.0.0.1,{port}"
    path = folder / f"ser2net-{port}.yaml"
    path.write_text(
        f"connection: &meter\n  accepter: {accepter}\n  connector: serialdev,{terminal},{setting},local\n",
        "ascii",
    )
    async with _serving(port, folder, SER2NET, "-n", "-u", "-c", str(path)):
        yield f"{'rfc2217' if rfc2217 else 'socket'}://127.0.0.1:{port}"


@asynccontextmanager
async def socat(terminal: str, folder: Path, setting: str = "b300") -> AsyncIterator[str]:
    """Serve a terminal as a raw bridge at a fixed speed; gives the URL."""
    assert SOCAT is not None
    port = free_port()
    async with _serving(
        port,
        folder,
        SOCAT,
        f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork",
        f"FILE:{terminal},raw,echo=0,{setting}",
    ):
        yield f"socket://127.0.0.1:{port}"
