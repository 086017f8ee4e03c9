"""What the body of a push lists: values with their codes, scalers and units, as far as it names them.

Makes write the same list in several ways. Which one it is follows from its own structure, never from the make.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...dlms_errors import DlmsMalformed
from ..axdr import Reader
from ..cosem import ScalerUnit
from ..data import NULL, Data, Tag
from ..descriptors import LogicalName

VALUE = 2
# Value group F of a present value.
_PRESENT = 0xFF


@dataclass(frozen=True, slots=True)
class Element:
    """One value of a push. `place` is where it stands in its list, from 0; `name` is None where no code was sent."""

    place: int
    value: Data
    name: LogicalName | None = None
    attribute: int = VALUE
    scaler: ScalerUnit | None = None


def elements(body: bytes) -> tuple[Element, ...]:
    """The elements of a body, which ends with its last octet. Raises DlmsMalformed."""
    try:
        data = _whole(body)
    except DlmsMalformed:
        if untagged := _untagged(body):
            return untagged
        raise
    if data.tag not in (Tag.ARRAY, Tag.STRUCTURE):
        return (Element(0, data),)
    items = data.items
    found = _described(items) or _coded(items)
    return found or tuple(Element(place, item) for place, item in enumerate(items))


def _whole(body: bytes) -> Data:
    reader = Reader(body)
    data = reader.data()
    if reader.left:
        raise DlmsMalformed(why="it does not end where it should")
    return data


def is_date_time(octets: bytes) -> bool:
    """Whether each field of the twelve octets of a date-time is one, or left open (Blue Book 4.1.6.1)."""
    year = int.from_bytes(octets[:2])
    limits = ((1, 12), (1, 31), (1, 7), (0, 23), (0, 59), (0, 59), (0, 99))
    return (1970 <= year < 2200 or year == 0xFFFF) and all(
        low <= octet <= high or octet >= 0xFD
        for octet, (low, high) in zip(octets[2:9], limits, strict=True)
    )


def _described(items: Sequence[Data]) -> tuple[Element, ...]:
    """Values behind a list of their objects (IDIS package 3): entry and element of the same place belong together."""
    entries = _list(items[0]) if items else ()
    if not items or len(entries) != len(items):
        return ()
    found: list[Element] = []
    for place, (entry, item) in enumerate(zip(entries, items, strict=True)):
        try:
            name = LogicalName.of(_list(entry)[1])
            attribute = _list(entry)[2].integer
        except DlmsMalformed, IndexError:
            return ()
        if place:
            found.append(Element(place, item, name, attribute))
    return tuple(found)


def _coded(items: Sequence[Data]) -> tuple[Element, ...]:
    """Code, value, and scaler with unit: a structure for each, one after the other, or both; some have no code."""
    found: list[Element] = []
    places = iter(range(len(items)))
    for place in places:
        row = _row(items[place])
        if not row and _name(items[place]) and not _row(_at(items, place + 1)):
            # What stands here is a code, and what follows belongs to it.
            scaled = _scaler(_at(items, place + 2)) is not None
            row = items[place : place + (3 if scaled else 2)]
            for _ in row[1:]:
                next(places)
        if len(row) < 2:
            found.append(Element(place, items[place]))
            continue
        found.append(Element(place, row[1], _name(row[0]), scaler=_scaler(_at(row, 2))))
    return tuple(found) if _mostly_named(found) else ()


def _row(data: Data) -> Sequence[Data]:
    """Code, value, and perhaps scaler with unit, in a structure of their own."""
    row = _list(data)
    return row if len(row) in (2, 3) and _name(row[0]) else ()


def _at(items: Sequence[Data], place: int) -> Data:
    return items[place] if place < len(items) else NULL


def _mostly_named(found: Sequence[Element]) -> bool:
    """Whether a list is one of codes. Lists without any may begin with one, the name of the list (Kärnten)."""
    named = sum(element.name is not None for element in found)
    # Phases that are not measured are nulls without a code (Kamstrup).
    unnamed = sum(element.name is None and element.value != NULL for element in found)
    return named > unnamed


def _list(data: Data) -> tuple[Data, ...]:
    return data.items if data.tag in (Tag.ARRAY, Tag.STRUCTURE) else ()


def _name(data: Data) -> LogicalName | None:
    """The code that an octet-string may be."""
    octets = data.value
    if data.tag is not Tag.OCTET_STRING or not isinstance(octets, bytes):
        return None
    return LogicalName(*octets) if len(octets) == 6 and octets[5] == _PRESENT else None


def _scaler(data: Data) -> ScalerUnit | None:
    parts = _list(data)
    if [part.tag for part in parts] != [Tag.INTEGER, Tag.ENUM]:
        return None
    return ScalerUnit.of(data)


def _untagged(body: bytes) -> tuple[Element, ...]:
    """The list of a Sagemcom XT211 for EG.D, which is no A-XDR: class, code and attribute of a value have no tags."""
    reader = Reader(body)
    try:
        return tuple(_read_untagged(reader))
    except DlmsMalformed:
        return ()


def _read_untagged(reader: Reader) -> Iterator[Element]:
    pair = bytes((Tag.STRUCTURE, 2))
    if reader.take(2) != pair:
        raise DlmsMalformed(why="it is no list")
    yield Element(0, reader.data())
    if reader.octet() != Tag.ARRAY:
        raise DlmsMalformed(why="it is no list")
    for place in range(1, reader.length() + 1):
        if reader.take(2) != pair:
            raise DlmsMalformed(why="it is no list")
        reader.number(2)
        name, attribute = LogicalName(*reader.take(6)), reader.octet()
        yield Element(place, reader.data(), name, attribute)
    if reader.left:
        raise DlmsMalformed(why="it does not end where it should")
