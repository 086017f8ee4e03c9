"""A meter whose probe was plugged in elsewhere: found again by its own number.

Here: which ports are asked, and what proves that the meter is there.
Never here: what the entry then keeps, or when to look; which login may be tried at a meter that is not known (access).
"""

from typing import NamedTuple

from homeassistant.core import HomeAssistant

from ..entry_data import idle_of
from ..protocol.client import MeterClient
from ..protocol.dlms.login import Keyring, default_keyring
from ..protocol.errors import DlmsError, MeterError, NoData
from ..protocol.model import LineProfile, Reading
from ..protocol.transport.line import Line
from ..state.meter_state import MeterState
from . import connection, ports
from .reader import MeterReader


class Found(NamedTuple):
    """Where the meter is now, and what it said there."""

    device: str
    reading: Reading
    profile: LineProfile


async def async_find(
    hass: HomeAssistant, kind: str, unique_id: str, profile: LineProfile, access: MeterReader
) -> Found | None:
    """Ask the free ports with an adapter of that kind; only a whole reading with the meter's number is a proof.

    Other things may hang on these ports: they are called in the way that reached this meter, and in no other.
    """
    for device in await ports.async_candidates(hass, kind):
        try:
            async with connection.hold(hass, device, user=unique_id, idle=idle_of(profile)) as line:
                found = await _at(line, device, unique_id, profile, access)
        except MeterError:
            continue
        if found is not None:
            return found
    return None


async def _at(
    line: Line, device: str, unique_id: str, profile: LineProfile, access: MeterReader
) -> Found | None:
    """The meter, if it is on that line: asked as anybody may ask, and by its login where that did not tell."""

    async def read(keyring: Keyring) -> Found | None:
        meter = MeterClient(line, profile, keyring=keyring)
        reading = await meter.read_all()
        own = MeterState.of(reading, meter.profile).identity.unique_id == unique_id
        return Found(device, reading, meter.profile) if own else None

    public = default_keyring(profile)
    try:
        if (found := await read(public)) is not None:
            return found
    except DlmsError, NoData:
        # The meter may show itself to nobody but who has its password.
        pass
    async with access.elsewhere(device, public.known.mark) as login:
        return None if login is None else await read(login)
