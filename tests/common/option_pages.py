"""Pages of the options flow."""

from dataclasses import replace
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
)

from custom_components.iec62056.protocol.model import Medium

from .bench import Bench


async def menu(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert result["type"] is FlowResultType.MENU
    return result


async def choose(hass: HomeAssistant, entry: MockConfigEntry, group: str) -> Any:
    """Open one group of options."""
    result = await menu(hass, entry)
    assert group in result["menu_options"]
    shown = await hass.config_entries.options.async_configure(
        result["flow_id"], {"next_step_id": group}
    )
    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, group)
    return shown


async def send(hass: HomeAssistant, result: Any, **entered: Any) -> Any:
    sent = await hass.config_entries.options.async_configure(result["flow_id"], entered)
    await hass.async_block_till_done(wait_background_tasks=True)
    return sent


async def page(hass: HomeAssistant, entry: MockConfigEntry, kind: str, **power: bool) -> Any:
    """Open the page of a kind of schedule."""
    shown = await send(hass, await choose(hass, entry, "reading"), schedule=kind, **power)
    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, f"reading_{kind}")
    return shown


async def schedule(hass: HomeAssistant, entry: MockConfigEntry, kind: str, **entered: Any) -> Any:
    """Choose a kind of schedule and fill in its page."""
    return await send(hass, await page(hass, entry, kind), **entered)


async def battery(hass: HomeAssistant, entry: MockConfigEntry, bench: Bench) -> None:
    """Set up a meter that lives on its battery."""
    bench.learned = lambda profile: replace(profile, medium=Medium.HEAT)
    await hass.config_entries.async_setup(entry.entry_id)
