"""Options for mode E: password, keys, and who may change what, each tried at the meter."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_PASSWORD
from homeassistant.helpers.selector import BooleanSelector
import voluptuous as vol

from ..entry_data import (
    ALL_BINARY,
    SECRETS,
    mode_e_data_from_form,
    mode_e_form_from_data,
    with_secrets,
)
from ..messages import async_message
from ..meter.credentials import completed
from ..protocol.errors import BadSecret
from ..protocol.register_session import Level, Offer
from .access import CONF_FORGET, AccessFlow
from .fields import BINARY_FIELDS, PASSWORD
from .forms import async_text
from .meter_progress import Failure

# A dialogue is no place for thousands of codes.
MOST_SHOWN: Final = 200


class KeysFlow(AccessFlow):
    """Enter what a meter of mode E wants, and see what it gives for it."""

    @override
    def _secret_groups(self) -> list[str]:
        coordinator = self._coordinator
        identification = coordinator.data.identification
        if coordinator.reader.in_mode_e:
            return ["keys", "levels"]
        offers = identification is not None and identification.offers_mode_e
        return ["password", "keys"] if offers else ["password"]

    async def async_step_keys(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for password and keys of mode E, and try them once."""
        if user_input is None:
            return self._keys_page(self.config_entry.data)

        def page(reason: str) -> ConfigFlowResult:
            return self._keys_page(user_input, reason)

        try:
            data = self._with_keys(user_input)
        except BadSecret as err:
            return page(async_message(self.hass, err))
        return await self._try(data, self._keep_keys, page)

    async def _keep_keys(self, data: dict[str, Any]) -> ConfigFlowResult:
        entry = self.config_entry
        self.hass.config_entries.async_update_entry(entry, data=data)
        # Another mode, perhaps, and another way to the meter.
        self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return self.async_create_entry(data=dict(entry.options))

    def _keys_page(self, said: Mapping[str, Any], reason: str = "") -> ConfigFlowResult:
        entry = self.config_entry
        fields: dict[vol.Marker, Any] = {vol.Optional(CONF_PASSWORD): PASSWORD, **BINARY_FIELDS}
        if any(secret in entry.data for secret in SECRETS):
            fields[vol.Required(CONF_FORGET, default=False)] = BooleanSelector()
        shown = self._form("keys", fields, reason)
        if shown["data_schema"] is not None:
            shown["data_schema"] = self.add_suggested_values_to_schema(
                shown["data_schema"], mode_e_form_from_data(said)
            )
        return shown

    def _with_keys(self, form: Mapping[str, Any]) -> dict[str, Any]:
        """The data of the entry with what a form says of mode E. Raises BadSecret."""
        data = self.config_entry.data
        others = {name: value for name, value in data.items() if name not in ALL_BINARY}
        said = mode_e_data_from_form(form)
        if form.get(CONF_FORGET):
            others.pop(CONF_PASSWORD, None)
            return {**others, **{name: said[name] for name in said if name not in SECRETS}}
        stored = {name: data[name] for name in SECRETS if name in data}
        whole = with_secrets({**others, **stored, **said}, form)
        return completed(whole, self._coordinator.data.identification)

    async def async_step_levels(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show which registers everybody, the password or the keys may read and set."""
        if user_input is not None:
            return self.async_create_entry(data=dict(self.config_entry.options))

        async def offered() -> tuple[Offer, ...]:
            async with coordinator.reader.register_session() as session:
                return await session.offered()

        async def answered(offers: tuple[Offer, ...]) -> ConfigFlowResult:
            return self._levels_page(await self._told(offers), {})

        async def failed(err: Failure) -> ConfigFlowResult:
            return self._levels_page(async_message(self.hass, err), {"base": "failed"})

        coordinator = self._coordinator
        return await self._ask(coordinator, offered(), answered, failed)

    def _levels_page(self, text: str, errors: dict[str, str]) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="levels",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={"levels": text, "reason": text},
        )

    async def _told(self, offers: Iterable[Offer]) -> str:
        """The registers by who may read them, and by who may set them, as paragraphs."""
        found = tuple(offers)
        paragraphs: list[str] = []
        for right in ("readable", "writable"):
            for level in (*Level, None):
                codes = [offer.code for offer in found if getattr(offer, right) == level]
                if not codes or (level is None and right == "writable"):
                    continue
                shown = [f"`{code}`" for code in codes[:MOST_SHOWN]]
                paragraphs.append(
                    (await async_text(self.hass, "offer", right)).format(
                        level=await async_text(self.hass, "level", level or "nobody"),
                        count=len(codes),
                        codes=", ".join(shown) + (" …" if len(codes) > MOST_SHOWN else ""),
                    )
                )
        return "\n\n".join(paragraphs)
