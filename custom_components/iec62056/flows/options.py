"""Options flow: which registers become sensors, and when the meter is read."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import UnitOfElectricCurrent
from homeassistant.helpers.selector import (
    BooleanSelector,
    DurationSelector,
    TimeSelector,
)
from homeassistant.util import dt as dt_util
import voluptuous as vol

from ..const import CONF_FILL_GAPS
from ..entry_data import (
    ALIGNED_AFTER,
    ALIGNED_BEFORE,
    ALIGNED_OFF,
    BOUNDARIES,
    CONF_ALIGN_READING,
    CONF_AMPERES,
    CONF_BOUNDARY,
    CONF_BOUNDARY_TIME,
    CONF_INTERVAL,
    CONF_QUIET_FROM,
    CONF_QUIET_TO,
    CONF_REGISTERS,
    CONF_SHOW_REST,
    dropdown,
    number,
)
from ..meter.schedule import Schedule
from ..protocol.model import Mode
from ..registers.registry import is_sensor_enabled, set_sensor_enabled
from ..registers.selection import RegisterChoice, changed_from_default, choices_of, pages
from ..runtime import runtime_of
from ..state.meter_state import MeterState
from .forms import OutOfRange, async_labels, interval_marker, intervals, rhythm_of, several, shown
from .keys import KeysFlow

# What a step decides about: what it does not keep of these is as it would be by itself.
_READING: Final = (
    CONF_INTERVAL,
    CONF_ALIGN_READING,
    CONF_BOUNDARY,
    CONF_BOUNDARY_TIME,
    CONF_QUIET_FROM,
    CONF_QUIET_TO,
    CONF_FILL_GAPS,
)
# The fuses of a house connection, and of a small works.
MOST_AMPERES: Final = 1000

_ALIGNED: Final = dropdown(CONF_ALIGN_READING, ALIGNED_OFF, ALIGNED_BEFORE, ALIGNED_AFTER)
_BOUNDARY: Final = dropdown(CONF_BOUNDARY, *(str(minutes) for minutes in BOUNDARIES))
_AMPERES: Final = number(1, MOST_AMPERES, UnitOfElectricCurrent.AMPERE)


class MeterOptionsFlow(KeysFlow):
    """Change one group of options."""

    _selected: dict[str, bool]
    # What the reading page was made from: its suggested values are no choice of the user.
    _seen: MeterState

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Give the choice between the groups."""
        runtime = runtime_of(self.config_entry)
        if runtime is None:
            return self.async_abort(reason="not_read_yet")
        self._runtime = runtime
        self._coordinator = coordinator = runtime.coordinator
        groups = ["registers", "reading"]
        if self._bare():
            groups.insert(1, "names")
        if not coordinator.data.profile.on_battery:
            groups.append("fuse")
        if coordinator.data.health.mode in (Mode.C, Mode.E):
            groups.append("access")
        return self.async_show_menu(step_id="init", menu_options=groups)

    # Which registers become sensors

    async def async_step_registers(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Select the registers that become sensors."""
        first, rest = pages(choices_of(self._coordinator.data, self.config_entry.options))
        if user_input is not None:
            self._selected = _selection(first, user_input)
            if user_input.get(CONF_SHOW_REST):
                return await self.async_step_rest()
            return self._keep_registers()
        fields = await self._register_field(first)
        if rest:
            fields[vol.Required(CONF_SHOW_REST, default=False)] = BooleanSelector()
        return self.async_show_form(
            step_id="registers",
            data_schema=vol.Schema(fields),
            description_placeholders={"rest": str(len(rest))},
            last_step=None if rest else True,
        )

    async def async_step_rest(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Select among the registers of past periods and those that are bare codes."""
        _, rest = pages(choices_of(self._coordinator.data, self.config_entry.options))
        if user_input is not None:
            self._selected |= _selection(rest, user_input)
            return self._keep_registers()
        return self.async_show_form(
            step_id="rest", data_schema=vol.Schema(await self._register_field(rest))
        )

    async def _register_field(self, choices: tuple[RegisterChoice, ...]) -> dict[vol.Marker, Any]:
        selected = [one.key for one in choices if self._is_on(one)]
        return {
            vol.Required(CONF_REGISTERS, default=selected): several(
                await async_labels(self.hass, choices)
            )
        }

    def _is_on(self, choice: RegisterChoice) -> bool:
        return is_sensor_enabled(
            self.hass, self._coordinator.unique_id, choice, self.config_entry.options
        )

    def _keep_registers(self) -> ConfigFlowResult:
        # Home Assistant reloads a meter by itself when a sensor was switched on.
        self.automatic_reload = False
        choices = choices_of(self._coordinator.data, self.config_entry.options)
        on = [one.key for one in choices if self._selected.get(one.key, self._is_on(one))]
        for key, wanted in self._selected.items():
            set_sensor_enabled(self.hass, self._coordinator.unique_id, key, on=wanted)
        registers = changed_from_default(choices, on)
        return self._keep((CONF_REGISTERS,), {CONF_REGISTERS: registers} if registers else {})

    # When the meter is read

    async def async_step_reading(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask when the meter is read."""
        if user_input is None:
            self._seen = self._coordinator.data
        state = self._seen
        errors: dict[str, str] = {}
        if user_input is not None:
            begin, end = user_input.get(CONF_QUIET_FROM), user_input.get(CONF_QUIET_TO)
            if (begin is None) != (end is None):
                errors[CONF_QUIET_TO if end is None else CONF_QUIET_FROM] = "quiet_one_end"
            elif begin is not None and begin == end:
                errors[CONF_QUIET_TO] = "quiet_all_day"
            try:
                kept = rhythm_of(state, user_input)
            except OutOfRange:
                errors[CONF_INTERVAL] = "interval"
            if not errors:
                return self._keep(_READING, {**kept, **self._aligned(user_input)})
        shortest, longest = intervals(state.profile)
        return self.async_show_form(
            step_id="reading",
            data_schema=self.add_suggested_values_to_schema(self._reading_schema(), user_input),
            errors=errors,
            description_placeholders={
                "shortest": shown(shortest),
                "longest": shown(longest),
                "duration": shown(self._schedule({}).duration),
            },
        )

    def _reading_schema(self) -> vol.Schema:
        """The fields that suit the meter, filled in with what holds."""
        options, profile = self.config_entry.options, self._seen.profile
        now = self._schedule(options)
        interval = now.interval
        if now.aligned != ALIGNED_OFF:
            interval = self._schedule({**options, CONF_ALIGN_READING: ALIGNED_OFF}).interval
        fields: dict[vol.Marker, Any] = {interval_marker(interval): DurationSelector()}
        if profile.pushes:
            return vol.Schema(fields)
        fields[vol.Required(CONF_ALIGN_READING, default=now.aligned)] = _ALIGNED
        if not profile.on_battery:
            boundary = str(options.get(CONF_BOUNDARY, BOUNDARIES[0]))
            fields[vol.Required(CONF_BOUNDARY, default=boundary)] = _BOUNDARY
        fields[vol.Required(CONF_BOUNDARY_TIME, default=str(now.at))] = TimeSelector()
        for name in (CONF_QUIET_FROM, CONF_QUIET_TO):
            suggested = {"suggested_value": options.get(name)}
            fields[vol.Optional(name, description=suggested)] = TimeSelector()
        if not profile.on_battery:
            fills = options.get(CONF_FILL_GAPS, True)
            fields[vol.Required(CONF_FILL_GAPS, default=fills)] = BooleanSelector()
        return vol.Schema(fields)

    def _schedule(self, options: Mapping[str, Any]) -> Schedule:
        return Schedule.of(options, self._seen, dt_util.get_default_time_zone())

    def _aligned(self, form: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of the alignment, the quiet hours and the gaps."""
        kept = {name: form[name] for name in (CONF_QUIET_FROM, CONF_QUIET_TO) if name in form}
        aligned = form.get(CONF_ALIGN_READING, ALIGNED_OFF)
        if aligned != self._schedule({}).aligned:
            kept[CONF_ALIGN_READING] = aligned
        if aligned != ALIGNED_OFF and CONF_BOUNDARY in form:
            kept[CONF_BOUNDARY] = int(form[CONF_BOUNDARY])
        if not form.get(CONF_FILL_GAPS, True):
            kept[CONF_FILL_GAPS] = False
        return kept

    # What the values can be

    async def async_step_fuse(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the fuse of the connection: more than it lets through is not believed."""
        if user_input is not None:
            kept = {name: int(value) for name, value in user_input.items()}
            return self._keep((CONF_AMPERES,), kept)
        schema = vol.Schema({vol.Optional(CONF_AMPERES): _AMPERES})
        return self.async_show_form(
            step_id="fuse",
            data_schema=self.add_suggested_values_to_schema(schema, self.config_entry.options),
        )


def _selection(choices: tuple[RegisterChoice, ...], form: Mapping[str, Any]) -> dict[str, bool]:
    """Of each register of a page whether it was selected."""
    return {one.key: one.key in form[CONF_REGISTERS] for one in choices}
