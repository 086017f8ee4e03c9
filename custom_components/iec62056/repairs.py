"""The answers to what a person is asked about a meter's values, and what mends its line.

Here: one dialogue per kind of question.
Never here: when a question is asked (doubts, notices), what follows from an answer (trust).
"""

from typing import Any, Final, override

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_DEVICE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import SerialPortSelector
import voluptuous as vol

from .const import DOMAIN
from .issues import CHECK, EXCHANGED
from .line_issues import PORT_GONE
from .meter import ports
from .runtime import MeterConfigEntry
from .validation.validator import ReadingValidator

type Data = dict[str, str | int | float | None]


PORT_SCHEMA: Final = vol.Schema({vol.Required(CONF_DEVICE): SerialPortSelector()})


class _Question(RepairsFlow):
    """A question about one meter."""

    _options: tuple[str, ...]

    def __init__(self, entry: MeterConfigEntry, key: str) -> None:
        """Know whom it is about."""
        self._entry = entry
        self._key = key

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Say what was seen, and give the choice."""
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        return self.async_show_menu(
            step_id="init",
            menu_options=list(self._options),
            description_placeholders=None if issue is None else issue.translation_placeholders,
        )

    @property
    def _trust(self) -> ReadingValidator:
        if self._entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("not_set_up", {"meter": self._entry.title})
        return self._entry.runtime_data.coordinator.trust


class HeldQuestion(_Question):
    """A value stays held: which one is right?"""

    _options = ("believe", "keep")

    async def async_step_believe(self, user_input: Any = None) -> RepairsFlowResult:
        """The new one."""
        self._trust.async_accept_held(self._key)
        return self.async_create_entry(data={})

    async def async_step_keep(self, user_input: Any = None) -> RepairsFlowResult:
        """The published one."""
        self._trust.async_keep_published(self._key)
        return self.async_create_entry(data={})


class ExchangeQuestion(_Question):
    """Another meter answers: what has happened?"""

    _options = ("go_on", "add", "wrong_probe")

    async def async_step_go_on(self, user_input: Any = None) -> RepairsFlowResult:
        """It has taken the other's place: its sensors go on with the same history."""
        if not await self._trust.async_replace_meter():
            return self.async_abort(reason="known_already")
        return self.async_create_entry(data={})

    async def async_step_add(self, user_input: Any = None) -> RepairsFlowResult:
        """It is a meter of its own; the old one's history ends."""
        if not await self._trust.async_add_as_new_meter():
            return self.async_abort(reason="known_already")
        return self.async_create_entry(data={})

    async def async_step_wrong_probe(self, user_input: Any = None) -> RepairsFlowResult:
        """The probe sits on the wrong meter."""
        self._trust.async_dismiss_replacement()
        return self.async_create_entry(data={})


class CheckQuestion(_Question):
    """The check character is always wrong: do without it?"""

    @override
    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Say what it costs."""
        # Home Assistant begins with the name of the issue.
        if user_input is None or "issue_id" in user_input:
            issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
            return self.async_show_form(
                step_id="init",
                description_placeholders=None if issue is None else issue.translation_placeholders,
            )
        self._trust.async_do_without_check()
        return self.async_create_entry(data={})


class PortQuestion(RepairsFlow):
    """The port has been gone for long: where is the probe now?"""

    def __init__(self, entry: MeterConfigEntry) -> None:
        """Know whose port it is."""
        self._entry = entry

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask for the port; should another meter be there, that is noticed at its first reading."""
        if user_input is None or CONF_DEVICE not in user_input:
            issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
            return self.async_show_form(
                step_id="init",
                data_schema=self.add_suggested_values_to_schema(
                    PORT_SCHEMA, {CONF_DEVICE: self._entry.data[CONF_DEVICE]}
                ),
                description_placeholders=None if issue is None else issue.translation_placeholders,
            )
        device = await ports.async_lasting_name(self.hass, user_input[CONF_DEVICE])
        manager = self.hass.config_entries
        manager.async_update_entry(self._entry, data={**self._entry.data, CONF_DEVICE: device})
        manager.async_schedule_reload(self._entry.entry_id)
        return self.async_create_entry(data={})


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: Data | None
) -> RepairsFlow:
    """The dialogue for a question."""
    known = data or {}
    entry: MeterConfigEntry = hass.config_entries.async_get_known_entry(str(known["entry_id"]))
    if known["kind"] == PORT_GONE:
        return PortQuestion(entry)
    kinds = {EXCHANGED: ExchangeQuestion, CHECK: CheckQuestion}
    return kinds.get(str(known["kind"]), HeldQuestion)(entry, str(known["key"]))
