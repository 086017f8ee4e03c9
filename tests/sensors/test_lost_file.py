"""The file of a meter is lost, and another meter answers: the entry still knows whose it is."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from ..common.bench import HOUSEHOLD, NUMBER, START, Bench, entity_id, later, reading, state
from ..common.replacement import OTHER, answer, changes, poll, questions, sum_up, total
from ..common.stored_file import file_of

ENERGY = "1-0:1.8.0"


async def lose(hass: HomeAssistant, entry: MockConfigEntry, storage: dict[str, Any]) -> None:
    """Let the file be unusable at the next start."""
    assert await hass.config_entries.async_unload(entry.entry_id)
    storage[file_of(entry)]["data"] = {"state": "damaged"}


@pytest.mark.parametrize("first", [6000.0, 54000.0])
async def test_another_meter_is_asked_about(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    *,
    hass_storage: dict[str, Any],
    first: float,
) -> None:
    assert await async_setup_component(hass, "sensor", {})
    bench.answers = [reading(total(NUMBER, 12345))]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    energy = entity_id(hass, ENERGY)
    for minute in range(6, 66, 6):
        await poll(hass, entry, bench, freezer, total(NUMBER, 12345 + minute / 60), minute=minute)
    await sum_up(hass, START, later(65))
    await lose(hass, entry, hass_storage)
    freezer.move_to(later(66))
    bench.answers = [reading(total(OTHER, first), at=later(66))]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert questions(hass) == ["meter_replaced"]
    # Nothing of the other meter is shown.
    assert hass.states.get(energy) is None or state(hass, ENERGY).state == "unavailable"
    await answer(hass, "meter_replaced", "replace_meter")
    assert entry.unique_id == f"LGZ_{OTHER}"
    assert entity_id(hass, ENERGY, f"LGZ_{OTHER}") == energy
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    for minute in range(72, 126, 6):
        if minute == 78:
            await sum_up(hass, later(65), later(75))
        now = first + (minute - 66) / 60
        await poll(hass, entry, bench, freezer, total(OTHER, now), minute=minute)
    await sum_up(hass, later(75), later(120))
    assert await changes(hass, energy) == [
        pytest.approx(54 / 60, abs=0.002),
        pytest.approx(54 / 60, abs=0.002),
    ]


async def test_same_meter_is_read_as_if_it_were_new(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    hass_storage: dict[str, Any],
) -> None:
    await lose(hass, loaded, hass_storage)
    assert await hass.config_entries.async_setup(loaded.entry_id)
    await hass.async_block_till_done()
    assert questions(hass) == []
    assert state(hass, ENERGY).state == "12345.678"


async def test_meter_comes_back_that_is_known_by_its_number_alone(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    await lose(hass, loaded, hass_storage)
    bench.answers = [reading({**HOUSEHOLD, "C.1.0": [OTHER]})]
    assert await hass.config_entries.async_setup(loaded.entry_id)
    await hass.async_block_till_done()
    await answer(hass, "meter_replaced", "wrong_probe")
    for minute in (1, 2):
        await poll(hass, loaded, bench, freezer, HOUSEHOLD, minute=minute)
    assert questions(hass) == []
    assert state(hass, ENERGY).state == "12345.678"
    assert loaded.unique_id == f"LGZ_{NUMBER}"
