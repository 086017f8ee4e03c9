"""Config flow: adds a meter, or takes another port for it, from the form to the entry."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlowResult,
)
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import callback
from homeassistant.helpers.selector import BooleanSelector
import voluptuous as vol

from ..const import CONF_MODE, CONF_NUMBER_CODE, DOMAIN
from ..entry_data import (
    CONF_ALIGN,
    CONF_ENCRYPTION_KEY,
    CONF_INTERVAL,
    CONF_MAINS,
    CONF_REGISTERS,
    CONF_SHARED,
    CONF_SHOW_REST,
    CONF_SYSTEM_TITLE,
    SECRETS,
    SECTION_BINARY,
    SECTION_SEVERAL,
    WHO_ASKS,
    entry_data_from_form,
    form_from_entry_data,
    non_connection_data,
    omit_keys,
    wakes,
    without_secrets,
)
from ..meter import connection, ports
from ..meter.alignment_run import is_over_the_probe
from ..meter.credentials import completed, credentials_of
from ..protocol.errors import BadSecret, NoAnswer, NumberNeeded, NumberUnanswered
from ..protocol.model import Mode
from ..protocol.transport.connect import public_name
from ..registers.naming import clean_text
from ..registers.registry import is_sensor_enabled, title_of
from ..registers.selection import (
    RegisterChoice,
    changed_from_default,
    choices_of,
    has_totals,
    pages,
)
from ..state.meter_state import MeterState
from ..storage import async_hand_over
from .fields import port_schema
from .forms import (
    OutOfRange,
    async_labels,
    async_text,
    intervals,
    rhythm_fields,
    rhythm_of,
    several,
    shown,
)
from .options import MeterOptionsFlow
from .push_keys import PushKeyFlow
from .release import ReleaseFlow


class MeterConfigFlow(ReleaseFlow, PushKeyFlow, domain=DOMAIN):
    """Add a meter, or tell where it is now."""

    VERSION = 1
    MINOR_VERSION = 1

    # What the user said of the meter that was found.
    _options: dict[str, Any]
    _selected: list[str]

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> MeterOptionsFlow:
        """The dialogue that changes the options."""
        return MeterOptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the port."""
        return await self._port(user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for another port, address or line of a meter that is set up."""
        if not self._input:
            self._input = form_from_entry_data(self._get_reconfigure_entry().data)
        return await self._port(user_input)

    async def async_step_found(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what answered; a meter that is already known is offered as a move."""
        if self.source == SOURCE_RECONFIGURE:
            return self._reconfigured()
        unique_id = self._state.identity.unique_id
        if unique_id is None:
            return await self.async_step_found_unnamed()
        if await self.async_set_unique_id(unique_id) is not None:
            return await self.async_step_move()
        return await self._found("found", user_input)

    async def async_step_found_unnamed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what answered, and what it costs that it does not give its number."""
        return await self._found("found_unnamed", user_input)

    async def async_step_rest(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the registers of past periods and those that are bare codes."""
        _, rest = pages(choices_of(self._state, {}))
        if user_input is not None:
            return self._create([*self._selected, *user_input[CONF_REGISTERS]])
        return self.async_show_form(
            step_id="rest", data_schema=vol.Schema(await self._register_field(rest)), last_step=True
        )

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
                    "old": public_name(entry.data[CONF_DEVICE]),
                    "new": public_name(self._data[CONF_DEVICE]),
                },
            )
        self._hand_over(state)
        done = self.async_update_reload_and_abort(
            entry, data=self._moved_data(entry.data), reason="moved"
        )
        # Who adds it again wants it to be read.
        await self.hass.config_entries.async_set_disabled_by(entry.entry_id, None)
        return done

    async def _port(self, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Take what was entered of the line; at first, and after a failure, ask for it."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        several = False
        if self.source == SOURCE_RECONFIGURE:
            placeholders["title"] = self._get_reconfigure_entry().title
        if user_input is not None:
            self._input = without_secrets(user_input)
            self._profile = None
            unfit = await self._take(user_input)
            own, device = self.context.get("entry_id"), self._data[CONF_DEVICE]
            others = await connection.async_entries_at(self.hass, device, other_than=own)
            self._shared = bool(others)
            if (holder := self._holder(others)) is not None:
                return self.async_abort(
                    reason="already_configured", description_placeholders={"title": holder.title}
                )
            if unfit is not None:
                errors["base"] = unfit.key
                placeholders |= _clean(unfit.placeholders)
            elif not self._data[CONF_ADDRESS] and (others or self._data.get(CONF_SHARED)):
                errors[SECTION_SEVERAL] = NumberNeeded.key
            elif not await self._release():
                errors["base"] = "setting_up"
            else:
                return await self._begin(align=user_input[CONF_ALIGN])
        elif self._failure is not None:
            self._give_back()
            failure, self._failure = self._failure, None
            errors["base"] = failure.key
            placeholders |= _clean(failure.placeholders)
            self._input = {**self._input, CONF_ALIGN: is_over_the_probe(failure)}
            several = isinstance(failure, (NoAnswer, NumberUnanswered, NumberNeeded))
        several |= SECTION_SEVERAL in errors or any(self._input.get(SECTION_SEVERAL, {}).values())
        return self.async_show_form(
            step_id=self._start,
            data_schema=self.add_suggested_values_to_schema(
                port_schema(several=several), self._input
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _take(self, form: Mapping[str, Any]) -> BadSecret | None:
        """Take what the form says of the line; gives what is wrong with a password or a key."""
        device = await ports.async_lasting_name(self.hass, form[CONF_DEVICE].strip())
        stored: Mapping[str, Any] = {}
        if self.source == SOURCE_RECONFIGURE:
            # Their fields are empty where they are to stay.
            data = self._get_reconfigure_entry().data
            stored = {name: data[name] for name in SECRETS if name in data}
        try:
            self._data = completed({**stored, **entry_data_from_form(form, device)})
            credentials_of(self._data)
        except BadSecret as err:
            # The port is asked for what else is wrong with it.
            self._data = entry_data_from_form({**form, SECTION_BINARY: {}}, device)
            return err
        return None

    @callback
    def _reconfigured(self) -> ConfigFlowResult:
        """Let the entry use what was entered, if it has led to its own meter."""
        entry, state = self._get_reconfigure_entry(), self._state
        if state.identity.unique_id != entry.unique_id:
            self._give_back()
            return self.async_abort(
                reason="other_meter",
                description_placeholders=_clean(
                    {"title": entry.title, "number": state.identity.number or "?"}
                ),
            )
        self._released = None
        self._hand_over(state)
        return self.async_update_reload_and_abort(
            entry, data={**non_connection_data(entry.data), **self._entry_data(state)}
        )

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

    async def _found(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        state = self._state
        first, rest = pages(choices_of(state, {}))
        shortest, longest = intervals(state.profile)
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                self._options = rhythm_of(state, user_input)
            except OutOfRange:
                errors[CONF_INTERVAL] = "interval"
            else:
                self._selected = user_input[CONF_REGISTERS]
                if user_input.get(CONF_SHOW_REST):
                    return await self.async_step_rest()
                return self._create(
                    [*self._selected, *(one.key for one in rest if self._is_selected(one))]
                )
        # Before the registers: below them, few would see it.
        fields = rhythm_fields(state) | await self._register_field(first)
        if rest:
            fields[vol.Required(CONF_SHOW_REST, default=False)] = BooleanSelector()
        identity = state.identity
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), user_input),
            errors=errors,
            description_placeholders=_clean(
                {
                    "make": identity.make or "?",
                    "model": identity.model or "?",
                    "number": identity.number or "?",
                }
            )
            | {
                "registers": str(len(state.registers)),
                "rest": str(len(rest)),
                "duration": shown(timedelta(seconds=state.health.duration)),
                "shortest": shown(shortest),
                "longest": shown(longest),
                "notes": await self._port_note(),
            },
            last_step=None if rest else True,
        )

    async def _port_note(self) -> str:
        """What the user should know of the port's name, as a paragraph; nothing where it will last."""
        why = await ports.async_why(self.hass, self._data[CONF_DEVICE])
        if why is None:
            return ""
        return "\n\n" + await async_text(self.hass, "port_name", why)

    async def _register_field(self, choices: tuple[RegisterChoice, ...]) -> dict[vol.Marker, Any]:
        selected = [one.key for one in choices if self._is_selected(one)]
        return {
            vol.Required(CONF_REGISTERS, default=selected): several(
                await async_labels(self.hass, choices)
            )
        }

    def _is_selected(self, choice: RegisterChoice) -> bool:
        """Whether a sensor is useful to most people; of a meter that was here before, whether it was on."""
        meter = self._state.identity.unique_id
        if meter is None:
            return choice.enabled
        return is_sensor_enabled(self.hass, meter, choice, {})

    def _entry_data(self, state: MeterState) -> dict[str, Any]:
        code = state.identity.number_code
        return self._data if code is None else {**self._data, CONF_NUMBER_CODE: code}

    def _moved_data(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The data of an entry at its new port: the secrets stay where the form has none."""
        new = self._entry_data(self._state)
        beside = omit_keys(non_connection_data(before), WHO_ASKS)
        if not any(name in new for name in SECRETS):
            who_asks = {name: before[name] for name in WHO_ASKS if name in before}
            return {**beside, **new, **who_asks}
        if CONF_SYSTEM_TITLE in before and new.get(CONF_ENCRYPTION_KEY) == before.get(
            CONF_ENCRYPTION_KEY
        ):
            # The numbers of a key's messages count for one title.
            new = {**new, CONF_SYSTEM_TITLE: before[CONF_SYSTEM_TITLE]}
        return {**beside, **new}

    def _hand_over(self, state: MeterState) -> None:
        device, address = self._data[CONF_DEVICE], self._data[CONF_ADDRESS]
        async_hand_over(
            self.hass, device, address, *self._before, state, known=self._known_of_mode_e
        )

    def _create(self, selected: list[str]) -> ConfigFlowResult:
        state = self._state
        if CONF_MAINS in self._options:
            state = replace(state, profile=replace(state.profile, mains=True))
        self._hand_over(state)
        if registers := changed_from_default(choices_of(state, {}), selected):
            self._options[CONF_REGISTERS] = registers
        return self.async_create_entry(
            title=title_of(self.hass, state.identity),
            data=self._entry_data(state),
            options=self._options,
            description="energy" if has_totals(choices_of(state, {})) else None,
            description_placeholders={"energy": "/config/energy"},
        )


def _clean(placeholders: Mapping[str, str]) -> dict[str, str]:
    """Texts that may come from a meter, fit to stand in a sentence."""
    return {name: clean_text(text) for name, text in placeholders.items()}
