"""Logbook entries for changes at a meter; the values that were written are not in them."""

from collections.abc import Callable

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN
from .services.registers import ATTR_ACTION, ATTR_CODE, ATTR_METER, ATTR_RESULT, EVENT_CHANGED


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event], dict[str, str]]], None],
) -> None:
    """Tell the logbook about the event."""

    @callback
    def describe(event: Event) -> dict[str, str]:
        data = event.data
        # Loaded with the integration; not yet where the language was changed a moment ago.
        texts = async_get_cached_translations(hass, hass.config.language, "selector", DOMAIN)

        def text(kind: str, key: str) -> str:
            return texts.get(f"component.{DOMAIN}.selector.{kind}.options.{key}", key)

        what = text("change", data[ATTR_ACTION]).format(code=data[ATTR_CODE])
        outcome = text("outcome", data[ATTR_RESULT])
        return {
            LOGBOOK_ENTRY_NAME: data[ATTR_METER],
            LOGBOOK_ENTRY_MESSAGE: f"{what}: {outcome}",
        }

    async_describe_event(DOMAIN, EVENT_CHANGED, describe)
