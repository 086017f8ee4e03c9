"""An asynchronous client for meters that speak IEC 62056-21 (optical port, current loop, RS-485).

    line = await open_line("/dev/ttyUSB0")
    try:
        reading = await Meter(line).read_all()
    finally:
        await line.close()

Here: what a user of the client may import. Nothing below this package knows Home Assistant.
"""

from .errors import LineError, MeterError
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
    Stage,
    Value,
    Verdict,
)

__all__ = [
    "CheckKind",
    "DataSet",
    "Health",
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
    "Stage",
    "Value",
    "Verdict",
    "open_line",
]
