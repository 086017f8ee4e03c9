"""From a port's name to the open line, for one user at a time.

Here: the only place that opens a port, and the queue in front of it: entries, dialogues and actions take turns.
Never here: what is said on the line, or when to read.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .protocol.errors import BridgeNotReady, ConnectionLost
from .protocol.line import Line, open_line

# One bridge's port is one line, whatever is spoken to the bridge.
NETWORK_SCHEMES = ("socket", "tcp", "rfc2217")


@dataclass(slots=True)
class _Port:
    """The queue in front of one port. asyncio's lock serves in order of arrival."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


_PORTS: HassKey[dict[str, _Port]] = HassKey(f"{DOMAIN}_ports")


async def async_key(hass: HomeAssistant, url: str) -> str:
    """The name under which every name of one port is known: the real device, or host and port of a bridge."""
    scheme, found, rest = url.partition("://")
    if not found or scheme == "device":
        path = Path(rest if found else url)
        return str(await hass.async_add_executor_job(path.resolve))
    if scheme in NETWORK_SCHEMES:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    return url


def shown(url: str) -> str:
    """The port's name without what may be secret in it."""
    scheme, found, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}" if found else url


@asynccontextmanager
async def hold(hass: HomeAssistant, url: str) -> AsyncIterator[Line]:
    """Wait for the port, open it, and close it afterwards whatever happens, a cancellation included.

    Raises LineError; nothing else of the way to the meter.
    """
    key = await async_key(hass, url)
    ports = hass.data.setdefault(_PORTS, {})
    port = ports.setdefault(key, _Port())
    port.users += 1
    try:
        async with port.lock:
            line = await _open(url)
            try:
                yield line
            except (OSError, EOFError) as err:
                raise ConnectionLost(port=line.name) from err
            finally:
                # A port left open would lock out the next reading: two masters disturb the bus.
                await line.close()
    finally:
        port.users -= 1
        if not port.users:
            del ports[key]


async def _open(url: str) -> Line:
    try:
        return await open_line(url)
    except HomeAssistantError as err:
        # Home Assistant's own serial transport: ESPHome is not loaded, or its node is asleep.
        raise BridgeNotReady(port=shown(url)) from err
    except (OSError, EOFError) as err:
        raise ConnectionLost(port=shown(url)) from err
