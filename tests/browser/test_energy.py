"""The meter in the Energy dashboard."""

import pytest

from .conftest import OLD_METER
from .house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.usefixtures("old_meter")
async def test_two_tariffs_and_feed_in_are_put_into_the_energy_dashboard(the_house: House) -> None:
    person = the_house.person
    grid = ("electricity", "Add grid connection", OLD_METER)
    await person.fill_energy(*grid, "Energy import tariff 1", "Energy export")
    await person.fill_energy(*grid, "Energy import tariff 2")
    chosen = await the_house.home.command("energy/get_prefs")
    used = [source["stat_energy_from"] for source in chosen["energy_sources"]]
    assert [name.rpartition("_")[2] for name in used] == ["1", "2"]
    assert chosen["energy_sources"][0]["stat_energy_to"].endswith("_energy_export")
    verdict = await the_house.home.command("energy/validate")
    complaints = {issue["type"] for source in verdict["energy_sources"] for issue in source}
    # Statistics begin with the next five minutes.
    assert complaints <= {"statistics_not_defined"}
