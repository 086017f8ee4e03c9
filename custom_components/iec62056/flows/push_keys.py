"""The pages for the key of a meter that pushes encrypted DLMS: when it is added, and when its key no longer fits."""

from collections.abc import Mapping
import re
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigFlowResult
from homeassistant.core import callback
from homeassistant.helpers.selector import BooleanSelector
import voluptuous as vol

from ..const import CONF_MODE
from ..entry_data import CONF_AUTHENTICATION_KEY, CONF_ENCRYPTION_KEY, SECRETS, omit_keys
from ..messages import async_message
from ..meter.credentials import credentials_of
from ..protocol.dlms_errors import PushKeyError, PushKeyNeeded
from ..protocol.errors import BadSecret, MeterError
from ..protocol.model import Mode
from ..registers.naming import clean_text
from ..runtime import runtime_of
from .fields import PASSWORD
from .meter_progress import Failure
from .reading import ReadFlow
from .reauth import ReauthFlow

CONF_ASK: Final = "ask"
_KEYS: Final[dict[vol.Marker, Any]] = {
    vol.Optional(CONF_ENCRYPTION_KEY): PASSWORD,
    vol.Optional(CONF_AUTHENTICATION_KEY): PASSWORD,
}
_ASK: Final[dict[vol.Marker, Any]] = {vol.Required(CONF_ASK, default=False): BooleanSelector()}
# How keys are written in letters and portals.
_BETWEEN_DIGITS: Final = re.compile(r"0[xX]|[\s:,.-]")


def _with_keys(data: Mapping[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's data with the keys of a form alone. Raises BadSecret."""
    keys = {
        name: _BETWEEN_DIGITS.sub("", form[name])
        for name in (CONF_ENCRYPTION_KEY, CONF_AUTHENTICATION_KEY)
        if form.get(name)
    }
    whole = {**omit_keys(data, SECRETS), **keys, CONF_MODE: Mode.D}
    credentials_of(whole)
    return whole


class PushKeyFlow(ReadFlow, ReauthFlow):
    """Ask for the key of a meter whose telegrams cannot be opened."""

    # Why they cannot, and the way to the meter.
    _unopened: PushKeyError

    @override
    @callback
    def _failed(self, err: MeterError) -> ConfigFlowResult:
        if not isinstance(err, PushKeyError):
            return super()._failed(err)
        self._unopened = err
        return self.async_show_progress_done(next_step_id="push_key")

    async def async_step_push_key(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the key of a meter that was heard; the user may prefer to have it asked in mode C."""
        if user_input is None:
            return self._key_page(self._unopened)
        try:
            self._data = _with_keys(self._data, user_input)
        except BadSecret as err:
            return self._key_page(err)
        self._profile = self._unopened.found
        if user_input[CONF_ASK]:
            self._data = {**omit_keys(self._data, SECRETS), CONF_MODE: Mode.C}
            self._profile = None
        return await self.async_step_read()

    @override
    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        runtime = runtime_of(self._get_reauth_entry())
        if runtime is None or runtime.reader.keyrings.key_error is None:
            return await super().async_step_reauth(entry_data)
        self._unopened = runtime.reader.keyrings.key_error
        return await self.async_step_reauth_push()

    async def async_step_reauth_push(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the keys that fit what the meter sends now, and try them on its next telegrams."""

        async def accepted(_: None) -> ConfigFlowResult:
            return self.async_update_reload_and_abort(entry, data=data, reason="key_fits")

        async def failed(err: Failure) -> ConfigFlowResult:
            return self._key_page(err)

        entry = self._get_reauth_entry()
        if user_input is None:
            return self._key_page(self._unopened)
        if (runtime := runtime_of(entry)) is None:
            return self.async_abort(reason="not_read_yet")
        try:
            data = _with_keys(entry.data, user_input)
        except BadSecret as err:
            return self._key_page(err)
        return await self._ask(
            runtime.coordinator, runtime.reader.async_try(data), accepted, failed
        )

    def _key_page(self, reason: Failure) -> ConfigFlowResult:
        """Ask for the keys; `reason` is why what was sent could not be opened without them, or with others."""
        again = self.source == SOURCE_REAUTH
        # That a key is needed is no failure before one was asked for.
        first = not again and self._profile is None and isinstance(reason, PushKeyNeeded)
        return self.async_show_form(
            step_id="reauth_push" if again else "push_key",
            data_schema=vol.Schema(_KEYS if again else {**_KEYS, **_ASK}),
            errors={} if first else {"base": "failed"},
            description_placeholders={
                "title": clean_text(self._get_reauth_entry().title) if again else "",
                "make": self._unopened.placeholders.get("make", "?"),
                "reason": async_message(self.hass, reason),
            },
        )
