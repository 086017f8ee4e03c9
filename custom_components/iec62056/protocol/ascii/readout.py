"""Conversations of modes A, B and C over a line: option select, readout, repeat (Std 6.4.1 to 6.4.3)."""

from dataclasses import replace
from typing import override

from ..errors import (
    BridgeRefusedSettings,
    BusSilent,
    CheckWrong,
    Incomplete,
    MeterBreak,
    MeterError,
    MeterFaster,
    MeterRefused,
    NoAnswer,
    NoData,
    NoIdentification,
    OnlyEcho,
    WrongParity,
)
from ..model import MODE_B_SPEEDS, MODE_C_SPEEDS, CheckKind, Identification, Mode, Stage, Verdict
from ..transport.trace import LineStats
from . import checks, messages
from .diagnosis import BAD_PERCENT, percent_wrong
from .receiver import Receiver
from .sign_on import ANSWER, BETWEEN, BUSY_LIMIT, REACTION, SessionContext, SignOn

# Std 6.4.3.6: a mode C meter that heard no acknowledgement sends its data between these times, in seconds.
LONGEST_SILENCE = 1.5
UNASKED = 2.2
# The slowest readout known takes 4:21 min at 300 Bd; the longest has 16 kB (9 min).
READOUT_LIMIT = 900.0

# What adapters and heads may need before they change their speed (j62056, vzlogger#111), in seconds.
LONGEST_DELAY = 0.4
# The part of a meter's reaction that may be waited for: its answer must not begin before the change of speed.
_OF_REACTION = 0.75
# A delay below this is none.
_LEAST_DELAY = 0.02


class Session(SignOn):
    """One meter on one open line. `profile` holds what was given and learned; one call at a time."""

    @override
    def __init__(self, terms: SessionContext) -> None:
        """Nothing is sent before the first call."""
        super().__init__(terms)
        self.mode = Mode.A
        self.speed = terms.line.speed
        self.verdict = Verdict.ABSENT
        self.repeats = 0
        self._acknowledged = False
        self._switched = False
        self._answer_from = terms.line.tally.copy()
        self._stays = terms.profile.stay
        self._delay = terms.profile.switch_delay
        self._waited = False
        self._prompt = False

    async def identify(self) -> Identification:
        """Sign on, and off again where the meter waits for an answer. Raises MeterError."""
        receiver = await self._sign_on()
        if receiver.started:
            await self._receive(receiver)
        identification = receiver.identification
        if identification is None:
            raise NoIdentification
        if not receiver.started:
            await self._settle(receiver, identification.reaction_time)
        if not receiver.started and self._mode_of(identification) in (Mode.C, Mode.E):
            await self._sign_off()
            self._busy = False
        return identification

    async def read_out(self) -> Receiver:
        """One complete data readout, repeated once where it came damaged (Std 6.4.3.5). Raises MeterError.

        Where a change of speed has never worked, it is repeated once more with each way that is left.
        """
        self.repeats = 0
        self._stays = self.profile.stay
        self._delay = self.profile.switch_delay
        self._waited = False
        receiver = await self._start()
        while True:
            await self._receive(receiver)
            fault = self._fault(receiver)
            if fault is None:
                break
            if isinstance(fault, MeterRefused | MeterFaster):
                raise fault
            if not self._other_way(receiver, fault) and self.repeats:
                raise fault
            self.repeats += 1
            try:
                receiver = await self._again(receiver)
            except (NoAnswer, BusSilent, OnlyEcho) as err:
                # What it did when it answered tells more.
                raise fault from err
        self.profile = checks.learn(self.profile, receiver.fits, receiver.block)
        if self._switched:
            self.profile = replace(self.profile, speed=self.speed, switch_delay=self._delay)
        # Where a change of speed has ever worked, one that failed was an accident.
        if self._stays and self.profile.speed is None:
            self.profile = replace(self.profile, stay=True)
        return receiver

    async def _start(self) -> Receiver:
        """Sign on and see to it that data come."""
        self._acknowledged = self._switched = False
        receiver = await self._sign_on()
        identification = receiver.identification
        if identification is None or receiver.started:
            self.mode = Mode.A
        else:
            self.mode = self._mode_of(identification)
            if self.mode is Mode.B:
                await self._follow(receiver, identification)
            elif self.mode is not Mode.A:
                await self._select(receiver, identification)
        self.speed = self._line.speed
        self._answer_from = self._line.tally.copy()
        return receiver

    def _mode_of(self, identification: Identification) -> Mode:
        return self.profile.mode or identification.mode

    def _speed_for(self, identification: Identification, speeds: dict[str, int]) -> int | None:
        """The speed to change to, None where the line stays as it is."""
        speed = speeds.get(identification.speed_character)
        if not self._line.can_switch or self._stays or speed == self._line.speed:
            return None
        return speed

    async def _follow(self, receiver: Receiver, identification: Identification) -> None:
        """Mode B: the meter changes its speed after a short pause, without being asked (Std 6.4.2)."""
        await self._settle(receiver, 0.0)
        speed = self._speed_for(identification, MODE_B_SPEEDS)
        if speed is not None and not receiver.started:
            await self._line.set_speed(speed, at=self._line.now() + self._delay)
            self._switched = True

    async def _select(
        self,
        receiver: Receiver,
        identification: Identification,
        option: str = messages.READOUT,
    ) -> None:
        """Mode C: ask for the readout, or another `option`, at the meter's speed, or "stay" (Std 6.4.3.2); nothing where data come already.

        Any character but the meter's own leaves it at the sign-on speed; another speed is never made up.
        """
        line = self._line
        await self._settle(receiver, self._pause_before(identification))
        if receiver.started:
            # Whatever the speed character says, this meter does not wait.
            self.mode = Mode.A
            return
        self.mode = Mode.C
        speed = self._speed_for(identification, MODE_C_SPEEDS)
        if speed is not None and not await self._takes(speed):
            speed = None
        if line.now() > self._heard_at + LONGEST_SILENCE:
            # It was not acknowledged in time, and sends its data by itself (Std 6.4.3.6).
            return
        at_speed = MODE_C_SPEEDS.get(identification.speed_character) == line.speed
        same = speed is not None or (at_speed and not self._stays)
        await line.write(
            messages.option_select(
                identification.speed_character if same else messages.STAY, option
            )
        )
        self._acknowledged = True
        if speed is not None:
            try:
                await line.set_speed(speed, at=line.sent_at + line.margin + self._delay)
            except BridgeRefusedSettings:
                # It was set before: the next time the bridge is asked again.
                self.profile = replace(self.profile, speed=None)
                raise
            self._switched = True

    async def _receive(self, receiver: Receiver) -> None:
        """Hear the data out: until their check character, their end mark and silence, or silence alone."""
        line = self._line
        end = line.now() + READOUT_LIMIT
        deadline = max(line.sent_at, self._heard_at) + UNASKED + line.grace
        rest = b""
        heard = self._prompt = False
        if not receiver.started:
            self._data_from = line.tally.copy()
        while not receiver.closed:
            run = await line.read(min(deadline, end))
            if not run:
                break
            if not heard:
                heard = True
                self._prompt = line.now() - self._time_of(len(run)) < line.sent_at + ANSWER
            rest = self._hear(receiver, run)
            self._tell(Stage.READING, receiver)
            deadline = line.now() + self._gap(receiver)
        receiver.end()
        if receiver.identification is None and receiver.complete:
            await self._hear_late_identification(receiver, rest)
        self._busy = receiver.overflow or line.now() >= end

    def _gap(self, receiver: Receiver) -> float:
        """How long to wait for the next character, in seconds."""
        ended = receiver.complete and not receiver.checking
        if ended or (receiver.checking and self.profile.check_kind is CheckKind.NONE):
            return self._time_of(3) + self._line.grace
        return BETWEEN + self._line.grace

    async def _hear_late_identification(self, receiver: Receiver, rest: bytes) -> None:
        """EMH and MetCom meters may answer with data first (behind TCP modems): their name comes behind them."""
        line = self._line
        late = Receiver()
        late.feed(rest)
        end = line.now() + ANSWER + self._time_of(messages.MAX_IDENTIFICATION)
        while late.identification is None and line.now() < end:
            pause = BETWEEN if late.identifying else REACTION
            run = await line.read(line.now() + pause + line.grace)
            if not run:
                return
            late.feed(run)
        receiver.identification = late.identification

    def _fault(self, receiver: Receiver) -> MeterError | None:
        """What keeps the data from being a reading, None where nothing does."""
        if receiver.meter_break:
            return MeterBreak()
        if text := messages.error_message(receiver.block):
            return MeterRefused(message=text)
        heard = self._line.tally.since(self._data_from)
        if not receiver.named:
            return self._no_data(receiver, heard)
        unchecked = self.profile.check_kind in (None, CheckKind.NONE)
        if not receiver.complete and not (receiver.marked and unchecked):
            return Incomplete()
        self.verdict = checks.verdict(self.profile, receiver.fits)
        if self.verdict is Verdict.WRONG:
            fault = CheckWrong()
            if not heard.wrong:
                fault.shape = checks.shape(receiver.block)
            return fault
        # One damaged character in a block whose check is right: its parity bit alone, no bit of the data.
        if receiver.wrong(heard) > (self.verdict is Verdict.RIGHT):
            return WrongParity(percent=str(percent_wrong(heard)))
        return None

    def _no_data(self, receiver: Receiver, heard: LineStats) -> MeterError:
        line, meter = self._line, receiver.identification
        if self.mode is Mode.B and not line.can_switch and meter and meter.speed != line.speed:
            return MeterFaster(port=line.name, speed=str(line.speed), wanted=str(meter.speed))
        if heard.characters and percent_wrong(heard) >= BAD_PERCENT and not self._switched:
            return WrongParity(percent=str(percent_wrong(heard)))
        return NoData(meter="" if meter is None else meter.raw)

    def _other_way(self, receiver: Receiver, fault: MeterError) -> bool:
        """Whether there is another way to have the data sent: another moment to change the speed, or not at all.

        It is chosen then. Another speed is never made up: the first one is what the standard guarantees (Std 6.4.3.2).
        """
        if not self._switched:
            return False
        beheaded = receiver.complete and receiver.beheaded
        if beheaded and self._delay:
            # The change of speed came too late.
            self._delay = self._delay / 2 if self._delay > 2 * _LEAST_DELAY else 0.0
            return True
        if beheaded and not self.repeats:
            return False
        silent = isinstance(fault, NoData)
        never = self.profile.speed is None and (silent or beheaded)
        noise = percent_wrong(self._line.tally.since(self._answer_from)) >= BAD_PERCENT
        # In mode B the meter has changed its speed, whatever is wanted of it.
        if not (self._acknowledged if noise else never):
            return False
        # An adapter that changed its speed too early has cut the acknowledgement off; a meter that answers at once has
        # understood it.
        longest = min(LONGEST_DELAY, self._reaction * _OF_REACTION)
        if never and silent and self._acknowledged and not self._waited:
            self._waited = True
            if not self._prompt and longest > self._delay + _LEAST_DELAY:
                self._delay = longest
                return True
        self._stays = True
        return True

    async def _again(self, receiver: Receiver) -> Receiver:
        """Have the data sent again: by NAK, or by a new request; by that too where the speed shall stay."""
        given_up = self._switched and self._stays
        listens = self._acknowledged and not (given_up or receiver.meter_break)
        if listens and receiver.identification and receiver.datasets:
            repeated = await self._ask_repeat(receiver.identification)
            if repeated is not None:
                return repeated
        self._busy = True
        return await self._start()

    async def _ask_repeat(self, identification: Identification) -> Receiver | None:
        """NAK (Std 6.4.3.5); None where the meter does not answer it."""
        line = self._line
        silence = max(identification.reaction_time, self._time_of(3) + line.grace)
        end = line.now() + BUSY_LIMIT
        while await line.read(line.now() + silence):
            if line.now() > end:
                return None
        await line.write(messages.NAK)
        receiver = Receiver(identification)
        self._data_from = line.tally.copy()
        run = await line.read(line.sent_at + ANSWER + line.grace)
        if not run:
            return None
        self._hear(receiver, run)
        return receiver
