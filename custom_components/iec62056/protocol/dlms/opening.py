"""Prepares the line for a meter that speaks HDLC at once, without a sign-on."""

from ..model import LineProfile
from ..transport.line import Line

# The local port's default (0.0.20.0.0.255, attributes 2 to 4; SPODES and Mercury meters).
_SPEED = 9600


async def open_at_once(line: Line, profile: LineProfile) -> None:
    """Have the line ready for frames, at the speed the profile names. Raises LineError."""
    speed = profile.speed or _SPEED
    if line.can_switch:
        await line.set_speed(speed, at=max(line.now(), line.sent_at + line.margin))
    line.binary = True
    line.drop_input()
