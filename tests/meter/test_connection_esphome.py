"""A meter behind a node that Home Assistant has: read through Home Assistant's own serial transport.

The transport is Home Assistant's (`esphome-hass://`), the API client is the real one, the node is a stand-in
(parts/esphome.py). The rest of the ESPHome integration, which wants Bluetooth and more, is not loaded.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

from aioesphomeapi.client import APIClient
from homeassistant import components
from homeassistant.components.usb.serial_proxy_stub import register_serialx_transport
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.meter import connection
from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.errors import BridgeNotReady
from simulator import serve

from ..common.causes import stock_meter
from ..common.clock import hurried
from ..common.esphome import esphome

ESPHOME: Final = "homeassistant.components.esphome"
ENTRY: Final = "01ESPHOMENODE"
URL: Final = f"esphome-hass://esphome/{ENTRY}?port_name=meter"

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
async def transport(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Home Assistant's transport, registered as the ESPHome integration does it."""
    package = ModuleType(ESPHOME)
    package.__path__ = [str(Path(components.__path__[0]) / "esphome")]
    parts: dict[str, dict[str, object]] = {
        "const": {"DOMAIN": "esphome"},
        "entry_data": {"ESPHomeConfigEntry": object},
    }
    monkeypatch.setitem(sys.modules, ESPHOME, package)
    for name, content in parts.items():
        part = ModuleType(f"{ESPHOME}.{name}")
        part.__dict__.update(content)
        monkeypatch.setitem(sys.modules, part.__name__, part)
    name = f"{ESPHOME}.serial_proxy"
    monkeypatch.delitem(sys.modules, name, raising=False)
    module: Any = import_module(name)
    unregister = module.register_serialx_transport(asyncio.get_running_loop())
    yield module
    unregister(Event("end"))
    del sys.modules[name]


@asynccontextmanager
async def node(hass: HomeAssistant, state: ConfigEntryState) -> AsyncIterator[None]:
    """A node with a meter behind it, and its entry."""
    async with serve(stock_meter()) as served, esphome(served.url) as url:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        client = APIClient(address.hostname, address.port, None)
        entry = MockConfigEntry(domain="esphome", entry_id=ENTRY, state=state)
        entry.add_to_hass(hass)
        entry.runtime_data = SimpleNamespace(client=client)
        await client.connect(login=True)
        try:
            yield
        finally:
            await client.disconnect()


@pytest.mark.usefixtures("transport")
async def test_meter_behind_a_node_is_read(hass: HomeAssistant) -> None:
    async with node(hass, ConfigEntryState.LOADED):
        for _ in range(2):
            with hurried(4.0):
                async with connection.acquire_line(hass, URL) as line:
                    assert line.can_switch
                    reading = await MeterClient(line).read_all()
            assert reading.health.speed == 2400
            assert [one.address for one in reading.registers] == ["0.0.0", "1.8.0", "2.8.0"]


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("state", [ConfigEntryState.SETUP_RETRY, ConfigEntryState.NOT_LOADED, None])
async def test_node_that_is_not_loaded(hass: HomeAssistant, state: ConfigEntryState | None) -> None:
    """It is asleep, switched off by the user, or was removed."""
    if state is not None:
        MockConfigEntry(domain="esphome", entry_id=ENTRY, state=state).add_to_hass(hass)
    with pytest.raises(BridgeNotReady, match="port_name=meter"):
        async with connection.acquire_line(hass, URL):
            pytest.fail("the line is not open")


@pytest.fixture
def stub() -> Iterator[None]:
    """What Home Assistant has in the transport's place until ESPHome is loaded."""
    unregister = register_serialx_transport()
    yield
    unregister(Event("end"))


@pytest.mark.usefixtures("stub")
async def test_home_assistant_that_has_not_loaded_esphome_yet(hass: HomeAssistant) -> None:
    with pytest.raises(BridgeNotReady, match="port_name=meter"):
        async with connection.acquire_line(hass, URL):
            pytest.fail("the line is not open")
