"""The file that the user sends with a report."""

import json
from pathlib import Path

import pytest

from .conftest import OLD_METER
from .house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUMBER = "20054321"


@pytest.mark.usefixtures("old_meter")
async def test_the_diagnostics_are_downloaded_without_the_number_of_the_meter(
    the_house: House, tmp_path: Path
) -> None:
    person = the_house.person
    async with person.page.expect_download() as download:
        await person.from_menu(OLD_METER, "Download diagnostics")
    await (await download.value).save_as(tmp_path / "diagnostics.json")
    text = (tmp_path / "diagnostics.json").read_text("utf-8")
    assert json.loads(text)["data"]
    assert "1.8.0(" in text
    assert NUMBER not in text
    assert NUMBER.encode().hex() not in text
