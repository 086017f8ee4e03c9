"""A network that stops for two seconds in the middle of a readout costs those two seconds and nothing else."""

import asyncio

import pytest

from custom_components.iec62056.protocol.client import MeterClient as Client
from custom_components.iec62056.protocol.transport.serial_line import open_line
from simulator import Kind, Manners, Meter, Transport, serve

from ..common.clock import hurried
from ..common.proxy import proxy

pytestmark = pytest.mark.usefixtures("socket_enabled")

PACE = 40.0
# Where the speed changes, a busy machine must have the time for it.
GENTLE_PACE = 5.0
STALL = 2.0
# At 300 Bd, three minutes.
LINES = 180


class Long:
    """A readout that takes three minutes at the first speed."""

    def block(self) -> bytes:
        return b"".join(b"1.8.0*%03d(%06d.789*kWh)\r\n" % (n, 1000 + n) for n in range(LINES))


@pytest.mark.parametrize(("transport", "stalls"), [(Transport.TCP, 5), (Transport.RFC2217, 1)])
async def test_stalls_within_a_readout(transport: Transport, stalls: int) -> None:
    meter = Meter(Long(), Manners(speed=300, flag="LGZ"))
    with hurried(PACE):
        async with serve(meter, transport=transport) as served, proxy(served.url) as network:
            line = await open_line(network.url)

            async def stall_again_and_again() -> None:
                for number in range(stalls):
                    await network.until_passed(500 + 700 * number)
                    network.stall()
                    await asyncio.sleep(STALL)
                    network.flow()

            stalling = asyncio.create_task(stall_again_and_again())
            reading = await Client(line).read_all()
            await stalling
            await line.close()
    assert len(reading.registers) == LINES
    assert reading.registers[-1].values[0].text == "001179.789"
    assert (reading.health.retries, reading.health.parity_errors) == (0, 0)
    # It came in one session: what stood still on the way was not asked for again.
    assert len(served.log.of(Kind.SIGN_ON)) == len(served.log.of(Kind.SENT)) == 1
    assert reading.health.duration > 120


async def test_stall_behind_the_request() -> None:
    """The identification is late by as much as the network stood still."""
    with hurried(GENTLE_PACE):
        async with (
            serve(
                Meter(Long(), Manners(speed=9600, reaction=0.8)), transport=Transport.RFC2217
            ) as served,
            proxy(served.url) as network,
        ):
            line = await open_line(network.url)
            reading = asyncio.create_task(Client(line).read_all())
            await served.happened(Kind.SIGN_ON)
            network.stall()
            await asyncio.sleep(STALL)
            network.flow()
            assert len((await reading).registers) == LINES
            await line.close()
    assert len(served.log.of(Kind.SIGN_ON)) == 1
