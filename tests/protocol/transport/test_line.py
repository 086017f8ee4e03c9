"""The line on ptys and sockets: what goes out, what comes in, when the speed changes, and what breaks.

Nothing here waits for a time to pass but the line itself; the other side acts on conditions.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
import errno
from pathlib import Path
import socket
import termios
import threading
from typing import Any, override

from hypothesis import given, strategies as st
import pytest
import serialx

from custom_components.iec62056.protocol.errors import (
    BadUrl,
    BridgeAddress,
    BridgeNotReady,
    BridgeRefusedSettings,
    BridgeTaken,
    ConnectionLost,
    ConnectionRefused,
    ConnectionTimedOut,
    LineError,
    NoPermission,
    PortBusy,
    PortMissing,
)
from custom_components.iec62056.protocol.model import ParitySeen
from custom_components.iec62056.protocol.transport import connect, serial_line
from custom_components.iec62056.protocol.transport.line import with_even_parity
from custom_components.iec62056.protocol.transport.serial_line import (
    AT_ONCE,
    INPUT_LIMIT,
    SerialLine,
    open_line,
)
from custom_components.iec62056.protocol.transport.trace import Direction

from ...common.clock import ROUNDING
from ...common.line_ends import (
    ANSWER,
    OPTION,
    SIGN_ON,
    SIGN_ON_ON_THE_WIRE,
    Pty,
    Tcp,
    read_until,
)
from ...common.waiting import until
from ..rfc2217_server import (
    SET_BAUDRATE,
    SET_DATASIZE,
    SET_PARITY,
    SET_STOPSIZE,
    Rfc2217Server,
)

DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
async def pty() -> AsyncIterator[Pty]:
    port = Pty()
    yield port
    port.unplug()


@pytest.fixture
async def line(pty: Pty) -> AsyncIterator[SerialLine]:
    opened = await open_line(pty.path)
    yield opened
    await opened.close()


@pytest.fixture
async def tcp(socket_enabled: None) -> AsyncIterator[Tcp]:
    bridge = Tcp()
    await bridge.start()
    yield bridge
    await bridge.stop()


def descriptors() -> set[Path]:
    return set(DESCRIPTORS.iterdir())


def left_open(before: set[Path]) -> set[str]:
    """The ports and sockets among the descriptors that were not there before."""
    left = set()
    for descriptor in descriptors() - before:
        # The descriptor of this very listing is gone already.
        with suppress(FileNotFoundError):
            left.add(str(descriptor.readlink()))
    return {name for name in left if name.startswith(("/dev/pt", "socket:"))}


@pytest.fixture(autouse=True)
async def no_file_left_open() -> AsyncIterator[None]:
    """The descriptors are the same after the test, the selector's and the executor's own apart."""
    before = descriptors()
    yield
    # Another thread closes what it was using.
    await until(lambda: not left_open(before), words=lambda: left_open(before))


def count_sockets() -> int:
    """How many sockets this process has open."""
    count = 0
    for descriptor in DESCRIPTORS.iterdir():
        with suppress(FileNotFoundError):
            count += str(descriptor.readlink()).startswith("socket:")
    return count


async def sign_on(line: SerialLine) -> bytes:
    """Ask, and wait for whatever comes."""
    await line.write(SIGN_ON)
    return await line.read(line.now() + 3600)


# Parity.


def test_parity_as_the_standard_gives_it() -> None:
    """The acknowledgement of the standard's annex E.4, and the request."""
    assert with_even_parity(b"\x06252\r\n") == bytes.fromhex("06b235b28d0a")
    assert with_even_parity(SIGN_ON) == SIGN_ON_ON_THE_WIRE


@given(st.binary(max_size=80).map(lambda data: bytes(byte & 0x7F for byte in data)))
def test_every_character_has_an_even_number_of_ones(data: bytes) -> None:
    raw = with_even_parity(data)
    assert bytes(byte & 0x7F for byte in raw) == data
    assert all(byte.bit_count() % 2 == 0 for byte in raw)


def test_a_character_of_eight_bits_is_not_sent_as_another() -> None:
    with pytest.raises(ValueError, match="seven bits"):
        with_even_parity(b"caf\xe9")


async def test_parity_is_made_and_checked_in_software(pty: Pty, line: SerialLine) -> None:
    await line.write(SIGN_ON)
    await pty.until_written(SIGN_ON_ON_THE_WIRE)
    raw = bytearray(with_even_parity(ANSWER))
    raw[4] ^= 0x01
    pty.send(raw)
    got = await read_until(line, b"\n")
    assert got == ANSWER[:4] + bytes([ANSWER[4] ^ 0x01]) + ANSWER[5:]
    assert line.tally.characters == len(ANSWER)
    assert line.tally.parity is ParitySeen.EVEN
    assert line.tally.wrong == 1


async def test_a_line_that_strips_the_parity_bit_is_read_too(pty: Pty, line: SerialLine) -> None:
    pty.send(ANSWER)
    assert await read_until(line, b"\n") == ANSWER
    assert line.tally.parity is ParitySeen.STRIPPED
    assert line.tally.wrong == 0


async def test_the_port_is_opened_with_eight_bits_and_no_parity(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = watch_opening(monkeypatch)
    line = await open_line(pty.path, speed=2400)
    assert pty.speed == 2400
    assert asked == [(2400, 8, serialx.Parity.NONE)]
    await line.close()


async def test_a_port_that_refuses_eight_bits_is_opened_with_seven(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = watch_opening(monkeypatch, refuse=8)
    # A pty is always 8N1; that seven bits are asked for is what can be seen here.
    monkeypatch.setattr(
        "serialx.platforms.serial_posix.PosixSerial._build_parity_flags", lambda self: 0
    )
    monkeypatch.setattr(
        "serialx.platforms.serial_posix.PosixSerial._build_character_size_flags",
        lambda self: termios.CS8,
    )
    line = await open_line(pty.path)
    assert asked == [(300, 8, serialx.Parity.NONE), (300, 7, serialx.Parity.EVEN)]
    await line.write(SIGN_ON)
    await pty.until_written(SIGN_ON_ON_THE_WIRE)
    await line.close()


def watch_opening(
    monkeypatch: pytest.MonkeyPatch, refuse: int | None = None
) -> list[tuple[int, int, serialx.Parity]]:
    """Record the settings ports are opened with; refuse one number of data bits as a driver does."""
    asked: list[tuple[int, int, serialx.Parity]] = []
    real = serialx.create_serial_connection

    async def create(*args: Any, **kwargs: Any) -> Any:
        asked.append((kwargs["baudrate"], kwargs["byte_size"], kwargs["parity"]))
        if kwargs["byte_size"] == refuse:
            raise OSError(errno.EINVAL, "Invalid argument")
        return await real(*args, **kwargs)

    monkeypatch.setattr(serialx, "create_serial_connection", create)
    return asked


# Time.


async def test_reading_ends_at_the_deadline(line: SerialLine) -> None:
    deadline = line.now() + 0.03
    assert await line.read(deadline) == b""
    assert line.now() >= deadline - ROUNDING


async def test_what_is_there_is_read_even_after_the_deadline(pty: Pty, line: SerialLine) -> None:
    pty.send(b"x")
    assert await read_until(line, b"x") == b"x"
    pty.send(b"y")
    await until(lambda: line.trace.runs[-1].data.endswith(b"y"))
    assert await line.read(line.now() - 1) == b"y"
    assert await line.read(line.now() - 1) == b""


async def test_reading_wakes_with_the_first_character(pty: Pty, line: SerialLine) -> None:
    """Nothing is awaited but the character: the deadline is an hour away."""
    reading = asyncio.ensure_future(line.read(line.now() + 3600))
    await asyncio.sleep(0)
    pty.send(b"/")
    assert await reading == b"/"


async def test_two_conversations_at_once_are_a_mistake(line: SerialLine) -> None:
    reading = asyncio.ensure_future(line.read(line.now() + 3600))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await line.read(line.now() + 3600)
    reading.cancel()
    await asyncio.wait([reading])


async def test_when_the_last_character_has_left_is_computed(line: SerialLine) -> None:
    """Ten bits each at the speed they were written with; what is handed over early queues up."""
    before = line.now()
    await line.write(SIGN_ON)
    after = line.now()
    assert before <= line.sent_at - 50 / 300 <= after
    first = line.sent_at
    await line.write(OPTION)
    assert line.sent_at == pytest.approx(first + 60 / 300)
    await line.set_speed(9600, line.now())
    await line.write(SIGN_ON)
    assert line.sent_at == pytest.approx(first + 60 / 300 + 50 / 9600)


async def test_after_silence_the_time_starts_anew(line: SerialLine) -> None:
    await line.set_speed(9600, line.now())
    await line.write(b"\x15")
    await line.sleep_until(line.sent_at + 0.01)
    before = line.now()
    await line.write(b"\x15")
    assert line.sent_at >= before + 10 / 9600 - ROUNDING


async def test_time_of_day_is_aware(line: SerialLine) -> None:
    offset = line.utcnow().utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0


# The change of speed.


async def test_a_fast_meter_is_followed(pty: Pty, line: SerialLine) -> None:
    """It answers 20 ms after the last character has really left, and is heard from the first character on."""
    block = b"\x02" + b"1-0:1.8.0*255(004711.93*kWh)\r\n" * 20 + b"!\r\n\x03"
    seen: list[int] = []

    def hear() -> None:
        if not pty.written.endswith(with_even_parity(OPTION)):
            return
        loop = asyncio.get_running_loop()
        begin = loop.time()
        left = begin + len(OPTION) * 10 / 300
        loop.call_at(left - 0.01, lambda: seen.append(pty.speed))
        for number, byte in enumerate(with_even_parity(block)):
            loop.call_at(left + 0.02 + number * 10 / 9600, pty.send, bytes([byte]))
        loop.call_at(left + 0.02, lambda: seen.append(pty.speed))

    pty.on_written = hear
    await line.write(OPTION)
    await line.set_speed(9600, line.sent_at + line.margin)
    assert line.speed == 9600
    assert await read_until(line, b"\x03") == block
    assert seen == [300, 9600]
    assert line.tally.late_switches == 0
    assert {run.speed for run in line.trace.runs if run.direction is Direction.RECEIVED} == {9600}


async def test_nothing_is_lost_around_the_change(
    pty: Pty, line: SerialLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Characters that lie in the port while its speed is set: a flush there would take them."""
    loop = asyncio.get_running_loop()
    real = loop.run_in_executor

    def in_the_middle(executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        done = threading.Event()

        def wrapped() -> Any:
            try:
                pty.send(b"before")
                while pty.unread < len(b"before"):
                    pass
                return func(*args)
            finally:
                pty.send(b"after")
                done.set()

        future = real(executor, wrapped)
        # The event loop reads nothing until the speed is set.
        assert done.wait(5)
        return future

    monkeypatch.setattr(loop, "run_in_executor", in_the_middle)
    await line.set_speed(9600, line.now())
    monkeypatch.undo()
    assert pty.speed == 9600
    assert await read_until(line, b"after") == b"beforeafter"


async def test_what_came_before_the_change_stays_unless_dropped(pty: Pty, line: SerialLine) -> None:
    pty.send(b"old")
    await until(lambda: bool(line.trace.runs))
    await line.set_speed(9600, line.now())
    assert await line.read(line.now()) == b"old"
    pty.send(b"noise")
    await until(lambda: line.tally.characters == 8)
    line.drop_input()
    assert await line.read(line.now()) == b""


async def test_the_speed_does_not_change_before_its_time(pty: Pty, line: SerialLine) -> None:
    await line.write(OPTION)
    switching = asyncio.ensure_future(line.set_speed(9600, line.sent_at))
    await line.sleep_until(line.sent_at - 0.02)
    assert pty.speed == 300
    await switching
    assert pty.speed == 9600


async def test_a_late_change_is_counted(line: SerialLine) -> None:
    await line.set_speed(9600, line.now() - 0.1)
    assert line.tally.late_switches == 1
    await line.set_speed(300, line.now())
    await line.set_speed(300, line.now() - 0.1)
    assert line.tally.late_switches == 1


async def test_a_speed_without_a_name_can_be_set(line: SerialLine) -> None:
    """Some makes use 36400 Bd."""
    await line.set_speed(36400, line.now())
    assert line.speed == 36400
    await line.set_speed(300, line.now())


async def test_a_change_that_is_cancelled_does_not_happen(pty: Pty, line: SerialLine) -> None:
    switching = asyncio.ensure_future(line.set_speed(9600, line.now() + 3600))
    await asyncio.sleep(0)
    switching.cancel()
    await asyncio.wait([switching])
    assert (line.speed, pty.speed) == (300, 300)


# Echo.


async def test_an_echoing_probe(pty: Pty, line: SerialLine) -> None:
    def reflect() -> None:
        pty.send(bytes(pty.written))
        pty.written.clear()

    pty.on_written = reflect
    await line.write(bytes(66))
    await line.write(SIGN_ON)
    await until(lambda: line.tally.echoed == 71)
    pty.on_written = lambda: None
    pty.send(with_even_parity(ANSWER))
    assert await read_until(line, b"\n") == ANSWER
    assert line.tally.echoed == 71
    assert line.tally.characters == len(ANSWER)


async def test_only_our_echo_is_silence_that_was_counted(pty: Pty, line: SerialLine) -> None:
    pty.on_written = lambda: pty.send(b"/?!\r")
    await line.write(SIGN_ON)
    assert await line.read(line.sent_at + 0.5) == b""
    assert line.tally.echoed == 4
    assert line.tally.characters == 0


async def test_a_character_kept_back_in_vain_comes_by_itself(pty: Pty, line: SerialLine) -> None:
    """The meter's first character looks like ours, and the second is late."""
    await line.write(SIGN_ON)
    await line.sleep_until(line.sent_at + 0.02)
    pty.send(with_even_parity(b"/"))
    assert await line.read(line.now() + 5) == with_even_parity(b"/")
    assert line.tally.echoed == 0


async def test_dropping_input_takes_what_was_kept_back(pty: Pty, line: SerialLine) -> None:
    await line.write(SIGN_ON)
    pty.send(b"/?")
    await until(lambda: bool(line.trace.runs) and line.trace.runs[-1].data == b"/?")
    line.drop_input()
    assert await line.read(line.sent_at + 0.3) == b""
    assert line.tally.characters == 0


async def test_what_was_kept_back_is_read_when_the_line_is_gone(pty: Pty, line: SerialLine) -> None:
    await line.write(SIGN_ON)
    pty.send(b"/?")
    await until(lambda: line.trace.runs[-1].data == b"/?")
    pty.unplug()
    assert await line.read(line.now() + 5) == b"/?"
    with pytest.raises(ConnectionLost):
        await line.read(line.now() + 5)


async def test_unanswered_messages_are_forgotten(line: SerialLine) -> None:
    await line.set_speed(9600, line.now())
    for _ in range(3):
        await line.write(SIGN_ON)
        await line.sleep_until(line.sent_at + 0.26)
    assert len(line._echo._messages) == 1


async def test_an_echo_on_the_network(tcp: Tcp) -> None:
    line = await open_line(tcp.url)
    tcp.echo = True
    await line.write(SIGN_ON)
    await tcp.until_written(SIGN_ON_ON_THE_WIRE)
    tcp.echo = False
    await tcp.send(with_even_parity(ANSWER))
    assert await read_until(line, b"\n") == ANSWER
    assert line.tally.echoed == len(SIGN_ON)
    await line.close()


async def test_the_echo_of_a_bridge_may_be_as_late_as_the_bridge(tcp: Tcp) -> None:
    line = await open_line(tcp.url, speed=9600)
    await line.write(SIGN_ON)
    await line.sleep_until(line.sent_at + 0.3)
    await tcp.send(SIGN_ON + ANSWER)
    assert await read_until(line, b"\n") == ANSWER
    await line.close()


# The line breaks.


async def test_an_unplugged_probe(pty: Pty, line: SerialLine) -> None:
    """What came before is read first; a second try says the same at once."""
    pty.send(b"/LG")
    await until(lambda: bool(line.trace.runs))
    pty.unplug()
    assert await read_until(line, b"/LG") == b"/LG"
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            await line.read(line.now() + 3600)
    with pytest.raises(ConnectionLost):
        await line.write(SIGN_ON)
    with pytest.raises(ConnectionLost):
        await line.set_speed(9600, line.now())


async def test_a_probe_unplugged_before_anything_was_noticed(pty: Pty, line: SerialLine) -> None:
    pty.unplug()
    with pytest.raises(ConnectionLost):
        await sign_on(line)


async def test_a_line_that_breaks_while_it_is_written_to(
    line: SerialLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(data: bytes) -> None:
        raise OSError(errno.EIO, "device disconnected")

    monkeypatch.setattr(line._transport, "write", broken)
    with pytest.raises(ConnectionLost):
        await line.write(SIGN_ON)
    assert not line.trace.runs


async def test_a_probe_unplugged_while_the_speed_is_set(
    pty: Pty, line: SerialLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: Any) -> None:
        raise termios.error(errno.EIO, "Input/output error")

    monkeypatch.setattr(termios, "tcsetattr", gone)
    with pytest.raises(ConnectionLost):
        await line.set_speed(9600, line.now())
    assert line.speed == 300


@pytest.mark.parametrize("sentence", [b"", b"Port already in use\r\n"])
async def test_a_bridge_that_serves_somebody_else(tcp: Tcp, sentence: bytes) -> None:
    line = await open_line(tcp.url)
    await tcp.send(sentence)
    await tcp.stop()
    assert await read_until(line, sentence) == sentence
    with pytest.raises(BridgeTaken, match="another client"):
        await line.read(line.now() + 3600)
    await line.close()


async def test_a_bridge_that_closes_later_has_served_us(
    tcp: Tcp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_line, "REFUSED_WITHIN", -1.0)
    line = await open_line(tcp.url)
    await tcp.stop()
    with pytest.raises(ConnectionLost):
        await line.read(line.now() + 3600)
    await line.close()


async def test_a_bridge_that_closes(tcp: Tcp) -> None:
    line = await open_line(tcp.url)
    said = b"/LG" * 20
    await tcp.send(said)
    await tcp.stop()
    assert await read_until(line, said) == said
    with pytest.raises(ConnectionLost):
        await line.read(line.now() + 3600)
    with pytest.raises(ConnectionLost):
        await line.write(SIGN_ON)
    await line.close()


async def test_a_line_nobody_reads_keeps_the_newest(tcp: Tcp) -> None:
    line = await open_line(tcp.url)
    await tcp.send(b"a" * INPUT_LIMIT)
    await tcp.send(b"b" * 100)
    await until(lambda: line.tally.characters == INPUT_LIMIT + 100)
    kept = bytearray()
    while run := await line.read(line.now()):
        kept += run
    assert kept == b"a" * (INPUT_LIMIT - 100) + b"b" * 100
    assert line.tally.overrun == 100
    await line.close()


async def test_others_have_their_turn_while_a_flood_is_read(tcp: Tcp) -> None:
    line = await open_line(tcp.url)
    await tcp.send(b"a" * INPUT_LIMIT)
    await until(lambda: line.tally.characters == INPUT_LIMIT)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    while line._input:
        assert len(await line.read(line.now() + 60.0)) <= AT_ONCE
    task.cancel()
    assert turns >= INPUT_LIMIT // AT_ONCE - 1
    await line.close()


# Opening.


async def test_a_port_that_is_not_there() -> None:
    with pytest.raises(PortMissing, match="/dev/ttyUSB77"):
        await open_line("/dev/ttyUSB77")


@pytest.mark.parametrize(
    "address", ["192.168.1.5", "192.168.1.5:2217", "meter.local", "ser2net:2217", "[fd00::5]:23"]
)
async def test_an_address_without_what_is_spoken_there(address: str) -> None:
    with pytest.raises(BridgeAddress) as told:
        await open_line(address)
    for scheme in ("rfc2217", "socket"):
        assert f"{scheme}://{address}" in str(told.value)


@pytest.mark.parametrize("port", ["/dev/tty\0USB0", "rfc2217://ho\0st:1", "socket://\0:1"])
async def test_a_name_with_nul(port: str) -> None:
    with pytest.raises(LineError):
        await open_line(port)


async def test_a_port_in_use(pty: Pty, line: SerialLine) -> None:
    with pytest.raises(PortBusy, match=pty.path):
        await open_line(pty.path)


async def test_a_port_is_free_after_closing(pty: Pty) -> None:
    for _ in range(3):
        line = await open_line(pty.path)
        await line.close()
        await line.close()
        with pytest.raises(ConnectionLost):
            await line.read(line.now())
        with pytest.raises(ConnectionLost):
            await line.write(SIGN_ON)


@pytest.mark.parametrize(
    "url",
    [
        "socket://127.0.0.1",
        "socket://127.0.0.1:nothing",
        "rfc2217://:4000",
        "ftp://127.0.0.1:4000",
        "/dev/tty\0USB0",
    ],
)
async def test_what_is_no_port(url: str) -> None:
    with pytest.raises(BadUrl):
        await open_line(url)


async def test_a_file_is_no_port(tmp_path: Path) -> None:
    file = tmp_path / "telegram.txt"
    file.touch()
    with pytest.raises(BadUrl):
        await open_line(str(file))
    with pytest.raises(BadUrl):
        await open_line(str(tmp_path))


@pytest.mark.parametrize(
    ("url", "failure", "expected"),
    [
        ("/dev/ttyUSB0", PermissionError(errno.EACCES, ""), NoPermission),
        ("/dev/ttyUSB0", OSError(errno.EIO, ""), PortMissing),
        ("/dev/ttyUSB0", OSError(errno.ENXIO, ""), PortMissing),
        ("/dev/ttyUSB0", serialx.UnsupportedSetting(), BridgeRefusedSettings),
        ("socket://bridge:1", TimeoutError(), ConnectionTimedOut),
        ("socket://bridge:1", OSError(errno.EHOSTUNREACH, ""), ConnectionTimedOut),
        ("socket://bridge:1", socket.gaierror(socket.EAI_NONAME, ""), ConnectionTimedOut),
        ("socket://bridge:1", ConnectionRefusedError(errno.ECONNREFUSED, ""), ConnectionRefused),
        ("rfc2217://bridge:1", ConnectionResetError(errno.ECONNRESET, ""), ConnectionRefused),
        ("esphome://node:6053", OSError(errno.EBUSY, ""), PortBusy),
        ("esphome://node:6053", serialx.SerialException("no such port"), BridgeNotReady),
    ],
)
async def test_what_the_system_says_becomes_a_sentence(
    url: str, failure: Exception, expected: type[LineError], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: Any, **kwargs: Any) -> None:
        raise failure

    monkeypatch.setattr(serialx, "create_serial_connection", fail)
    with pytest.raises(expected) as caught:
        await open_line(url)
    assert type(caught.value) is expected
    assert caught.value.__cause__ is not None


async def test_a_mistake_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(serialx, "create_serial_connection", fail)
    with pytest.raises(ZeroDivisionError):
        await open_line("/dev/ttyUSB0")


async def test_a_proxy_that_is_not_loaded_yet() -> None:
    """Its backend raises an exception of Home Assistant's, which cannot be named here."""

    class NotReady(Exception):
        """Not one of serialx's."""

    class NotReadyTransport(serialx.SerialTransport):
        @override
        async def _connect(self, **kwargs: Any) -> None:
            raise NotReady

    remove = serialx.register_uri_handler(
        scheme="esphome-test://",
        unique_scheme="esphome-test-not-ready://",
        sync_cls=serialx.Serial,  # type: ignore[type-abstract]
        async_transport_cls=NotReadyTransport,  # type: ignore[type-abstract]
    )
    try:
        with pytest.raises(BridgeNotReady):
            await open_line("esphome-test://esphome/entry?port_name=uart")
    finally:
        remove()


async def test_a_refused_connection(tcp: Tcp) -> None:
    await tcp.stop()
    with pytest.raises(ConnectionRefused, match=tcp.url):
        await open_line(tcp.url)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/dev/serial/by-id/usb-FTDI-if00", "/dev/serial/by-id/usb-FTDI-if00"),
        ("device:///dev/ttyUSB0", "device:///dev/ttyUSB0"),
        ("socket://192.168.0.7:20108", "socket://192.168.0.7:20108"),
        ("rfc2217://anna:se@cret@[fd00::7]:4000/", "rfc2217://[fd00::7]:4000"),
        ("esphome://n:6053/?port_name=u&key=secret&password=s", "esphome://n:6053?port_name=u"),
        ("esphome-hass://esphome/01AB?port_name=u", "esphome-hass://esphome/01AB?port_name=u"),
        ("socket://anna:secret@host:port", "socket://…"),
        ("rfc2217://anna:sec?ret@host:4000", "rfc2217://…"),
        ("esphome://[secret", "esphome://…"),
    ],
)
async def test_names_tell_no_secret(url: str, name: str) -> None:
    assert SerialLine(url).name == name
    assert "secret" not in name


# Raw TCP.


@pytest.mark.parametrize("scheme", ["socket", "tcp"])
async def test_a_raw_bridge_has_the_speed_it_has(tcp: Tcp, scheme: str) -> None:
    line = await open_line(tcp.url.replace("socket", scheme), speed=2400)
    assert not line.can_switch
    assert line.speed == 2400
    await line.write(SIGN_ON)
    await tcp.until_written(SIGN_ON_ON_THE_WIRE)
    await line.set_speed(2400, line.now())
    with pytest.raises(BridgeRefusedSettings, match="9600 Bd"):
        await line.set_speed(9600, line.now())
    assert line.speed == 2400
    await line.close()


async def test_a_local_line_lags_less_than_the_network(tcp: Tcp, line: SerialLine) -> None:
    bridge = await open_line(tcp.url)
    assert line.can_switch
    assert line.grace < bridge.grace
    assert line.margin < 0.02
    await bridge.close()


# RFC 2217.


@pytest.mark.usefixtures("socket_enabled")
class TestRfc2217:
    async def test_settings_and_speed(self) -> None:
        async with Rfc2217Server() as server:
            line = await open_line(server.url)
            assert line.can_switch
            assert line.margin < 0.02
            assert server.settings == [
                (SET_BAUDRATE, 300),
                (SET_DATASIZE, 8),
                (SET_PARITY, 1),
                (SET_STOPSIZE, 1),
            ]
            await line.write(OPTION)
            await server.until_written(with_even_parity(OPTION))
            await line.set_speed(9600, line.sent_at + line.margin)
            assert server.settings[4:] == [(SET_BAUDRATE, 9600)]
            # 7F with parity is FF, which Telnet doubles.
            server.send(b"\xff\x82" + with_even_parity(b"F.F(00)\r\n"))
            assert await read_until(line, b"\n") == b"\x7f\x02F.F(00)\r\n"
            assert line.speed == 9600
            await line.close()

    async def test_the_speed_of_a_divider_is_near_enough(self) -> None:
        async with Rfc2217Server(divider_error=0.0016) as server:
            line = await open_line(server.url, speed=9600)
            await line.set_speed(4800, line.now())
            assert line.speed == 4800
            await line.close()

    async def test_a_server_that_stays_at_its_speed_is_noticed(self) -> None:
        async with Rfc2217Server() as server:
            line = await open_line(server.url)
            server.fixed_speed = 2400
            with pytest.raises(BridgeRefusedSettings, match="9600 Bd"):
                await line.set_speed(9600, line.now())
            assert line.speed == 300
            await line.close()

    async def test_speed_is_asked_for_again_behind_an_acknowledgement_that_was_lost(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connect, "ACKNOWLEDGED_WITHIN", 0.05)
        async with Rfc2217Server() as server:
            line = await open_line(server.url)
            server.acknowledge = False
            with pytest.raises(BridgeRefusedSettings):
                await line.set_speed(9600, line.now())
            server.acknowledge = True
            await line.set_speed(300, line.now())
            speeds = [value for command, value in server.settings if command == SET_BAUDRATE]
            assert speeds == [300, 9600, 300]
            await line.close()

    async def test_a_divider_that_is_too_coarse_is_refused(self) -> None:
        """A character is sampled in the wrong bit at 5 %."""
        async with Rfc2217Server(divider_error=0.05) as server:
            with pytest.raises(BridgeRefusedSettings):
                await open_line(server.url)
            await server.until_gone()

    async def test_a_server_fixed_at_another_speed_is_refused_at_once(self) -> None:
        async with Rfc2217Server(fixed_speed=115200) as server:
            with pytest.raises(BridgeRefusedSettings, match="300 Bd"):
                await open_line(server.url)
            await server.until_gone()

    async def test_a_server_fixed_at_7e1_is_used_as_it_is(self) -> None:
        async with Rfc2217Server(fixed_format=(7, 3)) as server:
            line = await open_line(server.url)
            assert server.settings[-3:] == [(SET_DATASIZE, 7), (SET_PARITY, 3), (SET_STOPSIZE, 1)]
            await line.close()

    async def test_acknowledgements_are_not_awaited_for_ever(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connect, "ACKNOWLEDGED_WITHIN", 0.05)
        async with Rfc2217Server() as server, asyncio.timeout(5):
            line = await open_line(server.url)
            server.acknowledge = False
            with pytest.raises(BridgeRefusedSettings, match="9600 Bd"):
                await line.set_speed(9600, line.now())
            await line.close()
            with pytest.raises(BridgeRefusedSettings):
                await open_line(server.url)
            await server.until_gone()

    async def test_a_notification_is_no_acknowledgement(self) -> None:
        async with Rfc2217Server() as server:
            line = await open_line(server.url)
            server.notify(SET_BAUDRATE + 100, (300).to_bytes(4))
            server.send(b"x")
            await read_until(line, b"x")
            await line.set_speed(9600, line.now())
            assert server.settings[-1] == (SET_BAUDRATE, 9600)
            await line.close()

    async def test_a_server_without_the_option(self) -> None:
        async with Rfc2217Server(refuse=True) as server:
            with pytest.raises(BridgeRefusedSettings):
                await open_line(server.url)
            await server.until_gone()

    async def test_a_raw_port_is_no_rfc_2217_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connect, "NEGOTIATED_WITHIN", 0.05)
        async with Rfc2217Server(silent=True) as server, asyncio.timeout(5):
            with pytest.raises(BridgeRefusedSettings):
                await open_line(server.url)
            await server.until_gone()

    async def test_a_server_that_goes_away_in_the_middle(self) -> None:
        async with Rfc2217Server() as server:
            line = await open_line(server.url)
            server.acknowledge = False
            switching = asyncio.ensure_future(line.set_speed(9600, line.now()))
            await until(lambda: (SET_BAUDRATE, 9600) in server.settings)
            server.cut()
            with pytest.raises(ConnectionLost):
                await switching
            await line.close()


# Cancelling.


async def cancelled_after(steps: int, doing: asyncio.Future[Any]) -> bool:
    """Cancel after so many turns of the event loop; whether it was still at work."""
    for _ in range(steps):
        await asyncio.sleep(0)
    at_work = not doing.done()
    doing.cancel()
    await asyncio.wait([doing])
    return at_work


async def test_a_cancelled_opening_leaves_the_port_free(pty: Pty) -> None:
    """Cancelled at every turn of the event loop from the first to the last."""
    steps = 0
    while True:
        opening_now = asyncio.ensure_future(open_line(pty.path))
        cancelled = await cancelled_after(steps, opening_now)
        if not cancelled:
            await opening_now.result().close()
            break
        line = await open_line(pty.path)
        await line.close()
        # The wait after opening takes many turns in which nothing happens.
        steps = steps + 1 if steps < 40 else steps * 2
    assert steps > 10


async def test_a_line_closed_while_it_is_opened_is_closed(pty: Pty) -> None:
    line = SerialLine(pty.path)
    opening_now = asyncio.ensure_future(line.open())
    await asyncio.sleep(0)
    await line.close()
    with pytest.raises(ConnectionLost):
        await opening_now
    again = await open_line(pty.path)
    await again.close()


async def test_cancelling_leaves_a_usable_line(pty: Pty, line: SerialLine) -> None:
    tasks = asyncio.all_tasks()
    for doing in (
        line.read(line.now() + 3600),
        line.sleep_until(line.now() + 3600),
        line.set_speed(9600, line.now() + 3600),
    ):
        assert await cancelled_after(3, asyncio.ensure_future(doing))
    assert asyncio.all_tasks() == tasks
    pty.send(b"/")
    assert await line.read(line.now() + 5) == b"/"


async def test_change_of_speed_that_was_cancelled_may_have_happened(
    pty: Pty, line: SerialLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread goes on: the first speed must be set again, and have the last word."""
    begun, go_on = threading.Event(), threading.Event()
    real = termios.tcsetattr

    def slow(descriptor: int, *args: Any) -> None:
        begun.set()
        go_on.wait(5)
        real(descriptor, *args)

    monkeypatch.setattr(termios, "tcsetattr", slow)
    switching = asyncio.ensure_future(line.set_speed(9600, line.now()))
    await until(begun.is_set)
    switching.cancel()
    await asyncio.wait([switching])
    back = asyncio.ensure_future(line.set_speed(300, line.now()))
    for _ in range(5):
        await asyncio.sleep(0)
    go_on.set()
    await back
    assert (line.speed, pty.speed) == (300, 300)


@pytest.mark.parametrize("given_up", [False, True])
async def test_closing_waits_for_a_change_of_speed_that_was_cancelled(
    pty: Pty, monkeypatch: pytest.MonkeyPatch, given_up: bool
) -> None:
    """Its thread cannot be stopped, and must not set the speed of whatever has the descriptor next.

    Nor where the closing is `given_up`, too.
    """
    line = await open_line(pty.path)
    begun, go_on = threading.Event(), threading.Event()
    outcome: list[str] = []
    real = termios.tcsetattr

    def slow(descriptor: int, *args: Any) -> None:
        begun.set()
        go_on.wait(5)
        outcome.append(str((DESCRIPTORS / str(descriptor)).readlink()))
        real(descriptor, *args)

    monkeypatch.setattr(termios, "tcsetattr", slow)
    switching = asyncio.ensure_future(line.set_speed(9600, line.now()))
    await until(begun.is_set)
    switching.cancel()
    await asyncio.wait([switching])
    closing = asyncio.ensure_future(line.close())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not closing.done()
    if given_up:
        closing.cancel()
        await asyncio.wait([closing])
    go_on.set()
    await asyncio.wait([closing])
    await until(lambda: bool(outcome))
    assert outcome == [pty.path]


async def test_closing_ends_a_reading(line: SerialLine) -> None:
    reading = asyncio.ensure_future(line.read(line.now() + 3600))
    await asyncio.sleep(0)
    await line.close()
    with pytest.raises(ConnectionLost):
        await reading


async def test_a_peer_that_takes_nothing_does_not_keep_the_port(
    tcp: Tcp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_line, "CLOSED_WITHIN", 0.05)
    line = await open_line(tcp.url)
    await until(lambda: tcp._writer is not None)
    assert tcp._writer is not None
    tcp._writer.transport.pause_reading()  # type: ignore[attr-defined]
    sockets = count_sockets()
    # More than the buffers of both ends take.
    await line.write(bytes(16 * 1024 * 1024))
    await line.close()
    await line.close()
    await until(lambda: count_sockets() == sockets - 1)
    with pytest.raises(ConnectionLost):
        await line.write(SIGN_ON)


async def test_the_trace_has_what_was_on_the_wire(pty: Pty, line: SerialLine) -> None:
    await line.write(SIGN_ON)
    pty.send(with_even_parity(ANSWER))
    await read_until(line, b"\n")
    assert [(run.direction, run.speed, bytes(run.data)) for run in line.trace.runs] == [
        (Direction.SENT, 300, SIGN_ON_ON_THE_WIRE),
        (Direction.RECEIVED, 300, with_even_parity(ANSWER)),
    ]
