"""What is derived, as sensors."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.sensor.const import (
    DEVICE_CLASS_STATE_CLASSES,
    DEVICE_CLASS_UNITS,
    SensorDeviceClass,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.iec62056.derived.sources import Derived
from custom_components.iec62056.protocol.codec import encode
from custom_components.iec62056.protocol.model import LineProfile
from custom_components.iec62056.sensors.derived import DESCRIPTIONS
from custom_components.iec62056.state.meter_state import MeterState
from custom_components.iec62056.storage import Stored

from ..common.bench import HOUSEHOLD, Bench, entity_id, later, reading, state
from ..common.register_sensors import decimals, read_again, set_up
from ..common.stored_file import file_of

# A meter of two tariffs without a total, with power in both directions.
TWO_WAYS = {
    "C.1.0": HOUSEHOLD["C.1.0"],
    "1.8.1": ["012000.178*kWh"],
    "1.8.2": ["000345.500*kWh"],
    "1.7.0": ["00.400*kW"],
    "2.7.0": ["01.650*kW"],
}
ENERGY_ONLY = {"C.1.0": HOUSEHOLD["C.1.0"], "1.8.0": ["012345.678*kWh"]}


def test_every_derived_value_has_a_description() -> None:
    assert set(DESCRIPTIONS) == set(Derived)


@pytest.mark.parametrize("kind", Derived)
def test_descriptions_are_what_home_assistant_accepts(kind: Derived) -> None:
    description = DESCRIPTIONS[kind]
    device_class = description.device_class
    if isinstance(device_class, SensorDeviceClass) and device_class in DEVICE_CLASS_UNITS:
        assert description.native_unit_of_measurement in DEVICE_CLASS_UNITS[device_class]
    if description.state_class is not None:
        assert isinstance(device_class, SensorDeviceClass)
        assert description.state_class in DEVICE_CLASS_STATE_CLASSES[device_class]


async def test_net_power_and_total(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    await set_up(hass, entry, bench, TWO_WAYS)
    power = state(hass, "net_power")
    assert power.state == "-1.250"
    assert power.attributes["unit_of_measurement"] == "kW"
    assert power.attributes["device_class"] == "power"
    assert power.attributes["state_class"] == "measurement"
    assert power.attributes["derived"] is True
    assert power.attributes["from"] == ["1-0:1.7.0", "1-0:2.7.0"]
    assert power.attributes["friendly_name"].endswith("Net power")
    energy = state(hass, "total_import")
    assert energy.state == "12345.678"
    assert energy.attributes["unit_of_measurement"] == "kWh"
    assert energy.attributes["state_class"] == "total_increasing"
    assert energy.attributes["from"] == ["1-0:1.8.1", "1-0:1.8.2"]


async def test_statistics_know_of_a_tariff_that_leaves_and_returns(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    def sent(**more: str) -> dict[str, list[str]]:
        known = {"1.8.1": "000010.000*kWh", "1.8.2": "000020.000*kWh", **more}
        return {"C.1.0": HOUSEHOLD["C.1.0"], **{address: [text] for address, text in known.items()}}

    async def read(minute: int, **more: str) -> None:
        await read_again(entry, bench, freezer, {}, minute, known=sent(**more))

    def offsets() -> list[tuple[object, ...]]:
        known = entry.runtime_data.coordinator.record.offsets
        return [(one.offset, one.last, one.first) for one in known if one.key == "total_import"]

    await set_up(hass, entry, bench, sent(**{"1.8.3": "000005.000*kWh"}))
    for hour in range(1, 24):
        await read(hour * 60)
    assert state(hass, "total_import").state == "unknown"
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert not offsets()
    await read(24 * 60)
    assert float(state(hass, "total_import").state) == 30
    assert state(hass, "total_import").attributes["without"] == ["1-0:1.8.3"]
    assert offsets() == [(5000, 35000, 30000)]
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    # It has counted two kilowatt-hours meanwhile.
    await read(25 * 60, **{"1.8.3": "000007.000*kWh"})
    assert float(state(hass, "total_import").state) == 37
    assert "without" not in state(hass, "total_import").attributes
    assert offsets() == [(5000, 35000, 30000), (-5000, 30000, 37000)]


async def test_net_power_keeps_the_unit_it_was_first_shown_in(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    watts = {"1.7.0": ["00400*W"], "2.7.0": ["01650*W"]}
    await set_up(hass, entry, bench, {**TWO_WAYS, **watts})
    assert state(hass, "net_power").state == "-1250"
    await read_again(entry, bench, freezer, {}, known=TWO_WAYS)
    assert float(state(hass, "net_power").state) == -1250
    assert state(hass, "net_power").attributes["unit_of_measurement"] == "W"


async def test_total_shows_the_decimals_of_its_tariffs(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    await set_up(hass, entry, bench, {**TWO_WAYS, "1.8.1": ["012000*kWh"], "1.8.2": ["345*kWh"]})
    assert decimals(hass, "total_import") == 0
    await read_again(entry, bench, freezer, {}, known=TWO_WAYS)
    assert decimals(hass, "total_import") == 3


async def test_mean_power(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    await set_up(hass, entry, bench, ENERGY_ONLY)
    power = state(hass, "mean_power_import")
    assert power.state == "unknown"
    assert power.attributes["derived"] is True
    assert "since" not in power.attributes
    await read_again(entry, bench, freezer, {"1.8.0": ["012345.690*kWh"]}, known=ENERGY_ONLY)
    power = state(hass, "mean_power_import")
    assert float(power.state) == 720
    assert power.attributes["since"] == later(0).isoformat()


async def test_memory_survives_a_restart(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    await set_up(hass, entry, bench, ENERGY_ONLY)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert hass_storage[file_of(entry)]["data"]["derived"]["courses"]["mean_power_import"]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await read_again(entry, bench, freezer, {"1.8.0": ["012345.690*kWh"]}, known=ENERGY_ONLY)
    assert float(state(hass, "mean_power_import").state) == 720


async def test_damaged_memory_costs_only_itself(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    stored = encode(Stored(MeterState.of(reading(ENERGY_ONLY), LineProfile())))
    hass_storage[file_of(entry)] = {
        "version": 1,
        "minor_version": 2,
        "key": "",
        "data": {**stored, "derived": {"tariff": []}},
    }
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert bench.reads == 0
    assert state(hass, "1-0:1.8.0").state == "12345.678"
    assert state(hass, "mean_power_import").state == "unknown"
    assert "and begun anew: derived" in caplog.text


async def test_derived_value_is_unknown_once_its_registers_are_too_old(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The meter still sends, but not these any more."""
    await set_up(hass, entry, bench, TWO_WAYS)
    less = {name: sent for name, sent in TWO_WAYS.items() if name not in {"1.7.0", "2.7.0"}}
    await read_again(entry, bench, freezer, less, 16, known={})
    assert state(hass, "net_power").state == "unknown"
    assert state(hass, "total_import").state == "12345.678"


async def test_derived_value_is_unavailable_with_the_meter(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    await set_up(hass, entry, bench, TWO_WAYS)
    bench.gate.clear()
    freezer.tick(timedelta(minutes=16))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    assert state(hass, "net_power").state == "unavailable"


async def test_derived_values_that_appear_later(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    entity_registry: er.EntityRegistry,
) -> None:
    await set_up(hass, entry, bench, ENERGY_ONLY)
    more = {**ENERGY_ONLY, "1.6.0": ["03.210*kW", "26-11-20 18:15"], "0.9.1": ["040000"]}
    await read_again(entry, bench, freezer, {}, known=more)
    await read_again(entry, bench, freezer, {"0.9.2": ["261122"]}, 2, known=more)
    assert state(hass, "peak_this_month").state == "3.210"
    assert state(hass, "peak_this_month").attributes["peak_time"] == "2026-11-21T02:15:00+00:00"
    drift = entity_registry.async_get(entity_id(hass, "clock_drift"))
    assert drift is not None
    assert drift.disabled_by is er.RegistryEntryDisabler.INTEGRATION


async def test_tariff(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    await set_up(hass, entry, bench, TWO_WAYS)
    assert state(hass, "tariff").state == "unknown"
    await read_again(entry, bench, freezer, {"1.8.2": ["000345.510*kWh"]}, known=TWO_WAYS)
    assert state(hass, "tariff").state == "2"
