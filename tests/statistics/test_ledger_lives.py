"""Lives of a meter drawn at random: whatever happens, the hours add up to what was used, and no hour is negative."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder import statistics as recorder_statistics
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter.reader import MeterReader
from custom_components.iec62056.protocol import obis
from custom_components.iec62056.protocol.profiles.load_profile import Channel, Profile, Row
from custom_components.iec62056.statistics import recorder as statistics
from custom_components.iec62056.statistics.gap_filler import GapFiller
from custom_components.iec62056.statistics.recorder import DatabaseFailed

from ..common.bench import NUMBER, START, Bench, later
from ..common.course import Course
from ..common.refused import Refused
from ..common.replacement import answer, questions

TOTAL, PERIODIC = "1-0:1.8.0", "1-0:1.9.0"
MINUTES = 6 * 60
# How far apart readings lie, and the display's last digit.
STEP = 10
DIGIT = 0.001
PERIOD = 5
# How long the first meter has written down its periods before it was read for the first time.
PAST = 5 * 60
CHANNELS = (Channel.of("1.29", obis.parse("1.29"), "kWh"),)


@dataclass
class Life:
    """A meter, what it has counted in truth, and what was known of that in each hour."""

    course: Course
    storage: dict[str, Any]
    random: Random
    number: int = int(NUMBER)
    shown: Decimal = Decimal(0)
    period: Decimal = Decimal(5)
    # When how much was used, and what each meter has written down of it, by its number and the end of the period.
    uses: list[tuple[float, Decimal]] = field(default_factory=list)
    periods: dict[int, dict[int, Decimal]] = field(default_factory=dict)
    # Periods that are missing in what is sent.
    lost: set[int] = field(default_factory=set)
    # Hours whose total was wrong or held at their end, and when good numbers were read.
    doubtful: set[int] = field(default_factory=set)
    good: list[float] = field(default_factory=list)
    wrong: Decimal = Decimal(0)
    minute: float = 0
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin_profile(PAST)
        for minute in range(-PAST + 2, 0, STEP):
            self.write_down(minute, self.amount())

    def amount(self, most: int = 200) -> Decimal:
        return Decimal(self.random.randrange(1, most)) / 1000

    def begin_profile(self, past: int) -> None:
        """Another meter: with its own past, in which nothing was used here."""
        begin = int(self.minute) // PERIOD * PERIOD
        own = self.periods[self.number] = {}
        for end in range(begin - past + PERIOD, begin + 1, PERIOD):
            own[end] = self.amount() if self.minute else Decimal(0)

    def write_down(self, minute: float, amount: Decimal) -> None:
        self.uses.append((minute, amount))
        end = int(minute // PERIOD + 1) * PERIOD
        own = self.periods[self.number]
        own[end] = own.get(end, Decimal(0)) + amount

    def use(self, amount: Decimal, minute: float | None = None) -> None:
        self.write_down(self.minute if minute is None else minute, amount)
        self.shown = (self.shown + amount) % 1_000_000
        self.period += amount

    def profile(self, first: datetime, last: datetime) -> tuple[Profile, ...]:
        """What is sent of the profile of the meter that is there now."""
        own = self.periods[self.number]
        now = int((dt_util.utcnow() - START) / timedelta(minutes=1))
        ends = range(min(own, default=now + 1), now + 1, PERIOD)
        rows = [
            Row(later(end), (own.get(end, Decimal("0.000")),))
            for end in ends
            if end not in self.lost and first < later(end) <= last
        ]
        return (Profile("P.01", CHANNELS, timedelta(minutes=PERIOD), tuple(rows)),)

    def sent(self) -> dict[str, str]:
        total = (self.shown + self.wrong) % 1_000_000
        return {"1_8_0": f"{total:010.3f}", "1_9_0": f"{self.period:010.3f}"}

    async def read(self) -> None:
        self.minute += 1
        self.told.append(f"{self.minute}: {self.number} {self.sent()}")
        self.minute = await self.course.read(self.minute, str(self.number), **self.sent())
        hour = int(self.minute) // 60
        if self.wrong:
            self.doubtful.add(hour)
        else:
            self.doubtful.discard(hour)
            self.good.append(self.minute)

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
        self.begin_profile(self.random.choice((0, PAST)))
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

    async def be_silent(self) -> None:
        """The meter is out of reach, and counts."""
        end = self.minute // STEP * STEP + STEP * self.random.randrange(8, 16)
        while self.minute // STEP * STEP + STEP < end:
            self.minute = self.minute // STEP * STEP + STEP
            self.use(self.amount(), self.minute + 2)
            if self.random.random() < 0.05:
                self.lost.add(int(self.minute) + PERIOD)
        self.minute += STEP - 1

    async def ask(self, action: str, **data: Any) -> list[dict[str, Any]]:
        """Call an action; what it says of the sensors, nothing where it was refused."""
        self.told.append(f"{self.minute}: {action} {data}")
        hass = self.course.hass
        try:
            response: Any = await hass.services.async_call(
                DOMAIN,
                action,
                {"config_entry_id": self.course.entry.entry_id, **data},
                blocking=True,
                return_response=True,
            )
        except HomeAssistantError as err:
            self.told.append(f"refused: {err!r}")
            return []
        (meter,) = response["meters"]
        sensors: list[dict[str, Any]] = meter.get("sensors", [])
        self.told.append(str([(one["hours"], one["refused"]) for one in sensors] or meter))
        return sensors

    async def import_some(self) -> None:
        await self.course.go_on(self.minute)
        minutes = sorted(self.random.sample(range(-PAST, int(self.minute) + 1), 2))
        window = {
            name: later(one).isoformat() for name, one in zip(("from", "to"), minutes, strict=True)
        }
        write = statistics.async_write
        what = self.random.random()

        async def fail(*arguments: Any) -> None:
            if what < 0.1:
                await write(*arguments)
            raise DatabaseFailed

        with patch.object(statistics, "async_write", fail if what < 0.2 else write):
            await self.ask("import_load_profile", everything=self.random.random() < 0.5, **window)

    async def undo(self) -> None:
        await self.course.go_on(self.minute)
        await self.ask("clear_imported")

    async def go_on(self) -> None:
        while self.minute < MINUTES - STEP:
            # What is used is written down before it is read; only what happens at once falls into one period.
            self.minute = (self.minute // STEP + 1) * STEP
            self.use(self.amount(), self.minute + 2)
            self.minute += PERIOD
            await self.read()
            what = self.random.choice(
                (
                    self.reset,
                    self.exchange,
                    self.restart_counter,
                    self.go_wrong,
                    self.be_right,
                    self.kill,
                    self.be_silent,
                    self.import_some,
                    self.import_some,
                    self.undo,
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
        self.minute = (self.minute // STEP + 1) * STEP
        self.use(self.amount(), self.minute + 2)
        self.minute += PERIOD
        await self.read()

    def used(self, begin: float, end: float) -> float:
        """What was used in truth between two minutes."""
        return float(sum(amount for at, amount in self.uses if begin <= at < end))

    async def check(self, key: str, listed: Iterable[tuple[float, float]]) -> None:
        """Each hour is true, or is part of a gap that is listed; and what a gap lacks, the hour behind it has."""
        meter = f"LGZ_{self.number}"
        hours = {
            int((start - START) / timedelta(hours=1)): change
            for start, change in (await self.course.hours(key, meter)).items()
        }
        offsets = self.course.entry.runtime_data.coordinator.record.offsets
        story = "\n".join([*self.told, *(str(one) for one in offsets), str(hours), str(listed)])
        assert min(hours.values()) > -DIGIT, story
        whole = 0.0
        for hour in range(max(hours) + 1):
            whole += hours.get(hour, 0.0)
            end = (hour + 1) * 60
            true = abs(whole - self.used(0, end)) < DIGIT
            assert true or any(first < end <= last for first, last in listed), (
                f"{key} hour {hour}: {whole}, not {self.used(0, end)}\n{story}"
            )
        if key == TOTAL:
            for hour, change in hours.items():
                true = hour >= 0 or abs(change - self.used(hour * 60, hour * 60 + 60)) < DIGIT
                assert true or not change, f"hour {hour}: {change}\n{story}"

    def listed(self) -> list[tuple[float, float]]:
        """The gaps that the integration lists, in minutes."""
        history = self.course.entry.runtime_data.importer.history
        found = [
            (
                (one.first.at - START) / timedelta(minutes=1),
                (one.last.at - START) / timedelta(minutes=1),
            )
            for one in history.gaps
            if one.key == TOTAL
        ]
        for first, last in found:
            assert not any(first + 1 < at < last - 1 for at in self.good), (
                f"{first} to {last}\n" + "\n".join(self.told)
            )
        return found


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
    monkeypatch: pytest.MonkeyPatch,
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
    refused = Refused(*([random.random() < 0.3 for _ in range(20)] for _ in range(2)))

    async def read(
        _reader: MeterReader, _code: str, first: datetime, last: datetime, _zone: object
    ) -> tuple[Profile, ...]:
        return life.profile(first, last)

    monkeypatch.setattr(recorder_statistics, "_adjust_sum_statistics", refused)
    monkeypatch.setattr(MeterReader, "async_read_profile", read)
    monkeypatch.setattr(GapFiller, "_is_wanted", random.random() < 0.7)
    await course.begin(**life.sent())
    try:
        await life.go_on()
        await course.go_on(life.minute // 60 * 60 + 125)
        offsets = entry.runtime_data.coordinator.record.open_offsets
        assert offsets == (), "\n".join([*life.told, *(str(one) for one in offsets)])
        await life.check(TOTAL, life.listed())
        # Nothing fills these.
        silences = [*zip(life.good, life.good[1:], strict=False)]
        await life.check(PERIODIC, [one for one in silences if one[1] - one[0] > 2 * STEP])
    finally:
        # An import may still be under way.
        await hass.config_entries.async_unload(entry.entry_id)
