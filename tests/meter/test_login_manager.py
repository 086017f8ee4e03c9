"""A password is noted before it is tried."""

from typing import Any
from unittest.mock import patch

from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter.credentials import credentials_of
from custom_components.iec62056.meter.login_manager import LoginManager
from custom_components.iec62056.protocol.errors import NotWritten


async def test_no_password_is_tried_that_could_not_be_noted(
    hass: HomeAssistant, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    """A crash would forget that the meter refused it."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_PASSWORD: "secret12"})
    login, credentials = LoginManager(hass, entry), credentials_of(entry.data)
    full = WriteError("no space left on device")
    with patch("homeassistant.helpers.storage.Store._async_write_data", side_effect=full):
        for _ in range(2):
            with pytest.raises(NotWritten):
                await login.async_begin(credentials)
    assert await login.async_usable() == credentials
    assert await login.async_begin(credentials)
    kept = hass_storage[f"{DOMAIN}.{entry.entry_id}.login"]["data"]
    assert kept["outcome"] == "unanswered"
