"""A dialogue as the user meets it: a page that shows progress is waited for."""

import asyncio
from typing import Any

from homeassistant.config_entries import ConfigEntriesFlowManager, OptionsFlowManager
from homeassistant.data_entry_flow import FlowResultType


async def through(manager: ConfigEntriesFlowManager | OptionsFlowManager, shown: Any) -> Any:
    """The first page that asks for something again, or the end."""
    while shown["type"] is FlowResultType.SHOW_PROGRESS:
        await asyncio.sleep(0.5)
        shown = await manager.async_configure(shown["flow_id"])
    return shown
