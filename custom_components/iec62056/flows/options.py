"""Options flow: its pages, and which registers become sensors."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import UnitOfElectricCurrent
from homeassistant.helpers.selector import (
    BooleanSelector,
)
import voluptuous as vol

from ..entry_data import CONF_AMPERES, CONF_REGISTERS, CONF_SHOW_REST
from ..protocol.model import Mode
from ..registers.registry import is_sensor_enabled, set_sensor_enabled
from ..registers.selection import RegisterChoice, changed_from_default, choices_of, pages
from ..runtime import runtime_of
from .fields import number
from .forms import async_labels, several
from .schedule import ScheduleFlow

# The fuses of a house connection, and of a small works.
MOST_AMPERES: Final = 1000

_AMPERES: Final = number(1, MOST_AMPERES, UnitOfElectricCurrent.AMPERE)


class MeterOptionsFlow(ScheduleFlow):
    """Change one group of options."""

    _selected: dict[str, bool]

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
        if not coordinator.data.profile.may_have_battery:
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
