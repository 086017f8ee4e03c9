"""Fast polling: a few registers that are read again and again between the full readings.

They are read in one kept session, or by a short list where the meter has one. The session ends within one register, or
what a meter tells in one turn, as soon as anybody waits for the line: another meter, a config flow, an action, or the full
reading of this same meter.

A total does not say whose it is, and the probe may have been moved since the full reading. So each session that is opened
asks for the meter's number once before anything of it is shown. Where a meter does not show it there, and in a short list
without it, what the meter calls itself at the sign-on has to be the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from ..const import LOGGER
from ..entry_data import CONF_QUICK, CONF_QUICK_REQUEST, CONF_QUICK_SECONDS
from ..protocol.errors import AnswerUnclear, CheckWrong, MeterError, NumberUnsteady, ReadoutInstead
from ..protocol.model import Identification, Reading, Register
from ..protocol.register_session import RegisterSession
from ..protocol.transport.line import Line
from ..state.identity import plain
from ..state.meter_state import MeterState
from . import connection
from .background import in_background
from .backoff import Backoff
from .poller import Poller
from .reader import MeterReader

USUAL_SECONDS: Final = 5
MOST_SECONDS: Final = 60
# Requests after which some makes send a short list.
SHORT_LISTS: Final = ("2", "#")


class Trial(NamedTuple):
    """How registers can be read again and again: the request of a short list, None in a kept session.

    `seconds` is how long the round took that tried it.
    """

    request: str | None
    seconds: float


class FastPoller:
    """The fast registers of one meter."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        reader: MeterReader,
        poller: Poller,
        *,
        state: Callable[[], MeterState],
        on_registers: Callable[[Sequence[Register]], Awaitable[None]],
    ) -> None:
        """Know which registers they are; nothing is read yet. `state` gives the present state of the meter."""
        self._hass = hass
        self._entry = entry
        self._reader = reader
        self._poller = poller
        self._state = state
        self._on_registers = on_registers
        self._codes: tuple[str, ...] = tuple(entry.options.get(CONF_QUICK, ()))
        self._request: str | None = entry.options.get(CONF_QUICK_REQUEST)
        self._seconds: int = entry.options.get(CONF_QUICK_SECONDS, USUAL_SECONDS)
        # Where a session was given up in the middle of a round, the next one goes on.
        self._next = 0
        # Whether the meter shows its number in a session; None until it was asked.
        self._tells_number: bool | None = None

    @property
    def is_possible(self) -> bool:
        """Whether the meter may be asked all the time: not on its battery, and not one that sends by itself."""
        profile = self._reader.line_profile
        return not profile.pushes and not profile.on_battery

    @callback
    def start(self) -> None:
        """Read the registers until the entry is unloaded."""
        if self._codes and self.is_possible:
            in_background(self._hass, self._entry, self._run(), "fast polling")

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            now = dt_util.utcnow()
            awake = self._poller.schedule.after_quiet_hours(now)
            await asyncio.sleep((awake - now).total_seconds())
            try:
                await (self._kept_session() if self._request is None else self._short_list())
                backoff.reset()
            except (MeterError, HomeAssistantError) as err:
                # The full reading tells what is wrong with the line, the question under Repairs which meter answers.
                backoff.fail()
                LOGGER.debug("%s: fast polling: %s", self._entry.title, err)
                await asyncio.sleep(backoff.pause())

    async def _kept_session(self) -> None:
        """One session, until somebody waits for the line. Raises MeterError."""
        reader = self._reader
        async with (
            reader.acquire_line(private=reader.has_secrets) as line,
            reader.open_client(line) as client,
            client.conversation() as session,
        ):
            proven = 0
            while True:
                began = self._hass.loop.time()
                found: list[Register] = []
                refused: MeterError | None = None
                left = len(self._codes)
                while left:
                    codes = self._following(min(left, session.at_once))
                    left -= len(codes)
                    answers = await session.read(codes)
                    if session.kept and session.opened != proven:
                        answered_in = session.opened
                        await self._prove(session)
                        proven = session.opened
                        if answered_in != proven:
                            # It was lost meanwhile: they may be another meter's.
                            answers = ()
                    for answer in answers:
                        refused = answer.refusal or refused
                        if answer.register is not None:
                            found.append(answer.register)
                    if connection.waiting(self._hass, line):
                        break
                if not session.kept:
                    # Each round would be a whole readout.
                    raise ReadoutInstead(code=self._codes[0])
                if found:
                    await self._on_registers(found)
                elif refused is not None:
                    raise refused
                if not await self._rest(line, began):
                    return

    async def _prove(self, session: RegisterSession) -> None:
        """Make sure that the session is one with this meter. Raises MeterError."""
        state, number = self._state(), None
        meant, known = state.identification, state.registers.get(state.identity.number_code or "")
        said_at_once = meant is not None and (state.identity.number or "") in meant.raw
        if known is not None and not said_at_once and self._tells_number is not False:
            (answer,) = await session.read((known.register.address,))
            number, refusal = answer.register, answer.refusal
            if refusal is not None and (
                # It could only be told by its number, it was so before, or the answer was damaged.
                meant is None
                or self._tells_number
                or isinstance(refusal, AnswerUnclear | CheckWrong)
            ):
                raise refusal
            _prove(state, session.identification, number)
            self._tells_number = number is not None
        else:
            _prove(state, session.identification, None)

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
        reading = await self._read_short_list(self._request or "")
        if found := [one for one in reading.registers if one.address in self._codes]:
            await self._on_registers(found)
        await asyncio.sleep(max(0.0, began + self._seconds - self._hass.loop.time()))

    async def _read_short_list(self, request: str) -> Reading:
        """What the meter sends after another request. Raises MeterError."""
        async with self._reader.session(login=False) as client:
            usual = client.profile.request
            client.profile = replace(client.profile, request=request)
            try:
                reading = await client.read_all()
            finally:
                client.profile = replace(client.profile, request=usual)
        state = self._state()
        _prove(state, reading.identification, reading.first(state.identity.number_code or ""))
        return reading

    async def async_try(self, codes: Sequence[str]) -> Trial:
        """Try how these registers can be read again and again.

        Raises MeterError where in neither way: that of the session.
        """
        now = self._hass.loop.time
        try:
            async with self._reader.register_session() as session:
                began = now()
                refusals = [answer.refusal for answer in await session.read(codes)]
                took = now() - began
                kept = session.kept
                if kept:
                    await self._prove(session)
            refused = next((one for one in refusals if one is not None), None)
            if not kept:
                refused = ReadoutInstead(code=codes[0])
            if refused is None:
                return Trial(None, took)
            raise refused
        except MeterError:
            for request in SHORT_LISTS:
                began = now()
                try:
                    reading = await self._read_short_list(request)
                except MeterError:
                    continue
                has = {register.address for register in reading.registers}
                # A meter that does not know the request may answer with all it has.
                if has >= set(codes) and len(has) < len(self._state().registers):
                    return Trial(request, now() - began)
            raise


def _prove(state: MeterState, sent: Identification | None, number: Register | None) -> None:
    """Raise NumberUnsteady where it is not the meter of that state that has sent this number, or called itself so."""
    meant = state.identification
    if number is not None and number.values:
        same = plain(number.values[0].text) == state.identity.number
    elif meant is None:
        # No full reading could tell it from another.
        same = state.identity.number is None
    else:
        same = sent is not None and sent.kind == meant.kind
    if not same:
        raise NumberUnsteady
