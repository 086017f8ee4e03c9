"""Programming mode as a session: sign-on, login, one command and its answer, sign-off (Std 6.3.14, 6.4.7, Annex A)."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import override

from ..errors import (
    CheckWrong,
    Incomplete,
    LineError,
    LoginDamaged,
    LoginUnanswered,
    MeterBreak,
    NoData,
    NoProgramming,
    OperandRepeated,
    PasswordRefused,
    WrongParity,
)
from ..model import CheckKind, Identification, Mode, ParitySeen, Reading
from ..register_session import Intended, Level
from ..transport.trace import LineStats
from . import commands, messages
from .diagnosis import percent_wrong
from .dialects import STANDARD, dialect
from .passwords import LOCKS, Password, PasswordMethod, level_of, proof
from .programming_frames import DAMAGED, MAX_FRAME, Frame, FrameReceiver, Kind, operand
from .readout import READOUT_LIMIT, Session
from .receiver import Receiver
from .refusals import error_text, login_refusal
from .sign_on import ANSWER, BETWEEN, NOISE_PERCENT, REACTION, SessionContext

# How often a command is sent again after NAK, or its answer asked for again by NAK.
MOST_REPEATS = 2
# What one command may bring: months of a load profile.
MAX_ANSWER = 1 << 20
# A session is used for that part of the meter's idle time: both clocks, and a round that takes longer.
_OF_IDLE = 0.8
# P0 with an operand of 32 characters has no more than that.
_LONGEST_FIRST = 48
# The longest a meter that is still sending is waited for before the break, in seconds.
_LAST_WORDS = 3.0


@dataclass(frozen=True, slots=True)
class Entrance:
    """How programming mode is entered: the password to log in with, and who is asked.

    `allow` raises for a command that must not leave; `feed` sees to the probe's supply before a sign-on. Passwords and
    changes are for the `intended` meter; `reading` is the readout of this turn on the line, `read_out` makes one.
    """

    password: Password | None
    allow: Callable[[bytes], None]
    feed: Callable[[], Awaitable[None]]
    read_out: Callable[[], Awaitable[Reading]]
    reading: Reading | None = None
    intended: Intended | None = None


class ProgrammingSession(Session):
    """One meter in programming mode on one open line."""

    @override
    def __init__(self, terms: SessionContext, entrance: Entrance) -> None:
        """Nothing is sent before the first call."""
        super().__init__(terms)
        self._password = entrance.password
        self._allow = entrance.allow
        self._feed = entrance.feed
        self._dialect = STANDARD
        self._level = Level.OPEN
        self._kind = CheckKind.XOR
        self._pause = REACTION
        self.opened = 0
        self.identification: Identification | None = None
        self._in_session = False
        self._instead: Receiver | None = None
        self._asked = ""
        self._answered: set[str] = set()
        self._awaiting = False

    @property
    def level(self) -> Level:
        """What this session may see."""
        return self._level

    @property
    def kept(self) -> bool:
        """Whether there is a session: a meter that sent its readout instead has none."""
        return self._in_session

    @property
    def idle(self) -> float:
        """How long the session stays open without a word, in seconds: the next call should come before."""
        return self._dialect.idle * _OF_IDLE

    async def open(self) -> Identification | None:
        """Sign on into programming mode; nobody is logged in yet.

        A meter that sends its readout instead is taken at its word; then that is what is read. Raises MeterError.
        """
        await self.close()
        self.opened += 1
        self._instead = None
        self._level = Level.OPEN
        # Where the change of speed has worked before, nothing heard may be an accident; twice, it is none: a meter
        # without programming mode sends its readout at the first speed (Std 6.4.3.3).
        for stays in (self.profile.stay, self.profile.speed is None, True):
            self._stays = stays
            receiver = await self._enter()
            first, fault = self._first(receiver), self._fault(receiver)
            unheard = first is None and isinstance(fault, NoData | WrongParity)
            if not (unheard and self._switched):
                break
        if first is not None:
            await self._begin(first)
            return receiver.identification
        if fault is not None:
            raise fault
        # It has said all it had to say: there is no session.
        self._instead = receiver
        self._in_session = False
        return receiver.identification

    async def close(self) -> None:
        """Sign off; after a failure too. Never raises for a line that is gone."""
        if not self._in_session:
            return
        self._in_session = False
        with suppress(LineError):
            await self._leave()

    async def _enter(self) -> Receiver:
        """Sign on, select programming mode, and hear what comes: P0, a readout, or nothing."""
        await self.close()
        if self.profile.mode not in (None, Mode.C, Mode.E):
            raise NoProgramming(meter="")
        self._acknowledged = self._switched = False
        await self._feed()
        receiver = await self._sign_on()
        identification = self.identification = receiver.identification
        name = "" if identification is None else identification.raw
        waits = identification is not None and self._mode_of(identification) in (Mode.C, Mode.E)
        if identification is None or receiver.started or not waits:
            raise NoProgramming(meter=name)
        self._dialect = dialect(identification)
        self._pause = self._pause_before(identification)
        receiver.asked_for_programming = True
        self._in_session = True
        await self._select(receiver, identification, messages.PROGRAMMING)
        if not self._acknowledged:
            # Its data came first.
            self._in_session = False
            raise NoProgramming(meter=name)
        self.speed = self._line.speed
        self._answer_from = self._line.tally.copy()
        await self._receive(receiver)
        if receiver.meter_break:
            self._in_session = self._busy = False
            raise MeterBreak
        return receiver

    async def _begin(self, first: Frame) -> None:
        """The meter sent its operand: it is in programming mode."""
        for _ in range(MOST_REPEATS):
            if first.kind is Kind.OPERAND and first.fits:
                break
            first = await self._say(messages.NAK)
        if first.kind is not Kind.OPERAND or not first.fits:
            raise CheckWrong
        known = (self.profile.check_kind, self._dialect.check)
        self._kind = next((kind for kind in known if kind in first.fits), min(first.fits))
        if self._switched:
            self.profile = replace(self.profile, speed=self.speed, switch_delay=self._delay)
        self._asked = operand(first.block)

    async def _log_in(self, password: Password) -> None:
        """P1, P2 or a lock's code, once: a second try could lock the meter."""
        login, asked = password.login or self._dialect.login, self._asked
        text = proof(login, password.text, asked)
        if login not in (PasswordMethod.PLAIN, *LOCKS):
            if asked in self._answered:
                raise OperandRepeated
            self._answered.add(asked)
        frame = await self._say(commands.proving(login, text, check=self._kind), secret=True)
        refused = error_text(frame.block) if frame.kind is Kind.DATA else None
        match frame.kind:
            case Kind.ACK:
                self._level = level_of(login)
            case Kind.BREAK:
                self._in_session = self._busy = False
                raise PasswordRefused
            case Kind.DATA if refused is not None:
                raise login_refusal(refused)
            case Kind.SILENCE | Kind.NAK:
                # A wrong password is answered with a break; NAK says that the message came damaged (Std Annex A).
                raise LoginUnanswered
            case Kind.DAMAGED:
                raise LoginDamaged
            case _:
                raise PasswordRefused

    def _first(self, receiver: Receiver) -> Frame | None:
        """The first message of programming mode, DAMAGED where it may have been one, None for anything else."""
        if receiver.operand:
            frames = FrameReceiver()
            frames.feed(receiver.operand)
            return frames.end()
        heard = self._line.tally.since(self._answer_from)
        noise = percent_wrong(heard) > NOISE_PERCENT
        # A readout is longer; characters of another speed are damaged by half.
        short = 0 < heard.characters < _LONGEST_FIRST
        damaged = isinstance(self._fault(receiver), CheckWrong | Incomplete | NoData | WrongParity)
        return DAMAGED if short and damaged and not noise else None

    async def _query(self, command: bytes) -> Frame:
        """A command that reads, and its whole answer: all blocks of it, or why there is none."""
        # Blocks may be empty, and never end.
        end = self._line.now() + READOUT_LIMIT
        frame = DAMAGED
        for _ in range(1 + MOST_REPEATS):
            frame = await self._repeated(await self._say(command))
            if frame.kind not in (Kind.NAK, Kind.DAMAGED) or self._line.now() >= end:
                break
        block = bytearray(frame.block)
        while frame.kind is Kind.DATA and frame.more:
            if len(block) > MAX_ANSWER or self._line.now() >= end:
                return DAMAGED
            # Only NAK may repeat a block: a second ACK would lose one (Std 6.4.7), but where the first was not understood.
            frame = await self._repeated(await self._order(messages.ACK))
            if frame.kind is Kind.NAK:
                return DAMAGED
            block += frame.block
        return replace(frame, block=bytes(block))

    async def _repeated(self, frame: Frame) -> Frame:
        """The answer, asked for again while it is damaged."""
        for _ in range(MOST_REPEATS):
            if frame.kind is not Kind.DAMAGED:
                break
            frame = await self._say(messages.NAK)
            if frame.kind is Kind.SILENCE:
                return DAMAGED
        return frame

    async def _order(self, command: bytes, *, secret: bool = False) -> Frame:
        """What must be heard once: sent again only where the meter says that it did not understand it."""
        frame = await self._say(command, secret=secret)
        for _ in range(MOST_REPEATS):
            if frame.kind is not Kind.NAK:
                break
            frame = await self._say(command, secret=secret)
        return frame

    async def _say(self, message: bytes, *, secret: bool = False) -> Frame:
        """One message, and what the meter says to it."""
        line = self._line
        if message.startswith(messages.SOH):
            self._allow(message)
        await line.sleep_until(self._heard_at + self._pause)
        line.drop_input()
        before = line.tally.copy()
        self._awaiting = True
        await line.write(message, secret=secret)
        receiver = FrameReceiver()
        deadline = line.sent_at + ANSWER + line.grace
        begins = deadline + BETWEEN
        end = deadline + min(self._time_of(MAX_FRAME), READOUT_LIMIT)
        while receiver.frame is None:
            run = await line.read(min(deadline, end))
            if not run:
                break
            echoes = receiver.echoes
            receiver.feed(run)
            if receiver.echoes > echoes:
                # What harmed our own words says nothing of the answer behind them.
                before = line.tally.copy()
            self._heard_at = line.now()
            deadline = self._heard_at + BETWEEN + line.grace
            if not receiver.begun:
                # Noise must not keep it open.
                deadline = min(deadline, begins)
        self._awaiting = False
        return self._judged(receiver.end(), line.tally.since(before))

    def _judged(self, frame: Frame, heard: LineStats) -> Frame:
        """The answer, if it may be believed: one character has no check but its parity."""
        # Too few characters to tell by themselves whether they carry parity: the line has shown it.
        parity = self._line.tally.parity
        damaged = heard.odd if parity is ParitySeen.EVEN else 0
        match frame.kind:
            case Kind.ACK | Kind.NAK:
                # Where so much is damaged that bit 7 tells nothing, it must at least have come alone.
                alone = parity is not ParitySeen.OTHER or heard.characters == 1
                believed = not damaged and alone
            case Kind.DATA:
                believed = self._kind in frame.fits and damaged <= 1
            case Kind.BREAK:
                # CE102M checks its own break in another way than its data.
                believed = bool(frame.fits)
            case _:
                believed = True
        return frame if believed else DAMAGED

    async def _leave(self) -> None:
        """The break, when the meter can hear it, and the time for it to come back to its beginning."""
        line = self._line
        end = line.now() + _LAST_WORDS
        # Whoever gave up waiting for an answer still gets it.
        quiet = line.sent_at + ANSWER if self._awaiting else self._heard_at + self._pause
        self._awaiting = False
        try:
            while line.now() < end and await line.read(min(quiet, end)):
                self._heard_at = line.now()
                quiet = self._heard_at + max(self._pause, self._time_of(3) + line.grace)
        finally:
            # Also where the waiting is cancelled: the meter would stay in its session for minutes.
            self._busy = line.now() >= end
            with suppress(LineError):
                await line.write(messages.sign_off(self._kind, fast=self.profile.fast_wake_up))
        # Some meters send the break back, or acknowledge it: it must not be taken for an answer in the next session.
        echoed = line.sent_at + REACTION + line.margin + self._time_of(len(messages.sign_off()))
        while await line.read(echoed + line.grace):
            pass
