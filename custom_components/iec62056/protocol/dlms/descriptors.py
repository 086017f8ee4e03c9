"""Descriptors in a request: logical names, attributes, methods, selective access."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from .. import codec
from ..dlms_errors import DlmsMalformed, DlmsUnsent
from ..reasons import Unsent
from .axdr import encode
from .data import Data, Tag, array, octet_string, structure


class LogicalName(NamedTuple):
    """The six groups of a logical name."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = 255

    @classmethod
    def of(cls, data: Data) -> Self:
        """The logical name in an octet-string. Raises DlmsMalformed."""
        octets = data.octets
        if len(octets) != 6:
            raise DlmsMalformed(why="a logical name has not six groups")
        return cls(*octets)


def _stored(text: str) -> LogicalName:
    octets = bytes.fromhex(text)
    if len(octets) != 6:
        raise ValueError(text)
    return LogicalName(*octets)


codec.as_text(LogicalName, lambda name: bytes(name).hex(), _stored)


class Member(NamedTuple):
    """One attribute or method of one object."""

    class_id: int
    name: LogicalName
    number: int

    def encode(self) -> bytes:
        """The cosem-attribute-descriptor or -method-descriptor. Raises DlmsUnsent."""
        try:
            return (
                self.class_id.to_bytes(2) + bytes(self.name) + self.number.to_bytes(1, signed=True)
            )
        except (OverflowError, ValueError) as error:
            raise DlmsUnsent(why=Unsent.OBJECT) from error


@dataclass(frozen=True, slots=True)
class Access:
    """Selective access to a part of an attribute: the selector and its parameters."""

    selector: int
    parameters: Data

    def encode(self) -> bytes:
        """The octets of a Selective-access-descriptor."""
        return bytes((self.selector,)) + encode(self.parameters)


def by_range(restricting: Data, start: Data, end: Data) -> Access:
    """The rows of a profile whose `restricting` column lies between start and end, both included.

    `restricting` is a capture object (class, name, attribute, data index) as the profile lists it. All columns come
    (Blue Book 4.3.6, range_descriptor).
    """
    return Access(1, structure(restricting, start, end, array()))


def by_entry(first: int, last: int) -> Access:
    """The rows of a profile from one number to another, both included and counted from 1 (Blue Book 4.3.6)."""
    numbers = (Data(Tag.DOUBLE_LONG_UNSIGNED, first), Data(Tag.DOUBLE_LONG_UNSIGNED, last))
    columns = (Data(Tag.LONG_UNSIGNED, 1), Data(Tag.LONG_UNSIGNED, 0))
    return Access(2, structure(*numbers, *columns))


def capture_object(member: Member, data_index: int = 0) -> Data:
    """A column of a profile as selective access names it."""
    return structure(
        Data(Tag.LONG_UNSIGNED, member.class_id),
        octet_string(bytes(member.name)),
        Data(Tag.INTEGER, member.number),
        Data(Tag.LONG_UNSIGNED, data_index),
    )


class Item(NamedTuple):
    """One attribute to be read or set, or a part of it."""

    member: Member
    access: Access | None = None

    def encode(self) -> bytes:
        """The descriptor with its optional selective access."""
        return self.member.encode() + (
            b"\0" if self.access is None else b"\1" + self.access.encode()
        )
