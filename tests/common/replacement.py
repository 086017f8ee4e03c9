"""Another meter in place of the known one: the question, its answer, and what the statistics make of it."""

from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.recorder import get_instance
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.repairs import async_create_fix_flow

from .bench import START, Bench, later, reading

OTHER = "99887766"


def total(number: str, kilowatt_hours: float) -> dict[str, list[str]]:
    """What the meter of that number sends."""
    return {"C.1.0": [number], "1.8.0": [f"{kilowatt_hours:010.3f}*kWh"]}


async def poll(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    sent: dict[str, list[str]],
    *,
    minute: int,
) -> None:
    """Read that, so many minutes after the first reading."""
    freezer.move_to(later(minute))
    bench.answers = [reading(sent, at=later(minute))]
    await entry.runtime_data.coordinator.async_refresh()
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)


async def answer(hass: HomeAssistant, kind: str, choice: str) -> Any:
    """Answer the question of that kind."""
    found = [
        issue
        for (domain, _), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN and issue.translation_key == kind
    ]
    assert len(found) == 1, found
    flow: Any = await async_create_fix_flow(hass, found[0].issue_id, found[0].data)
    flow.hass, flow.issue_id, flow.flow_id = hass, found[0].issue_id, "flow"
    flow.handler, flow.context = DOMAIN, {"issue_id": found[0].issue_id}
    shown = await flow.async_step_init()
    if choice in shown.get("menu_options", ()):
        shown = await getattr(flow, f"async_step_{choice}")()
    else:
        shown = await flow.async_step_init({})
    await hass.async_block_till_done(wait_background_tasks=True)
    return shown


def questions(hass: HomeAssistant) -> list[str | None]:
    """The kinds of the questions that stand open."""
    issues = ir.async_get(hass).issues.items()
    return [issue.translation_key for (domain, _), issue in issues if domain == DOMAIN]


async def changes(hass: HomeAssistant, entity: str) -> list[float]:
    """What each hour's consumption is, as the Energy dashboard has it."""
    await async_wait_recording_done(hass)
    rows = await get_instance(hass).async_add_executor_job(
        lambda: statistics_during_period(
            hass, START - timedelta(days=1), None, {entity}, "hour", None, {"change"}
        )
    )
    return [round(row["change"] or 0.0, 3) for row in rows[entity]]


async def sum_up(hass: HomeAssistant, begin: datetime, end: datetime) -> None:
    """Let the recorder sum up all periods between two times."""
    await async_wait_recording_done(hass)
    while begin < end:
        do_adhoc_statistics(hass, start=begin)
        begin += timedelta(minutes=5)
    await async_wait_recording_done(hass)
