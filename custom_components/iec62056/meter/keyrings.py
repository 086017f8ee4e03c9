"""Keyrings of one entry: the login of mode E and the keys of pushes that the client may use."""

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..protocol.dlms.login import DlmsLogin, Keyring
from ..protocol.dlms.object_cache import ObjectCache
from ..protocol.dlms_errors import PushKeyError
from ..protocol.model import LineProfile
from .credentials import NOBODY, Credentials, async_keyring, credentials_of
from .login_manager import LoginManager


class Keyrings:
    """The keyrings of one entry. `object_cache` is what a meter of mode E said of its objects."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, login: LoginManager) -> None:
        """There is none yet."""
        self.object_cache = ObjectCache()
        # Why the key of a meter that pushes does not fit, once that is known.
        self.key_error: PushKeyError | None = None
        self._hass = hass
        self._entry = entry
        self._login = login
        # Kept as long as the entry is set up, for the login it was made for.
        self._kept: tuple[DlmsLogin | None, Keyring] | None = None

    async def async_new(self, credentials: Credentials, profile: LineProfile) -> Keyring:
        """A keyring for a login, or for none; what a meter pushes is opened in any case."""
        keyring = await async_keyring(self._hass, credentials, profile, self.object_cache)
        keyring.push_keys = credentials_of(self._entry.data).push_keys
        return keyring

    async def async_of(self, credentials: Credentials, profile: LineProfile) -> Keyring:
        """The keyring for a login, with what was proven by it since the entry was set up."""
        dlms_login = credentials.in_mode_e(profile)
        if self._kept is None or self._kept[0] != dlms_login:
            self._kept = dlms_login, await self.async_new(credentials, profile)
        return self._kept[1]

    async def async_accepted(self, credentials: Credentials, profile: LineProfile) -> Keyring:
        """The keyring for a login that the meter took before, else for none."""
        keyring = await self.async_of(credentials, profile)
        taken = credentials.in_mode_e(profile) in keyring.proven
        if taken or await self._login.async_is_accepted(credentials):
            return keyring
        return await self.async_new(NOBODY, profile)

    @callback
    def async_key_refused(self, err: PushKeyError) -> None:
        """Ask for another key of a meter that pushes."""
        self.key_error = err
        self._entry.async_start_reauth(self._hass)

    @callback
    def async_key_fitted(self) -> None:
        """Ask for no other key: what the meter sends can be opened again."""
        if self.key_error is None:
            return
        self.key_error = None
        for flow in list(self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH})):
            self._hass.config_entries.flow.async_abort(flow["flow_id"])
