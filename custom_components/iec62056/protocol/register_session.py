"""Sessions in which registers are read and changed one by one: access levels, answers, outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Protocol

from .errors import MeterError
from .model import Identification, Register
from .profiles.events import Event
from .profiles.load_profile import Profile


class Level(StrEnum):
    """Access levels of the standard, Annex D: the protocol alone, a password, a secret or a button, an opened meter.

    In mode E: the public client, low level security, high level security.
    """

    OPEN = "open"
    PASSWORD = "password"  # noqa: S105
    SECRET = "secret"  # noqa: S105
    PHYSICAL = "physical"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the wish to read `code`: its register, or why not. `level` is the one it was asked at."""

    code: str
    level: Level
    register: Register | None = None
    refusal: MeterError | None = None


class WriteOutcome(StrEnum):
    """What is known of a register after something was to be written to it, or executed."""

    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write or an execution: what was read before and after it, where it can be read at all."""

    code: str
    certainty: WriteOutcome
    before: Register | None = None
    after: Register | None = None
    refusal: MeterError | None = None


@dataclass(frozen=True, slots=True)
class Permits:
    """What the user allows to be changed: codes that may be written, codes that may be executed, the clock."""

    write: frozenset[str] = frozenset()
    execute: frozenset[str] = frozenset()
    clock: bool = False


NOTHING = Permits()


@dataclass(frozen=True, slots=True)
class Offer:
    """One register the meter itself says it has: at which level it may be read, and set, as far as it tells."""

    code: str
    kind: str
    readable: Level | None
    writable: Level | None


class Intended(Protocol):
    """The meter that secrets and changes are for: asked once in each session before one of them leaves.

    `code` is the key of the register with its number, and `address` how the meter writes it; both are empty where
    nothing is to be asked. `in_readout`: an open session that does not show the number may be left for a readout.
    """

    @property
    def code(self) -> str:
        """The key of the register with its number."""

    @property
    def address(self) -> str:
        """How that register is written in programming mode."""

    @property
    def in_readout(self) -> bool:
        """Whether the readout tells the number, and may be asked for."""

    def check(self, sent: Identification | None, told: Register | None, *, public: bool) -> None:
        """Raise NotThisMeter where another meter has sent this, or nothing shows that this one has.

        `told` is what the register holds, None where it was not shown; `public` says that the meter shows it to
        everybody.
        """


class RegisterSession(Protocol):
    """An open session with one meter, in programming mode or in an association of mode E.

    Every call may raise MeterError where the conversation itself is lost; a refusal of one register is its answer.
    `opened` counts how often it was opened, also by itself where it was lost: then another meter may answer.
    `identification` is what the meter called itself then, None where there is no sign-on.
    """

    opened: int
    identification: Identification | None

    @property
    def kept(self) -> bool:
        """Whether it stays open between two reads; not where the meter sends its readout in place of it."""
        return True

    @property
    def at_once(self) -> int:
        """How many registers one turn may bring; the line is given up between two turns."""
        return 1

    async def open(self) -> Identification | None:
        """Sign on and log in, with one try of a password at most."""

    async def read(self, codes: Sequence[str]) -> tuple[Answer, ...]:
        """Read registers, in as few turns as the meter allows."""

    async def offered(self) -> tuple[Offer, ...]:
        """The meter's own description of its registers; empty where it has none."""

    async def read_profile(
        self, code: str, first: datetime, last: datetime, zone: tzinfo
    ) -> tuple[Profile, ...]:
        """The periods of a profile (P.01, P.02) that ended later than `first` and not later than `last`.

        Nothing where the meter has nothing recorded. `zone` is where the meter's clock is. Raises MeterRefused where
        the meter has no such profile or wants a password.
        """

    async def read_events(
        self, code: str, first: datetime, last: datetime, zone: tzinfo
    ) -> tuple[Event, ...]:
        """The entries of an event log (P.98, P.99) from `first` to `last`, and those without a moment.

        In mode E all logs of the meter, whatever the code. Raises as `read_profile`.
        """

    async def write(self, code: str, value: str) -> Written:
        """Set one register, and read it back."""

    async def execute(self, code: str, argument: str) -> Written:
        """Execute one command of the meter."""

    async def set_clock(self, time: datetime) -> Written:
        """Set the clock to a time with a zone."""

    async def close(self) -> None:
        """Sign off; after a failure too. Never raises for a line that is gone."""
