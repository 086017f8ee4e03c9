"""What a tariff device is like, and what goes wrong with it."""

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

SIGN_ON_SPEED = 300


class Mode(StrEnum):
    """Protocol mode, Std 6.4."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


# Std 6.3.14 item 13.
SPEED_CHARACTERS = {
    Mode.B: {600: "A", 1200: "B", 2400: "C", 4800: "D", 9600: "E", 19200: "F"},
    Mode.C: {300: "0", 600: "1", 1200: "2", 2400: "3", 4800: "4", 9600: "5", 19200: "6"},
}


class Check(StrEnum):
    """The check character behind a block: the standard's, a dialect's, none, or one that fits nothing."""

    XOR = "xor"
    SUM = "sum"
    NONE = "none"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class WakeUp:
    """What a sleeping device needs (Std Annex B.1): so many NULs in a row, then silence in seconds."""

    least: int = 63
    most: int = 69
    pause: float = 1.5


@dataclass(slots=True)
class Manners:
    """What the device is like. Times in seconds, speeds in baud.

    `sign_on_speed` is where it hears requests: anything but 300 is outside the standard, and met behind modems.
    `ident` is the identification without its line end; "" makes one from flag, model, mode and speed, None is a
    device that answers with data alone. `deaf` is how long after its own last character the device cannot hear yet.
    """

    mode: Mode = Mode.C
    speed: int = 9600
    sign_on_speed: int = SIGN_ON_SPEED
    ident: str | None = ""
    flag: str = "SIM"
    model: str = "METER-01"
    address: str = ""
    needs_address: bool = False
    queries: tuple[str, ...] = ("?",)
    reaction: float = 0.2
    deaf: float = 0.0
    option_wait: float = 2.0
    check: Check = Check.XOR
    stx: bool = True
    repeats: int = 1
    repeat_wait: float = 0.5
    wake_up: WakeUp | None = None
    interval: float = 2.0

    def identification(self) -> str | None:
        """The identification as sent, without its line end."""
        if self.ident != "":
            return self.ident
        # Mode D always announces 3 (Std 6.4.4); mode A any character that stands for no speed.
        codes = SPEED_CHARACTERS.get(self.mode, {})
        code = codes.get(self.speed, "3" if self.mode is Mode.D else "-")
        return f"/{self.flag}{code}{self.model}"


@dataclass(frozen=True, slots=True)
class BridgeManners:
    """What an RFC 2217 server makes of the speeds it is asked for, in baud.

    It stays at the speed it has where one is above `fastest`, and says so, or is not `truthful` and names the one it
    was asked for. One that does not `answer` sets what it is asked for.
    """

    fastest: int | None = None
    truthful: bool = True
    answers: bool = True


OBEDIENT = BridgeManners()


@dataclass(slots=True)
class Faults:
    """What goes wrong; may be changed while the device runs.

    `ignore`: numbers of the sign-ons (from 1) that get no answer. `drop_after`: silent after that many characters
    of a block. `stall`: after that many characters, that many seconds of silence. `flips`: position in the block
    and the bits to turn over there (bit 7 is parity), in the first `damaged_blocks` blocks. `lost`: positions
    that are never sent. `error`, `broken_off`: an error message or a break instead of data.
    """

    ignore: set[int] = field(default_factory=set)
    drop_after: int | None = None
    stall: tuple[int, float] | None = None
    flips: dict[int, int] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    damaged_blocks: float = inf
    noise_before: bytes = b""
    noise_after: bytes = b""
    error: str = ""
    broken_off: bool = False

    def damage(self, block: bytes) -> bytes:
        """The octets of a block as they leave a faulty device."""
        if self.damaged_blocks < 1 or not (self.flips or self.lost):
            return block
        self.damaged_blocks -= 1
        return bytes(
            octet ^ self.flips.get(position, 0)
            for position, octet in enumerate(block)
            if position not in self.lost
        )


def check_character(kind: Check, covered: bytes) -> bytes:
    """The check character over what follows STX or SOH, ETX included (Std 6.2)."""
    xor = 0
    for octet in covered:
        xor ^= octet & 0x7F
    total = sum(octet & 0x7F for octet in covered) & 0x7F
    match kind:
        case Check.XOR:
            return bytes([xor])
        case Check.SUM:
            return bytes([total])
        case Check.WRONG:
            return bytes([next(octet for octet in range(0x21, 0x7F) if octet not in (xor, total))])
        case _:
            return b""
