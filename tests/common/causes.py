"""What goes wrong between the user and a meter, made to happen: on the line, on the network, in the operating system."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
import fcntl
import os
from pathlib import Path
import socket
from typing import Any

import pytest

from simulator import (
    Echo,
    Faults,
    Foreign,
    Household,
    Link,
    Manners,
    Meter,
    Mode,
    Pusher,
    Transport,
    serve,
)
from simulator.dlms.push import MAKES, PushMeter

from .proxy import proxy
from .servers import SER2NET, free_port, ser2net

NUMBER = "31880045"
REACTION = 0.8
NOBODY = 65534


class _Stock:
    def __init__(self, number: str = NUMBER, energy: str = "000815.0") -> None:
        self._lines = f"0.0.0({number})\r\n1.8.0({energy}*kWh)\r\n2.8.0(000047.1*kWh)\r\n".encode()

    def block(self) -> bytes:
        """A short readout."""
        return self._lines


@dataclass(frozen=True)
class Cause:
    """One thing that goes wrong.

    `make` gives the port's name for as long as it is wrong. `key` and `placeholders` are the reason's. `pace` is how
    fast time may pass in its test.
    """

    name: str
    make: Callable[[Path], AbstractAsyncContextManager[str]]
    key: str
    placeholders: dict[str, str] = field(default_factory=dict)
    pace: float = 5.0
    possible: bool = True


def _meter(
    faults: Faults | None = None,
    *more: Meter,
    **line: Any,
) -> Callable[[Path], AbstractAsyncContextManager[str]]:
    """A meter with these faults, on a local port unless said otherwise."""

    @asynccontextmanager
    async def make(_: Path) -> AsyncIterator[str]:
        own = Meter(_Stock(), _manners(), faults)
        async with serve(own, *more, **line) as served:
            yield served.url

    return make


def stock_meter() -> Meter:
    """A meter without any fault."""
    return Meter(_Stock(), _manners())


def _manners(**other: Any) -> Manners:
    settings: dict[str, Any] = {"flag": "LGZ", "speed": 2400, "reaction": REACTION}
    return Manners(**settings | other)


@asynccontextmanager
async def _meter_that_pushes(_: Path) -> AsyncIterator[str]:
    async with serve(PushMeter(Household(), MAKES["optical"])) as served:
        yield served.url


def _push(
    push: Foreign, speed: int, interval: float = 2.0
) -> Callable[[Path], AbstractAsyncContextManager[str]]:
    @asynccontextmanager
    async def make(_: Path) -> AsyncIterator[str]:
        async with serve(Pusher(push, speed, interval)) as served:
            yield served.url

    return make


@contextmanager
def _not_root() -> Iterator[None]:
    """Root may open everything: be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@asynccontextmanager
async def _missing(folder: Path) -> AsyncIterator[str]:
    yield str(folder / "usb-Probe_gone-if00-port0")


@asynccontextmanager
async def _locked(_: Path) -> AsyncIterator[str]:
    async with serve(stock_meter()) as served:
        other = os.open(served.url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.flock(other, fcntl.LOCK_EX)
            yield served.url
        finally:
            os.close(other)


@asynccontextmanager
async def _forbidden(_: Path) -> AsyncIterator[str]:
    async with serve(stock_meter()) as served:
        Path(served.url).chmod(0)  # noqa: ASYNC240
        with _not_root():
            yield served.url


@asynccontextmanager
async def _closed_port(_: Path) -> AsyncIterator[str]:
    yield f"socket://127.0.0.1:{free_port()}"


@asynccontextmanager
async def _hangs_up(_: Path) -> AsyncIterator[str]:
    """A bridge that takes the connection and ends it at once: it serves one client, and has one."""

    def end(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(end, "127.0.0.1", 0)
    async with server:
        yield f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def _has_a_client(folder: Path) -> AsyncIterator[str]:
    """ser2net, with another program connected to it."""
    async with (
        serve(stock_meter()) as served,
        ser2net(served.url, folder, rfc2217=False) as url,
    ):
        port = int(url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield url
        finally:
            writer.transport.abort()


@asynccontextmanager
async def _asleep(_: Path) -> AsyncIterator[str]:
    yield f"esphome://127.0.0.1:{free_port()}/?port_name=meter"


@asynccontextmanager
async def _queues(_: Path) -> AsyncIterator[str]:
    """A bridge that takes the connection and says nothing while it serves another client."""
    ended = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.transport.abort()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    async with server:
        yield f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ended.set()


@asynccontextmanager
async def _mode_b_at_300(_: Path) -> AsyncIterator[str]:
    meter = Meter(_Stock(), _manners(mode=Mode.B))
    async with serve(meter, transport=Transport.TCP, link=Link.SEVEN) as served:
        yield served.url


@asynccontextmanager
async def _silent_host(_: Path) -> AsyncIterator[str]:
    """A host that answers no connection: its queue of them is full."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(address)
        yield f"socket://127.0.0.1:{address[1]}"


@asynccontextmanager
async def _reset_within_the_data(_: Path) -> AsyncIterator[str]:
    meter = stock_meter()
    async with serve(meter, transport=Transport.TCP) as served, proxy(served.url) as network:
        network.reset_after(40)
        yield network.url


@asynccontextmanager
async def _raw_bridge_as_rfc2217(_: Path) -> AsyncIterator[str]:
    async with serve(stock_meter(), transport=Transport.TCP) as served:
        yield served.url.replace("socket://", "rfc2217://")


def _other(reaction: float) -> Meter:
    """A second meter on the line."""
    return Meter(
        _Stock("90071164", "123456.7"), _manners(flag="EMH", model="OTHER-2", reaction=reaction)
    )


# Where nobody answers, every way to a meter is tried, and nothing comes that could be too late.
IN_VAIN = 40.0
EVERY_SIGN_ON = set(range(1, 100))
# Parity bits, and only them, of every third character.
A_THIRD = dict.fromkeys(range(0, 90, 3), 0x80)

CAUSES = (
    Cause(
        "the probe is off its place",
        _meter(Faults(ignore=EVERY_SIGN_ON)),
        "no_answer",
        pace=IN_VAIN,
    ),
    Cause(
        "a probe reflects its own light",
        _meter(Faults(ignore=EVERY_SIGN_ON), echo=Echo.FULL),
        "only_echo",
        pace=10.0,
    ),
    Cause("a third of the characters is damaged", _meter(Faults(flips=A_THIRD)), "wrong_parity"),
    Cause(
        "something else talks on the line", _push(Foreign.CHATTER, 300, 2.8), "no_identification"
    ),
    Cause(
        "two meters answer at once",
        _meter(None, _other(REACTION)),
        "several_meters",
    ),
    Cause("two meters answer by and by", _meter(None, _other(REACTION + 0.6)), "several_meters"),
    Cause("an SML meter", _push(Foreign.SML, 9600), "other_protocol", {"protocol": "SML"}),
    Cause(
        "a meter that pushes DLMS",
        _meter_that_pushes,
        "push_key_needed",
        {"make": "Iskraemeco"},
    ),
    Cause("no data behind the name", _meter(Faults(drop_after=0)), "no_data"),
    Cause("the data stop", _meter(Faults(drop_after=30)), "incomplete"),
    Cause(
        "a character is lost, and parity is not to be seen",
        _meter(Faults(lost={20}), transport=Transport.TCP, link=Link.SEVEN),
        "check_wrong",
    ),
    Cause(
        "the meter gives an error message",
        _meter(Faults(error="ER07")),
        "meter_refused",
        {"message": "ER07"},
    ),
    Cause("the meter breaks off", _meter(Faults(broken_off=True)), "meter_break"),
    Cause("the probe is not plugged in", _missing, "port_missing"),
    Cause("another program reads the meter", _locked, "port_busy"),
    Cause("the port belongs to someone else", _forbidden, "no_permission"),
    Cause("nothing listens on the bridge's port", _closed_port, "connection_refused"),
    Cause("the bridge hangs up", _hangs_up, "bridge_taken"),
    Cause(
        "the bridge has its one client",
        _has_a_client,
        "bridge_taken",
        possible=SER2NET is not None,
    ),
    Cause("the bridge's host is silent", _silent_host, "connection_timed_out"),
    Cause("an ESPHome node is asleep", _asleep, "bridge_not_ready"),
    Cause("the bridge serves another client first", _queues, "bridge_silent", pace=10.0),
    Cause("a meter that changes its speed on a fixed bridge", _mode_b_at_300, "meter_faster"),
    Cause("the connection breaks within the data", _reset_within_the_data, "connection_lost"),
    Cause("a raw bridge is taken for RFC 2217", _raw_bridge_as_rfc2217, "bridge_refused_settings"),
)
PARAMETERS = [
    pytest.param(
        cause,
        id=cause.name,
        marks=pytest.mark.skipif(not cause.possible, reason="what makes it is not here"),
    )
    for cause in CAUSES
]
