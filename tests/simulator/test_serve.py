"""The meter at real ports: a small raw client, and nothing left open afterwards."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
import os
from pathlib import Path
import termios
from urllib.parse import urlsplit

import pytest

from simulator import Faults, Kind, Link, Manners, Meter, Mode, Transport, serve
from simulator.wire import even

from ..common.waiting import until
from .bench import Stock

REQUEST = bytes(map(even, b"/?!\r\n"))
OPTION = bytes(map(even, b"\x06050\r\n"))
END = b"!\r\n\x03"

pytestmark = pytest.mark.usefixtures("nothing_left_open", "socket_enabled")


def open_files() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir() if entry.exists()}


@pytest.fixture
def nothing_left_open() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


def meter(faults: Faults | None = None, **manners: object) -> Meter:
    return Meter(Stock(), Manners(**{"reaction": 0.02} | manners), faults)  # type: ignore[arg-type]


class Terminal:
    """A client of a pseudo terminal that sets speeds as a program does."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.read = b""
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def write(self, octets: bytes) -> None:
        os.write(self._fd, octets)

    def speed(self, speed: int) -> None:
        attributes = termios.tcgetattr(self._fd)
        attributes[4] = attributes[5] = getattr(termios, f"B{speed}")
        termios.tcsetattr(self._fd, termios.TCSANOW, attributes)

    async def until(self, end: bytes) -> bytes:
        await until(lambda: bytes(map(even, end)) in self.read, words=lambda: self.read)
        return bytes(octet & 0x7F for octet in self.read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def _read(self) -> None:
        self.read += os.read(self._fd, 4096)


async def test_a_terminal_from_300_to_9600() -> None:
    async with serve(meter(reaction=0.2), transport="pty") as served:
        terminal = Terminal(served.url)
        terminal.speed(300)
        terminal.write(REQUEST)
        await terminal.until(b"METER-01\r\n")
        terminal.write(OPTION)
        # When the last character has left, whatever drain says.
        await served.happened(Kind.OPTION)
        terminal.speed(9600)
        assert END in await terminal.until(END)
        await served.happened(Kind.SENT)
        terminal.close()
    (change,) = served.log.of(Kind.SPEED)
    assert change.text == "300 -> 9600"
    assert change.value is not None
    assert change.value > 0
    assert served.log.of(Kind.MISSED, Kind.DAMAGED) == []
    data, sent = served.log.of(Kind.DATA)[0], served.log.of(Kind.SENT)[0]
    assert sent.value is not None
    assert sent.at - data.at == pytest.approx(sent.value * 10 / 9600)


async def test_a_terminal_that_switches_at_once_is_not_understood() -> None:
    async with serve(meter()) as served:
        terminal = Terminal(served.url)
        terminal.speed(300)
        terminal.write(REQUEST)
        await terminal.until(b"METER-01\r\n")
        # A drain returns at once on a pseudo terminal: this client believes it.
        terminal.write(OPTION)
        terminal.speed(9600)
        (data,) = await served.happened(Kind.DATA)
        terminal.close()
    assert data.text.endswith("at 300")
    assert served.log.of(Kind.DAMAGED)


async def test_a_terminal_at_another_speed_gets_no_answer() -> None:
    async with serve(meter()) as served:
        terminal = Terminal(served.url)
        terminal.speed(9600)
        terminal.write(REQUEST)
        await served.happened(Kind.DAMAGED, 5)
        terminal.speed(300)
        terminal.write(REQUEST)
        await served.happened(Kind.SIGN_ON)
        terminal.close()
    assert len(served.log.of(Kind.SIGN_ON)) == 1


async def test_a_terminal_outlives_its_clients(tmp_path: Path) -> None:
    path = tmp_path / "meter"
    async with serve(meter(mode=Mode.A, speed=300), path=path, speed_up=20) as served:
        assert served.url == str(path)
        for count in (1, 2):
            terminal = Terminal(served.url)
            terminal.write(REQUEST)
            await terminal.until(END)
            await served.happened(Kind.SENT, count)
            terminal.close()
    assert not path.is_symlink()


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("link", list(Link))
async def test_a_raw_bridge_with_and_without_parity(link: Link) -> None:
    async with serve(meter(), transport=Transport.TCP, link=link, speed_up=20) as served:
        assert served.url.startswith("socket://127.0.0.1:")
        reader, writer = await connect(served.url)
        writer.write(REQUEST if link is Link.EIGHT else b"/?!\r\n")
        # A bridge fixed at 300 stays: the option select says so.
        ident = await reader.readuntil(b"\n")
        writer.write(bytes(map(even, b"\x06000\r\n")) if link is Link.EIGHT else b"\x06000\r\n")
        block = await reader.readuntil(b"\x03")
        await hang_up(writer)
    plain = b"/SIM5METER-01\r\n"
    assert ident == (bytes(map(even, plain)) if link is Link.EIGHT else plain)
    assert bytes(octet & 0x7F for octet in block).endswith(END)
    assert (max(block) > 0x7F) is (link is Link.EIGHT)


async def test_a_bridge_serves_one_client_at_a_time() -> None:
    async with serve(meter(mode=Mode.A, speed=300), transport="tcp", speed_up=20) as served:
        _, first = await connect(served.url)
        await served.happened(Kind.CONNECTED)
        reader, second = await connect(served.url)
        assert await reader.read() == b""
        await hang_up(second)
        await hang_up(first)
        await served.happened(Kind.DISCONNECTED)
        reader, third = await connect(served.url)
        third.write(REQUEST)
        await reader.readuntil(b"\x03")
        await hang_up(third)


async def test_a_client_that_goes_in_the_middle_leaves_the_meter_talking() -> None:
    async with serve(meter(mode=Mode.A, speed=300), transport="tcp", speed_up=20) as served:
        _, writer = await connect(served.url)
        writer.write(REQUEST)
        await served.happened(Kind.DATA)
        writer.transport.abort()
        await served.happened(Kind.DISCONNECTED)
        await served.happened(Kind.SENT)
        reader, writer = await connect(served.url)
        writer.write(REQUEST)
        assert (await reader.readuntil(b"\x03"))[:1] == bytes([even(ord("/"))])
        await hang_up(writer)


async def test_the_context_ends_with_a_client_in_the_middle() -> None:
    async with serve(meter(), transport="tcp") as served:
        reader, writer = await connect(served.url)
        writer.write(REQUEST)
        await served.happened(Kind.SIGN_ON)
    with suppress(ConnectionError):
        await reader.read()
    with suppress(ConnectionError):
        await hang_up(writer)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_push_meter_speaks_to_whoever_listens() -> None:
    pushing = meter(mode=Mode.D, speed=9600, interval=1.0)
    async with serve(pushing, transport="tcp", speed=9600, speed_up=50) as served:
        await served.happened(Kind.SENT)
        reader, writer = await connect(served.url)
        await reader.readuntil(b"!")
        await reader.readuntil(b"!")
        await hang_up(writer)


class Rfc2217:
    """A client that speaks just enough Telnet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def set(self, code: int, payload: bytes) -> None:
        self.writer.write(b"\xff\xfa\x2c" + bytes([code]) + payload + b"\xff\xf0")
        answer = b"\xff\xfa\x2c" + bytes([code + 100]) + payload + b"\xff\xf0"
        assert await self._reader.readuntil(b"\xff\xf0") == answer


@pytest.mark.parametrize("bits", [7, 8])
async def test_rfc2217_switches_speed_and_parity(bits: int) -> None:
    async with serve(meter(reaction=0.2), transport="rfc2217", speed=9600) as served:
        assert served.url.startswith("rfc2217://127.0.0.1:")
        reader, writer = await connect(served.url)
        client = Rfc2217(reader, writer)
        await client.set(1, (300).to_bytes(4))
        await client.set(2, bytes([bits]))
        await client.set(3, bytes([3 if bits == 7 else 1]))
        writer.write(REQUEST)
        assert (await reader.readuntil(b"\n"))[0] == (0x2F if bits == 7 else 0xAF)
        writer.write(OPTION)
        await served.happened(Kind.OPTION)
        await client.set(1, (9600).to_bytes(4))
        block = await reader.readuntil(b"\x03")
        await hang_up(writer)
        await served.happened(Kind.DISCONNECTED)
    assert bytes(octet & 0x7F for octet in block).endswith(END)
    assert (max(block) > 0x7F) is (bits == 8)
    assert [event.text for event in served.log.of(Kind.SPEED)] == ["9600 -> 300", "300 -> 9600"]


async def test_faults_can_change_while_the_meter_runs() -> None:
    async with serve(meter(mode=Mode.A, speed=300), speed_up=20) as served:
        terminal = Terminal(served.url)
        served.meter.faults.error = "ER01"
        terminal.write(REQUEST)
        await terminal.until(b"(ER01)\x03")
        served.meter.faults.error = ""
        terminal.write(REQUEST)
        await terminal.until(END)
        await served.happened(Kind.SENT)
        terminal.close()
