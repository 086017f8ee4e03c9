"""Errors as sentences in Home Assistant's language, for places that cannot translate them."""

from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_cached_translations
from homeassistant.helpers.update_coordinator import UpdateFailed

from .const import DOMAIN
from .protocol.errors import MeterError
from .registers.naming import clean_text

# What a meter says in an error may stand in it.
LONGEST_SENTENCE: Final = 512


def failure(err: MeterError) -> UpdateFailed:
    """The failure of a reading, as the coordinator raises it."""
    failed = UpdateFailed(
        translation_domain=DOMAIN,
        translation_key=err.key,
        translation_placeholders={
            name: clean_text(text) for name, text in err.placeholders.items()
        },
    )
    # Also where it is told without being raised: the diagnostics say why.
    failed.__cause__ = err
    return failed


@callback
def async_message(hass: HomeAssistant, err: MeterError | HomeAssistantError) -> str:
    """What happened and what can be done about it."""
    if isinstance(err, MeterError):
        key, placeholders = err.key, err.placeholders
    else:
        key, placeholders = err.translation_key or "", err.translation_placeholders or {}
    texts = async_get_cached_translations(hass, hass.config.language, "exceptions", DOMAIN)
    text = texts.get(f"component.{DOMAIN}.exceptions.{key}.message")
    if text is None:
        return clean_text(str(err), LONGEST_SENTENCE)
    told = {name: clean_text(said) for name, said in placeholders.items()}
    return clean_text(text.format(**told), LONGEST_SENTENCE)
