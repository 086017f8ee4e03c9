"""What one meter's coordinator believes, what its battery may still be asked, and what a person has answered.

Here: beliefs, budget and steps kept together with the state, so that they are stored in one piece; and what follows
from the answers to the questions.
Never here: when a reading is made and how; the judgement itself (beliefs), the questions' texts (doubts).

Whatever sends something to a meter on its battery asks here first: `check_budget` where a person has asked for it, which
refuses with a sentence; then `async_may_wake` on the open line, just before the first character is sent, which counts.
Where that says no, nothing is sent. There is no third way.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigEntryDisabler
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE, UnitOfEnergy
from homeassistant.core import callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util

from ..const import CONF_NUMBER_CODE, DOMAIN
from ..derived.values import steps_of_sums
from ..entry_data import (
    CONF_AMPERES,
    CONF_AUTOMATIONS,
    CONF_CLOCK,
    CONF_EXECUTE,
    CONF_EXTRA,
    CONF_QUICK,
    CONF_QUICK_REQUEST,
    CONF_QUICK_SECONDS,
    CONF_REGISTERS,
    CONF_WRITE,
    WHO_ASKS,
    omit_keys,
)
from ..issues import async_ask
from ..meter.wake_budget import WakeBudget
from ..protocol.ascii.checks import without_check
from ..protocol.errors import CheckWrong, MeterError
from ..protocol.model import LineProfile, Reading
from ..registers.descriptions import TOTALS, Description, clean_text, context_of, kept_unit
from ..registers.index import RegisterIndex
from ..registers.overrides import describe_with_overrides, overrides_of
from ..registers.units import convert, unit_of
from ..state.meter_state import MeterState
from ..storage import Stored, async_hand_over
from .offsets import Offset
from .validation_state import NO_WRONG_CHECK, MeterReplacement, ValidationResult, ValidationState

if TYPE_CHECKING:
    from ..coordinator import MeterCoordinator

HOUR: Final = timedelta(hours=1)
# What may be changed at one meter, and what is read of it besides: nobody has said that of another.
_PERMITS: Final = frozenset((CONF_WRITE, CONF_EXECUTE, CONF_CLOCK, CONF_AUTOMATIONS))
_ITS_OWN: Final = _PERMITS | {
    CONF_EXTRA,
    CONF_QUICK,
    CONF_QUICK_REQUEST,
    CONF_QUICK_SECONDS,
    CONF_REGISTERS,
}


class ReadingValidator:
    """What is believed of one meter. `counts` are since the start: values held, and retries."""

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Nothing is known yet."""
        said = overrides_of(coordinator.config_entry.options)
        self.beliefs = ValidationState().as_said(said, None, {})
        self.budget = WakeBudget()
        self.steps: tuple[Offset, ...] = ()
        self.counts = Counter[str]()
        self._coordinator = coordinator
        self._hass = coordinator.hass
        self._judged: tuple[object, ValidationResult] | None = None

    @callback
    def restore(self, stored: Stored) -> None:
        """Take what was stored; of what a person has made something else since, only what is published."""
        self.budget = stored.budget
        beliefs = stored.beliefs or ValidationState.of(stored.state, stored.units)
        said = overrides_of(self._coordinator.config_entry.options)
        others, units = beliefs.changed_from_default(said), self._coordinator.units
        for key in others & units.keys():
            del units[key]
        self.steps = tuple(step for step in stored.steps if step.key not in others)
        self.beliefs = beliefs.as_said(said, stored.state, units)

    @callback
    def async_start(self) -> None:
        """Ask again what is still open."""
        self._ask()

    @property
    def held(self) -> int:
        """How many registers are held."""
        return len(self.beliefs.holds)

    @property
    def exchanged(self) -> bool:
        """Whether another meter answers."""
        return self.beliefs.exchange is not None

    def wants_again(self, reading: Reading, profile: LineProfile) -> bool:
        """Whether a second reading, made at once, would settle a doubt."""
        return self._judge(reading, profile).again

    @callback
    def take(self, reading: Reading, profile: LineProfile) -> MeterState | None:
        """Judge a reading; the state with what may be published of it, None where nothing ever was."""
        taken, before = self._judge(reading, profile), self.beliefs
        self._judged = None
        self.beliefs = replace(taken.beliefs, wrong_checks=NO_WRONG_CHECK)
        self.counts["held"] += taken.held
        self.counts["retries"] += reading.health.retries
        self._ask(taken.state)
        state = taken.state
        if state is not None and self._coordinator.data is not None:
            self.steps = (*self.steps, *self._steps(before, state, taken.anew))
        if state is not None and state is self._coordinator.data:
            # The line and its health are known anew, the values keep their age.
            state = replace(state, profile=profile, health=reading.health)
        return state

    def _judge(self, reading: Reading, profile: LineProfile) -> ValidationResult:
        """What a reading leads to. Asked twice with nothing changed in between, it is judged once: that costs most."""
        coordinator = self._coordinator
        said = coordinator.config_entry.options.get(CONF_AMPERES)
        amperes = None if said is None else Decimal(str(said))
        state, units = coordinator.data, coordinator.units
        case = reading, profile, state, dict(units), amperes, self.beliefs
        if self._judged is None or self._judged[0] != case:
            self._judged = case, self.beliefs.take(reading, profile, state, units, amperes)
        return self._judged[1]

    @callback
    def count_failure(self, err: MeterError) -> None:
        """Note a reading that failed; three alike whose check was wrong raise a question."""
        if isinstance(err, CheckWrong):
            self.beliefs = self.beliefs.check_failed(err.shape)
            self._ask()

    # The battery

    def last_due(self, received: datetime) -> datetime:
        """When a meter on its battery was last read, or tried because that was due."""
        return self.budget.last_due(dt_util.utcnow(), received)

    def next_free(self, now: datetime) -> datetime:
        """When its day has a wake-up left."""
        return self.budget.next_free(now)

    def check_budget(self) -> None:
        """Raise ServiceValidationError where a person asks for more than the battery is to bear."""
        now, due = dt_util.utcnow(), self._coordinator.due
        if self.budget.allows(now, due):
            return
        wait = max(due, self.next_free(now)) - now
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="budget_spent",
            translation_placeholders={"hours": str(ceil(wait / HOUR))},
        )

    @property
    def may_wake(self) -> bool:
        """Whether the day has a wake-up left."""
        return self.budget.allows(dt_util.utcnow(), self._coordinator.due)

    async def async_may_wake(self) -> bool:
        """Count a wake-up before it is sent, so that no crash forgets it. False where the day has none left: send nothing."""
        now, due = dt_util.utcnow(), self._coordinator.due
        if not self.budget.allows(now, due):
            return False
        self.budget = self.budget.woken(now, due)
        await self._coordinator.async_save_now()
        self._coordinator.async_update_listeners()
        return True

    # The answers

    @callback
    def async_accept_held(self, key: str) -> None:
        """The value that is held is right."""
        coordinator = self._coordinator
        before = self.beliefs
        self.beliefs, state = before.believe(key, coordinator.data, coordinator.units)
        self.steps = (*self.steps, *self._steps(before, state, {key: Decimal(0)}))
        self._publish(state)

    @callback
    def async_keep_published(self, key: str) -> None:
        """The value that is published is right."""
        self.beliefs = self.beliefs.keep(key)
        self._publish(self._coordinator.data)

    @callback
    def async_dismiss_replacement(self) -> None:
        """The probe sat on the wrong meter; if it still does, that is noticed again."""
        self.beliefs = self.beliefs.forget_other()
        self._publish(self._coordinator.data)

    @callback
    def async_do_without_check(self) -> None:
        """This meter computes its check in a way of its own."""
        coordinator = self._coordinator
        self.beliefs = replace(self.beliefs, wrong_checks=NO_WRONG_CHECK)
        coordinator.profile = without_check(coordinator.profile)
        self._publish(replace(coordinator.data, profile=coordinator.profile))

    async def async_replace_meter(self) -> bool:
        """Let the other meter have this entry, its device and its entities. False where it has an entry already.

        A password stays, to be tried once; what may be changed was said of the meter that is gone.
        """
        coordinator, entry = self._coordinator, self._coordinator.config_entry
        found = self._other()
        if found is None:
            return False
        other, state = found
        steps = self._steps(self.beliefs, state, self._offsets(other), other.base)
        self.beliefs, coordinator.data = other.beliefs, state
        self.steps = (*self.steps, *steps)
        self._ask()
        old = coordinator.unique_id
        new = state.identity.unique_id or entry.entry_id
        self._rename(old, new)
        coordinator.unique_id = new
        await coordinator.async_save_now()
        self._hass.config_entries.async_update_entry(
            entry,
            unique_id=state.identity.unique_id,
            data=self._entry_data(state),
            options=omit_keys(entry.options, _PERMITS),
        )
        self._hass.config_entries.async_schedule_reload(entry.entry_id)
        return True

    async def async_add_as_new_meter(self) -> bool:
        """Give the other meter an entry of its own; this one rests. False where it has one already.

        It is read at the same times in the same way, but gets neither password nor keys, and nothing may be changed.
        """
        entry = self._coordinator.config_entry
        found = self._other()
        if found is None:
            return False
        _, state = found
        self.async_dismiss_replacement()
        manager = self._hass.config_entries
        await manager.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
        data = omit_keys(self._entry_data(state), WHO_ASKS)
        async_hand_over(self._hass, data[CONF_DEVICE], data[CONF_ADDRESS], state)
        await manager.async_add(
            ConfigEntry(
                data=data,
                discovery_keys=MappingProxyType({}),
                domain=DOMAIN,
                minor_version=entry.minor_version,
                options=omit_keys(entry.options, _ITS_OWN),
                source=SOURCE_USER,
                subentries_data=None,
                title=clean_text(state.identity.name),
                unique_id=state.identity.unique_id,
                version=entry.version,
            )
        )
        return True

    def _other(self) -> tuple[MeterReplacement, MeterState] | None:
        """The other meter, where it can have an entry."""
        other = self.beliefs.exchange
        if other is None or other.state is None:
            return None
        unique_id = other.state.identity.unique_id
        for entry in self._hass.config_entries.async_entries(DOMAIN):
            if unique_id is not None and entry.unique_id == unique_id:
                return None
        return other, other.state

    def _offsets(self, other: MeterReplacement) -> dict[str, Decimal]:
        """The last number of each total less the other meter's first, in the sensor's unit."""
        offsets = {}
        for key, base in other.base.items():
            record = self.beliefs.records.get(key)
            if record is not None and record.good is not None and record.good.number is not None:
                offsets[key] = record.good.number - base
        return offsets

    def _steps(
        self,
        before: ValidationState,
        state: MeterState,
        offsets: Mapping[str, Decimal],
        base: Mapping[str, Decimal] = MappingProxyType({}),
    ) -> list[Offset]:
        """The steps of those totals of which the recorder makes sums, from what is published to that state.

        `before` is what was believed until now, `base` the other meter's first numbers.
        """
        published = self._coordinator.data
        if not offsets and state.registers.keys() <= published.registers.keys():
            return []
        now, steps = dt_util.utcnow(), []
        for description, unit in self._totals(published, before):
            if (key := description.key) in offsets:
                good = before.records[key].good
                last = None if good is None else good.number
                steps.append(Offset(key, now, offsets[key], unit, last))
        stepped = _energies((step.key, step.offset, step.unit) for step in steps)
        firsts = _energies(
            (description.key, base[description.key], unit)
            for description, unit in self._totals(state, before)
            if description.key in base
        )
        sums = steps_of_sums(RegisterIndex.of(published), RegisterIndex.of(state), stepped, firsts)
        return [
            *steps,
            *(Offset(one.kind, now, one.offset, UnitOfEnergy.WATT_HOUR, one.last) for one in sums),
        ]

    def _totals(
        self, state: MeterState, beliefs: ValidationState
    ) -> Iterator[tuple[Description, str | None]]:
        """The totals of a state, and the units of their sensors."""
        context, units = context_of(state.reading), self._coordinator.units
        for known in state.registers.values():
            for description in describe_with_overrides(known.register, context, beliefs.said):
                if description.state_class in TOTALS:
                    yield description, kept_unit(description, units.get(description.key)).unit

    def _rename(self, old: str, new: str) -> None:
        """Let device and entities be known by the other meter's number."""
        entry = self._coordinator.config_entry
        entities, devices = er.async_get(self._hass), dr.async_get(self._hass)
        for entity in er.async_entries_for_config_entry(entities, entry.entry_id):
            key = entity.unique_id.removeprefix(f"{old}_")
            entities.async_update_entity(entity.entity_id, new_unique_id=f"{new}_{key}")
        for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
            if (DOMAIN, old) in device.identifiers:
                devices.async_update_device(device.id, new_identifiers={(DOMAIN, new)})

    def _entry_data(self, state: MeterState) -> dict[str, str]:
        data = dict(self._coordinator.config_entry.data)
        data.pop(CONF_NUMBER_CODE, None)
        code = state.identity.number_code
        return data if code is None else {**data, CONF_NUMBER_CODE: code}

    @callback
    def drop_offset(self, offset: Offset) -> None:
        """The statistics are right where that offset is concerned."""
        self.steps = tuple(one for one in self.steps if one is not offset)

    @callback
    def _publish(self, state: MeterState) -> None:
        self._ask(state)
        self._coordinator.async_publish(state)

    @callback
    def _ask(self, state: MeterState | None = None) -> None:
        entry = self._coordinator.config_entry
        known = state or self._coordinator.data
        async_ask(self._hass, entry.entry_id, entry.title, self.beliefs, known)


def _energies(numbers: Iterable[tuple[str, Decimal, str | None]]) -> dict[str, Decimal]:
    """Those of the numbers that are energies, in Wh."""
    found = {key: convert(number, unit_of(unit or ""), "Wh") for key, number, unit in numbers}
    return {key: energy for key, energy in found.items() if energy is not None}
