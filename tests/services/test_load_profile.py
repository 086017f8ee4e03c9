"""What the actions for load profiles return without asking the meter."""

from typing import Any
from unittest.mock import patch

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import Unauthorized
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
import voluptuous as vol

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter.reader import MeterReader
from custom_components.iec62056.services.load_profile import ATTR_PROFILE, READ_SCHEMA

from ..common.bench import NUMBER, Bench, later, reading
from ..common.names import COMPONENT

METER = {"C.1.0": [NUMBER], "1.8.0": ["012345.678*kWh"]}
STORED = {
    **METER,
    "0.1.2*41": ["1261001000000"],
    "1.8.0*41": ["012100.500*kWh"],
    "1.6.0*41": ["04.12*kW", "1260917184500"],
    "0.1.2*42": ["0261101000000"],
    "1.8.0*42": ["012222.250*kWh"],
}


async def ask(hass: HomeAssistant, entry: MockConfigEntry, context: Context | None = None) -> Any:
    with patch.object(MeterReader, "async_read_profile", side_effect=AssertionError):
        answer: Any = await hass.services.async_call(
            DOMAIN,
            "read_load_profile",
            {"config_entry_id": entry.entry_id, ATTR_PROFILE: "billing"},
            blocking=True,
            return_response=True,
            context=context,
        )
    return answer["meters"][0]["billings"]


async def test_for_administrators_and_automations(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    hass_admin_user: MockUser,
    hass_read_only_user: MockUser,
) -> None:
    for context in (Context(user_id=hass_admin_user.id), Context()):
        assert await ask(hass, loaded, context)
    with pytest.raises(Unauthorized):
        await ask(hass, loaded, Context(user_id=hass_read_only_user.id))


async def test_what_was_stored_at_resets(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    """From the last reading: nothing is said to the meter."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    bench.answers = [reading(STORED)]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    reads = bench.reads
    assert await ask(hass, entry) == [
        {
            "number": 42,
            "time": "2026-11-01T00:00:00+01:00",
            "registers": [
                {
                    "address": "1.8.0*42",
                    "obis": "1-0:1.8.0*42",
                    "values": [{"value": "012222.250", "unit": "kWh"}],
                }
            ],
        },
        {
            "number": 41,
            "time": "2026-10-01T00:00:00+02:00",
            "registers": [
                {
                    "address": "1.8.0*41",
                    "obis": "1-0:1.8.0*41",
                    "values": [{"value": "012100.500", "unit": "kWh"}],
                },
                {
                    "address": "1.6.0*41",
                    "obis": "1-0:1.6.0*41",
                    "values": [
                        {"value": "04.12", "unit": "kW"},
                        {"value": "1260917184500", "unit": None},
                    ],
                },
            ],
        },
    ]
    assert bench.reads == reads


async def test_numbers_that_move_on_are_not_mixed(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    """*01 is the last reset: what is not sent any more belonged to another one."""
    bench.answers = [
        reading({**METER, "1.8.0*01": ["000100.000*kWh"], "2.8.0*01": ["000007.000*kWh"]}),
        reading({**METER, "1.8.0*01": ["000200.000*kWh"]}, at=later(10)),
    ]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert len((await ask(hass, entry))[0]["registers"]) == 2
    await entry.runtime_data.coordinator.async_refresh()
    (billing,) = await ask(hass, entry)
    assert (billing["number"], billing["time"]) == (1, None)
    assert [one["address"] for one in billing["registers"]] == ["1.8.0*01"]


async def test_a_meter_that_stores_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    bench.answers = [reading(METER)]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert await ask(hass, entry) == []


async def test_the_form_offers_what_the_action_takes() -> None:
    described = load_yaml_dict(str(COMPONENT / "services.yaml"))["read_load_profile"]
    offered = described["fields"]["profile"]["selector"]["select"]["options"]
    for name in offered:
        READ_SCHEMA({ATTR_PROFILE: name})
    with pytest.raises(vol.Invalid):
        READ_SCHEMA({ATTR_PROFILE: "P.03"})
    assert len(offered) == 5
