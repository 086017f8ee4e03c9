"""A day of a meter that pushes every five seconds: what is shown, what it costs, and that nothing grows."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
import gc
from itertools import pairwise
import logging
from pathlib import Path
import time
from typing import Any
from unittest.mock import NonCallableMock, patch

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.coordinator import MeterCoordinator
from custom_components.iec62056.protocol.model import Mode
from custom_components.iec62056.protocol.push import PushReader
from simulator import Household
from simulator.dlms.push import KEY, MAKES, PushMeter

from ..common.bench import START, state
from ..common.leap import leaping
from ..common.programmed import URL, wire

METER = "ISK_ISK69740A0B0C"
EVERY = 5.0
# After that, the record of the line is full: it holds 4096 runs.
SETTLED = timedelta(hours=8)


@pytest.fixture
def _quiet() -> Iterator[None]:
    """Without a log: the tests' own collection of it would grow."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Cost:
    """Calls of a function, and the CPU time they took."""

    def __init__(self) -> None:
        self.calls, self.seconds = 0, 0.0

    @contextmanager
    def of(self, owner: type, name: str) -> Iterator[None]:
        inner = getattr(owner, name)

        def counted(*arguments: Any) -> Any:
            begun = time.thread_time()
            try:
                return inner(*arguments)
            finally:
                self.calls += 1
                self.seconds += time.thread_time() - begun

        with patch.object(owner, name, counted):
            yield


def in_use() -> tuple[int, int]:
    """Objects and timers that are in use now, but for what the tests' own stand-ins remember."""
    for one in gc.get_objects():
        if isinstance(one, NonCallableMock):
            one.reset_mock()
    gc.collect()
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return len(gc.get_objects()), sum(not one.cancelled() for one in scheduled)


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    ("settled", "lasts"),
    [
        (timedelta(minutes=20), timedelta(hours=1)),
        pytest.param(SETTLED, timedelta(hours=24), marks=pytest.mark.long, id="a day"),
    ],
)
async def test_a_day_of_pushes(
    hass: HomeAssistant, tmp_path: Path, settled: timedelta, lasts: timedelta
) -> None:
    hass.config.config_dir = str(tmp_path)
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Meter",
        unique_id=METER,
        data={"device": URL, "address": "", "mode": Mode.D, "encryption_key": KEY.hex()},
    )
    entry.add_to_hass(hass)
    household = Household(clock=dt_util.utcnow)
    meter = PushMeter(household, replace(MAKES["optical"], interval=EVERY), clock=dt_util.utcnow)
    client, integration = Cost(), Cost()
    shown = list[datetime]()
    with (
        client.of(PushReader, "feed"),
        integration.of(MeterCoordinator, "async_process_pushed"),
        leaping(START),
    ):
        async with wire(hass, meter):
            await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done()
            coordinator = entry.runtime_data.coordinator
            coordinator.async_add_listener(lambda: shown.append(dt_util.utcnow()))
            await asyncio.sleep(settled.total_seconds())
            objects, timers = in_use()
            shown.clear()
            left = lasts - settled
            await asyncio.sleep(left.total_seconds())
            more_objects, more_timers = in_use()
            count = len(shown)
            gaps = [after - before for before, after in pairwise(shown)]
            energy = float(state(hass, "1-0:1.8.0", METER).state)
    pushed = lasts.total_seconds() / EVERY
    print(
        f"\n{integration.calls} telegrams, {count} times shown in {left}; CPU of a telegram: client "
        f"{client.seconds / integration.calls * 1000:.2f} ms, integration "
        f"{integration.seconds / integration.calls * 1000:.2f} ms; objects {objects} → {more_objects}"
    )
    assert integration.calls == pytest.approx(pushed, rel=0.05)
    assert coordinator.failures == 0
    # Every second one is shown.
    assert min(gaps) >= timedelta(seconds=9.5)
    assert count == pytest.approx(left.total_seconds() / 10, rel=0.05)
    assert energy > 7084
    assert more_timers <= timers + 2
    # What the line's record holds of each run, until it is full.
    kept = 0 if settled >= SETTLED else 3 * left.total_seconds() / EVERY
    assert more_objects < objects * 1.02 + kept + 2_000
