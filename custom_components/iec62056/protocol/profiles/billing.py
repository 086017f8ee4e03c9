"""Groups the values that a meter stored at its resets (`1.8.0*03`) by reset."""

from collections.abc import Iterable
from dataclasses import dataclass
import datetime as dt

from .. import values
from ..model import Register
from ..values import TimeKind

# Resets are counted up to 100; 101 to 126 are stored values by month (Norax), 255 is the present value.
_PRESENT = 255
# The moment of a reset (0.1.2), and of those made by hand or by time.
_MOMENTS = frozenset(((0, 1, 2), (0, 1, 3)))


@dataclass(frozen=True, slots=True)
class Billing:
    """What was stored at one reset: its number, its moment (UTC) where the meter sends it, the registers."""

    number: int
    at: dt.datetime | None
    registers: tuple[Register, ...]


def billings(registers: Iterable[Register], zone: dt.tzinfo) -> tuple[Billing, ...]:
    """The stored values of a readout, the latest reset first, those without a moment last; `zone` is the meter's.

    Which number is the latest depends on the make (`*01` the last one, or a counter), so the moments decide.
    """
    stored: dict[int, list[Register]] = {}
    moments: dict[int, dt.datetime] = {}
    for register in registers:
        code = register.obis
        if code is None or code.f == _PRESENT or not register.values:
            continue
        if (code.c, code.d, code.e) in _MOMENTS:
            time = values.timestamp(register.values[0].text, TimeKind.DATE)
            moment = None if time is None else time.utc(zone)
            if moment is not None:
                moments[code.f] = moment
        else:
            stored.setdefault(code.f, []).append(register)
    found = [Billing(number, moments.get(number), tuple(stored[number])) for number in stored]
    dated = sorted((one for one in found if one.at is not None), key=_at, reverse=True)
    return (*dated, *(one for one in found if one.at is None))


def _at(billing: Billing) -> float:
    return 0.0 if billing.at is None else billing.at.timestamp()
