"""Identity of a meter from what it sends: make, model, its own number and firmware.

The address used at sign-on is no part of it: several meters may share one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
import re
import string
from typing import Final, Self

from ..protocol.model import Identification, Medium, Obis, Register
from ..protocol.push import TITLE_ADDRESS

# Manufacturers by FLAG id, as met in identification messages. Some grid operators have their own id.
MAKES = {
    "ABB": "ABB",
    "ACE": "Itron",
    "ADN": "Aidon",
    "AEL": "Köhler",
    "APA": "Apator",
    "AUX": "AUX",
    "CTA": "ZIV",
    "EBZ": "eBZ",
    "EGM": "Elgama",
    "EKT": "Energomera",
    "ELL": "Sagemcom",
    "ELS": "Elster",
    "EMH": "EMH",
    "EMR": "Energomera",
    "ENE": "Sagemcom",
    "EST": "Sagemcom",
    "ESY": "EasyMeter",
    "FLU": "Sagemcom",
    "GEC": "Elster",
    "HAG": "Hager",
    "ISK": "Iskraemeco",
    "ITR": "Itron",
    "KAM": "Kamstrup",
    "KFM": "Kaifa",
    "KMP": "Kamstrup",
    "LGZ": "Landis+Gyr",
    "LOG": "Logarex",
    "LUG": "Landis+Gyr",
    "LUN": "Luna",
    "MCS": "MetCom",
    "MIR": "Mirtek",
    "MSY": "Makel",
    "NWA": "WarmteLink",
    "NZR": "NZR",
    "PAF": "Pafal",
    "SAG": "Sagemcom",
    "SAT": "Satec",
    "SIE": "Siemens",
    "SLB": "Schlumberger",
    "SMS": "Siemens",
    "TPC": "Taipit",
    "VIK": "Viko",
    "XMX": "Landis+Gyr",
    "ZPA": "ZPA",
}

# In the unique id of a meter that does not announce itself.
UNKNOWN_FLAG = "unknown"

# Their 0.0 repeats the customer's number (9.21), which two meters of one owner may share: the device's is 9.20.
OWN_NUMBER_ADDRESS = {"LUG": "9.20", "SIE": "9.20"}

# C, D, E of the registers that carry the meter's own number, the surest first. The last two are those of P1 pushes:
# the equipment identifier and the logical device name.
NUMBER_CODES = ((96, 1, 0), (0, 0, 0), (0, 0, 1), (96, 1, 1), (42, 0, 0))
FIRMWARE_CODE = (0, 2, 0)

# Shorter ones are bus addresses or numbers cut short, which more than one meter has.
SHORTEST_NUMBER = 6
DIGITS_IN_NAME: Final = 4
# Hexadecimal text of eight characters; anything shorter is a number that only looks like it.
SHORTEST_HEX_TEXT = 16
# What stands around a text and is none of it.
PADDING = string.whitespace + "\0"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a meter tells about itself; None for what it does not tell."""

    flag: str | None = None
    model: str | None = None
    number: str | None = None
    # The key of the register that the number came from.
    number_code: str | None = None
    firmware: str | None = None

    @property
    def make(self) -> str | None:
        """The manufacturer's name, else the FLAG id itself."""
        return None if self.flag is None else MAKES.get(self.flag, self.flag)

    @property
    def name(self) -> str:
        """Make and model, as the user would call the meter."""
        return " ".join(part for part in (self.make, self.model) if part) or "Meter"

    @property
    def numbered_name(self) -> str:
        """The name with the end of the number, for one of two meters of that name."""
        return " ".join((self.name, (self.number or "")[-DIGITS_IN_NAME:])).strip()

    @property
    def unique_id(self) -> str | None:
        """Make and number; None if the meter has no number of its own."""
        return None if self.number is None else f"{self.flag or UNKNOWN_FLAG}_{self.number}"

    @classmethod
    def of(cls, identification: Identification | None, registers: Iterable[Register]) -> Self:
        """Look for the meter's identity in its identification message and its registers."""
        flag = flag_of(identification)
        registers = tuple(registers)
        coded = tuple(_coded(registers))
        number, code = _number(flag, registers, coded)
        firmware = next(
            (plain(one.values[0].text) for code_, one in coded if code_ == FIRMWARE_CODE), None
        )
        model = model_of(identification, number)
        if model is not None and _FIRMWARE(model):
            # Elster names its firmware there, and no model.
            model, firmware = None, firmware or model
        return cls(flag, model, number, code, firmware or None)


def plain(text: str) -> str:
    """The text without padding, decoded where the meter sends its characters in hexadecimal."""
    stripped = text.strip(PADDING)
    if len(stripped) < SHORTEST_HEX_TEXT or len(stripped) % 2:
        return stripped
    try:
        decoded = bytes.fromhex(stripped).decode("ascii").strip(PADDING)
    except ValueError:
        return stripped
    return decoded if decoded.replace(" ", "").replace("-", "").isalnum() else stripped


def flag_of(identification: Identification | None) -> str | None:
    """The FLAG id in capitals: a small third letter only tells the reaction time (Std 6.3.14 item 12)."""
    if identification is None or not identification.flag.isalpha():
        return None
    return identification.flag.upper()


def model_of(identification: Identification | None, number: str | None) -> str | None:
    """The model without the meter's number, which some makes append to it."""
    if identification is None:
        return None
    model = identification.model
    if number is not None:
        model = model.replace(number, "")
    # Makel writes a second digit between its speed and its model.
    model = _EXTENSION("", model).strip(string.whitespace + "_-")
    # Kaifa's meters begin with the make, which stands before the model already.
    make = MAKES.get(flag_of(identification) or "", "")
    if make and model.lower().startswith(f"{make.lower()} "):
        model = model[len(make) :].strip()
    return model or None


_EXTENSION: Final = re.compile(r"^<\d>").sub
_FIRMWARE: Final = re.compile(r"[Vv]\d+(?:\.\d+)+").fullmatch

type Coded = tuple[tuple[int, int, int], Register]


def _coded(registers: Iterable[Register]) -> Iterable[Coded]:
    """The meter's own current registers with their C, D, E, not those of devices behind it."""
    for register in registers:
        code = register.obis
        if code is not None and register.values and code.current and _own(code):
            yield (code.c, code.d, code.e), register


def _own(code: Obis) -> bool:
    """Channels of abstract codes are devices behind the meter (M-Bus); those of a medium are its own inputs."""
    return code.b == 0 if code.a == Medium.ABSTRACT else code.b <= 1


def _number(
    flag: str | None, registers: Iterable[Register], coded: Iterable[Coded]
) -> tuple[str | None, str | None]:
    """The number and the key of the register it was found in."""
    if flag in OWN_NUMBER_ADDRESS:
        candidates = [
            register for register in registers if register.address == OWN_NUMBER_ADDRESS[flag]
        ]
    else:
        candidates = [
            register for wanted in NUMBER_CODES for code, register in coded if code == wanted
        ]
        # What encrypted telegrams name the meter by, where their list does not.
        candidates += [register for register in registers if register.address == TITLE_ADDRESS]
    for register in candidates:
        number = plain(register.values[0].text) if register.values else ""
        # Zeros or dashes only: never programmed.
        if len(number) >= SHORTEST_NUMBER and len(set(number) - set(string.punctuation)) > 1:
            return number, register.key
    return None, None
