"""Stored telegrams, in whatever frame they were stored."""

from pathlib import Path

import pytest

from simulator import Telegram
from simulator.wire import even

LINES = b"1.8.0(000001.5*kWh)\r\n0.2.2(:::G11)\r\n"
IDENT = "/ABC5METER"


@pytest.mark.parametrize(
    "stored",
    [
        b"/ABC5METER\r\n\x02" + LINES + b"!\r\n\x03x",
        b"/ABC5METER\n1.8.0(000001.5*kWh)\n0.2.2(:::G11)\n!\n",
        b"/ABC5METER\r\n\r\n" + LINES + b"!F00D\r\n",
        b"/?!\r\n/ABC5METER\r\n\x02" + LINES[:-2] + b"!\r\n\x03x",
        b"\xff\x7f/?!\r\n/ABC5METER\r\n\x06050\r\n\x02" + LINES + b"!\r\n\x03",
        bytes(map(even, b"/ABC5METER\r\n\x02" + LINES + b"!\r\n\x03x")),
    ],
)
def test_frames(stored: bytes) -> None:
    assert Telegram.parse(stored) == Telegram(LINES, IDENT)


def test_no_identification() -> None:
    assert Telegram.parse(b"\x02" + LINES + b"!\r\n\x03x") == Telegram(LINES)
    assert Telegram.parse(LINES) == Telegram(LINES)


def test_an_exclamation_mark_inside_a_value_ends_nothing() -> None:
    lines = b"0.2.2(G!11)\r\n1.8.0(1)\r\n"
    assert Telegram.parse(lines + b"!\r\n").block() == lines


@pytest.mark.parametrize("stored", [b"", b"/ABC5METER\r\n", b"nothing\r\n!\r\n", b"\x02\x03"])
def test_no_data(stored: bytes) -> None:
    with pytest.raises(ValueError, match="no data set"):
        Telegram.parse(stored)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "telegram.txt"
    path.write_bytes(LINES)
    assert Telegram.read(path) == Telegram(LINES)
