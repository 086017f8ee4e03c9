"""Pages of the options flow."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
)


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
