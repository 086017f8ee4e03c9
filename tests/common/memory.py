"""A line in memory: the client's own `SerialLine` on the simulator's wire, with no port in between."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant

from simulator import Meter
from simulator.log import Log
from simulator.serve import _Pump
from simulator.wire import Wire


async def _address(_: HomeAssistant, host: str) -> str:
    return host


def without_names() -> Any:
    """Home Assistant asks for no name of a host: there is none behind a line in memory."""
    return patch("custom_components.iec62056.meter.connection._address", _address)


class Memory:
    """One wire with its meters; one client at a time may have it."""

    def __init__(self, *meters: Meter) -> None:
        self.log = Log()
        self.opened = 0
        self.open = False
        self._pump = _Pump(Wire(meters, self.log), 300)
        self._pump.run()

    async def open_transport(self, _url: str, protocol: asyncio.Protocol, speed: int) -> Any:
        """In place of the client's own."""
        assert not self.open, "two masters"
        self.opened += 1
        self.open = True
        return _Transport(self, self._pump, protocol, speed)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Whatever port Home Assistant opens is this line."""
        transport = "custom_components.iec62056.protocol.transport.serial_line.open_transport"
        with patch(transport, self.open_transport), without_names():
            yield

    def stop(self) -> None:
        """End its timers."""
        self._pump.close()


class _Transport:
    """Those parts of a serialx transport that a `SerialLine` uses."""

    def __init__(self, memory: Memory, pump: _Pump, protocol: asyncio.Protocol, speed: int) -> None:
        self._memory = memory
        self._pump = pump
        self._protocol = protocol
        pump.output = protocol.data_received
        pump.switched(speed)

    def write(self, data: bytes) -> None:
        self._pump.received(data)

    async def reconfigure_port(self, *, baudrate: int, **_: Any) -> None:
        self._pump.switched(baudrate)

    def close(self) -> None:
        self._memory.open = False
        self._pump.output = None
        self._protocol.connection_lost(None)

    async def wait_closed(self) -> None:
        pass
