"""A meter that shows its registers only in mode E, and only to who has its password."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from playwright.async_api import expect
import pytest
import pytest_asyncio

from demo import meter
from demo.start import start_meter

from .house import House
from .person import DOMAIN

pytestmark = pytest.mark.asyncio(loop_scope="session")

TITLE = "Landis+Gyr HOUSE-03"
NUMBER = "30054321"
SECRET = "71828182"
OPTIONS = (
    *("--rfc2217", "127.0.0.1:0", "--ident", "/LGZ5HOUSE-03", "--address", NUMBER),
    *("--mode-e", "--no-readout", "--protected", "--low", SECRET, "--info", "256", "--window", "4"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bridge(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """The address of the bridge that the meter is behind."""
    async with AsyncExitStack() as stack:
        folder = tmp_path_factory.mktemp("binary")
        yield (await start_meter(stack, folder, "Binary meter", *OPTIONS))[1]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def entry(the_house: House, bridge: str) -> str:
    """The id of its entry, after it was added by clicks."""
    person, home = the_house.person, the_house.home
    before = await home.command("config_entries/get", domain=DOMAIN)
    await person.begin_to_add()
    await person.type_port(bridge)
    await person.click(person.dialogue.get_by_text("Advanced", exact=True))
    # Those of the keys are in a section that is still closed.
    await person.dialogue.locator("input[type=password]:visible").fill(SECRET)
    await person.click(person.dialogue.get_by_text("Mode E (DLMS/COSEM)", exact=True))
    await person.click(person.dialogue.get_by_label("Security level"))
    await person.click(person.page.get_by_text("Low: a password").last)
    await person.submit()
    await person.dialogue.get_by_text(f"number {NUMBER}, with ").wait_for()
    await person.submit()
    await person.leave("Skip and finish")
    after = await home.command("config_entries/get", domain=DOMAIN)
    (new,) = {one["entry_id"] for one in after} - {one["entry_id"] for one in before}
    return str(new)


async def test_a_password_adds_it_in_mode_e(the_house: House, entry: str) -> None:
    sensors = {one.code: one for one in await meter.sensors(the_house.home, entry)}
    # Nobody is shown it without the password.
    imported = sensors["1-0:1.8.1"]
    assert imported.unit == "kWh"
    assert imported.number is not None
    assert imported.number > 4000


@pytest.mark.usefixtures("entry")
async def test_its_levels_are_shown(the_house: House) -> None:
    person = the_house.person
    await person.go(f"config/integrations/integration/{DOMAIN}")
    row = person.page.locator("ha-config-entry-row").filter(has_text=TITLE)
    await person.click(row.get_by_role("button", name="Configure"))
    for item in ("Password and advanced registers", "Who may see and set what"):
        await person.click(person.dialogue.get_by_text(item))
    shown = person.dialogue.locator("step-flow-form ha-markdown p")
    everybody = shown.filter(has_text="Read by everybody")
    with_password = shown.filter(has_text="Read by who has the password")
    await expect(with_password).to_contain_text("1-0:1.8.1, 1-0:1.8.2,", timeout=60_000)
    await expect(everybody).to_contain_text("0-0:1.0.0")
    await expect(everybody).not_to_contain_text("1-0:1.8.1")
    await expect(shown.filter(has_text="Set by who has the password")).to_contain_text(
        "0-0:96.13.0"
    )
    await expect(person.dialogue.get_by_text(SECRET)).to_have_count(0)
    await person.submit()
    await person.dialogue.get_by_text("successfully saved").wait_for()


@pytest.mark.usefixtures("entry")
async def test_its_registers_are_put_into_the_energy_dashboard(the_house: House) -> None:
    person, home = the_house.person, the_house.home
    grid = ("electricity", "Add grid connection", TITLE)
    await person.fill_energy(*grid, "Energy import tariff 1", "Energy export")
    await person.fill_energy(*grid, "Energy import tariff 2")
    registry = await home.command("config/entity_registry/list")
    own = {
        item["entity_id"]: item["unique_id"].rpartition("_")[2]
        for item in registry
        if item["unique_id"].startswith(f"LGZ_{NUMBER}_")
    }
    chosen = (await home.command("energy/get_prefs"))["energy_sources"]
    sources = [source for source in chosen if source["stat_energy_from"] in own]
    assert [own[source["stat_energy_from"]] for source in sources] == ["1-0:1.8.1", "1-0:1.8.2"]
    assert own[sources[0]["stat_energy_to"]] == "1-0:2.8.0"
    verdict = await home.command("energy/validate")
    complaints = {issue["type"] for source in verdict["energy_sources"] for issue in source}
    # Statistics begin with the next five minutes.
    assert complaints <= {"statistics_not_defined"}
