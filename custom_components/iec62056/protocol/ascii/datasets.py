"""The grammar of data sets (Std 6.6), and what meters really send: text → addresses, values, units.

A line holds data sets, a data set an address and one or more brackets. Brackets at the beginning of a line continue
the set before it (a row of a load profile, the gas value of DSMR 2.2): they are kept as a data set of their own with
no address, and the reading attaches them. What stands in a line and is no data set is kept as `unparsed`.
"""

from dataclasses import dataclass, field
from itertools import zip_longest
import re

from .. import obis
from ..model import DataSet, Value
from ..values import UNIT_ENDS, split_unit

# Lines of real meters: 400 characters (2WR5), 2100 (a text message of P1).
MAX_LINE = 8192
# Eighteen minutes at 9600 Bd. Longer load profiles are asked for in parts.
MAX_BLOCK = 1 << 20
# So much of a line may wait to be understood: all of a long one at its end would hold whatever else runs.
MAX_WAITING = 512
MAX_UNPARSED = 64
MAX_UNPARSED_LENGTH = 128

# Control characters and bit-7 characters stand nowhere in an address; Std 6.6 has 16 characters for address and unit.
_ADDRESS = r"[^\x00-\x20()!\x7f-\xff]{1,32}+"
_TEXT = r"[^\x00-\x1f()*\x7f-\xff]{0,4096}+"
_SECOND = r"\([0-9.,:&; -]{0,64}+"
_UNIT = r"[A-Za-z%][^\x00-\x20()*&\x7f-\xff]{0,15}+"


def _one_set(address: str, text: str, unit: str, second: str) -> str:
    """A line with one clean data set, of one value or a maximum and its time: the bulk of every telegram.

    Every repetition is possessive and ends where the next cannot begin, so the time is linear whatever comes.
    """
    value = rf"\({text}(?:\*(?:{unit})?+)?+\)"
    return rf"[ \t]{{0,64}}+{address}{value}(?:{second}\))?+[ \t]{{0,64}}+[\r\n]++"


_RUN = re.compile(f"(?:{_one_set(_ADDRESS, _TEXT, _UNIT, _SECOND)})++").match
_RUN_SETS = re.compile(
    _one_set(f"({_ADDRESS})", f"({_TEXT})", f"({_UNIT})", f"({_SECOND})")
).findall
# Rows of a load profile: nothing but numbers without units. Like the above they stay within MAX_LINE.
_ROWS = re.compile(r"(?:(?:\([0-9.:;+-]{0,32}+\)){1,200}+[\r\n]++)++").match

_LINE_END = re.compile(r"[\r\n]++")
_BRACKET = re.compile(r"\(([^()]*+)\)")
_WORDS = re.compile(r"[\x00-\x20()\x7f-\xff]").split
_IS_ADDRESS = re.compile(_ADDRESS).fullmatch
_IS_UNIT = re.compile(r"(?=[^*&]*?[A-Za-z%°])[^*&]{1,16}").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]").search
_CUT = re.compile(r"[0-9A-Za-z.,:*&-][\x00-\x08\x0e-\x1f\x7f]+\Z").search
_SEVERAL = re.compile(r"[^*&]*+\*[^*&]++(?:&[^*&]*+\*[^*&]++)++").fullmatch
# Memory that was never written, sent as a value, with bit 7 and without.
_UNWRITTEN = "\x00\x7f\xff"
_BLANK = "".join(map(chr, (*range(0x21), 0x7F)))


def parse(block: bytes) -> tuple[list[DataSet], list[str]]:
    """The data sets of a whole block, and what was none."""
    parser = Parser()
    parser.feed(block)
    parser.finish()
    return parser.datasets, parser.unparsed


class Parser:
    """The data sets of one block, as its characters arrive; any division into runs gives the same result.

    It never raises and costs linear time. `datasets` and `unparsed` grow with each line; `ended` becomes true at the
    `!` that ends the block, after which nothing is taken.
    """

    def __init__(self) -> None:
        """Begin before the first character."""
        self.datasets: list[DataSet] = []
        self.unparsed: list[str] = []
        self.ended = False
        self._room = MAX_BLOCK
        self._held: list[str] = []
        self._held_length = 0
        self._looked_at = 0
        self._begun = _Line()
        self._skipping = False

    def feed(self, text: bytes) -> None:
        """Take the next characters; those after the last line end wait for theirs."""
        if self.ended:
            return
        # Latin-1 gives every byte a character, so that damage stays where it is.
        run = text[: self._room].decode("latin-1")
        self._room -= len(run)
        if self._skipping:
            line_end = _LINE_END.search(run)
            if line_end is None:
                return
            run = run[line_end.end() :]
            self._skipping = False
        stop = max(run.rfind("\n"), run.rfind("\r")) + 1
        if stop:
            self._lines("".join((*self._held, run[:stop])))
            self._hold_nothing()
        self._hold(run[stop:])
        if not self._room:
            self.finish()

    def finish(self) -> None:
        """Take what waits: the last line needs no end (Std 6.5.1)."""
        if not self.ended:
            self._line("".join(self._held))
        self._hold_nothing()
        self.ended = True

    def _hold(self, rest: str) -> None:
        if self.ended:
            return
        self._held.append(rest)
        self._held_length += len(rest)
        if self._held_length > MAX_LINE:
            self._line("".join(self._held))
            self._hold_nothing()
            self._skipping = True
        elif self._held_length - self._looked_at > MAX_WAITING:
            self._looked_at = self._held_length
            self._begun.read("".join(self._held))

    def _hold_nothing(self) -> None:
        self._held.clear()
        self._held_length = self._looked_at = 0

    def _lines(self, text: str) -> None:
        """Whole lines: clean ones by the run, any other with care."""
        at = 0
        while at < len(text) and not self.ended:
            clean = not self._begun.at
            if clean and (run := _RUN(text, at)):
                self.datasets.extend(map(_read_set, _RUN_SETS(text, at, run.end())))
                at = run.end()
            elif clean and (rows := _ROWS(text, at)):
                self.datasets.extend(map(_read_row, text[at : rows.end()].split()))
                at = rows.end()
            elif line_end := _LINE_END.search(text, at):
                self._line(text[at : line_end.start()])
                at = line_end.end()

    def _line(self, line: str) -> None:
        """One line with its ends removed."""
        if len(line) > MAX_LINE:
            self._keep(line)
            line = line[:MAX_LINE]
        reader, self._begun = self._begun, _Line()
        sets, left, self.ended = reader.finish(line)
        self.datasets += sets
        if left:
            self._keep(left)

    def _keep(self, unparsed: str) -> None:
        if len(self.unparsed) < MAX_UNPARSED:
            self.unparsed.append(unparsed[:MAX_UNPARSED_LENGTH])


def _read_set(found: tuple[str, str, str, str]) -> DataSet:
    """A data set from the groups of `_one_set`."""
    address, text, unit, second = found
    if unit:
        value = Value(text, unit)
    else:
        value = Value(*split_unit(text)) if text[-1:] in UNIT_ENDS else Value(text)
    return DataSet(address, (value, Value(second[1:])) if second else (value,))


def _read_row(row: str) -> DataSet:
    return DataSet(None, tuple(map(Value, row[1:-1].split(")("))))


@dataclass(slots=True)
class _Set:
    """A data set in its making, and where it stands in its line."""

    address: str | None
    start: int
    end: int = 0
    values: list[Value] = field(default_factory=list)


class _Line:
    """Any line, bracket by bracket; each call is given all that came of it so far.

    `at` is where the last bracket ended that was read.
    """

    def __init__(self) -> None:
        self.at = 0
        self._sets: list[_Set] = []
        # Where the next bracket belongs: nowhere after a name that could not be understood.
        self._current: _Set | None = _Set(None, 0)
        self._end: int | None = None

    def finish(self, line: str) -> tuple[list[DataSet], str, bool]:
        """The data sets of the whole line, what else stands in it, and whether the block ends with it."""
        if "(" not in line and line.lstrip(_BLANK).startswith("/"):
            # An identification, or the echo of a request, whose "!" ends nothing.
            return [], line.strip(_BLANK), False
        self.read(line, whole=True)
        sets = [DataSet(found.address, tuple(found.values)) for found in self._sets]
        return sets, _left(line[: self._end], self._sets), self._end is not None

    def read(self, line: str, *, whole: bool = False) -> None:
        """Understand the brackets that came since, and in a `whole` line what stands behind them."""
        # Text before a bracket and text in it, in turn; behind the last bracket there is only the former.
        pieces = [] if self._end is not None else _BRACKET.split(line[self.at :])
        if not whole:
            del pieces[-1:]
        sets = self._sets
        for before, text in zip_longest(pieces[::2], pieces[1::2]):
            lead, mark, _ = before.partition("!")
            # Pafal repeats each value, and the "!" between the two: a bare "!" between two brackets ends nothing.
            if mark and not (before == "!" and text is not None and sets):
                self._end = self.at + len(lead)
            if ")" in lead and sets:
                # A damaged character closed the bracket before it was complete.
                sets.pop()
            if self._end is not None or text is None:
                break
            if lead.strip(_BLANK):
                self._current = _begin(lead, self.at)
            self.at += len(before) + len(text) + 2
            self._add(text)

    def _add(self, text: str) -> None:
        """A bracket of the set that was begun."""
        current = self._current
        if current is None:
            return
        if not (values := _read_values(text)):
            if current.values:
                self._sets.pop()
            self._current = None
            return
        if not current.values:
            self._sets.append(current)
        current.values += values
        current.end = self.at


def _begin(lead: str, at: int) -> _Set | None:
    """The data set whose address stands at the end of `lead`; behind noise only an OBIS code is taken for one."""
    lead = lead.rstrip(_BLANK)
    address = _WORDS(lead)[-1]
    start = len(lead) - len(address)
    noise = lead[:start]
    if not _IS_ADDRESS(address) or (noise.strip(_BLANK) and obis.parse(address) is None):
        return None
    if _CUT(noise):
        # A NUL within 21.7.0 would make 1.7.0 of it, and no check of XOR or SUM sees a NUL.
        return None
    return _Set(address, at + start)


def _left(line: str, sets: list[_Set]) -> str:
    """What stands between the data sets of a line."""
    stops = [found.start for found in sets] + [len(line)]
    starts = [0] + [found.end for found in sets]
    between = (line[start:stop].strip(_BLANK) for start, stop in zip(starts, stops, strict=True))
    return " ".join(filter(None, between))


def _read_values(text: str) -> list[Value]:
    """The values of one bracket: as a rule one, two in `098.5*C&096.1*C` (UH50), none where it holds no text."""
    if not text.strip(_UNWRITTEN):
        return [Value("")]
    if _CONTROL(text):
        return []
    if "*" not in text:
        return [Value(*split_unit(text))]
    return [_read_value(part) for part in (text.split("&") if _SEVERAL(text) else (text,))]


def _read_value(text: str) -> Value:
    number, _, unit = text.rpartition("*")
    unit = unit.strip(_BLANK)
    if _IS_UNIT(unit):
        return Value(number, unit)
    # ACE3000 sends the asterisk and no unit; any other asterisk masks a number.
    return Value(text) if unit or "*" in number else Value(*split_unit(number))
