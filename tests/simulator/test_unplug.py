"""A port that is taken away and comes back, and devices that speak something else."""

import asyncio
import os
from pathlib import Path
import termios

import pytest

from simulator import Foreign, Kind, Manners, Meter, Mode, Pusher, Transport, serve
from simulator.wire import even

from .bench import Bench, Stock

pytestmark = pytest.mark.usefixtures("socket_enabled")
REQUEST = "/?!\r\n"


def meter(**manners: object) -> Meter:
    return Meter(Stock(), Manners(**manners))  # type: ignore[arg-type]


async def test_terminal_is_gone_from_under_its_client_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "probe"
    pushing = meter(mode=Mode.D, speed=2400, interval=0.1)
    async with serve(pushing, path=path, speed=2400) as served:
        client = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        await served.happened(Kind.SENT)
        await served.unplug()
        assert not path.exists()
        assert not path.is_symlink()
        with pytest.raises(OSError, match="Input/output error"):
            os.write(client, b"/")
        os.close(client)
        # The meter goes on meanwhile, and nobody hears it.
        await served.happened(Kind.SENT, len(served.log.of(Kind.SENT)) + 1)
        await served.plug()
        assert served.url == str(path)
        client = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            assert termios.tcgetattr(client)[5] == termios.B2400
            await served.happened(Kind.SENT, len(served.log.of(Kind.SENT)) + 2)
            heard = bytes(octet & 0x7F for octet in os.read(client, 4096))
            assert b"1.8.0(000123.4*kWh)" in heard
        finally:
            os.close(client)
    assert not path.is_symlink()


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.RFC2217])
async def test_bridge_is_gone_from_under_its_client_and_comes_back(transport: Transport) -> None:
    async with serve(meter(), transport=transport) as served:
        url = served.url
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await served.happened(Kind.CONNECTED)
        await served.unplug()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await served.plug()
        assert served.url == url
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await served.happened(Kind.CONNECTED, 2)
        writer.transport.abort()


def test_what_the_client_had_not_sent_is_never_sent() -> None:
    bench = Bench(meter())
    bench.write(REQUEST)
    bench.run(0.1)
    bench.wire.client_goes(bench.now)
    bench.run(5)
    assert bench.log.of(Kind.SIGN_ON) == []
    assert len(bench.log.of(Kind.DAMAGED)) == 1
    bench.sign_on()


def test_meter_that_hears_requests_at_another_speed() -> None:
    bench = Bench(meter(sign_on_speed=9600), speed=9600)
    bench.write(REQUEST)
    bench.run_until(Kind.IDENTIFIED)
    assert not bench.log.of(Kind.DAMAGED)


@pytest.mark.parametrize("push", Foreign)
def test_other_protocols_leave_as_they_are(push: Foreign) -> None:
    bench = Bench(Pusher(push, speed=9600), speed=9600)
    bench.run_until(Kind.DATA, 2)
    assert bench.read == push.value
    # It hears nothing.
    bench.write(REQUEST)
    bench.run(5)
    assert bench.log.of(Kind.SIGN_ON) == []
    assert all(octet == even(octet) for octet in push.value) is (push is Foreign.CHATTER)
