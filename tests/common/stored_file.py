"""The file of a meter, as Home Assistant would write it."""

from typing import Any

from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.codec import encode
from custom_components.iec62056.state.meter_state import MeterState
from custom_components.iec62056.storage import MINOR_VERSION, Stored


def stored(content: MeterState, units: dict[str, str] | None = None) -> dict[str, Any]:
    """The file of a meter, as it lies in the storage folder."""
    return {
        "version": 1,
        "minor_version": MINOR_VERSION,
        "key": "",
        "data": encode(Stored(content, units or {})),
    }


def file_of(entry: MockConfigEntry) -> str:
    return f"{DOMAIN}.{entry.entry_id}"
