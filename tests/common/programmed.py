"""A meter with programming mode on a line in memory, and an entry of Home Assistant for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.transport import serial_line
from simulator import Cell, Guard, Manners, Meter, Programming

from .memory import Memory

URL: Final = "rfc2217://192.0.2.9:4001"
SERIAL: Final = "88001122"
SECRET: Final = "48151623"
WRONG: Final = "11223344"


class Registers:
    """A readout with a number and two values that grow."""

    def __init__(self, serial: str = SERIAL) -> None:
        self.serial = serial
        self.count = 0

    def block(self) -> bytes:
        self.count += 1
        return (
            f"0.0.0({self.serial})\r\n1.8.0({1000 + self.count * 0.001:.3f}*kWh)\r\n"
            "16.7.0(00.250*kW)\r\n"
        ).encode()


def programming(**more: Any) -> Programming:
    cells = {
        "1.8.0": Cell("(001000.500*kWh)"),
        "16.7.0": Cell("(00.251*kW)"),
        "32.7.0": Cell("(230.1*V)"),
        "C.1.9": Cell("(Point 1)", Guard.OPEN, Guard.PASSWORD),
        "0.4.2": Cell("(050*A)", Guard.PASSWORD, Guard.PASSWORD),
        "0.4.9": Cell("(1.0250)", Guard.OPEN, Guard.SEAL),
    }
    return Programming(cells=cells, password=SECRET, **more)


def meter(serial: str = SERIAL, mode: Programming | None = None, **manners: Any) -> Meter:
    return Meter(
        Registers(serial),
        Manners(**({"flag": "LGZ", "model": "P1"} | manners)),
        programming=programming() if mode is None else mode,
    )


def entry_of(
    hass: HomeAssistant, serial: str = SERIAL, *, data: Any = None, options: Any = None
) -> MockConfigEntry:
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=f"Meter {serial}",
        unique_id=f"LGZ_{serial}",
        data={"device": URL, "address": "", **(data or {})},
        options=options or {},
    )
    entry.add_to_hass(hass)
    return entry


class Sent(list[bytes]):
    """Each message that left; somebody may look when it does."""

    looked_at_by: Callable[[bytes], object] = bytes


@asynccontextmanager
async def wire(hass: HomeAssistant, *meters: Meter) -> AsyncIterator[tuple[Memory, Sent]]:
    """The line with its meters, and each message that left; in the end all entries are unloaded."""
    memory = Memory(*meters)
    sent = Sent()
    real = serial_line.SerialLine.write

    async def write(self: Any, data: bytes, *, secret: bool = False) -> None:
        sent.append(data)
        sent.looked_at_by(data)
        await real(self, data, secret=secret)

    with memory.in_place(), patch.object(serial_line.SerialLine, "write", write):
        try:
            yield memory, sent
        finally:
            for entry in hass.config_entries.async_loaded_entries(DOMAIN):
                await hass.config_entries.async_unload(entry.entry_id)
            memory.stop()


def proofs(sent: list[bytes]) -> list[bytes]:
    """The passwords that left, and what proves one."""
    return [one for one in sent if one[:2] == b"\x01P"]


def changes(sent: list[bytes]) -> list[bytes]:
    """The commands that change something."""
    return [one for one in sent if one[:2] in (b"\x01W", b"\x01E")]
