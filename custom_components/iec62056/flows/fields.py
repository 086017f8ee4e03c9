"""Fields of forms: selectors, the form for a port, and the fields of mode E."""

from typing import Any, Final

from homeassistant.const import CONF_ADDRESS, CONF_DEVICE, CONF_PASSWORD, UnitOfTime
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    SerialPortSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from ..const import CONF_MODE
from ..entry_data import (
    AUTO,
    CLIENTS,
    CONF_ALIGN,
    CONF_AUTHENTICATION_KEY,
    CONF_BUS,
    CONF_CLIENT,
    CONF_DTR,
    CONF_ENCRYPTION_KEY,
    CONF_HDLC_AT_ONCE,
    CONF_LOGIN,
    CONF_PHYSICAL,
    CONF_PROTECTION,
    CONF_REQUEST,
    CONF_RTS,
    CONF_SECURITY,
    CONF_SERVER,
    CONF_SHARED,
    CONF_SPEED,
    CONF_STAY,
    CONF_SWITCH_DELAY,
    CONF_SYSTEM_TITLE,
    CONF_UNENCRYPTED,
    CONF_WAKE_UP,
    FAST,
    LONGEST_SWITCH_DELAY,
    MODES,
    MOST_SERVER,
    NEVER,
    OFF,
    ON,
    REQUESTS,
    SECTION_ADVANCED,
    SECTION_BINARY,
    SECTION_SEVERAL,
    SECURITIES,
    SPEEDS,
    STANDARD,
)
from ..protocol.ascii.passwords import PasswordMethod


def dropdown(name: str, *options: str, custom: bool = False) -> SelectSelector:
    """One of several, whose texts are translated under that name."""
    return SelectSelector(
        SelectSelectorConfig(
            options=list(options),
            mode=SelectSelectorMode.DROPDOWN,
            translation_key=name,
            custom_value=custom,
        )
    )


def one_of(name: str, *options: str) -> SelectSelector:
    """One of a few that are all seen, whose texts are translated under that name."""
    return SelectSelector(
        SelectSelectorConfig(
            options=list(options), mode=SelectSelectorMode.LIST, translation_key=name
        )
    )


def number(least: int, most: int, unit: str | None = None, *, step: int = 1) -> NumberSelector:
    """A whole number that is typed."""
    config = NumberSelectorConfig(min=least, max=most, step=step, mode=NumberSelectorMode.BOX)
    if unit is not None:
        config["unit_of_measurement"] = unit
    return NumberSelector(config)


# The passwords that may be entered; a maker's secret cannot be.
LOGINS: Final = (
    PasswordMethod.PLAIN,
    PasswordMethod.RESULT,
    PasswordMethod.CRC32,
    PasswordMethod.ROLLING_SUM,
    PasswordMethod.SUPPLIER_LOCK,
    PasswordMethod.CUSTOMER_LOCK,
)
PASSWORD: Final = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
)


PROTECTION: Final = dropdown(CONF_PROTECTION, "both", "encryption", "authentication")
SECURITY: Final = dropdown(CONF_SECURITY, AUTO, *SECURITIES)
CLIENT: Final = dropdown(CONF_CLIENT, *(str(client) for client in CLIENTS), custom=True)
# Who asks, in mode E; the password is asked for beside it.
BINARY_FIELDS: Final[dict[vol.Marker, Any]] = {
    vol.Required(CONF_SECURITY, default=AUTO): SECURITY,
    vol.Optional(CONF_ENCRYPTION_KEY): PASSWORD,
    vol.Optional(CONF_AUTHENTICATION_KEY): PASSWORD,
    vol.Optional(CONF_SYSTEM_TITLE): TextSelector(),
    vol.Required(CONF_UNENCRYPTED, default=False): BooleanSelector(),
    vol.Optional(CONF_PROTECTION): PROTECTION,
    vol.Optional(CONF_CLIENT): CLIENT,
    vol.Optional(CONF_SERVER): number(1, MOST_SERVER),
    vol.Optional(CONF_PHYSICAL): number(1, MOST_SERVER),
    vol.Required(CONF_HDLC_AT_ONCE, default=False): BooleanSelector(),
}


def port_schema(*, several: bool = False) -> vol.Schema:
    """The form for a port; with the part for several meters open where `several` is set."""
    return vol.Schema(
        {
            vol.Required(CONF_DEVICE): SerialPortSelector(),
            vol.Required(CONF_ALIGN, default=False): BooleanSelector(),
            vol.Optional(SECTION_SEVERAL): section(
                vol.Schema(
                    {
                        vol.Optional(CONF_ADDRESS): TextSelector(),
                        vol.Required(CONF_SHARED, default=False): BooleanSelector(),
                    }
                ),
                {"collapsed": not several},
            ),
            vol.Required(SECTION_ADVANCED): section(
                vol.Schema(
                    {
                        vol.Required(CONF_MODE, default=AUTO): dropdown(
                            CONF_MODE, AUTO, *(mode.lower() for mode in MODES)
                        ),
                        vol.Required(CONF_SPEED, default=AUTO): dropdown(
                            CONF_SPEED, AUTO, *(str(speed) for speed in SPEEDS)
                        ),
                        vol.Required(CONF_BUS, default=False): BooleanSelector(),
                        vol.Required(CONF_WAKE_UP, default=AUTO): dropdown(
                            CONF_WAKE_UP, AUTO, STANDARD, FAST, NEVER
                        ),
                        vol.Optional(CONF_REQUEST): dropdown(CONF_REQUEST, *REQUESTS, custom=True),
                        vol.Required(CONF_STAY, default=False): BooleanSelector(),
                        vol.Optional(CONF_SWITCH_DELAY): number(
                            0, LONGEST_SWITCH_DELAY, UnitOfTime.MILLISECONDS, step=5
                        ),
                        vol.Optional(CONF_PASSWORD): PASSWORD,
                        vol.Required(CONF_LOGIN, default=AUTO): dropdown(CONF_LOGIN, AUTO, *LOGINS),
                        vol.Required(CONF_DTR, default=AUTO): dropdown(CONF_DTR, AUTO, ON, OFF),
                        vol.Required(CONF_RTS, default=AUTO): dropdown(CONF_RTS, AUTO, ON, OFF),
                    }
                ),
                {"collapsed": True},
            ),
            vol.Optional(SECTION_BINARY): section(vol.Schema(BINARY_FIELDS), {"collapsed": True}),
        }
    )
