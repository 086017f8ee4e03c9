"""A total that begins anew: each hour has what was used, whatever the recorder makes of the number."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
import json
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.codec import decode, encode
from custom_components.iec62056.protocol.model import Reading
from custom_components.iec62056.statistics import corrections
from custom_components.iec62056.statistics.corrections import PATIENCE, async_correct
from custom_components.iec62056.validation.offsets import PERIOD, Offset

from ..common.bench import NUMBER, START, Bench, entity_id, later, reading, state
from ..common.replacement import OTHER, answer, changes, sum_up
from ..common.stored_file import file_of

ENERGY = "1-0:1.8.0"
PERIODIC = "1-0:1.9.0"


def test_a_step_survives_storage() -> None:
    for last in (None, Decimal("12345.678")):
        step = Offset(ENERGY, later(7), Decimal("-3.25"), "kWh", last)
        assert decode(Offset, json.loads(json.dumps(encode(step)))) == step


@pytest.fixture
async def metered(
    recorder_mock: Recorder, hass: HomeAssistant, entry: MockConfigEntry, bench: Bench
) -> MockConfigEntry:
    """A meter whose readings a test makes."""
    assert await async_setup_component(hass, "sensor", {})
    # As a person who enables it has it.
    er.async_get(hass).async_get_or_create(
        "sensor", DOMAIN, f"LGZ_{NUMBER}_{PERIODIC}", config_entry=entry
    )
    bench.answers = [reading({"C.1.0": [NUMBER], "1.8.0": ["999990*kWh"], "1.9.0": ["000100*kWh"]})]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    return entry


type Read = Callable[[float, str, str], Awaitable[None]]


@pytest.fixture
def read(
    hass: HomeAssistant, metered: MockConfigEntry, bench: Bench, freezer: FrozenDateTimeFactory
) -> Read:
    """Read the meter at that minute; in doubt, a second time at once."""

    async def read(minute: float, total: str, periodic: str) -> None:
        at = later(minute)
        freezer.move_to(at)
        sent = {"C.1.0": [NUMBER], "1.8.0": [f"{total}*kWh"], "1.9.0": [f"{periodic}*kWh"]}
        bench.answers = [reading(sent, at=at), reading(sent, at=at + timedelta(seconds=5))]
        await metered.runtime_data.coordinator.async_refresh()
        await hass.async_block_till_done()

    return read


async def test_roll_over_loses_nothing(
    hass: HomeAssistant, metered: MockConfigEntry, read: Read, freezer: FrozenDateTimeFactory
) -> None:
    """999998 → 3 are five, not three; and a total that begins anew has used what it shows, not less than nothing."""
    energy, periodic = entity_id(hass, ENERGY), entity_id(hass, PERIODIC)
    shown = {30: ("999998", "000104"), 63: ("000003", "000099"), 90: ("000004", "000100")}
    for minute, (total, since) in shown.items():
        await read(minute, total, since)
    assert state(hass, ENERGY).state == "4"
    assert [(one.key, one.offset) for one in metered.runtime_data.coordinator.record.offsets] == [
        (ENERGY, 1_000_000),
        (PERIODIC, 104),
    ]
    await sum_up(hass, START, later(120))
    # As the recorder has it by itself.
    assert await changes(hass, energy) == [8, 4]
    assert await changes(hass, periodic) == [4, -4]
    freezer.move_to(later(120))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert metered.runtime_data.coordinator.record.offsets == ()
    assert await changes(hass, energy) == [8, 6]
    assert await changes(hass, periodic) == [4, 100]


async def test_number_that_is_shown_a_moment_later(
    hass: HomeAssistant, metered: MockConfigEntry, read: Read
) -> None:
    """The step is where the sensor made it, also where the recorder closed its time just before: not an hour earlier."""
    energy = entity_id(hass, ENERGY)
    step = Offset(ENERGY, later(60) - timedelta(seconds=1), Decimal(10**6), "kWh", Decimal(999_990))
    await read(60, "000003", "000100")
    metered.runtime_data.coordinator.record.offsets = ()
    await sum_up(hass, START, later(60))
    # It is not known yet where the sensor has gone on.
    assert not await async_correct(hass, energy, step, later(61))
    assert await async_correct(hass, energy, step, step.at + PATIENCE + PERIOD)
    await sum_up(hass, later(60), later(120))
    for _ in range(2):
        assert await async_correct(hass, energy, step, later(120))
        assert await changes(hass, energy) == [0, 13]


TOTAL = "total_import"
OTHERS = f"LGZ_{OTHER}"


class Tariffs:
    """A meter that sends its tariffs and no total, and what the recorder has of their sum."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        bench: Bench,
        freezer: FrozenDateTimeFactory,
    ) -> None:
        self._hass, self._entry, self._bench, self._freezer = hass, entry, bench, freezer

    async def set_up(self, *numbers: str) -> None:
        assert await async_setup_component(self._hass, "sensor", {})
        self._bench.answers = [self._sent(NUMBER, numbers, 0)]
        await self._hass.config_entries.async_setup(self._entry.entry_id)
        await self._hass.async_block_till_done()
        self.stop_polling()

    def stop_polling(self) -> None:
        self._hass.config_entries.async_update_entry(self._entry, pref_disable_polling=True)

    async def read(self, minute: float, *numbers: str, number: str = NUMBER) -> None:
        """Read the meter at that minute; in doubt, a second time at once."""
        self._freezer.move_to(later(minute))
        self._bench.answers = [
            self._sent(number, numbers, minute),
            self._sent(number, numbers, minute + 0.1),
        ]
        await self._entry.runtime_data.coordinator.async_refresh()
        await self._hass.async_block_till_done()

    def _sent(self, number: str, numbers: tuple[str, ...], minute: float) -> Reading:
        tariffs = {f"1.8.{tariff}": [f"{one}*kWh"] for tariff, one in enumerate(numbers, 1)}
        return reading({"C.1.0": [number], **tariffs}, at=later(minute))

    async def changes(self, meter: str = f"LGZ_{NUMBER}") -> list[float]:
        """What the sum's hours have used, once everything is corrected that is to be."""
        await sum_up(self._hass, START, later(120))
        self._freezer.move_to(later(120))
        async_fire_time_changed(self._hass)
        await self._hass.async_block_till_done(wait_background_tasks=True)
        assert self._entry.runtime_data.coordinator.record.offsets == ()
        return await changes(self._hass, entity_id(self._hass, TOTAL, meter))


@pytest.fixture
def tariffs(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> Tariffs:
    return Tariffs(hass, entry, bench, freezer)


async def test_sum_of_tariffs_counts_the_roll_over_of_one(tariffs: Tariffs) -> None:
    await tariffs.set_up("999990.000", "000500.000")
    await tariffs.read(30, "999998.000", "000500.000")
    await tariffs.read(63, "000003.000", "000500.000")
    await tariffs.read(90, "000004.000", "000500.000")
    assert await tariffs.changes() == [8, 6]


async def test_sum_of_tariffs_has_not_used_what_a_new_tariff_shows(tariffs: Tariffs) -> None:
    await tariffs.set_up("012000.000", "000345.000")
    await tariffs.read(30, "012001.000", "000345.000")
    # It is seen twice before it is believed.
    await tariffs.read(63, "012002.000", "000345.000", "000700.000")
    await tariffs.read(90, "012002.000", "000345.000", "000703.000")
    assert await tariffs.changes() == [1, 4]


@pytest.mark.parametrize(
    ("last", "first", "then"),
    [
        (("12001", "345"), ("45000", "500"), ("45001", "500")),
        # It has counted in one tariff more, or in one less.
        (("12001", "345"), ("45000", "500", "900"), ("45000", "500", "901")),
        (("12001", "345", "67"), ("45000", "500"), ("45000", "501")),
    ],
)
async def test_sum_of_tariffs_goes_on_with_another_meter(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    tariffs: Tariffs,
    *,
    last: tuple[str, ...],
    first: tuple[str, ...],
    then: tuple[str, ...],
) -> None:
    await tariffs.set_up("12000", *last[1:])
    await tariffs.read(30, *last)
    await tariffs.read(63, *first, number=OTHER)
    await answer(hass, "exchanged", "replace_meter")
    tariffs.stop_polling()
    await tariffs.read(90, *then, number=OTHER)
    assert await tariffs.changes(OTHERS) == [1, 1]


async def test_sum_of_tariffs_loses_what_a_person_put_right(
    hass: HomeAssistant, entry: MockConfigEntry, tariffs: Tariffs
) -> None:
    await tariffs.set_up("012000.000", "000345.000")
    await tariffs.read(30, "012001.000", "000345.000")
    for minute in (61, 62):
        await tariffs.read(minute, "011000.000", "000345.000")
    await answer(hass, "held", "accept_held")
    await tariffs.read(90, "011001.000", "000345.000")
    assert await tariffs.changes() == [1, -1000]


async def test_correction_ends_with_its_entry(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    coordinator, gate, begun = loaded.runtime_data.coordinator, asyncio.Event(), []

    async def correct(_hass: HomeAssistant, _entity: str, step: Offset, _now: object) -> bool:
        begun.append(step)
        await gate.wait()
        return True

    hass.config.components.add("recorder")
    with patch.object(corrections, "async_correct", correct):
        coordinator.record.offsets = (Offset(ENERGY, START, Decimal(1), "kWh"),)
        coordinator.async_update_listeners()
        freezer.move_to(later(20))
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
        assert len(begun) == 1
        await hass.config_entries.async_remove(loaded.entry_id)
        gate.set()
        freezer.move_to(later(60))
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
    assert len(begun) == 1
    assert file_of(loaded) not in hass_storage


async def test_one_correction_at_a_time(
    hass: HomeAssistant, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    """Of two at once, both would find the same amount missing."""
    coordinator, gate = loaded.runtime_data.coordinator, asyncio.Event()
    begun: list[Offset] = []

    async def correct(_hass: HomeAssistant, _entity: str, step: Offset, _now: object) -> bool:
        begun.append(step)
        await gate.wait()
        return True

    hass.config.components.add("recorder")
    one, two = (Offset(ENERGY, START, Decimal(number), "kWh") for number in (1, 2))
    with patch.object(corrections, "async_correct", correct):
        for step in (one, two):
            coordinator.record.offsets = (*coordinator.record.offsets, step)
            coordinator.async_update_listeners()
            freezer.move_to(later(20))
            async_fire_time_changed(hass)
            await hass.async_block_till_done()
        assert begun == [one]
        gate.set()
        await hass.async_block_till_done(wait_background_tasks=True)
        freezer.move_to(later(40))
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
    assert begun == [one, two]
    assert coordinator.record.offsets == ()
