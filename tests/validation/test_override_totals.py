"""A total of the user's making, in Home Assistant: what the recorder makes of it is what the meter has counted."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from ..common.bench import NUMBER, START, Bench, entity_id, later, reading, state
from ..common.replacement import answer, changes, questions, sum_up

KEY = "ZZ2"
COUNTER = {"unit": "kWh", "device_class": "energy", "state_class": "total_increasing"}


def sent(text: str, minute: float) -> Any:
    return reading({"C.1.0": [NUMBER], KEY: [text]}, at=later(minute))


async def poll(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    minute: float,
    *texts: str,
) -> None:
    """Read the register; where it is read again a minute later, the last text is sent."""
    coordinator = entry.runtime_data.coordinator
    for at, text in ((minute, texts[0]), (minute + 1, texts[-1])):
        freezer.move_to(later(at))
        bench.answers = [sent(text, at)]
        await coordinator.async_refresh()
        await hass.async_block_till_done()
        if not coordinator.needs_witness:
            break


async def begin(hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, text: str) -> None:
    assert await async_setup_component(hass, "sensor", {})
    hass.config_entries.async_update_entry(entry, options=options(COUNTER))
    bench.answers = [sent(text, 0)]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)


def options(said: dict[str, str] | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"registers": {KEY: True}}
    return shown if said is None else {**shown, "custom": {KEY: said}}


@pytest.mark.parametrize(
    ("wrong", "held"),
    [
        (["00000.5", "00000.5"], True),
        (["95000.0", "00101.0"], False),
        (["10000", "00101.0"], False),
    ],
    ids=["fell", "jumped", "another form"],
)
async def test_what_a_meter_cannot_count_is_in_no_statistics(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    *,
    wrong: list[str],
    held: bool,
) -> None:
    """A kilowatt; in the middle of the first hour comes what is wrong, and its repetition."""
    await begin(hass, entry, bench, "00100.0")
    for minute in range(6, 126, 6):
        text = f"{100 + minute / 60:07.1f}"
        texts = wrong if minute == 60 else [text]
        await poll(hass, entry, bench, freezer, minute, *texts)
        shown = state(hass, KEY)
        assert float(shown.state) == (100.9 if held and minute == 60 else float(text))
    await sum_up(hass, START, later(125))
    assert await changes(hass, entity_id(hass, KEY)) == [0.9, 1.0]
    assert questions(hass) == []


async def test_roll_over_is_what_was_counted(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    await begin(hass, entry, bench, "99999.0")
    for minute in range(6, 126, 6):
        text = f"{(99999 + minute / 60) % 100000:07.1f}"
        await poll(hass, entry, bench, freezer, minute, text)
        assert float(state(hass, KEY).state) == float(text)
        if minute == 72:
            await sum_up(hass, START, later(70))
            async_fire_time_changed(hass)
            await hass.async_block_till_done(wait_background_tasks=True)
    await sum_up(hass, later(70), later(125))
    assert await changes(hass, entity_id(hass, KEY)) == [0.9, 1.0]


async def test_register_becomes_a_total_and_another_one(
    hass: HomeAssistant, entry: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> None:
    """Nothing of what it was before is held against it."""

    async def say(said: dict[str, str] | None) -> None:
        hass.config_entries.async_update_entry(entry, options=options(said))
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()

    def found() -> tuple[str, str, str | None]:
        shown = state(hass, KEY)
        unit = shown.attributes.get("unit_of_measurement")
        return shown.state, shown.attributes["quality"], unit

    hass.config_entries.async_update_entry(entry, options=options(None), pref_disable_polling=True)
    bench.answers = [sent("00100.0", 0)]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    # Another text, until it was seen to be another each time.
    for minute in range(1, 5):
        await poll(hass, entry, bench, freezer, minute, f"0010{minute}.0")
    assert found() == ("00104.0", "good", None)
    counter = {"unit": "kWh", "state_class": "total_increasing"}
    await say(counter)
    for minute in (5, 6):
        await poll(hass, entry, bench, freezer, minute, "00003.0")
    assert found() == ("104.0", "held", "kWh")
    assert questions(hass) == ["fell"]
    # It was counted in something else: the number stays, nothing is held, nobody is asked.
    await say({**counter, "unit": "MWh"})
    assert found() == ("104.0", "restored", "MWh")
    assert questions(hass) == []
    await poll(hass, entry, bench, freezer, 7, "00104.1", "00104.1")
    assert found() == ("104.1", "good", "MWh")
    await poll(hass, entry, bench, freezer, 7.5, "00003.0")
    assert found() == ("104.1", "held", "MWh")
    # It was no total at all: it may fall.
    await say({"unit": "m3", "state_class": "measurement"})
    await poll(hass, entry, bench, freezer, 8, "00003.0")
    assert found() == ("3.0", "good", "m³")
    # Nothing said: a text, as in the beginning.
    await say(None)
    await poll(hass, entry, bench, freezer, 9, "00004.0", "00004.0")
    assert found() == ("00004.0", "good", None)


async def test_total_of_a_persons_making_that_fell_is_put_right(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The wrong number was the one before: what it had too much is taken out."""
    assert await async_setup_component(hass, "repairs", {})
    await begin(hass, entry, bench, "00150.0")
    for minute in (6, 9, 12):
        await poll(hass, entry, bench, freezer, minute, f"{120 + minute / 60:07.1f}")
    assert state(hass, KEY).state == "150.0"
    await answer(hass, "fell", "accept_held")
    assert state(hass, KEY).state == "120.2"
    steps = entry.runtime_data.coordinator.record.offsets
    assert [(step.key, step.offset, step.unit, str(step.last)) for step in steps] == [
        (KEY, 0, "kWh", "150.0")
    ]
    # Of another sensor there is nothing to be put right.
    hass.config_entries.async_update_entry(entry, options=options({**COUNTER, "unit": "MWh"}))
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.runtime_data.coordinator.record.open_offsets == ()
