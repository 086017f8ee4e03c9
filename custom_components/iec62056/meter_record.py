"""Record of one meter: its state, what follows from it and the offsets of its totals, as its file keeps them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta, tzinfo
from decimal import Decimal
from operator import attrgetter
from types import MappingProxyType

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .const import CONF_NUMBER_CODE, LOGGER
from .derived.history import DerivedHistory
from .derived.sources import SUMS
from .derived.values import DerivedValues, Numbers, heirs, note_absences, remember, steps_of_sums
from .entry_data import CONF_AMPERES
from .meter.reader import MeterReader
from .registers.index import RegisterIndex
from .registers.overrides import overrides_of
from .state.identity import plain
from .state.meter_state import MeterState
from .storage import SAVE_DELAY, SAVE_SOON, MeterStore, Stored
from .validation.offsets import MOST_OFFSETS, Offset, OffsetReason, take_back, totals_of
from .validation.validation_state import MeterReplacement
from .validation.validator import CheckedReading, Outcome, ReadingValidator


class MeterRecord:
    """What is known of one meter. `state` and `derived` are there once it was read."""

    state: MeterState
    derived: DerivedValues

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, reader: MeterReader) -> None:
        """Nothing is known yet; the reader's part of the file is kept with the rest."""
        amperes = entry.options.get(CONF_AMPERES)
        self.validator = ReadingValidator(
            overrides_of(entry.options), None if amperes is None else Decimal(str(amperes))
        )
        # Where totals went on from another number, in the order of time.
        self.offsets: tuple[Offset, ...] = ()
        # Of totals whose last number was lost in a crash.
        self.recorded_numbers: Mapping[str, Decimal] = {}
        self._stored_offsets: tuple[Offset, ...] = self.offsets
        self._history = DerivedHistory()
        self._index: RegisterIndex | None = None
        # Those with which tariffs have left their sums.
        self._numbers_left: Numbers = {}
        self._entry = entry
        self._reader = reader
        self._store = MeterStore(hass, entry.entry_id)
        entry.async_on_unload(self._store.async_flush)

    async def async_load(self) -> MeterState | None:
        """Take what was stored; gives the state to publish."""
        if (stored := await self._store.async_load()) is None:
            return None
        self._history = stored.derived
        self._reader.restore(stored.wake_budget, stored.object_cache, stored.aligned_at)
        restored = self.validator.restore(
            stored.state.as_restored(), stored.validation, stored.units, stored.offsets
        )
        self.offsets = self._stored_offsets = restored.offsets
        return restored.state

    def known_by_number(self, checked: CheckedReading) -> Outcome | None:
        """The meter of which nothing is known any more but its number, where a reading is another meter's; else None."""
        if checked.published is not None or checked.result.state is None:
            return None
        _, _, number = (self._entry.unique_id or "").partition("_")
        code = self._entry.data.get(CONF_NUMBER_CODE, "")
        sent = checked.result.state.registers.get(code)
        if not number or sent is None or plain(sent.register.values[0].text) == number:
            return None
        known = MeterState.of_number(code, number, checked.profile, checked.reading.received)
        return self.validator.restore(known, None, {}, ())

    @callback
    def publish(self, outcome: Outcome, zone: tzinfo, max_age: timedelta) -> None:
        """Make this the state after a reading; `max_age` is how long a value is shown."""
        index = RegisterIndex.of(outcome.state, self._index)
        before = self._history.left
        self._history = note_absences(self._history, index, self.validator.state.held)
        if gone := self._history.left.keys() - before.keys():
            LOGGER.warning("No longer sent, and left out of the sum: %s", ", ".join(sorted(gone)))
        index = self._take(outcome)
        self._history = remember(self._history, index, zone, max_age)
        self.derived = DerivedValues(index, self._history, zone)

    @callback
    def publish_registers(self, outcome: Outcome) -> None:
        """Make this the state after some registers were read."""
        self.derived = DerivedValues(self._take(outcome), self._history, self.derived.zone)

    def _take(self, outcome: Outcome) -> RegisterIndex:
        before, self.state = self._index, outcome.state
        left = self._history.left
        index = replace(RegisterIndex.of(outcome.state, before), left=frozenset(left))
        if before is not None:
            self._note_offsets(outcome.offsets, before, index, self._numbers_left)
        self._index, self._numbers_left = index, {key: (one, "Wh") for key, one in left.items()}
        self.offsets = take_back(self.offsets, outcome.taken_back)
        return index

    @callback
    def replace_meter(
        self,
        other: MeterReplacement,
        state: MeterState,
        *,
        shown: Mapping[str, Decimal],
        sums_end: bool,
    ) -> dict[str, str]:
        """Let the other meter, known by that state, take this one's place; the entry is to be reloaded then.

        Gives the keys of sensors that take over others: sums of tariffs those of totals, and totals those of sums unless
        these end. `shown` is what totals have shown last of which nothing else is known.
        """
        outcome = self.validator.accept_replacement(other, state, self.state, dt_util.utcnow())
        firsts = {
            description.key: (other.first_totals[description.key], description.unit)
            for description in totals_of(state, self.validator.units)
            if description.key in other.first_totals
        }
        lost = [(key, last, *firsts[key]) for key, last in shown.items() if key in firsts]
        before, after, now = self.derived.index, RegisterIndex.of(state), dt_util.utcnow()
        self._note_offsets(outcome.offsets, before, after, firsts)
        found = [one for one in heirs(before, after, firsts) if one.old not in SUMS or not sums_end]
        self.offsets += tuple(
            Offset(
                one.new,
                now,
                one.last - one.first,
                UnitOfEnergy.WATT_HOUR,
                one.last,
                one.first,
                OffsetReason.REPLACED,
            )
            for one in found
        )
        self.offsets += tuple(
            Offset(key, now, last - first, unit, last, first, OffsetReason.REPLACED)
            for key, last, first, unit in lost
        )
        self.state = state
        return {one.old: one.new for one in found}

    def sends_sums(self, state: MeterState) -> bool:
        """Whether a meter known by that state sends a total that the present one has as a sum of tariffs."""
        found = heirs(self.derived.index, RegisterIndex.of(state), {})
        return any(one.old in SUMS for one in found)

    def _note_offsets(
        self,
        offsets: tuple[Offset, ...],
        before: RegisterIndex,
        index: RegisterIndex,
        firsts: Numbers = MappingProxyType({}),
    ) -> None:
        """Note the offsets of totals, and those of sums of them.

        `firsts` are the first numbers of totals of another meter, and those of tariffs that were gone.
        """
        now = dt_util.utcnow()
        same = index.state.registers.keys() <= before.state.registers.keys()
        if not offsets and same and index.left == before.left:
            return
        numbers = {one.key: (one.offset, one.unit) for one in offsets}
        sums = (
            Offset(
                one.kind,
                now,
                one.offset,
                UnitOfEnergy.WATT_HOUR,
                one.last,
                one.first,
                OffsetReason.TARIFFS,
            )
            for one in steps_of_sums(before, index, numbers, firsts)
        )
        self.offsets = (*self.offsets, *offsets, *sums)

    @property
    def open_offsets(self) -> tuple[Offset, ...]:
        """The offsets at which the statistics were not seen right yet."""
        return tuple(one for one in self.offsets if not one.closed)

    @callback
    def update_offsets(self, changed: Mapping[Offset, Offset]) -> None:
        """Note what is known of these offsets now."""
        offsets = tuple(changed.get(one, one) for one in self.offsets)
        if offsets != self.offsets:
            self.offsets = self._stored_offsets = offsets[-MOST_OFFSETS:]
            self.save(soon=True)

    @callback
    def show_recorded(self, numbers: Mapping[str, Decimal]) -> None:
        """Show these numbers of the recorder, by key, until their totals are read again."""
        self.recorded_numbers = numbers

    async def async_note_offset(self, offset: Offset) -> bool:
        """Note an offset that lies in the past; whether it is on disk then."""
        others = [one for one in self.offsets if replace(one, closed=False) != offset]
        self.offsets = tuple(sorted([*others, offset], key=attrgetter("at")))
        return await self.async_save_now()

    @callback
    def keep_unit(self, key: str, unit: str) -> None:
        """Let a sensor keep the unit it was first seen with."""
        self.validator.keep_unit(key, unit)
        self.save()

    @callback
    def save(self, *, soon: bool = False) -> None:
        """Write the file later; `soon` where the next reading does not bring it again."""
        soon = soon or self._reader.line_profile.on_battery
        self._store.async_save_later(self.content, SAVE_SOON if soon else SAVE_DELAY)

    async def async_save(self) -> None:
        """Write the file later, but now where offsets came in: they are on disk before their numbers are shown."""
        if self.offsets is self._stored_offsets:
            self.save()
        else:
            await self.async_save_now()

    async def async_save_now(self) -> bool:
        """Write the file before something else is done; whether it is on disk then."""
        self._stored_offsets = self.offsets
        return await self._store.async_save(self.content())

    def content(self) -> Stored:
        """What the file holds. Only once there is a state."""
        return Stored(
            self.state,
            self.validator.units,
            self._reader.aligned_at,
            self.validator.state,
            self._reader.wake_budget,
            self.offsets,
            self._history,
            self._reader.keyrings.object_cache,
        )
