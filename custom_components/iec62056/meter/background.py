"""Background tasks of one meter."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..const import DOMAIN


@callback
def in_background[T](
    hass: HomeAssistant, entry: ConfigEntry, work: Coroutine[Any, Any, T], name: str
) -> asyncio.Task[T]:
    """Start work that ends, at the latest, when the entry is unloaded."""
    return entry.async_create_background_task(hass, work, f"{DOMAIN} {entry.title} {name}")
