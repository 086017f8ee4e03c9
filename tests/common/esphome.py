"""A stand-in for an ESPHome node with a serial proxy, in front of a pseudo terminal.

It is not ESPHome: it answers those messages of the native API (plain text, version 1.17) that serialx's own ESPHome
transport sends, as the API's definition has them. What is tested against it is that transport and what stands above.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os
import termios
import tty
from typing import Any

from aioesphomeapi import api_pb2
from aioesphomeapi.core import MESSAGE_TYPE_TO_PROTO
from aioesphomeapi.model import SerialProxyRequestType as Asked

# Its messages are made when it is imported: no checker knows them.
api: Any = api_pb2
NAME = "meter"
NUMBERS = {kind: number for number, kind in MESSAGE_TYPE_TO_PROTO.items()}


def _varint(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*octets, value])


async def _read_varint(reader: asyncio.StreamReader) -> int:
    value = shift = 0
    while True:
        octet = (await reader.readexactly(1))[0]
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value
        shift += 7


class _Node:
    """One connection to the node."""

    def __init__(self, terminal: int, writer: asyncio.StreamWriter) -> None:
        self._terminal = terminal
        self._writer = writer

    def say(self, message: Any) -> None:
        body = message.SerializeToString()
        head = b"\0" + _varint(len(body)) + _varint(NUMBERS[type(message)])
        self._writer.write(head + body)

    def forward(self) -> None:
        """What the meter has sent."""
        self.say(api.SerialProxyDataReceived(instance=0, data=os.read(self._terminal, 4096)))

    def answer(self, message: Any) -> bool:
        """Do what was asked; False ends the connection."""
        match message:
            case api.HelloRequest():
                self.say(api.HelloResponse(api_version_major=1, api_version_minor=17, name=NAME))
            case api.AuthenticationRequest():
                self.say(api.AuthenticationResponse())
            case api.PingRequest():
                self.say(api.PingResponse())
            case api.DeviceInfoRequest():
                proxies = [api.SerialProxyInfo(name=NAME)]
                self.say(api.DeviceInfoResponse(name=NAME, serial_proxies=proxies))
            case api.SerialProxyRequest():
                self.done(message.type)
            case api.SerialProxySetModeRequest():
                self.done(Asked.SET_MODE)
            case api.SerialProxyConfigureRequest():
                attributes = termios.tcgetattr(self._terminal)
                attributes[4] = attributes[5] = getattr(termios, f"B{message.baudrate}")
                termios.tcsetattr(self._terminal, termios.TCSANOW, attributes)
                self.done(Asked.CONFIGURE)
            case api.SerialProxySetModemPinsRequest():
                self.done(Asked.SET_MODEM_PINS)
            case api.SerialProxyGetModemPinsRequest():
                self.say(api.SerialProxyGetModemPinsResponse(instance=0))
            case api.SerialProxyWriteRequest():
                os.write(self._terminal, message.data)
            case api.DisconnectRequest():
                self.say(api.DisconnectResponse())
                return False
        return True

    def done(self, asked: int) -> None:
        self.say(api.SerialProxyRequestResponse(instance=0, type=asked))


@asynccontextmanager
async def esphome(terminal: str) -> AsyncIterator[str]:
    """Serve a terminal as the node's only serial proxy; gives the URL."""
    loop = asyncio.get_running_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(descriptor)
        node = _Node(descriptor, writer)
        loop.add_reader(descriptor, node.forward)
        try:
            going_on = True
            while going_on:
                assert await reader.readexactly(1) == b"\0"
                size, number = await _read_varint(reader), await _read_varint(reader)
                message = MESSAGE_TYPE_TO_PROTO[number]()
                message.ParseFromString(await reader.readexactly(size))
                going_on = node.answer(message)
        except asyncio.IncompleteReadError, ConnectionError:
            pass
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"esphome://127.0.0.1:{port}/?port_name={NAME}"
    finally:
        server.close()
        server.close_clients()
        await server.wait_closed()
