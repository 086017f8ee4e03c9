"""Reauth flow: asks for another password and tries it once."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_PASSWORD
from homeassistant.util import dt as dt_util
import voluptuous as vol

from ..entry_data import (
    AUTO,
    CONF_AUTHENTICATION_KEY,
    CONF_ENCRYPTION_KEY,
    CONF_LOGIN,
    CONF_SECURITY,
    with_secrets,
)
from ..messages import async_message
from ..meter.reader import MeterReader
from ..protocol.errors import BadSecret, LoginError
from ..registers.naming import clean_text
from ..runtime import runtime_of
from .access import LOGIN, with_login
from .fields import PASSWORD
from .forms import async_text
from .meter_progress import AskingFlow, Failure


def _fields(data: Mapping[str, Any], reader: MeterReader | None) -> dict[vol.Marker, Any]:
    """The secrets that the entry has: in mode E keys, a password or both, each of which may stay as it is."""
    if any(name in data for name in (CONF_ENCRYPTION_KEY, CONF_AUTHENTICATION_KEY)):
        names = [CONF_ENCRYPTION_KEY, CONF_AUTHENTICATION_KEY]
        if CONF_PASSWORD in data:
            names.insert(0, CONF_PASSWORD)
        return {vol.Optional(name): PASSWORD for name in names}
    fields: dict[vol.Marker, Any] = {vol.Required(CONF_PASSWORD): PASSWORD}
    if not (CONF_SECURITY in data or (reader is not None and reader.in_mode_e)):
        fields[vol.Required(CONF_LOGIN, default=data.get(CONF_LOGIN, AUTO))] = LOGIN
    return fields


class ReauthFlow(ConfigFlow, AskingFlow):
    """Ask for the password of a meter that is set up."""

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin; what the entry holds is not shown."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the password and try it, once."""
        if user_input is None:
            return await self._reauth_page()
        entry = self._get_reauth_entry()
        # It may be refused in the very first reading, before the entry is set up.
        if (runtime := runtime_of(entry)) is None:
            return self.async_abort(reason="not_read_yet")
        binary = CONF_LOGIN not in user_input
        data = (with_secrets if binary else with_login)(entry.data, user_input)

        async def accepted(_: None) -> ConfigFlowResult:
            return self.async_update_reload_and_abort(entry, data=data)

        async def failed(err: Failure) -> ConfigFlowResult:
            reason = async_message(self.hass, err)
            # One that cannot be sent was not tried.
            if isinstance(err, LoginError) and not isinstance(err, BadSecret):
                return self.async_abort(
                    reason="not_accepted", description_placeholders={"reason": reason}
                )
            return await self._reauth_page(reason)

        return await self._ask(
            runtime.coordinator, runtime.reader.async_try(data), accepted, failed
        )

    async def _reauth_page(self, reason: str = "") -> ConfigFlowResult:
        entry = self._get_reauth_entry()
        runtime = runtime_of(entry)
        reader = None if runtime is None else runtime.reader
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=vol.Schema(_fields(entry.data, reader)),
            errors={"base": "failed"} if reason else {},
            description_placeholders={
                "title": clean_text(entry.title),
                "reason": reason,
                "lockout": await self._lockout(reader),
            },
        )

    async def _lockout(self, reader: MeterReader | None) -> str:
        """When the password was refused, and until when the meter may be locked."""
        if reader is None or (refused := reader.login.refused) is None:
            return ""
        text = await async_text(self.hass, "lockout", refused.outcome)
        until = refused.free_at or refused.at
        left = max(0, round((until - dt_util.utcnow()).total_seconds() / 3600))
        return text.format(
            at=dt_util.as_local(refused.at).strftime("%Y-%m-%d %H:%M"),
            until=dt_util.as_local(until).strftime("%Y-%m-%d %H:%M"),
            hours=left,
        )
