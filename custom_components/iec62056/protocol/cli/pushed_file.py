"""A stored telegram becomes a reading: pushed DLMS, or text as the other modes send it."""

from dataclasses import replace
from datetime import datetime

from ..dlms.push.ciphering import PushKeys
from ..dlms.push.messages import Message, Receiver
from ..dlms.push.telegrams import understand
from ..dlms_errors import DlmsError
from ..errors import CheckWrong, Incomplete, NoTelegram
from ..model import Reading
from ..push import reading_of
from . import telegram_file
from .telegram_file import MAX_FILE, dumped

_WRAPPER = b"\x00\x01"
_WRAPPER_LENGTH = 8
_APDUS = (b"\x0f", b"\xdb", b"\xdc", b"\xdd")


def explain(data: bytes, name: str, received: datetime, keys: PushKeys | None = None) -> Reading:
    """The reading in what a file holds: pushed telegrams, as octets or as a dump of them, or text as other modes send it.

    `name` is for the error's sentence. Also an APDU alone is understood, which no check protects. Raises NoTelegram
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
        if telegram is not None and (reading := reading_of(telegram, received)) is not None:
            readings.append(reading)
    if readings:
        first = readings[0]
        health = replace(first.health, characters=len(octets))
        found = tuple(register for reading in readings for register in reading.registers)
        return replace(first, registers=found, health=health)
    if unreadable is not None:
        raise unreadable
    try:
        return telegram_file.explain(data, name, received)
    except NoTelegram:
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
