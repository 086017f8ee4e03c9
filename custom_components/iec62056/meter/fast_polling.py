"""Quick registers: a few that are read again and again between the full readings.

Here: the loop in one kept session, or over a short list where the meter has one, and the rate that can be reached.
Never here: what is believed of a value (trust), who has the line next (its queue).

The session is given up within one register, or what a meter tells in one turn, as soon as anybody waits for the line:
another meter, a dialogue, an action, or the full reading of this same meter.

A total says nothing of whose it is, and the probe may have been moved since the full reading. So each session that is
opened tells the meter's number once before anything of it is shown. Where a meter does not show it there, and in a short
list without it, what the meter calls itself at the sign-on has to be the same.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..entry_data import CONF_QUICK, CONF_QUICK_REQUEST, CONF_QUICK_SECONDS
from ..protocol.ascii.dialects import dialect
from ..protocol.errors import AnswerUnclear, CheckWrong, MeterError, NumberUnsteady, ReadoutInstead
from ..protocol.model import Identification, Reading, Register
from ..protocol.rate import rounds_per_second
from ..protocol.register_session import RegisterSession
from ..protocol.transport.line import Line
from ..state.identity import plain
from ..state.meter_state import MeterState
from . import backoff, connection
from .schedule import is_push, runs_on_battery

if TYPE_CHECKING:
    from ..coordinator import MeterCoordinator

USUAL_SECONDS: Final = 5
MOST_SECONDS: Final = 60
# Requests after which some makes send a short list.
SHORT_LISTS: Final = ("2", "#")
# As long as the address of a usual register.
_USUAL_CODE: Final = "16.7.0"


class FastPoller:
    """The quick registers of one meter."""

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Know which they are; nothing is read yet."""
        self._coordinator = coordinator
        self._hass = coordinator.hass
        options = coordinator.config_entry.options
        self._codes: tuple[str, ...] = tuple(options.get(CONF_QUICK, ()))
        self._request: str | None = options.get(CONF_QUICK_REQUEST)
        self._seconds: int = options.get(CONF_QUICK_SECONDS, USUAL_SECONDS)
        # Where a session was given up in the middle of a round, the next one goes on.
        self._next = 0
        # Whether the meter shows its number in a session; None until it was asked.
        self._tells_number: bool | None = None

    @callback
    def async_start(self) -> None:
        """Read them until the entry is unloaded."""
        if self._codes and may_be_quick(self._coordinator):
            self._coordinator.in_background(self._run(), "quick registers")

    async def _run(self) -> None:
        coordinator, failures = self._coordinator, 0
        while True:
            now = dt_util.utcnow()
            await asyncio.sleep((coordinator.schedule.awake(now) - now).total_seconds())
            try:
                await (self._kept_session() if self._request is None else self._short_list())
                failures = 0
            except MeterError as err:
                # The full reading tells what is wrong with the line.
                failures += 1
                coordinator.logger.debug("%s: quick registers: %s", coordinator.name, err)
                await asyncio.sleep(backoff.pause(failures))

    async def _kept_session(self) -> None:
        """One session, until somebody waits for the line. Raises MeterError."""
        coordinator = self._coordinator
        async with (
            coordinator.hold() as line,
            coordinator.access.meter(line) as meter,
            meter.conversation() as talk,
        ):
            proven = 0
            while True:
                began = self._hass.loop.time()
                found: list[Register] = []
                refused: MeterError | None = None
                left = len(self._codes)
                while left:
                    codes = self._following(min(left, talk.at_once))
                    left -= len(codes)
                    answers = await talk.read(codes)
                    if talk.kept and talk.opened != proven:
                        answered_in = talk.opened
                        await self.async_prove(talk)
                        proven = talk.opened
                        if answered_in != proven:
                            # It was lost meanwhile: they may be another meter's.
                            answers = ()
                    for answer in answers:
                        refused = answer.refusal or refused
                        if answer.register is not None:
                            found.append(answer.register)
                    if connection.waiting(self._hass, line):
                        break
                if not talk.kept:
                    # Each round would be a whole readout.
                    raise ReadoutInstead(code=self._codes[0])
                self._publish(found)
                if not found and refused is not None:
                    raise refused
                if not await self._rest(line, began):
                    return

    async def async_prove(self, talk: RegisterSession) -> None:
        """Make sure that the session is one with this meter. Raises MeterError."""
        state, number = self._coordinator.data, None
        meant, known = state.identification, state.registers.get(state.identity.number_code or "")
        said_at_once = meant is not None and (state.identity.number or "") in meant.raw
        if known is not None and not said_at_once and self._tells_number is not False:
            (answer,) = await talk.read((known.register.address,))
            number, refusal = answer.register, answer.refusal
            if refusal is not None and (
                # It could only be told by its number, it was so before, or the answer was damaged.
                meant is None
                or self._tells_number
                or isinstance(refusal, AnswerUnclear | CheckWrong)
            ):
                raise refusal
            _prove(state, talk.identification, number)
            self._tells_number = number is not None
        else:
            _prove(state, talk.identification, None)

    def _following(self, count: int) -> list[str]:
        """The next codes of the round."""
        codes = [self._codes[(self._next + place) % len(self._codes)] for place in range(count)]
        self._next = (self._next + count) % len(self._codes)
        return codes

    async def _rest(self, line: Line, began: float) -> bool:
        """Wait for the next round; False where somebody wants the line meanwhile."""
        left = began + self._seconds - self._hass.loop.time()
        try:
            async with asyncio.timeout(max(left, 0.0)):
                await connection.wanted(self._hass, line)
        except TimeoutError:
            return True
        return False

    async def _short_list(self) -> None:
        """One round of a meter that only has the list. Raises MeterError."""
        began = self._hass.loop.time()
        request = self._request or ""
        reading = await async_short_list(self._coordinator, request)
        self._publish([one for one in reading.registers if one.address in self._codes])
        await asyncio.sleep(max(0.0, began + self._seconds - self._hass.loop.time()))

    def _publish(self, registers: list[Register]) -> None:
        if registers:
            self._coordinator.async_process_registers(registers)


async def async_short_list(coordinator: MeterCoordinator, request: str) -> Reading:
    """What a meter sends after another request. Raises MeterError."""
    async with (
        coordinator.hold() as line,
        coordinator.access.meter(line, login=False) as meter,
    ):
        usual = meter.profile.request
        meter.profile = replace(meter.profile, request=request)
        try:
            reading = await meter.read_all()
        finally:
            meter.profile = replace(meter.profile, request=usual)
    state = coordinator.data
    _prove(state, reading.identification, reading.first(state.identity.number_code or ""))
    return reading


def _prove(state: MeterState, sent: Identification | None, number: Register | None) -> None:
    """Raise NumberUnsteady where it is not the meter of that state that has sent this number, or called itself so."""
    meant = state.identification
    if number is not None and number.values:
        same = plain(number.values[0].text) == state.identity.number
    elif meant is None:
        # No full reading could tell it from another.
        same = state.identity.number is None
    else:
        same = sent is not None and (sent.flag.upper(), sent.model) == (
            meant.flag.upper(),
            meant.model,
        )
    if not same:
        raise NumberUnsteady


async def async_way(coordinator: MeterCoordinator, codes: Sequence[str]) -> str | None:
    """How these registers can be read again and again: the request of a short list, None in a kept session.

    Raises MeterError where in neither way: that of the session.
    """
    try:
        async with coordinator.access.conversation() as talk:
            refusals = [answer.refusal for answer in await talk.read(codes)]
            kept = talk.kept
            if kept:
                await coordinator.quick.async_prove(talk)
        refused = next((one for one in refusals if one is not None), None)
        if not kept:
            refused = ReadoutInstead(code=codes[0])
        if refused is None:
            return None
        raise refused
    except MeterError:
        for request in SHORT_LISTS:
            try:
                reading = await async_short_list(coordinator, request)
            except MeterError:
                continue
            has = {register.address for register in reading.registers}
            # A meter that does not know the request may answer with all it has.
            if has >= set(codes) and len(has) < len(coordinator.data.registers):
                return request
        raise


def may_be_quick(coordinator: MeterCoordinator) -> bool:
    """Whether a meter may be asked all the time: not on its battery, and not one that sends by itself."""
    return not is_push(coordinator.profile) and not runs_on_battery(coordinator.profile)


async def async_rate(coordinator: MeterCoordinator, count: int) -> float:
    """How many rounds a second of so many registers can be had at this meter, on the line as it is shared."""
    state = coordinator.data
    meter = state.identification
    own, together = (0.2, 1) if meter is None else (meter.reaction_time, dialect(meter).together)
    speed = state.profile.speed or state.health.speed
    rate = rounds_per_second([_USUAL_CODE] * count, speed, own, together=together)
    others = await _neighbours(coordinator)
    free = 1.0 - sum(
        one.data.health.duration / one.interval.total_seconds() for one in (coordinator, *others)
    )
    # Once in each session, which ends with the next full reading: whose it is.
    number = 1 / rounds_per_second([_USUAL_CODE], speed, own)
    free -= number / coordinator.interval.total_seconds()
    takers = 1 + sum(bool(one.config_entry.options.get(CONF_QUICK)) for one in others)
    return max(0.0, rate * free / takers)


async def _neighbours(coordinator: MeterCoordinator) -> list[MeterCoordinator]:
    """The other meters that are read on this line."""
    hass = coordinator.hass
    key = await connection.async_key(hass, coordinator.device)
    found: list[MeterCoordinator] = []
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        one: MeterCoordinator = entry.runtime_data.coordinator
        if one is not coordinator and await connection.async_key(hass, one.device) == key:
            found.append(one)
    return found
