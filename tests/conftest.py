"""What the tests of the integration share. Tests of the client and of the simulator ask for none of it."""

from asyncio import BaseEventLoop
from collections.abc import Generator
import logging
import os
from pathlib import Path
import traceback
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_ADDRESS, CONF_DEVICE
from homeassistant.core import HomeAssistant
from hypothesis import settings
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

# Imported before Home Assistant looks for custom components, or the test plugin's own folder wins.
from custom_components.iec62056.const import CONF_NUMBER_CODE, DOMAIN

from .common.bench import NUMBER, PORT, START, Bench
from .common.flow_texts import all_checked
from .common.limit import pytest_collection_modifyitems, pytest_timeout_set_timer

__all__ = ["pytest_collection_modifyitems", "pytest_timeout_set_timer"]

# The same cases in every run; `scripts/test --long` draws others, from a seed it prints.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("drawn", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

# The test plugin lets it write down every statement: thousands of lines in each failure, and a third of a test's time.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)

# At the time of day in seconds, a loop's own resolution is less than the next float. A timer that is due exactly now
# would not be, and the loop of a frozen clock would turn round and round for it.
BaseEventLoop._clock_resolution = property(lambda _: 1e-6, lambda *_: None)  # type: ignore[attr-defined]

# The test plugin switches asyncio's debug mode on, which keeps the whole stack of where each future was made: another
# half of a test's time. What that mode checks, it checks without them too.
traceback.StackSummary.extract = classmethod(lambda cls, *_, **__: cls())  # type: ignore[method-assign,assignment]


# They have a Home Assistant and a browser of their own: scripts/test --browser.
collect_ignore = ["browser"]


@pytest.fixture(autouse=True)
def _our_component(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant load the component, in tests that have a Home Assistant."""
    if "hass" in request.fixturenames:
        if "recorder_mock" in request.fixturenames:
            if "freezer" in request.fixturenames:
                # It takes the five minutes before its start for summed up, whatever time of day the test is run at.
                request.getfixturevalue("freezer").move_to(START)
            # The recorder wants to be there before anything else is.
            request.getfixturevalue("recorder_mock")
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture
def recorder_db_url(tmp_path: Path) -> str:
    """A database in a file, as everybody's is: the test plugin's own lets one connection in at a time."""
    return f"sqlite:///{tmp_path}/home.db"


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """A recorder that writes in batches, as everybody's does; the test plugin's writes each event by itself."""
    return {"commit_interval": 5}


@pytest.fixture
def bench(freezer: FrozenDateTimeFactory) -> Generator[Bench]:
    """A meter behind every port, at the time of its first reading."""
    freezer.move_to(START)
    bench = Bench()
    with (
        all_checked(),
        patch("custom_components.iec62056.meter.connection.open_line", bench.open_line),
        patch("custom_components.iec62056.meter.connection._address", bench.address),
        patch("custom_components.iec62056.meter.reader.MeterClient", bench.meter),
        patch("custom_components.iec62056.flows.reading.MeterClient", bench.meter),
        patch("custom_components.iec62056.meter.alignment_run.MeterClient", bench.meter),
        patch("custom_components.iec62056.meter.reader.discover", bench.discover),
        patch("custom_components.iec62056.flows.reading.discover", bench.discover),
    ):
        yield bench


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    """A configured meter, not set up yet."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Landis+Gyr ZMF100AC.M26",
        unique_id=f"LGZ_{NUMBER}",
        data={CONF_DEVICE: PORT, CONF_ADDRESS: "", CONF_NUMBER_CODE: "0-0:96.1.0"},
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def loaded(hass: HomeAssistant, bench: Bench, entry: MockConfigEntry) -> MockConfigEntry:
    """A meter that was read once and is set up."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    return entry


@pytest.fixture
def every_sensor_enabled() -> Generator[None]:
    """Sensors that are disabled by default are enabled."""
    with patch("homeassistant.helpers.entity.Entity.entity_registry_enabled_default", new=True):
        yield
