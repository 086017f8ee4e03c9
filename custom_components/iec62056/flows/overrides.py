"""Options in which the user says what a register is that the catalogue does not know."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.components.recorder.const import DOMAIN as RECORDER
from homeassistant.components.recorder.statistics import get_metadata
from homeassistant.components.sensor import SensorStateClass
from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.helpers.recorder import get_instance
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.helpers.translation import async_get_translations
import voluptuous as vol

from ..coordinator import MeterCoordinator
from ..entry_data import CONF_CUSTOM
from ..protocol.codec import decode, encode
from ..protocol.model import Register
from ..registers import overrides
from ..registers.descriptions import describe
from ..registers.matching import context_of
from ..registers.naming import clean_text
from ..registers.overrides import RegisterOverride
from ..registers.registry import entity_id_of
from ..registers.selection import RegisterChoice, choices_of
from ..registers.units import PUBLISHED
from ..runtime import MeterRuntime
from ..state.description import Description
from .fields import dropdown
from .forms import async_labels

CONF_REGISTER: Final = "register"
CONF_NAME: Final = "name"
CONF_UNIT: Final = "unit"
CONF_DEVICE_CLASS: Final = "device_class"
CONF_STATE_CLASS: Final = "state_class"

STATE_CLASSES: Final = (
    SensorStateClass.TOTAL_INCREASING,
    SensorStateClass.TOTAL,
    SensorStateClass.MEASUREMENT,
)
_STATE_CLASS: Final = dropdown(CONF_STATE_CLASS, *STATE_CLASSES)
_UNIT: Final = SelectSelector(
    SelectSelectorConfig(
        options=list(PUBLISHED), mode=SelectSelectorMode.DROPDOWN, custom_value=True
    )
)


class NamingFlow(OptionsFlowWithReload):
    """Choose a register, say what it is, and decide about its statistics."""

    _runtime: MeterRuntime
    _coordinator: MeterCoordinator
    _key: str
    _custom: RegisterOverride

    async def async_step_names(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which register is to get a name."""
        if user_input is not None:
            self._key = user_input[CONF_REGISTER]
            return await self.async_step_name()
        selector = SelectSelector(
            SelectSelectorConfig(
                options=await async_labels(self.hass, self._bare()),
                mode=SelectSelectorMode.DROPDOWN,
            )
        )
        return self.async_show_form(
            step_id="names",
            data_schema=vol.Schema({vol.Required(CONF_REGISTER): selector}),
            last_step=False,
        )

    async def async_step_name(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a register's name, unit and classes."""
        register, description = self._chosen()
        before = overrides.overridden(register, description, self._said(self._key))
        errors: dict[str, str] = {}
        if user_input is not None:
            self._custom = RegisterOverride.from_form(user_input)
            after = overrides.overridden(register, description, self._custom)
            if (fault := overrides.fault(after)) is None:
                effect = overrides.effect(before, after)
                if effect is not None and await self._has_statistics():
                    return self._show_effect(effect, before, after)
                return self._name()
            errors[CONF_STATE_CLASS if fault is overrides.Fault.STATE_CLASS else CONF_UNIT] = fault
        suggested = user_input or {
            CONF_NAME: before.name,
            CONF_UNIT: before.unit,
            CONF_DEVICE_CLASS: before.device_class,
            CONF_STATE_CLASS: before.state_class,
        }
        fields: dict[vol.Marker, Any] = {vol.Optional(CONF_NAME): TextSelector()}
        if overrides.is_number(register, description):
            if overrides.sent_unit(register, description) is None:
                fields[vol.Optional(CONF_UNIT)] = _UNIT
            fields[vol.Optional(CONF_DEVICE_CLASS)] = await self._device_classes()
            fields[vol.Optional(CONF_STATE_CLASS)] = _STATE_CLASS
        choice = next(one for one in self._bare() if one.key == self._key)
        return self.async_show_form(
            step_id="name",
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), suggested),
            errors=errors,
            description_placeholders={
                "code": clean_text(choice.code),
                "value": clean_text(choice.value),
            },
        )

    async def _has_statistics(self) -> bool:
        """Whether there are statistics of the register's sensor."""
        entity_id = entity_id_of(self.hass, self._coordinator.unique_id, self._key)
        if entity_id is None or RECORDER not in self.hass.config.components:
            return False
        known = await get_instance(self.hass).async_add_executor_job(
            lambda: get_metadata(self.hass, statistic_ids={entity_id})
        )
        return entity_id in known

    def _show_effect(
        self, effect: overrides.Effect, before: Description, after: Description
    ) -> ConfigFlowResult:
        return self.async_show_form(
            step_id=f"statistics_{effect}",
            description_placeholders={
                "old": clean_text(before.unit or "-"),
                "new": clean_text(after.unit or "-"),
            },
        )

    async def async_step_statistics_ended(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on though no more statistics will be made."""
        return self._name()

    async def async_step_statistics_kind(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on though the statistics will be of another kind."""
        return self._name()

    async def async_step_statistics_unit(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on though the statistics cannot be converted."""
        return self._name()

    async def async_step_statistics_scale(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on though the values will have another size."""
        return self._name()

    def _name(self) -> ConfigFlowResult:
        register, description = self._chosen()
        options = self.config_entry.options
        said = {key: one for key, one in options.get(CONF_CUSTOM, {}).items() if key != self._key}
        if overrides.overridden(register, description, self._custom) != overrides.overridden(
            register, description, _as_it_is(description)
        ):
            said[self._key] = encode(self._custom)
        others = {name: value for name, value in options.items() if name != CONF_CUSTOM}
        return self.async_create_entry(data={**others, **({CONF_CUSTOM: said} if said else {})})

    def _keep(self, decided: tuple[str, ...], kept: Mapping[str, Any]) -> ConfigFlowResult:
        """Put what a step has decided in place of what was there."""
        others = {
            name: value for name, value in self.config_entry.options.items() if name not in decided
        }
        return self.async_create_entry(data={**others, **kept})

    def _bare(self) -> tuple[RegisterChoice, ...]:
        """The registers of which the catalogue does not know what they are."""
        return tuple(
            one for one in choices_of(self._coordinator.data, self.config_entry.options) if one.bare
        )

    def _chosen(self) -> tuple[Register, Description]:
        """The register that was chosen, as the catalogue describes it."""
        state = self._coordinator.data
        context = context_of(state.reading.registers)
        return next(
            (known.register, description)
            for known in state.registers.values()
            for description in describe(known.register, context, {})
            if description.key == self._key
        )

    def _said(self, key: str) -> RegisterOverride:
        """What was said of a register so far: where nothing was, what the catalogue makes of it."""
        said: Mapping[str, Any] | None = self.config_entry.options.get(CONF_CUSTOM, {}).get(key)
        if said is not None:
            return decode(RegisterOverride, said)
        return _as_it_is(self._chosen()[1])

    async def _device_classes(self) -> SelectSelector:
        """The device classes with the names that Home Assistant has for them."""
        texts = await async_get_translations(
            self.hass, self.hass.config.language, "entity_component", ["sensor"]
        )
        return SelectSelector(
            SelectSelectorConfig(
                options=[
                    SelectOptionDict(
                        value=one,
                        label=texts.get(f"component.sensor.entity_component.{one}.name", one),
                    )
                    for one in overrides.DEVICE_CLASSES
                ],
                mode=SelectSelectorMode.DROPDOWN,
            )
        )


def _as_it_is(description: Description) -> RegisterOverride:
    """The override that leaves a register as the catalogue has it."""
    return RegisterOverride(
        None, description.unit, description.device_class, description.state_class
    )
