"""The page of system health."""

import asyncio
from typing import Any
from unittest.mock import patch

from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    get_system_health_info,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter import connection
from custom_components.iec62056.protocol.errors import NoAnswer

from .common.bench import OTHER_PORT, PORT, START, Bench


async def info(hass: HomeAssistant) -> dict[str, Any]:
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    return dict(await get_system_health_info(hass, DOMAIN))


async def test_meters_and_lines(hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench) -> None:
    """Two meters on one line, and a third that does not answer."""
    for number, (port, address) in enumerate(((PORT, "55566677"), (OTHER_PORT, ""))):
        other = MockConfigEntry(
            domain=DOMAIN,
            unique_id=f"LGZ_9988776{number}",
            data={CONF_DEVICE: port, CONF_ADDRESS: address},
        )
        other.add_to_hass(hass)
        if port == OTHER_PORT:
            bench.answers = [NoAnswer()]
        await hass.config_entries.async_setup(other.entry_id)
        await hass.async_block_till_done()
    assert await info(hass) == {
        "meters": 3,
        "meters_connected": 2,
        "lines": 2,
        "last_success": START,
    }


async def test_before_the_first_reading(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    bench.answers = [NoAnswer()]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert await info(hass) == {"meters": 1, "meters_connected": 0, "lines": 1}


async def test_bridges_that_are_off_are_waited_for_together(hass: HomeAssistant) -> None:
    """The page waits a few seconds for all of it, and each host that has no address takes two."""
    assert await async_setup_component(hass, DOMAIN, {})
    hosts = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    for host in hosts:
        MockConfigEntry(
            domain=DOMAIN, data={CONF_DEVICE: f"socket://{host}:1", CONF_ADDRESS: ""}
        ).add_to_hass(hass)
    all_asked = asyncio.Barrier(len(hosts))

    async def address(_: HomeAssistant, host: str | None) -> str:
        async with asyncio.timeout(5):
            await all_asked.wait()
        return host or ""

    with patch.object(connection, "_address", address):
        assert await info(hass) == {"meters": 3, "meters_connected": 0, "lines": 3}
