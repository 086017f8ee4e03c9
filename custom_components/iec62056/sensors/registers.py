"""Sensors of registers: one for each value that the meter sends."""

from datetime import timedelta
from typing import Any, Final, override

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from ..coordinator import MeterCoordinator
from ..protocol.model import Register
from ..registers.descriptions import kept_unit
from ..registers.matching import redundant
from ..registers.registry import restore_sensor
from ..registers.selection import wanted
from ..registers.values import native, taken_at
from ..runtime import MeterConfigEntry
from ..state.description import Description, Kind
from .meter_sensor import MeterSensor

ATTR_OBIS: Final = "obis_code"
ATTR_SENT: Final = "as_sent"
ATTR_QUALITY: Final = "quality"
ATTR_METER_TIME: Final = "meter_time"
ATTR_REASON: Final = "held_because"
ATTR_HELD: Final = "held_value"

GOOD: Final = "good"
RESTORED: Final = "restored"
STALE: Final = "stale"
HELD: Final = "held"

# A load profile in one register is for the telegram, not for an attribute.
LONGEST_SENT: Final = 1024

# A register that was not sent for so long gets no entity at the next start: what is left of it can be deleted then.
VANISHED: Final = timedelta(days=30)

_TIME_CLASSES: Final = {
    Kind.TIMESTAMP: SensorDeviceClass.TIMESTAMP,
    Kind.DATE: SensorDeviceClass.DATE,
}


@callback
def async_setup(
    hass: HomeAssistant,
    entry: MeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the registers known so far, and later those that appear."""
    coordinator = entry.runtime_data.coordinator
    known: set[str] = set()

    @callback
    def add_new() -> None:
        state = coordinator.data
        if known.issuperset(state.registers):
            return
        new = [
            key
            for key, one in state.registers.items()
            if key not in known and state.received - one.received < VANISHED
        ]
        known.update(new)
        beside = frozenset(redundant(one.register for one in state.registers.values()))
        sensors = [
            RegisterSensor(
                coordinator,
                key,
                description,
                enabled=description.enabled and key not in beside,
            )
            for key in new
            for description in state.registers[key].descriptions
        ]
        for sensor in sensors:
            sensor.async_restore(hass)
        async_add_entities(sensors)

    add_new()
    entry.async_on_unload(coordinator.async_add_listener(add_new))


class RegisterSensor(MeterSensor):
    """One value of one register."""

    # The recorder keeps states; these tell how the present one came about.
    _unrecorded_attributes = frozenset(
        {ATTR_OBIS, ATTR_SENT, ATTR_QUALITY, ATTR_METER_TIME, ATTR_REASON, ATTR_HELD}
    )

    def __init__(
        self,
        coordinator: MeterCoordinator,
        register_key: str,
        description: Description,
        *,
        enabled: bool,
    ) -> None:
        """Describe the sensor in the unit it has always had; `enabled` is the default."""
        super().__init__(coordinator, description.key)
        self._register_key = register_key
        self._key = description.key
        self._source: tuple[Register, str, dict[str, Any]] | None = None
        self._attr_entity_registry_enabled_default = wanted(
            coordinator.config_entry.options, self._key, enabled=enabled
        )
        self._describe(kept_unit(description, coordinator.validator.units.get(self._key)))
        self._refresh()

    @callback
    def async_restore(self, hass: HomeAssistant) -> None:
        """Be as the user chose, if the meter was there before."""
        coordinator = self.coordinator
        restore_sensor(
            hass,
            coordinator.config_entry,
            coordinator.unique_id,
            self._key,
            on=self.entity_registry_enabled_default,
        )

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        self._refresh()
        # Written even if nothing changed: sums over time (integral, average) count on being told that a power stays.
        # The same state with the same attributes makes no row in the database.
        super()._handle_coordinator_update()

    def _describe(self, description: Description) -> None:
        """Take over a description, the unit included."""
        self._description = description
        if description.name is not None:
            self._attr_name = description.name
        self._attr_translation_key = description.translation_key
        self._attr_translation_placeholders = description.placeholders
        self._attr_device_class = description.device_class or _TIME_CLASSES.get(description.kind)
        self._attr_state_class = description.state_class
        self._attr_native_unit_of_measurement = description.unit
        self._attr_suggested_unit_of_measurement = description.suggested_unit
        self._attr_suggested_display_precision = description.precision
        self._attr_entity_category = description.category

    def _refresh(self) -> None:
        """Take the register's present value; attributes stay as they are while value and quality do."""
        known = self.coordinator.data.registers[self._register_key]
        hold = self.coordinator.validator.state.held.get(self._register_key)
        held: dict[str, Any] = {}
        if hold is not None:
            held = {ATTR_REASON: hold.reason.value, ATTR_HELD: _as_sent(hold.register)}
        # If the last reading is too old, the entity is unavailable.
        is_last = known.received is self.coordinator.data.received
        if not is_last and not self.coordinator.poller.is_register_fresh(known.received):
            # The meter still sends, but this register no more, or nothing of it that may be published.
            self._source = None
            self._show(None, {ATTR_QUALITY: STALE, **held})
            return
        quality = RESTORED if known.restored else GOOD
        source = (known.register, HELD if held else quality, held)
        if source == self._source:
            return
        self._source = source
        register, quality, _ = source
        zone = dt_util.get_default_time_zone()
        value = self._value(register)
        if known.restored:
            value = self.coordinator.record.recorded_numbers.get(self._key, value)
        meter_time = taken_at(register, self._description, zone)
        attributes: dict[str, Any] = {
            ATTR_OBIS: register.key,
            ATTR_SENT: _as_sent(register),
            ATTR_QUALITY: quality,
            **held,
        }
        if meter_time is not None:
            attributes[ATTR_METER_TIME] = meter_time.isoformat()
        self._show(value, attributes)

    def _value(self, register: Register) -> Any:
        """The register's value in the unit the sensor has; None where it cannot be said in that unit."""
        described = next(
            (
                description
                for description in self.coordinator.data.registers[self._register_key].descriptions
                if description.key == self._key
            ),
            None,
        )
        if described is None:
            return None
        unit = self.coordinator.validator.units.get(self._key)
        described = kept_unit(described, unit)
        value = native(register, described, dt_util.get_default_time_zone())
        if value is None or described.kind is not self._description.kind:
            return None
        self._show_decimals(described.precision)
        if unit is None and described.unit is not None:
            self.coordinator.record.keep_unit(self._key, described.unit)
            self._describe(described)
        return value if described.unit == self._attr_native_unit_of_measurement else None

    def _show(self, value: Any, attributes: dict[str, Any]) -> None:
        before = getattr(self, "_attr_extra_state_attributes", {})
        telling = (ATTR_QUALITY, ATTR_REASON, ATTR_HELD)
        if value == self._attr_native_value and all(
            attributes.get(name) == before.get(name) for name in telling
        ):
            return
        self._attr_native_value = value
        self._attr_extra_state_attributes = attributes


def _as_sent(register: Register) -> str:
    """The brackets of the register as they stood in the telegram."""
    sent = "".join(
        f"({text})" if unit is None else f"({text}*{unit})" for text, unit in register.values
    )
    return sent[:LONGEST_SENT]
