"""Client for one meter, whatever mode it speaks: identifies it, reads it, listens to it, changes it."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from .ascii.messages import identification
from .ascii.passwords import Password
from .ascii.programming_session import Entrance
from .ascii.reading import Start, reading, with_medium
from .ascii.readout import Session
from .ascii.register_writer import RegisterWriter
from .ascii.sign_on import FED_AFTER, WHOLE_EFFORT, RetryPolicy, SessionContext
from .ascii.write_guard import WriteGuard
from .dlms.login import PUBLIC, DlmsLogin, Keyring, default_keyring
from .dlms.session import NOT_TAKEN
from .dlms_errors import BinaryRefused, HdlcSilent
from .errors import MeterError, NoData
from .mode_d import ModeDMeter
from .mode_e import ModeEMeter
from .model import Identification, LineProfile, Mode, ProgressCallback, Reading
from .push import pushed
from .register_session import NOTHING, Answer, Permits, RegisterSession, Written
from .transport.line import Line

# What is known of a meter before the first call: nothing.
ANY_METER = LineProfile()


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
        self._binary: ModeEMeter | None = None
        self._other_wake_ups = 0
        self._pins: tuple[bool | None, bool | None] = (None, None)

    @property
    def wake_ups(self) -> int:
        """How often the meter was woken up for this."""
        binary = 0 if self._binary is None else self._binary.wake_ups
        return self._session.wake_ups + self._other_wake_ups + binary

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
            async with aclosing(self.listen()) as telegrams:
                return await anext(telegrams)
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
        binary = self._mode_e()
        try:
            reading = await binary.read_all()
        finally:
            self.refusal = binary.refusal
        self.profile = binary.profile
        return reading

    def _mode_e(self) -> ModeEMeter:
        """The meter in mode E: one, so that it is known how the last link ended."""
        if self._binary is None:
            self._binary = ModeEMeter(
                self._line, self.profile, self._keyring, self._progress, effort=self._effort
            )
        self._binary.profile = self.profile
        return self._binary

    async def _read_out(self) -> Reading:
        """One data readout."""
        session, start = self._session, Start.of(self._line)
        session.profile = self.profile
        try:
            receiver = await session.read_out()
        finally:
            # Also of a failure something may be learned: that this meter must stay at the first speed.
            self.profile = session.profile
        self.profile = with_medium(self.profile, receiver)
        self._readout = await reading(
            self._line,
            self.profile,
            receiver,
            replace(start, received=session.received),
            check=session.verdict,
            retries=session.repeats,
            mode=session.mode,
            speed=session.speed,
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

        Where the login is not taken, what is readable without one is read, and `refusal` says why.
        """
        self.refusal = None
        try:
            async with self._talk(self._password) as talk:
                return await talk.read(codes)
        except NOT_TAKEN as err:
            self.refusal = err
        async with self._talk(None, PUBLIC) as talk:
            return await talk.read(codes)

    async def survey(self, codes: Sequence[str]) -> tuple[Answer, ...]:
        """What may be seen: each register at the lowest level that shows it, or as the highest refused it.

        Raises MeterError where the meter takes no login. A refused password or login is the `refusal`, once more.
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
            logins = self._keyring.logins
            least = () if logins[0].level is PUBLIC.level else (PUBLIC,)
            return [(None, login) for login in (*least, *logins)]
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
            binary = self._mode_e()
            await self._feed()
            session = binary.conversation(self._permits, login)
            try:
                yield session
            finally:
                try:
                    await session.close()
                finally:
                    self.profile = binary.profile
        else:
            talk = RegisterWriter(
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
                self._other_wake_ups += talk.wake_ups
                try:
                    await talk.close()
                finally:
                    self.profile = talk.profile

    @property
    def _speaks_binary(self) -> bool:
        mode = self.profile.mode
        return mode is Mode.E or (mode is None and self._keyring.private)

    async def listen(self) -> AsyncGenerator[Reading]:
        """The telegrams a meter sends unasked, without end (mode D, P1, DLMS). Raises as `ModeDMeter.listen`.

        Of DLMS, also PushKeyError where the telegrams cannot be opened.
        """
        await self._feed()
        if self.profile.dlms_push:
            pushes = pushed(self._line, self.profile, self._keyring, self._progress)
            async with aclosing(pushes) as readings:
                async for profile, reading in readings:
                    self.profile = profile
                    yield reading
            return
        pushing = ModeDMeter(self._line, self.profile, self._progress)
        async with aclosing(pushing.listen()) as telegrams:
            async for telegram in telegrams:
                self.profile = pushing.profile
                yield telegram

    async def _feed(self) -> None:
        """Give a probe its supply where that is known to be needed."""
        pins = self.profile.dtr, self.profile.rts
        if pins == self._pins:
            return
        await self._line.set_pins(*pins)
        self._pins = pins
        await self._line.sleep_until(self._line.now() + FED_AFTER)
