"""The name of a local port that survives a restart and new neighbours, and why there may be none."""

from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from homeassistant.components import usb
from homeassistant.core import HomeAssistant

from ..const import LOGGER

SOCKETS: Final = Path("/dev/serial/by-path")
# Names the kernel gives in the order of plugging in; those of built-in ports stay.
PASSING: Final = ("ttyUSB", "ttyACM")
# Too short, of too few different characters, or counted up: what a chip has that nobody gave a number.
SHORTEST_SERIAL: Final = 5
FEWEST_CHARACTERS: Final = 3
COUNTED: Final = "0123456789ABCDEF"


class Why(StrEnum):
    """Why a port has not the name that Home Assistant's list of ports gives it; the keys of the sentences about it.

    They stand in the translations under `selector.port_name.options`.
    """

    NO_SERIAL = "no_serial"
    NOT_ALONE = "not_alone"
    PASSING = "passing"


_LOGGED: Final = {
    Why.NO_SERIAL: "its adapter has no serial number of its own: the USB socket is kept instead",
    Why.NOT_ALONE: "another adapter has the same serial number: the USB socket is kept instead",
    Why.PASSING: (
        "there is no lasting name for it here: it may change when something is plugged in or Home Assistant is"
        " restarted; in a container, pass /dev/serial on"
    ),
}


class Name(NamedTuple):
    """A port's name, and why it is not a better one; None where there is nothing to say."""

    device: str
    why: Why | None = None


def tells_apart(serial: str | None) -> bool:
    """Whether an adapter's serial number is its own."""
    text = (serial or "").strip()
    return (
        len(text) >= SHORTEST_SERIAL
        and len(set(text)) >= FEWEST_CHARACTERS
        and text.upper() not in COUNTED
    )


def lasting_name(device: str, sockets: Path = SOCKETS) -> Name:
    """The name of a port that survives a restart and new neighbours, where there is one (blocking).

    The adapter's own number is kept, so that it may be plugged in anywhere; without one, its USB socket is.
    """
    real = Path(device).resolve()
    adapters = [one for one in usb.scan_serial_ports() if isinstance(one, usb.USBDevice)]
    own = next((one for one in adapters if Path(one.device).resolve() == real), None)
    why: Why | None = None
    if own is not None and not tells_apart(own.serial_number):
        why = Why.NO_SERIAL
    elif own is not None and any(
        _identity(one) == _identity(own) for one in adapters if one is not own
    ):
        why = Why.NOT_ALONE
    if why is not None and (socket := _socket(sockets, real)) is not None:
        return Name(socket, why)
    if (by_id := usb.get_serial_by_id(str(real))) != str(real):
        return Name(by_id)
    return Name(device, Why.PASSING if real.name.startswith(PASSING) else None)


def _socket(sockets: Path, real: Path) -> str | None:
    """The name of the USB socket a device is plugged into; the first one, where there are more."""
    if not sockets.is_dir():
        return None
    return min((str(link) for link in sockets.iterdir() if link.resolve() == real), default=None)


def _identity(adapter: usb.USBDevice) -> tuple[object, ...]:
    """What the name by id is made of."""
    return adapter.vid, adapter.pid, adapter.serial_number, adapter.interface_num


async def async_lasting_name(hass: HomeAssistant, device: str) -> str:
    """The name to store for a port that the user has chosen; said in the log where it is another or may not last."""
    name = await _async_name(hass, device)
    if name.why is Why.PASSING:
        LOGGER.warning("The port %s is kept under this name: %s", device, _LOGGED[name.why])
    elif name.why is not None:
        LOGGER.info("The port %s is kept as %s: %s", device, name.device, _LOGGED[name.why])
    return name.device


async def async_why(hass: HomeAssistant, device: str) -> Why | None:
    """What the user should know of the name a port was stored under; None where it is as good as can be."""
    return (await _async_name(hass, device)).why


async def _async_name(hass: HomeAssistant, device: str) -> Name:
    if not device.startswith("/dev/") or "\0" in device:
        return Name(device)
    return await hass.async_add_executor_job(lasting_name, device)
