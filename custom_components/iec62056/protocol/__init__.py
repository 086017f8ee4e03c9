"""An asynchronous client for meters that speak IEC 62056-21 (optical port, current loop, RS-485).

    line = await open_line("/dev/ttyUSB0")
    try:
        profile, reading = await climb(line)
        later = await Meter(line, profile).read_all()
        async with Meter(line, profile, password=Password("...")).conversation() as talk:
            answers = await talk.read(["1.7.0", "32.7.0"])
    finally:
        await line.close()

Here: what a user of the client may import. Nothing below this package knows Home Assistant.
"""

from .access import Answer, Certainty, Conversation, Level, Offer, Permits, Written
from .dlms.login import Keyring
from .errors import LineError, MeterError
from .ladder import Hints, climb
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
from .p2 import Login, Password

__all__ = [
    "Answer",
    "Certainty",
    "CheckKind",
    "Conversation",
    "DataSet",
    "Health",
    "Hints",
    "Identification",
    "Keyring",
    "Level",
    "Line",
    "LineError",
    "LineProfile",
    "Login",
    "Medium",
    "Meter",
    "MeterError",
    "Mode",
    "Obis",
    "Offer",
    "ParitySeen",
    "Password",
    "Permits",
    "Progress",
    "ProgressCallback",
    "Reading",
    "Register",
    "Rung",
    "Stage",
    "Value",
    "Verdict",
    "Written",
    "climb",
    "open_line",
]
