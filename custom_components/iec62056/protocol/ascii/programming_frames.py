"""One answer of programming mode, understood as it arrives: ACK, NAK, a data message, a command of the meter."""

from dataclasses import dataclass
from enum import StrEnum, auto
import re

from ..model import CheckKind
from ..transport.trace import CLEAR_BIT_7
from . import messages

# A block of a load profile; longer ones come in parts.
MAX_FRAME = 64 * 1024

_START = re.compile(rb"[\x01\x02\x06\x15]")
_END = re.compile(rb"[\x03\x04]")
_OPERAND = re.compile(r"\(([^()]*)\)")


class Kind(StrEnum):
    """What the meter may answer."""

    ACK = auto()
    NAK = auto()
    DATA = auto()
    OPERAND = auto()
    BREAK = auto()
    DAMAGED = auto()
    SILENCE = auto()


@dataclass(frozen=True, slots=True)
class Frame:
    """One answer: the block of a data message or the operand of P0, whether more blocks follow, which checks fit."""

    kind: Kind
    block: bytes = b""
    more: bool = False
    fits: frozenset[CheckKind] = frozenset()


SILENCE = Frame(Kind.SILENCE)
DAMAGED = Frame(Kind.DAMAGED)
_OWN = Frame(Kind.DAMAGED)


class FrameReceiver:
    """Feed it runs until `frame` is there; noise before the first control character is passed over."""

    def __init__(self) -> None:
        """Begin before the first character."""
        self.frame: Frame | None = None
        self.heard = False
        self.echoes = 0
        self._raw = bytearray()
        self._searched = 1

    @property
    def begun(self) -> bool:
        """Whether more than noise came: the beginning of an answer."""
        return bool(self._raw)

    def feed(self, run: bytes) -> None:
        """Take the next octets; those behind the answer are dropped.

        Another command than the meter's is our own, that came back too damaged for the line to know it: the answer is
        behind it. `echoes` counts them.
        """
        self.heard = self.heard or bool(run)
        run = run.translate(CLEAR_BIT_7)
        while run and self.frame is None:
            if not self._raw:
                start = _START.search(run)
                if start is None:
                    return
                run = run[start.start() :]
            self._raw += run[: MAX_FRAME + 1 - len(self._raw)]
            run = b""
            self.frame = self._understood()
            if self.frame is _OWN:
                end = self._searched + 2
                run = bytes(self._raw[end:])
                self._raw.clear()
                self.frame, self._searched = None, 1
                self.echoes += 1

    def end(self) -> Frame:
        """Nothing more will come."""
        if self.frame is not None:
            return self.frame
        return DAMAGED if self.heard else SILENCE

    def _understood(self) -> Frame | None:
        raw = self._raw
        if raw[0] == messages.ACK[0]:
            return Frame(Kind.ACK)
        if raw[0] == messages.NAK[0]:
            return Frame(Kind.NAK)
        end = _END.search(raw, self._searched)
        self._searched = len(raw) if end is None else end.start()
        if end is None or len(raw) <= end.end():
            return DAMAGED if len(raw) > MAX_FRAME else None
        covered, check = bytes(raw[1 : end.end()]), bytes(raw[end.end() : end.end() + 1])
        block, more = covered[:-1], covered[-1:] == messages.EOT
        fits = messages.judge(covered, check)
        if raw[0] == messages.STX[0]:
            return Frame(Kind.DATA, block, more, fits)
        if block[:2] in (b"B0", b"B1"):
            return Frame(Kind.BREAK, fits=fits)
        if block[:2] == b"P0":
            return Frame(Kind.OPERAND, block[2:].removeprefix(messages.STX), fits=fits)
        return _OWN


def operand(block: bytes) -> str:
    """The operand in the data set of P0: the text between its brackets, empty where there is none."""
    found = _OPERAND.search(block.decode("latin-1"))
    return "" if found is None else found[1]
