"""Every total a meter may send, in every unit met in the field, is one the Energy dashboard takes."""

from datetime import timedelta
from itertools import product

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.energy.data import async_get_manager
from homeassistant.components.energy.validate import async_validate
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockEntityPlatform
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.iec62056.protocol.model import Medium, Obis, Register, Value
from custom_components.iec62056.registers.descriptions import describe
from custom_components.iec62056.registers.units import unit_of
from custom_components.iec62056.registers.values import native
from custom_components.iec62056.state.description import Context, Dimension

from .common.bench import START
from .common.codes import ZONE, codes

# As meters write them.
UNITS = (
    *("kWh", "Wh", "MWh", "GJ", "kVarh", "kvarh", "kVArh", "varh", "Mvarh"),
    *("kW", "W", "kvar", "kVAr", "var", "kVA", "MVA"),
    *("A", "V", "Hz", "kHz", "deg", "Deg", "C"),
    *("m3", "m3ph", "h", "hour", "min", "m", "s", "secs", "P/S", "Imp/kWh", "imp/kWh"),
)
TOTALS = {
    SensorDeviceClass.ENERGY: "stat_energy_from",
    SensorDeviceClass.GAS: "stat_energy_from",
    SensorDeviceClass.WATER: "stat_energy_from",
}
RATES = (SensorDeviceClass.POWER, SensorDeviceClass.VOLUME_FLOW_RATE)

type Kind = tuple[SensorDeviceClass, str | None]


def _kinds() -> dict[Kind, SensorEntity]:
    """A sensor for each class and unit that any rule makes of a total or a rate."""
    found: dict[Kind, SensorEntity] = {}
    flows = [Obis(int(Medium.HEAT), 0, 9, 27, 0), Obis(int(Medium.HEAT), 0, 6, 27, 0)]
    for code, unit in product((*codes(), *flows), UNITS):
        sent = Register(str(code), code, (Value("12.5", unit),))
        for description in describe(sent, Context(), {}):
            kind = description.device_class
            total = kind in TOTALS and description.state_class is not None
            rate = kind in RATES and description.state_class is SensorStateClass.MEASUREMENT
            if kind is None or not (total or rate) or (kind, description.unit) in found:
                continue
            sensor = SensorEntity()
            sensor.entity_id = f"sensor.n{len(found)}"
            sensor._attr_device_class = kind
            sensor._attr_state_class = description.state_class
            sensor._attr_native_unit_of_measurement = description.unit
            sensor._attr_suggested_unit_of_measurement = description.suggested_unit
            sensor._attr_native_value = native(sent, description, ZONE)
            found[kind, description.unit] = sensor
    return found


@pytest.mark.parametrize("spelling", UNITS)
def test_unit_is_known(spelling: str) -> None:
    assert unit_of(spelling).dimension is not Dimension.OTHER


async def test_energy_dashboard_takes_every_total_and_rate(
    recorder_mock: Recorder, hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(START)
    assert await async_setup_component(hass, "sensor", {})
    assert await async_setup_component(hass, "energy", {})
    kinds = _kinds()
    assert {kind for kind, _ in kinds} == {*TOTALS, *RATES}
    platform = MockEntityPlatform(hass, domain="sensor", platform_name="iec62056")
    await platform.async_add_entities(list(kinds.values()))
    await async_wait_recording_done(hass)
    do_adhoc_statistics(hass, start=START)
    freezer.move_to(START + timedelta(minutes=5))
    await async_wait_recording_done(hass)
    ids: dict[SensorDeviceClass, list[str]] = {}
    for (kind, _), sensor in kinds.items():
        ids.setdefault(kind, []).append(sensor.entity_id)
    prices = {"stat_cost": None, "entity_energy_price": None, "number_energy_price": None}
    back = {
        "stat_compensation": None,
        "entity_energy_price_export": None,
        "number_energy_price_export": None,
    }
    power, flow = ids[SensorDeviceClass.POWER], ids[SensorDeviceClass.VOLUME_FLOW_RATE]
    energy = ids[SensorDeviceClass.ENERGY]
    sources = [
        {
            "type": "grid",
            "stat_energy_from": one,
            "stat_energy_to": one,
            "stat_rate": rate,
            "cost_adjustment_day": 0,
            **prices,
            **back,
        }
        for one, rate in product(energy, power)
    ]
    # A heat meter is a source of gas, or a device.
    sources += [
        {"type": "gas", "stat_energy_from": one, "stat_rate": rate, **prices}
        for one, rate in product([*energy, *ids[SensorDeviceClass.GAS]], flow)
    ]
    sources += [
        {"type": "water", "stat_energy_from": one, "stat_rate": rate, **prices}
        for one, rate in product(ids[SensorDeviceClass.WATER], flow)
    ]
    manager = await async_get_manager(hass)
    await manager.async_update(
        {
            "energy_sources": sources,  # type: ignore[typeddict-item]
            "device_consumption": [
                {"stat_consumption": one, "stat_rate": rate} for one, rate in product(energy, power)
            ],
        }
    )
    validation = await async_validate(hass)
    found = [
        issue
        for part in (*validation.energy_sources, *validation.device_consumption)
        for issue in part.issues.values()
    ]
    assert found == []
