"""Programming mode of a simulated meter: access levels, a seal, a button, a lock-out (Std 6.3.14, 6.4.7, Annex D)."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from random import Random
import re
from typing import TYPE_CHECKING

from .log import Kind
from .manners import check_character
from .scenario import local_now
from .wire import DAMAGED, Listen, Send, even

if TYPE_CHECKING:
    from .meter import Meter

SOH, STX, ETX, EOT, ACK, NAK = 0x01, 0x02, 0x03, 0x04, 0x06, 0x15
CHARACTER_GAP = 1.5  # Std 6.4: the longest time between two characters of a message
FRAME_LIMIT = 512

_MESSAGE = re.compile(r"([PWREB])([0-9])(?:\x02(.*))?", re.DOTALL)
_DATA_SET = re.compile(r"([^()]*)((?:\([^()]*\))*)")


class Guard(IntEnum):
    """What opens a register: nothing, the password, the secret algorithm, the broken seal; or nothing at all."""

    OPEN = 0
    PASSWORD = 1
    SECRET = 2
    SEAL = 3
    NEVER = 4


@dataclass(slots=True)
class Cell:
    """One register beyond the readout: its brackets as sent, who may read and who may write it.

    What begins without a bracket is a block of its own: a log, a table.
    """

    brackets: str
    read: Guard = Guard.OPEN
    write: Guard = Guard.NEVER


def guarded() -> dict[str, Cell]:
    """What a household meter may hold beyond its readout, one register for each access level."""
    return {
        "C.1.9": Cell("(Metering point 1)", Guard.OPEN, Guard.PASSWORD),
        "0.4.2": Cell("(050*A)", Guard.PASSWORD, Guard.PASSWORD),
        "0.2.1": Cell("(PARAM-07)", Guard.SECRET, Guard.SECRET),
        "0.4.9": Cell("(1.0250)", Guard.OPEN, Guard.SEAL),
    }


def crc32(operand: str, secret: str) -> str:
    """The CRC-32 of a secret, bit by bit, that begins with the operand in place of all ones."""
    register = int(operand, 16)
    for octet in secret.encode("ascii"):
        register ^= octet
        for _ in range(8):
            register = (register >> 1) ^ (0xEDB88320 * (register & 1))
    return f"{register ^ 0xFFFFFFFF:08X}"


ERRORS = {
    "command": "ERROR01",
    "register": "ERR2",
    "value": "ERROR06",
    "access": "ERROR14",
    "seal": "ERROR15",
    "button": "ERROR13",
    "locked": "ERR5",
    "empty": "ERROR",
    "lock": "#0017",
}


@dataclass(slots=True)
class Programming:
    """What programming mode is like. Times in seconds.

    `records` answer for a range of time, as `LoadProfile.answer`. `operand` is what P0 carries, None a new random
    number each time. `reads`, `writes`: the commands it knows. `bare`: reads carry no brackets. `named`: whether answers
    begin with the address. `together`: how many registers one R1 may name, each in a row; the rows of the answer carry
    no address. `part`: characters in a block of R3, R4 and R6. `signed`: a write carries the password in a second
    bracket. `locks`: registers that take a code in place of P1; `renamed`: how answers call registers. `reset` is the code of the demand reset, which the seal or the button guards. `at_first_speed`:
    whether "stay" leads here too, or to the readout. Faults: `naks` to come, addresses it is `deaf_to`, one it
    `breaks_at` (with a command before it, at that one alone).
    """

    cells: dict[str, Cell] = field(default_factory=dict)
    records: dict[str, Callable[[str], str]] = field(default_factory=dict)
    password: str = "00000000"  # noqa: S105
    secret: str = ""
    algorithm: Callable[[str, str], str] = crc32
    operand: str | None = None
    reads: frozenset[str] = frozenset(("R1", "R5", "R6"))
    writes: frozenset[str] = frozenset(("W1",))
    bare: bool = False
    named: bool = True
    together: int = 1
    part: int = 64
    signed: bool = False
    locks: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    reset: str = "0.1.0"
    at_first_speed: bool = False
    idle: float = 60.0
    most_wrong: int = 3
    locked_for: float = 60.0
    echoes_break: bool = False
    deaf_to: frozenset[str] = frozenset()
    naks: int = 0
    breaks_at: str = ""
    errors: dict[str, str] = field(default_factory=lambda: dict(ERRORS))
    clock: Callable[[], datetime] = local_now
    seed: int = 1
    sealed: bool = True
    button: bool = False
    resets: int = 0
    wrong: int = 0
    locked_until: float = 0.0
    events: list[str] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def open_cover(self) -> None:
        """Break the seal: the meter notes it in its log, and keeps it there."""
        self.sealed = False
        self.events.append(f"P.98(0{self.clock():%y%m%d%H%M%S})(0010)()(0)")


class Session:
    """One session in programming mode, at one speed."""

    def __init__(self, meter: Meter, mode: Programming, speed: int) -> None:
        self._meter = meter
        self._mode = mode
        self._speed = speed
        self._level = Guard.OPEN
        self._asked = ""

    def run(self, at: float) -> Generator[Listen | Send, int | None]:
        """From P0 to the break or the end of the meter's patience; `at` is when P0 may begin."""
        mode, meter = self._mode, self._meter
        self._asked = (
            f"{mode.random.randrange(1 << 32):08X}" if mode.operand is None else mode.operand
        )
        answer = self._framed(SOH, f"P0\x02({self._asked})")
        meter.note(Kind.OPERAND, self._asked)
        yield from self._say(answer, at)
        while True:
            message = yield from self._message()
            if message is None:
                meter.note(Kind.TIMED_OUT)
                return
            if message == chr(NAK):
                yield from self._say(answer)
                continue
            if message == "" or mode.naks:
                mode.naks = max(0, mode.naks - 1)
                answer = bytes((NAK,))
                yield from self._say(answer)
                continue
            if message[:2] in ("B0", "B1"):
                meter.note(Kind.BREAK)
                if mode.echoes_break:
                    yield from self._say(self._framed(SOH, message[:2]))
                return
            name = message[3:].partition("(")[0]
            meter.note(Kind.COMMAND, ascii(message)[1:-1])
            if name and name in mode.deaf_to:
                continue
            if mode.breaks_at and mode.breaks_at in (name, f"{message[:2]} {name}"):
                yield from self._say(self._framed(SOH, "B0"))
                return
            parts = self._answer(message)
            for place, part in enumerate(parts):
                answer = part
                yield from self._say(answer)
                if place + 1 < len(parts):
                    heard = yield from self._message()
                    while heard == chr(NAK):
                        yield from self._say(answer)
                        heard = yield from self._message()
                    if heard != chr(ACK):
                        break
            if parts and parts[-1][1:3] == b"B0":
                return

    def _message(self) -> Generator[Listen | Send, int | None, str | None]:
        """The client's next message without SOH and check; "" where it came damaged, None where none came."""
        until = self._meter.now + self._mode.idle
        heard = bytearray()
        damaged = False
        while True:
            character = yield Listen(self._speed, until)
            if character is None:
                return "" if heard else None
            if not heard and character in (ACK, NAK):
                return chr(character)
            if not heard and character != SOH:
                continue
            damaged = damaged or character == DAMAGED
            heard.append(character if character != DAMAGED else 0x7F)
            until = self._meter.now + CHARACTER_GAP
            if len(heard) > 2 and heard[-2] in (ETX, EOT):
                right = check_character(self._meter.manners.check, bytes(heard[1:-1]))
                good = not damaged and bytes(heard[-1:]) == right
                return heard[1:-2].decode("ascii") if good else ""
            if len(heard) > FRAME_LIMIT:
                return ""

    def _answer(self, message: str) -> list[bytes]:
        """The messages that answer one command."""
        found = _MESSAGE.fullmatch(message)
        if found is None:
            return [self._refused("command")]
        letter, digit, body = found[1], found[2], found[3] or ""
        rows = body.split("\r\n")
        if letter == "R" and 1 < len(rows) <= self._mode.together:
            return [self._read_together(letter + digit, rows)]
        data = _DATA_SET.fullmatch(body)
        if data is None:
            return [self._refused("command")]
        address, brackets = data[1], re.findall(r"\(([^()]*)\)", data[2])
        match letter:
            case "P":
                return [self._log_in(digit, brackets[0] if brackets else "")]
            case "R":
                return self._read(letter + digit, address, brackets)
            case "W":
                return [self._write(letter + digit, address, brackets)]
            case "E" if digit == "2":
                return [self._execute(address)]
            case _:
                return [self._refused("command")]

    def _log_in(self, digit: str, proof: str) -> bytes:
        mode, meter = self._mode, self._meter
        if meter.now < mode.locked_until:
            return self._refused("locked")
        if digit == "1" and proof == mode.password and not mode.locks:
            self._level = Guard.PASSWORD
        elif digit == "2" and mode.secret and proof == mode.algorithm(self._asked, mode.secret):
            self._level = Guard.SECRET
        else:
            mode.wrong += 1
            meter.note(Kind.WRONG_PASSWORD)
            if mode.wrong >= mode.most_wrong:
                mode.locked_until = meter.now + mode.locked_for
                mode.wrong = 0
            return self._framed(SOH, "B0")
        mode.wrong = 0
        meter.note(Kind.LOGGED_IN, self._level.name.lower())
        return bytes((ACK,))

    def _open(self, lock: str, code: str) -> bytes:
        """A lock of LIS-200: its code opens it, any other is an error."""
        if code != self._mode.locks[lock]:
            self._meter.note(Kind.WRONG_PASSWORD)
            return self._refused("lock")
        self._level = Guard.PASSWORD
        self._meter.note(Kind.LOGGED_IN, lock)
        return bytes((ACK,))

    def _read_together(self, command: str, rows: list[str]) -> bytes:
        """Several registers in one message (SATEC); one that is refused refuses all."""
        told = []
        for row in rows:
            answer = self._read(command, row.removesuffix("()"), [""])[0]
            block = answer[1:-2].decode("ascii")
            if block[1:-1] in self._mode.errors.values():
                return answer
            told.append(block[block.index("(") :])
        return self._framed(STX, "\r\n".join(told))

    def _read(self, command: str, address: str, brackets: list[str]) -> list[bytes]:
        mode = self._mode
        if command not in mode.reads or mode.bare is bool(brackets):
            return [self._refused("command")]
        code = f"{address}({brackets[0]})" if brackets and brackets[0] else address
        cells = self._cells()
        if (records := mode.records.get(address)) is not None:
            # A load profile: what it holds of the range that is asked for.
            held = records(brackets[0] if brackets else ";")
            cells[code] = Cell(held or f"({mode.errors['empty']})")
        # A log answers whatever range is asked for.
        cell = cells.get(code) or (cells.get(address) if address.startswith("P.") else None)
        if cell is None:
            return [self._refused("register")]
        if not self._may(cell.read):
            return [self._refused("seal" if cell.read is Guard.SEAL else "access")]
        block = cell.brackets
        if mode.named and block.startswith("("):
            block = mode.renamed.get(address, address) + block
        if command not in ("R3", "R4", "R6"):
            return [self._framed(STX, block)]
        pieces = [block[at : at + mode.part] for at in range(0, len(block), mode.part)]
        return [
            self._framed(STX, piece, ETX if place + 1 == len(pieces) else EOT)
            for place, piece in enumerate(pieces)
        ]

    def _write(self, command: str, address: str, brackets: list[str]) -> bytes:
        mode = self._mode
        if address in mode.locks and command == "W1" and len(brackets) == 1:
            return self._open(address, brackets[0])
        cell = mode.cells.get(address)
        if command not in mode.writes or not brackets:
            return self._refused("command")
        if cell is None:
            return self._refused("register")
        if not self._may(cell.write):
            return self._refused("seal" if cell.write is Guard.SEAL else "access")
        if mode.signed and brackets[1:] != [mode.password]:
            return self._refused("access")
        if "?" in brackets[0]:
            return self._refused("value")
        cell.brackets = f"({brackets[0]})"
        mode.changes.append((address, brackets[0]))
        self._meter.note(Kind.CHANGED, f"{address}({brackets[0]})")
        return bytes((ACK,))

    def _execute(self, address: str) -> bytes:
        mode = self._mode
        if address != mode.reset:
            return self._refused("register")
        if self._level < Guard.PASSWORD:
            return self._refused("access")
        if mode.sealed and not mode.button:
            return self._refused("button")
        mode.resets += 1
        self._meter.note(Kind.CHANGED, f"reset {mode.resets}")
        return bytes((ACK,))

    def _cells(self) -> dict[str, Cell]:
        """All registers of this moment: those of the readout are open."""
        mode = self._mode
        told = self._meter.content.block().decode("ascii")
        cells = {
            address: Cell(brackets)
            for address, brackets in re.findall(r"([^()\r\n]+)((?:\([^()]*\))+)", told)
        }
        cells["P.98"] = Cell("\r\n".join(mode.events) or f"({mode.errors['empty']})")
        cells[mode.reset] = Cell(f"({mode.resets:02})")
        return cells | mode.cells

    def _may(self, guard: Guard) -> bool:
        if guard is Guard.SEAL:
            return not self._mode.sealed and self._level >= Guard.PASSWORD
        return self._level >= guard

    def _refused(self, why: str) -> bytes:
        text = self._mode.errors[why]
        self._meter.note(Kind.REFUSED, text)
        return self._framed(STX, f"({text})")

    def _framed(self, begin: int, block: str, end: int = ETX) -> bytes:
        covered = block.encode("ascii") + bytes((end,))
        return bytes((begin,)) + covered + check_character(self._meter.manners.check, covered)

    def _say(self, message: bytes, at: float | None = None) -> Generator[Listen | Send, int | None]:
        begin = self._meter.reaction() if at is None else at
        octets = self._meter.faults.damage(bytes(map(even, message)))
        yield Send(octets, self._speed, begin)
