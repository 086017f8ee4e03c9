"""Listening to a meter that sends by itself.

Here: the line held as long as the entry is set up, opened again when it fails; and how much of what comes is shown.
Never here: what is believed of it, when a meter is asked.
"""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from homeassistant.core import callback
from homeassistant.helpers.update_coordinator import UpdateFailed

from ..protocol.client import MeterClient
from ..protocol.errors import MeterError
from ..protocol.model import Reading
from . import backoff

if TYPE_CHECKING:
    from ..coordinator import MeterCoordinator
    from ..state.meter_state import MeterState


class PushListener:
    """The listener of one meter."""

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Know whose it is; nothing is listened to yet."""
        self._coordinator = coordinator
        self._task: asyncio.Task[None] | None = None
        self._published: datetime | None = None

    @callback
    def async_start(self) -> None:
        """Listen until that is stopped, or the entry is unloaded."""
        self._task = self._coordinator.in_background(self._listen(), "listen")

    @callback
    def async_stop(self) -> bool:
        """Free the line. False where nothing was listened to."""
        task, self._task = self._task, None
        return task is not None and task.cancel()

    async def _listen(self) -> None:
        coordinator = self._coordinator
        while True:
            try:
                await self._hear_on()
            except Exception as err:
                # One telegram that cannot be taken is not the end of all that follow.
                if coordinator.last_update_success:
                    coordinator.logger.exception("Unexpected error hearing %s", coordinator.name)
                coordinator.consecutive_failures += 1
                coordinator.async_set_update_error(err)
            await asyncio.sleep(backoff.pause(coordinator.consecutive_failures))

    async def _hear_on(self) -> None:
        """Listen, whatever the line does."""
        coordinator = self._coordinator
        while True:
            try:
                async with coordinator.hold() as line:
                    profile = coordinator.profile
                    if coordinator.lost:
                        profile = replace(profile, listen_speed=None)
                    meter = MeterClient(line, profile)
                    async with aclosing(meter.listen()) as readings:
                        async for reading in readings:
                            coordinator.profile = meter.profile
                            self._hear(reading)
            except MeterError as err:
                coordinator.async_fail(err)
            # It hears for nothing on a line that is its own: only the number of failures counts.
            await asyncio.sleep(backoff.pause(coordinator.consecutive_failures))

    @callback
    def _hear(self, reading: Reading) -> None:
        """Take what came; of another meter, nothing is shown."""
        try:
            if (state := self._coordinator.async_process_reading(reading)) is not None:
                self._publish(state)
        except UpdateFailed as err:
            self._coordinator.async_set_update_error(err)

    @callback
    def _publish(self, state: MeterState) -> None:
        """Show it, but not every second: all of it counts, some of it is shown."""
        coordinator = self._coordinator
        if (
            self._published is None
            or not coordinator.last_update_success
            or state.received - self._published >= coordinator.interval
        ):
            if not coordinator.last_update_success:
                # Said as it is of a meter that is polled.
                coordinator.logger.info("Fetching %s data recovered", coordinator.name)
            self._published = state.received
            coordinator.async_set_updated_data(state)
