"""Simulated meters of mode E for the tests, on a line in a time of its own."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.dlms.login import PUBLIC, DlmsLogin, Keyring
from custom_components.iec62056.protocol.dlms.security import (
    Credentials,
    InvocationCounter,
    Keys,
    Mechanism,
    Protection,
)
from custom_components.iec62056.protocol.model import LineProfile, Mode
from simulator import Manners
from simulator.dlms import BinaryManners, BinaryMeter, Device, Login as Door, Policy, household
from simulator.dlms.policy import KEY, PASSWORD

from ...common.wired import WiredLine

LINES = (
    b"F.F(00000000)\r\n0.0.0(10012345)\r\nC.1.0(10012345)\r\n0.2.0(SIM 1.0)\r\n"
    b"1.8.0(007084.592*kWh)\r\n1.8.1(004211.073*kWh)\r\n2.8.0(001904.688*kWh)\r\n"
    b"1.8.0*01(006892.354*kWh)\r\n1.6.0(02.310*kW)(3105170715)\r\n32.7.0(231.4*V)\r\n13.7.0(0.981)\r\n"
    b"16.7.0(-00.250*kW)\r\nC.8.0(00021944*h)\r\n"
)
PASSWORD_TEXT = b"12345678"
SECRET = b"a shared secret"
TITLE = b"HAS\x00\x00\x00\x00\x07"
KEYS = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
E = LineProfile(mode=Mode.E)
NOW = datetime(2031, 5, 17, 8, 0, tzinfo=ZoneInfo("Europe/Berlin"))

LOW = DlmsLogin(1, Credentials(Mechanism.LOW, PASSWORD_TEXT))
DOORS = {16: Door(), 1: Door(PASSWORD, 1, PASSWORD_TEXT)}


class Lines:
    """Content that never changes."""

    def block(self) -> bytes:
        return LINES


def high(
    mechanism: Mechanism, client: int = 2, *, protection: Protection = Protection.BOTH
) -> DlmsLogin:
    """A login by challenge and answer; GMAC in a ciphered association."""
    ciphered = mechanism is Mechanism.GMAC
    title = TITLE if mechanism in (Mechanism.GMAC, Mechanism.SHA256) else None
    credentials = Credentials(
        mechanism,
        b"" if ciphered else SECRET,
        KEYS if ciphered else None,
        title,
        ciphered,
        protection,
    )
    return DlmsLogin(client, credentials)


def door(mechanism: Mechanism) -> Door:
    """The meter's side of `high`."""
    return Door(KEY, int(mechanism), SECRET, ciphered=mechanism is Mechanism.GMAC)


def device(**settings: Any) -> Device:
    """A meter whose registers anybody may read; some objects are for a password, or a key."""
    made = Device([], **({"logins": dict(DOORS)} | settings))
    made.things = household(Lines().block, clock=lambda: NOW, counter=lambda: max(0, made.seen - 1))
    return made


def meter(
    dev: Device | None = None,
    *,
    link_faults: Any = None,
    manners: Manners | None = None,
    **binary: Any,
) -> BinaryMeter:
    return BinaryMeter(
        Lines(),
        dev or device(),
        manners,
        binary=BinaryManners(**binary),
        link_faults=link_faults,
    )


class Disk:
    """What `store` writes; `dies` raises in place of it, or behind it."""

    def __init__(self, dies: Callable[[int], None] = lambda _: None) -> None:
        self.end = 0
        self.writes: list[int] = []
        self._dies = dies

    async def store(self, end: int) -> None:
        self._dies(end)
        self.end = end
        self.writes.append(end)


def keyring(*logins: DlmsLogin, disk: Disk | None = None) -> Keyring:
    """A keyring as a start of Home Assistant makes it: the counter as it was stored."""
    disk = disk or Disk()
    return Keyring((PUBLIC, *logins), InvocationCounter(disk.end), disk.store)


def client(
    simulated: BinaryMeter,
    ring: Keyring | None = None,
    profile: LineProfile = E,
    **line: Any,
) -> tuple[WiredLine, MeterClient]:
    wired = WiredLine(simulated, **line)
    return wired, MeterClient(wired, profile, keyring=ring)


__all__ = ["Policy"]
