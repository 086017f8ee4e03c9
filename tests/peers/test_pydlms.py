"""The client reads the simulator of pydlms-client (from PyPI, GPL), which runs in a process and an environment of its own."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
import socket

import pytest

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.dlms.login import PUBLIC, DlmsLogin, Keyring
from custom_components.iec62056.protocol.dlms.security import Credentials, Mechanism
from custom_components.iec62056.protocol.errors import LoginError
from custom_components.iec62056.protocol.model import LineProfile, Mode, Reading
from custom_components.iec62056.protocol.transport.serial_line import open_line
from demo.processes import running

from ..protocol.dlms.meters import KEYS, SECRET, TITLE, keyring
from .environment import PYTHON, needs_peers

SPEED = 115200
PASSWORD = b"12345678"
CLIENTS = {
    Mechanism.NONE: PUBLIC,
    Mechanism.LOW: DlmsLogin(1, Credentials(Mechanism.LOW, PASSWORD)),
    **{
        mechanism: DlmsLogin(
            20 + mechanism,
            Credentials(
                mechanism, SECRET, system_title=TITLE if mechanism is Mechanism.SHA256 else None
            ),
        )
        for mechanism in (Mechanism.AES, Mechanism.MD5, Mechanism.SHA1, Mechanism.SHA256)
    },
}
GMAC = DlmsLogin(2, Credentials(Mechanism.GMAC, b"", KEYS, TITLE, ciphered=True))

pytestmark = [needs_peers, pytest.mark.usefixtures("socket_enabled")]


@asynccontextmanager
async def pydlms(folder: Path, *, keys: bool = False) -> AsyncGenerator[str]:
    """Its meter behind a port, as a URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [str(PYTHON), "-P", "-m", "pydlms.simulator", "--hdlc", "--port", str(port)]
    if keys:
        command += ["--key", KEYS.encryption.hex(), "--auth-key", KEYS.authentication.hex()]
        command += ["--client", "2:5"]
    else:
        for mechanism, login in CLIENTS.items():
            secret = login.credentials.secret.decode()
            command += ["--client", f"{login.client}:{mechanism.value}:{secret}".rstrip(":")]
    async with running("pydlms", command, folder / "log", folder=folder) as server:

        async def listens() -> bool:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return True
            return False

        await server.until(listens, 30)
        yield f"socket://127.0.0.1:{port}"


async def read(url: str, ring: Keyring) -> tuple[Reading, MeterClient]:
    line = await open_line(url, speed=SPEED)
    try:
        reader = MeterClient(line, LineProfile(mode=Mode.E, hdlc_at_once=True), keyring=ring)
        return await reader.read_all(), reader
    finally:
        await line.close()


def check(reading: Reading) -> None:
    """What its meter holds."""
    for key, text, unit in (
        ("1-0:1.8.0", "12345678", "Wh"),
        ("1-0:1.7.0", "1520", "W"),
        ("1-0:32.7.0", "230.1", "V"),
        ("1-0:31.7.0", "5.23", "A"),
        ("0-0:96.1.0", "PYD0000000001", None),
    ):
        register = reading.first(key)
        assert register is not None, key
        assert tuple(register.values[0]) == (text, unit)


@pytest.mark.parametrize("short_names", [False, True])
@pytest.mark.parametrize("mechanism", CLIENTS)
async def test_it_is_read(mechanism: Mechanism, short_names: bool, tmp_path: Path) -> None:
    """It answers to both kinds of names; a meter that answers to short ones alone would refuse the others first."""
    login = CLIENTS[mechanism]
    ring = Keyring((login,))
    ring.known.short_names = short_names
    async with pydlms(tmp_path) as url:
        reading, reader = await read(url, ring)
    assert reader.refusal is None
    check(reading)


async def test_it_is_read_with_keys(tmp_path: Path) -> None:
    ring = keyring(GMAC)
    async with pydlms(tmp_path, keys=True) as url:
        reading, reader = await read(url, Keyring((GMAC,), ring.counter, ring.store))
    assert reader.refusal is None
    check(reading)


async def test_it_refuses_another_secret(tmp_path: Path) -> None:
    wrong = DlmsLogin(23, Credentials(Mechanism.MD5, b"another"))
    async with pydlms(tmp_path) as url:
        reading, reader = await read(url, Keyring((wrong,)))
    assert isinstance(reader.refusal, LoginError)
    check(reading)
