"""The connection, and what a meter tells of itself."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.iec62056.binary_sensor import DESCRIPTIONS
from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.derived.status_flags import StatusFlag
from custom_components.iec62056.protocol.errors import NoAnswer

from ..common.bench import HOUSEHOLD, NUMBER, Bench, later
from ..common.register_sensors import read_again, set_up


def binary(hass: HomeAssistant, key: str) -> State:
    entity_id = er.async_get(hass).async_get_entity_id(
        Platform.BINARY_SENSOR, DOMAIN, f"LGZ_{NUMBER}_{key}"
    )
    assert entity_id is not None, key
    found = hass.states.get(entity_id)
    assert found is not None, key
    return found


def test_every_sign_has_a_description() -> None:
    assert set(DESCRIPTIONS) == set(StatusFlag)


async def test_connection(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    assert binary(hass, "connection").state == "on"
    assert binary(hass, "connection").attributes["device_class"] == "connectivity"
    good, bench.answers = bench.answers, [NoAnswer()]
    await loaded.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert binary(hass, "connection").state == "off"
    bench.answers = good
    freezer.move_to(later(1))
    await loaded.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert binary(hass, "connection").state == "on"


async def test_connection_ends_when_nothing_is_tried_any_more(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The last attempt succeeded, but that was long ago: it is told, not unavailable."""
    bench.gate.clear()
    freezer.tick(timedelta(minutes=16))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    assert binary(hass, "connection").state == "off"
    assert binary(hass, "fault").state == "unavailable"


async def test_fault(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    assert binary(hass, "fault").state == "off"
    assert binary(hass, "fault").attributes["device_class"] == "problem"
    assert binary(hass, "fault").attributes["from"] == ["0-0:97.97.0"]
    for minute in (1, 2):
        # A text that changes may be damaged: it is believed when it comes twice.
        await read_again(loaded, bench, freezer, {"F.F": ["00000040"]}, minute)
    assert binary(hass, "fault").state == "on"
    gone = {name: sent for name, sent in HOUSEHOLD.items() if name != "F.F"}
    await read_again(loaded, bench, freezer, gone, 20, known={})
    assert binary(hass, "fault").state == "unknown"


async def test_signs_that_appear_later(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    await set_up(hass, entry, bench, HOUSEHOLD)
    for minute in (1, 2):
        await read_again(entry, bench, freezer, {"C.51.1": ["3"]}, minute)
    cover = binary(hass, "terminal_cover")
    assert cover.state == "off"
    assert cover.attributes["device_class"] == "tamper"
    await read_again(entry, bench, freezer, {"C.51.1": ["4"]}, 3)
    assert binary(hass, "terminal_cover").state == "on"
