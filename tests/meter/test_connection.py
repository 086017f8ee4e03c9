"""One port, one user at a time."""

import asyncio
from pathlib import Path
import socket
from typing import Any
from unittest.mock import patch

from homeassistant.components import usb
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter import connection
from custom_components.iec62056.protocol.errors import (
    BridgeNotReady,
    ConnectionLost,
    LineError,
    PortBusy,
    PortMissing,
)
from custom_components.iec62056.protocol.transport.connect import public_name

from ..common.bench import Bench


@pytest.mark.parametrize("url", ["/dev/tty\0USB0", "socket://ho\0st:1", "rfc2217://\0:1"])
async def test_key_of_a_name_with_nul(hass: HomeAssistant, url: str) -> None:
    """It is no name of a port, which the opening says."""
    assert "\0" in await connection.async_key(hass, url)
    with pytest.raises(LineError):
        async with connection.acquire_line(hass, url):
            pass


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("socket://Host:2001", "rfc2217://host:2001", True),
        ("tcp://host:2001", "socket://host:2001?x=1", True),
        ("socket://host:2001", "socket://host:2002", False),
        ("rfc2217://me:secret@host:2001", "socket://host:2001", True),
        ("socket://name:2001", "rfc2217://192.0.2.7:2001", True),
        ("socket://[2001:db8::1]:2001", "tcp://[2001:DB8::1]:2001", True),
        ("rfc2217://host:2001", "esphome://host:2001/?port_name=a", False),
        ("esphome://host:6053/?port_name=a", "esphome://host:6053/?port_name=b", False),
        ("esphome://host/?port_name=a&key=x", "ESPHOME://name:6053/?key=y&port_name=a", False),
        ("esphome://192.0.2.7/?port_name=a&key=x", "ESPHOME://name:6053/?port_name=a", True),
        ("esphome://host:6053/a", "esphome://host/?port_name=a", True),
        ("esphome://host/?port_serial_number=1", "esphome://host/?port_serial_number=2", False),
        ("esphome-hass://esphome/node1?port_name=a", "esphome://name/?port_name=a", True),
        (
            "esphome-hass://esphome/node1?port_name=a",
            "esphome-hass://esphome/node1?port_name=b",
            False,
        ),
        (
            "esphome-hass://esphome/gone?port_name=a",
            "esphome-hass://esphome/node1?port_name=a",
            False,
        ),
        ("socket://host:port", "socket://host:port", True),
        ("other://host:1", "socket://host:1", False),
        ("/dev/ttyUSB0", "device:///dev/ttyUSB0", True),
        ("/dev/ttyUSB0", "/dev/../dev/ttyUSB0", True),
        ("/dev/ttyUSB0", "/dev/ttyUSB1", False),
    ],
)
async def test_key(hass: HomeAssistant, bench: Bench, one: str, other: str, same: bool) -> None:
    bench.hosts["name"] = "192.0.2.7"
    MockConfigEntry(
        domain="esphome", entry_id="node1", data={"host": "name", "port": 6053}
    ).add_to_hass(hass)
    assert (
        await connection.async_key(hass, one) == await connection.async_key(hass, other)
    ) is same


@pytest.mark.parametrize(
    ("found", "address"),
    [
        (["192.0.2.9", "192.0.2.7"], "192.0.2.7"),
        (["2001:db8::1", "192.0.2.7"], "192.0.2.7"),
        (["2001:db8::2", "2001:db8::1"], "2001:db8::1"),
        (socket.gaierror(-2, "Name or service not known"), "bridge"),
        (TimeoutError(), "bridge"),
        (UnicodeError("label too long"), "bridge"),
    ],
)
async def test_all_names_of_a_host_are_one_address(
    hass: HomeAssistant,
    monkeypatch: pytest.MonkeyPatch,
    found: list[str] | Exception,
    address: str,
) -> None:
    """And a host that cannot be looked up is known by its name."""

    async def look_up(host: str, port: None, *, type: int) -> list[Any]:
        if isinstance(found, Exception):
            raise found
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, type, 6, "", (one, 0))
            for one in found
        ]

    monkeypatch.setattr(hass.loop, "getaddrinfo", look_up)
    assert await connection.async_key(hass, "socket://Bridge:2001") == f"{address}:2001"


async def test_bridge_without_a_host(hass: HomeAssistant) -> None:
    assert await connection.async_key(hass, "socket://:1") == await connection.async_key(
        hass, "tcp://:1"
    )


async def test_link_and_device_are_one_port(hass: HomeAssistant, tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyUSB0")
    assert await connection.async_key(hass, str(tmp_path / "by-id")) == str(tmp_path / "ttyUSB0")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/dev/ttyUSB0", "/dev/ttyUSB0"),
        ("rfc2217://me:secret@host:2001", "rfc2217://host:2001"),
        ("esphome://host:6053/?port_name=a&key=secret", "esphome://host:6053?port_name=a"),
    ],
)
def test_shown_name_keeps_secrets(url: str, shown: str) -> None:
    assert public_name(url) == shown


async def test_users_take_turns_in_order_of_arrival(hass: HomeAssistant, bench: Bench) -> None:
    order: list[str] = []

    async def use(name: str, url: str) -> None:
        async with connection.acquire_line(hass, url):
            order.append(name)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async with connection.acquire_line(hass, "socket://host:1"):
        tasks = []
        for name, url in (
            ("a", "socket://host:1"),
            ("b", "tcp://HOST:1"),
            ("c", "socket://host:1"),
        ):
            tasks.append(asyncio.create_task(use(name, url)))
            await bench.until(lambda: bench.waiting(hass) == len(tasks) + 1)
        assert order == []
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]
    assert bench.waiting(hass) == 0


async def test_other_ports_are_not_held_up(hass: HomeAssistant, bench: Bench) -> None:
    async with (
        connection.acquire_line(hass, "socket://host:1"),
        connection.acquire_line(hass, "socket://host:2"),
    ):
        assert bench.open_lines == 2


async def test_cancelled_while_waiting_and_while_reading(hass: HomeAssistant, bench: Bench) -> None:
    async def use() -> None:
        async with connection.acquire_line(hass, "socket://host:1"):
            await asyncio.Event().wait()

    reading, waiting = asyncio.create_task(use()), asyncio.create_task(use())
    await bench.until(lambda: bench.waiting(hass) == 2 and bench.open_lines == 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert bench.open_lines == 1
    reading.cancel()
    await asyncio.wait([reading])
    assert (bench.open_lines, bench.waiting(hass)) == (0, 0)


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (ConfigEntryNotReady("ESPHome has not loaded yet"), BridgeNotReady),
        (OSError(5, "Input/output error"), ConnectionLost),
        (EOFError(), ConnectionLost),
        (PortMissing(port="x"), PortMissing),
    ],
)
async def test_failure_to_open_has_a_reason(
    hass: HomeAssistant, bench: Bench, raised: Exception, reason: type[Exception]
) -> None:
    bench.open_error = raised
    with pytest.raises(reason) as caught:
        async with connection.acquire_line(hass, "esphome://host:6053/?key=secret"):
            pytest.fail("the line is not open")
    assert "secret" not in str(caught.value)
    assert bench.waiting(hass) == 0


@pytest.mark.parametrize("raised", [OSError(5, "Input/output error"), EOFError(), TimeoutError()])
async def test_line_that_breaks_is_closed_and_named(
    hass: HomeAssistant, bench: Bench, raised: Exception
) -> None:
    with pytest.raises(ConnectionLost, match="socket://host:1"):
        async with connection.acquire_line(hass, "socket://host:1"):
            raise raised
    assert (bench.open_lines, bench.waiting(hass)) == (0, 0)


async def test_a_session_sees_who_waits(hass: HomeAssistant, bench: Bench) -> None:
    async with connection.acquire_line(hass, "socket://host:1") as line:
        assert connection.waiting(hass, line) == 0

        async def use() -> None:
            async with connection.acquire_line(hass, "tcp://host:1"):
                pass

        task = asyncio.create_task(use())
        await bench.until(lambda: connection.waiting(hass, line) == 1)
        async with connection.acquire_line(hass, "socket://host:2") as other:
            assert connection.waiting(hass, other) == 0
    await task
    async with connection.acquire_line(hass, "socket://host:1"):
        task = asyncio.create_task(use())
        await bench.until(lambda: bench.waiting(hass) == 2)
        assert connection.waiting(hass, line) == 0, "it is closed: others wait for another one"
    await task


@pytest.mark.parametrize(
    ("user", "holder"),
    [(("zha", True), "My stick"), (("zha", False), None), ((DOMAIN, True), None)],
)
async def test_busy_port_names_who_holds_it(
    hass: HomeAssistant,
    bench: Bench,
    tmp_path: Path,
    user: tuple[str, bool],
    holder: str | None,
) -> None:
    """Whatever name of the port the other one has."""
    device = tmp_path / "ttyUSB0"
    link = tmp_path / "usb-Stick_1234-if00-port0"
    link.symlink_to(device)
    users = [
        usb.SerialPortConsumer(
            kind="config_entry",
            title="My stick",
            active=user[1],
            domain=user[0],
        )
    ]

    async def nothing(_: HomeAssistant) -> list[usb.SerialDevice]:
        return []

    async def consumers(*_: object) -> dict[str, list[usb.SerialPortConsumer]]:
        return {str(tmp_path / "ttyUSB1"): [], str(device): users}

    hass.config.components.add("usb")
    bench.open_error = PortBusy(port=str(link))
    with (
        patch.object(usb, "async_scan_serial_ports", nothing),
        patch.object(usb, "async_get_serial_port_consumers", consumers),
        pytest.raises(PortBusy) as caught,
    ):
        async with connection.acquire_line(hass, str(link)):
            pytest.fail("the line is not open")
    assert caught.value.placeholders.get("holder") == holder
    assert caught.value.key == ("port_busy" if holder is None else "port_held")


async def test_busy_port_without_a_list_of_ports(hass: HomeAssistant, bench: Bench) -> None:
    bench.open_error = PortBusy(port="x")
    with pytest.raises(PortBusy) as caught:
        async with connection.acquire_line(hass, "/dev/ttyUSB0"):
            pytest.fail("the line is not open")
    assert caught.value.key == "port_busy"
