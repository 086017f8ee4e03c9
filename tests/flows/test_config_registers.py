"""The page on which the user ticks the registers, and says how often the meter is read."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.model import LineProfile, Medium
from custom_components.iec62056.registers.selection import MANY, choices_of, pages
from custom_components.iec62056.state.meter_state import MeterState

from ..common.bench import HOUSEHOLD, NO_CHECK, NUMBER, OTHER_PORT, Bench, reading
from ..common.flow_pages import LONG, enabled, options_of, read

# What is useful to most people, of what the household's meter sends.
USUAL = ["1-0:1.8.0", "1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.0", "1-0:16.7.0"]


async def send(hass: HomeAssistant, result: Any, **entered: Any) -> Any:
    sent = await hass.config_entries.flow.async_configure(result["flow_id"], entered)
    await hass.async_block_till_done(wait_background_tasks=True)
    return sent


async def test_registers_are_offered_with_name_code_and_value(
    hass: HomeAssistant, bench: Bench
) -> None:
    found = await read(hass)
    labels = options_of(found)
    assert labels["1-0:1.8.0"] == "Energy import · 1.8.0 · 012345.678 kWh"
    assert labels["1-0:1.8.2"] == "Energy import tariff 2 · 1.8.2 · 000345.500 kWh"
    assert labels["1-0:1.8.0*1"] == "Energy import, period 1 · 1.8.0*01 · 011800.000 kWh"
    assert labels["1-0:1.6.0"].endswith("· 1.6.0 · 03.210 kW")
    # No name is known: the code alone, not twice.
    assert labels["ZZ1"] == "ZZ1 · hello"
    # A name that is the code already does not say it twice either.
    assert labels["0-0:96.1.0"] == f"Device number C.1.0 · {NUMBER}"
    assert len(labels) == len(HOUSEHOLD)
    # The useful ones come first, and are ticked.
    ticked = found["data_schema"]({})["registers"]
    assert list(labels)[: len(ticked)] == ticked
    assert set(USUAL) <= set(ticked)
    # What the meter measures stands before what it says of itself.
    assert ticked[0] == "1-0:1.8.0"
    assert ticked[-1] == "0-0:97.97.0"
    assert not {"ZZ1", "1-0:1.8.0*1"} & set(ticked)


def test_units_read_as_people_write_them() -> None:
    sent = {
        "6.27": ["000.123*m3ph"],
        "6.29": ["065.2*C"],
        "6.26": ["00123.4*m3"],
        "3.8.0": ["1*Mvarh"],
    }
    state = MeterState.of(reading(sent, medium=Medium.HEAT), LineProfile(medium=Medium.HEAT))
    texts = " | ".join(choice.value for choice in choices_of(state, {}))
    for value in ("000.123 m³/h", "065.2 °C", "00123.4 m³", "1 Mvarh"):
        assert value in texts


async def test_ticks_decide_what_is_switched_on(hass: HomeAssistant, bench: Bench) -> None:
    found = await read(hass)
    usual = found["data_schema"]({})["registers"]
    ticked = [*(key for key in usual if key != "1-0:1.8.2"), "ZZ1"]
    created = await send(hass, found, registers=ticked)
    assert created["type"] is FlowResultType.CREATE_ENTRY
    # Only what the user wants otherwise is kept of them: a better catalogue may show more by itself.
    assert created["options"]["registers"] == {"1-0:1.8.2": False, "ZZ1": True}
    assert enabled(hass, created["result"]) | {"ZZ1"} == set(ticked)
    registry = er.async_get(hass)
    bare = registry.async_get_entity_id("sensor", DOMAIN, f"LGZ_{NUMBER}_ZZ1")
    unticked = registry.async_get_entity_id("sensor", DOMAIN, f"LGZ_{NUMBER}_1-0:1.8.2")
    assert bare is not None
    assert hass.states.get(bare) is not None
    assert unticked is not None
    one = registry.async_get(unticked)
    assert one is not None
    assert one.disabled_by is er.RegistryEntryDisabler.INTEGRATION


async def test_interval_is_kept_as_it_was_agreed(hass: HomeAssistant, bench: Bench) -> None:
    created = await send(hass, await read(hass))
    assert created["options"] == {"interval": 60}


async def test_interval(hass: HomeAssistant, bench: Bench) -> None:
    found = await read(hass)
    assert found["data_schema"]({})["interval"] == {"hours": 0, "minutes": 1, "seconds": 0}
    created = await send(hass, found, interval={"hours": 0, "minutes": 15, "seconds": 0})
    assert created["options"] == {"interval": 900}


@pytest.mark.parametrize(
    ("seconds", "taken"), [(9, False), (10, True), (7 * 86400, True), (7 * 86400 + 1, False)]
)
async def test_interval_that_no_meter_can_bear(
    hass: HomeAssistant, bench: Bench, seconds: int, taken: bool
) -> None:
    found = await read(hass)
    interval = {"hours": 0, "minutes": 0, "seconds": seconds}
    sent = await send(hass, found, interval=interval, registers=["ZZ1"])
    if taken:
        assert sent["options"]["interval"] == seconds
        return
    assert (sent["type"], sent["errors"]) == (FlowResultType.FORM, {"interval": "interval"})
    # What was entered stays.
    suggested = {
        key.schema: key.description["suggested_value"]
        for key in sent["data_schema"].schema
        if key.description
    }
    assert suggested == {"interval": interval, "registers": ["ZZ1"]}


async def test_battery_meter_is_asked_at_which_time_of_the_day(
    hass: HomeAssistant, bench: Bench
) -> None:
    bench.learned = lambda profile: replace(profile, medium=Medium.HEAT)
    found = await read(hass)
    filled_in = found["data_schema"]({})
    assert filled_in["boundary_time"] == "23:50:00"
    assert "interval" not in filled_in
    created = await send(hass, found, boundary_time="06:00:00")
    assert created["options"] == {"boundary_time": "06:00:00"}


async def test_battery_meter_is_read_before_midnight_by_itself(
    hass: HomeAssistant, bench: Bench
) -> None:
    bench.learned = lambda profile: replace(profile, medium=Medium.HEAT)
    assert (await send(hass, await read(hass)))["options"] == {"boundary_time": "23:50:00"}


async def test_heat_meter_with_mains_power_is_read_like_an_electricity_meter(
    hass: HomeAssistant, bench: Bench
) -> None:
    bench.learned = lambda profile: replace(profile, medium=Medium.HEAT)
    created = await send(hass, await read(hass), mains=True)
    entry = created["result"]
    assert entry.options == {"mains": True, "interval": 60}
    coordinator = entry.runtime_data.coordinator
    assert coordinator.interval == timedelta(minutes=1)
    # As often as it is wanted: there is no battery to spare.
    for _ in range(5):
        await coordinator.async_read_now()
    assert bench.reads == 6


async def test_long_tail_waits_behind_a_second_step(hass: HomeAssistant, bench: Bench) -> None:
    assert len(LONG) > MANY
    bench.answers = [reading(LONG)]
    found = await read(hass)
    labels = options_of(found)
    assert "1-0:1.8.0" in labels
    assert not {"ZZ1", "1-0:1.8.0*1", "1-0:1.8.0*17"} & set(labels)
    assert found["description_placeholders"]["rest"] == str(len(LONG) - len(labels))
    assert found["last_step"] is None
    rest = await send(hass, found, registers=["1-0:1.8.0"], show_rest=True)
    assert (rest["step_id"], rest["last_step"]) == ("rest", True)
    assert set(options_of(rest)) == {choice.key for choice in choices(LONG)} - set(labels)
    assert rest["data_schema"]({}) == {"registers": []}
    created = await send(hass, rest, registers=["1-0:1.8.0*17"])
    assert enabled(hass, created["result"]) == {"1-0:1.8.0", "1-0:1.8.0*17"}


async def test_long_tail_can_be_left_alone(hass: HomeAssistant, bench: Bench) -> None:
    bench.answers = [reading(LONG)]
    created = await send(hass, await read(hass))
    assert created["options"] == {"interval": 60}


async def test_meter_without_number_has_its_registers_too(
    hass: HomeAssistant, bench: Bench
) -> None:
    bench.answers = [reading({"1.8.0": ["1*kWh"], "32.7": ["230*V"]}, health=NO_CHECK)]
    found = await read(hass)
    assert found["step_id"] == "found_unnamed"
    created = await send(hass, found, registers=["1-0:32.7.0"])
    assert enabled(hass, created["result"]) == {"1-0:32.7.0"}


def choices(sent: dict[str, list[str]]) -> tuple[Any, ...]:
    return choices_of(MeterState.of(reading(sent), LineProfile(medium=Medium.ELECTRICITY)), {})


def test_all_are_shown_where_all_are_bare_codes() -> None:
    """An empty first page would look as if nothing was found."""
    first, rest = pages(choices({f"Z{number}": ["1"] for number in range(80)}))
    assert (len(first), rest) == (80, ())


def test_up_to_fifty_fit_on_one_page() -> None:
    many = {f"1.8.0*{period:02}": ["1*kWh"] for period in range(1, 50)}
    first, rest = pages(choices({"1.8.0": ["1*kWh"], **many}))
    assert (len(first), rest) == (50, ())
    first, rest = pages(choices({"1.8.0": ["1*kWh"], **many, "1.8.0*50": ["1*kWh"]}))
    assert (len(first), len(rest)) == (1, 50)


def test_text_of_a_meter_stays_in_its_line() -> None:
    (choice,) = choices({"ZZ9": ["a\r\nb\tc" + "x" * 500]})
    label = choice.label({})
    assert label.startswith("ZZ9 · a b cxxx")
    assert len(label) < 60


def test_two_quantities_of_one_register_are_two_sensors() -> None:
    keys = [choice.key for choice in choices({"6.8": ["1.5*MWh"], "1.6.0": ["3*kW", "26-11-20"]})]
    assert len(keys) == len(set(keys))


async def test_meter_that_was_removed_finds_its_old_entities(
    hass: HomeAssistant, bench: Bench
) -> None:
    """What the user has made of them stays; what is ticked now counts."""
    usual = (await read(hass))["data_schema"]({})["registers"]
    for flow in hass.config_entries.flow.async_progress():
        hass.config_entries.flow.async_abort(flow["flow_id"])
    first = (await send(hass, await read(hass), registers=[*usual, "ZZ1"]))["result"]
    registry = er.async_get(hass)

    def known(key: str) -> er.RegistryEntry:
        entity_id = registry.async_get_entity_id("sensor", DOMAIN, f"LGZ_{NUMBER}_{key}")
        assert entity_id is not None
        one = registry.async_get(entity_id)
        assert one is not None
        return one

    registry.async_update_entity(
        known("1-0:1.8.0").entity_id, name="Grid", new_entity_id="sensor.grid"
    )
    by_user = er.RegistryEntryDisabler.USER
    registry.async_update_entity(known("1-0:32.7.0").entity_id, disabled_by=by_user)
    registry.async_update_entity(known("1-0:1.8.1").entity_id, disabled_by=by_user)
    before = {
        one.entity_id: one.id for one in er.async_entries_for_config_entry(registry, first.entry_id)
    }
    await hass.config_entries.async_remove(first.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    found = await read(hass, device=OTHER_PORT)
    ticked = found["data_schema"]({})["registers"]
    assert "ZZ1" in ticked
    assert not {"1-0:32.7.0", "1-0:1.8.1"} & set(ticked)
    kept = [key for key in ticked if key != "1-0:2.8.0"]
    second = (await send(hass, found, registers=[*kept, "1-0:1.8.1"]))["result"]
    after = {
        one.entity_id: one.id
        for one in er.async_entries_for_config_entry(registry, second.entry_id)
    }
    assert after == before
    assert known("1-0:1.8.0").entity_id == "sensor.grid"
    assert known("1-0:1.8.0").name == "Grid"
    assert hass.states.get("sensor.grid") is not None
    # Not ticked before and not now: it is still the user who has switched it off.
    assert known("1-0:32.7.0").disabled_by is by_user
    assert known("1-0:1.8.1").disabled_by is None
    assert known("1-0:2.8.0").disabled_by is er.RegistryEntryDisabler.INTEGRATION
    assert known("ZZ1").disabled_by is None
