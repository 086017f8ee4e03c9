"""Steps of the config flow that align the probe; each call of the meter redraws the page."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_DEVICE
from homeassistant.core import callback

from ..const import DOMAIN
from ..entry_data import CONF_ALIGN, line_profile_of, speed_of, wakes
from ..meter.alignment_run import BATTERY_CALLS, ENOUGH_IN_A_ROW, AlignmentRun, Signal
from ..protocol.errors import CheckWrong, MeterError
from ..protocol.model import LineProfile
from .forms import shown


class PlaceFlow(ConfigFlow):
    """Call the meter until the probe sits well. `_input` is the form for the port, `_data` what was taken from it."""

    def __init__(self) -> None:
        """Begin with an empty form."""
        self._input: dict[str, Any] = {}
        self._data: dict[str, Any] = {}
        self._failure: MeterError | None = None
        # The way to a meter whose check character is always wrong.
        self._without: LineProfile | None = None
        self._placement: AlignmentRun | None = None
        self._call: asyncio.Task[Signal] | None = None
        self._signal: Signal | None = None

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
            self._placement = AlignmentRun.begin(
                self._data[CONF_DEVICE],
                speed_of(self._data),
                line_profile_of(self._data),
                now,
                battery=wakes(self._data),
                user=self.flow_id,
            )
            self._signal = None
        placement = self._placement
        if self._call is not None and self._call.done():
            call, self._call = self._call, None
            try:
                self._signal = call.result()
            except MeterError as err:
                self._placement = None
                return self._failed(err)
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
                "good": str(placement.good_in_a_row),
                "enough": str(ENOUGH_IN_A_ROW),
                "left": shown(timedelta(seconds=placement.deadline - now)),
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

    def _show_placed(self, step_id: str) -> ConfigFlowResult:
        again = "place_battery" if wakes(self._data) else "place"
        return self.async_show_menu(step_id=step_id, menu_options=["read", again, self._start])

    @property
    def _start(self) -> str:
        """The step that asks for the port."""
        return "reconfigure" if self.source == SOURCE_RECONFIGURE else "user"

    @callback
    def _failed(self, err: MeterError) -> ConfigFlowResult:
        """Say what went wrong: on the form for the port, or as a question where there is something to decide."""
        self._failure = err
        self._without = err.without if isinstance(err, CheckWrong) else None
        asked = self._without is not None
        return self.async_show_progress_done(next_step_id="check_wrong" if asked else self._start)
