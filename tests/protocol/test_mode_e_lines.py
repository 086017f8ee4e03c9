"""Mode E over every kind of line the simulator can be: docs/mode_e.md says the same."""

from pathlib import Path

import pytest

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.dlms_errors import SevenBits
from custom_components.iec62056.protocol.model import LineProfile, Mode, Reading
from custom_components.iec62056.protocol.transport.serial_line import open_line
from simulator import Echo, Link, Manners, Served, Transport, serve
from simulator.dlms import BinaryManners, BinaryMeter, Device, household

FEW = b"1.8.0(004711.500*kWh)\r\n"


class Stock:
    """One register."""

    def block(self) -> bytes:
        return FEW


def meter() -> BinaryMeter:
    """A meter that is read in little time at 300 Bd too."""
    device = Device(
        [
            thing
            for thing in household(Stock().block)
            if thing.name[2:4] in (b"\x2a\x00", b"\x28\x00", b"\x01\x08")
        ]
    )
    binary = BinaryManners(size=256, window=4)
    return BinaryMeter(Stock(), device, Manners(speed=9600), binary=binary)


async def read(served: Served) -> Reading:
    line = await open_line(served.url)
    try:
        return await MeterClient(line, LineProfile(mode=Mode.E)).read_all()
    finally:
        await line.close()


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("echo", [Echo.NONE, Echo.FULL])
@pytest.mark.parametrize(
    ("transport", "speed"),
    [
        (Transport.PTY, 9600),
        (Transport.RFC2217, 9600),
        pytest.param(Transport.TCP, 300, marks=pytest.mark.long),
    ],
)
async def test_line(transport: Transport, speed: int, echo: Echo, tmp_path: Path) -> None:
    path = tmp_path / "port" if transport is Transport.PTY else None
    async with serve(meter(), transport=transport, echo=echo, path=path) as served:
        reading = await read(served)
    assert reading.health.speed == speed
    register = reading.first("1-0:1.8.0")
    assert register is not None
    assert register.values[0] == ("4711500", "Wh")
    assert reading.health.echo is (echo is Echo.FULL)


@pytest.mark.long
@pytest.mark.usefixtures("socket_enabled")
async def test_a_bridge_of_seven_bits() -> None:
    async with serve(meter(), transport=Transport.TCP, link=Link.SEVEN) as served:
        with pytest.raises(SevenBits):
            await read(served)
