"""The part of the options about mode E: password and keys, and who may see and set what.

Here: its steps. What is entered is tried at the meter before it is kept, as a password of programming mode is.
Never here: sessions (access), what a key becomes (credentials). A stored secret is never shown.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_PASSWORD
from homeassistant.helpers.selector import BooleanSelector
from homeassistant.helpers.translation import async_get_translations
import voluptuous as vol

from .access import needs_login
from .access_flow import CONF_FORGET, AccessFlow, async_sentence
from .const import DOMAIN
from .credentials import completed, credentials_of
from .protocol.access import Level, Offer
from .protocol.errors import MeterError
from .settings import (
    ALL_BINARY,
    BINARY_FIELDS,
    PASSWORD,
    SECRETS,
    entered_binary,
    kept_binary,
    with_secrets,
)

# A dialogue is no place for thousands of codes.
MOST_SHOWN: Final = 200


class KeysFlow(AccessFlow):
    """Enter what a meter of mode E wants, and see what it gives for it."""

    @override
    def _secret_groups(self) -> list[str]:
        coordinator = self._coordinator
        identification = coordinator.data.identification
        if needs_login(coordinator.profile):
            return ["keys", "levels"]
        offers = identification is not None and identification.offers_mode_e
        return ["password", "keys"] if offers else ["password"]

    async def async_step_keys(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for password and keys of mode E, and try them once."""
        entry, coordinator, reason = self.config_entry, self._coordinator, ""
        if user_input is not None:
            try:
                data = self._with_keys(user_input)
                if credentials_of(data).secret is not None and data != entry.data:
                    await coordinator.access.async_try(data)
            except MeterError as err:
                reason = await async_sentence(self.hass, err)
            else:
                self.hass.config_entries.async_update_entry(entry, data=data)
                # Another mode, perhaps, and another way to the meter.
                self.hass.config_entries.async_schedule_reload(entry.entry_id)
                return self.async_create_entry(data=dict(entry.options))
        fields: dict[vol.Marker, Any] = {vol.Optional(CONF_PASSWORD): PASSWORD, **BINARY_FIELDS}
        if any(secret in entry.data for secret in SECRETS):
            fields[vol.Required(CONF_FORGET, default=False)] = BooleanSelector()
        shown = self._form("keys", fields, reason)
        if shown["data_schema"] is not None:
            shown["data_schema"] = self.add_suggested_values_to_schema(
                shown["data_schema"], entered_binary(user_input or entry.data)
            )
        return shown

    def _with_keys(self, form: Mapping[str, Any]) -> dict[str, Any]:
        """The data of the entry with what a form says of mode E. Raises BadSecret."""
        data = self.config_entry.data
        others = {name: value for name, value in data.items() if name not in ALL_BINARY}
        said = kept_binary(form)
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
        try:
            offers = await self._coordinator.access.async_offered()
        except MeterError as err:
            text, errors = await async_sentence(self.hass, err), {"base": "failed"}
        else:
            text, errors = await self._told(offers), {}
        return self.async_show_form(
            step_id="levels",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={"levels": text, "reason": text},
        )

    async def _told(self, offers: Iterable[Offer]) -> str:
        """The registers by who may read them, and by who may set them, as paragraphs."""
        texts = await async_get_translations(
            self.hass, self.hass.config.language, "selector", [DOMAIN]
        )
        said = f"component.{DOMAIN}.selector."
        found = tuple(offers)
        paragraphs: list[str] = []
        for right in ("readable", "writable"):
            for level in (*Level, None):
                codes = [offer.code for offer in found if getattr(offer, right) == level]
                if not codes or (level is None and right == "writable"):
                    continue
                shown = [f"`{code}`" for code in codes[:MOST_SHOWN]]
                paragraphs.append(
                    texts[f"{said}offer.options.{right}"].format(
                        level=texts[f"{said}level.options.{level or 'nobody'}"],
                        count=len(codes),
                        codes=", ".join(shown) + (" …" if len(codes) > MOST_SHOWN else ""),
                    )
                )
        return "\n\n".join(paragraphs)
