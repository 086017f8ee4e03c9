"""What a meter costs the database."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.db_schema import StateAttributes, States, StatesMeta
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance, session_scope
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.iec62056.const import DOMAIN

from ..common.bench import NUMBER, Bench, entity_id, later, reading

POLLS = 300
REGISTERS = 60


def sent(minute: int) -> dict[str, list[str]]:
    """Sixty registers that do not change, and the meter's time beside each of them, which does."""
    registers = {"C.1.0": [NUMBER]}
    for phase in (1, 21, 41, 61):
        for kind in (1, 2, 3, 4, 5, 6, 7, 8):
            registers[f"{phase + kind - 1}.8.0"] = ["0001.0*kvarh" if kind > 2 else "0001.0*kWh"]
            registers[f"{phase + kind - 1}.6.0"] = [
                "01.0*kvar" if kind > 2 else "01.0*kW",
                f"26-11-22 {minute % 24:02}:15",
            ]
    return dict(list(registers.items())[:REGISTERS])


async def rows(hass: HomeAssistant) -> dict[str, int]:
    """How many states of each entity are in the database."""

    def count() -> dict[str, int]:
        with session_scope(hass=hass, read_only=True) as session:
            found: dict[str, int] = {}
            query = session.query(StatesMeta.entity_id).join(
                States, States.metadata_id == StatesMeta.metadata_id
            )
            for (entity,) in query:
                found[entity] = found.get(entity, 0) + 1
            return found

    await async_wait_recording_done(hass)
    return await get_instance(hass).async_add_executor_job(count)


async def test_unchanged_polls_write_nothing(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    first = reading(sent(0))
    for register in first.registers:
        # All sixty as a user who enables everything has them.
        er.async_get(hass).async_get_or_create(
            "sensor", DOMAIN, f"LGZ_{NUMBER}_{register.key}", config_entry=entry
        )
    bench.answers = [first]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    before = await rows(hass)
    # Those of the registers, and all that is derived of them or told of the link.
    quiet = {one for one in before if one.startswith(("sensor.", "binary_sensor."))}
    registers = {entity_id(hass, register.key) for register in first.registers}
    assert len(registers) == REGISTERS
    assert registers < quiet
    for poll in range(1, POLLS + 1):
        bench.answers = [reading(sent(poll), at=later(poll))]
        freezer.move_to(later(poll))
        await entry.runtime_data.coordinator.async_refresh()
    after = await rows(hass)
    assert bench.reads == POLLS + 1
    assert {one: after[one] for one in quiet} == {one: before[one] for one in quiet}


async def test_attributes_are_not_recorded(
    recorder_mock: Recorder, hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await async_wait_recording_done(hass)

    def shared() -> str:
        with session_scope(hass=hass, read_only=True) as session:
            return "".join(row[0] for row in session.query(StateAttributes.shared_attrs))

    recorded = await get_instance(hass).async_add_executor_job(shared)
    assert "unit_of_measurement" in recorded
    for attribute in (
        "obis_code",
        "as_sent",
        "quality",
        "meter_time",
        "held_value",
        "derived",
        "since",
    ):
        assert f'"{attribute}"' not in recorded
