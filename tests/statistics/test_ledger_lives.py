"""Lives of a meter drawn at random: whatever happens, the hours add up to what was used, and no hour is negative."""

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate
from random import Random
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

from ..common.bench import NUMBER, Bench
from ..common.course import Course
from ..common.refused import Refused
from ..common.replacement import answer, questions

TOTAL, PERIODIC = "1-0:1.8.0", "1-0:1.9.0"
MINUTES = 6 * 60
# How far apart readings lie, and the display's last digit.
STEP = 10
DIGIT = 0.001


@dataclass
class Life:
    """A meter, what it has counted in truth, and what was known of that in each hour."""

    course: Course
    storage: dict[str, Any]
    random: Random
    number: int = int(NUMBER)
    shown: Decimal = Decimal(0)
    period: Decimal = Decimal(5)
    used: Decimal = Decimal(0)
    known: dict[int, Decimal] = field(default_factory=dict)
    # Hours whose total was wrong or held at their end.
    doubtful: set[int] = field(default_factory=set)
    wrong: Decimal = Decimal(0)
    minute: float = 0
    told: list[str] = field(default_factory=list)

    def amount(self, most: int = 200) -> Decimal:
        return Decimal(self.random.randrange(1, most)) / 1000

    def use(self, amount: Decimal) -> None:
        self.used += amount
        self.shown = (self.shown + amount) % 1_000_000
        self.period += amount

    def sent(self) -> dict[str, str]:
        total = (self.shown + self.wrong) % 1_000_000
        return {"1_8_0": f"{total:010.3f}", "1_9_0": f"{self.period:010.3f}"}

    async def read(self) -> None:
        self.minute += 1
        self.told.append(f"{self.minute}: {self.number} {self.sent()}")
        self.minute = await self.course.read(self.minute, str(self.number), **self.sent())
        hour = int(self.minute) // 60
        self.known[hour] = self.used
        (self.doubtful.add if self.wrong else self.doubtful.discard)(hour)

    async def answer(self, kind: str, choice: str) -> None:
        asked = questions(self.course.hass)
        assert asked == [kind], "\n".join(self.told)
        self.told.append(f"{self.minute}: {choice}")
        await answer(self.course.hass, kind, choice)

    async def reset(self) -> None:
        """A new billing period."""
        if self.period > 1:
            amount = self.amount(50)
            self.use(amount)
            self.period = amount
        await self.read()

    async def exchange(self) -> None:
        if self.wrong:
            return
        await self.read()
        self.number += 1
        self.shown = Decimal(self.random.choice((0, 5, 45_000, 123_456)))
        self.period = self.amount(9000)
        for _ in range(2):
            await self.read()
        await self.answer("meter_replaced", "replace_meter")

    async def restart_counter(self) -> None:
        """It was repaired, and has counted from nothing since."""
        if self.wrong or not 100 < self.shown < 900_000:
            return
        amount = self.amount()
        self.use(amount)
        self.shown = amount
        for _ in range(2):
            await self.read()
        await self.answer("fell", "counter_restarted")

    async def go_wrong(self) -> None:
        """The user takes a wrong number for right; some time later the right ones are held, and the user is asked."""
        if self.wrong or not 100 < self.shown < 900_000:
            return
        self.wrong = Decimal(self.random.randrange(100, 900))
        await self.read()
        await self.answer("beyond", "accept_held")

    async def be_right(self) -> None:
        if not self.wrong:
            return
        self.wrong = Decimal(0)
        for _ in range(2):
            await self.read()
        await self.answer("fell", "accept_held")

    async def kill(self) -> None:
        on_disk = None if self.random.random() < 0.5 else self.saved
        self.told.append(f"{self.minute}: killed")
        self.minute += 2
        await self.course.kill(self.storage, on_disk, self.minute)

    async def save(self) -> None:
        self.saved = await self.course.saved(self.storage)

    saved: dict[str, Any] | None = None

    async def go_on(self) -> None:
        for _ in range(MINUTES // STEP - 1):
            self.minute = (self.minute // STEP + 1) * STEP
            self.use(self.amount())
            await self.read()
            what = self.random.choice(
                (
                    self.reset,
                    self.exchange,
                    self.restart_counter,
                    self.go_wrong,
                    self.be_right,
                    self.kill,
                    None,
                    None,
                    None,
                )
            )
            if what is not None:
                self.told.append(f"{self.minute}: {what.__name__}")
                # What has an offset is on disk at once; of readings, the last ones may be lost.
                self.saved = None
                await what()
        await self.be_right()
        self.use(self.amount())
        await self.read()

    async def check(self, key: str) -> None:
        """Each hour whose ends are sure is true, and so are several that are not, taken together."""
        meter = f"LGZ_{self.number}"
        changes = [*(await self.course.hours(key, meter)).values()]
        offsets = self.course.entry.runtime_data.coordinator.record.offsets
        story = "\n".join([*self.told, *(str(one) for one in offsets), str(changes)])
        assert min(changes) > -DIGIT, story
        last_known = Decimal(0)
        for hour, whole in enumerate(accumulate(changes)):
            last_known = self.known.get(hour, last_known)
            if key == PERIODIC or hour not in self.doubtful:
                assert abs(whole - float(last_known)) < DIGIT, f"{key} hour {hour}\n{story}"


SEEDS = [
    *range(15),
    # About as many as an hour holds.
    *(pytest.param(seed, marks=pytest.mark.long) for seed in range(15, 900)),
]


@pytest.mark.parametrize("seed", SEEDS)
async def test_lives(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    *,
    hass_storage: dict[str, Any],
    seed: int,
) -> None:
    random = Random(seed)
    assert await async_setup_component(hass, "repairs", {})
    er.async_get(hass).async_get_or_create(
        "sensor", DOMAIN, f"LGZ_{NUMBER}_{PERIODIC}", config_entry=entry
    )
    course = Course(hass, entry, bench, freezer)
    life = Life(course, hass_storage, random)
    life.shown = random.choice((Decimal("12345.6"), Decimal("999999.2"), Decimal("555.5")))
    await course.begin(**life.sent())
    refused = Refused(*([random.random() < 0.3 for _ in range(20)] for _ in range(2)))
    with patch.object(recorder_statistics, "_adjust_sum_statistics", refused):
        await life.go_on()
        await course.go_on(MINUTES + 65)
    assert entry.runtime_data.coordinator.record.open_offsets == ()
    for key in (TOTAL, PERIODIC):
        await life.check(key)
