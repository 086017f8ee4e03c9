"""A meter with a memory, a Home Assistant that does not always run, and the hours of its statistics."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.statistics import (
    compile_statistics,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.iec62056.protocol.ascii import datasets
from custom_components.iec62056.protocol.errors import MeterError
from custom_components.iec62056.protocol.profiles.load_profile import Profile, parse
from custom_components.iec62056.statistics.recorder import LONG_AGO
from simulator.profile import LoadProfile

from .bench import NUMBER, Bench, entity_id, reading

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
FIVE_MINUTES = timedelta(minutes=5)
BERLIN = ZoneInfo("Europe/Berlin")
KEYS = ("1-0:1.8.0", "1-0:2.8.0")
# When it is read: within a quarter that is after all of its use.
READ_AT = timedelta(minutes=11)


@dataclass
class House:
    """What is taken and given in Wh, all of it in the first minutes of each quarter, so that a reading sees whole ones."""

    begin: datetime
    hours: int
    idle: Sequence[tuple[datetime, datetime]] = ()
    seed: int = 1
    used: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        random = Random(self.seed)
        self.used = []
        for index in range(self.hours * 4):
            at = self.begin + index * QUARTER
            idle = any(off < at + QUARTER and at < on for off, on in self.idle)
            self.used.append((0, 0) if idle else (random.randrange(900), random.randrange(300)))

    def registers(self, moment: datetime) -> tuple[int, int]:
        past = max(0, (moment - self.begin - timedelta(minutes=5)) // QUARTER + 1)
        return tuple(sum(one[n] for one in self.used[:past]) for n in (0, 1))  # type: ignore[return-value]

    def hour(self, start: datetime) -> tuple[float, float]:
        """What was taken and given within an hour, in kWh."""
        index = (start - self.begin) // QUARTER
        whole = self.used[index : index + 4]
        return tuple(sum(one[n] for one in whole) / 1000 for n in (0, 1))  # type: ignore[return-value]


@dataclass
class Memory:
    """In place of the line: the meter's profile as text, and what goes wrong on the way."""

    profile: LoadProfile
    errors: list[MeterError | HomeAssistantError] = field(default_factory=list)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    hook: Callable[[], None] | None = None
    gate: asyncio.Event | None = None

    async def read(self, first: datetime, last: datetime, zone: tzinfo) -> tuple[Profile, ...]:
        self.asked.append((first, last))
        if self.hook is not None:
            self.hook()
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        text = self.profile.answer(";")
        found = parse(datasets.parse(text.encode("ascii"))[0], zone)
        return tuple(cut for one in found if (cut := one.within(first, last)).rows)


@dataclass
class Week:
    """The course of things for one entry."""

    hass: HomeAssistant
    entry: MockConfigEntry
    bench: Bench
    freezer: FrozenDateTimeFactory
    house: House
    # How far the meter's clock is ahead of UTC, where it tells that.
    clock: timedelta | None = None

    def answer(self, moment: datetime) -> None:
        taken, given = (Decimal(one) / 1000 + 1000 for one in self.house.registers(moment))
        shown = None if self.clock is None else moment + self.clock
        self.bench.answers = [
            reading(
                {
                    "C.1.0": [NUMBER],
                    **({} if shown is None else {"1.0.0": [f"{shown:%y-%m-%d %H:%M:%S}"]}),
                    "1.8.0": [f"{taken:010.3f}*kWh"],
                    "2.8.0": [f"{given:010.3f}*kWh"],
                },
                at=moment,
            )
        ]

    async def read(self, moment: datetime) -> None:
        """One good reading."""
        self.freezer.move_to(moment)
        self.answer(moment)
        await self.entry.runtime_data.coordinator.async_refresh()

    async def watch(self, begin: datetime, end: datetime) -> None:
        """Home Assistant runs, and reads each quarter of an hour; both ends on the hour or between."""
        at = begin - (begin - self.house.begin) % QUARTER + READ_AT
        while at < end:
            if at >= begin:
                await self.read(at)
            at += QUARTER
            if at.minute < 15:
                await self.compile(at.replace(minute=0))

    async def compile(self, hour: datetime) -> None:
        """The recorder sums up the hour that is over."""
        await async_wait_recording_done(self.hass)
        do_adhoc_statistics(self.hass, start=hour - FIVE_MINUTES)
        await async_wait_recording_done(self.hass)

    async def off(self, until: datetime) -> None:
        """Home Assistant was not running; at its start the recorder makes up for it.

        It does so for every five minutes. The last ones of each hour are enough: nothing has changed meanwhile.
        """
        end = dt_util.utcnow().replace(minute=0) + HOUR
        self.freezer.move_to(until)
        await async_wait_recording_done(self.hass)
        instance = get_instance(self.hass)
        while end < until:
            await instance.async_add_executor_job(
                compile_statistics, instance, end - FIVE_MINUTES, False
            )
            end += HOUR
        last = until.replace(minute=until.minute // 5 * 5) - FIVE_MINUTES
        await instance.async_add_executor_job(compile_statistics, instance, last, False)
        await async_wait_recording_done(self.hass)

    async def tick(self, moment: datetime) -> None:
        """What is due is done."""
        self.freezer.move_to(moment)
        self.answer(moment)
        async_fire_time_changed(self.hass, moment, fire_all=True)
        await self.settle()

    async def settle(self) -> None:
        """All that is under way has ended."""
        task = self.entry.runtime_data.importer._reading
        if task is not None:
            await task
        await self.hass.async_block_till_done(wait_background_tasks=False)
        await async_wait_recording_done(self.hass)

    async def rows(self, key: str) -> dict[datetime, tuple[float, float, float]]:
        """State, sum and change of each hour."""

        def find() -> list[dict[str, float]]:
            found = statistics_during_period(
                self.hass,
                LONG_AGO,
                None,
                {entity_id(self.hass, key)},
                "hour",
                {"energy": "kWh"},
                {"state", "sum", "change"},
            )
            return found.get(entity_id(self.hass, key), [])  # type: ignore[return-value]

        await async_wait_recording_done(self.hass)
        rows = await get_instance(self.hass).async_add_executor_job(find)
        return {
            datetime.fromtimestamp(row["start"], UTC): (row["state"], row["sum"], row["change"])
            for row in rows
        }

    async def changes(self) -> dict[datetime, tuple[float, float]]:
        """What each hour of the statistics says was taken and given, to a tenth of a Wh."""
        taken, given = [await self.rows(key) for key in KEYS]
        return {start: (round(taken[start][2], 4), round(given[start][2], 4)) for start in taken}
