"""A day of readings with bad ones among them: the Energy dashboard is what it would be without those."""

from collections import Counter
from datetime import timedelta
import random

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.errors import CheckWrong, MeterError, NoAnswer
from custom_components.iec62056.protocol.model import CheckKind, Medium, Reading, Verdict
from custom_components.iec62056.protocol.registers import registers

from .bench import (
    GOOD_HEALTH,
    IDENTIFICATION,
    NO_CHECK,
    NUMBER,
    OTHER_PORT,
    START,
    Bench,
    entity_id,
    later,
)
from .mutations import SEED, Harm, arrive, harmed, telegram, with_parity
from .test_exchange import OTHER, changes, sum_up

pytestmark = pytest.mark.alone

DAY = 24 * 60
BAD = 0.05
TOTALS = ("1-0:1.8.0", "1-0:2.8.0")
INTERVAL = 4


def household(minute: int, number: str, instead: str | None = None) -> list[str]:
    """A house that uses more at times, and gives back a little; `instead` is another total than the true one."""
    used = 4711 + minute * 0.02 + minute // 300 * 0.9
    return [
        "F.F(00000000)",
        f"0.0.0({number})",
        f"1.8.0({instead or f'{used:010.3f}'}*kWh)",
        f"2.8.0({38 + minute * 0.007:010.3f}*kWh)",
        f"16.7.0({1 + minute % 7 / 10:06.3f}*kW)",
        f"32.7.0({230 + minute % 5}.{minute % 9}*V)",
        "C.7.0(0003)",
    ]


def read(wire: bytes, kind: CheckKind, minute: float) -> Reading | MeterError:
    """What the client makes of the characters."""
    arrived = arrive(wire, kind)
    if not arrived:
        return CheckWrong()
    receiver, verdict = arrived[0]
    found, _ = registers(receiver.datasets, Medium.ELECTRICITY)
    health = GOOD_HEALTH if verdict is Verdict.RIGHT else NO_CHECK
    return Reading(IDENTIFICATION, found, later(minute), health)


def true(minute: int, kind: CheckKind, number: str) -> bytes:
    return with_parity(telegram(household(minute, number), kind))


def bad(
    harm: Harm | None, minute: int, kind: CheckKind, chance: random.Random
) -> tuple[str, bytes]:
    """A telegram harmed in that way; or, worse than any noise, a right one with a wrong total."""
    if harm is None:
        wrong = chance.choice(("000000.000", "004711.000", "004799.900", "047110.000"))
        return "plausible", with_parity(telegram(household(minute, NUMBER, wrong), kind))
    good, before = true(minute, kind, NUMBER), true(minute - INTERVAL, kind, NUMBER)
    start = 0 if kind is CheckKind.CRC16 else good.index(b"\n") + 1
    return harm, harmed(harm, good, before, start, chance, parity=True)


async def test_hours_are_those_of_the_good_readings(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
) -> None:
    print("seed", SEED)
    kind = CheckKind.XOR
    chance = random.Random(f"{SEED} {kind}")
    classes: list[Harm | None] = [*Harm, None]
    assert await async_setup_component(hass, "sensor", {})
    without = MockConfigEntry(
        domain=DOMAIN, unique_id=f"LGZ_{OTHER}", data={"device": OTHER_PORT, "address": ""}
    )
    for one, number in ((entry, NUMBER), (without, OTHER)):
        answer = read(true(0, kind, number), kind, 0)
        assert isinstance(answer, Reading)
        bench.answers = [answer]
        if one is without:
            without.add_to_hass(hass)
        await hass.config_entries.async_setup(one.entry_id)
        await hass.async_block_till_done()
        one.runtime_data.update_interval = None
    harms: Counter[str] = Counter()
    for minute in range(INTERVAL, DAY, INTERVAL):
        freezer.move_to(later(minute))
        good = read(true(minute, kind, NUMBER), kind, minute)
        assert isinstance(good, Reading)
        bench.answers = [good]
        # Without the last reading of an hour, its consumption would be counted in the next one.
        if chance.random() < BAD and minute % 60 != 60 - INTERVAL:
            which = classes[harms.total() % len(classes)]
            harm, wire = bad(which, minute, kind, chance)
            harms[harm] += 1
            # Nor does a second reading help.
            bench.answers = [read(wire, kind, minute), NoAnswer()]
        else:
            same = read(true(minute, kind, OTHER), kind, minute)
            assert isinstance(same, Reading)
            bench.answers = [same]
            await without.runtime_data.async_refresh()
            bench.answers = [good]
        await entry.runtime_data.async_refresh()
        if minute % 60 == 0:
            await hass.async_block_till_done()
    await sum_up(hass, START, START + timedelta(days=1))
    print(harms)
    assert len(harms) == len(classes)
    for key in TOTALS:
        expected = await changes(hass, entity_id(hass, key, f"LGZ_{OTHER}"))
        assert len(expected) == 24
        assert await changes(hass, entity_id(hass, key)) == expected
