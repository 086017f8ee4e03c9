"""The dialogue that adds a meter: port, reading with visible progress, what was found.

Here: the steps, and how a reading's end becomes the next step.
Never here: how a port is opened or a meter read; that is the same code the coordinator uses.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, override

from homeassistant.components import usb
from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    SerialPortSelector,
    TextSelector,
)
import voluptuous as vol

from . import lines
from .catalogue import clean_text
from .const import CONF_MODE, CONF_NUMBER_CODE, DOMAIN
from .coordinator import interval_of
from .entity import LONGEST_NAME
from .protocol.errors import MeterError, NumberUnsteady
from .protocol.meter import Meter
from .protocol.model import LineProfile, Mode, Progress, Stage, Verdict
from .state import MeterState
from .store import async_hand_over

SECTION_ADVANCED: Final = "advanced"
MODE_AUTO: Final = "auto"
MODES: Final = (Mode.A, Mode.B, Mode.C, Mode.D)

# The dialogue is redrawn as often as a person can follow.
REDRAW_INTERVAL: Final = 0.5
# How long a telegram will be is not known: the bar is half full at a usual one's length.
USUAL_CHARACTERS: Final = 2000

SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_DEVICE): SerialPortSelector(),
        vol.Optional(CONF_ADDRESS): TextSelector(),
        vol.Required(SECTION_ADVANCED): section(
            vol.Schema(
                {
                    vol.Required(CONF_MODE, default=MODE_AUTO): SelectSelector(
                        SelectSelectorConfig(
                            options=[MODE_AUTO, *(mode.lower() for mode in MODES)],
                            mode=SelectSelectorMode.DROPDOWN,
                            translation_key=CONF_MODE,
                        )
                    )
                }
            ),
            {"collapsed": True},
        ),
    }
)


class MeterConfigFlow(ConfigFlow, domain=DOMAIN):
    """Add a meter."""

    VERSION = 1
    MINOR_VERSION = 1

    # What the reading brought: all steps after it speak of this.
    _state: MeterState

    def __init__(self) -> None:
        """Begin with an empty form."""
        self._input: dict[str, Any] = {}
        self._data: dict[str, Any] = {}
        self._failure: MeterError | None = None
        self._reading: asyncio.Task[MeterState] | None = None
        self._redraw: asyncio.Task[Any] | None = None
        self._changed = asyncio.Event()
        self._drawn = 0.0
        self._progress = Progress(Stage.OPENING)

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the port."""
        if user_input is not None:
            self._input = user_input
            self._data = await self._data_of(user_input)
            if (holder := await self._holder()) is not None:
                return self.async_abort(
                    reason="already_configured", description_placeholders={"title": holder.title}
                )
            return await self.async_step_read()
        failure, self._failure = self._failure, None
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(SCHEMA, self._input),
            errors={} if failure is None else {"base": failure.key},
            description_placeholders=None if failure is None else _clean(failure.placeholders),
        )

    async def async_step_read(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Read the meter once, and show how far it has come."""
        if self._reading is None:
            self._progress = Progress(Stage.OPENING)
            self._reading = self.hass.async_create_background_task(
                self._read(), f"{DOMAIN} reading for the dialogue"
            )
            self._reading.add_done_callback(lambda _: self._changed.set())
        if not self._reading.done():
            if self._redraw is None or self._redraw.done():
                # A progress step is only drawn again when the task it waits for ends.
                self._changed.clear()
                self._redraw = self.hass.async_create_background_task(
                    self._changed.wait(), f"{DOMAIN} progress of the dialogue"
                )
            return self.async_show_progress(
                step_id="read",
                progress_action=self._progress.stage,
                description_placeholders={
                    "registers": str(self._progress.registers),
                    "speed": str(self._progress.speed),
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
        async_hand_over(self.hass, self._data[CONF_DEVICE], self._data[CONF_ADDRESS], state)
        return self.async_update_reload_and_abort(
            entry, data=self._entry_data(state), reason="moved"
        )

    @override
    @callback
    def async_remove(self) -> None:
        """Stop reading when the dialogue is closed."""
        if self._reading is not None:
            self._reading.cancel()

    async def _data_of(self, user_input: dict[str, Any]) -> dict[str, Any]:
        """What the entry keeps of the form; a port's name that survives a restart where there is one."""
        device = user_input[CONF_DEVICE].strip()
        if device.startswith("/dev/"):
            device = await self.hass.async_add_executor_job(usb.get_serial_by_id, device)
        data = {CONF_DEVICE: device, CONF_ADDRESS: user_input.get(CONF_ADDRESS, "").strip()}
        mode = user_input[SECTION_ADVANCED][CONF_MODE]
        return data if mode == MODE_AUTO else {**data, CONF_MODE: Mode(mode.upper())}

    async def _holder(self) -> ConfigEntry | None:
        """The entry that leaves no room for another meter at this port and address."""
        key = await lines.async_key(self.hass, self._data[CONF_DEVICE])
        for entry in self._async_current_entries():
            if await lines.async_key(self.hass, entry.data[CONF_DEVICE]) == key and (
                entry.data[CONF_ADDRESS] == self._data[CONF_ADDRESS]
                # A meter that sends by itself needs its line alone.
                or Mode.D in (entry.data.get(CONF_MODE), self._data.get(CONF_MODE))
            ):
                return entry
        return None

    async def _read(self) -> MeterState:
        profile = LineProfile(address=self._data[CONF_ADDRESS], mode=self._data.get(CONF_MODE))
        async with lines.hold(self.hass, self._data[CONF_DEVICE]) as line:
            meter = Meter(line, profile, self._watch)
            reading = await meter.read_all()
            state = MeterState.of(reading, meter.profile)
            if state.identity.number is None or state.health.check is not Verdict.ABSENT:
                return state
            # Without a check character a damaged number would name another meter for ever.
            again = MeterState.of(await meter.read_all(), meter.profile)
            if again.identity.unique_id != state.identity.unique_id:
                raise NumberUnsteady
            return again

    @callback
    def _watch(self, progress: Progress) -> None:
        """Draw the dialogue again at each stage, and now and then in between."""
        now = self.hass.loop.time()
        if progress.stage is self._progress.stage and now - self._drawn < REDRAW_INTERVAL:
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

    def _create(self, state: MeterState) -> ConfigFlowResult:
        async_hand_over(self.hass, self._data[CONF_DEVICE], self._data[CONF_ADDRESS], state)
        return self.async_create_entry(
            title=clean_text(state.identity.name, LONGEST_NAME), data=self._entry_data(state)
        )


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
