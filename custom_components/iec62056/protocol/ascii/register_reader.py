"""Registers in programming mode: one by one, as blocks, or as the meter lists them (Std 6.3.14 items 18 to 20, 6.4.7)."""

from collections.abc import Iterable, Sequence
from typing import override

from .. import obis
from ..errors import (
    AnswerUnclear,
    BadField,
    CheckWrong,
    CommandUnanswered,
    CommandUnknown,
    MeterBreak,
    MeterError,
    MeterRefused,
    PasswordNeeded,
    ReadoutInstead,
    UnknownRegister,
)
from ..model import Identification, Medium, Register
from ..register_session import Answer, Offer
from . import commands
from .answers import code_of, register
from .commands import Wish
from .datasets import parse
from .programming_frames import Frame, Kind
from .programming_session import Entrance, ProgrammingSession
from .refusals import error_text, refusal
from .registers import registers
from .sign_on import SessionContext

# A session that is lost is opened again for a register, once; after two such registers the meter is given up.
_MOST_LOST = 2

type _Form = tuple[str, bool]


class RegisterReader(ProgrammingSession):
    """One meter in programming mode, to be read."""

    @override
    def __init__(self, terms: SessionContext, entrance: Entrance) -> None:
        """Nothing is sent before the first call."""
        super().__init__(terms, entrance)
        self._understands: dict[str | None, _Form] = {}
        self._one_by_one = False
        self._lost = 0
        self._used = False
        self._intended = entrance.intended
        self._read_out = entrance.read_out
        self._reading = entrance.reading
        # The session that was found to be with the intended meter.
        self._sure = 0

    @property
    def at_once(self) -> int:
        """How many registers one turn may bring."""
        return 1 if self._one_by_one else self._dialect.together

    @override
    async def open(self) -> Identification | None:
        """Sign on into programming mode, and log in where there is a password: with one try. Raises MeterError."""
        self._used = False
        await super().open()
        if self._password is not None and self._in_session:
            await self._make_sure()
            await self._log_in(self._password)
        return self.identification

    async def _make_sure(self) -> None:
        """See to it that this session is with the intended meter, before a password or a change leaves. Raises MeterError."""
        intended = self._intended
        if intended is None or self._sure == self.opened:
            return
        told = self._told_before(intended.code)
        if told is None and intended.address:
            try:
                told = await self._told(intended.address)
            except BadField, CommandUnanswered, MeterBreak:
                # It may answer nothing more in this session.
                await self.close()
        if told is None and intended.code and intended.in_readout:
            await self.close()
            self._reading = await self._read_out()
        if not self._in_session:
            await super().open()
            if not self._in_session:
                raise ReadoutInstead(code=intended.address)
        told = told or self._told_before(intended.code)
        intended.check(
            self.identification, told, public=bool(intended.code and intended.in_readout)
        )
        # When the session is lost, another meter may be there.
        self._sure, self._reading = self.opened, None

    def _told_before(self, code: str) -> Register | None:
        """A register in the readout of this turn, if who signed on now has sent it."""
        reading = self._reading
        same = reading is not None and reading.identification == self.identification
        return reading.first(code) if reading is not None and same else None

    async def _told(self, address: str) -> Register | None:
        """What this session shows of a register, None where it does not. Raises CheckWrong, AnswerUnclear, and where it is lost."""
        parts = commands.wish(address, "R")
        found = await self._tried(address, parts)
        if isinstance(found, CheckWrong):
            raise found
        if isinstance(found, MeterError):
            return None
        one = register(found, parts, self._dialect, self._medium)
        if one is None:
            raise AnswerUnclear(code=address)
        return one

    async def read(self, codes: Sequence[str]) -> tuple[Answer, ...]:
        """Read registers by code: `1.8.0`, `ENMPE(04.22)`, with a command before it where needed: `R5 1.8.0`.

        What the meter refuses, or cannot be sent, is the answer of that register. Raises MeterError where the
        conversation is lost: LineError, or the meter answers nothing at all any more.
        """
        table: dict[str, Register] | None = None
        unlisted: MeterError | None = None
        answers = []
        together: dict[str, Answer] = {}
        for place, code in enumerate(codes):
            try:
                parts = commands.wish(code, "R")
            except BadField as err:
                answers.append(Answer(code, self.level, refusal=err))
                continue
            await self._ready()
            if code not in together:
                together = await self._together(codes[place : place + self.at_once])
            listed = self._dialect.table if parts.command is None else ""
            if code in together:
                answers.append(together.pop(code))
            elif self._instead is not None:
                table = self._told_instead() if table is None else table
                answers.append(self._picked(code, parts, table, ReadoutInstead(code=code)))
            elif listed and parts.address != listed:
                if table is None:
                    table, unlisted = await self._listed()
                missing = unlisted or UnknownRegister(code=code, message=listed)
                answers.append(self._picked(code, parts, table, missing))
            else:
                answers.append(await self._answer(code, parts))
        self._used = True
        return tuple(answers)

    async def read_block(self, code: str) -> bytes:
        """What the meter sends for one code, as sent: a load profile, a log, a table.

        Raises BadField, MeterRefused, ReadoutInstead, CheckWrong, or MeterError where the conversation is lost.
        """
        parts = commands.wish(code, "R")
        await self._ready()
        if self._instead is not None:
            raise ReadoutInstead(code=code)
        found = await self._block(code, parts)
        if isinstance(found, MeterError):
            raise found
        return found

    async def offered(self) -> tuple[Offer, ...]:
        """The registers in the meter's own table; empty where the make has none."""
        await self._ready()
        table = self._dialect.table
        if self._instead is not None or not table:
            return ()
        found, _ = await self._listed()
        return tuple(Offer(code, table, readable=self.level, writable=None) for code in found)

    async def _ready(self) -> None:
        """See to it that there is a session, or a readout that was not used yet."""
        fresh = self._instead is not None and not self._used
        alive = self._in_session and self._line.now() - self._heard_at < self.idle
        if not (fresh or alive):
            await self.open()

    async def _answer(self, code: str, parts: Wish) -> Answer:
        """One register, in a session that is opened again where it was lost."""
        try:
            found = await self._block(code, parts)
        except (CommandUnanswered, MeterBreak) as err:
            self._lost += 1
            if self._lost >= _MOST_LOST:
                raise
            return Answer(code, self.level, refusal=err)
        self._lost = 0
        if isinstance(found, MeterError):
            return Answer(code, self.level, refusal=found)
        one = register(found, parts, self._dialect, self._medium)
        unclear = AnswerUnclear(code=code) if one is None else None
        return Answer(code, self.level, one, unclear)

    async def _together(self, codes: Sequence[str]) -> dict[str, Answer]:
        """Several registers in one answer, a row each; none where they must be asked for one by one.

        Rows come without addresses, in the order of the question: one too few or too many, and none is believed, nor is
        this way tried again.
        """
        if len(codes) < 2 or self._instead is not None:
            return {}
        try:
            wishes = [commands.wish(code, "R") for code in codes]
        except BadField:
            return {}
        if any(parts.command or parts.operand is not None for parts in wishes):
            return {}
        command = self._dialect.reads[0]
        frame = await self._query(commands.reading_together(wishes, command, check=self._kind))
        try:
            block = self._understood(codes[0], frame)
        except CommandUnanswered, MeterBreak:
            self._one_by_one = True
            await self.open()
            return {}
        if isinstance(block, CheckWrong):
            return {}
        rows = [] if isinstance(block, MeterError) else block.splitlines()
        found = [
            register(row, parts, self._dialect, self._medium)
            for row, parts in zip(rows, wishes, strict=False)
            if error_text(row) is None
        ]
        if not len(found) == len(rows) == len(wishes) or None in found:
            self._one_by_one = True
            return {}
        self._lost = 0
        return {code: Answer(code, self.level, one) for code, one in zip(codes, found, strict=True)}

    async def _block(self, code: str, parts: Wish) -> bytes | MeterError:
        """The data for a code, or why the meter refuses them. Raises MeterError where the session is lost twice."""
        try:
            return await self._tried(code, parts)
        except CommandUnanswered, MeterBreak:
            # Its time without a word was shorter than the standard's, or it was disturbed.
            await self.open()
            if self._instead is not None:
                return ReadoutInstead(code=code)
            return await self._tried(code, parts)

    async def _tried(self, code: str, parts: Wish) -> bytes | MeterError:
        """All forms of the command that this meter may understand, until one brings data."""
        refused: MeterError | None = None
        for command, brackets in self._forms(parts):
            frame = await self._query(
                commands.reading(parts, command, brackets=brackets, check=self._kind)
            )
            found = self._understood(code, frame)
            if not isinstance(found, MeterError):
                self._understands[parts.command] = (command, brackets)
                return found
            if not isinstance(found, CommandUnknown) and type(found) is not MeterRefused:
                return found
            # A text of unknown meaning tells more than that there is no such command.
            refused = found if isinstance(refused, CommandUnknown | None) else refused
        return refused or CommandUnknown(code=code, message="")

    def _forms(self, parts: Wish) -> Iterable[_Form]:
        """The command the user chose, the one that worked, or those of the make, with brackets and without."""
        known = self._understands.get(parts.command)
        if known is not None:
            return (known,)
        reads = self._dialect.reads if parts.command is None else (parts.command,)
        brackets = self._dialect.brackets
        # Formatted reads are sent both ways (LUNA, TD-3511).
        return [
            (command, form)
            for command in reads
            for form in ((brackets, not brackets) if command == "R2" else (brackets,))
        ]

    def _understood(self, code: str, frame: Frame) -> bytes | MeterError:
        """The data of an answer, or the refusal it is. Raises CommandUnanswered, MeterBreak."""
        match frame.kind:
            case Kind.DATA:
                text = error_text(frame.block)
                return frame.block if text is None else refusal(text, code, self.level)
            case Kind.SILENCE:
                raise CommandUnanswered
            case Kind.BREAK:
                self._in_session = self._busy = False
                raise MeterBreak
            case Kind.DAMAGED:
                return CheckWrong()
            case Kind.OPERAND:
                return PasswordNeeded(code=code, message="P0")
            case _:
                return CommandUnknown(code=code, message=frame.kind.upper())

    @property
    def _medium(self) -> Medium:
        return self.profile.medium or Medium.ELECTRICITY

    async def _listed(self) -> tuple[dict[str, Register], MeterError | None]:
        """The registers of the meter's own table, or why there are none."""
        try:
            block = await self.read_block(self._dialect.table)
        except (MeterRefused, CheckWrong, ReadoutInstead) as err:
            return {}, err
        found, _ = registers(parse(block)[0], self._medium)
        return _by_address(found), None

    def _told_instead(self) -> dict[str, Register]:
        """The registers of the readout that came in place of programming mode."""
        receiver = self._instead
        if receiver is None:
            return {}
        medium = self.profile.medium or obis.infer_medium(
            receiver.identification, receiver.datasets
        )
        found, _ = registers(receiver.datasets, medium)
        return _by_address(found)

    def _picked(
        self, code: str, parts: Wish, table: dict[str, Register], missing: MeterError
    ) -> Answer:
        """A register out of a table; a code in any notation finds it."""
        wanted = code_of(parts.address, self._dialect, self._medium)
        one = table.get(parts.name) or next(
            (one for one in table.values() if wanted is not None and one.obis == wanted), None
        )
        return Answer(code, self.level, one, None if one else missing)


def _by_address(found: Iterable[Register]) -> dict[str, Register]:
    """Registers by their address as sent; the first one wins where a meter repeats it."""
    table: dict[str, Register] = {}
    for one in found:
        table.setdefault(one.address, one)
    return table
