"""DTR and RTS of a line: set when asked for, and again with each change of speed."""

import os
import tty
from typing import Any

import pytest
import serialx

from custom_components.iec62056.protocol.errors import BridgeRefusedSettings, ConnectionLost
from custom_components.iec62056.protocol.transport.serial_line import open_line

from ..rfc2217_server import Rfc2217Server

type Pins = list[tuple[bool | None, bool | None]]


@pytest.fixture(name="port")
def fixture_port() -> str:
    _, slave = os.openpty()
    tty.setraw(slave)
    return os.ttyname(slave)


@pytest.fixture(name="pins")
def fixture_pins(monkeypatch: pytest.MonkeyPatch) -> Pins:
    """What the transport was told; a pty has no pins of its own."""
    told: Pins = []

    async def set_modem_pins(_transport: Any, **pins: bool | None) -> None:
        told.append((pins["dtr"], pins["rts"]))

    monkeypatch.setattr(serialx.BaseSerialTransport, "set_modem_pins", set_modem_pins)
    return told


async def test_set_again_after_each_change_of_speed(port: str, pins: Pins) -> None:
    line = await open_line(port)
    await line.set_speed(2400, line.now())
    assert pins == []
    await line.set_pins(True, False)
    await line.set_speed(9600, line.now())
    await line.set_speed(9600, line.now())
    await line.set_speed(300, line.now())
    await line.close()
    assert pins == [(True, False)] * 3


async def test_port_without_pins_passes_it_over(port: str) -> None:
    line = await open_line(port)
    await line.set_pins(False, None)
    await line.set_speed(9600, line.now())
    assert line.speed == 9600
    await line.close()
    with pytest.raises(ConnectionLost):
        await line.set_pins(True, True)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (serialx.SerialException("no"), BridgeRefusedSettings),
        (TimeoutError(), BridgeRefusedSettings),
        (OSError(5, "gone"), ConnectionLost),
    ],
)
async def test_failure_is_named(
    port: str, monkeypatch: pytest.MonkeyPatch, failure: Exception, kind: type[Exception]
) -> None:
    async def set_modem_pins(_transport: Any, **_: bool | None) -> None:
        raise failure

    monkeypatch.setattr(serialx.BaseSerialTransport, "set_modem_pins", set_modem_pins)
    line = await open_line(port)
    try:
        with pytest.raises(kind):
            await line.set_pins(True, None)
    finally:
        await line.close()


async def test_pins_that_were_refused_do_not_keep_the_speed_from_changing(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def set_modem_pins(_transport: Any, **_: bool | None) -> None:
        raise serialx.SerialException("there are none")

    monkeypatch.setattr(serialx.BaseSerialTransport, "set_modem_pins", set_modem_pins)
    line = await open_line(port)
    try:
        with pytest.raises(BridgeRefusedSettings):
            await line.set_pins(True, False)
        await line.set_speed(9600, line.now())
        assert line.speed == 9600
    finally:
        await line.close()


@pytest.mark.usefixtures("socket_enabled")
async def test_bridge_sets_what_it_was_asked_for() -> None:
    """RFC 2217: 8 and 9 are DTR on and off, 11 and 12 RTS."""
    async with Rfc2217Server() as server:
        line = await open_line(server.url)
        await line.set_pins(True, False)
        await server.until_written(b"")
        await line.write(b"/?!\r\n")
        await server.until_written(bytes.fromhex("af3f218d0a"))
        assert server.controls[-2:] == [8, 12]
        await line.close()
