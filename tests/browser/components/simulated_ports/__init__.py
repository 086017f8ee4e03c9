"""Puts the ports of simulated meters into Home Assistant's list of serial ports, as ESPHome does with its own.

Configuration: path of the port → what its adapter says of itself.
"""

from homeassistant.components import usb
from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType

DOMAIN = "simulated_ports"


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Name the ports at each scan, as those of a common USB adapter."""
    ports = [
        usb.USBDevice(
            device=path,
            vid="0403",
            pid="6015",
            serial_number=None,
            manufacturer="FTDI",
            description=description,
        )
        for path, description in config[DOMAIN].items()
    ]
    usb.async_register_serial_port_scanner(hass, lambda _: ports)
    return True
