"""A meter that was set up by an earlier version, or by a later one: it is there, or it is left alone.

What version 0.1.0 wrote stands in upgrade/0.1.0.json. It is never written anew: whatever comes later must take it.
"""

import copy
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

import custom_components.iec62056 as component
from custom_components.iec62056 import storage
from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.flows.config import MeterConfigFlow

from .common.bench import NUMBER, Bench, state

WRITTEN = json.loads(Path(__file__).with_name("upgrade").joinpath("0.1.0.json").read_text("utf-8"))
TOTAL, PEAK = "1-0:1.8.0", "1-0:1.6.0"


@pytest.fixture
def old(hass: HomeAssistant, hass_storage: dict[str, Any]) -> MockConfigEntry:
    """The entry and the file of 0.1.0."""
    written = copy.deepcopy(WRITTEN)
    entry = MockConfigEntry(domain=DOMAIN, **written["entry"])
    entry.add_to_hass(hass)
    hass_storage[f"{DOMAIN}.{entry.entry_id}"] = written["file"]
    return entry


def assert_as_before(hass: HomeAssistant, entry: MockConfigEntry, bench: Bench) -> None:
    """The meter is there without having been read, under the names its statistics have."""
    assert entry.state is ConfigEntryState.LOADED
    assert bench.reads == 0
    assert state(hass, TOTAL).state == "12345.678"
    assert state(hass, TOTAL).attributes["unit_of_measurement"] == "kWh"
    assert state(hass, PEAK).state == "3.210"
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert set(WRITTEN["unique_ids"]) <= {one.unique_id for one in registered}
    assert f"LGZ_{NUMBER}_{TOTAL}" in WRITTEN["unique_ids"]


async def test_what_the_first_version_wrote(
    hass: HomeAssistant, bench: Bench, old: MockConfigEntry
) -> None:
    await hass.config_entries.async_setup(old.entry_id)
    await hass.async_block_till_done()
    assert_as_before(hass, old, bench)
    assert old.runtime_data.coordinator.validator.units == WRITTEN["file"]["data"]["units"]
    assert old.runtime_data.coordinator.validator.state is not None


async def test_it_goes_on_from_there(
    hass: HomeAssistant, bench: Bench, old: MockConfigEntry
) -> None:
    """The next reading is judged by what was known: the same meter, and no new one."""
    await hass.config_entries.async_setup(old.entry_id)
    await hass.async_block_till_done()
    await old.runtime_data.coordinator.async_refresh()
    assert bench.reads == 1
    assert old.runtime_data.coordinator.last_update_success
    assert state(hass, TOTAL).state == "12345.678"


@pytest.mark.parametrize("version", [(1, 2), (2, 1)])
async def test_a_later_version_migrates_it(
    hass: HomeAssistant,
    bench: Bench,
    old: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int],
) -> None:
    asked: list[tuple[int, int]] = []

    async def migrate(hass: HomeAssistant, entry: MockConfigEntry) -> bool:
        asked.append((entry.version, entry.minor_version))
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, "later": 1}, version=version[0], minor_version=version[1]
        )
        return True

    monkeypatch.setattr(MeterConfigFlow, "VERSION", version[0])
    monkeypatch.setattr(MeterConfigFlow, "MINOR_VERSION", version[1])
    monkeypatch.setattr(component, "async_migrate_entry", migrate, raising=False)
    await hass.config_entries.async_setup(old.entry_id)
    await hass.async_block_till_done()
    assert asked == [(1, 1)]
    assert (old.version, old.minor_version) == version
    assert old.data["later"] == 1
    assert_as_before(hass, old, bench)


async def test_a_minor_version_needs_no_migration(
    hass: HomeAssistant, bench: Bench, old: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeterConfigFlow, "MINOR_VERSION", 2)
    await hass.config_entries.async_setup(old.entry_id)
    await hass.async_block_till_done()
    assert_as_before(hass, old, bench)


async def test_an_entry_of_a_later_version_is_left_alone(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any]
) -> None:
    written = copy.deepcopy(WRITTEN)
    entry = MockConfigEntry(domain=DOMAIN, **{**written["entry"], "version": 2})
    entry.add_to_hass(hass)
    name = f"{DOMAIN}.{entry.entry_id}"
    hass_storage[name] = {**written["file"], "version": 2}
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert bench.reads == 0
    assert hass_storage[name] == {**WRITTEN["file"], "version": 2}


@pytest.mark.parametrize(("written", "now"), [(1, 2), (2, 1)], ids=["older", "newer"])
async def test_a_file_of_another_minor_version(
    hass: HomeAssistant,
    bench: Bench,
    old: MockConfigEntry,
    hass_storage: dict[str, Any],
    *,
    written: int,
    now: int,
) -> None:
    hass_storage[f"{DOMAIN}.{old.entry_id}"]["minor_version"] = written
    with patch.object(storage, "MINOR_VERSION", now):
        await hass.config_entries.async_setup(old.entry_id)
        await hass.async_block_till_done()
        assert_as_before(hass, old, bench)
        await hass.config_entries.async_unload(old.entry_id)
