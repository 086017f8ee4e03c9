"""Listening to a meter that sends by itself, as long as its entry is set up."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..protocol.errors import MeterError
from ..protocol.model import Reading
from .background import in_background
from .reader import MeterReader


class PushListener:
    """The listener of one meter. The line is held while it listens, and opened again when it fails."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        reader: MeterReader,
        on_reading: Callable[[Reading], Awaitable[None]],
        on_error: Callable[[Exception], None],
    ) -> None:
        """Nothing is listened to yet. `on_error` gets what ended the listening, a MeterError or an unexpected one."""
        self._hass = hass
        self._entry = entry
        self._reader = reader
        self._on_reading = on_reading
        self._on_error = on_error
        self._task: asyncio.Task[None] | None = None

    @callback
    def start(self) -> None:
        """Listen until that is stopped, or the entry is unloaded."""
        self._task = in_background(self._hass, self._entry, self._listen(), "listening")

    @callback
    def stop(self) -> bool:
        """Free the line. False where nothing was listened to."""
        task, self._task = self._task, None
        return task is not None and task.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear_on()
            except MeterError as err:
                self._on_error(err)
            except Exception as err:  # noqa: BLE001 - `on_error` tells it
                # One telegram that cannot be taken is not the end of all that follow.
                self._reader.history.backoff.fail()
                self._on_error(err)
            # It hears for nothing on a line that is its own: only the number of failures counts.
            await asyncio.sleep(self._reader.history.backoff.pause())

    async def _hear_on(self) -> None:
        """Listen until the line fails. Raises MeterError."""
        async with self._reader.hold_line() as line:
            client = await self._reader.async_listener(line)
            async with aclosing(client.listen()) as readings:
                async for reading in readings:
                    self._reader.keyrings.async_key_fitted()
                    self._reader.use_line_profile(client.profile)
                    await self._on_reading(reading)
