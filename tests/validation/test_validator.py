"""What is believed, what a battery is asked for, and what follows from the user's answers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.ascii import checks
from custom_components.iec62056.protocol.errors import CheckWrong, NoAnswer
from custom_components.iec62056.protocol.model import CheckKind, LineProfile, Medium
from custom_components.iec62056.state.meter_state import MeterState
from custom_components.iec62056.validation import validator as validator_module
from custom_components.iec62056.validation.reading_check import check_reading

from ..common.bench import HOUSEHOLD, NO_CHECK, START, Bench, later, reading, state
from ..common.heat import fire, heat_entry
from ..common.register_sensors import read_again
from ..common.replacement import OTHER, answer, questions
from ..common.stored_file import file_of, stored

HEAT = LineProfile(medium=Medium.HEAT)
ENERGY = "1-0:1.8.0"


async def test_jump_is_settled_by_a_session_made_for_it(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """Not in the same turn on the line, which a glitch may last for, nor only when the next reading is due."""
    hass.config_entries.async_update_entry(loaded, options={"interval": 3600})
    await hass.async_block_till_done(wait_background_tasks=True)
    reads = bench.reads
    wrong = {**HOUSEHOLD, "1.8.0": ["092345.679*kWh"]}
    await read_again(loaded, bench, freezer, {"1.8.0": wrong["1.8.0"]}, 1)
    assert bench.reads == reads + 1
    assert state(hass, ENERGY).state == "12345.678"
    bench.answers = [reading({**HOUSEHOLD, "1.8.0": ["012345.679*kWh"]}, at=later(2))]
    await fire(hass, freezer, 1.9)
    assert bench.reads == reads + 1
    await fire(hass, freezer, 2.1)
    assert bench.reads == reads + 2
    assert state(hass, ENERGY).state == "12345.679"
    assert state(hass, ENERGY).attributes["quality"] == "good"
    # One is enough.
    await fire(hass, freezer, 10)
    assert bench.reads == reads + 2


@pytest.mark.parametrize("total", ["092345.679*kWh", "012346.400*kWh", "000000.000*kWh"])
async def test_glitch_that_lasts_a_session_is_never_published(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    total: str,
) -> None:
    wrong = {**HOUSEHOLD, "1.8.0": [total]}
    bench.answers = [reading(wrong, at=later(0.2)), reading(wrong, at=later(0.3))]
    freezer.move_to(later(0.2))
    await loaded.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert state(hass, ENERGY).state == "12345.678"
    assert questions(hass) == []
    await read_again(loaded, bench, freezer, {"1.8.0": ["012345.700*kWh"]}, 1.3)
    assert state(hass, ENERGY).state == "12345.700"


async def test_second_reading_that_fails_loses_nothing_of_the_first(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    sent = {**HOUSEHOLD, "1.8.0": ["000000.000*kWh"], "2.8.0": ["000012.004*kWh"]}
    bench.answers = [reading(sent, at=later(1)), NoAnswer()]
    freezer.move_to(later(1))
    await loaded.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert state(hass, "1-0:2.8.0").state == "12.004"
    assert state(hass, ENERGY).state == "12345.678"
    assert state(hass, ENERGY).attributes["held_because"] == "fell"
    assert loaded.runtime_data.coordinator.last_update_success


async def test_reading_is_judged_once(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """It costs most of what a reading costs; whether another is wanted follows from it, as does what is believed."""
    with patch.object(validator_module, "check_reading", wraps=check_reading) as judged:
        for minute in (1, 2):
            await read_again(loaded, bench, freezer, {"16.7": [f"00{minute}.000*kW"]}, minute)
    assert judged.call_count == 2
    assert state(hass, "1-0:16.7.0").state == "2.000"


async def test_answer_that_comes_while_a_reading_is_judged_counts(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    coordinator = loaded.runtime_data.coordinator
    validator = coordinator.validator
    await read_again(loaded, bench, freezer, {"1.8.0": ["011000.000*kWh"]}, 1)
    sent = reading({**HOUSEHOLD, "1.8.0": ["011000.001*kWh"]}, at=later(2))
    freezer.move_to(later(2))
    checked = validator.check(sent, coordinator.reader.line_profile, coordinator.data)
    await coordinator.async_publish(validator.keep_published(ENERGY, coordinator.data))
    validator.apply(checked, coordinator.data, later(2))
    assert (validator.state.dismissed, validator.state.pending_repairs) == (
        {ENERGY: Decimal("11000.000")},
        frozenset(),
    )


@pytest.mark.parametrize(
    ("choice", "shown"), [("accept_held", "11000.000"), ("keep_published", "12345.678")]
)
@pytest.mark.usefixtures("every_sensor_enabled")
async def test_total_that_fell_asks_a_person(
    recorder_mock: Any,
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    *,
    choice: str,
    shown: str,
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    for minute in (1, 2, 3):
        await read_again(loaded, bench, freezer, {"1.8.0": ["011000.000*kWh"]}, minute)
        assert state(hass, ENERGY).state == "12345.678"
    assert questions(hass) == ["fell"]
    # It is there again after a start, as is what is held.
    await hass.config_entries.async_reload(loaded.entry_id)
    await hass.async_block_till_done()
    assert questions(hass) == ["fell"]
    assert state(hass, "held_values").state == "1"
    await answer(hass, "fell", choice)
    assert questions(hass) == []
    assert state(hass, ENERGY).state == shown
    await read_again(loaded, bench, freezer, {"1.8.0": ["011000.000*kWh"]}, 4)
    await read_again(loaded, bench, freezer, {"1.8.0": ["011000.000*kWh"]}, 5)
    assert state(hass, ENERGY).state == shown
    assert questions(hass) == []
    assert [one.offset for one in loaded.runtime_data.coordinator.record.offsets] == [0] * (
        choice == "accept_held"
    )


async def test_question_goes_when_the_value_is_right_again(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    for minute in (1, 2):
        await read_again(loaded, bench, freezer, {"1.8.0": ["011000.000*kWh"]}, minute)
    assert questions(hass) == ["fell"]
    await read_again(loaded, bench, freezer, {"1.8.0": ["012345.700*kWh"]}, 3)
    assert questions(hass) == []
    assert state(hass, ENERGY).state == "12345.700"


async def other_meter(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    await read_again(entry, bench, freezer, {"C.1.0": [OTHER], "1.8.0": ["000003.000*kWh"]})
    assert questions(hass) == ["meter_replaced"]
    assert state(hass, ENERGY).state == "12345.678"


async def test_probe_on_the_wrong_meter(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    await other_meter(hass, loaded, bench, freezer)
    await answer(hass, "meter_replaced", "wrong_probe")
    assert questions(hass) == []
    await read_again(loaded, bench, freezer, {"1.8.0": ["012345.700*kWh"]}, 2)
    assert state(hass, ENERGY).state == "12345.700"


SECRETS = {"password": "12345678", "login": "plain", "encryption_key": "00" * 16, "client": 1}
PERMITS = {"write": ["C.1.9"], "execute": ["0.1.0"], "set_clock": True, "automations": True}
READ = {"extra": ["0.4.2"], "quick": ["1.8.0"], "quick_seconds": 5, "registers": {ENERGY: False}}


async def test_another_meter_gets_no_secret_and_no_permit(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    await other_meter(hass, loaded, bench, freezer)
    hass.config_entries.async_update_entry(
        loaded,
        data={**loaded.data, **SECRETS, "mode": "C"},
        options={**PERMITS, **READ, "interval": 300},
    )
    await answer(hass, "meter_replaced", "add_as_new_meter")
    (new,) = [one for one in hass.config_entries.async_entries(DOMAIN) if one is not loaded]
    assert new.unique_id == f"LGZ_{OTHER}"
    assert dict(new.options) == {"interval": 300}
    assert dict(new.data) == {**bare(loaded.data), "number_code": "0-0:96.1.0"}
    # What this one may do, and who asks it, is as it was.
    assert PERMITS.items() <= loaded.options.items()
    assert SECRETS.items() <= loaded.data.items()


def bare(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in SECRETS}


async def test_exchanged_meter_may_not_be_changed_until_somebody_allows_it(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    await other_meter(hass, loaded, bench, freezer)
    hass.config_entries.async_update_entry(loaded, options={**PERMITS, "interval": 300})
    await answer(hass, "meter_replaced", "replace_meter")
    assert dict(loaded.options) == {"interval": 300}


async def test_known_meter_that_comes_back_needs_no_answer(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    await other_meter(hass, loaded, bench, freezer)
    assert not loaded.runtime_data.coordinator.last_update_success
    await read_again(loaded, bench, freezer, {"1.8.0": ["012345.700*kWh"]}, 2)
    assert questions(hass) == []
    assert state(hass, ENERGY).state == "12345.700"


async def test_other_meter_is_added(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    await other_meter(hass, loaded, bench, freezer)
    await answer(hass, "meter_replaced", "add_as_new_meter")
    assert loaded.disabled_by is not None
    added = [one for one in hass.config_entries.async_entries() if one.unique_id == f"LGZ_{OTHER}"]
    assert len(added) == 1
    assert state(hass, ENERGY, f"LGZ_{OTHER}").state == "3.000"
    assert questions(hass) == []


@pytest.mark.parametrize("choice", ["replace_meter", "add_as_new_meter"])
async def test_other_meter_that_has_an_entry(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    choice: str,
) -> None:
    MockConfigEntry(domain="iec62056", unique_id=f"LGZ_{OTHER}").add_to_hass(hass)
    await other_meter(hass, loaded, bench, freezer)
    assert (await answer(hass, "meter_replaced", choice))["reason"] == "known_already"
    assert questions(hass) == ["meter_replaced"]


async def test_check_that_is_always_wrong(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    for minute, block in enumerate((b"1.8.0(01)", b"1.8.0(02)", b"1.8.0(x3)", b"1.8.0(04)"), 1):
        wrong = CheckWrong()
        wrong.shape = checks.shape(block)
        bench.answers = [wrong]
        freezer.move_to(later(minute))
        await loaded.runtime_data.coordinator.async_refresh()
    assert questions(hass) == []
    for minute in (5, 6):
        freezer.move_to(later(minute))
        await loaded.runtime_data.coordinator.async_refresh()
    assert questions(hass) == ["check"]
    await answer(hass, "check", "yes")
    assert questions(hass) == []
    bench.answers = [reading(at=later(7), health=NO_CHECK)]
    freezer.move_to(later(7))
    await loaded.runtime_data.coordinator.async_refresh()
    assert bench.profiles[-1].check_kind is CheckKind.NONE


async def test_check_that_is_right_in_between(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    wrong = CheckWrong()
    wrong.shape = checks.shape(b"1.8.0(01)")
    for minute in range(1, 10):
        bench.answers = [reading(at=later(minute)) if minute % 3 == 0 else wrong]
        freezer.move_to(later(minute))
        await loaded.runtime_data.coordinator.async_refresh()
        assert questions(hass) == []


async def test_harm_on_the_line_is_not_the_meters_check(
    hass: HomeAssistant, loaded: MockConfigEntry, bench: Bench
) -> None:
    bench.answers = [CheckWrong()]
    for _ in range(5):
        await loaded.runtime_data.coordinator.async_refresh()
    assert questions(hass) == []


@pytest.fixture
async def battery(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any], freezer: FrozenDateTimeFactory
) -> MockConfigEntry:
    """A meter on its battery that was read a day ago."""
    entry = heat_entry(hass)
    bench.learned = lambda profile: profile
    hass_storage[file_of(entry)] = stored(MeterState.of(reading(), HEAT))
    freezer.move_to(later(24 * 60))
    return entry


@pytest.mark.usefixtures("every_sensor_enabled")
async def test_five_starts_in_a_day_are_one_wake_up(
    hass: HomeAssistant, bench: Bench, battery: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    for start in range(5):
        at = later(24 * 60 + 60 * start)
        freezer.move_to(at)
        bench.answers = [reading(at=at)]
        await hass.config_entries.async_setup(battery.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert state(hass, "wake_ups").state == "1"
        await hass.config_entries.async_unload(battery.entry_id)
    assert bench.reads == 1


async def test_failed_reading_is_one_wake_up_over_five_starts(
    hass: HomeAssistant, bench: Bench, battery: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    bench.answers = [NoAnswer()]
    for start in range(5):
        freezer.move_to(later(24 * 60 + 60 * start))
        await hass.config_entries.async_setup(battery.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        await hass.config_entries.async_unload(battery.entry_id)
    assert bench.reads == 1


async def test_wake_up_is_written_before_it_is_sent(
    hass: HomeAssistant, bench: Bench, battery: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    bench.gate.clear()
    await hass.config_entries.async_setup(battery.entry_id)
    await bench.until(lambda: bench.reads == 1)
    assert len(hass_storage[file_of(battery)]["data"]["wake_budget"]["due"]) == 1
    bench.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.usefixtures("every_sensor_enabled")
async def test_whoever_asks_the_budget_holds(
    hass: HomeAssistant, bench: Bench, battery: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    """One reading a day may be asked for; the one that is due comes nevertheless."""
    bench.answers = [reading(at=later(24 * 60))]
    await hass.config_entries.async_setup(battery.entry_id)
    await fire(hass, freezer, 24 * 60)
    assert bench.reads == 1
    coordinator = battery.runtime_data.coordinator
    for hour in range(25, 48):
        bench.answers = [reading(at=later(25 * 60))]
        freezer.move_to(later(hour * 60))
        await coordinator.async_refresh()
    assert bench.reads == 2
    with pytest.raises(ServiceValidationError) as refused:
        await coordinator.async_read_now()
    assert refused.value.translation_placeholders == {"hours": "2"}
    bench.answers = [reading(at=later(49 * 60))]
    await fire(hass, freezer, 49 * 60 + 1)
    assert bench.reads == 3
    assert state(hass, "wake_ups").state in ("1", "2")


async def test_doubt_costs_a_battery_its_second_wake_up_and_no_more(
    hass: HomeAssistant, bench: Bench, battery: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    day = 24 * 60
    fell = {**HOUSEHOLD, "1.8.0": ["000000.000*kWh"]}
    bench.answers = [reading(fell, at=later(day))]
    await hass.config_entries.async_setup(battery.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert bench.reads == 1
    bench.answers = [reading(fell, at=later(day + 1.1))]
    await fire(hass, freezer, day + 1.1)
    assert bench.reads == 2
    for hour in range(25, 48):
        await fire(hass, freezer, hour * 60)
        await battery.runtime_data.coordinator.async_refresh()
    assert bench.reads == 2
    assert state(hass, ENERGY).state == "12345.678"
    assert questions(hass) == ["fell"]


@pytest.mark.usefixtures("every_sensor_enabled")
async def test_damaged_beliefs_cost_nothing_else(
    hass: HomeAssistant, bench: Bench, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    content = stored(MeterState.of(reading(), LineProfile(medium=Medium.ELECTRICITY)))
    content["data"]["validation"] = {"histories": {"x": 3}}
    hass_storage[file_of(entry)] = content
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert state(hass, ENERGY).state == "12345.678"
    assert state(hass, "last_reading").state == START.isoformat()
