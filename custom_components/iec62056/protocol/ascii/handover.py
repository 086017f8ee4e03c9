"""From the sign-on to the first octet of mode E: the option select that asks for it (Std 6.4.5), and the change of line."""

import re
from typing import override

from ..dlms_errors import BinaryRefused
from ..model import MODE_C_SPEEDS, Identification
from ..transport.trace import CLEAR_BIT_7
from . import messages
from .sign_on import ANSWER, BETWEEN, REACTION, SessionContext, SignOn

# V and Y of the option select: the HDLC protocol procedure, binary mode (Std 6.4.5.2).
_HDLC = "2"
_BINARY = "2"
# The meter repeats the option select at the new speed (jDLMS, EnergyICT); a NIK 2104 says nothing.
_REPEAT_WITHIN = 1.0
_REPEATED = re.compile(rb"\x062([0-6])2\r\n").search
_LENGTH = 6


class Handover(SignOn):
    """The beginning of a session of mode E. Afterwards the line is `binary` and at the meter's speed."""

    @override
    def __init__(self, terms: SessionContext, *, farewell: bytes = b"") -> None:
        """`farewell` ends a session of mode E that an earlier client left open."""
        super().__init__(terms)
        self._farewell = farewell

    async def begin(self) -> Identification:
        """Sign on and change to mode E, announced or not. Raises MeterError; BinaryRefused where data come instead."""
        line = self._line
        line.binary = False
        receiver = await self._sign_on()
        identification = receiver.identification
        if identification is not None and not receiver.started:
            await self._settle(receiver, self._pause_before(identification))
        if identification is None or receiver.started:
            raise BinaryRefused(meter="" if identification is None else identification.raw)
        offered = MODE_C_SPEEDS.get(identification.speed_character)
        switches = (
            line.can_switch
            and not self.profile.stay
            and offered is not None
            and (offered == line.speed or await self._takes(offered))
        )
        same = switches or offered == line.speed
        character = identification.speed_character if same else messages.STAY
        await line.write(messages.option_select(character, _BINARY, _HDLC))
        if switches and offered is not None:
            await line.set_speed(offered, at=line.sent_at + line.margin + self.profile.switch_delay)
        await self._hear_repetition(identification)
        line.binary = True
        line.drop_input()
        # Frames end as frames do, not by silence.
        self._busy = False
        return identification

    async def _hear_repetition(self, identification: Identification) -> None:
        """The meter's repetition of the option select, which may name a lower speed; it may be left out."""
        line = self._line
        heard = bytearray()
        deadline = line.sent_at + _REPEAT_WITHIN + line.grace
        while not (repeated := _REPEATED(heard)) and len(heard) < messages.MAX_IDENTIFICATION:
            run = await line.read(deadline)
            if not run:
                break
            heard += run.translate(CLEAR_BIT_7)
            deadline = min(line.now(), line.sent_at + ANSWER) + BETWEEN + line.grace
        if repeated is None:
            if messages.STX in heard and len(heard) > _LENGTH:
                raise BinaryRefused(meter=identification.raw)
            return
        speed = MODE_C_SPEEDS[repeated[1].decode("ascii")]
        await line.sleep_until(line.now() + identification.reaction_time)
        await self._set_speed(speed)

    @override
    async def _end_old_session(self, *, heard: bool) -> None:
        """Also the end of a session of mode E: that meter hears no break, and frees itself only after minutes."""
        line, speed = self._line, self.profile.speed
        if self._farewell and speed is not None and (line.can_switch or line.speed == speed):
            await self._set_speed(speed)
            line.binary = True
            try:
                await line.write(self._farewell)
                await line.sleep_until(line.sent_at + line.margin + REACTION)
            finally:
                line.binary = False
        await super()._end_old_session(heard=heard)
