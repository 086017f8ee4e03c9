"""A total that begins anew: each hour has what was used, whatever the recorder makes of the number."""

from decimal import Decimal
import json
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder import statistics as recorder_statistics
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.codec import decode, encode
from custom_components.iec62056.validation.offsets import Offset, OffsetReason

from ..common.bench import NUMBER, Bench, later, state
from ..common.course import Course
from ..common.refused import Refused
from ..common.replacement import OTHER, answer, questions

ENERGY = "1-0:1.8.0"
PERIODIC = "1-0:1.9.0"


def test_a_step_survives_storage() -> None:
    for last in (None, Decimal("12345.678")):
        step = Offset(
            ENERGY, later(7), Decimal("-3.25"), "kWh", last, Decimal(3), OffsetReason.ANSWER, True
        )
        assert decode(Offset, json.loads(json.dumps(encode(step)))) == step


@pytest.fixture
def course(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> Course:
    # As a user who enables it has it.
    er.async_get(hass).async_get_or_create(
        "sensor", DOMAIN, f"LGZ_{NUMBER}_{PERIODIC}", config_entry=entry
    )
    return Course(hass, entry, bench, freezer)


async def test_roll_over_loses_nothing(hass: HomeAssistant, course: Course) -> None:
    """999998 → 3 are five, not three; and a total that begins anew has used what it shows, not less than nothing."""
    await course.begin(**{"1_8_0": "999990", "1_9_0": "000100"})
    shown = {30: ("999998", "000104"), 63: ("000003", "000099"), 90: ("000004", "000100")}
    for minute, (total, since) in shown.items():
        await course.read(minute, **{"1_8_0": total, "1_9_0": since})
    assert state(hass, ENERGY).state == "4"
    await course.go_on(125)
    assert await course.changes(ENERGY) == [8, 6]
    assert await course.changes(PERIODIC) == [4, 100]


TOTAL = "total_import"
OTHERS = f"LGZ_{OTHER}"


def tariffs(*numbers: str) -> dict[str, str]:
    return {f"1_8_{tariff}": number for tariff, number in enumerate(numbers, 1)}


async def test_sum_of_tariffs_counts_the_roll_over_of_one(course: Course) -> None:
    await course.begin(**tariffs("999990.000", "000500.000"))
    await course.read(30, **tariffs("999998.000", "000500.000"))
    await course.read(63, **tariffs("000003.000", "000500.000"))
    await course.read(90, **tariffs("000004.000", "000500.000"))
    await course.go_on(125)
    assert await course.changes(TOTAL) == [8, 6]


async def test_sum_of_tariffs_has_not_used_what_a_new_tariff_shows(course: Course) -> None:
    await course.begin(**tariffs("012000.000", "000345.000"))
    await course.read(30, **tariffs("012001.000", "000345.000"))
    # It is seen twice before it is believed.
    await course.read(63, **tariffs("012002.000", "000345.000", "000700.000"))
    await course.read(90, **tariffs("012002.000", "000345.000", "000703.000"))
    await course.go_on(125)
    assert await course.changes(TOTAL) == [1, 4]


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
    course: Course,
    *,
    last: tuple[str, ...],
    first: tuple[str, ...],
    then: tuple[str, ...],
) -> None:
    await course.begin(**tariffs("12000", *last[1:]))
    await course.read(30, **tariffs(*last))
    await course.read(63, OTHER, **tariffs(*first))
    await answer(hass, "meter_replaced", "replace_meter")
    course.stop_polling()
    await course.read(90, OTHER, **tariffs(*then))
    await course.go_on(125)
    assert await course.changes(TOTAL, OTHERS) == [1, 1]


async def test_sum_of_tariffs_loses_what_a_person_put_right(
    hass: HomeAssistant, entry: MockConfigEntry, course: Course
) -> None:
    await course.begin(**tariffs("012000.000", "000345.000"))
    await course.read(30, **tariffs("012001.000", "000345.000"))
    for minute in (61, 62):
        await course.read(minute, **tariffs("011000.000", "000345.000"))
    await answer(hass, "fell", "accept_held")
    await course.read(90, **tariffs("011001.000", "000345.000"))
    await course.go_on(125)
    assert await course.changes(TOTAL) == [1, -1000]


async def test_two_answers_within_five_minutes(hass: HomeAssistant, course: Course) -> None:
    """Each total has its own answer, and one total has two."""
    assert await async_setup_component(hass, "repairs", {})
    await course.begin(**{"1_8_0": "050000.000"})
    await course.read(30, **{"1_8_0": "050001.000"})
    for shown in ("001000.000", "000010.000"):
        for minute in (61, 62):
            await course.read(minute, **{"1_8_0": shown})
        await answer(hass, "fell", "accept_held")
    await course.read(90, **{"1_8_0": "000011.000"})
    await course.go_on(125)
    assert await course.changes(ENERGY) == [1, 11 - 50_001]


async def test_two_billing_resets_within_five_minutes(hass: HomeAssistant, course: Course) -> None:
    await course.begin(**{"1_9_0": "000100.000"})
    await course.read(30, **{"1_9_0": "000104.000"})
    for minute, shown in (
        (61, "000000.100"),
        (63, "000000.300"),
        (64, "000000.050"),
        (70, "000000.550"),
    ):
        await course.read(minute, **{"1_9_0": shown})
    await course.go_on(125)
    assert await course.changes(PERIODIC) == [4, 0.85]


@pytest.mark.parametrize(
    ("short", "hours"),
    [([True], []), ([], [True]), ([True], [True]), ([True] * 9, [True] * 9), ([], [True] * 9)],
)
@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
async def test_recorder_refuses_to_write(
    hass: HomeAssistant, course: Course, *, short: list[bool], hours: list[bool], late: bool
) -> None:
    await course.begin(**{"1_8_0": "999990"})
    await course.read(30, **{"1_8_0": "999998"})
    await course.read(63, **{"1_8_0": "000003"})
    with patch.object(recorder_statistics, "_adjust_sum_statistics", Refused(short, hours)):
        await course.go_on(125 if late else 90, quiet=late)
        if late:
            await course.tick(126.5)
        await course.read(140, **{"1_8_0": "000004"})
        await course.go_on(185)
    assert await course.changes(ENERGY) == [8, 5, 1]


@pytest.mark.parametrize("days", [3, 12])
async def test_sum_goes_on_after_a_long_silence(
    hass: HomeAssistant, course: Course, days: int
) -> None:
    """The recorder keeps five-minute rows for ten days, and begins a sum without any at nothing."""
    await course.begin(**{"1_8_0": "054980.000"})
    await course.read(30, **{"1_8_0": "055000.000"})
    await course.read(31, **{"1_8_0": "055000.000"})
    await course.go_on(65)
    await course.be_silent(days * 24 * 60)
    shown = (days * 24 + 2) * 60
    await course.read(shown + 3, **{"1_8_0": "055040.000"})
    await course.read(shown + 30, **{"1_8_0": "055041.000"})
    await course.go_on(shown + 65)
    # What the silence hid is booked where it ends.
    assert [one for one in await course.changes(ENERGY) if one] == [20, 41]


async def test_crash_loses_the_last_readings(
    hass: HomeAssistant, course: Course, hass_storage: dict[str, Any]
) -> None:
    """What was shown last is shown until the meter is read again, and no hour has it twice."""
    await course.begin(**{"1_8_0": "000004.000", **tariffs("000003.000", "000001.000")})
    await course.read(30, **{"1_8_0": "000004.500", **tariffs("000003.500", "000001.000")})
    await course.read(50, **{"1_8_0": "000004.600", **tariffs("000003.600", "000001.000")})
    on_disk = await course.saved(hass_storage)
    await course.read(56, **{"1_8_0": "000005.900", **tariffs("000004.900", "000001.000")})
    await course.kill(hass_storage, on_disk, 59)
    assert state(hass, ENERGY).state == "5.900"
    await course.go_on(65)
    await course.read(66, **{"1_8_0": "000006.000", **tariffs("000005.000", "000001.000")})
    await course.go_on(125)
    assert await course.changes(ENERGY) == [1.9, 0.1]


@pytest.mark.parametrize("shown", ["000000.300", "000003.000"])
async def test_crash_after_a_billing_period_began(
    hass: HomeAssistant, course: Course, hass_storage: dict[str, Any], shown: str
) -> None:
    await course.begin(**{"1_9_0": "000304.000"})
    await course.read(30, **{"1_9_0": "000306.000"})
    await course.read(61, **{"1_9_0": shown})
    await course.kill(hass_storage, None, 65)
    assert float(state(hass, PERIODIC).state) == float(shown)
    await course.read(70, **{"1_9_0": "000003.000"})
    await course.go_on(125)
    assert await course.changes(PERIODIC) == [2, 3]


async def test_crash_before_the_new_number_is_shown(
    hass: HomeAssistant, course: Course, hass_storage: dict[str, Any]
) -> None:
    """An offset whose number nobody has seen counts where it is seen."""
    await course.begin(**{"1_9_0": "000304.000"})
    await course.read(30, **{"1_9_0": "000306.000"})
    coordinator = course.entry.runtime_data.coordinator
    with patch.object(coordinator, "async_update_listeners"):
        await course.read(58, **{"1_9_0": "000001.000"})
    await course.kill(hass_storage, None, 63)
    assert float(state(hass, PERIODIC).state) == 1
    await course.read(70, **{"1_9_0": "000003.000"})
    await course.go_on(125)
    assert await course.changes(PERIODIC) == [2, 3]


@pytest.mark.parametrize("days", [0, 1, 12])
async def test_wrong_number_is_taken_back_in_its_hour(
    hass: HomeAssistant, course: Course, days: int
) -> None:
    """The user has said that it is right, and says otherwise later; what was used since then is a gap."""
    assert await async_setup_component(hass, "repairs", {})
    await course.begin(**tariffs("000050.000", "000050.000"))
    await course.read(30, **tariffs("000051.000", "000050.000"))
    await course.read(61, **tariffs("000551.000", "000050.000"))
    await answer(hass, "beyond", "accept_held")
    await course.read(70, **tariffs("000551.000", "000050.000"))
    await course.go_on(125)
    later_on = 120 + days * 24 * 60
    course.summed = later_on
    for minute in (1, 2):
        await course.read(later_on + minute, **tariffs("000071.000", "000050.000"))
    await answer(hass, "fell", "accept_held")
    await course.read(later_on + 30, **tariffs("000072.000", "000050.000"))
    await course.go_on(later_on + 65)
    for key in (TOTAL, "1-0:1.8.1"):
        assert [one for one in await course.changes(key) if one] == [1, 21]
    gaps = course.entry.runtime_data.importer.history.gaps
    assert [(one.first.number, one.last.number) for one in gaps if one.key == "1-0:1.8.1"][-1] == (
        51,
        71,
    )


async def test_counter_that_began_anew_after_a_repair(hass: HomeAssistant, course: Course) -> None:
    assert await async_setup_component(hass, "repairs", {})
    await course.begin(**{"1_8_0": "045000.000"})
    await course.read(30, **{"1_8_0": "045001.000"})
    for minute in (61, 62):
        await course.read(minute, **{"1_8_0": "000003.000"})
    await answer(hass, "fell", "counter_restarted")
    await course.read(90, **{"1_8_0": "000004.000"})
    await course.go_on(125)
    assert await course.changes(ENERGY) == [1, 4]


async def test_kept_value_is_asked_about_again_when_it_falls_further(
    hass: HomeAssistant, course: Course
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    await course.begin(**{"1_8_0": "045000.000"})
    for minute in (1, 2):
        await course.read(minute, **{"1_8_0": "044000.000"})
    await answer(hass, "fell", "keep_published")
    for minute, shown, asked in (
        (3, "044000.000", []),
        (4, "044001.000", []),
        (5, "000003.000", ["fell"]),
    ):
        await course.read(minute, **{"1_8_0": shown})
        assert questions(hass) == asked
    assert state(hass, ENERGY).state == "45000.000"


async def test_display_that_loses_its_decimals(hass: HomeAssistant, course: Course) -> None:
    """The finer number stays until the coarser one has passed it; nobody is asked."""
    await course.begin(**{"1_8_0": "000335.455"})
    shown = {10: "000335", 20: "000335", 30: "000336", 40: "000336.100", 50: "000336"}
    for minute, text in shown.items():
        await course.read(minute, **{"1_8_0": text})
    assert state(hass, ENERGY).state == "336.100"
    assert state(hass, ENERGY).attributes["quality"] == "good"
    assert questions(hass) == []
    await course.go_on(65)
    assert await course.changes(ENERGY) == [0.645]
