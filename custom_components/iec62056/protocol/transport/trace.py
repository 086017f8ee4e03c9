"""What went over a line: counters of its characters, and a bounded record of every run of bytes."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from ..model import ParitySeen

# A whole readout with its history fits; a load profile of months keeps its end.
TRACE_LIMIT = 256 * 1024
# Every run costs more than its bytes: noise must not become a million runs of one byte.
RUN_LIMIT = 4096
# Shorter than any pause of the protocol but the 20 ms reaction, longer than two characters at 300 Bd.
RUN_GAP = 0.1

# For `bytes.translate`: characters without their parity bit.
CLEAR_BIT_7 = bytes(value & 0x7F for value in range(256))

# What stands in a record for each character that is a secret, or may be one; with even parity.
_HIDDEN = 0xAA
# These frame a message, and tell nothing of what is in it. After the last two comes the check, which does.
_FRAMING = b"\x01\x02\x03\x04\x06\x15"
_SOH, _STX, _ENDS = b"\x01", b"\x02", b"\x03\x04"

# Characters that must carry the parity bit, before its absence is more than chance.
_ENOUGH = 4

_ODD_ONES = bytes(value for value in range(256) if value.bit_count() % 2)
_BIT_7 = bytes(range(128, 256))
# Bit 7 is set by even parity exactly on these.
_MUST = bytes(value for value in range(256) if (value & 0x7F).bit_count() % 2)


def _among(data: bytes | bytearray, these: bytes) -> int:
    """How many bytes of `data` are among `these`."""
    return len(data) - len(data.translate(None, these))


@dataclass(slots=True)
class LineStats:
    """Running counters of one open line. Only the meter's characters count, our own echo apart.

    `characters` received; `bit_7`, those with bit 7 set; `odd`, those with an odd number of ones in all eight bits;
    `must`, those on which even parity sets bit 7; `echoed`, our own that came back; `late_switches`, changes of speed
    that took effect later than a fast meter answers; `overrun`, characters nobody read before the buffer was full.
    """

    characters: int = 0
    bit_7: int = 0
    odd: int = 0
    must: int = 0
    echoed: int = 0
    late_switches: int = 0
    overrun: int = 0

    def count(self, data: bytes) -> None:
        """Count a run of the meter's characters as they came, parity bit included."""
        self.characters += len(data)
        self.bit_7 += _among(data, _BIT_7)
        self.odd += _among(data, _ODD_ONES)
        self.must += _among(data, _MUST)

    @property
    def parity(self) -> ParitySeen:
        """What bit 7 carried: one character in twenty, and one in four, may be noise without changing the answer."""
        if self.must < _ENOUGH:
            return ParitySeen.UNKNOWN
        if self.bit_7 * 20 <= self.must:
            return ParitySeen.STRIPPED
        return ParitySeen.EVEN if self.odd * 4 <= self.characters else ParitySeen.OTHER

    @property
    def wrong(self) -> int:
        """Characters that are damaged for certain; none can be told where bit 7 was stripped."""
        return 0 if self.bit_7 * 20 <= self.must else self.odd

    def copy(self) -> Self:
        """The counters as they stand now."""
        return type(self)(*self._counts())

    def since(self, start: Self) -> Self:
        """What was counted after `start`, an earlier copy: the share of one reading."""
        return type(self)(
            *(now - then for now, then in zip(self._counts(), start._counts(), strict=True))
        )

    def _counts(self) -> tuple[int, ...]:
        return (
            self.characters,
            self.bit_7,
            self.odd,
            self.must,
            self.echoed,
            self.late_switches,
            self.overrun,
        )


class Direction(StrEnum):
    """Who sent a run."""

    SENT = "sent"
    RECEIVED = "received"


@dataclass(slots=True)
class Run:
    """Bytes without a pause between them: `time` of the first, `last` of the latest (monotonic s), `speed` in baud."""

    direction: Direction
    time: float
    last: float
    speed: int
    data: bytearray

    @property
    def bits(self) -> str:
        """How bit 7 stands in this run: "even" parity, always "clear", or "raw" where it is neither."""
        odd = _among(self.data, _ODD_ONES)
        if odd and not _among(self.data, _BIT_7):
            return "clear"
        return "even" if odd * 4 <= len(self.data) else "raw"

    @property
    def text(self) -> str:
        r"""The run in printable characters, control characters as \xNN: with `bits`, nothing is lost.

        Where parity is even, bit 7 is left out, and \u01NN is a byte NN whose parity was wrong.
        """
        codes = list(self.data)
        if self.bits == "even":
            codes = [0x100 | code if code.bit_count() % 2 else code & 0x7F for code in codes]
        return "".join(map(chr, codes)).encode("unicode_escape").decode("ascii")


class Trace:
    """Every run of bytes of a line, the latest TRACE_LIMIT bytes of them."""

    def __init__(self) -> None:
        self._runs: deque[Run] = deque()
        self._size = 0
        self._framing = b""
        self._secret = False
        self._last = 0
        self.dropped = 0

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs kept, in order of time."""
        return tuple(self._runs)

    def add(
        self, direction: Direction, time: float, speed: int, data: bytes, *, secret: bool = False
    ) -> None:
        """Record bytes as they were on the wire; they join the run before where no pause lies between.

        Of a secret message only its framing and its command are recorded, and only the framing of what comes before
        the next message is sent: it may be an echo.
        """
        data = self._recorded(direction, data, secret=secret)
        last = self._runs[-1] if self._runs else None
        if (
            last is not None
            and (last.direction, last.speed) == (direction, speed)
            and time - last.last <= RUN_GAP
        ):
            last.data += data
            last.last = time
        else:
            self._runs.append(Run(direction, time, time, speed, bytearray(data)))
        self._size += len(data)
        self._forget()

    def _recorded(self, direction: Direction, data: bytes, *, secret: bool) -> bytes:
        """The bytes, hidden where they must not be known."""
        command = 0
        if direction is Direction.SENT:
            self._secret, self._last = secret, 0
            text = data.translate(CLEAR_BIT_7)
            # A message of another form may have any byte anywhere.
            self._framing = _FRAMING if text.startswith(_SOH) else b""
            command = text.find(_STX) + 1 if self._framing else 0
        if not self._secret:
            return data
        recorded = bytearray(data[:command])
        for code in data[command:]:
            plain = code & 0x7F
            shown = plain in self._framing and self._last not in _ENDS
            recorded.append(code if shown else _HIDDEN)
            self._last = plain
        return bytes(recorded)

    def _forget(self) -> None:
        """Drop the oldest bytes beyond the limit."""
        while self._size > TRACE_LIMIT or len(self._runs) > RUN_LIMIT:
            oldest = self._runs[0]
            surplus = max(self._size - TRACE_LIMIT, 0)
            if len(oldest.data) <= surplus or len(self._runs) > RUN_LIMIT:
                surplus = len(oldest.data)
                self._runs.popleft()
            else:
                del oldest.data[:surplus]
            self._size -= surplus
            self.dropped += surplus

    def as_text(self) -> str:
        """One line per run: seconds since the first, speed, direction, number of bytes, bit 7, characters."""
        lines = [f"... {self.dropped} bytes before this were dropped"] if self.dropped else []
        lines += [
            f"{run.time - self._runs[0].time:9.3f} s {run.speed:6} Bd {run.direction:<8} {len(run.data):6} {run.bits:<5} {run.text}"
            for run in self._runs
        ]
        return "".join(f"{line}\n" for line in lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON: the same facts as `as_text`."""
        return {
            "dropped": self.dropped,
            "runs": [
                {
                    "time": round(run.time - self._runs[0].time, 4),
                    "direction": run.direction.value,
                    "speed": run.speed,
                    "bits": run.bits,
                    "text": run.text,
                }
                for run in self._runs
            ],
        }
