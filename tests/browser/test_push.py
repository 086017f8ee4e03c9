"""A meter that pushes encrypted DLMS, from nothing to the Energy dashboard, by clicks alone."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
import time

import pytest
import pytest_asyncio

from demo import meter
from demo.start import start_meter
from simulator.dlms.push import KEY

from .house import House, keep
from .person import DOMAIN

pytestmark = pytest.mark.asyncio(loop_scope="session")

# From the port to the entry, once the key is known.
CLICKS = 6
SECONDS = 60
TITLE = "Iskraemeco"
OPTIONS = ("--rfc2217", "127.0.0.1:0", "--push", "optical")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bridge(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """The address of the bridge that the meter is behind."""
    async with AsyncExitStack() as stack:
        folder = tmp_path_factory.mktemp("pushing")
        yield (await start_meter(stack, folder, "Pushing meter", *OPTIONS))[1]


async def give(the_house: House, key: str) -> None:
    """Type the key, and go on."""
    person = the_house.person
    await person.dialogue.locator("input[type=password]").first.fill(key)
    await person.submit()


async def test_a_meter_that_pushes_is_added_with_its_key(the_house: House, bridge: str) -> None:
    person, home = the_house.person, the_house.home
    before = await home.command("config_entries/get", domain=DOMAIN)
    await person.begin_to_add()
    person.clicks, began = 0, time.monotonic()
    await person.type_port(bridge)
    await person.submit()
    await person.dialogue.get_by_text(f"This meter ({TITLE}) sends encrypted").wait_for()
    heard = time.monotonic() - began
    await keep(the_house, "push_key")
    # None at all, a wrong one, and the right one as it stands in a letter.
    needless = person.clicks
    await person.submit()
    await person.dialogue.get_by_text("are encrypted, and there is no key").wait_for()
    await keep(the_house, "push_no_key")
    await give(the_house, "00" * 16)
    await person.dialogue.get_by_text("what comes out is no telegram").wait_for()
    await keep(the_house, "push_wrong_key")
    needless, tried = person.clicks - needless, time.monotonic()
    await give(the_house, KEY.hex(" "))
    await person.dialogue.get_by_text("Meter found").wait_for()
    await keep(the_house, "push_found")
    await person.submit()
    await person.dialogue.get_by_text("Name and assign").wait_for()
    took = heard + time.monotonic() - tried
    clicks = person.clicks - needless
    print(f"\nA meter that pushes: {clicks} clicks, {took:.1f} s, heard after {heard:.1f} s")
    assert clicks <= CLICKS
    assert took < SECONDS
    await person.leave("Skip and finish")
    after = await home.command("config_entries/get", domain=DOMAIN)
    (new,) = {one["entry_id"] for one in after} - {one["entry_id"] for one in before}
    sensors = {one.code: one for one in await meter.sensors(home, new)}
    assert sensors["1-0:1.8.0"].unit == "kWh"
    assert (sensors["1-0:1.8.0"].number or 0) > 7000
    await person.open_meter(TITLE)
    cards = person.page.locator("ha-device-entities-card").filter(has_text="Sensors")
    await cards.get_by_text("kWh").first.wait_for()
    await keep(the_house, "push_device")


async def test_its_totals_are_put_into_the_energy_dashboard(the_house: House) -> None:
    person, home = the_house.person, the_house.home
    grid = ("electricity", "Add grid connection", TITLE)
    await person.fill_energy(*grid, "Energy import", "Energy export")
    chosen = (await home.command("energy/get_prefs"))["energy_sources"][-1]
    assert chosen["stat_energy_from"].endswith("_energy_import")
    assert chosen["stat_energy_to"].endswith("_energy_export")
    verdict = await home.command("energy/validate")
    complaints = {issue["type"] for source in verdict["energy_sources"] for issue in source}
    # Statistics begin with the next five minutes.
    assert complaints <= {"statistics_not_defined"}
