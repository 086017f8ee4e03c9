"""From nothing to a meter whose sensors can be seen, by clicks alone."""

import time

import pytest

from .house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLICKS = 4
SECONDS = 30
TITLE = "SIM HOUSE-01"


async def test_a_meter_at_9600_baud_is_added_in_four_clicks(the_house: House) -> None:
    person = the_house.person
    await person.begin_to_add()
    person.clicks, began = 0, time.monotonic()
    await person.pick_port("New meter")
    await person.submit()
    found = person.dialogue.get_by_text("Meter found")
    await found.wait_for()
    await person.submit()
    await person.dialogue.get_by_text("Name and assign").wait_for()
    took = time.monotonic() - began
    print(f"\nA meter at 9600 Bd: {person.clicks} clicks, {took:.1f} s")
    assert person.clicks <= CLICKS
    assert took < SECONDS


async def test_its_sensors_are_on_its_page(the_house: House) -> None:
    person = the_house.person
    await person.leave("Skip and finish")
    await person.open_meter(TITLE)
    sensors = person.page.locator("ha-device-entities-card").filter(has_text="Sensors")
    row = sensors.locator("hui-sensor-entity-row").filter(has_text="Energy import tariff 1")
    await row.get_by_text("kWh").wait_for()
    assert "unavailable" not in (await sensors.inner_text()).lower()
