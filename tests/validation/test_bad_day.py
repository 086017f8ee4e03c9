"""A day of readings with bad ones among them: the Energy dashboard is what it would be without those."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.protocol.errors import CheckWrong, MeterError, NoAnswer
from custom_components.iec62056.protocol.model import CheckKind, Reading
from tools.mutations import SEED, Harm, arrive, harmed, telegram, with_parity

from ..common.bench import IDENTIFICATION, NUMBER, OTHER_PORT, START, Bench, entity_id, later, state
from ..common.replacement import OTHER, changes, sum_up

BAD = 0.05
# So many of them are the last of their hours.
LAST = 4
TOTALS = {"1-0:1.8.0": "1.8.0", "1-0:2.8.0": "2.8.0"}
# Minutes and hours: each minute of a day, as a meter that tells its numbers fast is read; and what every run of the tests
# can afford.
WHOLE, PART = (1, 24), (2, 8)
KINDS = [CheckKind.XOR, CheckKind.CRC16]
# What a check character of the standard cannot see where parity is.
UNSEEN = {CheckKind.XOR: {Harm.SWAPPED}, CheckKind.CRC16: set[Harm]()}
DAYS = 2


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
    return replace(arrived[0], identification=IDENTIFICATION, received=later(minute))


def true(minute: int, kind: CheckKind, number: str) -> bytes:
    return with_parity(telegram(household(minute, number), kind))


def bad(harm: Harm | None, minute: int, interval: int, kind: CheckKind, chance: Random) -> bytes:
    """A telegram harmed in that way; or, worse than any noise, a right one with a wrong total."""
    if harm is None:
        wrong = chance.choice(("000000.000", "004711.000", "004799.900", "047110.000"))
        return with_parity(telegram(household(minute, NUMBER, wrong), kind))
    good, before = (true(at, kind, NUMBER) for at in (minute, minute - interval))
    start = 0 if kind is CheckKind.CRC16 else good.index(b"\n") + 1
    while (wire := harmed(harm, good, before, start, chance, parity=True)) == good:
        pass
    return wire


@dataclass
class Day:
    """Two meters that read the same numbers: one with bad readings among them, one that lacks what is wrong in those."""

    hass: HomeAssistant
    bench: Bench
    kind: CheckKind
    spoiled: MockConfigEntry
    without: MockConfigEntry
    harms: Counter[Harm | None] = field(default_factory=Counter)
    published: list[Harm | None] = field(default_factory=list)

    async def begin(self) -> None:
        for one, number in ((self.spoiled, NUMBER), (self.without, OTHER)):
            first = read(true(0, self.kind, number), self.kind, 0)
            assert isinstance(first, Reading)
            self.bench.answers = [first]
            if one is self.without:
                one.add_to_hass(self.hass)
            await self.hass.config_entries.async_setup(one.entry_id)
            await self.hass.async_block_till_done()
            self.hass.config_entries.async_update_entry(one, pref_disable_polling=True)

    async def good(self, minute: int) -> None:
        """Both are read."""
        for one, number in ((self.spoiled, NUMBER), (self.without, OTHER)):
            answer = read(true(minute, self.kind, number), self.kind, minute)
            assert isinstance(answer, Reading)
            self.bench.answers = [answer]
            await one.runtime_data.coordinator.async_refresh()

    async def bad(self, minute: int, harm: Harm | None, interval: int, chance: Random) -> None:
        """One is read badly, and a second reading does not help; the other has what was right in it and is shown."""
        self.harms[harm] += 1
        wire = bad(harm, minute, interval, self.kind, chance)
        shown = {key: state(self.hass, key).state for key in TOTALS}
        self.bench.answers = [read(wire, self.kind, minute), NoAnswer()]
        await self.spoiled.runtime_data.coordinator.async_refresh()
        right = read(true(minute, self.kind, OTHER), self.kind, minute)
        assert isinstance(right, Reading)
        of_address = {register.address: register for register in right.registers}
        same = [of_address["0.0.0"]]
        for key, address in TOTALS.items():
            now = state(self.hass, key).state
            if now == of_address[address].values[0].text.lstrip("0"):
                same.append(of_address[address])
            elif now != shown[key]:
                self.published.append(harm)
        self.bench.answers = [replace(right, registers=tuple(same))]
        await self.without.runtime_data.coordinator.async_refresh()

    async def changes(self, hours: int) -> list[list[list[float]]]:
        """What each hour's consumption was, of each total, with the bad readings and without."""
        await sum_up(self.hass, START, START + timedelta(hours=hours))
        return [
            [await changes(self.hass, entity_id(self.hass, key, f"LGZ_{number}")) for key in TOTALS]
            for number in (NUMBER, OTHER)
        ]


@pytest.fixture
async def day(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    kind: CheckKind,
) -> Day:
    assert await async_setup_component(hass, "sensor", {})
    without = MockConfigEntry(
        domain=DOMAIN, unique_id=f"LGZ_{OTHER}", data={"device": OTHER_PORT, "address": ""}
    )
    day = Day(hass, bench, kind, entry, without)
    await day.begin()
    return day


async def pass_hours(
    day: Day, freezer: FrozenDateTimeFactory, interval: int, hours: int, seed: str
) -> None:
    """Hours of readings, one in twenty of them bad, of each class as many; some are the last of their hour."""
    print("seed", seed)
    chance = Random(seed)
    classes: list[Harm | None] = [*Harm, None]
    minutes = range(interval, 60 * hours, interval)
    last = range(60 - interval, 60 * hours, 60)
    some = chance.sample(last, LAST)
    others = [minute for minute in minutes if minute not in last]
    spoiled = {*some, *chance.sample(others, round(BAD * len(minutes)) - LAST)}
    for minute in minutes:
        freezer.move_to(later(minute))
        if minute in spoiled:
            await day.bad(minute, classes[day.harms.total() % len(classes)], interval, chance)
        else:
            await day.good(minute)
        if minute % 60 == 0:
            await day.hass.async_block_till_done()
    print(day.kind, day.harms)
    assert len(day.harms) == len(classes)


@pytest.mark.parametrize("kind", KINDS)
async def test_hours_are_those_of_the_good_readings(
    day: Day, freezer: FrozenDateTimeFactory
) -> None:
    interval, hours = PART
    await pass_hours(day, freezer, interval, hours, f"{SEED} {day.kind}")
    assert not day.published
    spoiled, expected = await day.changes(hours)
    assert [len(one) for one in expected] == [hours, hours]
    assert spoiled == expected


@pytest.mark.long
@pytest.mark.parametrize("number", range(DAYS))
@pytest.mark.parametrize("kind", KINDS)
async def test_hours_of_days_that_are_read_each_minute(
    day: Day, freezer: FrozenDateTimeFactory, number: int
) -> None:
    """Only what no gate can see may change them, and then by no more than it was wrong."""
    interval, hours = WHOLE
    await pass_hours(day, freezer, interval, hours, f"{SEED} {day.kind} {number}")
    assert set(day.published) <= UNSEEN[day.kind]
    spoiled, expected = await day.changes(hours)
    print("published wrongly:", len(day.published))
    if not day.published:
        assert spoiled == expected
    for one, other in zip(spoiled, expected, strict=True):
        assert sum(one) == pytest.approx(sum(other), abs=1 if day.published else 0.001)
