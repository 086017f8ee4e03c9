"""Meters that push DLMS/COSEM: readings from octets as they arrive, from a line, and from a stored telegram."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from .cli.telegram_file import MAX_FILE, dumped, explain as explain_text
from .dlms.push.ciphering import PushKeys
from .dlms.push.messages import GIVEN_UP_AFTER, Message, Receiver
from .dlms.push.telegrams import Telegram, understand
from .errors import (
    BridgeRefusedSettings,
    CheckWrong,
    DlmsError,
    Incomplete,
    LineError,
    NoAnswer,
    PushUnframed,
    SecurityBroken,
    TelegramError,
)
from .model import Health, Mode, Reading, Verdict
from .reasons import Security
from .transport.line import Line

# A telegram that cannot be read may be one that was damaged on its way; so many in a row are not.
UNREADABLE_IN_A_ROW = 3

# Meters push every 10 s at the latest; what is slower comes in addition (hourly lists).
WINDOW = 11.0
# A meter that pushed before may pause; after this the reason is told.
LIMIT = 60.0

_WRAPPER = b"\x00\x01"
_WRAPPER_LENGTH = 8
_APDUS = (b"\x0f", b"\xdb", b"\xdc", b"\xdd")


class Format(NamedTuple):
    """How the characters of a line are sent: its speed in baud, eight bits, and even parity or none."""

    speed: int
    even_parity: bool = False


# Optical ports, M-Bus levels, P1; 2400 Bd without parity for adapters that check it themselves.
FORMATS = (Format(9600), Format(2400, even_parity=True), Format(115200), Format(2400))


class PushListener:
    """Feed it octets; it gives the readings that are in them.

    `seen` are the counters of the latest telegrams by system title, to be kept: a telegram whose counter does not rise
    was recorded and sent again, and is no reading.
    """

    def __init__(
        self, keys: PushKeys | None = None, seen: Mapping[bytes, int] | None = None
    ) -> None:
        """Begin anywhere in a stream."""
        self.seen = dict(seen or {})
        self.telegrams = 0
        """Telegrams that came whole and for the first time, so far."""
        self.replayed = 0
        """Telegrams since the latest reading that had come before."""
        self._keys = keys
        self._receiver = Receiver()
        self._unreadable: DlmsError | None = None
        self._unreadable_in_a_row = 0
        self._octets = 0
        self._lost = 0

    @property
    def failure(self) -> DlmsError | None:
        """Why nothing can be read, once that is certain."""
        certain = self._unreadable_in_a_row >= UNREADABLE_IN_A_ROW
        return self._unreadable if certain else None

    def feed(self, octets: bytes, now: float, received: datetime) -> list[Reading]:
        """The readings that are whole now. `now` is in seconds of a steady clock, `received` the time of day."""
        self._octets += len(octets)
        return self._readings(self._receiver.feed(octets, now), received)

    def silence(self, received: datetime) -> list[Reading]:
        """The readings that are whole once nothing more follows."""
        return self._readings(self._receiver.silence(), received)

    def _readings(self, messages: Iterable[Message], received: datetime) -> list[Reading]:
        found = (self._read(message, received) for message in messages)
        return [reading for reading in found if reading is not None]

    def _read(self, message: Message, received: datetime) -> Reading | None:
        try:
            telegram = understand(message, self._keys)
        except DlmsError as err:
            self.telegrams += 1
            self._unreadable = err
            self._unreadable_in_a_row += 1
            return None
        reading = None if telegram is None else _reading(telegram, received)
        # Without a frame or a tag, nothing tells damage from data.
        if telegram is None or reading is None or reading.health.check is not Verdict.RIGHT:
            return None
        self._unreadable, self._unreadable_in_a_row = None, 0
        if telegram.counter is not None:
            if telegram.counter <= self.seen.get(telegram.title, -1):
                self.replayed += 1
                return None
            self.seen[telegram.title] = telegram.counter
        self.telegrams += 1
        self.replayed = 0
        lost = self._receiver.damaged + self._receiver.unfinished
        health = replace(reading.health, characters=self._octets, retries=lost - self._lost)
        self._octets, self._lost = 0, lost
        return replace(reading, health=health)


def _reading(telegram: Telegram, received: datetime) -> Reading | None:
    """The reading in a telegram; None where it is empty."""
    if telegram.text:
        try:
            reading = explain_text(telegram.text, "", received)
        except TelegramError:
            return None
        proven = telegram.check is Verdict.RIGHT
        check = Verdict.RIGHT if proven else reading.health.check
        return replace(reading, health=replace(reading.health, check=check, mode=Mode.D))
    if not telegram.registers:
        return None
    return Reading(
        identification=telegram.identification,
        registers=telegram.registers,
        received=received,
        health=Health(check=telegram.check, check_kind=telegram.check_kind, mode=Mode.D),
    )


async def listen(
    line: Line, listener: PushListener, formats: Iterable[Format] = FORMATS
) -> AsyncGenerator[Reading]:
    """The readings of a meter that pushes, without end. A line whose speed is fixed is taken as it is.

    Raises PushKeyNeeded, PushKeyWrong and DlmsMalformed where telegrams come and cannot be read, SecurityBroken where
    all of them came before, PushUnframed or NoAnswer where none came for a minute, and LineError.
    """
    line.binary = True
    heard = False
    try:
        for one in formats if line.can_switch else (Format(line.speed),):
            if line.can_switch:
                try:
                    await line.set_format(one.speed, even_parity=one.even_parity)
                except BridgeRefusedSettings:
                    # Most bridges end below the speed of P1.
                    continue
            before = line.tally.characters
            found = False
            async for reading in _listen(line, listener):
                found = True
                yield reading
            heard |= line.tally.characters > before
            if found or listener.replayed:
                break
    finally:
        line.binary = False
        if line.can_switch:
            with suppress(LineError):
                await line.set_format(line.speed, even_parity=False)
    if listener.replayed:
        raise SecurityBroken(why=Security.OLD)
    raise PushUnframed if heard else NoAnswer


async def _listen(line: Line, listener: PushListener) -> AsyncGenerator[Reading]:
    """Readings until no telegram came for a while: a minute once there was one."""
    deadline = line.now() + WINDOW
    telegrams = listener.telegrams
    while line.now() < deadline:
        octets = await line.read(min(deadline, line.now() + GIVEN_UP_AFTER))
        received = line.utcnow()
        if octets:
            readings = listener.feed(octets, line.now(), received)
        else:
            readings = listener.silence(received)
        for reading in readings:
            yield replace(reading, health=replace(reading.health, speed=line.speed))
        if listener.failure is not None:
            raise listener.failure
        if listener.telegrams > telegrams:
            telegrams = listener.telegrams
            deadline = line.now() + LIMIT


def explain(data: bytes, name: str, received: datetime, keys: PushKeys | None = None) -> Reading:
    """The reading in what a file holds: pushed telegrams, as octets or as a dump of them, or text as other modes send it.

    `name` is for the error's sentence. Also an APDU alone is understood, which no check protects. Raises TelegramError
    where nothing is found, and what keeps a telegram from being read: CheckWrong, Incomplete, DlmsError.
    """
    data = data[:MAX_FILE]
    octets = dumped(data) or data
    receiver = Receiver()
    messages = receiver.feed(octets, 0.0) + receiver.silence()
    if not messages and (apdu := _apdu(octets)):
        messages = [Message(apdu)]
    readings: list[Reading] = []
    unreadable: DlmsError | None = None
    for message in messages:
        try:
            telegram = understand(message, keys)
        except DlmsError as err:
            unreadable = unreadable or err
            continue
        if telegram is not None and (reading := _reading(telegram, received)) is not None:
            readings.append(reading)
    if readings:
        first = readings[0]
        health = replace(first.health, characters=len(octets))
        found = tuple(register for reading in readings for register in reading.registers)
        return replace(first, registers=found, health=health)
    if unreadable is not None:
        raise unreadable
    try:
        return explain_text(data, name, received)
    except TelegramError:
        if receiver.damaged:
            raise CheckWrong from None
        if receiver.unfinished:
            raise Incomplete from None
        raise


def _apdu(octets: bytes) -> bytes:
    """The APDU that stands alone, or behind a wrapper (IEC 62056-47); empty where there is none."""
    length = int.from_bytes(octets[_WRAPPER_LENGTH - 2 : _WRAPPER_LENGTH])
    if octets.startswith(_WRAPPER) and len(octets) == _WRAPPER_LENGTH + length:
        octets = octets[_WRAPPER_LENGTH:]
    return octets if octets.startswith(_APDUS) else b""
