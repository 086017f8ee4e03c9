"""From the name of a port to an open serialx transport, and from what fails there to a sentence for the user."""

import asyncio
import errno
import re
import socket
from typing import NamedTuple, override
from urllib.parse import parse_qs, urlsplit

import serialx
from serialx.common import UnknownUriScheme
from serialx.platforms.serial_rfc2217 import RFC2217SerialTransport
from serialx.platforms.serial_rfc2217.types import (
    Rfc2217Command,
    SetBaudrateCmd,
    SetDatasizeCmd,
    SetParityCmd,
    SetStopsizeCmd,
)

from ..errors import (
    BadUrl,
    BridgeAddress,
    BridgeNotReady,
    BridgeRefusedSettings,
    ConnectionRefused,
    ConnectionTimedOut,
    LineError,
    NoPermission,
    PortBusy,
    PortMissing,
)

# TCP connection and negotiation together: a bridge that sleeps with WiFi power save needs some seconds.
CONNECTED_WITHIN = 10.0
# A name, perhaps of this machine: it is no file's, and has what hosts have.
_HOST = re.compile(r"[^/\s]+[.:][^/\s]+")
# A server that understands RFC 2217 begins at once; a raw port never answers.
NEGOTIATED_WITHIN = 5.0
# One acknowledgement of a setting: a round trip, and a WiFi stall.
ACKNOWLEDGED_WITHIN = 2.0


class Kind(NamedTuple):
    """What all lines of one kind have in common; times in seconds.

    `can_switch`: whether the speed of the open line can change.
    `grace`: what is added to every deadline for stalls; on a bridge, its measured lag comes on top.
    `margin`: between the end of the last character and the change of speed. A full-speed USB adapter takes characters
    over in frames of 1 ms and its driver needs two or three of them, as does a bridge on the network: there the
    command follows the characters on the same connection, so only the jitter between the two counts. It must stay
    well below 20 ms, when the fastest meters answer (Std 6.3.14 item 12).
    `late`: a change of speed that is over so long after its time may have cost the first characters of an answer.
    """

    can_switch: bool
    grace: float
    margin: float
    late: float


# Grace: the latency timer of USB adapters (16 ms on FTDI) and the event loop's own; late: the reaction of a fast meter.
LOCAL = Kind(can_switch=True, grace=0.05, margin=0.005, late=0.02)
# Grace: a WiFi stall of 2 s is common on bridges; late: seen from here, it includes the way there and back.
SWITCHING_BRIDGE = Kind(can_switch=True, grace=2.0, margin=0.01, late=0.2)
RAW_BRIDGE = Kind(can_switch=False, grace=2.0, margin=0.0, late=0.0)


def kind_of(url: str) -> Kind:
    """What the line behind a port's name can do: it follows from the scheme, and is asked of the line from then on."""
    match _scheme(url):
        case "":
            return LOCAL
        case "socket" | "tcp":
            return RAW_BRIDGE
        case _:
            return SWITCHING_BRIDGE


def public_name(url: str) -> str:
    """The port's name fit for messages: without user, password, key, or any parameter but the name of the port."""
    if not _scheme(url):
        return url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{_scheme(url)}://…"
    if ":" in host:
        host = f"[{host}]"
    name = f"{parts.scheme}://{host}"
    if port is not None:
        name += f":{port}"
    name += parts.path.rstrip("/")
    proxied = parse_qs(parts.query).get("port_name")
    return f"{name}?port_name={proxied[0]}" if proxied else name


async def open_transport(
    url: str, protocol: asyncio.Protocol, speed: int
) -> serialx.BaseSerialTransport:
    """Open a port with 8 data bits and no parity, or 7E1 where it refuses that. A cancelled opening leaves it free.

    Raises:
        BadUrl, PortMissing, PortBusy, NoPermission, ConnectionRefused, ConnectionTimedOut, BridgeNotReady,
        BridgeRefusedSettings.
    """
    try:
        try:
            return await _connect(url, protocol, speed, 8, serialx.Parity.NONE)
        except (OSError, serialx.SerialException) as err:
            if not _about_settings(err):
                raise
            return await _connect(url, protocol, speed, 7, serialx.Parity.EVEN)
    except Exception as err:
        # The ESPHome backend lets exceptions of Home Assistant through.
        error = _error(url, speed, err)
        if error is None:
            raise
        raise error from err


async def _connect(
    url: str, protocol: asyncio.Protocol, speed: int, byte_size: int, parity: serialx.Parity
) -> serialx.BaseSerialTransport:
    # The API of a node waits for a silent one for a minute and more, whatever time is given to serialx.
    async with asyncio.timeout(CONNECTED_WITHIN if _scheme(url).startswith("esphome") else None):
        transport, _ = await serialx.create_serial_connection(
            asyncio.get_running_loop(),
            lambda: protocol,
            url,
            baudrate=speed,
            byte_size=byte_size,
            parity=parity,
            connect_timeout=CONNECTED_WITHIN,
            transport_cls=_AcknowledgedTransport if _scheme(url) == "rfc2217" else None,
        )
    return transport


class _SettingRefused(serialx.SerialException):
    """An RFC 2217 server set something else than asked, or acknowledged nothing."""


class _AcknowledgedTransport(RFC2217SerialTransport):
    """RFC 2217 that believes only what was acknowledged, in bounded time.

    serialx waits for acknowledgements without a limit while a connection is open, and does not look at what they
    say: a server that stays at 2400 Bd would pass for one at 9600.
    """

    @override
    async def _negotiate(self) -> None:
        try:
            async with asyncio.timeout(NEGOTIATED_WITHIN):
                await super()._negotiate()
        except TimeoutError as err:
            raise _SettingRefused("no answer to the Telnet negotiation") from err

    @override
    async def _send_and_wait(self, cmd: Rfc2217Command) -> Rfc2217Command:
        if not isinstance(cmd, SetBaudrateCmd | SetDatasizeCmd | SetParityCmd | SetStopsizeCmd):
            # Masks and modem lines: small servers leave them unanswered, and nothing depends on the answer.
            self._send_command(cmd)
            return cmd
        if self._serial is not None:
            # A notification that came unasked must not pass for the acknowledgement of this command.
            self._serial._engine.pop_pending_rfc2217(cmd.CMD_ID)  # noqa: SLF001
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
                answer = await super()._send_and_wait(cmd)
        except TimeoutError as err:
            raise _SettingRefused(f"{cmd} is not acknowledged") from err
        if not _same_setting(cmd, answer):
            raise _SettingRefused(f"{cmd} is answered with {answer}")
        return answer


def _same_setting(asked: Rfc2217Command, answer: Rfc2217Command) -> bool:
    """Whether a server does what it was asked; it may name the speed its divider really makes (2 %)."""
    if isinstance(asked, SetBaudrateCmd) and isinstance(answer, SetBaudrateCmd):
        return abs(answer.baudrate - asked.baudrate) * 50 <= asked.baudrate
    return asked == answer


def _scheme(url: str) -> str:
    """The scheme of a bridge's URL in lower case, empty for a local port."""
    scheme, found, _ = url.partition("://")
    return "" if not found or scheme == "device" else scheme.lower()


def _about_settings(err: Exception) -> bool:
    """Whether a port was refused for its settings, so that others may be tried."""
    if isinstance(err, OSError):
        return err.errno == errno.EINVAL
    return isinstance(err, _SettingRefused | serialx.UnsupportedSetting)


def _error(url: str, speed: int, err: Exception) -> LineError | None:
    """The sentence for what went wrong at opening; None for what is no failure of a port."""
    port = public_name(url)
    if isinstance(err, UnknownUriScheme | ValueError):
        return BridgeAddress(port=port) if _HOST.fullmatch(port) else BadUrl(port=port)
    if _about_settings(err):
        return BridgeRefusedSettings(port=port, wanted=f"{speed} Bd 8N1")
    if isinstance(err, OSError):
        return _os_error(port, err, local=kind_of(url) is LOCAL)
    if _scheme(url).startswith("esphome"):
        # The node sleeps, is not loaded yet, or does not know the port yet: Home Assistant's own exception among them.
        return BridgeNotReady(port=port)
    if isinstance(err, serialx.SerialException):
        return BridgeRefusedSettings(port=port, wanted=f"{speed} Bd 8N1")
    return None


def _os_error(port: str, err: OSError, *, local: bool) -> LineError:
    """The sentence for what the operating system said."""
    if isinstance(err, PermissionError):
        return NoPermission(port=port)
    if err.errno == errno.EBUSY:
        return PortBusy(port=port)
    if local:
        if err.errno in (errno.ENOTTY, errno.EISDIR, errno.EINVAL):
            return BadUrl(port=port)
        return BridgeAddress(port=port) if _HOST.fullmatch(port) else PortMissing(port=port)
    if isinstance(err, TimeoutError | socket.gaierror) or err.errno in (
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.ENETDOWN,
    ):
        return ConnectionTimedOut(port=port)
    # Refused, or accepted and closed at once: a bridge that serves one client only.
    return ConnectionRefused(port=port)
