"""One way to read a meter, whatever mode it speaks: identify, read everything, listen.

Here: from an open line and a LineProfile to a Reading, and what the profile learns on the way.
Never here: opening ports, the conversation itself (`ascii.session`), Home Assistant.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime

from . import obis
from .ascii import checks
from .ascii.diagnosis import Heard, reason
from .ascii.messages import identification
from .ascii.passwords import Password
from .ascii.programming_session import Entrance
from .ascii.push_telegrams import Listener
from .ascii.readout import Session
from .ascii.receiver import Receiver
from .ascii.register_writer import RegisterWriter
from .ascii.registers import registers
from .ascii.sign_on import FED_AFTER, WHOLE_EFFORT, RetryPolicy, SessionContext
from .ascii.write_guard import WriteGuard
from .dlms.login import DlmsLogin, Keyring, default_keyring
from .dlms.session import NOT_TAKEN
from .errors import (
    BinaryRefused,
    BridgeRefusedSettings,
    CheckWrong,
    HdlcSilent,
    LoginError,
    MeterError,
    NoData,
    NoIdentification,
)
from .mode_e import ModeEMeter
from .model import (
    Health,
    Identification,
    LineProfile,
    Mode,
    Progress,
    ProgressCallback,
    Reading,
    Stage,
    Verdict,
)
from .push import pushed
from .register_session import NOTHING, Answer, Permits, RegisterSession, Written
from .transport.line import Line
from .transport.trace import LineStats

# What is known of a meter before the first call: nothing.
ANY_METER = LineProfile()

# Where pushing meters are found: those that announce 9600, the standard's mode D (Std 6.4.4), P1.
LISTEN_SPEEDS = (9600, 2400, 115200)
# A readout of 16 kB has fewer data sets; more would hold the event loop for longer than 5 ms.
MOST_AT_ONCE = 800
# Meters push at least every 10 s.
LISTEN_WINDOW = 11.0
# A meter that pushed before may pause; after this the reason is told.
LISTEN_LIMIT = 60.0
# Of the telegrams whose check was wrong: as many as the quickest meters push in that time.
MOST_WRONG = 60


class MeterClient:
    """One meter on one open line; one call at a time. Cancelling a call leaves nothing behind but a busy line.

    `profile` is what was given plus what was learned: store it after a success.
    """

    def __init__(
        self,
        line: Line,
        profile: LineProfile = ANY_METER,
        progress: ProgressCallback | None = None,
        effort: RetryPolicy = WHOLE_EFFORT,
        keyring: Keyring | None = None,
        *,
        password: Password | None = None,
        permits: Permits = NOTHING,
    ) -> None:
        """Nothing is sent before the first call.

        `keyring` holds the logins of mode E, the public client without it, and for which meter all secrets and changes are;
        `password` is that of programming mode. `permits` is what may be changed: by default, nothing.
        """
        self.profile = profile
        self.refusal: MeterError | None = None
        """Why the latest reading had to do without a login."""
        self._line = line
        self._progress = progress
        self._effort = effort
        self._keyring = default_keyring(profile) if keyring is None else keyring
        self._session = Session(SessionContext(line, profile, progress, effort))
        self._password = password
        self._permits = permits
        self._readout: Reading | None = None
        self._other_wake_ups = 0
        self._pins: tuple[bool | None, bool | None] = (None, None)

    @property
    def wake_ups(self) -> int:
        """How often the meter was woken up for this."""
        return self._session.wake_ups + self._other_wake_ups

    async def identify(self) -> Identification:
        """Sign on and say who answered. Raises MeterError."""
        self._session.profile = self.profile
        await self._feed()
        return await self._session.identify()

    async def read_all(self) -> Reading:
        """Everything the meter tells at once: a data readout, or one telegram of a meter that pushes.

        Raises MeterError: no reading was made, or none that may be believed.
        """
        if self.profile.mode is Mode.D:
            telegrams = self.listen()
            try:
                return await anext(telegrams)
            finally:
                await telegrams.aclose()
        await self._feed()
        if self._speaks_binary:
            return await self._read_binary()
        try:
            return await self._read_out()
        except NoData as err:
            meter = identification(err.placeholders["meter"].encode("latin-1"))
            if self.profile.mode is not None or meter is None or not meter.offers_mode_e:
                raise
            # It offers modes C and E, and gives nothing in mode C.
            try:
                return await self._read_binary()
            except BinaryRefused, HdlcSilent:
                raise err from None

    async def _read_binary(self) -> Reading:
        """One reading in mode E."""
        binary = ModeEMeter(
            self._line, self.profile, self._keyring, self._progress, effort=self._effort
        )
        try:
            reading = await binary.read_all()
        finally:
            self._other_wake_ups += binary.wake_ups
            self.refusal = binary.refusal
        self.profile = binary.profile
        return reading

    async def _read_out(self) -> Reading:
        """One data readout."""
        session = self._session
        session.profile = self.profile
        start, before = self._line.now(), self._line.tally.copy()
        try:
            receiver = await session.read_out()
        finally:
            # Also of a failure something may be learned: that this meter must stay at the first speed.
            self.profile = session.profile
        health = self._health(receiver, before, start)
        self._readout = await self._reading(
            receiver,
            session.received,
            replace(
                health,
                check=session.verdict,
                retries=session.repeats,
                mode=session.mode,
                speed=session.speed,
            ),
        )
        return self._readout

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator[RegisterSession]:
        """An open session in which registers are asked for one by one; signed off at its end, whatever happens.

        Raises MeterError; LoginError where the password was refused.
        """
        async with self._talk(self._password) as talk:
            await talk.open()
            yield talk

    async def read(self, codes: Sequence[str]) -> tuple[Answer, ...]:
        """Registers by their codes, in a session of their own. Raises MeterError.

        Where the password is refused, what is readable without one is read, and `refusal` says why.
        """
        self.refusal = None
        try:
            async with self._talk(self._password) as talk:
                return await talk.read(codes)
        except LoginError as err:
            self.refusal = err
        async with self._talk(None) as talk:
            return await talk.read(codes)

    async def survey(self, codes: Sequence[str]) -> tuple[Answer, ...]:
        """What may be seen: each register at the lowest level that shows it, or as the highest refused it.

        Raises MeterError where the meter lets nobody in. A refused password or login is the `refusal`, once more.
        """
        self.refusal = None
        answers: dict[str, Answer] = {}
        left = list(codes)
        for password, login in self._levels:
            try:
                async with self._talk(password, login) as talk:
                    answers |= {answer.code: answer for answer in await talk.read(left)}
            except NOT_TAKEN as err:
                self.refusal = err
            left = [code for code in codes if code not in answers or answers[code].register is None]
            if not left:
                break
        if self.refusal is not None and not answers:
            raise self.refusal
        return tuple(answers[code] for code in codes)

    @property
    def _levels(self) -> Sequence[tuple[Password | None, DlmsLogin | None]]:
        """The ways in, each for one level, from the lowest: passwords of programming mode, or logins of mode E."""
        if self._speaks_binary:
            return [(None, login) for login in self._keyring.logins]
        ways = [None] if self._password is None else [None, self._password]
        return [(password, None) for password in ways]

    async def write(self, code: str, value: str) -> Written:
        """Set one register that may be written, and read it back. Raises MeterError: then nothing was sent."""
        async with self._talk(self._password) as talk:
            return await talk.write(code, value)

    async def execute(self, code: str, argument: str) -> Written:
        """Execute one command that may be executed. Raises MeterError: then nothing was sent."""
        async with self._talk(self._password) as talk:
            return await talk.execute(code, argument)

    @asynccontextmanager
    async def _talk(
        self, password: Password | None, login: DlmsLogin | None = None
    ) -> AsyncIterator[RegisterSession]:
        """A conversation that opens itself when it first needs to; the mode is the profile's.

        In mode E it is one by that login, or by the best of the keyring.
        """
        if self._speaks_binary:
            binary = ModeEMeter(
                self._line, self.profile, self._keyring, self._progress, effort=self._effort
            )
            talk: RegisterSession = binary.conversation(self._permits, login)
            client: ModeEMeter | RegisterWriter = binary
            await self._feed()
        else:
            talk = client = RegisterWriter(
                SessionContext(self._line, self.profile, self._progress, self._effort),
                Entrance(
                    password,
                    WriteGuard(self._permits, password),
                    self._feed,
                    self._read_out,
                    self._readout,
                    self._keyring.intended,
                ),
            )
        try:
            yield talk
        finally:
            self._other_wake_ups += client.wake_ups
            try:
                await talk.close()
            finally:
                self.profile = client.profile

    @property
    def _speaks_binary(self) -> bool:
        mode = self.profile.mode
        return mode is Mode.E or (mode is None and self._keyring.private)

    async def listen(self) -> AsyncGenerator[Reading]:
        """The telegrams a meter sends unasked, without end (mode D, P1).

        Damaged telegrams are passed over and counted as retries of the next good one. Raises MeterError when
        nothing whole came for a minute: then say so, and listen again. It is CheckWrong, with a shape, where all that
        came were alike, and wrong in nothing but their check. Of DLMS, PushKeyError where the telegrams cannot be opened.
        """
        line = self._line
        await self._feed()
        if self.profile.dlms_push:
            pushes = pushed(line, self.profile, self._keyring, self._progress)
            async with aclosing(pushes) as readings:
                async for profile, reading in readings:
                    self.profile = profile
                    yield reading
            return
        heard = Heard(line.tally.copy())
        heard.begin(heard.start)
        wrong = deque[bytes](maxlen=MOST_WRONG)
        for speed in self._listen_speeds():
            if line.can_switch:
                try:
                    await line.set_speed(speed, at=max(line.now(), line.sent_at + line.margin))
                except BridgeRefusedSettings:
                    if self.profile.listen_speed is not None:
                        raise
                    # Most bridges end below the speed of P1.
                    continue
            self._tell(Progress(Stage.LISTENING, speed=speed))
            window = LISTEN_WINDOW if self.profile.listen_speed is None else LISTEN_LIMIT
            async for reading in self._telegrams(window, heard, wrong):
                self.profile = replace(self.profile, listen_speed=speed)
                yield reading
            if len(wrong) >= checks.WRONG_ALIKE and wrong[0] and len(set(wrong)) == 1:
                fault = CheckWrong()
                fault.shape = wrong[0]
                fault.without = checks.without_check(replace(self.profile, listen_speed=speed))
                raise fault
            if self.profile.listen_speed is not None:
                break
        told = CheckWrong() if len(wrong) >= checks.WRONG_ALIKE else NoIdentification()
        raise reason(line, heard, self.profile) or told

    async def _feed(self) -> None:
        """Give a probe its supply where that is known to be needed."""
        pins = self.profile.dtr, self.profile.rts
        if pins == self._pins:
            return
        await self._line.set_pins(*pins)
        self._pins = pins
        await self._line.sleep_until(self._line.now() + FED_AFTER)

    def _listen_speeds(self) -> tuple[int, ...]:
        """The speeds to listen at, in order."""
        if not self._line.can_switch:
            return (self._line.speed,)
        return LISTEN_SPEEDS if self.profile.listen_speed is None else (self.profile.listen_speed,)

    async def _telegrams(
        self, window: float, heard: Heard, wrong: deque[bytes]
    ) -> AsyncGenerator[Reading]:
        """Telegrams until none came for `window` seconds, a minute once there was one.

        `wrong` has the shapes of those since the last good one whose check was wrong, empty where the line did harm.
        """
        line = self._line
        listener = Listener()
        damaged = 0
        start, before, received = line.now(), line.tally.copy(), line.utcnow()
        deadline = line.now() + window
        while line.now() < deadline and (run := await line.read(deadline)):
            heard.add(run)
            if listener.receiver.idle:
                start = line.now()
            if not listener.receiver.started:
                received = line.utcnow()
            for receiver in listener.feed(run):
                count = line.tally.since(before)
                verdict = checks.verdict(self.profile, receiver.fits)
                if verdict is Verdict.WRONG or count.wrong > (verdict is Verdict.RIGHT):
                    damaged += 1
                    if verdict is Verdict.WRONG:
                        wrong.append(b"" if count.wrong else checks.shape(receiver.block))
                    continue
                health = replace(
                    self._health(receiver, before, start),
                    check=verdict,
                    retries=damaged + listener.broken,
                )
                self.profile = checks.learn(self.profile, receiver.fits, receiver.block)
                damaged = listener.broken = 0
                wrong.clear()
                deadline = line.now() + LISTEN_LIMIT
                yield await self._reading(receiver, received, health)
            if listener.receiver.idle:
                before = line.tally.copy()
            self._tell(
                Progress(
                    Stage.LISTENING,
                    len(listener.receiver.raw),
                    len(listener.receiver.datasets),
                    line.speed,
                )
            )

    def _health(self, receiver: Receiver, before: LineStats, start: float) -> Health:
        """What the link did for this reading; what a readout knows better is put in by it."""
        line = self._line
        count = line.tally.since(before)
        return Health(
            check_kind=checks.kind(self.profile, receiver.fits),
            parity=line.tally.parity,
            parity_errors=count.wrong,
            characters=count.characters,
            echo=count.echoed > 0,
            duration=line.now() - start,
            speed=line.speed,
            mode=Mode.D,
            late_switches=count.late_switches,
        )

    async def _reading(self, receiver: Receiver, received: datetime, health: Health) -> Reading:
        """The reading; the medium of codes that name none is found once and kept."""
        datasets = receiver.datasets
        medium = self.profile.medium
        if medium is None:
            medium = obis.infer_medium(receiver.identification, datasets)
            self.profile = replace(self.profile, medium=medium)
        if len(datasets) > MOST_AT_ONCE:
            found, homeless = await asyncio.to_thread(registers, datasets, medium)
        else:
            found, homeless = registers(datasets, medium)
        return Reading(
            identification=receiver.identification,
            registers=found,
            received=received,
            health=health,
            unparsed=(*receiver.unparsed, *homeless),
            raw=bytes(receiver.raw),
        )

    def _tell(self, progress: Progress) -> None:
        if self._progress is not None:
            self._progress(progress)
