"""Each thing that goes wrong with a line is made to happen, and the dialogue says exactly that."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from simulator import serve

from .common.causes import PARAMETERS, Cause, stock_meter
from .common.clock import hurried
from .common.dialogue import through
from .common.held import open_files

TRANSLATIONS = Path(__file__).parents[1] / "custom_components" / DOMAIN / "translations"
SENTENCES: dict[str, str] = json.loads((TRANSLATIONS / "en.json").read_text("utf-8"))["config"][
    "error"
]


async def shown_in_the_end(hass: HomeAssistant, url: str) -> ConfigFlowResult:
    """What the dialogue shows when the reading is over."""
    flow = hass.config_entries.flow
    shown: Any = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    shown = await flow.async_configure(shown["flow_id"], {"device": url, "advanced": {}})
    shown = await through(flow, shown)
    flow.async_abort(shown["flow_id"])
    return shown  # type: ignore[no-any-return]


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("cause", PARAMETERS)
async def test_reason_in_the_dialogue(hass: HomeAssistant, cause: Cause, tmp_path: Path) -> None:
    assert await async_setup_component(hass, "usb", {})
    before = open_files()
    with hurried(cause.pace):
        async with cause.make(tmp_path) as url:
            shown = await shown_in_the_end(hass, url)
    assert open_files() == before
    if shown["type"] is FlowResultType.MENU:
        # A reason that leaves a choice is a question of its own.
        assert shown["step_id"] == cause.key
        return
    if shown["step_id"] == "push_key":
        # What is missing is asked for on a page of its own.
        assert cause.key == "push_key_needed"
        return
    assert (shown["step_id"], shown["errors"]) == ("user", {"base": cause.key})
    placeholders = shown["description_placeholders"]
    assert placeholders is not None
    assert cause.placeholders.items() <= placeholders.items()
    # Nothing of the sentence stays open.
    assert "{" not in SENTENCES[cause.key].format(**placeholders)


@pytest.mark.usefixtures("socket_enabled")
async def test_who_holds_a_busy_port_is_named(hass: HomeAssistant) -> None:
    """By the title that its entry has in Home Assistant."""
    assert await async_setup_component(hass, "usb", {})
    async with serve(stock_meter()) as served:
        other = os.open(served.url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        fcntl.flock(other, fcntl.LOCK_EX)
        MockConfigEntry(
            domain="edl21",
            title="Meter in the cellar",
            data={"serial_port": served.url},
            state=ConfigEntryState.LOADED,
        ).add_to_hass(hass)
        shown = await shown_in_the_end(hass, served.url)
        os.close(other)
    assert shown["errors"] == {"base": "port_held"}
    assert (shown["description_placeholders"] or {})["holder"] == "Meter in the cellar"
