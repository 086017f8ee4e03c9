"""A simulated IEC 62056-21 meter that behaves in time: speed, parity, reaction, echo, faults.

Here: what tests and demos import.
Never here: anything of the component under test; a mistake shared by both would hide.
"""

from .foreign import Foreign, Pusher
from .log import Event, Kind, Log
from .manners import Check, Faults, Manners, Mode, WakeUp
from .meter import Content, Meter
from .scenario import Gas, Heat, Household
from .serve import Served, Transport, serve
from .telegram import Telegram
from .wire import Echo, Link

__all__ = [
    "Check",
    "Content",
    "Echo",
    "Event",
    "Faults",
    "Foreign",
    "Gas",
    "Heat",
    "Household",
    "Kind",
    "Link",
    "Log",
    "Manners",
    "Meter",
    "Mode",
    "Pusher",
    "Served",
    "Telegram",
    "Transport",
    "WakeUp",
    "serve",
]
