"""Changes in programming mode: a register, a command, the clock (Std 6.3.14 items 18 to 20)."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import override

from ..errors import ClockUnknown, LineError, MeterError, NotPermitted, ReadoutInstead
from ..model import CheckKind, Register
from ..register_session import WriteOutcome, Written
from ..values import number
from . import clock, commands, messages
from .commands import Wish
from .profile_reader import ProfileReader
from .programming_frames import Kind

# How far a clock that was set may be off when it is read back: its own second, and ours.
_CLOCK_OFF = 3
_DAY = 86400
# Time and date are two registers: not so close before midnight that they could belong to two days.
_BEFORE_MIDNIGHT = 20


class RegisterWriter(ProfileReader):
    """One meter in programming mode. `allow` judges each encoded command before it leaves."""

    @override
    async def write(self, code: str, value: str) -> Written:
        """Set one register and read it back."""
        try:
            parts = self._checked(code, value, "W")
            await self._ready()
            if self._instead is not None:
                raise ReadoutInstead(code=code)
            before = await self._shown(parts)
            # A meter may end its session over a register that it does not show.
            await self._ready()
        except MeterError as err:
            return Written(code, WriteOutcome.NOT_SENT, refusal=err)
        command = parts.command or self._dialect.write
        certainty, refused = await self._set(code, parts, command, value)
        unsent = certainty in (WriteOutcome.REFUSED, WriteOutcome.NOT_SENT)
        if unsent or isinstance(refused, LineError):
            return Written(code, certainty, before, refusal=refused)
        after = await self._shown_at_last(parts)
        if after is None:
            return Written(code, certainty, before, refusal=refused)
        shows, showed = _shows(after, value), before is not None and _shows(before, value)
        # A register that had this value before proves nothing where no acknowledgement came.
        if shows and (certainty is WriteOutcome.UNCONFIRMED or not showed):
            return Written(code, WriteOutcome.CONFIRMED, before, after)
        return Written(code, WriteOutcome.UNCONFIRMED, before, after, refused)

    @override
    async def execute(self, code: str, argument: str) -> Written:
        """Execute a command of the meter; its acknowledgement is all there is to confirm it."""
        try:
            parts = self._checked(code, argument, "E")
            await self._ready()
            if self._instead is not None:
                raise ReadoutInstead(code=code)
        except MeterError as err:
            return Written(code, WriteOutcome.NOT_SENT, refusal=err)
        certainty, refused = await self._set(code, parts, parts.command or "E2", argument)
        if certainty is WriteOutcome.UNCONFIRMED:
            certainty = WriteOutcome.CONFIRMED
        return Written(code, certainty, refusal=refused)

    @override
    async def set_clock(self, time: datetime) -> Written:
        """Set the clock to a time that has the meter's zone and is the present one, in the form it is shown in.

        The date is written only where it differs.
        """
        started = self._line.now()

        def moment() -> datetime:
            return time + timedelta(seconds=self._line.now() - started)

        try:
            for code in (clock.TIME, clock.DATE):
                self._checked(code, "", "W")
            shown = await self.read((clock.TIME, clock.DATE))
            if self._instead is not None:
                raise ReadoutInstead(code=clock.TIME)
        except MeterError as err:
            return Written(clock.TIME, WriteOutcome.NOT_SENT, refusal=err)
        before = shown[0].register
        texts = [_text(answer.register) for answer in shown]
        midnight = moment().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        left = (midnight - moment()).total_seconds()
        if left < _BEFORE_MIDNIGHT:
            await self._line.sleep_until(self._line.now() + left)
        for code, text in ((clock.DATE, texts[1]), (clock.TIME, texts[0])):
            value = clock.like(code, text, moment())
            if value is None:
                reason = next((answer.refusal for answer in shown if answer.refusal), None)
                return Written(
                    code, WriteOutcome.NOT_SENT, before, refusal=reason or ClockUnknown()
                )
            if code == clock.DATE and value == text:
                continue
            parts = commands.wish(code, "W")
            command = self._dialect.write
            certainty, refused = await self._set(code, parts, command, value)
            if certainty is not WriteOutcome.UNCONFIRMED:
                return Written(code, certainty, before, refusal=refused)
        after = await self._shown_at_last(commands.wish(clock.TIME, "R"))
        wanted = clock.like(clock.TIME, texts[0], moment())
        set_right = _close(_text(after), wanted or "")
        certainty = WriteOutcome.CONFIRMED if set_right else WriteOutcome.UNCONFIRMED
        return Written(clock.TIME, certainty, before, after)

    def _checked(self, code: str, value: str, letter: str) -> Wish:
        """The parts of a code, found fit to be sent by the command named, or by one the meter's make may have.

        Which one that is, is known only in the session; it is judged again then. Raises BadField, NotPermitted.
        """
        parts = commands.wish(code, letter)
        for command in messages.COMMANDS:
            if command.startswith(parts.command or letter):
                with suppress(NotPermitted):
                    self._allow(commands.writing(parts, command, value, check=CheckKind.XOR))
                    return parts
        raise NotPermitted(code=parts.address)

    async def _set(
        self, code: str, parts: Wish, command: str, value: str
    ) -> tuple[WriteOutcome, MeterError | None]:
        """Send what changes something, once; what its answer alone tells: UNCONFIRMED where it was acknowledged."""
        try:
            await self._make_sure()
        except MeterError as err:
            return WriteOutcome.NOT_SENT, err
        signed = self._dialect.signed and command.startswith("W") and self._password is not None
        password = self._password.text if signed and self._password is not None else None
        order = commands.writing(parts, command, value, password=password, check=self._kind)
        before = self._line.sent_at
        try:
            frame = await self._order(order, secret=password is not None)
        except NotPermitted as err:
            return WriteOutcome.NOT_SENT, err
        except LineError as err:
            # What was handed over may have left, or some of it, whatever the line says.
            handed_over = self._line.sent_at != before
            return WriteOutcome.UNKNOWN if handed_over else WriteOutcome.NOT_SENT, err
        try:
            found = self._understood(code, frame)
        except MeterError as err:
            return WriteOutcome.UNKNOWN, err
        if frame.kind is Kind.ACK or not isinstance(found, MeterError):
            return WriteOutcome.UNCONFIRMED, None
        return (WriteOutcome.UNKNOWN if frame.kind is Kind.DAMAGED else WriteOutcome.REFUSED), found

    async def _shown(self, parts: Wish) -> Register | None:
        """What a register holds, None where it cannot be read. Raises MeterError where the conversation is lost."""
        (answer,) = await self.read((parts.name,))
        return answer.register

    async def _shown_at_last(self, parts: Wish) -> Register | None:
        """What a register holds after a change; whatever happens now, the change was sent."""
        try:
            return await self._shown(parts)
        except MeterError:
            return None


def _text(one: Register | None) -> str:
    return one.values[0].text if one is not None and one.values else ""


def _shows(one: Register, value: str) -> bool:
    """Whether a register holds a value, whatever zeros the meter puts before it."""
    text = _text(one)
    wanted = number(value)
    return text == value or (wanted is not None and number(text) == wanted)


def _close(shown: str, wanted: str) -> bool:
    """Whether two times of a clock are nearly the same, across midnight too."""
    one, other = clock.seconds(shown), clock.seconds(wanted)
    if one is None or other is None:
        return False
    apart = (one - other) % _DAY
    return min(apart, _DAY - apart) <= _CLOCK_OFF
