"""A simulated IEC 62056-21 meter that behaves in time: speed, parity, reaction, echo, faults."""

from .foreign import Foreign, Pusher
from .log import Event, Kind, Log
from .manners import BridgeManners, Check, Faults, Manners, Mode, WakeUp
from .meter import Content, Meter
from .programming import Cell, Guard, Programming
from .scenario import Gas, Heat, Household
from .serve import Served, Transport, serve
from .telegram import Telegram
from .wire import Echo, Link

__all__ = [
    "BridgeManners",
    "Cell",
    "Check",
    "Content",
    "Echo",
    "Event",
    "Faults",
    "Foreign",
    "Gas",
    "Guard",
    "Heat",
    "Household",
    "Kind",
    "Link",
    "Log",
    "Manners",
    "Meter",
    "Mode",
    "Programming",
    "Pusher",
    "Served",
    "Telegram",
    "Transport",
    "WakeUp",
    "serve",
]
