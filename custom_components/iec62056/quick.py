"""Quick registers: a few that are read again and again between the full readings.

Here: the loop in one kept session, or over a short list where the meter has one, and the rate that can be reached.
Never here: what is believed of a value (trust), who has the line next (its queue).

The session is given up within one register as soon as anybody waits for the line: another meter, a dialogue, an action,
or the full reading of this same meter.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from . import lines, recovery
from .const import DOMAIN
from .protocol.errors import MeterError, ReadoutInstead
from .protocol.line import Line
from .protocol.model import Reading, Register
from .protocol.rate import rounds_per_second
from .schedule import is_push, runs_on_battery
from .settings import CONF_QUICK, CONF_QUICK_REQUEST, CONF_QUICK_SECONDS

if TYPE_CHECKING:
    from .coordinator import MeterCoordinator

USUAL_SECONDS: Final = 5
MOST_SECONDS: Final = 60
# Requests after which some makes send a short list.
SHORT_LISTS: Final = ("2", "#")
# As long as the address of a usual register.
_USUAL_CODE: Final = "16.7.0"


class Quick:
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
                await asyncio.sleep(recovery.pause(failures))

    async def _kept_session(self) -> None:
        """One session, until somebody waits for the line. Raises MeterError."""
        coordinator = self._coordinator
        async with (
            coordinator.hold() as line,
            coordinator.access.meter(line) as meter,
            meter.conversation() as talk,
        ):
            while True:
                began = self._hass.loop.time()
                found: list[Register] = []
                refused: MeterError | None = None
                for _ in self._codes:
                    code = self._codes[self._next]
                    self._next = (self._next + 1) % len(self._codes)
                    (answer,) = await talk.read((code,))
                    refused = answer.refusal or refused
                    if answer.register is not None:
                        found.append(answer.register)
                    if lines.waiting(self._hass, line):
                        break
                if not talk.kept:
                    # Each round would be a whole readout.
                    raise ReadoutInstead(code=self._codes[0])
                self._publish(found)
                if not found and refused is not None:
                    raise refused
                if not await self._rest(line, began):
                    return

    async def _rest(self, line: Line, began: float) -> bool:
        """Wait for the next round; False where somebody wants the line meanwhile."""
        left = began + self._seconds - self._hass.loop.time()
        try:
            async with asyncio.timeout(max(left, 0.0)):
                await lines.wanted(self._hass, line)
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
            self._coordinator.async_ingest_some(registers)


async def async_short_list(coordinator: MeterCoordinator, request: str) -> Reading:
    """What a meter sends after another request. Raises MeterError."""
    async with (
        coordinator.hold() as line,
        coordinator.access.meter(line, login=False) as meter,
    ):
        usual = meter.profile.request
        meter.profile = replace(meter.profile, request=request)
        try:
            return await meter.read_all()
        finally:
            meter.profile = replace(meter.profile, request=usual)


async def async_way(coordinator: MeterCoordinator, codes: Sequence[str]) -> str | None:
    """How these registers can be read again and again: the request of a short list, None in a kept session.

    Raises MeterError where in neither way: that of the session.
    """
    try:
        async with coordinator.access.conversation() as talk:
            refusals = [answer.refusal for answer in await talk.read(codes)]
            kept = talk.kept
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
    own = 0.2 if state.identification is None else state.identification.reaction_time
    speed = state.profile.speed or state.health.speed
    rate = rounds_per_second([_USUAL_CODE] * count, speed, own)
    others = await _neighbours(coordinator)
    free = 1.0 - sum(
        one.data.health.duration / one.interval.total_seconds() for one in (coordinator, *others)
    )
    takers = 1 + sum(bool(one.config_entry.options.get(CONF_QUICK)) for one in others)
    return max(0.0, rate * free / takers)


async def _neighbours(coordinator: MeterCoordinator) -> list[MeterCoordinator]:
    """The other meters that are read on this line."""
    hass = coordinator.hass
    key = await lines.async_key(hass, coordinator.device)
    found: list[MeterCoordinator] = []
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        one: MeterCoordinator = entry.runtime_data
        if one is not coordinator and await lines.async_key(hass, one.device) == key:
            found.append(one)
    return found
