"""An entry with register sensors, read again with other values."""

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .bench import HOUSEHOLD, Bench, later, reading


async def read_again(
    entry: MockConfigEntry,
    bench: Bench,
    freezer: FrozenDateTimeFactory,
    sent: dict[str, list[str]],
    minute: float = 1,
) -> None:
    """Read the household again, with these registers changed."""
    bench.answers = [reading({**HOUSEHOLD, **sent}, at=later(minute))]
    freezer.move_to(later(minute))
    await entry.runtime_data.coordinator.async_refresh()
    await entry.runtime_data.coordinator.hass.async_block_till_done()
