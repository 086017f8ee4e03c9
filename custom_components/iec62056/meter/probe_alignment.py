"""What reaches the probe of one meter, and calling the meter again and again while the user moves the probe."""

from collections.abc import Callable
from datetime import timedelta
from math import ceil

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..protocol.errors import MeterError
from .alignment_run import AlignmentRun, of_failure
from .background import in_background
from .push_listener import PushListener
from .reader import MeterReader
from .schedule import BATTERY_INTERVAL


class ProbeAlignment:
    """The calls of one probe. `run` are those that are being made."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        reader: MeterReader,
        listener: PushListener,
        save: Callable[[], None],
    ) -> None:
        """Nothing is called yet. `save` keeps when a battery was asked for that."""
        self.run: AlignmentRun | None = None
        self._hass = hass
        self._entry = entry
        self._reader = reader
        self._listener = listener
        self._save = save

    @callback
    def start(self) -> None:
        """Call the meter until the probe sits well.

        Raises ServiceValidationError where that would empty the meter's battery.
        """
        if self.run is not None:
            return
        reader = self._reader
        if battery := reader.line_profile.on_battery:
            now = dt_util.utcnow()
            last = reader.aligned_at
            if last is not None and (wait := last + BATTERY_INTERVAL - now) > timedelta(0):
                raise ServiceValidationError(
                    translation_domain=DOMAIN,
                    translation_key="aligned_already",
                    translation_placeholders={"hours": str(ceil(wait / timedelta(hours=1)))},
                )
            reader.note_alignment(now)
            self._save()
        self.run = AlignmentRun.begin(
            reader.device,
            reader.speed,
            reader.line_profile,
            self._hass.loop.time(),
            battery=battery,
            user=self._entry.entry_id,
        )
        in_background(self._hass, self._entry, self._call(self.run), "alignment")

    async def _call(self, run: AlignmentRun) -> None:
        signal = self._reader.history.signal
        signal.show(signal.current)
        listened = self._listener.stop()
        try:
            while not run.over(self._hass.loop.time()):
                signal.show(await run.call(self._hass))
        except MeterError as err:
            signal.show(of_failure(err))
        finally:
            self.run = None
        signal.show(signal.current)
        if listened:
            self._listener.start()
