"""What survives a restart: one file per meter.

Here: writing it late and rarely, reading it whatever it holds.
Never here: what the data mean.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN, LOGGER
from .state import MeterState

VERSION = 1
MINOR_VERSION = 1
# A meter read every minute must not wear out a memory card; what a crash loses is read again at the next start.
SAVE_DELAY = 15 * 60
# Waking a battery meter once more because a crash lost its reading costs it more than a write costs the card; and
# a meter just added must not have to be read a second time.
SAVE_SOON = 5


@dataclass(slots=True)
class Stored:
    """The content of the file: the state, and the unit each sensor keeps."""

    state: MeterState
    units: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {"state": self.state.as_dict(), "units": dict(self.units)}


class MeterStore:
    """The file of one config entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the file; nothing is read yet."""
        self._store: Store[dict[str, Any]] = Store(
            hass, VERSION, f"{DOMAIN}.{entry_id}", minor_version=MINOR_VERSION
        )
        self._pending: Callable[[], Stored] | None = None

    async def async_load(self) -> Stored | None:
        """What was saved; None where there is nothing that can be used."""
        try:
            data = await self._store.async_load()
            if data is None:
                return None
            units = {str(key): str(unit) for key, unit in data["units"].items()}
            return Stored(MeterState.from_dict(data["state"]), units)
        except HomeAssistantError, AttributeError, KeyError, TypeError, ValueError:
            LOGGER.warning(
                "The stored reading in %s cannot be used: the meter is read anew", self._store.key
            )
            return None

    @callback
    def async_save_later(self, content: Callable[[], Stored], delay: float) -> None:
        """Write what `content` gives after `delay` seconds. Calls meanwhile do not put it off."""
        if self._pending is not None:
            return
        self._pending = content

        def data() -> dict[str, Any]:
            self._pending = None
            return content().as_dict()

        self._store.async_delay_save(data, delay)

    async def async_flush(self) -> None:
        """Write now what is waiting to be written."""
        if (content := self._pending) is not None:
            self._pending = None
            await self._store.async_save(content().as_dict())

    async def async_remove(self) -> None:
        """Delete the file."""
        await self._store.async_remove()


# The dialogue has read the meter before its entry exists: readings wait here for the entry's set-up.
_FIRST: HassKey[dict[tuple[str, str], MeterState]] = HassKey(f"{DOMAIN}_first_readings")


@callback
def async_hand_over(hass: HomeAssistant, device: str, address: str, state: MeterState) -> None:
    """Leave the dialogue's reading for the entry with that port and address."""
    hass.data.setdefault(_FIRST, {})[device, address] = state


@callback
def async_take_over(hass: HomeAssistant, device: str, address: str) -> MeterState | None:
    """The reading left for that port and address, once."""
    return hass.data.get(_FIRST, {}).pop((device, address), None)
