"""What the user changes of a meter that is set up."""

import pytest

from demo import meter

from .conftest import OLD_METER
from .house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_registers_are_switched_on_and_off(the_house: House, old_meter: str) -> None:
    person, home = the_house.person, the_house.home
    before = {sensor.code for sensor in await meter.sensors(home, old_meter)}
    assert "1-0:32.7.0" in before
    assert "1-0:14.7.0" not in before
    await person.open_options(OLD_METER, "Sensors")
    await person.tick("32.7.0")
    await person.tick("14.7.0")
    await person.submit()
    await person.dialogue.get_by_text("successfully saved").wait_for()

    async def are_changed() -> bool:
        after = {sensor.code for sensor in await meter.sensors(home, old_meter)}
        return "1-0:32.7.0" not in after and "1-0:14.7.0" in after

    await the_house.program.until(are_changed, 60)


@pytest.mark.usefixtures("old_meter")
async def test_the_time_between_two_readings_is_kept(the_house: House) -> None:
    person = the_house.person
    group = "Reading schedule"
    minutes = person.dialogue.locator("ha-duration-input input").nth(1)
    await person.open_options(OLD_METER, group)
    await person.submit("Next")
    assert await minutes.input_value() != "07"
    await minutes.fill("7")
    await person.submit()
    await person.dialogue.get_by_text("successfully saved").wait_for()
    await person.open_options(OLD_METER, group)
    await person.submit("Next")
    assert await minutes.input_value() == "07"


@pytest.mark.usefixtures("old_meter")
async def test_the_kind_of_schedule_comes_first(the_house: House) -> None:
    """And then only its own fields."""
    person = the_house.person
    await person.open_options(OLD_METER, "Reading schedule")
    await person.click(person.dialogue.get_by_text("Once a day"))
    await person.submit("Next")
    await person.dialogue.locator("ha-time-input").first.wait_for()
    assert await person.dialogue.locator("ha-duration-input").count() == 0
    await person.submit()
    await person.dialogue.get_by_text("successfully saved").wait_for()
    await person.open_options(OLD_METER, "Reading schedule")
    await person.submit("Next")
    await person.dialogue.locator("ha-time-input").first.wait_for()
