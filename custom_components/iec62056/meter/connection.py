"""The only place that opens a port, and the queue in front of it: entries, flows and actions take turns."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
import socket
from typing import Final
from urllib.parse import parse_qs, urlsplit

from homeassistant.components import usb
from homeassistant.components.usb.const import DOMAIN as USB
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_DEVICE, CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..protocol.errors import (
    BridgeNotReady,
    BridgeShared,
    ConnectionLost,
    ConnectionRefused,
    PortBusy,
    PortHeld,
)
from ..protocol.model import SIGN_ON_SPEED
from ..protocol.transport.connect import public_name
from ..protocol.transport.fair_lock import FairLock
from ..protocol.transport.line import Line
from ..protocol.transport.serial_line import open_line

# One bridge's port is one line, whatever is spoken to the bridge.
NETWORK_SCHEMES: Final = ("socket", "tcp", "rfc2217")
# A node has several ports; these of a URL's parameters tell which one is meant.
NODE_PORTS: Final = ("port_name", "port_serial_number", "port_udev_id")
NODE_PORT: Final = 6053
# A name that is not resolved by then is a key as it stands: the opening, which resolves it again, says what is wrong.
RESOLVED_WITHIN: Final = 2.0
# A bridge that restarts ends one session; so many in a row are ended for another reason, in seconds from their start.
ENDED_IN_A_ROW: Final = 2
ENDED_WITHIN: Final = 600.0
# A bridge that serves one client needs a moment to see that we left: so long after our own session it may refuse us, and
# is asked again after these pauses, in seconds.
FREED_WITHIN: Final = 5.0
FREED_AFTER: Final = (0.3, 1.0)


@dataclass(slots=True)
class _Port:
    """One port: the queue in front of it, the line while it is open, the last sessions in a row its bridge has ended.

    `left_at` is when our own last session ended, by the loop's clock.
    """

    queue: FairLock = field(default_factory=FairLock)
    line: Line | None = None
    ended: int = 0
    left_at: float = -FREED_WITHIN


# A port that was used once is kept: how long it rests is known of it.
_PORTS: HassKey[dict[str, _Port]] = HassKey(f"{DOMAIN}_ports")


async def async_key(hass: HomeAssistant, url: str) -> str:
    """The name under which every name of one port is known: the real device, a bridge's address, a node and its port."""
    scheme, found, rest = url.partition("://")
    scheme = scheme.lower()
    if "\0" in url:
        # The opening says what is wrong.
        return url
    if not found or scheme == "device":
        path = Path(rest if found else url)
        return str(await hass.async_add_executor_job(path.resolve))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return url
    if scheme in NETWORK_SCHEMES:
        return f"{await _address(hass, host)}:{port}"
    if not scheme.startswith("esphome"):
        return url
    if scheme.startswith("esphome-hass"):
        # Home Assistant's own name of a node: the same node may be known by its address, too.
        node = hass.config_entries.async_get_entry(parts.path.strip("/"))
        if node is None:
            return url
        host, port = node.data.get(CONF_HOST), node.data.get(CONF_PORT)
    asked = parse_qs(parts.query)
    name = next((asked[item][0] for item in NODE_PORTS if item in asked), parts.path.strip("/"))
    return f"{await _address(hass, host)}:{port or NODE_PORT} {name}"


async def _address(hass: HomeAssistant, host: str | None) -> str:
    """One and the same address for all names of a host; its name where that is not known now."""
    if not host:
        return ""
    try:
        async with asyncio.timeout(RESOLVED_WITHIN):
            found = await hass.loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError, UnicodeError:
        return host.lower()
    # The family that both a name and a written address are likely to have comes first.
    return min((family != socket.AF_INET, str(address[0])) for family, *_, address in found)[1]


async def async_entries_at(
    hass: HomeAssistant, url: str, other_than: str | None
) -> list[ConfigEntry]:
    """The entries whose meters are read at that port, but for the one with that entry id."""
    key = await async_key(hass, url)
    return [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        if entry.entry_id != other_than and await async_key(hass, entry.data[CONF_DEVICE]) == key
    ]


@asynccontextmanager
async def acquire_line(
    hass: HomeAssistant,
    url: str,
    speed: int = SIGN_ON_SPEED,
    *,
    user: Hashable = None,
    idle: float = 0.0,
) -> AsyncIterator[Line]:
    """Wait for the port, open it, and close it afterwards whatever happens, a cancellation included.

    `speed` in baud is what a bridge that cannot change it is set to. `user` is who asks: users take turns, and who
    says nothing is another one each time. `idle` is how many seconds the line needs between two of them. Raises
    LineError; nothing else of the way to the meter.
    """
    port = hass.data.setdefault(_PORTS, {}).setdefault(await async_key(hass, url), _Port())
    async with port.queue.turn(object() if user is None else user, idle):
        line = port.line = await _open(hass, url, speed, port.left_at + FREED_WITHIN)
        opened, (ended, port.ended) = hass.loop.time(), (port.ended, 0)
        try:
            yield line
        except ConnectionLost as err:
            if (
                err.by_bridge
                and urlsplit(url).scheme in NETWORK_SCHEMES
                and hass.loop.time() - opened < ENDED_WITHIN
            ):
                port.ended = ended + 1
            if port.ended >= ENDED_IN_A_ROW:
                raise BridgeShared(port=line.name) from err
            raise
        except (OSError, EOFError) as err:
            raise ConnectionLost(port=line.name) from err
        finally:
            port.line = None
            # A port left open would lock out the next reading: two masters disturb the bus.
            await line.close()
            port.left_at = hass.loop.time()


@callback
def waiting(hass: HomeAssistant, line: Line) -> int:
    """How many turns on that open line are waited for: a session that is kept should end when there are any."""
    queue = _queue(hass, line)
    return 0 if queue is None else queue.waiting


async def wanted(hass: HomeAssistant, line: Line) -> None:
    """Come back as soon as somebody waits for that line; at once where it is closed."""
    if (queue := _queue(hass, line)) is not None:
        await queue.wanted()


def _queue(hass: HomeAssistant, line: Line) -> FairLock | None:
    """The queue in front of a line; none where it is closed: others wait for another one."""
    return next((port.queue for port in hass.data[_PORTS].values() if port.line is line), None)


async def _open(hass: HomeAssistant, url: str, speed: int, freed_at: float) -> Line:
    """The open line; until `freed_at` a bridge may still hold our own last session."""
    pauses = FREED_AFTER if hass.loop.time() < freed_at else ()
    try:
        for pause in pauses:
            try:
                return await open_line(url, speed=speed, watched=True)
            except ConnectionRefused:
                await asyncio.sleep(pause)
        return await open_line(url, speed=speed)
    except HomeAssistantError as err:
        # Home Assistant's own serial transport: ESPHome is not loaded, or its node is asleep.
        raise BridgeNotReady(port=public_name(url)) from err
    except PortBusy as err:
        if (holder := await _holder(hass, url)) is None:
            raise
        raise PortHeld(port=public_name(url), holder=holder) from err
    except (OSError, EOFError) as err:
        raise ConnectionLost(port=public_name(url)) from err


async def _holder(hass: HomeAssistant, url: str) -> str | None:
    """Who else uses the port, as far as Home Assistant knows: the title of an integration's entry, or of an app."""
    if USB not in hass.config.components:
        return None
    key = await async_key(hass, url)
    consumers = await usb.async_get_serial_port_consumers(
        hass, await usb.async_scan_serial_ports(hass)
    )
    for device, users in consumers.items():
        if await async_key(hass, device) == key:
            for one in users:
                # Our own entries wait for each other.
                if one.active and one.domain != DOMAIN:
                    return one.title
    return None
