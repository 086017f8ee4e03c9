"""What a person is told of a line: another protocol is spoken on it, or its port has been gone for long.

Here: the notices as issues of Home Assistant. They follow from a failure and how long readings are missing, so they are
there again after a start, and a good reading takes them away.
Never here: the answers (repairs), questions about a meter's values (doubts).
"""

from datetime import datetime, timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .messages import async_message
from .protocol.errors import LineError, MeterError, OtherProtocol, PortBusy
from .registers.descriptions import clean_text

PROTOCOL: Final = "protocol"
PORT_GONE: Final = "port_gone"

# A machine that is switched off over night, a bridge that is moved: that mends itself.
GONE_AFTER: Final = timedelta(hours=24)


def _id(kind: str, entry_id: str) -> str:
    return f"{entry_id}_{kind}"


@callback
def async_tell(
    hass: HomeAssistant, entry: ConfigEntry, err: MeterError, since: datetime, now: datetime
) -> None:
    """Tell of a failure that will not mend itself. `since` is when the first reading was due that is missing."""
    if isinstance(err, OtherProtocol):
        _create(hass, entry, PROTOCOL, **err.placeholders)
    elif isinstance(err, LineError) and not isinstance(err, PortBusy) and now - since >= GONE_AFTER:
        _create(hass, entry, PORT_GONE, reason=async_message(hass, err))


@callback
def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """The meter was read, or is gone: there is nothing to tell."""
    for kind in (PROTOCOL, PORT_GONE):
        ir.async_delete_issue(hass, DOMAIN, _id(kind, entry_id))


def _create(hass: HomeAssistant, entry: ConfigEntry, kind: str, **placeholders: str) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        _id(kind, entry.entry_id),
        data={"entry_id": entry.entry_id, "kind": kind},
        is_fixable=kind == PORT_GONE,
        severity=ir.IssueSeverity.ERROR,
        translation_key=kind,
        translation_placeholders={
            "title": clean_text(entry.title),
            **placeholders,
        },
    )
