"""A sensor that takes the place of another integration's: the consumption of each hour stays what it was, and goes on.

The way is the one docs/migrate.md tells: remove the old entity, then give its entity id to the new one.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import (
    get_metadata,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from .common.bench import NUMBER, START, Bench, entity_id, later, reading

pytestmark = pytest.mark.alone

ENERGY: Final = "1-0:1.8.0"
OLD: Final = "sensor.old_meter_energy"
# The first reading of all is at 1000 kWh, and each hour takes two.
FIRST: Final = 1000.0
PER_HOUR: Final = 2.0
# The recorder counts from the end of the first five minutes on.
FIRST_HOUR: Final = 1.833


class Former(NamedTuple):
    """A sensor that had the meter's total before: whose, in which unit, and how many kWh that unit is."""

    platform: str
    unit: str
    kilowatt_hours: float
    state_class: str = "total_increasing"


FORMER: Final = {
    "dsmr": Former("dsmr", "kWh", 1),
    "heat in MWh": Former("landisgyr_heat_meter", "MWh", 1000, "total"),
    "heat in GJ": Former("landisgyr_heat_meter", "GJ", 1000 / 3.6, "total"),
    "MQTT": Former("mqtt", "Wh", 0.001),
    "ESPHome": Former("esphome", "kWh", 1),
}


def total(at: datetime) -> float:
    """What the meter's display shows, in kWh."""
    return FIRST + (at - START) / timedelta(hours=1) * PER_HOUR


async def sum_up(hass: HomeAssistant, begin: datetime, end: datetime) -> None:
    """Let the recorder sum up the periods between two times."""
    await async_wait_recording_done(hass)
    while begin < end:
        do_adhoc_statistics(hass, start=begin)
        begin += timedelta(minutes=5)
    await async_wait_recording_done(hass)


async def changes(hass: HomeAssistant, statistic: str) -> list[float]:
    """The consumption of each hour in kWh, as the Energy dashboard has it."""
    await async_wait_recording_done(hass)
    rows = await get_instance(hass).async_add_executor_job(
        lambda: statistics_during_period(
            hass, START, None, {statistic}, "hour", {"energy": "kWh"}, {"change"}
        )
    )
    return [round(row["change"] or 0.0, 3) for row in rows.get(statistic, [])]


async def live_with_the_former(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, former: Former
) -> None:
    """Two hours in which the other integration read the meter; then its entity is removed."""
    registry = er.async_get(hass)
    registry.async_get_or_create(
        "sensor", former.platform, "old", suggested_object_id=OLD.removeprefix("sensor.")
    )
    for minute in range(0, 120, 5):
        freezer.move_to(later(minute))
        hass.states.async_set(
            OLD,
            f"{total(later(minute)) / former.kilowatt_hours:.6f}",
            {
                "unit_of_measurement": former.unit,
                "device_class": "energy",
                "state_class": former.state_class,
            },
        )
    await sum_up(hass, START, later(120))
    registry.async_remove(OLD)
    hass.states.async_remove(OLD)
    await hass.async_block_till_done()


async def live_with_ours(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    minutes: range,
) -> None:
    """Time in which this integration reads the meter."""
    for minute in minutes:
        at = later(minute)
        freezer.move_to(at)
        bench.answers = [reading({"C.1.0": [NUMBER], "1.8.0": [f"{total(at):010.3f}*kWh"]}, at=at)]
        await entry.runtime_data.coordinator.async_refresh()
        await hass.async_block_till_done()
    await sum_up(hass, later(minutes[0]), later(minutes[-1]))


@pytest.mark.parametrize("former", FORMER.values(), ids=FORMER.keys())
@pytest.mark.parametrize("waited", [False, True], ids=["at once", "an hour later"])
async def test_statistics_go_on(  # noqa: PLR0917
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    former: Former,
    *,
    waited: bool,
) -> None:
    assert await async_setup_component(hass, "sensor", {})
    await live_with_the_former(hass, freezer, former)
    at = later(120)
    freezer.move_to(at)
    bench.answers = [reading({"C.1.0": [NUMBER], "1.8.0": [f"{total(at):010.3f}*kWh"]}, at=at)]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    begun = 120
    if waited:
        await live_with_ours(hass, entry, bench, freezer, range(125, 181, 5))
        begun = 180
    er.async_get(hass).async_update_entity(entity_id(hass, ENERGY), new_entity_id=OLD)
    await hass.async_block_till_done()
    await async_wait_recording_done(hass)
    await live_with_ours(hass, entry, bench, freezer, range(begun + 5, begun + 121, 5))

    # The hour the new sensor had for itself is booked in the one in which it takes over: nothing is lost.
    rest = [PER_HOUR * 2, PER_HOUR] if waited else [PER_HOUR, PER_HOUR]
    assert await changes(hass, OLD) == [FIRST_HOUR, PER_HOUR, *rest]
    metadata = await get_instance(hass).async_add_executor_job(
        lambda: get_metadata(hass, statistic_ids={OLD})
    )
    # It stays the old series, in the unit it always had.
    assert metadata[OLD][1]["unit_of_measurement"] == former.unit
