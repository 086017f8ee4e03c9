"""One port, one user at a time."""

import asyncio
from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
import pytest

from custom_components.iec62056 import lines
from custom_components.iec62056.protocol.errors import (
    BridgeNotReady,
    ConnectionLost,
    PortMissing,
)

from .bench import Bench


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("socket://Host:2001", "rfc2217://host:2001", True),
        ("tcp://host:2001", "socket://host:2001?x=1", True),
        ("socket://host:2001", "socket://host:2002", False),
        ("rfc2217://me:secret@host:2001", "socket://host:2001", True),
        ("esphome://host:6053/?port_name=a", "esphome://host:6053/?port_name=b", False),
        ("/dev/ttyUSB0", "device:///dev/ttyUSB0", True),
        ("/dev/ttyUSB0", "/dev/../dev/ttyUSB0", True),
        ("/dev/ttyUSB0", "/dev/ttyUSB1", False),
    ],
)
async def test_key(hass: HomeAssistant, one: str, other: str, same: bool) -> None:
    assert (await lines.async_key(hass, one) == await lines.async_key(hass, other)) is same


async def test_link_and_device_are_one_port(hass: HomeAssistant, tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyUSB0")
    assert await lines.async_key(hass, str(tmp_path / "by-id")) == str(tmp_path / "ttyUSB0")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/dev/ttyUSB0", "/dev/ttyUSB0"),
        ("rfc2217://me:secret@host:2001", "rfc2217://host:2001"),
        ("esphome://host:6053/?port_name=a&key=secret", "esphome://host:6053/"),
    ],
)
def test_shown_name_keeps_secrets(url: str, shown: str) -> None:
    assert lines.shown(url) == shown


async def test_users_take_turns_in_order_of_arrival(hass: HomeAssistant, bench: Bench) -> None:
    order: list[str] = []

    async def use(name: str, url: str) -> None:
        async with lines.hold(hass, url):
            order.append(name)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async with lines.hold(hass, "socket://host:1"):
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
    async with lines.hold(hass, "socket://host:1"), lines.hold(hass, "socket://host:2"):
        assert bench.open_lines == 2


async def test_cancelled_while_waiting_and_while_reading(hass: HomeAssistant, bench: Bench) -> None:
    async def use() -> None:
        async with lines.hold(hass, "socket://host:1"):
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
        async with lines.hold(hass, "esphome://host:6053/?key=secret"):
            pytest.fail("the line is not open")
    assert "secret" not in str(caught.value)
    assert bench.waiting(hass) == 0


@pytest.mark.parametrize("raised", [OSError(5, "Input/output error"), EOFError(), TimeoutError()])
async def test_line_that_breaks_is_closed_and_named(
    hass: HomeAssistant, bench: Bench, raised: Exception
) -> None:
    with pytest.raises(ConnectionLost, match="socket://host:1"):
        async with lines.hold(hass, "socket://host:1"):
            raise raised
    assert (bench.open_lines, bench.waiting(hass)) == (0, 0)
