"""Eight bits over a real pseudo terminal: what mode E writes and reads, and the way back to seven."""

import asyncio
from collections.abc import AsyncIterator, Iterator
import os
import tty

import pytest

from custom_components.iec62056.protocol.model import ParitySeen
from custom_components.iec62056.protocol.transport.serial_line import SerialLine, open_line

EVERY_OCTET = bytes(range(256))


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    """The far end of a port, and its name."""
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        yield master, os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


@pytest.fixture
async def line(pty: tuple[int, str]) -> AsyncIterator[SerialLine]:
    opened = await open_line(pty[1], speed=9600)
    try:
        yield opened
    finally:
        await opened.close()


async def far(master: int, count: int) -> bytes:
    """What arrives at the far end."""
    got = b""
    while len(got) < count:
        got += await asyncio.to_thread(os.read, master, 4096)
    return got


async def near(line: SerialLine, count: int) -> bytes:
    """What arrives at this end."""
    got = b""
    while len(got) < count:
        run = await line.read(line.now() + 10)
        assert run
        got += run
    return got


async def test_all_eight_bits_pass_both_ways(line: SerialLine, pty: tuple[int, str]) -> None:
    with pytest.raises(ValueError, match="seven bits"):
        await line.write(EVERY_OCTET)
    line.binary = True
    await line.write(EVERY_OCTET)
    assert await far(pty[0], 256) == EVERY_OCTET
    os.write(pty[0], EVERY_OCTET)
    assert await near(line, 256) == EVERY_OCTET
    # They say nothing of a parity.
    assert line.tally.characters == 256
    assert (line.tally.wrong, line.tally.parity) == (0, ParitySeen.UNKNOWN)


async def test_an_echo_is_left_to_who_knows_the_frames(
    line: SerialLine, pty: tuple[int, str]
) -> None:
    line.binary = True
    await line.write(b"\x7e\xa0\x07")
    os.write(pty[0], await far(pty[0], 3))
    assert await near(line, 3) == b"\x7e\xa0\x07"
    assert line.tally.echoed == 0


async def test_back_to_seven_bits(line: SerialLine, pty: tuple[int, str]) -> None:
    line.binary = True
    await line.write(b"\x93")
    assert await far(pty[0], 1) == b"\x93"
    line.binary = False
    await line.write(b"/?!\r\n")
    assert await far(pty[0], 5) == b"\xaf\x3f\x21\x8d\x0a"
    os.write(pty[0], b"\xaf\xc1")
    assert await near(line, 2) == b"\xaf\xc1"
    # Parity is judged again.
    assert line.tally.wrong == 1
