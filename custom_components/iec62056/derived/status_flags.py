"""Status of a meter in bits, counters and times: faults, opened covers, magnets, an invalid clock.

Only documented bits count; what is not documented stays the text of its register.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
import re
from typing import Final, NamedTuple

from ..protocol.model import Medium
from ..registers.index import IndexedRegister, RegisterIndex
from .history import DerivedHistory

# An opened cover or a magnet is shown for a day.
TOLD_FOR: Final = timedelta(days=1)


class StatusFlag(StrEnum):
    """What a meter may report about itself. The value is part of an entity's unique id and must never change."""

    FAULT = "fault"
    PHASE_FAILURE = "phase_failure"
    MAIN_COVER = "main_cover"
    TERMINAL_COVER = "terminal_cover"
    MAGNET = "magnet"
    CLOCK_INVALID = "clock_invalid"
    ALARM = "alarm"


class Fault(StrEnum):
    """What a bit of an error register stands for."""

    NONE = "none"
    FIRMWARE = "firmware"
    PARAMETERS = "parameters"
    CALIBRATION = "calibration"
    REGISTERS = "registers"
    MEMORY = "memory"
    DISPLAY = "display"
    MAINTENANCE = "maintenance"
    SEVERAL = "several"
    OTHER = "other"


# The bits of F.F by FLAG id and what the model's name contains. MT174: the list on wiki.recessim.com, bit 6 "maintenance
# warning". EM4T II of LEM, sold by Elster and EMH: its manual, table 4.6. Bits that are not listed are "not used".
_FAULTS: Final[tuple[tuple[frozenset[str], str, Mapping[int, Fault]], ...]] = (
    (
        frozenset({"ISK"}),
        "MT174",
        {
            0: Fault.FIRMWARE,
            1: Fault.PARAMETERS,
            2: Fault.REGISTERS,
            6: Fault.MAINTENANCE,
        },
    ),
    (
        frozenset({"EMH", "LEM"}),
        "EM4T",
        {
            0: Fault.PARAMETERS,
            1: Fault.PARAMETERS,
            2: Fault.FIRMWARE,
            3: Fault.CALIBRATION,
            4: Fault.MEMORY,
            5: Fault.MEMORY,
            8: Fault.CALIBRATION,
            9: Fault.PARAMETERS,
            10: Fault.MEMORY,
            11: Fault.MEMORY,
            12: Fault.DISPLAY,
            13: Fault.REGISTERS,
        },
    ),
)
_HEX = re.compile(r"[0-9A-Fa-f]{1,16}").fullmatch

# The status byte 96.5.5 of EasyMeter's Q3 (manual of the Voltcraft VSM-102): bit 0 an error, bits 3 to 5 the phases
# without voltage.
_STATUS_MAKE: Final = "ESY"
_STATUS_ERROR: Final = 0b0000_0001
_STATUS_PHASES: Final = 0b0011_1000

# Alarm registers 1 to 10: 0-0:97.98.0 to 97.98.9.
_ALARM_REGISTERS: Final = 10

# A COSEM date-time in hexadecimal ends with the clock's status: bits 0 invalid, 1 doubtful, 3 status itself invalid;
# FF is "not specified".
_COSEM_CLOCK = re.compile(r"[0-9A-Fa-f]{24}").fullmatch
_CLOCK_INVALID_BITS: Final = 0b0000_1011
_UNSPECIFIED: Final = 0xFF

# The lists of Turkish grid operators write times so; the codes from 96.50 on are each make's own.
_TURKISH_TIME = re.compile(r"\d\d-\d\d-\d\d,\d\d:\d\d").fullmatch


class Event(NamedTuple):
    """Where a meter reports an event: D and E of C = 96, and the brackets of the counter and of the time."""

    d: int
    e: int
    counter: int | None = None
    time: int | None = None
    turkish: bool = False


_EVENTS: Final[Mapping[StatusFlag, tuple[Event, ...]]] = {
    StatusFlag.MAIN_COVER: (Event(51, 3, counter=0), Event(70, 0, time=0, turkish=True)),
    StatusFlag.TERMINAL_COVER: (
        Event(51, 1, counter=0),
        Event(51, 2, time=0),
        Event(71, 0, counter=1, turkish=True),
    ),
    StatusFlag.MAGNET: (Event(51, 5, counter=0), Event(51, 6, time=0)),
}


def offered(index: RegisterIndex) -> tuple[StatusFlag, ...]:
    """What this meter reports about itself."""
    return tuple(flag for flag in StatusFlag if sources(flag, index))


def sources(flag: StatusFlag, index: RegisterIndex) -> tuple[IndexedRegister, ...]:
    """The registers that a flag follows from."""
    if flag in _EVENTS:
        return tuple(found for found, _ in _events(flag, index))
    if flag is StatusFlag.CLOCK_INVALID:
        return clock_registers(index)
    if flag is StatusFlag.ALARM:
        return tuple(_alarms(index))
    status = _status(index)
    if flag is StatusFlag.PHASE_FAILURE:
        return () if status is None else (status,)
    error = _error(index)
    return tuple(found for found in (error, status) if found is not None)


def is_set(
    flag: StatusFlag, index: RegisterIndex, history: DerivedHistory, zone: tzinfo
) -> bool | None:
    """Whether a flag is set; None if that is not known. `zone` is that of the meter's clock."""
    if flag in _EVENTS:
        return _happened(flag, index, history, zone)
    if flag is StatusFlag.CLOCK_INVALID:
        return _clock_invalid(index)
    if flag is StatusFlag.ALARM:
        alarms = [bits for bits in map(_bits, _alarms(index)) if bits is not None]
        return any(alarms) if alarms else None
    if flag is StatusFlag.PHASE_FAILURE:
        bits = _bits(_status(index))
        return None if bits is None else bool(bits & _STATUS_PHASES)
    told = [_bits(_error(index)), _masked(_bits(_status(index)), _STATUS_ERROR)]
    known = [bits for bits in told if bits is not None]
    return any(known) if known else None


def counts(index: RegisterIndex) -> Iterator[tuple[IndexedRegister, Decimal]]:
    """The counters of events, whose rise is remembered."""
    for flag in _EVENTS:
        for found, event in _events(flag, index):
            if event.counter is not None and found.bracket(event.counter).isdecimal():
                yield found, Decimal(found.bracket(event.counter))


def fault_sources(index: RegisterIndex) -> tuple[IndexedRegister, ...]:
    """The error register, of a meter whose bits are documented."""
    error = _error(index)
    return () if error is None or _fault_bits(index) is None else (error,)


def fault_text(index: RegisterIndex) -> Fault | None:
    """The fault that the error register shows; None if it is no number."""
    meanings = _fault_bits(index)
    bits = _bits(_error(index))
    if meanings is None or bits is None:
        return None
    faults = {meanings.get(bit, Fault.OTHER) for bit in range(bits.bit_length()) if bits >> bit & 1}
    if len(faults) > 1:
        return Fault.SEVERAL
    return faults.pop() if faults else Fault.NONE


def clock_registers(index: RegisterIndex) -> tuple[IndexedRegister, ...]:
    """The meter's clock: one register, or its date and its time."""
    one = index.get(1, 0, medium=Medium.ABSTRACT) or index.get(9, 36, medium=Medium.HEAT)
    if one is not None:
        return (one,)
    days, hours = index.get(0, 9, 2), index.get(0, 9, 1)
    return () if days is None or hours is None else (days, hours)


def _clock_invalid(index: RegisterIndex) -> bool | None:
    """Whether the clock marks itself invalid, or is not set: no date, or one in the year 2000."""
    registers = clock_registers(index)
    if not registers or not any(character.isdigit() for character in registers[0].text):
        return None
    text = registers[0].text
    if _COSEM_CLOCK(text):
        status = int(text[-2:], 16)
        if status != _UNSPECIFIED and status & _CLOCK_INVALID_BITS:
            return True
    return registers[0].moment() is None


def _happened(
    flag: StatusFlag, index: RegisterIndex, history: DerivedHistory, zone: tzinfo
) -> bool | None:
    """Whether it happened within the last day, by the meter's time of it or by the rise of its counter."""
    events = tuple(_events(flag, index))
    times = [moment for found, event in events for moment in _times(found, event, history, zone)]
    if not times:
        told = any(_tells(found, event) for found, event in events)
        return False if told else None
    return any(abs(index.received - moment) < TOLD_FOR for moment in times)


def _times(
    found: IndexedRegister, event: Event, history: DerivedHistory, zone: tzinfo
) -> Iterator[datetime]:
    moment = None if event.time is None else found.moment(event.time)
    if moment is not None and (at := moment.utc(zone)) is not None:
        yield at
    count = history.counts.get(found.key)
    if count is not None and count.rose is not None:
        yield count.rose


def _tells(found: IndexedRegister, event: Event) -> bool:
    """Whether the register is readable; a time of zeros, or none, is that of no event."""
    return event.counter is None or found.bracket(event.counter).isdecimal()


def _events(flag: StatusFlag, index: RegisterIndex) -> Iterator[tuple[IndexedRegister, Event]]:
    for event in _EVENTS[flag]:
        found = index.get(96, event.d, event.e)
        if found is not None and (not event.turkish or _TURKISH_TIME(found.text)):
            yield found, event


def _error(index: RegisterIndex) -> IndexedRegister | None:
    return index.get(97, 97)


def _alarms(index: RegisterIndex) -> Iterator[IndexedRegister]:
    """The alarm registers; from 97.98.10 on they are filters and descriptors."""
    for number in range(_ALARM_REGISTERS):
        if (found := index.get(97, 98, number)) is not None:
            yield found


def _status(index: RegisterIndex) -> IndexedRegister | None:
    if index.identity.flag != _STATUS_MAKE:
        return None
    return index.get(96, 5, 5)


def _fault_bits(index: RegisterIndex) -> Mapping[int, Fault] | None:
    flag, model = index.identity.flag, index.identity.model or ""
    return next(
        (bits for flags, name, bits in _FAULTS if flag in flags and name in model.upper()), None
    )


def _bits(found: IndexedRegister | None) -> int | None:
    return int(found.text, 16) if found is not None and _HEX(found.text) else None


def _masked(bits: int | None, mask: int) -> int | None:
    return None if bits is None else bits & mask
