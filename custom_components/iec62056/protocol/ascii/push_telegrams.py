"""Push telegrams out of a stream that starts anywhere, and the names of protocols that are not this one.

Here: a pure listener fed with runs of characters, bit 7 removed: mode D (Std 6.4.4), meters that push with "5"
at 9600 Bd, P1 with its CRC16, with the lines gateways add behind "!".
Never here: time, a line, which speed to listen at.
"""

from ..errors import OtherProtocol, PushHeard
from .receiver import Receiver

# SML begins with four escape characters and its version; HDLC with a flag and its format type, here without bit 7.
_SML = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01"
_HDLC_FLAG = 0x7E
_HDLC_FORMAT = 0x20
_WINDOW = 4096
_CONTROLS = bytes(range(0x20))


class Foreign:
    """Looks for the beginnings of other protocols in what a meter sends."""

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._heard = b""

    def feed(self, run: bytes) -> None:
        """Look at the next characters. Raises OtherProtocol or PushHeard once one is certain."""
        for start in range(0, len(run), _WINDOW):
            self._look(run[start : start + _WINDOW])

    def _look(self, run: bytes) -> None:
        self._heard = (self._heard + run)[-_WINDOW:]
        if _SML in self._heard:
            raise OtherProtocol(protocol="SML", integration="EDL21")
        if _hdlc(self._heard, len(self._heard) - len(run)):
            raise PushHeard


def _hdlc(heard: bytes, known: int) -> bool:
    """Whether an HDLC frame stands in the characters: a flag, format and length, and a flag where the length says.

    Bit 7 is gone, so the length is known but for bit 7 of its low octet, and its check cannot be made: instead, one
    octet in eight must be no printable character, as in anything but text. A frame that ends among the first `known`
    characters was looked at before.
    """
    at = heard.find(_HDLC_FLAG)
    while 0 <= at < len(heard) - 2:
        if heard[at + 1] & 0x78 == _HDLC_FORMAT:
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
        """The telegrams that end in this run. Raises OtherProtocol, PushHeard.

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
