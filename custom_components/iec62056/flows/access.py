"""Options for access beyond the readout: a password, more registers, fast polling and changes, each tried at the meter."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_PASSWORD, UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)
import voluptuous as vol

from ..entry_data import (
    AUTO,
    CONF_AUTOMATIONS,
    CONF_CLOCK,
    CONF_EXECUTE,
    CONF_EXTRA,
    CONF_LOGIN,
    CONF_QUICK,
    CONF_QUICK_REQUEST,
    CONF_QUICK_SECONDS,
    CONF_WRITE,
)
from ..messages import async_message
from ..meter.credentials import credentials_of
from ..meter.fast_polling import MOST_SECONDS, USUAL_SECONDS, Trial
from ..protocol.ascii import commands
from ..protocol.ascii.dialects import dialect
from ..protocol.errors import BadField, BadSecret
from ..protocol.register_session import Answer
from ..registers.naming import clean_text
from ..registers.selection import choices_of
from .fields import LOGINS, PASSWORD, dropdown, number
from .forms import NO_BREAK, async_labels, several
from .meter_progress import AskingFlow, Failure
from .overrides import NamingFlow

CONF_FORGET: Final = "forget"

# A list that is read with each reading must not keep the line from everybody else.
MOST_CODES: Final = 64
MOST_QUICK: Final = 8
_QUICK: Final = (CONF_QUICK, CONF_QUICK_SECONDS, CONF_QUICK_REQUEST)

LOGIN: Final = dropdown(CONF_LOGIN, AUTO, *LOGINS)
_CODES: Final = TextSelector(TextSelectorConfig(multiple=True))
_SECONDS: Final = number(1, MOST_SECONDS, UnitOfTime.SECONDS)


def with_login(data: Mapping[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's data with the password of a form; where that is left empty, the one there is stays."""
    kept = {name: value for name, value in data.items() if name != CONF_LOGIN}
    if form.get(CONF_PASSWORD):
        kept[CONF_PASSWORD] = form[CONF_PASSWORD]
    if form[CONF_LOGIN] != AUTO and CONF_PASSWORD in kept:
        kept[CONF_LOGIN] = form[CONF_LOGIN]
    return kept


class AccessFlow(NamingFlow, AskingFlow):
    """Enter a password, add registers, choose quick ones, allow changes."""

    _answers: tuple[Answer, ...]
    _kept: tuple[str, ...]
    _quick: dict[str, Any]

    async def async_step_access(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Give the choice between the groups."""
        groups = [*self._secret_groups(), "extra", "changes"]
        if self._runtime.fast_poller.is_possible:
            groups.insert(-1, "fast_polling")
        return self.async_show_menu(step_id="access", menu_options=groups)

    # The password

    def _secret_groups(self) -> list[str]:
        """The pages on which a password or keys are entered, and what follows from them is shown."""
        return ["password"]

    async def async_step_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the password, and try it once."""
        if user_input is None:
            return self._password_page()
        data = with_login(self.config_entry.data, user_input)
        if user_input.get(CONF_FORGET):
            data = {
                name: value
                for name, value in data.items()
                if name not in (CONF_PASSWORD, CONF_LOGIN)
            }
        return await self._try(data, self._keep_password, self._password_page)

    async def _try(
        self,
        data: dict[str, Any],
        keep: Callable[[dict[str, Any]], Awaitable[ConfigFlowResult]],
        page: Callable[[str], ConfigFlowResult],
    ) -> ConfigFlowResult:
        """Prove to the meter what is new in the data of an entry, then keep them; or show the page with the reason."""

        async def failed(err: Failure) -> ConfigFlowResult:
            return page(async_message(self.hass, err))

        async def tried(_: None) -> ConfigFlowResult:
            return await keep(data)

        try:
            proves = credentials_of(data).secret is not None and data != self.config_entry.data
        except BadSecret as err:
            return await failed(err)
        if not proves:
            return await keep(data)
        coordinator = self._coordinator
        return await self._ask(coordinator, coordinator.reader.async_try(data), tried, failed)

    async def _keep_password(self, data: dict[str, Any]) -> ConfigFlowResult:
        entry = self.config_entry
        self.hass.config_entries.async_update_entry(entry, data=data)
        await self._coordinator.reader.login.async_recall()
        return self.async_create_entry(data=dict(entry.options))

    def _password_page(self, reason: str = "") -> ConfigFlowResult:
        entry = self.config_entry
        fields: dict[vol.Marker, Any] = {
            vol.Optional(CONF_PASSWORD): PASSWORD,
            vol.Required(CONF_LOGIN, default=entry.data.get(CONF_LOGIN, AUTO)): LOGIN,
        }
        if CONF_PASSWORD in entry.data:
            fields[vol.Required(CONF_FORGET, default=False)] = BooleanSelector()
        return self._form("password", fields, reason)

    # Registers that only an open session has

    async def async_step_extra(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for registers by their codes, and read those that are new."""
        if user_input is None:
            return self._extra_page()
        there = self.config_entry.options.get(CONF_EXTRA, ())
        chosen = tuple(dict.fromkeys(code.strip() for code in user_input[CONF_EXTRA]))
        chosen = chosen[:MOST_CODES]
        self._kept = tuple(code for code in there if code in chosen)
        new = [code for code in chosen if code not in there]
        if not new:
            return self._keep_extra(())

        async def read() -> tuple[Answer, ...]:
            async with coordinator.reader.session() as client:
                return await client.read(new)

        async def answered(answers: tuple[Answer, ...]) -> ConfigFlowResult:
            self._answers = answers
            return await self.async_step_extra_answers()

        async def failed(err: Failure) -> ConfigFlowResult:
            return self._extra_page(async_message(self.hass, err))

        coordinator = self._coordinator
        return await self._ask(coordinator, read(), answered, failed)

    def _extra_page(self, reason: str = "") -> ConfigFlowResult:
        there = tuple(self.config_entry.options.get(CONF_EXTRA, ()))
        selector = SelectSelector(
            SelectSelectorConfig(
                options=list(dict.fromkeys((*there, *self._known()))),
                multiple=True,
                custom_value=True,
                mode=SelectSelectorMode.DROPDOWN,
            )
        )
        fields: dict[vol.Marker, Any] = {vol.Required(CONF_EXTRA, default=list(there)): selector}
        return self._form("extra", fields, reason)

    async def async_step_extra_answers(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what the meter answered; what it has is kept, if it is selected."""
        if user_input is not None:
            return self._keep_extra(user_input[CONF_EXTRA])
        labels = [
            SelectOptionDict(value=answer.code, label=self._shown(answer))
            for answer in self._answers
        ]
        has = [answer.code for answer in self._answers if answer.register is not None]
        return self._form(
            "extra_answers", {vol.Required(CONF_EXTRA, default=has): several(labels)}, ""
        )

    def _known(self) -> list[str]:
        """What this make is known to have beyond its readout."""
        state = self._coordinator.data
        if state.identification is None:
            return []
        read = {known.register.address for known in state.registers.values()}
        return [code for code in dialect(state.identification).known if code not in read]

    def _shown(self, answer: Answer) -> str:
        """A code and what came in answer to it."""
        if answer.refusal is not None:
            said = async_message(self.hass, answer.refusal)
        else:
            values = () if answer.register is None else answer.register.values
            said = clean_text(" ".join(f"{text} {unit or ''}" for text, unit in values))
        return f"{clean_text(answer.code)} · {said}"

    def _keep_extra(self, new: Sequence[str]) -> ConfigFlowResult:
        codes = [*self._kept, *new]
        return self._keep((CONF_EXTRA,), {CONF_EXTRA: codes} if codes else {})

    # Quick registers

    async def async_step_fast_polling(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which registers are to be read so, and try them."""
        if user_input is None:
            return await self._fast_polling_page()
        codes = user_input[CONF_QUICK][:MOST_QUICK]
        if not codes:
            return self._keep(_QUICK, {})
        kept = {CONF_QUICK: codes, CONF_QUICK_SECONDS: int(user_input[CONF_QUICK_SECONDS])}

        async def answered(way: Trial) -> ConfigFlowResult:
            self._quick = kept if way.request is None else {**kept, CONF_QUICK_REQUEST: way.request}
            took = f"{way.seconds:.1f}{NO_BREAK}{UnitOfTime.SECONDS}"
            return self._form("fast_polling_tried", {}, "", took=took)

        async def failed(err: Failure) -> ConfigFlowResult:
            return await self._fast_polling_page(async_message(self.hass, err))

        coordinator = self._coordinator
        return await self._ask(
            coordinator, self._runtime.fast_poller.async_try(codes), answered, failed
        )

    async def _fast_polling_page(self, reason: str = "") -> ConfigFlowResult:
        options = self.config_entry.options
        seconds = options.get(CONF_QUICK_SECONDS, USUAL_SECONDS)
        chosen = options.get(CONF_QUICK, [])
        fields: dict[vol.Marker, Any] = {
            vol.Required(CONF_QUICK, default=chosen): several(await self._quick_choices(chosen)),
            vol.Required(CONF_QUICK_SECONDS, default=seconds): _SECONDS,
        }
        return self._form("fast_polling", fields, reason, most=str(MOST_QUICK))

    async def async_step_fast_polling_tried(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Keep the registers, now that the user has seen how long a round takes."""
        return self._keep(_QUICK, self._quick)

    async def _quick_choices(self, chosen: Sequence[str]) -> list[SelectOptionDict]:
        """The present values that are numbers, by their codes on the line."""
        state = self._coordinator.data
        numbers = {
            known.register.key: known.register.address
            for known in state.registers.values()
            if known.register.values and known.register.values[0].number is not None
        }
        choices = [
            one
            for one in choices_of(state, self.config_entry.options)
            if one.key in numbers and (not one.later or numbers[one.key] in chosen)
        ]
        return [
            SelectOptionDict(value=numbers[label["value"]], label=label["label"])
            for label in await async_labels(self.hass, choices)
        ]

    # What may be changed

    async def async_step_changes(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what may be changed at the meter, and whether automations may."""
        decided = (CONF_WRITE, CONF_EXECUTE, CONF_CLOCK, CONF_AUTOMATIONS)
        errors: dict[str, str] = {}
        if user_input is not None:
            kept: dict[str, Any] = {}
            for name, letter in ((CONF_WRITE, "W"), (CONF_EXECUTE, "E")):
                codes = [code.strip() for code in user_input.get(name, ()) if code.strip()]
                if not all(_is_code(code, letter) for code in codes):
                    errors[name] = "bad_code"
                if codes:
                    kept[name] = codes
            kept |= {name: True for name in (CONF_CLOCK, CONF_AUTOMATIONS) if user_input[name]}
            if not errors:
                return self._keep(decided, kept)
        schema = vol.Schema(
            {
                vol.Optional(CONF_WRITE): _CODES,
                vol.Optional(CONF_EXECUTE): _CODES,
                vol.Required(CONF_CLOCK, default=False): BooleanSelector(),
                vol.Required(CONF_AUTOMATIONS, default=False): BooleanSelector(),
            }
        )
        return self.async_show_form(
            step_id="changes",
            data_schema=self.add_suggested_values_to_schema(
                schema, user_input or self.config_entry.options
            ),
            errors=errors,
        )

    def _form(
        self, step_id: str, fields: dict[vol.Marker, Any], reason: str, **placeholders: str
    ) -> ConfigFlowResult:
        """A page, with what went wrong at the meter."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=vol.Schema(fields),
            errors={"base": "failed"} if reason else {},
            description_placeholders={**placeholders, "reason": reason},
        )


def _is_code(code: str, letter: str) -> bool:
    try:
        commands.wish(code, letter)
    except BadField:
        return False
    return True
