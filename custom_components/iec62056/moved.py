"""A meter whose probe was plugged in elsewhere: found again by its own number.

Here: which ports are asked, and what proves that the meter is there.
Never here: what the entry then keeps, or when to look.
"""

from typing import NamedTuple

from homeassistant.core import HomeAssistant

from . import lines, ports
from .protocol.errors import MeterError
from .protocol.meter import Meter
from .protocol.model import LineProfile, Reading
from .settings import idle_of
from .state import MeterState


class Found(NamedTuple):
    """Where the meter is now, and what it said there."""

    device: str
    reading: Reading
    profile: LineProfile


async def async_find(
    hass: HomeAssistant, kind: str, unique_id: str, profile: LineProfile
) -> Found | None:
    """Ask the free ports with an adapter of that kind; only a whole reading with the meter's number is a proof.

    Other things may hang on these ports: they are called in the way that reached this meter, and in no other.
    """
    for device in await ports.async_candidates(hass, kind):
        try:
            async with lines.hold(hass, device, user=unique_id, idle=idle_of(profile)) as line:
                meter = Meter(line, profile)
                reading = await meter.read_all()
        except MeterError:
            continue
        if MeterState.of(reading, meter.profile).identity.unique_id == unique_id:
            return Found(device, reading, meter.profile)
    return None
