"""A tariff device of modes A to D, as a conversation in time."""

from collections.abc import Generator
from math import inf
import re
from typing import Protocol

from .log import Kind, Log
from .manners import Faults, Manners, Mode, WakeUp, check_character
from .programming import Programming, Session
from .wire import DAMAGED, Conversation, Listen, Send, even, seconds

SOH, STX, ETX, ACK, NAK, LF = 0x01, 0x02, 0x03, 0x06, 0x15, 0x0A
CHARACTER_GAP = 1.5  # Std 6.4: the longest time between two characters of a message
REQUEST_LIMIT = 64  # "/", a query mark, 32 characters of address, "!" CR LF, and some air
WAKE_GAP = 0.005  # Std Annex B.1: between two NULs
AWAKE = 3.0  # how long a woken device waits for a request before it sleeps again


class Content(Protocol):
    """What a readout holds at this moment."""

    def block(self) -> bytes:
        """Data lines with their line ends, without the final "!"."""
        ...


class Meter:
    """One device: its registers, its manners, its faults."""

    def __init__(
        self,
        content: Content,
        manners: Manners | None = None,
        faults: Faults | None = None,
        programming: Programming | None = None,
    ) -> None:
        self.content = content
        self.programming = programming
        self.manners = manners or Manners()
        self.faults = faults or Faults()
        self.now = 0.0
        self._log = Log()
        self._speed_up = 1.0
        self._sign_ons = 0

    def conversation(self, log: Log, speed_up: float) -> Conversation:
        """The life of the device, from power on. `speed_up` shortens what the device itself takes its time for."""
        self._log = log
        self._speed_up = speed_up
        if self.manners.mode is Mode.D:
            yield from self._push()
        while True:
            until = inf
            if self.manners.wake_up:
                yield from self._sleep(self.manners.wake_up)
                until = self.now + AWAKE
            request = yield from self._request(until)
            # A request in place of an option select begins the session anew.
            while request:
                request = yield from self._session(request)
            if self.manners.wake_up:
                self._log.note(self.now, Kind.ASLEEP)

    def _push(self) -> Conversation:
        """Mode D (Std 6.4.4): the device speaks unasked, and hears nothing."""
        following = self.now
        while True:
            following = max(following + self.manners.interval / self._speed_up, self.now)
            while (yield Listen(self.manners.speed, following)) is not None:
                pass
            head = f"{self.manners.identification() or ''}\r\n\r\n".encode("latin-1")
            yield from self._say_block(head + self._block(), self.manners.speed, self.now)

    def _sleep(self, needed: WakeUp) -> Conversation:
        count = 0
        last = self.now
        while not needed.least <= count <= needed.most:
            count = 0
            character = yield Listen(self.manners.sign_on_speed)
            while character == 0:
                count += 1
                last = self.now
                character = yield Listen(
                    self.manners.sign_on_speed,
                    last + seconds(1, self.manners.sign_on_speed) + WAKE_GAP,
                )
        self._log.note(self.now, Kind.WOKEN, value=count)
        yield from self._wait(last + needed.pause)

    def _wait(self, until: float) -> Conversation:
        """Let time pass without hearing anything."""
        while (yield Listen(self.manners.sign_on_speed, until)) is not None:
            pass

    def _request(self, until: float) -> Generator[Listen | Send, int | None, str]:
        """What stands between "/" and "!" of the next request; "" when the time is over."""
        message = bytearray()
        while True:
            character = yield Listen(
                self.manners.sign_on_speed,
                min(until, self.now + CHARACTER_GAP) if message else until,
            )
            if character is None:
                if self.now >= until:
                    return ""
                message.clear()
            elif character == ord("/"):
                message = bytearray(b"/")
            elif character == DAMAGED or len(message) >= REQUEST_LIMIT:
                message.clear()
            elif message:
                message.append(character)
            if request := re.fullmatch(rb"/([^!]+)!\r\n", message):
                return request[1].decode("ascii")

    def _answers(self, request: str) -> bool:
        """Whether this request is for this device (Std 6.3.14 item 22)."""
        for query in self.manners.queries:
            if request.startswith(query):
                address = request.removeprefix(query)
                if not address:
                    return not self.manners.needs_address
                return address.lstrip("0") == self.manners.address.lstrip("0")
        return False

    def _session(self, request: str) -> Generator[Listen | Send, int | None, str]:
        """From a request to the end of the data. Returns the request that began a new session, if one did."""
        if not self._answers(request):
            self._log.note(self.now, Kind.IGNORED, f"/{request}!")
            return ""
        self._sign_ons += 1
        self._log.note(self.now, Kind.SIGN_ON, f"/{request}!")
        if self._sign_ons in self.faults.ignore:
            self._log.note(self.now, Kind.IGNORED, f"sign-on {self._sign_ons}")
            return ""
        ident = self.manners.identification()
        speed, at = self.manners.sign_on_speed, self.reaction()
        if ident is not None:
            message = bytes(map(even, f"{ident}\r\n".encode("latin-1")))
            yield Send(self.faults.noise_before + message, self.manners.sign_on_speed, at)
            self._log.note(self.now, Kind.IDENTIFIED, ident)
            # Mode A goes on at once; the others leave the time for a change of speed.
            at = self.now if self.manners.mode is Mode.A else self.reaction()
            if self.manners.mode is Mode.B:
                speed = self.manners.speed
            elif self.manners.mode is Mode.C:
                option = yield from self._option()
                if option.startswith("\x01B0\x03"):
                    self._log.note(self.now, Kind.BREAK)
                    return ""
                if again := re.fullmatch(r"/([^!]+)!\r\n", option):
                    return again[1]
                if (other := self._other_option(option)) is not None:
                    yield from other
                    return ""
                if (wanted := self._programming_speed(option, ident)) and self.programming:
                    yield from Session(self, self.programming, wanted).run(self.reaction())
                    return ""
                # Any other option, a damaged one or none: data at the first speed (Std 6.4.3.2-3, 6.4.3.6).
                if option == f"\x060{ident[4:5]}0\r\n":
                    speed = self.manners.speed
                at = self.reaction()
        yield from self._data(speed, at)
        return ""

    def _other_option(self, option: str) -> Conversation | None:
        """What follows an option that a device of another kind knows; None where it is none of those."""
        return None

    def _programming_speed(self, option: str, ident: str) -> int:
        """The speed of programming mode where the option asks for it; 0 where it does not."""
        if self.programming is None:
            return 0
        if option == f"\x060{ident[4:5]}1\r\n":
            return self.manners.speed
        return self.manners.sign_on_speed * (
            self.programming.at_first_speed and option == "\x06001\r\n"
        )

    def _option(self) -> Generator[Listen | Send, int | None, str]:
        """The message that follows the identification, as heard."""
        identified = self.now
        if self.manners.deaf:
            yield from self._wait(identified + self.manners.deaf)
        message = ""
        began = 0.0
        until = identified + self.manners.option_wait
        while True:
            character = yield Listen(self.manners.sign_on_speed, until)
            if character is None:
                break
            if not message:
                began = self.now - seconds(1, self.manners.sign_on_speed) - identified
            message += "\N{REPLACEMENT CHARACTER}" if character == DAMAGED else chr(character)
            ends = message[-2] == "\x03" if message[0] == "\x01" and message[1:] else False
            if character == LF or ends or len(message) >= REQUEST_LIMIT:
                break
            until = self.now + CHARACTER_GAP
        if message:
            self._log.note(self.now, Kind.OPTION, ascii(message)[1:-1], began)
        else:
            self._log.note(self.now, Kind.NO_OPTION)
        return message

    def _data(self, speed: int, at: float) -> Conversation:
        """The data block, again if the client asks for it (Std 6.4.3.5)."""
        if self.faults.error or self.faults.broken_off:
            yield Send(self._refusal(), speed, at)
            self._log.note(self.now, Kind.REFUSED, self.faults.error or "break")
            return
        block = self._block()
        repeats = self.manners.repeats if self.manners.mode is Mode.C else 0
        while (yield from self._say_block(block, speed, at)) and repeats:
            repeats -= 1
            character = yield Listen(speed, self.now + self.manners.repeat_wait)
            if character != NAK:
                return
            self._log.note(self.now, Kind.REPEAT)
            at = self.reaction()

    def _say_block(
        self, block: bytes, speed: int, at: float
    ) -> Generator[Listen | Send, int | None, bool]:
        """Send a block as the faults let it. Returns whether the device is still there."""
        faults = self.faults
        octets = faults.noise_before + faults.damage(bytes(map(even, block))) + faults.noise_after
        count = len(octets)
        yield from self._wait(at)
        self._log.note(at, Kind.DATA, f"{count} characters at {speed}")
        if faults.drop_after is not None:
            yield Send(octets[: faults.drop_after], speed, at)
            return False
        if faults.stall:
            before, silence = faults.stall
            yield Send(octets[:before], speed, at)
            octets, at = octets[before:], self.now + silence
        yield Send(octets, speed, at)
        self._log.note(self.now, Kind.SENT, value=count)
        return True

    def _block(self) -> bytes:
        """A data message (Std 6.3.3), or what devices without framing send (figure 24)."""
        body = self.content.block() + b"!\r\n"
        if not self.manners.stx or self.manners.mode is Mode.D:
            return body
        covered = body + bytes([ETX])
        return bytes([STX]) + covered + check_character(self.manners.check, covered)

    def _refusal(self) -> bytes:
        """An error message or a break (Std 6.3.7, 6.3.10)."""
        if self.faults.broken_off:
            begin, covered = SOH, b"B0\x03"
        else:
            begin, covered = STX, f"({self.faults.error})\x03".encode("ascii")
        return bytes(
            map(even, bytes([begin]) + covered + check_character(self.manners.check, covered))
        )

    def note(self, kind: Kind, text: str = "") -> None:
        """Tell whoever watches what happens now."""
        self._log.note(self.now, kind, text)

    def reaction(self) -> float:
        """When the next message begins."""
        # 20 ms is the standard's least (Std 6.3.14 item 12): hurrying must not break it.
        return self.now + min(
            self.manners.reaction, max(self.manners.reaction / self._speed_up, 0.02)
        )
