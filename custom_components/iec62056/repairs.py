"""Repair flows: the user's answers to the questions about a meter's values, and to where its port is."""

from typing import Any, Final

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_DEVICE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import SerialPortSelector
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .const import DOMAIN
from .coordinator import MeterCoordinator
from .entry_data import ALIGNED_BEFORE, CONF_ALIGN_READING, CONF_BOUNDARY, omit_keys
from .issues import BATTERY, CHECK, FELL, METER_REPLACED, PORT_GONE
from .meter import ports
from .meter_replacement import asks_for_sums, async_add_as_new_meter, async_replace_meter
from .runtime import MeterConfigEntry
from .validation.validator import Outcome

type Data = dict[str, str | int | float | None]


PORT_SCHEMA: Final = vol.Schema({vol.Required(CONF_DEVICE): SerialPortSelector()})


class MeterRepairFlow(RepairsFlow):
    """A question about one meter."""

    def __init__(self, entry: MeterConfigEntry, key: str) -> None:
        """Know which meter and which value it is about."""
        self._entry = entry
        self._key = key

    @property
    def _placeholders(self) -> dict[str, str] | None:
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        return None if issue is None else issue.translation_placeholders

    @property
    def _loaded(self) -> MeterConfigEntry:
        if self._entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("not_set_up", {"meter": self._entry.title})
        return self._entry

    @property
    def _coordinator(self) -> MeterCoordinator:
        return self._loaded.runtime_data.coordinator


class HeldValueFlow(MeterRepairFlow):
    """A value stays held: which one is right?"""

    _answers: tuple[str, ...] = ("accept_held", "keep_published")

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Show both values."""
        return self.async_show_menu(
            step_id="init",
            menu_options=list(self._answers),
            description_placeholders=self._placeholders,
        )

    async def _publish(self, outcome: Outcome) -> RepairsFlowResult:
        await self._coordinator.async_publish(outcome)
        return self.async_create_entry(data={})

    async def async_step_accept_held(self, user_input: Any = None) -> RepairsFlowResult:
        """Publish the held value."""
        meter = self._coordinator
        now, known = dt_util.utcnow(), meter.record.offsets
        return await self._publish(meter.validator.accept_held(self._key, meter.data, now, known))

    async def async_step_counter_restarted(self, user_input: Any = None) -> RepairsFlowResult:
        """Go on from the held value."""
        meter, now = self._coordinator, dt_util.utcnow()
        return await self._publish(meter.validator.restart_counter(self._key, meter.data, now))

    async def async_step_keep_published(self, user_input: Any = None) -> RepairsFlowResult:
        """Keep the published value."""
        meter = self._coordinator
        return await self._publish(meter.validator.keep_published(self._key, meter.data))


class FallenTotalFlow(HeldValueFlow):
    """A total has fallen: was it wrong before, has it begun anew, or is it wrong now?"""

    _answers = ("accept_held", "counter_restarted", "keep_published")


class MeterReplacementFlow(MeterRepairFlow):
    """Another meter answers: what has happened?"""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Show both numbers."""
        return self.async_show_menu(
            step_id="init",
            menu_options=["replace_meter", "add_as_new_meter", "wrong_probe"],
            description_placeholders=self._placeholders,
        )

    async def async_step_replace_meter(self, user_input: Any = None) -> RepairsFlowResult:
        """The new meter has taken the old one's place: its sensors keep their history."""
        if asks_for_sums(self.hass, self._loaded):
            return self.async_show_menu(
                step_id="replace_meter", menu_options=["sums_go_on", "sums_end"]
            )
        return await self._replace(sums_end=False)

    async def async_step_sums_go_on(self, user_input: Any = None) -> RepairsFlowResult:
        """The new meter's total goes on where the sum of the tariffs ended."""
        return await self._replace(sums_end=False)

    async def async_step_sums_end(self, user_input: Any = None) -> RepairsFlowResult:
        """The sum of the tariffs ends, and the total begins."""
        return await self._replace(sums_end=True)

    async def _replace(self, *, sums_end: bool) -> RepairsFlowResult:
        if not await async_replace_meter(self.hass, self._loaded, sums_end=sums_end):
            return self.async_abort(reason="known_already")
        return self.async_create_entry(data={})

    async def async_step_add_as_new_meter(self, user_input: Any = None) -> RepairsFlowResult:
        """It is a meter of its own; the history of the old one ends."""
        if not await async_add_as_new_meter(self.hass, self._loaded):
            return self.async_abort(reason="known_already")
        return self.async_create_entry(data={})

    async def async_step_wrong_probe(self, user_input: Any = None) -> RepairsFlowResult:
        """The probe was on the wrong meter."""
        meter = self._coordinator
        await meter.async_publish(meter.validator.dismiss_replacement(meter.data))
        return self.async_create_entry(data={})


class WrongCheckFlow(MeterRepairFlow):
    """The check character is always wrong: read the meter without it?"""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Say what that costs."""
        # Home Assistant begins with the name of the issue.
        if user_input is None or "issue_id" in user_input:
            return self.async_show_form(step_id="init", description_placeholders=self._placeholders)
        meter = self._coordinator
        await meter.async_publish(
            meter.validator.ignore_check(meter.data, meter.reader.line_profile)
        )
        return self.async_create_entry(data={})


class PortGoneFlow(MeterRepairFlow):
    """The port has been gone for long: where is the probe now?"""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask for the port; another meter there is noticed at its first reading."""
        if user_input is None or CONF_DEVICE not in user_input:
            return self.async_show_form(
                step_id="init",
                data_schema=self.add_suggested_values_to_schema(
                    PORT_SCHEMA, {CONF_DEVICE: self._entry.data[CONF_DEVICE]}
                ),
                description_placeholders=self._placeholders,
            )
        device = await ports.async_lasting_name(self.hass, user_input[CONF_DEVICE])
        manager = self.hass.config_entries
        manager.async_update_entry(self._entry, data={**self._entry.data, CONF_DEVICE: device})
        manager.async_schedule_reload(self._entry.entry_id)
        return self.async_create_entry(data={})


class BatteryFlow(MeterRepairFlow):
    """The meter may have a battery: read it once a day?"""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Say why."""
        # Home Assistant begins with the name of the issue.
        if user_input is None or "issue_id" in user_input:
            return self.async_show_form(step_id="init", description_placeholders=self._placeholders)
        options = omit_keys(self._entry.options, (CONF_BOUNDARY,))
        manager = self.hass.config_entries
        manager.async_update_entry(
            self._entry, options={**options, CONF_ALIGN_READING: ALIGNED_BEFORE}
        )
        manager.async_schedule_reload(self._entry.entry_id)
        return self.async_create_entry(data={})


FLOWS: Final = {
    BATTERY: BatteryFlow,
    FELL: FallenTotalFlow,
    METER_REPLACED: MeterReplacementFlow,
    CHECK: WrongCheckFlow,
    PORT_GONE: PortGoneFlow,
}


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: Data | None
) -> RepairsFlow:
    """The flow for an issue."""
    known = data or {}
    entry: MeterConfigEntry = hass.config_entries.async_get_known_entry(str(known["entry_id"]))
    return FLOWS.get(str(known["kind"]), HeldValueFlow)(entry, str(known["key"]))
