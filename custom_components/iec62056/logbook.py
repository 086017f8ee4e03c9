"""What the logbook says of changes at a meter.

Never here: what was written; the event does not hold it.
"""

from collections.abc import Callable
from typing import Final

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.core import Event, HomeAssistant, callback

from .access_services import (
    ATTR_ACTION,
    ATTR_CODE,
    ATTR_METER,
    ATTR_RESULT,
    EVENT_CHANGED,
    SERVICE_EXECUTE,
    SERVICE_SET_CLOCK,
)
from .const import DOMAIN
from .protocol.access import Certainty

_OUTCOMES: Final = {
    Certainty.CONFIRMED: "confirmed",
    Certainty.UNCONFIRMED: "not confirmed by the meter's own value",
    Certainty.REFUSED: "refused by the meter",
    Certainty.UNKNOWN: "interrupted: what the meter holds is not known",
}


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event], dict[str, str]]], None],
) -> None:
    """Tell the logbook about the event."""

    @callback
    def describe(event: Event) -> dict[str, str]:
        data = event.data
        what = {
            SERVICE_SET_CLOCK: "setting the clock",
            SERVICE_EXECUTE: f"executing {data[ATTR_CODE]}",
        }.get(data[ATTR_ACTION], f"writing {data[ATTR_CODE]}")
        outcome = _OUTCOMES[Certainty(data[ATTR_RESULT])]
        return {
            LOGBOOK_ENTRY_NAME: data[ATTR_METER],
            LOGBOOK_ENTRY_MESSAGE: f"{what}: {outcome}",
        }

    async_describe_event(DOMAIN, EVENT_CHANGED, describe)
