"""Pages of the flows: filled in, waited for, and what they offer."""

from typing import Any

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.helpers import entity_registry as er

from custom_components.iec62056.const import DOMAIN

from .bench import HOUSEHOLD, PORT


def form(device: str = PORT, address: str | None = None, mode: str = "auto") -> dict[str, Any]:
    """What the user enters."""
    filled = {"device": device, "advanced": {"mode": mode}}
    return filled if address is None else {**filled, "several": {"address": address}}


async def start(hass: HomeAssistant, **entered: str) -> Any:
    """Open the dialogue and send the form."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {}
    return await hass.config_entries.flow.async_configure(result["flow_id"], form(**entered))


async def settled(hass: HomeAssistant, result: Any) -> Any:
    """The step after the reading."""
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await hass.async_block_till_done(wait_background_tasks=True)
        result = await hass.config_entries.flow.async_configure(result["flow_id"])
    return result


async def read(hass: HomeAssistant, **entered: str) -> Any:
    """Open the dialogue, send the form, wait for the reading."""
    return await settled(hass, await start(hass, **entered))


def suggested_of(schema: Any) -> dict[str, Any]:
    """What the fields of a page are filled in with, those of its sections within theirs."""
    found = {
        key.schema: key.description["suggested_value"] for key in schema.schema if key.description
    }
    sections = {
        key.schema: suggested_of(part.schema)
        for key, part in schema.schema.items()
        if isinstance(part, section)
    }
    return found | {name: fields for name, fields in sections.items() if fields}


LONG = {**HOUSEHOLD, **{f"1.8.0*{period:02}": ["011800.0*kWh"] for period in range(2, 50)}}


def options_of(result: Any) -> dict[str, str]:
    """What can be ticked: key and text."""
    selector = result["data_schema"].schema["registers"]
    return {option["value"]: option["label"] for option in selector.config["options"]}


def enabled(hass: HomeAssistant, entry: ConfigEntry) -> set[str]:
    """The keys of the register sensors that are switched on."""
    prefix = f"{entry.unique_id or entry.entry_id}_"
    return {
        one.unique_id.removeprefix(prefix)
        for one in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if one.disabled_by is None and one.domain == "sensor" and ":" in one.unique_id
    }
