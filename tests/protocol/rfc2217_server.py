"""A small RFC 2217 access server, written from the RFC: what is on its serial side is a list of bytes.

It can refuse the option, keep silent, refuse to acknowledge, hold on to one speed or one format, and name the speed
its divider makes.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Self

from ..common.waiting import until

IAC, SE, SB, WILL, WONT, DO, DONT = 255, 240, 250, 251, 252, 253, 254
BINARY, SUPPRESS_GO_AHEAD, COM_PORT = 0, 3, 44
SET_BAUDRATE, SET_DATASIZE, SET_PARITY, SET_STOPSIZE, SET_CONTROL = 1, 2, 3, 4, 5
# An answer carries the number of its command and 100.
ANSWER = 100


@dataclass
class Rfc2217Server:
    """One port. `settings` in the order they were asked for; `written` is what came for the serial side.

    `controls`: what was asked of the modem lines, which is never answered.
    """

    silent: bool = False
    refuse: bool = False
    acknowledge: bool = True
    fixed_speed: int | None = None
    fixed_format: tuple[int, int] | None = None
    divider_error: float = 0.0
    settings: list[tuple[int, int]] = field(default_factory=list)
    controls: list[int] = field(default_factory=list)
    written: bytearray = field(default_factory=bytearray)
    clients: int = 0
    url: str = ""
    _writer: asyncio.StreamWriter | None = None
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"rfc2217://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.cut()
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Drop the client."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def send(self, data: bytes) -> None:
        """The meter sends."""
        assert self._writer is not None
        self._writer.write(data.replace(b"\xff", b"\xff\xff"))

    def notify(self, command: int, payload: bytes) -> None:
        """Say something unasked."""
        self._sub(command, payload)

    async def until_written(self, data: bytes) -> None:
        """Wait for what the client sends to the meter."""
        await until(lambda: data in self.written, words=lambda: self.written)

    async def until_gone(self) -> None:
        """Wait until no client is left."""
        await until(lambda: not self.clients, words=lambda: f"{self.clients} clients")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.clients += 1
        try:
            while True:
                byte = (await reader.readexactly(1))[0]
                if byte != IAC:
                    self._take(byte)
                    continue
                command = (await reader.readexactly(1))[0]
                if command == IAC:
                    self._take(IAC)
                elif command in (WILL, WONT, DO, DONT):
                    self._negotiate(command, (await reader.readexactly(1))[0])
                elif command == SB:
                    self._sub_asked((await reader.readuntil(bytes([IAC, SE])))[:-2])
        except asyncio.IncompleteReadError, ConnectionError:
            pass
        finally:
            writer.close()
            self.clients -= 1

    def _take(self, byte: int) -> None:
        self.written.append(byte)

    def _negotiate(self, command: int, option: int) -> None:
        if self.silent:
            return
        agreed = option in (BINARY, SUPPRESS_GO_AHEAD) or (option == COM_PORT and not self.refuse)
        answer = {WILL: DO if agreed else DONT, DO: WILL if agreed else WONT}.get(command)
        if answer is not None:
            self._raw(bytes([IAC, answer, option]))

    def _sub_asked(self, data: bytes) -> None:
        option, command, payload = data[0], data[1], data[2:].replace(b"\xff\xff", b"\xff")
        if option == COM_PORT and command == SET_CONTROL:
            self.controls.append(payload[0])
        if option != COM_PORT or command not in (
            SET_BAUDRATE,
            SET_DATASIZE,
            SET_PARITY,
            SET_STOPSIZE,
        ):
            return
        value = int.from_bytes(payload)
        self.settings.append((command, value))
        if not self.acknowledge:
            return
        if command == SET_BAUDRATE:
            value = self.fixed_speed or round(value * (1 + self.divider_error))
        elif self.fixed_format is not None and command in (SET_DATASIZE, SET_PARITY):
            value = self.fixed_format[command - SET_DATASIZE]
        self._sub(command + ANSWER, value.to_bytes(len(payload)))

    def _sub(self, command: int, payload: bytes) -> None:
        body = bytes([COM_PORT, command]) + payload.replace(b"\xff", b"\xff\xff")
        self._raw(bytes([IAC, SB]) + body + bytes([IAC, SE]))

    def _raw(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.write(data)
