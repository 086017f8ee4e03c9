"""Turns COSEM objects into registers with the same codes, units and texts as in modes A to D."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from ..model import Obis, Register, Value
from ..obis import parse
from ..values import MeterTime
from .apdu import AccessResult, Result
from .axdr import encode
from .clock import date_time
from .cosem import CosemObject, ScalerUnit
from .data import Bits, Data, Tag, shown
from .descriptors import LogicalName

DATA, REGISTER, EXTENDED_REGISTER, DEMAND_REGISTER, CLOCK = 1, 3, 4, 5, 8
STATUS_MAPPING = 63

# What is read of each class: value; status and capture time; both averages with theirs (Blue Book 4.3.1 to 4.3.5, 4.5.1).
_ATTRIBUTES = {
    DATA: (2,),
    REGISTER: (2,),
    EXTENDED_REGISTER: (2, 4, 5),
    DEMAND_REGISTER: (2, 3, 5, 6),
    CLOCK: (2,),
    STATUS_MAPPING: (2,),
}
_SCALER_AT = {REGISTER: 3, EXTENDED_REGISTER: 3, DEMAND_REGISTER: 4}
# Classes of the Blue Book that hold settings, logs or lists, no register: they are read on request.
_SETTINGS = frozenset((*range(6, 31), *range(40, 63), *range(64, 163))) - _ATTRIBUTES.keys()

# Value group D of demand: current average, and one more for the last (Blue Book 7.5.1).
_CURRENT_AVERAGES = frozenset((4, 14, 24))

_DIGITS = {
    Tag.UNSIGNED: 2,
    Tag.INTEGER: 2,
    Tag.ENUM: 2,
    Tag.LONG_UNSIGNED: 4,
    Tag.LONG: 4,
    Tag.DOUBLE_LONG_UNSIGNED: 8,
    Tag.DOUBLE_LONG: 8,
    Tag.LONG64_UNSIGNED: 16,
    Tag.LONG64: 16,
}


def code(name: LogicalName) -> Obis:
    """The OBIS code of a logical name."""
    return Obis(*name)


def data_object(code: str) -> CosemObject | None:
    """The object that has a text or a number under that code where no list tells another; None where it is no code."""
    obis = parse(code)
    if obis is None:
        return None
    name = LogicalName(obis.a, obis.b, obis.c, obis.d, obis.e, obis.f)
    return CosemObject(DATA, 0, name, {}, {})


def codes(item: CosemObject) -> tuple[str, ...]:
    """What the registers of an object are called, its own name first."""
    obis = code(item.name)
    if item.class_id not in _ATTRIBUTES and item.class_id not in _SETTINGS:
        return (f"{item.class_id}/{obis}",)
    if item.class_id == DEMAND_REGISTER and obis.d in _CURRENT_AVERAGES:
        return str(obis), str(replace(obis, d=obis.d + 1))
    return (str(obis),)


def attributes(item: CosemObject) -> tuple[int, ...]:
    """The attributes of a register that this association may read, the value first; empty where it is no register.

    An object without any right in the list is asked: some meters leave them out.
    """
    if item.class_id in _SETTINGS:
        return ()
    wanted = _ATTRIBUTES.get(item.class_id, (2,))
    allowed = tuple(number for number in wanted if not item.attributes or item.readable(number))
    return allowed if 2 in allowed or (3 in allowed and item.class_id == DEMAND_REGISTER) else ()


def withheld(item: CosemObject, results: Mapping[int, Result]) -> bool:
    """Whether another security level may show that register: the list gives no right to it, or the meter refused its value."""
    if not attributes(item):
        return item.class_id not in _SETTINGS
    refused = [result for result in results.values() if isinstance(result, AccessResult)]
    return len(refused) == len(results) and any(result.denied for result in refused)


def scaler_attribute(class_id: int) -> int | None:
    """Where scaler and unit are; None where the class has none."""
    return _SCALER_AT.get(class_id)


def registers(
    item: CosemObject,
    results: Mapping[int, Result],
    scaler: ScalerUnit | None,
    names: Iterable[LogicalName] = (),
) -> list[Register]:
    """The registers of an object by what its attributes hold; none where the meter refused the value.

    A demand register is two codes in other modes: current and last average. The second is left out where it is among
    `names`, as an object of its own.
    """
    obis = code(item.name)
    if item.class_id not in _ATTRIBUTES:
        value = results.get(2)
        if not isinstance(value, Data):
            return []
        # The code of an object whose class only the maker knows may mean anything.
        return [Register(codes(item)[0], None, (Value(raw(value)),))]
    capture, status = (6, 5) if item.class_id == DEMAND_REGISTER else (5, 4)
    found: list[Register] = []
    if isinstance(value := results.get(2), Data):
        moment = None if item.class_id == DEMAND_REGISTER else results.get(capture)
        values = _values(obis, value, scaler, moment, results.get(status))
        found.append(Register(str(obis), obis, values))
    last = results.get(3) if item.class_id == DEMAND_REGISTER else None
    if isinstance(last, Data) and obis.d in _CURRENT_AVERAGES:
        name = item.name._replace(d=item.name.d + 1)
        if name not in names:
            values = _values(code(name), last, scaler, results.get(capture), results.get(status))
            found.append(Register(str(code(name)), code(name), values))
    return found


def _values(
    obis: Obis,
    value: Data,
    scaler: ScalerUnit | None,
    capture: Result | None,
    status: Result | None,
) -> tuple[Value, ...]:
    """The value, the moment it was captured where there is one, and its status."""
    texts = [text(part, obis) if isinstance(part, Data) else "" for part in (capture, status)]
    while texts and not texts[-1]:
        texts.pop()
    return (quantity(value, scaler, obis), *(Value(part) for part in texts))


def quantity(value: Data, scaler: ScalerUnit | None, obis: Obis) -> Value:
    """A value with its unit: exactly, with the decimals its scaler gives."""
    number = value.value
    scaled = isinstance(number, int | Decimal) and not isinstance(number, bool)
    if scaler is None or not scaled or (isinstance(number, Decimal) and not number.is_finite()):
        return Value(text(value, obis), None if scaler is None else scaler.text)
    return Value(f"{scaler.value(value):f}", scaler.text)


def text(value: Data, obis: Obis) -> str:
    """A value as other modes would write it: numbers, times, printable text; hexadecimal digits of everything else."""
    content = value.value
    match content:
        case None:
            return ""
        case bool():
            return str(int(content))
        case int() if (obis.c, obis.d) in ((97, 97), (97, 98)) and value.tag in _DIGITS:
            # Bits, in hexadecimal digits like F.F; a negative number has them as its two's complement.
            digits = _DIGITS[value.tag]
            return f"{content & ((1 << digits * 4) - 1):0{digits}X}"
        case str():
            return shown(content).strip("\0 ")
        case bytes():
            return _octets(content, value.tag, obis)
        case Bits(number, length):
            return f"{number:0{length}b}"
        case int():
            return str(content)
        case Decimal():
            # A meter that has no value at present says so by no number.
            return f"{content:f}" if content.is_finite() else ""
    return raw(value)


def raw(value: Data) -> str:
    """A value as it was sent: type and content in hexadecimal digits."""
    return encode(value).hex().upper()


def _octets(octets: bytes, tag: Tag, obis: Obis) -> str:
    """An octet-string: a time where it can be nothing else, printable text, or hexadecimal digits."""
    timed = tag in (Tag.DATE_TIME, Tag.DATE, Tag.TIME) or (obis.c == 0 and obis.d == 9)
    if len(octets) == 12 or (timed and len(octets) in (4, 5)):
        moment = date_time(octets).moment
        if (len(octets) == 4 or moment.date) and (written := written_time(moment)):
            return written
    stripped = octets.strip(b"\0 ")
    if stripped and all(0x20 <= octet < 0x7F for octet in stripped):
        return stripped.decode("ascii")
    return octets.hex().upper()


def written_time(moment: MeterTime) -> str:
    """A moment in a form that `values.timestamp` knows; empty where it is none."""
    date, time = moment.date, moment.time
    if date is None:
        return "" if time is None else f"{time:%H%M%S}"
    if time is None:
        return f"{date:%Y-%m-%d}"
    offset = ""
    if moment.offset is not None:
        minutes = int(moment.offset.total_seconds()) // 60
        offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return f"{date:%Y-%m-%d} {time:%H:%M:%S}{offset}"
