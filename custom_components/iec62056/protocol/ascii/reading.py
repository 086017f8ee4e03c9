"""A reading out of what was received in modes A to D, with what the line did on the way."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from .. import obis
from ..model import Health, LineProfile, Medium, ParitySeen, Reading
from ..transport.line import Line
from ..transport.trace import LineStats
from . import checks
from .receiver import Receiver
from .registers import registers

# A readout of 16 kB has fewer data sets; more would hold the event loop for longer than 5 ms.
MOST_AT_ONCE = 800


@dataclass(frozen=True, slots=True)
class Start:
    """When a reading began, by the line's clock and by the calendar, and the line's counters of then."""

    at: float
    received: datetime
    before: LineStats

    @classmethod
    def of(cls, line: Line) -> Self:
        """It begins now."""
        return cls(line.now(), line.utcnow(), line.tally.copy())


def with_medium(profile: LineProfile, receiver: Receiver) -> LineProfile:
    """The profile with the medium of codes that name none: found in the first reading, and kept."""
    if profile.medium is not None:
        return profile
    medium = obis.infer_medium(receiver.identification, receiver.datasets)
    return replace(profile, medium=medium)


async def reading(
    line: Line, profile: LineProfile, receiver: Receiver, start: Start, **health: Any
) -> Reading:
    """The reading; `health` is what its mode knows of it besides the line's counters."""
    medium = profile.medium or Medium.ELECTRICITY
    count = line.tally.since(start.before)
    known = Health(
        check_kind=checks.kind(profile, receiver.fits),
        parity=ParitySeen.STRIPPED if receiver.no_parity else line.tally.parity,
        parity_errors=receiver.wrong(count),
        characters=count.characters,
        echo=count.echoed > 0,
        duration=line.now() - start.at,
        speed=line.speed,
        late_switches=count.late_switches,
    )
    if len(receiver.datasets) > MOST_AT_ONCE:
        found, homeless = await asyncio.to_thread(registers, receiver.datasets, medium)
    else:
        found, homeless = registers(receiver.datasets, medium)
    return Reading(
        identification=receiver.identification,
        registers=found,
        received=start.received,
        health=replace(known, **health),
        unparsed=(*receiver.unparsed, *homeless),
        raw=bytes(receiver.raw),
    )
