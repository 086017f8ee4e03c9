"""Files of stored values: written late and rarely, and read whatever they hold."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, override

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import UnsupportedStorageVersionError
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN, LOGGER
from .derived.history import DerivedHistory
from .meter.stores import UNREADABLE, CheckedStore
from .meter.wake_budget import WakeBudget
from .protocol.codec import decode, encode, separable
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


@separable
@dataclass(slots=True)
class Stored:
    """The content of a meter's file."""

    state: MeterState
    # The units that sensors keep.
    units: dict[str, str] = field(default_factory=dict)
    # When the probe of a battery meter was last aligned.
    aligned_at: datetime | None = None
    # None: what was published is accepted.
    validation: ValidationState | None = None
    wake_budget: WakeBudget = field(default_factory=WakeBudget)
    # Not corrected in the statistics yet.
    offsets: tuple[Offset, ...] = ()
    derived: DerivedHistory = field(default_factory=DerivedHistory)
    object_cache: ObjectCache = field(default_factory=ObjectCache)


type Migrate = Callable[[dict[str, Any]], Awaitable[None]]


class _File(CheckedStore[dict[str, Any]]):
    migrate: Migrate

    @override
    async def _async_migrate_func(
        self, old_major_version: int, old_minor_version: int, old_data: dict[str, Any]
    ) -> dict[str, Any]:
        if old_major_version > VERSION:
            raise UnsupportedStorageVersionError(self.key, old_major_version, VERSION)
        if old_major_version < VERSION:
            raise NotImplementedError
        # What a later minor version has added can be passed over.
        if old_minor_version < self.minor_version:
            await self.migrate(old_data)
        return old_data


class StoredFile[T]:
    """A file of stored values, in which a damaged part costs only itself."""

    def __init__(self, hass: HomeAssistant, kind: type[T], key: str) -> None:
        """Name the file; nothing is read yet."""
        self._hass = hass
        self._kind = kind
        # Half a file would forget how often a battery was asked today, or what an import has replaced.
        self._store = _File(hass, VERSION, key, atomic_writes=True, minor_version=MINOR_VERSION)
        self._store.migrate = self._async_migrate
        # A newer version has written it: nothing is written over it.
        self._is_newer = False

    async def _async_migrate(self, data: dict[str, Any]) -> None:
        """Bring the data of 0.1 into the present form; what is damaged may stay as it is."""
        raise NotImplementedError

    async def async_load(self) -> T | None:
        """What was saved; None where there is nothing that can be used."""
        found, damaged = None, list[str]()
        try:
            if (data := await self._store.async_load()) is not None:
                found = decode(self._kind, data, damaged)
        except UnsupportedStorageVersionError:
            self._is_newer = True
            LOGGER.error(
                "A newer version of this integration has written %s: it is left as it is, and nothing is kept. Update "
                "the integration, or delete the file",
                self._store.key,
            )
        except UNREADABLE:
            damaged.append("everything")
        if damaged:
            LOGGER.warning("Damaged in %s, and begun anew: %s", self._store.key, ", ".join(damaged))
        return found

    async def async_save(self, content: T) -> bool:
        """Write now. False where it is not on disk afterwards."""
        return not self._is_newer and await self._store.async_write(encode(content))

    async def async_remove(self) -> None:
        """Delete the file."""
        await self._store.async_remove()


def migrate_parts(data: dict[str, Any], **parts: Callable[[Any], Any]) -> None:
    """Bring parts of a file into another form; what is damaged stays as it is, and is left out later."""
    for name, migrate in parts.items():
        with suppress(*UNREADABLE):
            data[name] = migrate(data[name])


def _renamed(data: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): item for name, item in data.items()}


def _state_of_0_1(state: dict[str, Any]) -> dict[str, Any]:
    registers = {
        code or address: [[address, code, values], received]
        for address, code, values, received in state["registers"]
    }
    return {**state, "registers": registers}


def _validation_of_0_1(validation: dict[str, Any]) -> dict[str, Any]:
    held = {
        code or address: [[address, code, values], received, reason]
        for address, code, values, received, reason in validation["holds"]
    }
    records = {
        key: {**record, "formats": [one[1:] for one in record["forms"]]}
        for key, record in validation["records"].items()
    }
    if (other := validation["exchange"]) is not None:
        migrate_parts(other, beliefs=_validation_of_0_1, state=_state_of_0_1)
        other = _renamed(other, {"beliefs": "validation", "base": "first_totals"})
    names = {
        "records": "histories",
        "holds": "held",
        "varying": "varying_texts",
        "asked": "pending_repairs",
        "kept": "dismissed",
        "exchange": "replacement",
        "said": "overrides",
    }
    dismissed = dict.fromkeys(validation["kept"])
    changed = {"holds": held, "records": records, "exchange": other, "kept": dismissed}
    return _renamed({**validation, **changed}, names)


def _derived_of_0_1(derived: dict[str, Any]) -> dict[str, Any]:
    return {**derived, "courses": {name: [points] for name, points in derived["courses"].items()}}


class MeterStore(StoredFile[Stored]):
    """The file of one meter."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the file; nothing is read yet."""
        super().__init__(hass, Stored, f"{DOMAIN}.{entry_id}")
        self._pending: Callable[[], Stored] | None = None
        # What was last given to be written; a full disk may have refused it.
        self._unwritten: Callable[[], Stored] | None = None
        self._due = 0.0  # by the loop's clock
        self._ended = False

    @override
    async def _async_migrate(self, data: dict[str, Any]) -> None:
        for old, new in {
            "aligned": "aligned_at",
            "beliefs": "validation",
            "budget": "wake_budget",
            "steps": "offsets",
            "memory": "derived",
            "known": "object_cache",
        }.items():
            if old in data:
                data[new] = data.pop(old)
        migrate_parts(
            data, state=_state_of_0_1, validation=_validation_of_0_1, derived=_derived_of_0_1
        )
        if (history := data.pop("past", None)) is not None:
            # It has moved to the importer's file, which has the form of 0.1 still.
            file = Store[dict[str, Any]](self._hass, VERSION, f"{self._store.key}.profile")
            await file.async_save({**(await file.async_load() or {}), "history": history})

    @callback
    def async_save_later(self, content: Callable[[], Stored], delay: float) -> None:
        """Write what `content` gives after `delay` seconds. Calls meanwhile may hasten it, never put it off."""
        due = self._hass.loop.time() + delay
        if self._ended or self._is_newer or (self._pending is not None and due >= self._due):
            return
        self._pending, self._due = content, due

        def data() -> dict[str, Any]:
            self._pending, self._unwritten = None, content
            plain: dict[str, Any] = encode(content())
            return plain

        self._store.async_delay_save(data, delay)

    @override
    async def async_save(self, content: Stored) -> bool:
        """Write now, whatever was going to be written. False where it is not on disk afterwards."""
        if self._ended:
            return False
        self._pending = None
        return await super().async_save(content)

    async def async_flush(self) -> None:
        """Write now what is waiting to be written, for the last time: the entry is unloaded."""
        unwritten = None if self._store.is_written else self._unwritten
        content, self._pending, self._ended = self._pending or unwritten, None, True
        if content is not None:
            await super().async_save(content())


class First(NamedTuple):
    """What was read of a meter before its entry was set up."""

    states: tuple[MeterState, ...] = ()
    # As in `Stored`; None if the meter was not asked.
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
