"""An asynchronous client for meters that speak IEC 62056-21 (optical port, current loop, RS-485).

line = await open_line("/dev/ttyUSB0")
try:
    profile, reading = await discover(line)
    later = await MeterClient(line, profile).read_all()
    async with MeterClient(line, profile, password=Password("...")).conversation() as session:
        answers = await session.read(["1.7.0", "32.7.0"])
finally:
    await line.close()
"""

from .ascii.passwords import Password, PasswordMethod
from .client import MeterClient
from .discovery import DiscoveryHints, discover
from .dlms.login import Keyring
from .errors import LineError, MeterError
from .model import (
    CheckKind,
    DataSet,
    DiscoveryStep,
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
from .register_session import Answer, Level, Offer, Permits, RegisterSession, WriteOutcome, Written
from .transport.line import Line
from .transport.serial_line import open_line

__all__ = [
    "Answer",
    "CheckKind",
    "DataSet",
    "DiscoveryHints",
    "DiscoveryStep",
    "Health",
    "Identification",
    "Keyring",
    "Level",
    "Line",
    "LineError",
    "LineProfile",
    "Medium",
    "MeterClient",
    "MeterError",
    "Mode",
    "Obis",
    "Offer",
    "ParitySeen",
    "Password",
    "PasswordMethod",
    "Permits",
    "Progress",
    "ProgressCallback",
    "Reading",
    "Register",
    "RegisterSession",
    "Stage",
    "Value",
    "Verdict",
    "WriteOutcome",
    "Written",
    "discover",
    "open_line",
]
