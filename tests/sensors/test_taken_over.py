"""A total sent, and one added up from tariffs, are one series where the meter is exchanged."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.repairs import async_create_fix_flow

from ..common.bench import NUMBER, START, Bench, entity_id, later, reading, state
from ..common.replacement import OTHER, answer, changes, poll, questions, sum_up, total

TOTAL = "1-0:1.8.0"
SUM = "total_import"


def tariffs(number: str, kilowatt_hours: float) -> dict[str, list[str]]:
    return {
        "C.1.0": [number],
        "1.8.1": [f"{kilowatt_hours - 100:010.3f}*kWh"],
        "1.8.2": ["000100.000*kWh"],
    }


async def replace(hass: HomeAssistant, sums: str) -> None:
    """Say that the meter was exchanged, and what becomes of the sums."""
    (issue,) = (one for (domain, _), one in ir.async_get(hass).issues.items() if domain == DOMAIN)
    flow: Any = await async_create_fix_flow(hass, issue.issue_id, issue.data)
    flow.hass, flow.issue_id, flow.flow_id = hass, issue.issue_id, "flow"
    flow.handler, flow.context = DOMAIN, {"issue_id": issue.issue_id}
    asked = await flow.async_step_replace_meter()
    assert asked["menu_options"] == ["sums_go_on", "sums_end"]
    await getattr(flow, f"async_step_{sums}")()
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize("first", [300.0, 45000.0])
@pytest.mark.parametrize(("before", "after"), [(total, tariffs), (tariffs, total)])
async def test_history_goes_on(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    *,
    before: object,
    after: object,
    first: float,
) -> None:
    assert await async_setup_component(hass, "sensor", {})
    old_sent, old = (total, TOTAL) if before is total else (tariffs, SUM)
    new_sent, new = (total, TOTAL) if after is total else (tariffs, SUM)
    bench.answers = [reading(old_sent(NUMBER, 12345))]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    energy = entity_id(hass, old)
    for minute in range(6, 66, 6):
        await poll(
            hass, entry, bench, freezer, old_sent(NUMBER, 12345 + minute / 60), minute=minute
        )
    await sum_up(hass, START, later(65))
    await poll(hass, entry, bench, freezer, new_sent(OTHER, first), minute=66)
    await poll(hass, entry, bench, freezer, new_sent(OTHER, first + 1 / 60), minute=67)
    assert questions(hass) == ["meter_replaced"]
    if before is total:
        await answer(hass, "meter_replaced", "replace_meter")
    else:
        # Its tariffs end, too: only the user knows which sensors are in use.
        await replace(hass, "sums_go_on")
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    meter = f"LGZ_{OTHER}"
    assert entity_id(hass, new, meter) == energy
    assert er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{meter}_{old}") is None
    assert float(state(hass, new, meter).state) == pytest.approx(first + 1 / 60, abs=0.001)
    for minute in range(72, 186, 6):
        if minute == 78:
            await sum_up(hass, later(65), later(75))
        now = first + (minute - 66) / 60
        await poll(hass, entry, bench, freezer, new_sent(OTHER, now), minute=minute)
    await sum_up(hass, later(75), later(180))
    # Nobody has read what was used in the six minutes between the two meters.
    assert await changes(hass, energy) == [
        pytest.approx(54 / 60, abs=0.002),
        pytest.approx(54 / 60, abs=0.002),
        pytest.approx(1, abs=0.002),
    ]


async def test_sum_ends_where_the_user_wants_it(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    bench.answers = [reading(tariffs(NUMBER, 12345))]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    energy = entity_id(hass, SUM)
    for minute in (1, 2):
        await poll(hass, entry, bench, freezer, total(OTHER, 300), minute=minute)
    await replace(hass, "sums_end")
    assert entity_id(hass, SUM, f"LGZ_{OTHER}") == energy
    assert entity_id(hass, TOTAL, f"LGZ_{OTHER}") != energy
