"""A meter read now and then beside a recorder that sums up each five minutes, at the time of day that a test says."""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from .bench import NUMBER, START, Bench, entity_id, later, reading

PERIOD = 5


@dataclass
class Course:
    """What happens in the minutes since START."""

    hass: HomeAssistant
    entry: MockConfigEntry
    bench: Bench
    freezer: FrozenDateTimeFactory
    # Up to here the recorder has summed up.
    summed: int = 0
    # How many billing periods have ended, and the last total of one.
    ended: int = 0
    period: str = ""

    async def begin(self, number: str = NUMBER, **registers: str) -> None:
        """Set the meter up; it is read by the test alone."""
        assert await async_setup_component(self.hass, "sensor", {})
        self._answer(0, number, registers)
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.hass.async_block_till_done()
        self.stop_polling()

    def stop_polling(self) -> None:
        self.hass.config_entries.async_update_entry(self.entry, pref_disable_polling=True)

    def _answer(self, minute: float, number: str, registers: dict[str, str]) -> None:
        sent = {"C.1.0": [number]} | {
            code.replace("_", "."): [f"{text}*kWh"] for code, text in registers.items()
        }
        if (period := registers.get("1_9_0")) is not None:
            self.ended += period < self.period
            self.period = period
            sent["0.1.0"] = [f"{self.ended:02}"]
        at = later(minute)
        again = at + timedelta(seconds=5)
        self.bench.answers = [reading(sent, at=at), reading(sent, at=again)]

    async def read(self, minute: float, number: str = NUMBER, **registers: str) -> float:
        """Read the meter at that minute; in doubt, a second time a minute later. Gives the minute of the last reading."""
        coordinator = self.entry.runtime_data.coordinator
        for at in (minute, minute + 1):
            await self.go_on(at)
            self._answer(at, number, registers)
            await coordinator.async_refresh()
            await self.hass.async_block_till_done()
            if not coordinator.needs_witness:
                return at
        return minute + 1

    async def go_on(self, minute: float, *, quiet: bool = False) -> None:
        """Time passes; the recorder sums up each five minutes, and what is due is done a while later."""
        while self.summed + PERIOD <= minute:
            await async_wait_recording_done(self.hass)
            do_adhoc_statistics(self.hass, start=later(self.summed))
            await async_wait_recording_done(self.hass)
            self.summed += PERIOD
            if not quiet:
                await self.tick(self.summed + 1.5)
        self.freezer.move_to(later(minute))

    async def tick(self, minute: float) -> None:
        """What is due is done."""
        self.freezer.move_to(later(minute))
        async_fire_time_changed(self.hass, later(minute))
        await self.hass.async_block_till_done(wait_background_tasks=True)

    async def be_silent(self, minute: int) -> None:
        """The meter does not answer until then; meanwhile the recorder deletes what is too old."""
        await self.tick(minute)
        assert await async_setup_component(self.hass, "homeassistant", {})
        await self.hass.services.async_call("recorder", "purge", {}, blocking=True)
        for _ in range(3):
            await async_wait_recording_done(self.hass)
        self.summed = minute

    async def saved(self, storage: dict[str, Any]) -> dict[str, Any]:
        """The files as they are once all is written."""
        await self.entry.runtime_data.coordinator.record.async_save_now()
        return copy.deepcopy(storage)

    async def kill(
        self, storage: dict[str, Any], on_disk: dict[str, Any] | None, minute: float
    ) -> None:
        """Home Assistant is killed, and starts at that minute with the files as they were then, or are now."""
        await async_wait_recording_done(self.hass)
        on_disk = copy.deepcopy(storage) if on_disk is None else on_disk
        # Nobody is told that the sensors are gone.
        get_instance(self.hass).set_enable(False)
        await self.hass.config_entries.async_unload(self.entry.entry_id)
        await async_wait_recording_done(self.hass)
        get_instance(self.hass).set_enable(True)
        await self.go_on(minute)
        storage.clear()
        storage.update(on_disk)
        self.hass.set_state(CoreState.starting)
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        self.hass.set_state(CoreState.running)
        await self.hass.async_block_till_done()

    async def changes(self, key: str, meter: str = f"LGZ_{NUMBER}") -> list[float]:
        """What each hour has used, once nothing is left to correct."""
        assert self.entry.runtime_data.coordinator.record.open_offsets == ()
        return [round(one, 3) for one in (await self.hours(key, meter)).values()]

    async def hours(self, key: str, meter: str = f"LGZ_{NUMBER}") -> dict[datetime, float]:
        """What each hour has used, as the Energy dashboard has it."""
        await async_wait_recording_done(self.hass)
        entity = entity_id(self.hass, key, meter)
        rows = await get_instance(self.hass).async_add_executor_job(
            lambda: statistics_during_period(
                self.hass, START - timedelta(days=400), None, {entity}, "hour", None, {"change"}
            )
        )
        return {
            datetime.fromtimestamp(row["start"], UTC): row["change"] or 0.0 for row in rows[entity]
        }
