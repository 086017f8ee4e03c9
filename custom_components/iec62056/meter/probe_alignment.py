"""What reaches the probe of one meter, and calling it again and again while a person moves the probe.

Here: who is told of it, and how often a meter on its battery may be called so.
Never here: a single call (placement).
"""

from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..protocol.errors import MeterError
from .alignment_run import AlignmentRun, Signal, of_failure
from .schedule import BATTERY_INTERVAL, runs_on_battery

if TYPE_CHECKING:
    from ..coordinator import MeterCoordinator


class ProbeAlignment:
    """`signal` is what came last, `placement` the calls that are being made, `last` when a battery was asked for them."""

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Nothing was heard yet."""
        self.signal: Signal | None = None
        self.placement: AlignmentRun | None = None
        self.last: datetime | None = None
        self._coordinator = coordinator
        self._listeners: list[CALLBACK_TYPE] = []

    @callback
    def async_listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Be told whenever something was heard of the meter, or was not; gives what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def async_show(self, signal: Signal | None) -> None:
        """Tell what came."""
        self.signal = signal
        for listener in self._listeners:
            listener()

    @callback
    def async_begin(self) -> None:
        """Call the meter until the probe sits well.

        Raises ServiceValidationError where that would empty the meter's battery.
        """
        if self.placement is not None:
            return
        coordinator = self._coordinator
        battery = runs_on_battery(coordinator.profile)
        if battery:
            now = dt_util.utcnow()
            if self.last is not None and (wait := self.last + BATTERY_INTERVAL - now) > (
                timedelta(0)
            ):
                raise ServiceValidationError(
                    translation_domain=DOMAIN,
                    translation_key="aligned_already",
                    translation_placeholders={"hours": str(ceil(wait / timedelta(hours=1)))},
                )
            self.last = now
            coordinator.async_save()
        self.placement = AlignmentRun.begin(
            coordinator.device,
            coordinator.speed,
            coordinator.profile,
            coordinator.hass.loop.time(),
            battery=battery,
            user=coordinator.config_entry.entry_id,
        )
        coordinator.in_background(self._call(self.placement), "alignment")

    async def _call(self, placement: AlignmentRun) -> None:
        hass, push = self._coordinator.hass, self._coordinator.push
        self.async_show(self.signal)
        listened = push.async_stop()
        try:
            while not placement.over(hass.loop.time()):
                self.async_show(await placement.call(hass))
        except MeterError as err:
            self.async_show(of_failure(err))
        finally:
            self.placement = None
        self.async_show(self.signal)
        if listened:
            push.async_start()
