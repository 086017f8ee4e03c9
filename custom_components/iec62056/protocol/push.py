"""Meters that push DLMS/COSEM: readings from octets as they arrive, and from a line."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from . import obis
from .ascii.receiver import Receiver as TextReceiver
from .ascii.registers import registers
from .dlms.login import Keyring
from .dlms.push.ciphering import PushKeys
from .dlms.push.messages import GIVEN_UP_AFTER, Message, Receiver
from .dlms.push.telegrams import Telegram, understand
from .dlms_errors import DlmsError, PushKeyError, PushKeyNeeded, PushUnframed, SecurityBroken
from .errors import BridgeRefusedSettings, LineError, NoAnswer
from .model import (
    CheckKind,
    Health,
    LineProfile,
    Mode,
    Progress,
    ProgressCallback,
    Reading,
    Register,
    Stage,
    Value,
    Verdict,
)
from .reasons import Security
from .transport.line import Line

# A telegram that cannot be read may be one that was damaged on its way; so many in a row are not.
UNREADABLE_IN_A_ROW = 3

# Meters push every 11 s at the latest (E450 in Switzerland); what is slower comes in addition (hourly lists).
WINDOW = 12.0
# What has begun in that time may go on for so long: 850 octets at 2400 Bd.
LONGEST_TELEGRAM = 4.0
# A meter that pushed before may pause; after this the reason is told.
LIMIT = 60.0


# The address of the register that has a system title: what names a meter whose list does not.
TITLE_ADDRESS = "system_title"


class Format(NamedTuple):
    """How the characters of a line are sent: its speed in baud, eight bits, and even parity or none."""

    speed: int
    even_parity: bool = False


# Optical ports, M-Bus levels, P1; 2400 Bd without parity for adapters that check it themselves.
FORMATS: tuple[Format, ...] = (
    Format(9600),
    Format(2400, even_parity=True),
    Format(115200),
    Format(2400),
)


class PushReader:
    """Feed it octets; it gives the readings that are in them.

    `seen` are the counters of the latest telegrams by system title, and are kept up to date: a telegram whose counter
    does not rise was recorded and sent again, and is no reading.
    """

    def __init__(self, keys: PushKeys | None = None, seen: dict[bytes, int] | None = None) -> None:
        """Begin anywhere in a stream."""
        self.seen = {} if seen is None else seen
        self.format = FORMATS[0]
        """How the line was set when something was last heard."""
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
        certain = self._unreadable_in_a_row >= UNREADABLE_IN_A_ROW or isinstance(
            self._unreadable, PushKeyNeeded
        )
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
        reading = None if telegram is None else reading_of(telegram, received)
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
        found = reading.registers
        if telegram.title:
            found = (*found, Register(TITLE_ADDRESS, None, (Value(_written(telegram.title)),)))
        return replace(reading, registers=found, health=health)


def _written(title: bytes) -> str:
    """A system title as text: the maker's letters, and the rest in hexadecimal digits."""
    maker, rest = title[:3], title[3:].hex().upper()
    return maker.decode("ascii") + rest if maker.isalpha() else maker.hex().upper() + rest


def reading_of(telegram: Telegram, received: datetime) -> Reading | None:
    """The reading in a telegram; None where it is empty."""
    if telegram.text:
        return _reading_of_text(telegram, received)
    if not telegram.registers:
        return None
    return Reading(
        identification=telegram.identification,
        registers=telegram.registers,
        received=received,
        health=Health(check=telegram.check, check_kind=telegram.check_kind, mode=Mode.D),
    )


def _reading_of_text(telegram: Telegram, received: datetime) -> Reading | None:
    """The reading in a P1 telegram, whose CRC is judged where nothing around it was; None where it is damaged."""
    receiver = TextReceiver()
    receiver.feed(telegram.text)
    if not receiver.complete or not (receiver.fits or telegram.check is Verdict.RIGHT):
        return None
    medium = obis.infer_medium(receiver.identification, receiver.datasets)
    found, homeless = registers(receiver.datasets, medium)
    return Reading(
        identification=receiver.identification,
        registers=found,
        received=received,
        health=Health(check=Verdict.RIGHT, check_kind=CheckKind.CRC16, mode=Mode.D),
        unparsed=(*receiver.unparsed, *homeless),
        raw=telegram.text,
    )


async def listen(
    line: Line,
    listener: PushReader,
    formats: Iterable[Format] = FORMATS,
    progress: ProgressCallback | None = None,
    *,
    window: float = WINDOW,
) -> AsyncGenerator[Reading]:
    """The readings of a meter that pushes, without end. A line whose speed is fixed is taken as it is.

    Raises PushKeyNeeded, PushKeyWrong and DlmsMalformed where telegrams come and cannot be read, SecurityBroken where
    all of them came before, PushUnframed or NoAnswer where none came in `window` seconds, and LineError.
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
            listener.format = one
            if progress is not None:
                progress(Progress(Stage.LISTENING, speed=one.speed))
            before = line.tally.characters
            found = False
            async for reading in _listen(line, listener, window):
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


async def _listen(line: Line, listener: PushReader, window: float) -> AsyncGenerator[Reading]:
    """Readings until no telegram came for `window` seconds, a minute once there was one."""
    deadline = line.now() + window
    latest = deadline + LONGEST_TELEGRAM
    telegrams = listener.telegrams
    while line.now() < deadline:
        octets = await line.read(min(deadline, line.now() + GIVEN_UP_AFTER))
        received = line.utcnow()
        if octets:
            readings = listener.feed(octets, line.now(), received)
            deadline = min(max(deadline, line.now() + GIVEN_UP_AFTER), latest)
        else:
            readings = listener.silence(received)
        for reading in readings:
            yield replace(reading, health=replace(reading.health, speed=line.speed))
        if listener.failure is not None:
            raise listener.failure
        if listener.telegrams > telegrams:
            telegrams = listener.telegrams
            deadline = line.now() + LIMIT
            latest = deadline + LONGEST_TELEGRAM


async def pushed(
    line: Line, profile: LineProfile, keyring: Keyring, progress: ProgressCallback | None = None
) -> AsyncGenerator[tuple[LineProfile, Reading]]:
    """What the meter of that profile pushes, as `listen`, each with the profile that led to it.

    A PushKeyError has the profile too: the meter was found.
    """
    reader = PushReader(keyring.push_keys, keyring.push_counters)
    formats, window = FORMATS, WINDOW
    if profile.listen_speed is not None:
        formats, window = (Format(profile.listen_speed, profile.even_parity),), LIMIT

    def found() -> LineProfile:
        speed, even_parity = reader.format
        return replace(profile, mode=Mode.D, listen_speed=speed, even_parity=even_parity)

    try:
        async with aclosing(listen(line, reader, formats, progress, window=window)) as readings:
            async for reading in readings:
                yield found(), reading
    except PushKeyError as err:
        err.found = found()
        raise
