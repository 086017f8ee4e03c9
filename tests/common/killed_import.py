"""Two lives of one Home Assistant with its files and its database: killed while it imports, and started again.

Run by test_backfill_killed.py, each test in a process of its own; `LIFE` names their folder.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
import json
import os
from pathlib import Path
import signal
from typing import Any, Final
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from sqlalchemy import event

from custom_components.iec62056.const import CONF_NUMBER_CODE, DOMAIN
from custom_components.iec62056.statistics import recorder
from custom_components.iec62056.statistics.gap_filler import AFTER_HOUR
from simulator import Programming
from simulator.profile import LoadProfile

from .bench import NUMBER, PORT
from .lived import Lived, lived, living
from .week import BERLIN, HOUR, KEYS, QUARTER, House, Week

LIFE: Final = "IEC62056_LIFE"
ROW: Final = "IEC62056_ROW"
BEGIN: Final = datetime(2027, 3, 2, 6, tzinfo=UTC)
FIRST, LAST, END = BEGIN + 2.25 * HOUR, BEGIN + 6.5 * HOUR, BEGIN + 7 * HOUR
HOUSE: Final = House(BEGIN, 12, [(moment, moment + QUARTER) for moment in (FIRST, LAST)])
# Rows of each sensor: the sum at the end of the last of the five hours was right.
WRITTEN: Final = 4


def folder() -> Path:
    return Path(os.environ[LIFE])


@pytest.fixture
def hass_config_dir() -> str:
    return str(folder())


@pytest.fixture
def hass_storage() -> Mapping[str, Any]:
    """Files are files."""
    return {}


@pytest.fixture
def recorder_db_url() -> str:
    return f"sqlite:///{folder()}/home.db"


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    entry = MockConfigEntry(
        entry_id="lived",
        domain=DOMAIN,
        title="Meter",
        unique_id=f"LGZ_{NUMBER}",
        data={CONF_DEVICE: PORT, CONF_ADDRESS: "", CONF_NUMBER_CODE: "0-0:96.1.0"},
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
def line() -> Lived:
    profile = LoadProfile(BERLIN)
    profile.watch(HOUSE.registers, BEGIN, BEGIN + 12 * HOUR)
    return lived(HOUSE, Programming(records={"P.01": profile.answer}))


async def tell(week: Week, name: str) -> None:
    """Keep the rows for the test that looks at both lives."""
    rows = [
        {start.isoformat(): row for start, row in (await week.rows(key)).items()} for key in KEYS
    ]
    (folder() / f"{name}.json").write_text(json.dumps(rows))


@pytest.mark.usefixtures("recorder_mock")
async def test_first_life(
    hass: HomeAssistant, entry: MockConfigEntry, freezer: FrozenDateTimeFactory, line: Lived
) -> None:
    written = 0

    def die(_: object, _cursor: object, statement: str, *_more: object) -> None:
        nonlocal written
        written += statement.startswith(("UPDATE statistics SET", "INSERT INTO statistics "))
        if written == int(os.environ[ROW]):
            os.kill(os.getpid(), signal.SIGKILL)

    write = recorder.async_write

    async def watched(*arguments: Any) -> None:
        engine = get_instance(hass).engine
        if not event.contains(engine, "before_cursor_execute", die):
            event.listen(engine, "before_cursor_execute", die)
        await write(*arguments)

    freezer.move_to(BEGIN + HOUR / 5)
    async with living(hass, entry, freezer=freezer, house=HOUSE, line=line) as week:
        await week.watch(BEGIN + QUARTER, FIRST + QUARTER)
        await week.off(LAST)
        await week.watch(LAST, END)
        await tell(week, "before")
        # The gap is on the disk long before it is filled.
        await entry.runtime_data.coordinator.record.async_save_now()
        with patch.object(recorder, "async_write", watched):
            await week.tick(END + AFTER_HOUR)
    raise AssertionError("still alive")


@pytest.mark.usefixtures("recorder_mock")
async def test_second_life(
    hass: HomeAssistant, entry: MockConfigEntry, freezer: FrozenDateTimeFactory, line: Lived
) -> None:
    freezer.move_to(END + 2 * AFTER_HOUR)
    async with living(hass, entry, freezer=freezer, house=HOUSE, line=line) as week:
        await week.settle()
        await tell(week, "after")
        await hass.services.async_call(
            DOMAIN, "clear_imported", {"config_entry_id": entry.entry_id}, blocking=True
        )
        await tell(week, "cleared")
