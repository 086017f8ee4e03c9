"""An asynchronous client for meters that speak IEC 62056-21 (optical port, current loop, RS-485).

    line = await open_line("/dev/ttyUSB0")
    try:
        profile, reading = await climb(line)
        later = await Meter(line, profile).read_all()
    finally:
        await line.close()

Here: what a user of the client may import. Nothing below this package knows Home Assistant.
"""

from .errors import LineError, MeterError
from .ladder import Hints, climb, limit
from .line import Line, open_line
from .meter import Meter
from .model import (
    CheckKind,
    DataSet,
    Health,
    Identification,
    LineProfile,
    Medium,
    Mode,
    Obis,
    ParitySeen,
    Progress,
    ProgressCallback,
    Reading,
    Register,
    Rung,
    Stage,
    Value,
    Verdict,
)

__all__ = [
    "CheckKind",
    "DataSet",
    "Health",
    "Hints",
    "Identification",
    "Line",
    "LineError",
    "LineProfile",
    "Medium",
    "Meter",
    "MeterError",
    "Mode",
    "Obis",
    "ParitySeen",
    "Progress",
    "ProgressCallback",
    "Reading",
    "Register",
    "Rung",
    "Stage",
    "Value",
    "Verdict",
    "climb",
    "limit",
    "open_line",
]
