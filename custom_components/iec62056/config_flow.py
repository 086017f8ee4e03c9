"""The dialogue that adds a meter: port, reading with visible progress, what was found.

Here: the steps, and how a reading's end becomes the next step.
Never here: how a port is opened or a meter read; that is the same code the coordinator uses.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import callback

from . import lines, ports
from .catalogue import clean_text
from .const import CONF_MODE, CONF_NUMBER_CODE, DOMAIN
from .coordinator import interval_of
from .entity import LONGEST_NAME
from .placement import (
    BATTERY_CALLS,
    ENOUGH_IN_A_ROW,
    Placement,
    Signal,
    is_over_the_probe,
)
from .protocol.errors import MeterError, NumberNeeded, NumberUnsteady
from .protocol.ladder import climb, limit
from .protocol.meter import Meter
from .protocol.model import Mode, Progress, Stage, Verdict
from .settings import (
    CONF_ALIGN,
    CONF_SHARED,
    SCHEMA,
    hints_of,
    idle_of,
    kept,
    profile_of,
    speed_of,
    wakes,
)
from .state import MeterState
from .store import async_hand_over

# The dialogue is redrawn as often as a person can follow.
REDRAW_INTERVAL: Final = 0.5
# How long a telegram will be is not known: the bar is half full at a usual one's length.
USUAL_CHARACTERS: Final = 2000


class MeterConfigFlow(ConfigFlow, domain=DOMAIN):
    """Add a meter."""

    VERSION = 1
    MINOR_VERSION = 1

    # What the reading brought: all steps after it speak of this; and the one before it that it confirms, if any.
    _state: MeterState
    _before: tuple[MeterState, ...]

    def __init__(self) -> None:
        """Begin with an empty form."""
        self._input: dict[str, Any] = {}
        self._data: dict[str, Any] = {}
        self._shared = False
        self._failure: MeterError | None = None
        self._reading: asyncio.Task[MeterState] | None = None
        self._redraw: asyncio.Task[Any] | None = None
        self._changed = asyncio.Event()
        self._drawn = 0.0
        self._placement: Placement | None = None
        self._call: asyncio.Task[Signal] | None = None
        self._signal: Signal | None = None
        self._progress = Progress(Stage.OPENING)
        self._limit = timedelta()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the port."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            self._input = user_input
            self._data = kept(
                user_input,
                await ports.async_lasting_name(self.hass, user_input[CONF_DEVICE].strip()),
            )
            others = await self._entries_there()
            self._shared = bool(others)
            if (holder := self._holder(others)) is not None:
                return self.async_abort(
                    reason="already_configured", description_placeholders={"title": holder.title}
                )
            if self._data[CONF_ADDRESS] or not (others or self._data.get(CONF_SHARED)):
                return await self._begin(align=user_input[CONF_ALIGN])
            errors[CONF_ADDRESS] = NumberNeeded.key
        elif self._failure is not None:
            failure, self._failure = self._failure, None
            errors["base"] = failure.key
            placeholders = _clean(failure.placeholders)
            self._input = {**self._input, CONF_ALIGN: is_over_the_probe(failure)}
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(SCHEMA, self._input),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_place_battery(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say what calling a battery meter again and again costs it."""
        if user_input is None:
            return self.async_show_form(
                step_id="place_battery", description_placeholders={"calls": str(BATTERY_CALLS)}
            )
        return await self.async_step_place()

    async def async_step_place(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Call the meter again and again, and show what came, until the probe sits well."""
        now = self.hass.loop.time()
        if self._placement is None:
            self._placement = Placement.begin(
                self._data[CONF_DEVICE],
                speed_of(self._data),
                profile_of(self._data),
                now,
                battery=wakes(self._data),
            )
            self._signal = None
        placement = self._placement
        if self._call is not None and self._call.done():
            call, self._call = self._call, None
            try:
                self._signal = call.result()
            except MeterError as err:
                self._placement = None
                self._failure = err
                return self.async_show_progress_done(next_step_id="user")
            if placement.over(now):
                self._placement = None
                self._input = {**self._input, CONF_ALIGN: False}
                return self.async_show_progress_done(
                    next_step_id="placed" if placement.good else "not_placed"
                )
        if self._call is None:
            self._call = self.hass.async_create_background_task(
                placement.call(self.hass), f"{DOMAIN} call for the dialogue"
            )
        return self.async_show_progress(
            step_id="place",
            progress_action="place" if self._signal is None else f"place_{self._signal}",
            description_placeholders={
                "calls": str(placement.calls),
                "good": str(placement.in_a_row),
                "enough": str(ENOUGH_IN_A_ROW),
                "left": _shown(timedelta(seconds=placement.deadline - now)),
            },
            progress_task=self._call,
        )

    async def async_step_placed(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """The probe sits well: read the meter, or go on aligning."""
        return self._show_placed("placed")

    async def async_step_not_placed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """The calls are over without enough good answers."""
        return self._show_placed("not_placed")

    async def async_step_read(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Read the meter once, and show how far it has come."""
        begun = self._reading is None
        if self._reading is None:
            self._progress = Progress(Stage.OPENING)
            self._reading = self.hass.async_create_background_task(
                self._read(), f"{DOMAIN} reading for the dialogue"
            )
            self._reading.add_done_callback(lambda _: self._changed.set())
        # The end is shown only when Home Assistant comes back for it: at once, it would hand the form's input on to
        # the next step.
        if begun or not self._reading.done():
            if self._redraw is None or self._redraw.done():
                # A progress step is only drawn again when the task it waits for ends.
                self._changed.clear()
                self._redraw = self.hass.async_create_background_task(
                    self._changed.wait(), f"{DOMAIN} progress of the dialogue"
                )
            return self.async_show_progress(
                step_id="read",
                progress_action=_action(self._progress),
                description_placeholders={
                    "registers": str(self._progress.registers),
                    "speed": str(self._progress.speed),
                    "limit": _shown(self._limit),
                },
                progress_task=self._redraw,
            )
        reading, self._reading = self._reading, None
        try:
            self._state = reading.result()
        except MeterError as err:
            self._failure = err
            return self.async_show_progress_done(next_step_id="user")
        return self.async_show_progress_done(next_step_id="found")

    async def async_step_found(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what answered; a meter that is already known is offered as a move."""
        state = self._state
        unique_id = state.identity.unique_id
        if unique_id is None:
            return await self.async_step_found_unnamed()
        if await self.async_set_unique_id(unique_id) is not None:
            return await self.async_step_move()
        if user_input is None:
            return self._show_found("found", state)
        return self._create(state)

    async def async_step_found_unnamed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what answered, and what it costs that it does not give its number."""
        state = self._state
        if user_input is None:
            return self._show_found("found_unnamed", state)
        return self._create(state)

    async def async_step_move(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the entry of this meter use the new port."""
        state = self._state
        entry = await self.async_set_unique_id(self.unique_id)
        if entry is None:
            # It was removed while the question stood there.
            return await self.async_step_found()
        if user_input is None:
            return self.async_show_form(
                step_id="move",
                description_placeholders={
                    "title": entry.title,
                    "old": lines.shown(entry.data[CONF_DEVICE]),
                    "new": lines.shown(self._data[CONF_DEVICE]),
                },
            )
        self._hand_over(state)
        return self.async_update_reload_and_abort(
            entry, data=self._entry_data(state), reason="moved"
        )

    @override
    @callback
    def async_remove(self) -> None:
        """Stop reading and calling when the dialogue is closed."""
        for task in (self._reading, self._call):
            if task is not None:
                task.cancel()

    async def _entries_there(self) -> list[ConfigEntry]:
        """The meters that are read at this port already."""
        key = await lines.async_key(self.hass, self._data[CONF_DEVICE])
        return [
            entry
            for entry in self._async_current_entries()
            if await lines.async_key(self.hass, entry.data[CONF_DEVICE]) == key
        ]

    def _holder(self, others: list[ConfigEntry]) -> ConfigEntry | None:
        """The entry that leaves no room for another meter at this port and address."""
        for entry in others:
            if (
                entry.data[CONF_ADDRESS] == self._data[CONF_ADDRESS]
                # A meter that sends by itself needs its line alone.
                or Mode.D in (entry.data.get(CONF_MODE), self._data.get(CONF_MODE))
            ):
                return entry
        return None

    async def _begin(self, *, align: bool) -> ConfigFlowResult:
        if not align:
            return await self.async_step_read()
        return await (
            self.async_step_place_battery() if wakes(self._data) else self.async_step_place()
        )

    def _show_placed(self, step_id: str) -> ConfigFlowResult:
        again = "place_battery" if wakes(self._data) else "place"
        return self.async_show_menu(step_id=step_id, menu_options=["read", again, "user"])

    async def _read(self) -> MeterState:
        self._before = ()
        device, speed = self._data[CONF_DEVICE], speed_of(self._data)
        given = profile_of(self._data)
        async with lines.hold(self.hass, device, speed, idle=idle_of(given)) as line:
            hints = hints_of(self._data, given, shared=self._shared)
            self._limit = timedelta(seconds=limit(line, hints))
            profile, reading = await climb(line, hints, self._watch)
            state = MeterState.of(reading, profile)
            if state.health.check is not Verdict.ABSENT:
                return state
            # Without a check character a damaged number would name another meter for ever, and no value counts alone.
            self._before = (state,)
            meter = Meter(line, profile, self._watch)
            again = MeterState.of(await meter.read_all(), meter.profile)
            if again.identity.unique_id != state.identity.unique_id:
                raise NumberUnsteady
            return again

    @callback
    def _watch(self, progress: Progress) -> None:
        """Draw the dialogue again at each rung and stage, and now and then in between."""
        now = self.hass.loop.time()
        if _action(progress) == _action(self._progress) and now - self._drawn < REDRAW_INTERVAL:
            return
        self._drawn = now
        self._progress = progress
        self._changed.set()
        self.async_update_progress(progress.characters / (progress.characters + USUAL_CHARACTERS))

    def _show_found(self, step_id: str, state: MeterState) -> ConfigFlowResult:
        identity = state.identity
        return self.async_show_form(
            step_id=step_id,
            description_placeholders=_clean(
                {
                    "make": identity.make or "?",
                    "model": identity.model or "?",
                    "number": identity.number or "?",
                    "registers": str(len(state.registers)),
                    "interval": _shown(interval_of(state)),
                    "duration": _shown(timedelta(seconds=state.health.duration)),
                }
            ),
            last_step=True,
        )

    def _entry_data(self, state: MeterState) -> dict[str, Any]:
        code = state.identity.number_code
        return self._data if code is None else {**self._data, CONF_NUMBER_CODE: code}

    def _hand_over(self, state: MeterState) -> None:
        device, address = self._data[CONF_DEVICE], self._data[CONF_ADDRESS]
        async_hand_over(self.hass, device, address, *self._before, state)

    def _create(self, state: MeterState) -> ConfigFlowResult:
        self._hand_over(state)
        return self.async_create_entry(
            title=clean_text(state.identity.name, LONGEST_NAME), data=self._entry_data(state)
        )


def _action(progress: Progress) -> str:
    """The text for a progress: which way to the meter is tried, and from the first data on how far they have come."""
    if (
        progress.rung is None
        or progress.registers
        or progress.stage in (Stage.OPENING, Stage.READING)
    ):
        return progress.stage
    return f"rung_{progress.rung}"


def _clean(placeholders: Mapping[str, str]) -> dict[str, str]:
    """Texts that may come from a meter, fit to stand in a sentence."""
    return {name: clean_text(text, LONGEST_NAME) for name, text in placeholders.items()}


def _shown(time: timedelta) -> str:
    """A time as short as a person says it; the unit signs are the same in every language."""
    seconds = max(1, round(time.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
