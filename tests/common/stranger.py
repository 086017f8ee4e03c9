"""A probe that may be moved from the meter of an entry to another one of the same model that takes the same password."""

from dataclasses import dataclass, field
import re
from typing import Any, Final, override

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from simulator import Cell, Guard, Manners, Meter, Programming
from simulator.dlms import BinaryMeter, Device, Login, household
from simulator.dlms.policy import KEY, PASSWORD
from simulator.dlms.secrets import AES, GMAC, LOW
from simulator.dlms.things import date_time, name
from simulator.dlms.values import octets

from .programmed import URL

OWN: Final = "77123456"
OTHER: Final = "99999001"
SECRET: Final = "48151623"
NEW: Final = "27182818"
NUMBER: Final = name("0.0.0")
DEVICE_NAME: Final = name("0-0:42.0.0")
KEYS: Final = {
    "encryption_key": bytes(range(16)).hex(),
    "authentication_key": bytes(range(0xD0, 0xE0)).hex(),
}

# All that is not private: sign-on, option select, a register to be read, the break, ACK and NAK.
_PUBLIC: Final = re.compile(
    rb"/\?!\r\n|\x06[02][0-9][0-2]\r\n|\x01R[15]\x02[^\x01-\x1f]*\x03.|\x01B0\x03q|\x06|\x15",
    re.DOTALL,
)
_ASSOCIATE, _GET, _RELEASE = 0x60, 0xC0, 0x62
# Tags of a mechanism and of what proves it, in an AARQ.
_PROVES: Final = (b"\x8b", b"\xac")


@dataclass
class Lines:
    """A readout; without a serial number it tells none."""

    serial: str = OWN
    count: int = 0

    def block(self) -> bytes:
        self.count += 1
        number = f"0.0.0({self.serial})\r\n" if self.serial else ""
        return (
            f"{number}1.8.0({1000 + self.count * 0.001:.3f}*kWh)\r\n16.7.0(00.250*kW)\r\n"
        ).encode()


@dataclass
class Listening(Device):
    """A device that notes what it hears, with the client address that said it."""

    heard: list[tuple[int, bytes]] = field(default_factory=list)

    @override
    def answer(self, client: int, message: bytes) -> bytes:
        self.heard.append((client, message))
        return super().answer(client, message)


class Probe:
    """What sits under the probe: `move` puts another meter there."""

    def __init__(
        self, *, secret: dict[str, Any], new: dict[str, Any], codes: dict[str, str]
    ) -> None:
        self.lines = Lines()
        self.secret = secret
        self.new = new
        self.codes = codes
        self.meter: Meter

    def move(self, serial: str = OWN) -> None:
        """Put the meter of that number there; without one, it tells none."""
        self.lines.serial = serial

    def private(self, sent: list[bytes]) -> list[bytes]:
        """What of all that was sent is for the own meter alone."""
        raise NotImplementedError

    def entry(self, hass: HomeAssistant, **options: Any) -> MockConfigEntry:
        entry = MockConfigEntry(
            domain=DOMAIN,
            title=f"Meter {OWN}",
            unique_id=f"SIM_{OWN}",
            data={"device": URL, "address": "", **self.secret},
            options={
                "write": [self.codes["write"]],
                "execute": [self.codes["execute"]],
                "set_clock": True,
                **options,
            },
        )
        entry.add_to_hass(hass)
        return entry


class Programmed(Probe):
    """In programming mode."""

    def __init__(self, **more: Any) -> None:
        super().__init__(
            secret={"password": SECRET},
            new={"password": NEW, "login": "auto"},
            codes={"write": "C.1.9", "execute": "0.1.0", "read": "0.4.2", "quick": "16.7.0"},
        )
        cells = {
            "0.9.1": Cell("(01:02:03)", write=Guard.PASSWORD),
            "0.9.2": Cell("(20-01-02)", write=Guard.PASSWORD),
            "C.1.9": Cell("(Point 1)", Guard.OPEN, Guard.PASSWORD),
            "0.4.2": Cell("(050*A)", Guard.PASSWORD),
        }
        self.programming = Programming(cells=cells, password=SECRET, button=True, **more)
        self.meter = Meter(self.lines, Manners(model="P1"), programming=self.programming)

    @override
    def private(self, sent: list[bytes]) -> list[bytes]:
        return [one for one in sent if not _PUBLIC.fullmatch(one)]


class Binary(Probe):
    """In mode E, by a login of that client address."""

    def __init__(self, login: Login, client: int, **data: dict[str, Any]) -> None:
        super().__init__(
            codes={
                "write": "0-0:96.13.0",
                "execute": "0-0:10.0.0,1",
                "read": "0-0:96.50.1",
                "quick": "1-0:16.7.0",
            },
            **data,
        )
        self.device = Listening([])
        self.device.logins[client] = login
        self.device.things = household(
            self.lines.block, counter=lambda: max(0, self.device.seen - 1)
        )
        (clock,) = (thing for thing in self.device.things if thing.class_id == 8)
        clock.attributes[2] = lambda: octets(date_time(dt_util.now().replace(year=2020)))
        clock.writable[2] = PASSWORD
        self._everything = list(self.device.things)
        self.meter = BinaryMeter(self.lines, self.device, Manners(model="E1"))
        self._seen = 0

    @override
    def move(self, serial: str = OWN) -> None:
        super().move(serial)
        self.device.things = [
            thing for thing in self._everything if serial or thing.name not in (NUMBER, DEVICE_NAME)
        ]
        for thing in self.device.things:
            if thing.name == DEVICE_NAME:
                thing.put(2, octets(f"SIM00000{serial}".encode()))
        self.device.heard.clear()

    @override
    def private(self, sent: list[bytes]) -> list[bytes]:
        """Whatever another than the public client has said, whatever proves or changes something; and any secret."""
        found = [
            message
            for client, message in self.device.heard
            if client != 16
            or message[0] not in (_ASSOCIATE, _GET, _RELEASE)
            or (message[0] == _ASSOCIATE and any(tag in message for tag in _PROVES))
        ]
        secrets = [SECRET.encode(), NEW.encode(), *map(bytes.fromhex, KEYS.values())]
        return found + [one for one in sent if any(text in one for text in secrets)]


def programmed() -> Probe:
    return Programmed()


def low() -> Probe:
    """Low level security: the password is in the first message."""
    return Binary(
        Login(PASSWORD, LOW, SECRET.encode()),
        1,
        secret={"security": "low", "password": SECRET},
        new={"password": NEW},
    )


def high() -> Probe:
    """High level security: the challenge is answered with what only the password makes."""
    return Binary(
        Login(KEY, AES, SECRET.encode()),
        2,
        secret={"security": "aes", "client": 2, "password": SECRET},
        new={"password": NEW},
    )


def keyed() -> Probe:
    """High level security with keys, in an association that is encrypted from its first message on."""
    return Binary(
        Login(KEY, GMAC, ciphered=True),
        3,
        secret={**KEYS, "client": 3, "system_title": "4841530000000007"},
        new={**KEYS, "encryption_key": bytes(16).hex()},
    )
