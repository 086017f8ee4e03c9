"""Receiver of what one meter sends, in any pieces: identification, then data with or without a frame.

It knows no mode: a readout and a push telegram look alike.
"""

from enum import Enum, auto
import re

from ..model import CheckKind, DataSet, Identification
from ..transport.trace import CLEAR_BIT_7, LineStats
from . import messages
from .datasets import Parser

# The longest readout met has 16 kB; load profiles come in blocks. More than this is no readout.
MAX_TELEGRAM = 512 * 1024
MAX_COMMAND = 256
_TAIL = 96
# What is looked through again where telegrams lose their ends, one after another.
_PIECE = 1024
_MAX_IDENTIFICATIONS = 4

_START = re.compile(rb"[/\x01\x02]")
_LINE_END = re.compile(rb"[\r\n]")
# Between an identification and its data: line ends, and the noise of a speed change.
_LEADING = re.compile(rb"[\x00\x03-\x20\x7f]*")
# The end of data without a frame: "!" behind a line end or a data set, perhaps with the CRC of a push telegram.
_MARK = re.compile(rb"[\r\n)][ \t]*!(?P<crc>[0-9A-Fa-f]{3,4})?[ \t]*[\r\n]")
_ETX_OR_STX = re.compile(rb"[\x02\x03]")
_END = re.compile(rb"!\s*\Z")
# An identification where data are expected: the end of those before it was lost.
_NEXT = re.compile(rb"[^ -~]/[A-Za-z]{3}[ \"-.0-~]{1,64}[\r\n]")
# Without parity, an octet above 7F is no character of the standard: a letter of a message, or erased memory (FF).
_SEVEN_BITS = bytes(range(128)) + b"?" * 127 + b"\x7f"


class _At(Enum):
    """Where in a telegram the next character belongs."""

    NOISE = auto()
    IDENTIFICATION = auto()
    BODY = auto()
    FRAME = auto()
    TEXT = auto()
    MARKED = auto()
    CHECK = auto()
    COMMAND = auto()


class Receiver:
    """One telegram: feed it runs until `closed`, or until `complete` and nothing follows.

    `identification` is given where it is known already, so that data are expected at once. Where programming mode was
    asked for, its first command ends the telegram, and is the `operand`.
    """

    def __init__(self, identification: Identification | None = None) -> None:
        """Begin before the first character."""
        self.identification = identification
        self.identifications: list[Identification] = []
        self.meter_break = False
        self.asked_for_programming = False
        self.operand = b""
        self.overflow = False
        self.restarts = 0
        self.framed = False
        self.complete = False
        self.closed = False
        self.no_parity = False
        self.received_check = b""
        self.raw = bytearray()
        # What came since the telegram began, as it came: its end is `raw` with all eight bits.
        self._octets = bytearray()
        self._parser = Parser()
        self._at = _At.NOISE if identification is None else _At.BODY
        self._tail = b"\n"
        self._named_to = 0
        self._block_from = 0
        self._block_to = 0
        self._bracket = False
        # Asked for again and again, it would cost as much as the whole rest.
        self._fits: frozenset[CheckKind] | None = None
        self._line = bytearray()

    @property
    def datasets(self) -> list[DataSet]:
        """The data sets so far."""
        return self._parser.datasets

    @property
    def named(self) -> bool:
        """Whether any data set names its register: values alone tell nothing."""
        return any(address is not None for address, _ in self.datasets)

    @property
    def unparsed(self) -> list[str]:
        """What stood among the data and could not be understood."""
        return self._parser.unparsed

    @property
    def idle(self) -> bool:
        """Whether nothing but noise came."""
        return self._at is _At.NOISE and self.identification is None

    @property
    def identifying(self) -> bool:
        """Whether an identification has begun and not ended."""
        return self._at is _At.IDENTIFICATION

    @property
    def started(self) -> bool:
        """Whether data have begun."""
        return self._at in (_At.FRAME, _At.TEXT, _At.MARKED, _At.CHECK) or self.closed

    @property
    def checking(self) -> bool:
        """Whether only the check character is missing."""
        return self._at is _At.CHECK and not self.closed

    @property
    def marked(self) -> bool:
        """Whether the data ended with "!" on its line, though perhaps without ETX and check."""
        return self.complete or _END.search(bytes(self.raw[-8:])) is not None

    @property
    def beheaded(self) -> bool:
        """Whether the data came without their STX, or behind noise that may have been their beginning."""
        between = bytes(self.raw[self._named_to : self._block_from - len(messages.STX)])
        return bool(self.datasets) and not (self.framed and _LEADING.fullmatch(between))

    @property
    def block(self) -> bytes:
        """The data without frame and end mark."""
        end = self._block_to if self.complete else len(self.raw)
        block = bytes(self.raw[self._block_from : end])
        return block.removesuffix(messages.ETX)

    @property
    def fits(self) -> frozenset[CheckKind]:
        """Which kinds of check fit."""
        if self._fits is not None:
            return self._fits
        check = self.received_check
        covered = self.raw[self._block_from : self._block_to]
        if len(check) > 1:
            # The CRC of a push telegram begins with the identification's slash, and is over all eight bits.
            whole = self._octets[-len(self.raw) :] if self.no_parity else self.raw
            covered = whole[: self._block_to]
        fits = messages.judge(bytes(covered), check)
        if self.closed:
            self._fits = fits
        return fits

    def wrong(self, heard: LineStats) -> int:
        """How many of the characters heard are damaged: none where all eight bits are the meter's own, and checked."""
        own = self.no_parity and CheckKind.CRC16 in self.fits
        return 0 if own else heard.wrong

    def feed(self, run: bytes) -> bytes:
        """Take the next octets; returns those behind the end of this telegram."""
        if self.closed:
            return run
        for start in range(0, len(run), _PIECE):
            octets, at = run[start : start + _PIECE], 0
            while at < len(octets):
                if self._at is _At.NOISE:
                    self._octets.clear()
                piece = octets.translate(_SEVEN_BITS if self.no_parity else CLEAR_BIT_7)
                before, at = at, self._take(piece, at)
                self._octets += octets[before:at]
                if self._at is _At.BODY and 0 < self._named_to == len(self.raw):
                    # Even parity sets bit 7 of the slash at least.
                    self.no_parity = self._octets[-self._named_to :].isascii()
                if len(self._octets) > MAX_TELEGRAM:
                    self.overflow = self.closed = True
                if self.closed:
                    return run[start + at :]
        return b""

    def end(self) -> None:
        """Nothing more will come: understand the last line too."""
        if not self.complete:
            self._parser.finish()

    def _take(self, run: bytes, at: int) -> int:
        """One step: returns the index of the first character not taken."""
        match self._at:
            case _At.NOISE:
                return self._seek(run, at)
            case _At.IDENTIFICATION:
                return self._identify(run, at)
            case _At.BODY:
                return self._begin(run, at)
            case _At.FRAME:
                return self._frame(run, at)
            case _At.TEXT:
                return self._text(run, at)
            case _At.COMMAND:
                return self._command(run, at)
            case _At.MARKED:
                return self._after_mark(run, at)
            case _At.CHECK:
                self.received_check = run[at : at + 1]
                self.closed = True
                self._keep(self.received_check)
                return at + 1

    def _keep(self, part: bytes) -> None:
        self.raw += part

    def _seek(self, run: bytes, at: int) -> int:
        found = _START.search(run, at)
        if found is None:
            return len(run)
        self._open(found[0])
        return found.end()

    def _open(self, first: bytes) -> None:
        """Enter what the first character announces."""
        if first == messages.STX:
            if self.identification is None:
                self.raw.clear()
            self._data(_At.FRAME)
        elif first == messages.SOH:
            self._at = _At.COMMAND
            self._line = bytearray(first)
        else:
            self._at = _At.IDENTIFICATION
            self._line = bytearray(first)

    def _data(self, kind: _At) -> None:
        """Data begin here."""
        self.framed = kind is _At.FRAME
        if self.framed:
            self._keep(messages.STX)
        self._at = kind
        self._block_from = len(self.raw)
        self._bracket = False
        self._tail = b"\n"
        self._parser = Parser()

    def _identify(self, run: bytes, at: int) -> int:
        # One more than may be: where it is given up must not depend on how the stream is cut.
        last = at + messages.MAX_IDENTIFICATION + 1 - len(self._line)
        end = _LINE_END.search(run, at, last)
        stop = min(len(run), last) if end is None else end.start()
        self._line += run[at:stop]
        if end is None:
            if len(self._line) > messages.MAX_IDENTIFICATION:
                self._discard_line()
            return stop
        self._identified(bytes(self._line), end[0])
        return end.end()

    def _discard_line(self) -> None:
        self._at = _At.NOISE if self.identification is None else _At.BODY

    def _identified(self, line: bytes, line_end: bytes) -> None:
        """A line that begins with a slash is whole."""
        identification = messages.identification(line)
        if identification is None:
            self._discard_line()
            return
        if (
            identification not in self.identifications
            and len(self.identifications) < _MAX_IDENTIFICATIONS
        ):
            self.identifications.append(identification)
        self.identification = identification
        # Data before it lost their end, and with it their check.
        self._parser = Parser()
        self.raw.clear()
        self._keep(line + line_end)
        self._named_to = len(self.raw)
        self._at = _At.BODY

    def _begin(self, run: bytes, at: int) -> int:
        found = _LEADING.match(run, at)
        start = at if found is None else found.end()
        self._keep(run[at:start])
        if start == len(run):
            return start
        first = run[start : start + 1]
        if _START.match(first):
            self._open(first)
            return start + 1
        self._data(_At.TEXT)
        return start

    def _next(self, part: bytes) -> re.Match[bytes] | None:
        """The next telegram's identification in a part, where this one lost its end."""
        seen = self._tail + part
        # Most runs have no slash: that is seen at once.
        return _NEXT.search(seen) if b"/" in seen else None

    def _restart(self, found: re.Match[bytes], at: int) -> int:
        """Begin again with the telegram that was found."""
        self.restarts += 1
        taken = at + max(0, found.end() - len(self._tail))
        self._identified(found[0][1:-1], found[0][-1:])
        return taken

    def _add(self, part: bytes) -> None:
        self._keep(part)
        self._parser.feed(part)
        self._bracket = self._bracket or b"(" in part
        self._tail = (self._tail + part)[-_TAIL:]

    def _finish(self, end: int) -> None:
        """The data are whole up to index `end` of what was kept."""
        self._parser.finish()
        self._block_to = end
        self.complete = True

    def _frame(self, run: bytes, at: int) -> int:
        end = run.find(messages.ETX, at)
        part = run[at:] if end < 0 else run[at:end]
        if (found := self._next(part)) is not None:
            return self._restart(found, at)
        self._add(part)
        if end < 0:
            return len(run)
        self._keep(messages.ETX)
        self._finish(len(self.raw))
        # A break where data are expected: the meter gave up (Std 6.3.10).
        self.meter_break = messages.is_break(bytes(self.raw[-4:]))
        self._at = _At.CHECK
        return end + 1

    def _text(self, run: bytes, at: int) -> int:
        stop = _ETX_OR_STX.search(run, at)
        part = run[at:] if stop is None else run[at : stop.start()]
        mark = _MARK.search(self._tail + part)
        found = self._next(part)
        if mark is not None and (found is None or mark.start() < found.start()):
            return self._mark(mark, part, at)
        if found is not None:
            return self._restart(found, at)
        self._add(part)
        if stop is None:
            return len(run)
        if stop[0] == messages.ETX:
            if not self._bracket:
                # No data came before it: the noise of a speed change that came too late.
                self._add(messages.ETX)
            else:
                self._keep(messages.ETX)
                self._finish(len(self.raw))
                self.meter_break = messages.is_break(bytes(self.raw[-4:]))
                self._at = _At.CHECK
        elif self.datasets:
            # A frame does not begin among data: noise.
            self._add(messages.STX)
        else:
            self._data(_At.FRAME)
        return stop.end()

    def _mark(self, mark: re.Match[bytes], part: bytes, at: int) -> int:
        """The "!" that ends data without a frame, and what it brings."""
        offset = len(self._tail)
        exclamation = mark[0].index(b"!") + mark.start() + 1
        taken = max(0, mark.end() - offset)
        end = len(self.raw) + exclamation - offset
        self._add(part[:taken])
        self._finish(end)
        self.received_check = mark["crc"] or b""
        self.closed = bool(self.received_check)
        self._at = _At.MARKED
        return at + taken

    def _after_mark(self, run: bytes, at: int) -> int:
        if run[at] in b"\r\n":
            self._keep(run[at : at + 1])
            return at + 1
        if run[at : at + 1] != messages.ETX:
            self.closed = True
            return at
        # ETX without STX: the frame's beginning was lost, so its check will say what that cost.
        self._keep(messages.ETX)
        self._block_to = len(self.raw)
        self._at = _At.CHECK
        return at + 1

    def _command(self, run: bytes, at: int) -> int:
        """A command or break, which the sender ends with ETX and a check character."""
        self._line += run[at : at + 1]
        line = self._line
        if len(line) == 3 and line[1:].decode("ascii", "replace") not in messages.COMMANDS:
            self._line = bytearray(messages.SOH)
            self._discard_line()
            self.feed(bytes(line[1:]))
        elif len(line) > MAX_COMMAND:
            self._discard_line()
        elif len(line) > 3 and line[-2:-1] in (messages.ETX, messages.EOT):
            self.meter_break = messages.is_break(bytes(line))
            if self.asked_for_programming and line.startswith(messages.SOH + b"P0"):
                # Nothing follows before it is answered.
                self.operand = bytes(line)
            self.closed = self.meter_break or bool(self.operand)
            self._discard_line()
        return at + 1
