"""Push telegrams out of a stream that starts anywhere, and the names of protocols that are not this one."""

from binascii import crc_hqx

from ..errors import InvertedSignal, OtherProtocol, PushHeard
from ..transport.trace import CLEAR_BIT_7
from .receiver import Receiver

# SML begins with four escape characters and its version; HDLC with a flag and its format type.
_SML = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01"
_HDLC_FLAG = 0x7E
_HDLC_FORMAT = 0xA0
# What the check of a whole frame leaves (ISO/IEC 13239), for octets whose first bit comes first.
_HDLC_RESIDUE = 0x1D0F
_FIRST_BIT_FIRST = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
# With high and low exchanged, the start bit of one character is read between the stop bit before it and its own data: text
# without a parity bit becomes these. Where the line rests between characters, short pulses are left of them.
_TEXT_INVERTED = bytes(1 | (~code & 0x7F) << 1 for code in (*b"\r\n", *range(0x20, 0x7F)))
_PULSES = bytes(octet for octet in range(0xFF) if octet & 0xC1 == 0xC1)
_INVERTED_PERCENT = 90
_PULSES_PERCENT = 60
# Fewer octets, or less different ones, may be anything.
_ENOUGH = 128
_VARIETY = 8
_WINDOW = 4096
_CONTROLS = bytes(range(0x20))


class Foreign:
    """Looks for the beginnings of other protocols in what a meter sends."""

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._heard = b""

    def feed(self, run: bytes) -> None:
        """Look at the next octets. Raises OtherProtocol, PushHeard or InvertedSignal once one is certain."""
        for start in range(0, len(run), _WINDOW):
            self._look(run[start : start + _WINDOW])

    def _look(self, run: bytes) -> None:
        self._heard = (self._heard + run)[-_WINDOW:]
        if _SML in self._heard.translate(CLEAR_BIT_7):
            raise OtherProtocol(protocol="SML", integration="EDL21")
        known = len(self._heard) - len(run)
        if (_hdlc_of_seven if self._heard.isascii() else _hdlc)(self._heard, known):
            raise PushHeard
        if _inverted(self._heard):
            raise InvertedSignal


def _inverted(heard: bytes) -> bool:
    """Whether the octets are what an inverted signal makes of text."""
    if len(heard) < _ENOUGH or len(set(heard)) < _VARIETY:
        return False
    text, pulses = (
        100 * (len(heard) - len(heard.translate(None, these)))
        for these in (_TEXT_INVERTED, _PULSES)
    )
    return text >= _INVERTED_PERCENT * len(heard) or pulses >= _PULSES_PERCENT * len(heard)


def _hdlc(heard: bytes, known: int) -> bool:
    """Whether an HDLC frame stands in the octets: a flag, format and length, a flag where the length says, its check.

    Characters of another speed have anything but a right check. A frame that ends among the first `known` octets was
    looked at before.
    """
    at = heard.find(_HDLC_FLAG)
    while 0 <= at < len(heard) - 2:
        end = at + 1 + ((heard[at + 1] & 0x07) << 8 | heard[at + 2])
        framed = known <= end < len(heard) and heard[end] == _HDLC_FLAG
        if framed and heard[at + 1] & 0xF8 == _HDLC_FORMAT:
            frame = heard[at + 1 : end].translate(_FIRST_BIT_FIRST)
            if crc_hqx(frame, 0xFFFF) == _HDLC_RESIDUE:
                return True
        at = heard.find(_HDLC_FLAG, at + 1)
    return False


def _hdlc_of_seven(heard: bytes, known: int) -> bool:
    """The same where bit 7 is gone: the length is known but for bit 7 of its low octet, and the check cannot be made.

    Instead, one octet in eight must be no printable character, as in anything but text.
    """
    at = heard.find(_HDLC_FLAG)
    while 0 <= at < len(heard) - 2:
        if heard[at + 1] & 0x78 == _HDLC_FORMAT & 0x7F:
            length = (heard[at + 1] & 0x07) << 8 | heard[at + 2]
            for possible in (length, length | 0x80):
                end = at + 1 + possible
                if possible > 8 and known <= end < len(heard) and heard[end] == _HDLC_FLAG:
                    text = heard[at + 1 : end].translate(None, _CONTROLS)
                    if (possible - len(text)) * 8 >= possible:
                        return True
        at = heard.find(_HDLC_FLAG, at + 1)
    return False


class Listener:
    """Feed it runs of a stream; it gives the telegrams that came whole."""

    def __init__(self) -> None:
        """Begin anywhere in the stream."""
        self._foreign = Foreign()
        self._receiver = Receiver()
        self.broken = 0

    @property
    def receiver(self) -> Receiver:
        """The telegram being received."""
        return self._receiver

    def feed(self, run: bytes) -> list[Receiver]:
        """The telegrams that end in this run. Raises OtherProtocol, PushHeard, InvertedSignal.

        A telegram without identification, or whose check fits no known kind, counts as broken.
        """
        whole: list[Receiver] = []
        if self._receiver.identification is None:
            # Once: what is left of a run behind a telegram is still the same run.
            self._foreign.feed(run)
        while run:
            rest = self._receiver.feed(run)
            if self._receiver.complete or self._receiver.closed:
                # Telegrams that lost their end before the next one began.
                self.broken += self._receiver.restarts
                if self._receiver.identification is not None and self._receiver.named:
                    whole.append(self._receiver)
                else:
                    self.broken += 1
                self._receiver = Receiver()
            run = rest
        return whole
