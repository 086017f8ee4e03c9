"""Types that all modes share.

Terms are those of IEC 62056-21:2002 (cited "Std" with the clause).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from functools import total_ordering
from typing import NamedTuple, Self, override

from . import codec, values

SIGN_ON_SPEED = 300

# Std 6.3.14 item 13: the fifth character of the identification, by the mode it belongs to.
MODE_B_SPEEDS = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}
MODE_C_SPEEDS = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}


class Medium(IntEnum):
    """Value group A of an OBIS code."""

    ABSTRACT = 0
    ELECTRICITY = 1
    HEAT_COST = 4
    COOLING = 5
    HEAT = 6
    GAS = 7
    COLD_WATER = 8
    HOT_WATER = 9


class Mode(StrEnum):
    """Protocol mode, Std 6.4."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


class CheckKind(StrEnum):
    """How a meter computes the check of a block; XOR is the standard's (Std 6.2)."""

    NONE = "none"
    XOR = "xor"
    SUM = "sum"
    CRC16 = "crc16"


class Verdict(StrEnum):
    """What the check of one block said."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSENT = "absent"


class ParitySeen(StrEnum):
    """What bit 7 of the received characters carried."""

    UNKNOWN = "unknown"
    EVEN = "even"
    STRIPPED = "stripped"
    OTHER = "other"


class Stage(StrEnum):
    """Where a conversation is; the keys of the progress texts."""

    OPENING = "opening"
    WAKING = "waking"
    SIGN_ON = "sign_on"
    LISTENING = "listening"
    READING = "reading"


class Value(NamedTuple):
    """One bracket of a data set: the text as sent, and the unit as sent (None where there is none)."""

    text: str
    unit: str | None = None

    @property
    def number(self) -> Decimal | None:
        """The text as an exact number, None where it is not one."""
        return values.number(self.text)

    @property
    def step(self) -> Decimal | None:
        """The smallest change that the last digit of the number can show."""
        number = self.number
        return None if number is None else Decimal((0, (1,), int(number.as_tuple().exponent)))


class DataSet(NamedTuple):
    """One data set as sent (Std 6.6): address, which may be missing, and its values in order."""

    address: str | None
    values: tuple[Value, ...]


@total_ordering
@dataclass(frozen=True, slots=True)
class Obis:
    """An OBIS code in canonical form: A-B:C.D.E*F, and the COSEM attribute where the meter names one.

    F is 255 for the current value; any other F is a stored value of a billing period, and another register.
    Codes are ordered by their groups; a code without an attribute comes before the same code with one.
    """

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = 255
    attribute: int | None = None

    def __lt__(self, other: Self) -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[int, ...]:
        attribute = -1 if self.attribute is None else self.attribute
        return self.a, self.b, self.c, self.d, self.e, self.f, attribute

    @override
    def __str__(self) -> str:
        code = f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}"
        if self.f != 255:
            code += f"*{self.f}"
        return code if self.attribute is None else f"{code},{self.attribute}"

    @property
    def current(self) -> bool:
        """Whether this is a present value, not one stored at the end of a billing period."""
        return self.f == 255


@codec.as_list
@dataclass(frozen=True, slots=True)
class Register:
    """One register of a reading: the address as sent, its OBIS code where it has one, its values."""

    address: str
    obis: Obis | None
    values: tuple[Value, ...]

    @property
    def key(self) -> str:
        """The stable name of the register: the canonical OBIS code, else the address as sent."""
        return self.address if self.obis is None else str(self.obis)


@dataclass(frozen=True, slots=True)
class Identification:
    """An identification message (Std 6.3.2): what the tariff device says of itself at sign-on."""

    raw: str
    flag: str
    speed_character: str
    extensions: tuple[str, ...]
    model: str

    @property
    def reaction_time(self) -> float:
        """Shortest reaction time in seconds: 20 ms where the third letter is lower case (Std 6.3.14 item 12)."""
        return 0.02 if self.flag[2:3].islower() else 0.2

    @property
    def kind(self) -> tuple[str, str]:
        """Make and model: a small third letter only tells the reaction time."""
        return self.flag.upper(), self.model

    @property
    def mode(self) -> Mode:
        """The mode the speed character stands for when the meter was asked (Std 6.3.14 item 13)."""
        if self.speed_character in MODE_B_SPEEDS:
            return Mode.B
        return Mode.C if self.speed_character in MODE_C_SPEEDS else Mode.A

    @property
    def speed(self) -> int:
        """The highest speed the meter offers, in baud."""
        offered = MODE_B_SPEEDS | MODE_C_SPEEDS
        return offered.get(self.speed_character, SIGN_ON_SPEED)

    @property
    def offers_mode_e(self) -> bool:
        """Whether the enhanced identification names HDLC (Std 6.4.5.1)."""
        return "2" in self.extensions


class DiscoveryStep(StrEnum):
    """One way to reach a meter of which nothing is known; the keys of the texts that tell of it."""

    KNOWN_WAY = "known_way"
    SIGN_ON = "sign_on"
    LISTEN = "listen"
    WAKE_UP = "wake_up"
    FAST_WAKE_UP = "fast_wake_up"
    OTHER_REQUEST = "other_request"
    REMEMBERED_SPEED = "remembered_speed"
    PINS = "pins"


@dataclass(frozen=True, slots=True)
class Health:
    """What one reading tells of the link. Times in seconds, speed in baud."""

    check: Verdict = Verdict.ABSENT
    check_kind: CheckKind = CheckKind.NONE
    parity: ParitySeen = ParitySeen.UNKNOWN
    parity_errors: int = 0
    characters: int = 0
    retries: int = 0
    echo: bool = False
    duration: float = 0.0
    speed: int = SIGN_ON_SPEED
    mode: Mode | None = None
    complete: bool = True
    late_switches: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one session brought. `received` is when the first data character arrived (UTC).

    `redacted`: what names the meter was masked when it was stored; `health` tells of the time before that. `withheld` says
    which registers need another level of access.
    """

    identification: Identification | None
    registers: tuple[Register, ...]
    received: datetime
    health: Health
    unparsed: tuple[str, ...] = ()
    raw: bytes = b""
    redacted: bool = False
    withheld: str = ""

    def first(self, key: str) -> Register | None:
        """The register of that key; the first one sent wins where a meter repeats an address."""
        return next((register for register in self.registers if register.key == key), None)


@codec.separable
@dataclass(frozen=True, slots=True)
class LineProfile:
    """How to reach one meter: what was given, and what worked. Stored with the meter; speeds in baud, times in s.

    The user gives `address` (empty: the only meter on the line), and may give all but what only success teaches: `speed`, `stay`,
    `listen_speed`, `switch_delay`, `check_candidate`, `check_seen`. `stay`: the speed is never changed here, since that
    never led to data. `listen_speed`: the one at which telegrams come unasked. `check_candidate`: the kind of check that
    fitted once; another reading makes it the `check_kind`. `medium`: what codes without one are taken for.
    `request` is what stands between "/" and the address ("?" in the standard, "2" or "#" with some makes).
    `speed` is the one a change of speed has led to: proof that it works here, and where an old session may still be.
    `refused_speed` is one that the bridge does not set: a meter that offers it is read at the first speed.
    `client`, `server`, `physical` and `server_octets` are the HDLC addresses of mode E: None and 0 are the public client
    and the shortest form; `hdlc_at_once` is for a meter that wants frames without a sign-on.
    `dlms_push`: what comes unasked is DLMS, on a line with or without `even_parity`.
    `mains`: the meter has mains power though meters of its medium mostly have a battery.
    `wake_up` and `fast_wake_up` are those of battery meters (Std Annex B.1, B.2); on a `bus`, a current loop or RS-485
    instead of light, there is none. `dtr` and `rts` feed many probes (None: as the driver has them).
    `switch_delay`: the time that this line needs, beyond its own margin, before it may change its speed. `check_seen` is a
    digest of the data that a kind of check fitted for the first time.
    """

    address: str = ""
    mode: Mode | None = None
    request: str = "?"
    sign_on_speed: int = SIGN_ON_SPEED
    stay: bool = False
    speed: int | None = None
    refused_speed: int | None = None
    wake_up: bool = False
    fast_wake_up: bool = False
    listen_speed: int | None = None
    switch_delay: float = 0.0
    bus: bool = False
    dtr: bool | None = None
    rts: bool | None = None
    check_kind: CheckKind | None = None
    check_candidate: CheckKind | None = None
    check_seen: str = ""
    medium: Medium | None = None
    client: int | None = None
    server: int = 1
    physical: int | None = None
    server_octets: int = 0
    hdlc_at_once: bool = False
    dlms_push: bool = False
    even_parity: bool = False
    mains: bool = False

    @property
    def pushes(self) -> bool:
        """Whether the meter sends by itself and is listened to."""
        return self.mode is Mode.D

    @property
    def may_have_battery(self) -> bool:
        """Whether meters of this medium mostly have a battery: all but electricity meters, unless they send by themselves."""
        return not self.pushes and self.medium not in (None, Medium.ABSTRACT, Medium.ELECTRICITY)

    @property
    def on_battery(self) -> bool:
        """Whether the meter must be read gently."""
        return self.may_have_battery and not self.mains


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a conversation, for a progress display: stage, bytes and data sets so far, speed in baud.

    `step` says which way is tried, while the way to a meter is looked for.
    """

    stage: Stage
    characters: int = 0
    registers: int = 0
    speed: int = SIGN_ON_SPEED
    step: DiscoveryStep | None = None


type ProgressCallback = Callable[[Progress], None]
