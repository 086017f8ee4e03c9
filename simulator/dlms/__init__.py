"""The binary half of a simulated meter: HDLC and DLMS/COSEM behind the sign-on (mode E), or at once."""

from .device import Device
from .meter import BinaryManners, BinaryMeter
from .policy import Login, Policy
from .things import Thing, household

__all__ = ["BinaryManners", "BinaryMeter", "Device", "Login", "Policy", "Thing", "household"]
