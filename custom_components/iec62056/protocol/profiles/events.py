"""Event logs of a meter, and the meaning of the codes that are public."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import datetime as dt
from enum import StrEnum
from typing import Final

from .. import obis, values
from ..model import DataSet, Medium, Value
from ..values import TimeKind
from .load_profile import Status

# The standard names of the logs of a German meter (VDEW): of operation, and of what was set.
LOGS: Final = ("P.98", "P.99")
# Registers noted with an event, and events of one log; real logs hold some hundreds.
MAX_NOTES: Final = 32
MAX_EVENTS: Final = 10_000


class Meaning(StrEnum):
    """What happened."""

    POWER_DOWN = "power_down"
    POWER_UP = "power_up"
    CLOCK_SET = "clock_set"
    CLOCK_OLD = "clock_old"
    CLOCK_NEW = "clock_new"
    CLOCK_INVALID = "clock_invalid"
    SEASON = "season"
    RESET = "reset"
    DISTURBED = "disturbed"
    FAULT = "fault"
    BATTERY_REPLACE = "battery_replace"
    BATTERY_LOW = "battery_low"
    TARIFFS_ACTIVATED = "tariffs_activated"
    ERRORS_CLEARED = "errors_cleared"
    ALARMS_CLEARED = "alarms_cleared"
    PROGRAM_MEMORY = "program_memory"
    RAM = "ram"
    MEMORY = "memory"
    WATCHDOG = "watchdog"
    MEASUREMENT = "measurement"
    FIRMWARE_READY = "firmware_ready"
    FIRMWARE_ACTIVATED = "firmware_activated"
    TARIFFS_SET = "tariffs_set"
    PARAMETERS = "parameters"
    KEYS = "keys"
    DECRYPTION = "decryption"
    FIRMWARE_WRONG = "firmware_wrong"
    PHASE_SEQUENCE = "phase_sequence"
    NEUTRAL_MISSING = "neutral_missing"
    PROFILE_CLEARED = "profile_cleared"
    LOG_CLEARED = "log_cleared"


# The status bits of VDEW say in a log what happened, not what a period was like: season is a state, no event.
_BITS: Final = (
    (Status.POWER_DOWN, Meaning.POWER_DOWN),
    (Status.POWER_UP, Meaning.POWER_UP),
    (Status.CLOCK_SET, Meaning.CLOCK_SET),
    (Status.RESET, Meaning.RESET),
    (Status.SUMMER, Meaning.SEASON),
    (Status.DISTURBED, Meaning.DISTURBED),
    (Status.CLOCK_INVALID, Meaning.CLOCK_INVALID),
    (Status.FAULT, Meaning.FAULT),
)
# The standard event log of IDIS (0-0:96.11.0), which MCS301 writes into P.98 too.
_CODES: Final = {
    1: Meaning.POWER_DOWN,
    2: Meaning.POWER_UP,
    3: Meaning.SEASON,
    4: Meaning.CLOCK_OLD,
    5: Meaning.CLOCK_NEW,
    6: Meaning.CLOCK_INVALID,
    7: Meaning.BATTERY_REPLACE,
    8: Meaning.BATTERY_LOW,
    9: Meaning.TARIFFS_ACTIVATED,
    10: Meaning.ERRORS_CLEARED,
    11: Meaning.ALARMS_CLEARED,
    12: Meaning.PROGRAM_MEMORY,
    13: Meaning.RAM,
    14: Meaning.MEMORY,
    15: Meaning.WATCHDOG,
    16: Meaning.MEASUREMENT,
    17: Meaning.FIRMWARE_READY,
    18: Meaning.FIRMWARE_ACTIVATED,
    19: Meaning.TARIFFS_SET,
    47: Meaning.PARAMETERS,
    48: Meaning.KEYS,
    49: Meaning.DECRYPTION,
    51: Meaning.FIRMWARE_WRONG,
    88: Meaning.PHASE_SEQUENCE,
    89: Meaning.NEUTRAL_MISSING,
    254: Meaning.PROFILE_CLEARED,
    255: Meaning.LOG_CLEARED,
}
# C.D.E of the event code of the standard log; MCS301 calls it 91.11.0 in an older firmware. Those of other logs
# (96.11.1 fraud, 96.11.2 disconnector) have numbers of their own.
_EVENT_CODES: Final = frozenset(((96, 11, 0), (91, 11, 0)))


@dataclass(frozen=True, slots=True)
class Note:
    """A register written down with an event: its address as sent and its value."""

    address: str
    value: Value


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a log; `meanings` are those that are public, `status` and `notes` all that was sent.

    `at` is UTC, None where the meter's time cannot be read. At a change of the clock it is the time before it.
    """

    log: str
    at: dt.datetime | None
    status: int = 0
    meanings: tuple[Meaning, ...] = ()
    notes: tuple[Note, ...] = ()


def events_between(
    events: Iterable[Event], first: dt.datetime, last: dt.datetime
) -> tuple[Event, ...]:
    """The events from `first` to `last`, and those without a moment."""
    return tuple(event for event in events if event.at is None or first <= event.at <= last)


def parse(datasets: Iterable[DataSet], zone: dt.tzinfo) -> tuple[Event, ...]:
    """The entries of event logs in data sets as they were sent, in their order; `zone` is that of the meter's clock.

    `P.98(time)(status)()(n)(code)(unit)…(value)…` (VDEW 2.1); `P.98(ERROR)` of an empty log gives nothing. Never raises.
    """
    found: list[Event] = []
    for address, brackets in datasets:
        if address is None or not address.startswith("P.") or len(found) >= MAX_EVENTS:
            continue
        if (event := _event(address, brackets, zone)) is not None:
            found.append(event)
    return tuple(found)


def _event(log: str, brackets: Sequence[Value], zone: dt.tzinfo) -> Event | None:
    texts = [value.text.strip() for value in brackets[:4]]
    if len(texts) < 4 or texts[2] or not (texts[3].isascii() and texts[3].isdecimal()):
        # A period in the third bracket makes it a load profile.
        return None
    count = int(texts[3][:3])
    names, numbers = brackets[4 : 4 + 2 * count : 2], brackets[4 + 2 * count : 4 + 3 * count]
    if count > MAX_NOTES or len(numbers) < count:
        return None
    moment = values.timestamp(texts[0], TimeKind.DATE)
    status = values.bits(texts[1]) or 0
    notes = tuple(
        Note(name.text.strip(), value) for name, value in zip(names, numbers, strict=True)
    )
    meanings = [meaning for bit, meaning in _BITS if status & bit]
    meanings += [meaning for note in notes if (meaning := _coded(note)) is not None]
    return Event(log, None if moment is None else moment.utc(zone), status, tuple(meanings), notes)


def _coded(note: Note) -> Meaning | None:
    code = obis.parse(note.address, Medium.ABSTRACT)
    number = note.value.number
    if code is None or number is None or (code.c, code.d, code.e) not in _EVENT_CODES:
        return None
    return meaning_of(int(number))


def meaning_of(code: int) -> Meaning | None:
    """What a code of the standard event log means, None where only the maker knows."""
    return _CODES.get(code)
