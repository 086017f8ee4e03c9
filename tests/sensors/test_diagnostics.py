"""How well the meter is heard."""

from dataclasses import replace
from decimal import Decimal

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.protocol.errors import CheckWrong, NoAnswer
from custom_components.iec62056.protocol.model import Health, ParitySeen
from custom_components.iec62056.sensors.diagnostics import DESCRIPTIONS, quality_of

from ..common.bench import GOOD_HEALTH, Bench, entity_id, later, reading, state

HEARD = replace(GOOD_HEALTH, parity=ParitySeen.EVEN, retries=2, duration=12.34)


@pytest.mark.parametrize(
    ("health", "quality"),
    [
        (replace(HEARD, characters=400, parity_errors=0), "100.0"),
        (replace(HEARD, characters=400, parity_errors=1), "99.8"),
        (replace(HEARD, characters=3, parity_errors=9), "0.0"),
        (replace(HEARD, characters=0), None),
        # A bridge or driver that takes the parity off: nobody can tell.
        (replace(HEARD, parity=ParitySeen.STRIPPED), None),
        (Health(), None),
    ],
)
def test_quality(health: Health, quality: str | None) -> None:
    assert quality_of(health) == (None if quality is None else Decimal(quality))


async def test_figures_of_the_last_reading(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    entity_registry: er.EntityRegistry,
) -> None:
    bench.answers = [reading(health=HEARD, at=later(0))]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for description in DESCRIPTIONS:
        one = entity_registry.async_get(entity_id(hass, description.key))
        assert one is not None
        assert one.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        entity_registry.async_update_entity(one.entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert state(hass, "link_quality").state == "100.0"
    assert state(hass, "reading_duration").state == "12.3"
    assert state(hass, "retries").state == "2"
    assert state(hass, "checks_failed").state == "0"
    for error in (NoAnswer(), CheckWrong(), CheckWrong()):
        bench.answers = [error]
        await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert entry.runtime_data.coordinator.checks_failed == 2
    # They are there above all when nothing is read.
    assert state(hass, "link_quality").state == "100.0"
    assert state(hass, "reading_duration").state == "12.3"
