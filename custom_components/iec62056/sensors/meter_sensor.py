"""Base of the sensors whose display shows as many decimals as the meter sends."""

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import callback

from ..entity import MeterEntity


class MeterSensor(MeterEntity, SensorEntity):
    """A sensor of one meter's numbers."""

    @callback
    def _show_decimals(self, decimals: int | None) -> None:
        """Show so many decimals, if fewer were shown so far."""
        shown = self.suggested_display_precision
        if decimals is None or (shown is not None and decimals <= shown):
            return
        self._attr_suggested_display_precision = decimals
        if self.registry_entry is not None:
            # Home Assistant keeps the precision in its registry, and looks at ours only there.
            self.async_registry_entry_updated()
