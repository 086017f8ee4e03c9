"""Choosing the registers of a heat meter while it is added."""

import pytest

from .house import House
from .person import DOMAIN

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_is_ticked_becomes_a_sensor_and_the_rest_does_not(the_house: House) -> None:
    person = the_house.person
    await person.begin_to_add()
    await person.pick_port("Heat meter")
    await person.submit()
    await person.dialogue.get_by_text("Meter found").wait_for()
    await person.tick("6.31")
    await person.tick("6.26")
    await person.submit()
    await person.leave("Skip and finish")
    registry = await the_house.home.command("config/entity_registry/list")
    disabled = {
        item["unique_id"].rpartition("_")[2]: item["disabled_by"]
        for item in registry
        if item["platform"] == DOMAIN and "6-0:" in item["unique_id"]
    }
    assert disabled["6-0:6.31.0"] is None, "it was ticked"
    assert disabled["6-0:6.26.0"] == "integration", "its tick was taken away"
    assert disabled["6-0:6.8.0"] is None, "it was ticked from the start"
    assert disabled["6-0:6.8.0*1"] == "integration", "it was not ticked from the start"
