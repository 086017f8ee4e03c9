"""The line over serialx: speed, software parity, echo, deadlines, trace. The only way bytes go out and come in.

The line is opened with 8 data bits and no parity wherever it can be, and even parity is made and checked in software:
the same ten bits on the wire as 7E1, but damaged characters are seen on every line (a driver in 7E1 hides them), and
binary modes need no change of parity. A bridge that drops bit 7 of what is sent to it makes the parity itself.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
import termios
from typing import override

import serialx

from ..errors import BridgeRefusedSettings, BridgeTaken, ConnectionLost, LineError
from ..model import SIGN_ON_SPEED
from .connect import (
    ACKNOWLEDGED_WITHIN,
    LOCAL,
    RAW_BRIDGE,
    SWITCHING_BRIDGE,
    kind_of,
    open_transport,
    public_name,
)
from .echo import EchoFilter
from .line import BITS_PER_CHARACTER, Line, with_even_parity
from .log_filter import suppress_debug
from .trace import Direction, LineStats, Trace

# What nobody has read yet. More comes only from a line that pushes while no one listens: the newest is kept.
INPUT_LIMIT = 256 * 1024

# So much is understood at once before others have their turn: a flood must not hold whatever else runs.
AT_ONCE = 1024

# The latest an echo comes after its character has left: a stalled event loop, or the bridge's own lag.
ECHO_LAG = 0.25

# What a bridge's measured lag may add to a deadline, in seconds: one that is slower is no line to talk over.
LONGEST_LAG = 3.0

# A bridge that has its one client ends a second connection within that time, perhaps with a sentence of its own
# (ser2net): no meter has said so much by then at 300 Bd.
REFUSED_WITHIN = 1.0
LONGEST_REFUSAL = 40

# A bridge that is not free ends a new connection as soon as it sees it: a round trip.
WATCHED_FOR = 0.1

# A peer that takes nothing more must not keep the port: what is unsent then is given up.
CLOSED_WITHIN = 2.0


class SerialLine(Line, asyncio.Protocol):
    """A `Line` over serialx: a local port, or a bridge on the network.

    One conversation at a time may use it. Any method may be cancelled: no task is left behind, and `close` frees the
    port whatever was going on.
    """

    def __init__(self, url: str, speed: int = SIGN_ON_SPEED) -> None:
        """Prepare a closed line; `open` makes it usable."""
        self.name = public_name(url)
        self.speed = speed
        self.tally = LineStats()
        self.trace = Trace()
        self.binary = False
        self._url = url
        self._kind = kind_of(url)
        self.can_switch = self._kind.can_switch
        self.can_refuse = self._kind is SWITCHING_BRIDGE
        self.grace = self._kind.grace
        self.margin = self._kind.margin
        self._lag = 0.0
        self._loop = asyncio.get_running_loop()
        self._transport: serialx.BaseSerialTransport | None = None
        self._lost = False
        self._opened_at = self._loop.time()
        self._refused = False
        self._ended_by_bridge = False
        self._sent_at = self._loop.time()
        self._input = bytearray()
        self._echo = EchoFilter(max(ECHO_LAG, self._kind.grace))
        self._echo_timer: asyncio.TimerHandle | None = None
        self._reader: asyncio.Future[None] | None = None
        self._switching: asyncio.Future[None] | None = None
        self._speed_known = True
        self._pins: tuple[bool | None, bool | None] = (None, None)

    @property
    @override
    def sent_at(self) -> float:
        return self._sent_at

    @override
    def now(self) -> float:
        return self._loop.time()

    @override
    def utcnow(self) -> datetime:
        return datetime.now(UTC)

    async def open(self, *, watched: bool = False) -> None:
        """Open the port at the line's speed; one that is `watched` must still be open a moment later.

        Raises:
            LineError: BadUrl, PortMissing, PortBusy, NoPermission, ConnectionRefused, ConnectionTimedOut,
                BridgeNotReady or BridgeRefusedSettings.
        """
        begun = self.now()
        self._transport = await open_transport(self._url, self, self.speed)
        self._opened_at = self.now()
        # Several round trips, and a name looked up: more than the lag, until it is measured.
        self._measure(self._opened_at - begun)
        if watched and self._kind is not LOCAL:
            end = self.now() + WATCHED_FOR + self._lag
            while not self._lost and self.now() < end:
                await self._something_or(end)
        if self._lost:
            # Closed, or cut off, while it was being opened.
            await self.close()
            raise self._gone()

    @override
    async def write(self, data: bytes, *, secret: bool = False) -> None:
        raw = data if self.binary else with_even_parity(data)
        transport = self._opened()
        now = self.now()
        suppress_debug(self, secret=secret)
        try:
            transport.write(raw)
        except OSError as err:
            raise ConnectionLost(port=self.name) from err
        self.trace.add(Direction.SENT, now, self.speed, raw, secret=secret)
        self._sent_at = max(now, self._sent_at) + len(raw) * BITS_PER_CHARACTER / self.speed
        self._receive(self._echo.settle(now))
        if not self.binary:
            self._echo.expect(data, self._sent_at)

    @override
    async def read(self, deadline: float) -> bytes:
        while not self._input:
            self._opened()
            if self.now() >= deadline:
                return b""
            await self._something_or(deadline)
        if len(self._input) > AT_ONCE and self.now() < deadline:
            # Behind the deadline nothing more may come in, or a flood would have no end.
            await asyncio.sleep(0)
        run = bytes(self._input[:AT_ONCE])
        del self._input[:AT_ONCE]
        return run

    @override
    async def set_speed(self, speed: int, at: float) -> None:
        await self.sleep_until(at)
        transport = self._opened()
        if speed == self.speed and self._speed_known:
            return
        if not self.can_switch:
            raise BridgeRefusedSettings(port=self.name, wanted=f"{speed} Bd")
        # A change that is cancelled, or whose acknowledgement is lost, may have happened all the same.
        self._speed_known = False
        try:
            await self._switch(transport, speed)
        except (TimeoutError, serialx.SerialException) as err:
            raise BridgeRefusedSettings(port=self.name, wanted=f"{speed} Bd") from err
        except OSError as err:
            raise ConnectionLost(port=self.name) from err
        self.speed = speed
        self._speed_known = True
        if self.now() > at + self._kind.late:
            self.tally.late_switches += 1
        await self._apply_pins()

    @override
    async def set_format(self, speed: int, *, even_parity: bool) -> None:
        transport = self._opened()
        wanted = f"{speed} Bd {'8E1' if even_parity else '8N1'}"
        parity = serialx.Parity.EVEN if even_parity else serialx.Parity.NONE
        self._speed_known = False
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
                await transport.reconfigure_port(baudrate=speed, byte_size=8, parity=parity)
        except (TimeoutError, serialx.SerialException) as err:
            raise BridgeRefusedSettings(port=self.name, wanted=wanted) from err
        except OSError as err:
            raise ConnectionLost(port=self.name) from err
        self.speed = speed
        self._speed_known = True
        await self._apply_pins()

    @override
    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        before, self._pins = self._pins, (dtr, rts)
        try:
            await self._apply_pins()
        except BridgeRefusedSettings:
            # What was refused once would be refused with each change of speed.
            self._pins = before
            raise

    @override
    def drop_input(self) -> None:
        self._input.clear()
        self._echo.drop()

    @override
    async def sleep_until(self, when: float) -> None:
        await asyncio.sleep(max(0.0, when - self.now()))

    @override
    async def close(self) -> None:
        self._lose()
        # Once only: a wait for the end that timed out cannot be repeated.
        transport, self._transport = self._transport, None
        if transport is None:
            return
        switching = self._switching
        try:
            if switching is not None:
                with suppress(OSError):
                    await asyncio.shield(switching)
        finally:
            if switching is None or switching.done():
                transport.close()
            else:
                switching.add_done_callback(lambda _: transport.close())
            suppress_debug(self, secret=False)
        try:
            async with asyncio.timeout(CLOSED_WITHIN):
                await transport.wait_closed()
        except TimeoutError:
            transport.abort()

    # What serialx calls.

    @override
    def data_received(self, data: bytes) -> None:
        now = self.now()
        self.trace.add(Direction.RECEIVED, now, self.speed, data)
        self._receive(data if self.binary else self._echo.feed(data, now))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self._lost:
            soon = self.now() <= self._opened_at + REFUSED_WITHIN
            heard = self.tally.characters > LONGEST_REFUSAL
            self._refused = self._kind is RAW_BRIDGE and soon and not heard
            # Other errors are the network's: the bridge itself may know nothing of the end.
            self._ended_by_bridge = exc is None or isinstance(exc, ConnectionError)
        self._lose()

    # How it is done.

    def _opened(self) -> serialx.BaseSerialTransport:
        """The transport, while there is one to talk through."""
        if self._lost or self._transport is None:
            raise self._gone()
        return self._transport

    def _gone(self) -> LineError:
        """Why there is nothing to talk through."""
        if self._refused:
            return BridgeTaken(port=self.name)
        lost = ConnectionLost(port=self.name)
        lost.by_bridge = self._ended_by_bridge
        return lost

    def _receive(self, data: bytes) -> None:
        """Take what is no echo into the input, wake the reader, and come back when an echo must be decided upon."""
        self.tally.echoed = self._echo.echoed
        if data:
            if self.binary:
                self.tally.characters += len(data)
            else:
                self.tally.count(data)
            self._input += data
            surplus = len(self._input) - INPUT_LIMIT
            if surplus > 0:
                del self._input[:surplus]
                self.tally.overrun += surplus
            self._wake()
        if self._echo_timer is not None:
            self._echo_timer.cancel()
            self._echo_timer = None
        due = self._echo.due
        if due is not None:
            self._echo_timer = self._loop.call_at(due, self._settle, due)

    def _settle(self, due: float) -> None:
        self._echo_timer = None
        self._receive(self._echo.settle(due))

    def _lose(self) -> None:
        """From now on there is nothing to talk through; what was kept back is given out."""
        self._lost = True
        self._receive(self._echo.finish())
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _something_or(self, deadline: float) -> None:
        """Wait for characters, the end of the line or the deadline, without a task."""
        if self._reader is not None:
            raise RuntimeError("another conversation is reading this line")
        self._reader = self._loop.create_future()
        timer = self._loop.call_at(deadline, self._wake)
        try:
            await self._reader
        finally:
            timer.cancel()
            self._reader = None

    async def _apply_pins(self) -> None:
        """Set the pins as they were asked for: serialx sets its own with each setting of a port."""
        transport = self._opened()
        if self._pins == (None, None):
            return
        dtr, rts = self._pins
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
                await transport.set_modem_pins(dtr=dtr, rts=rts)
        except (TimeoutError, serialx.SerialException) as err:
            raise BridgeRefusedSettings(port=self.name, wanted="DTR, RTS") from err
        except OSError as err:
            raise ConnectionLost(port=self.name) from err

    def _measure(self, lag: float) -> None:
        """Let deadlines follow the way to a bridge and back: at once when it becomes slower, by halves when faster."""
        if self._kind is LOCAL:
            return
        self._lag = min(max(lag, (self._lag + lag) / 2), LONGEST_LAG)
        self.grace = self._kind.grace + self._lag

    async def _switch(self, transport: serialx.BaseSerialTransport, speed: int) -> None:
        """Set the speed of the port.

        serialx sets a local port and then flushes both its queues, in a worker thread: an answer that begins in
        between would lose its first characters. So a local port is set here, in a worker thread too (a USB adapter
        answers a control request first), without a flush. A speed that termios has no name for goes through serialx.
        """
        code = getattr(termios, f"B{speed}", None)
        if self._kind is not LOCAL or code is None:
            begun = self.now()
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
                await transport.reconfigure_port(baudrate=speed)
            self._measure(self.now() - begun)
            return
        if self._switching is not None:
            # One that was cancelled must not have the last word.
            with suppress(OSError):
                await asyncio.shield(self._switching)
        self._switching = self._loop.run_in_executor(
            None, _set_speed, transport.serial.fileno(), code
        )
        # Shielded: the thread cannot be stopped, and `close` must not free the descriptor below it.
        await asyncio.shield(self._switching)
        self._switching = None


def _set_speed(descriptor: int, code: int) -> None:
    """Set the speed of a local port at once, and touch nothing else (blocking)."""
    try:
        attributes = termios.tcgetattr(descriptor)
        attributes[4] = attributes[5] = code
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    except termios.error as err:
        raise OSError(*err.args) from err


async def open_line(url: str, *, speed: int = SIGN_ON_SPEED, watched: bool = False) -> SerialLine:
    """Open a local port (`/dev/...`) or a bridge (`socket://`, `tcp://`, `rfc2217://`, `esphome://`).

    `speed` in baud; a raw TCP bridge cannot be asked for it, so there it is what the caller knows of the bridge.
    A bridge that is `watched` must still be connected a moment later. A cancelled opening leaves the port free.

    Raises:
        LineError: BadUrl, PortMissing, PortBusy, NoPermission, ConnectionRefused, ConnectionTimedOut, BridgeNotReady
            or BridgeRefusedSettings.
    """
    line = SerialLine(url, speed)
    await line.open(watched=watched)
    return line
