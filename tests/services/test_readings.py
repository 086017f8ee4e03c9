"""The actions."""

import asyncio
from dataclasses import replace
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import ATTR_ENTITY_ID, CONF_ADDRESS, CONF_DEVICE, Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.diagnostics import async_get_config_entry_diagnostics
from custom_components.iec62056.protocol.errors import NoAnswer
from custom_components.iec62056.protocol.model import Medium, Mode

from ..common.bench import HOUSEHOLD, NUMBER, OTHER_PORT, Bench, entity_id, later, reading, state


async def call(
    hass: HomeAssistant, action: str, context: Context | None = None, **data: Any
) -> dict[str, Any]:
    response = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True, context=context
    )
    assert isinstance(response, dict)
    return response


def device_of(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, f"LGZ_{NUMBER}"), entry.entry_id
    )
    assert device is not None
    return device.id


async def test_actions_are_there_without_a_meter(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    assert set(hass.services.async_services_for_domain(DOMAIN)) >= {"read_now", "raw_telegram"}


async def test_read_now(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    bench.answers = [reading({**HOUSEHOLD, "1.8.0": ["012346.000*kWh"]}, at=later(3))]
    freezer.move_to(later(3))
    response = await call(hass, "read_now", config_entry_id=loaded.entry_id)
    assert bench.reads == 2
    (meter,) = response["meters"]
    assert meter["config_entry_id"] == loaded.entry_id
    assert meter["meter"] == loaded.title
    assert meter["received"] == later(3).isoformat()
    registers = {one["address"]: one for one in meter["registers"]}
    assert registers["1.8.0"] == {
        "address": "1.8.0",
        "obis": "1-0:1.8.0",
        "value": "12346.000",
        "unit": "kWh",
        "time": None,
        "received": later(3).isoformat(),
        "entity_id": entity_id(hass, "1-0:1.8.0"),
    }
    assert registers["1.6.0"]["value"] == "3.210"
    assert registers["1.6.0"]["time"] == "2026-11-21T02:15:00+00:00"
    assert registers["ZZ1"] == {
        "address": "ZZ1",
        "obis": None,
        "value": "hello",
        "unit": None,
        "time": None,
        "received": later(3).isoformat(),
        "entity_id": entity_id(hass, "ZZ1"),
    }
    assert state(hass, "1-0:1.8.0").state == "12346.000"


async def test_read_now_by_device_and_without_a_response(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    """By both names it is still one meter, read once."""
    await hass.services.async_call(
        DOMAIN,
        "read_now",
        {"device_id": [device_of(hass, loaded)], "config_entry_id": [loaded.entry_id]},
        blocking=True,
    )
    assert bench.reads == 2


async def test_read_now_of_several_meters_one_of_which_is_silent(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The one that answers has its reading all the same."""
    other = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id="LGZ_99887766",
        data={CONF_DEVICE: OTHER_PORT, CONF_ADDRESS: ""},
    )
    other.add_to_hass(hass)
    bench.answers = [reading({**HOUSEHOLD, "C.1.0": ["99887766"]})]
    await hass.config_entries.async_setup(other.entry_id)
    await hass.async_block_till_done()
    for meter in (loaded, other):
        # Nobody else takes the answers.
        hass.config_entries.async_update_entry(meter, pref_disable_polling=True)
    freezer.move_to(later(3))
    changed = {**HOUSEHOLD, "1.8.0": ["012346.000*kWh"]}
    bench.answers = [reading(changed, at=later(3))]
    bench.silent = {OTHER_PORT}
    with pytest.raises(HomeAssistantError) as failed:
        await call(hass, "read_now", config_entry_id=[loaded.entry_id, other.entry_id])
    assert failed.value.translation_key == "read_failed"
    assert failed.value.translation_placeholders is not None
    assert failed.value.translation_placeholders["meter"] == "Cellar"
    assert "did not answer" in failed.value.translation_placeholders["reason"]
    assert state(hass, "1-0:1.8.0").state == "12346.000"


async def test_read_now_of_a_meter_that_sends_by_itself(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    """Nothing is asked of it; what it sent last is returned."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, "mode": Mode.D})
    bench.pushes.put_nowait(reading())
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    reads = bench.reads
    response = await call(hass, "read_now", config_entry_id=entry.entry_id)
    assert bench.reads == reads
    assert response["meters"][0]["registers"]
    (button,) = hass.states.async_entity_ids("button")
    assert button.endswith("align_the_probe")


@pytest.mark.parametrize("action", ["read_now", "raw_telegram"])
async def test_no_meter_or_another_one(
    hass: HomeAssistant, loaded: MockConfigEntry, action: str
) -> None:
    other = MockConfigEntry(domain="other", title="Lamp")
    other.add_to_hass(hass)
    for data, key in (
        ({}, "no_meter"),
        ({"config_entry_id": other.entry_id}, "service_config_entry_wrong_domain"),
        ({"config_entry_id": "nonsense"}, "service_config_entry_not_found"),
        ({"device_id": "nonsense"}, "service_device_not_found"),
    ):
        with pytest.raises(ServiceValidationError) as refused:
            await call(hass, action, **data)
        assert refused.value.translation_key == key
    await hass.config_entries.async_unload(loaded.entry_id)
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, action, config_entry_id=loaded.entry_id)
    assert refused.value.translation_key == "service_config_entry_not_loaded"


async def test_reading_that_is_cancelled_is_no_reading(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    """The entry is unloaded while the meter is read for an action."""
    bench.gate.clear()
    action = hass.async_create_task(call(hass, "read_now", config_entry_id=loaded.entry_id))
    await bench.until(lambda: bench.reads == 2)
    await hass.config_entries.async_unload(loaded.entry_id)
    with pytest.raises((asyncio.CancelledError, HomeAssistantError)):
        await action


async def test_unexpected_failure_is_no_reading(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench.answers = [RuntimeError("a fault of ours")]
    with pytest.raises(HomeAssistantError) as failed:
        await call(hass, "read_now", config_entry_id=loaded.entry_id)
    assert failed.value.translation_key == "read_failed"
    assert "a fault of ours" in caplog.text


async def test_raw_telegram_is_redacted(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(loaded, data={**loaded.data, CONF_ADDRESS: "55566677"})
    response = await call(hass, "raw_telegram", device_id=device_of(hass, loaded))
    (meter,) = response["meters"]
    assert meter["text"].startswith("/LGZ4ZMF100AC.M26\r\n\x02C.1.0(99999999)\r\n")
    assert "1.8.0(012345.678*kWh)\r\n" in meter["text"]
    assert meter["check"] == "right"
    assert NUMBER not in str(response)


async def test_address_is_redacted(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_ADDRESS: "A5556B"})
    bench.answers = [reading({**HOUSEHOLD, "ZZ1": ["of A5556B"]})]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert "A5556B" not in str(await call(hass, "raw_telegram", config_entry_id=entry.entry_id))


async def test_reading_is_masked_for_other_users(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    hass_admin_user: MockUser,
    hass_read_only_user: MockUser,
) -> None:
    """An automation has no user, and passes on what it gets at its own risk; one who was removed has no rights."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_ADDRESS: "A5556B"})
    bench.answers = [
        reading({**HOUSEHOLD, "0.0.1": ["42"], "ZZ1": [f"of {NUMBER}"], "ZZ2": ["A5556B"]})
    ]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for user, masked in (
        (hass_admin_user.id, False),
        (None, False),
        (hass_read_only_user.id, True),
        ("nobody", True),
    ):
        response = await call(
            hass, "read_now", Context(user_id=user), config_entry_id=entry.entry_id
        )
        values = {one["address"]: one["value"] for one in response["meters"][0]["registers"]}
        assert values["1.8.0"] == "12345.678"
        assert (NUMBER not in str(values)) is masked
        assert ("A5556B" not in str(values)) is masked
        assert values["0.0.1"] == ("99" if masked else "42")


@pytest.mark.parametrize("padding", ["\0\0\0\0", " \0", "\0 \0"])
async def test_telegram_with_padding_is_redacted(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, padding: str
) -> None:
    bench.answers = [reading({**HOUSEHOLD, "C.1.0": [f"{padding}{NUMBER}{padding}"]})]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    response = await call(hass, "raw_telegram", config_entry_id=entry.entry_id)
    assert f"C.1.0({padding}99999999{padding})" in response["meters"][0]["text"]
    assert NUMBER not in str(await async_get_config_entry_diagnostics(hass, entry))


async def test_unredacted_telegram_is_for_administrators(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    hass_admin_user: MockUser,
    hass_read_only_user: MockUser,
) -> None:
    data = {"config_entry_id": loaded.entry_id, "unredacted": True}
    response = await call(hass, "raw_telegram", Context(user_id=hass_admin_user.id), **data)
    assert f"C.1.0({NUMBER})" in response["meters"][0]["text"]
    with pytest.raises(Unauthorized):
        await call(hass, "raw_telegram", Context(user_id=hass_read_only_user.id), **data)
    # An automation, and a user who was removed.
    for context in (Context(), Context(user_id="nobody")):
        with pytest.raises(ServiceValidationError) as refused:
            await call(hass, "raw_telegram", context, **data)
        assert refused.value.translation_key == "unredacted"


async def test_button(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    entity_registry: er.EntityRegistry,
    freezer: FrozenDateTimeFactory,
) -> None:
    button = entity_registry.async_get_entity_id(Platform.BUTTON, DOMAIN, f"LGZ_{NUMBER}_read_now")
    bench.answers = [reading({**HOUSEHOLD, "1.8.0": ["012346.000*kWh"]}, at=later(3)), NoAnswer()]
    freezer.move_to(later(3))
    await hass.services.async_call("button", "press", {ATTR_ENTITY_ID: button}, blocking=True)
    assert state(hass, "1-0:1.8.0").state == "12346.000"
    with pytest.raises(HomeAssistantError) as failed:
        await hass.services.async_call("button", "press", {ATTR_ENTITY_ID: button}, blocking=True)
    assert failed.value.translation_key == "no_answer"


async def test_read_now_of_a_battery_meter_keeps_to_its_budget(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    """One reading a day may be asked for; the other belongs to the schedule."""
    bench.learned = lambda profile: replace(profile, medium=Medium.HEAT)
    bench.answers = [reading({"6.8": ["0012.345*GJ"]}, medium=Medium.HEAT)]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    reads = bench.reads
    refused = []
    for _ in range(4):
        try:
            await call(hass, "read_now", config_entry_id=entry.entry_id)
        except ServiceValidationError as err:
            refused.append(err.translation_key)
    assert bench.reads <= reads + 1
    assert len(refused) >= 3
    assert set(refused) == {"read_failed"}


async def test_short_address_is_no_secret(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    """It would mask each such digit, and say nothing of the telegram any more."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_ADDRESS: "1"})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    response = await call(hass, "raw_telegram", config_entry_id=entry.entry_id)
    assert "1.8.0(012345.678*kWh)\r\n" in response["meters"][0]["text"]


async def test_who_asked_may_go_away(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    """An automation that is restarted says nothing of the connection."""
    bench.gate.clear()
    reads = bench.reads
    asking = hass.async_create_task(loaded.runtime_data.coordinator.async_read_now())
    await bench.until(lambda: bench.reads > reads)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    bench.gate.set()
    assert loaded.runtime_data.coordinator.connected
