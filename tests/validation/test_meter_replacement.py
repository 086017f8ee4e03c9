"""Another meter in place of the known one: nothing of it is shown unasked, and its number is no consumption."""

from datetime import datetime

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.iec62056.const import DOMAIN

from ..common.bench import NUMBER, START, Bench, entity_id, later, reading, state
from ..common.replacement import OTHER, answer, changes, questions, sum_up

ENERGY = "1-0:1.8.0"


async def poll(
    hass: HomeAssistant,
    bench: Bench,
    entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    *,
    at: datetime,
    kilowatt_hours: str,
    number: str = NUMBER,
) -> None:
    """Read the meter at that time."""
    freezer.move_to(at)
    bench.answers = [reading({"C.1.0": [number], "1.8.0": [f"{kilowatt_hours}*kWh"]}, at=at)]
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "first",
    ["000003.100", "045678.900", "012346.900", "012345.900"],
    ids=["lower", "higher", "almost equal", "a little lower"],
)
async def test_each_hour_has_the_true_consumption(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    *,
    first: str,
) -> None:
    assert await async_setup_component(hass, "sensor", {})
    bench.answers = [reading({"C.1.0": [NUMBER], "1.8.0": ["012345.000*kWh"]})]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    energy = entity_id(hass, ENERGY)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    for minute in range(6, 66, 6):
        # A kilowatt and a half until the exchange.
        kilowatt_hours = 12345 + minute * 0.025
        await poll(
            hass, bench, entry, freezer, at=later(minute), kilowatt_hours=f"{kilowatt_hours:010.3f}"
        )
    await sum_up(hass, START, later(65))
    assert state(hass, ENERGY).state == "12346.500"

    begun = float(first)
    await poll(
        hass, bench, entry, freezer, at=later(66), kilowatt_hours=f"{begun:010.3f}", number=OTHER
    )
    # Of the other meter nothing is shown, and the user is asked.
    assert state(hass, ENERGY).state == "12346.500"
    assert questions(hass) == ["meter_replaced"]
    await poll(
        hass,
        bench,
        entry,
        freezer,
        at=later(67),
        kilowatt_hours=f"{begun + 0.025:010.3f}",
        number=OTHER,
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert questions(hass) == ["meter_replaced"]
    assert entry.unique_id == f"LGZ_{NUMBER}"
    await answer(hass, "meter_replaced", "replace_meter")
    assert entry.state is ConfigEntryState.LOADED
    assert entry.unique_id == f"LGZ_{OTHER}"
    assert entity_id(hass, ENERGY, f"LGZ_{OTHER}") == energy
    (same,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert (same.id, same.identifiers) == (device.id, {(DOMAIN, f"LGZ_{OTHER}")})
    assert same.serial_number == OTHER
    assert questions(hass) == []
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    assert float(state(hass, ENERGY, f"LGZ_{OTHER}").state) == pytest.approx(begun + 0.025)
    for minute in range(72, 180, 6):
        if minute == 78:
            await sum_up(hass, later(65), later(75))
        kilowatt_hours = begun + (minute - 66) * 0.025
        at = later(minute)
        await poll(
            hass,
            bench,
            entry,
            freezer,
            at=at,
            kilowatt_hours=f"{kilowatt_hours:010.3f}",
            number=OTHER,
        )
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
    await sum_up(hass, later(75), later(180))
    found = await changes(hass, energy)
    # The old meter's until its last reading, the new one's from its first reading on; nobody has read what was used in
    # the six minutes between.
    old, new = 60 * 0.025, (174 - 66) * 0.025
    first_hour, last_hour = 54 * 0.025, 60 * 0.025
    assert found == [
        pytest.approx(first_hour),
        pytest.approx(old + new - first_hour - last_hour),
        pytest.approx(last_hour),
    ]
