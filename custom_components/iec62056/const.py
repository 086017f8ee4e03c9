"""Names that more than one room of the integration needs."""

import logging
from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "iec62056"
LOGGER: Final = logging.getLogger(__package__)
PLATFORMS: Final = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.SENSOR]

CONF_FILL_GAPS: Final = "fill_gaps"
CONF_MODE: Final = "mode"
CONF_NUMBER_CODE: Final = "number_code"
