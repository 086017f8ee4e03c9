"""A meter that shows its registers only in mode E, to whoever has the password."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
import re

from playwright.async_api import expect
import pytest
import pytest_asyncio

from demo import meter
from demo.start import start_meter

from .house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUMBER = "30054321"
SECRET = "71828182"
TITLE = "Landis+Gyr HOUSE-03"
OPTIONS = (
    *("--rfc2217", "127.0.0.1:0", "--address", NUMBER, "--ident", r"/LGZ5HOUSE-03"),
    *("--mode-e", "--no-readout", "--protected", "--low", SECRET, "--info", "256", "--window", "4"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bridge(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """The address of the bridge that the meter is behind."""
    async with AsyncExitStack() as stack:
        folder = tmp_path_factory.mktemp("binary")
        yield (await start_meter(stack, folder, "Binary meter", *OPTIONS))[1]


async def entry_of(house: House) -> str:
    """The meter's entry."""
    entries = await house.home.command("config_entries/get", domain=meter.DOMAIN)
    (found,) = [entry["entry_id"] for entry in entries if entry["title"] == TITLE]
    return str(found)


async def test_it_is_added_with_its_password(the_house: House, bridge: str) -> None:
    person = the_house.person
    await person.begin_to_add()
    await person.type_port(bridge)
    await person.click(person.dialogue.get_by_text("Advanced", exact=True))
    await person.dialogue.get_by_label("Password").first.fill(SECRET)
    await person.click(person.dialogue.get_by_text("Mode E (DLMS/COSEM)", exact=True))
    await person.click(person.dialogue.locator("ha-selector-select").filter(has_text="Security"))
    await person.click(person.page.get_by_text("Low: a password"))
    print(await person.dialogue.inner_text())
    await person.submit()
    await person.dialogue.get_by_text("Meter found").wait_for()
    print(await person.dialogue.inner_text())
    await person.submit()
    await person.leave("Skip and finish")
    sensors = await meter.sensors(the_house.home, await entry_of(the_house))
    print(sensors)


async def test_its_levels_are_shown(the_house: House) -> None:
    person = the_house.person
    await person.open_options(TITLE, "Password, more registers, changes")
    await person.click(person.dialogue.get_by_text("Who may see and set what"))
    await person.dialogue.get_by_text("The meter has said this of itself").wait_for()
    print(await person.dialogue.inner_text())
