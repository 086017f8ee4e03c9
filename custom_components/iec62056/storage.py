"""What survives a restart: one file per meter.

Here: writing it late and rarely, reading it whatever it holds.
Never here: what the data mean.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, override

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN, LOGGER
from .derived.history import DerivedHistory
from .meter.wake_budget import WakeBudget
from .protocol.dlms.object_cache import ObjectCache
from .state.meter_state import MeterState
from .validation.offsets import Offset
from .validation.validation_state import ValidationState

VERSION = 1
MINOR_VERSION = 2
# A meter read every minute must not wear out a memory card; what a crash loses is read again at the next start.
SAVE_DELAY = 15 * 60
# Waking a battery meter once more because a crash lost its reading costs it more than a write costs the card; and
# a meter just added must not have to be read a second time.
SAVE_SOON = 5


@dataclass(slots=True)
class Stored:
    """The content of the file.

    `units` are those the sensors keep, `aligned` is when a battery meter's probe was, `steps` are not corrected yet.
    Without `beliefs`, what was published is believed. `known` is what a meter of mode E said of its objects.
    """

    state: MeterState
    units: dict[str, str] = field(default_factory=dict)
    aligned: datetime | None = None
    beliefs: ValidationState | None = None
    budget: WakeBudget = field(default_factory=WakeBudget)
    steps: tuple[Offset, ...] = ()
    memory: DerivedHistory = field(default_factory=DerivedHistory)
    known: ObjectCache = field(default_factory=ObjectCache)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "state": self.state.as_dict(),
            "units": dict(self.units),
            "aligned": self.aligned and self.aligned.isoformat(),
            "beliefs": self.beliefs and self.beliefs.as_dict(),
            "budget": self.budget.as_dict(),
            "steps": [step.as_dict() for step in self.steps],
            "memory": self.memory.as_dict(),
            "known": self.known.as_dict(),
        }


# What a file that is damaged, or of another making, may raise where it is read.
UNREADABLE: Final = (
    HomeAssistantError,
    ArithmeticError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)


class _MeterFile(Store[dict[str, Any]]):
    @override
    async def _async_migrate_func(
        self, old_major_version: int, old_minor_version: int, old_data: dict[str, Any]
    ) -> dict[str, Any]:
        """Before 1.2, the history of the readings stood here; it moves to the importer's file."""
        if old_major_version != VERSION:
            raise NotImplementedError
        if (history := old_data.pop("past", None)) is not None:
            importer = Store[dict[str, Any]](self.hass, VERSION, f"{self.key}.profile")
            await importer.async_save({**(await importer.async_load() or {}), "history": history})
        return old_data


class MeterStore:
    """The file of one config entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the file; nothing is read yet."""
        self._store = _MeterFile(
            hass,
            VERSION,
            f"{DOMAIN}.{entry_id}",
            # Half a file would forget how often a battery was asked today.
            atomic_writes=True,
            minor_version=MINOR_VERSION,
        )
        self._hass = hass
        self._pending: Callable[[], Stored] | None = None
        self._due = 0.0  # by the loop's clock
        self._ended = False

    async def async_load(self) -> Stored | None:
        """What was saved; None where there is nothing that can be used."""
        try:
            data = await self._store.async_load()
            if data is None:
                return None
            units = {str(key): str(unit) for key, unit in data["units"].items()}
            aligned = data.get("aligned") and datetime.fromisoformat(data["aligned"])
            return Stored(
                MeterState.from_dict(data["state"]),
                units,
                aligned,
                self._beliefs(data.get("beliefs")),
                WakeBudget.from_dict(data["budget"]) if "budget" in data else WakeBudget(),
                tuple(Offset.from_dict(step) for step in data.get("steps", ())),
                self._memory(data.get("memory")),
                ObjectCache.from_dict(data.get("known", {})),
            )
        except UNREADABLE:
            LOGGER.warning(
                "The stored reading in %s cannot be used: the meter is read anew", self._store.key
            )
            return None

    def _beliefs(self, data: Any) -> ValidationState | None:
        """The beliefs, or none: the state counts without them."""
        if data is None:
            return None
        try:
            return ValidationState.from_dict(data)
        except ArithmeticError, AttributeError, KeyError, TypeError, ValueError:
            LOGGER.warning(
                "What %s says of the values' course cannot be used: it is learned anew",
                self._store.key,
            )
            return None

    def _memory(self, data: Any) -> DerivedHistory:
        """What is derived from several readings begins anew where it is damaged."""
        try:
            return DerivedHistory() if data is None else DerivedHistory.from_dict(data)
        except AttributeError, KeyError, TypeError, ValueError:
            LOGGER.warning("What %s remembers of earlier readings cannot be used", self._store.key)
            return DerivedHistory()

    @callback
    def async_save_later(self, content: Callable[[], Stored], delay: float) -> None:
        """Write what `content` gives after `delay` seconds. Calls meanwhile may hasten it, never put it off."""
        due = self._hass.loop.time() + delay
        if self._ended or (self._pending is not None and due >= self._due):
            return
        self._pending, self._due = content, due

        def data() -> dict[str, Any]:
            self._pending = None
            return content().as_dict()

        self._store.async_delay_save(data, delay)

    async def async_save(self, content: Stored) -> None:
        """Write now, whatever was going to be written."""
        if self._ended:
            return
        self._pending = None
        await self._store.async_save(content.as_dict())

    async def async_flush(self) -> None:
        """Write now what is waiting to be written, for the last time: the entry is unloaded."""
        content, self._pending, self._ended = self._pending, None, True
        if content is not None:
            await self._store.async_save(content().as_dict())

    async def async_remove(self) -> None:
        """Delete the file."""
        await self._store.async_remove()


class First(NamedTuple):
    """What was read of a meter before its entry was set up; `known` as in `Stored`, None where nobody asked."""

    states: tuple[MeterState, ...] = ()
    known: ObjectCache | None = None


# The dialogue has read the meter before its entry exists: readings wait here for the entry's set-up.
_FIRST: HassKey[dict[tuple[str, str], First]] = HassKey(f"{DOMAIN}_first_readings")


@callback
def async_hand_over(
    hass: HomeAssistant,
    device: str,
    address: str,
    *states: MeterState,
    known: ObjectCache | None = None,
) -> None:
    """Leave the dialogue's readings for the entry with that port and address."""
    hass.data.setdefault(_FIRST, {})[device, address] = First(states, known)


@callback
def async_take_over(hass: HomeAssistant, device: str, address: str) -> First:
    """What was left for that port and address, once."""
    return hass.data.get(_FIRST, {}).pop((device, address), First())
