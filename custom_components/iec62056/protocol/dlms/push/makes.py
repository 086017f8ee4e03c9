"""What makes leave out of their pushes: the codes of lists without any, and how numbers without a scaler are meant.

Facts from the makes' and operators' papers as public readers have them. The source of each entry stands beside it.
"""

from dataclasses import dataclass

# FLAG ids in system titles, logical device names and names of lists.
NAMES = {
    "ADN": "Aidon",
    "EGM": "Elgama",
    "ELS": "Honeywell",
    "EMR": "Energomera",
    "ISK": "Iskraemeco",
    "KAM": "Kamstrup",
    "KFM": "Kaifa",
    "LGZ": "Landis+Gyr",
    "SAG": "Sagemcom",
    "SMS": "Siemens",
}
# The first element of lists in which nothing else names the make.
LIST_NAMES = {"KFM_001": "KFM", "Kamstrup_V0001": "KAM"}


@dataclass(frozen=True, slots=True)
class Convention:
    """The power of ten by which a number without a scaler is meant, for each quantity; None where it is not known.

    In Wh and varh, W and var, V, A; the power factor has no unit.
    """

    energy: int | None = 0
    power: int | None = 0
    voltage: int | None = None
    current: int | None = None
    factor: int | None = None


UNKNOWN = Convention(energy=None, power=None)
# Every source has energies in Wh and powers in W, but those of Kamstrup.
USUAL = Convention()

# amsreader-firmware (issues 615, 869, 949), smartmeter-datacollector (iskraam550.py).
AM550 = Convention(voltage=-1, current=-2, factor=-3)
# smartmeter-datacollector (lge450.py, lge360.py, test data of E450 and E570), amsreader-firmware (issue 949).
E450 = Convention(voltage=0, current=-2, factor=-3)
E360 = Convention(voltage=-1, current=-2, factor=-3)
E570 = Convention(voltage=0, current=0, factor=-3)
# The E570 with 64-bit values: nobody says how its currents and voltages are meant.
E570_WIDE = Convention(factor=-3)
# amshan (kaifa.py), amsreader-firmware (frames of Kaifa).
KAIFA = Convention(voltage=-1, current=-3)
# amsreader-firmware (issues 239 and 862, frames of Kamstrup): by the type number, since countries differ by ten.
KAMSTRUP = {
    "BN243101040": Convention(energy=1, voltage=0, current=-2),
    "BN245101092": Convention(voltage=0, current=-2),
    "BN243101010": Convention(energy=None, power=None, voltage=-2),
}


@dataclass(frozen=True, slots=True)
class PositionalList:
    """A list that sends no codes, known by the types of all its elements.

    `shape` has a letter for each element: c clock, t text, o code, h time, d date, p pair of octets, w number of 32 or
    64 bits, s number of 16 bits, e enumeration, b boolean, a array. `codes` has an empty text where none is known.
    `makes` are the FLAG ids that send it.
    """

    shape: str
    codes: tuple[str, ...]
    makes: frozenset[str]
    convention: Convention


def _list(makes: str, convention: Convention, shape: str, codes: str) -> PositionalList:
    """One entry; "-" stands for an element without a code, and a code without a medium is electricity's."""
    found = tuple(
        "" if code == "-" else code if ":" in code else f"1-0:{code}" for code in codes.split()
    )
    return PositionalList(shape, found, frozenset(makes.split()), convention)


_CLOCK, _NAME, _NUMBER = "0-0:1.0.0", "0-0:42.0.0", "0-0:96.1.0"
_WIENER_NETZE = "1.8.0 2.8.0 3.8.0 4.8.0 1.7.0 2.7.0 3.7.0 4.7.0"
_KAIFA = f"1-1:0.2.129 {_NUMBER} 0-0:96.1.7 1.7.0 2.7.0 3.7.0 4.7.0"
_KAIFA_3 = f"{_KAIFA} 31.7.0 51.7.0 71.7.0 32.7.0 52.7.0 72.7.0"
_KAIFA_1 = f"{_KAIFA} 31.7.0 32.7.0"
_KAIFA_HOUR = f"{_CLOCK} 1.8.0 2.8.0 3.8.0 4.8.0"
_BURGENLAND = "32.7.0 52.7.0 72.7.0 31.7.0 51.7.0 71.7.0 1.7.0 2.7.0 1.8.0 2.8.0"

LISTS = (
    # Wiener Netze: gist pocki80/941fa09, esphome-wienernetze-smartmeter, Tasmota (Smart Meter Interface).
    _list("ISK LGZ", USUAL, "c" + "w" * 8, f"{_CLOCK} {_WIENER_NETZE}"),
    _list("SMS", USUAL, "tc" + "w" * 8, f"{_NAME} {_CLOCK} {_WIENER_NETZE}"),
    # Kärnten Netz: gist pocki80/941fa09, Andre-Schuiki/esphome_im350.
    _list(
        "ISK SMS",
        USUAL,
        "othd" + "w" * 6 + "tt",
        f"- {_NUMBER} 0.9.1 0.9.2 1.8.0 2.8.0 3.8.0 4.8.0 1.7.0 2.7.0 - -",
    ),
    # Netz Burgenland: r00tat/smartmeter_homeassistant_burgenland, amsreader-firmware (lng2). The angles of the operator's
    # paper hold what is no angle.
    _list("LGZ", E450, "ssssss" + "wwww" + "ssst", f"{_BURGENLAND} - - - {_NUMBER}"),
    _list("LGZ", E450, "ssssss" + "wwww" + "t", f"{_BURGENLAND} {_NUMBER}"),
    # Kaifa in Norway and Sweden: amshan (kaifa.py), amsreader-firmware.
    _list("KFM", KAIFA, "w", "1.7.0"),
    _list("KFM", KAIFA, "ttt" + "w" * 10, _KAIFA_3),
    _list("KFM", KAIFA, "ttt" + "w" * 10 + "cwwww", f"{_KAIFA_3} {_KAIFA_HOUR}"),
    _list("KFM", KAIFA, "ttt" + "w" * 6, _KAIFA_1),
    _list("KFM", KAIFA, "ttt" + "w" * 6 + "cwwww", f"{_KAIFA_1} {_KAIFA_HOUR}"),
    # Elektro Ljubljana, Celje and a third operator in Slovenia: amsreader-firmware (issues 615, 869, frames).
    _list(
        "ISK",
        AM550,
        "tt" + "wwww" + "ssssss" + "w" * 6,
        f"{_NAME} 0-0:96.1.3 1.7.0 2.7.0 3.7.0 4.7.0 32.7.0 52.7.0 72.7.0 31.7.0 51.7.0 71.7.0 "
        "21.7.0 41.7.0 61.7.0 22.7.0 42.7.0 62.7.0",
    ),
    _list(
        "ISK",
        AM550,
        "ttep" + "w" * 8,
        f"{_NAME} 0-0:96.1.3 0-0:96.3.10 0-0:96.14.0 1.8.0 1.8.1 1.8.2 2.8.0 2.8.1 2.8.2 3.8.0 4.8.0",
    ),
    _list(
        "ISK",
        AM550,
        "tt" + "ssssss" + "wwww",
        f"{_NAME} 0-0:96.1.3 32.7.0 52.7.0 72.7.0 31.7.0 51.7.0 71.7.0 1.7.0 2.7.0 3.7.0 4.7.0",
    ),
    _list(
        "ISK",
        AM550,
        "tt" + "wwww" + "sww",
        f"{_NAME} {_NUMBER} 1.7.0 2.7.0 3.7.0 4.7.0 32.7.0 - -",
    ),
    # IE.5 in Croatia: amsreader-firmware (issue 1072). Its order follows from sums: totals of both tariffs, of all
    # phases. Which of the four reactive energies is which is not known.
    _list(
        "ISK",
        AM550,
        "thd" + "w" * 10 + "ww" + "s" + "w" * 6 + "ssssss" + "w" + "aaab",
        f"{_NUMBER} 0.9.1 0.9.2 1.8.0 1.8.1 1.8.2 2.8.0 2.8.1 2.8.2 - - - - 1.7.0 2.7.0 13.7.0 "
        "21.7.0 41.7.0 61.7.0 22.7.0 42.7.0 62.7.0 32.7.0 52.7.0 72.7.0 31.7.0 51.7.0 71.7.0 - - - - -",
    ),
)


def flag_of(octets: bytes) -> str:
    """The FLAG id that a system title or a name begins with; empty where it begins with none."""
    start = octets[:3]
    return start.decode("ascii") if len(start) == 3 and start.isalpha() else ""


def make_of(octets: bytes) -> str:
    """The make of a system title, for a sentence."""
    flag = flag_of(octets)
    return NAMES.get(flag, flag) or "?"
