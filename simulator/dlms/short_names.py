"""Short names of a simulated meter's objects: attributes lie eight apart, and the association is where it is in every meter."""

from collections.abc import Sequence

from .things import CURRENT, Thing
from .values import array, i16, octets, struct, u8, u16

READ, ANSWER = 0x05, 0x0C
# Forms of what is read: a part of a variable or a method with its parameters, a further block.
PART, BLOCK = 4, 5
REPLY = 0xFA58
_ASSOCIATION = 0xFA00
_APART = 0x50
# READ, lists, parts of variables.
EVERYTHING = 0x100220


def _base(things: Sequence[Thing], thing: Thing) -> int:
    return _ASSOCIATION if thing.name == CURRENT else _APART * (things.index(thing) + 1)


def find(things: Sequence[Thing], address: int) -> tuple[Thing | None, int]:
    """The object and the number of the attribute at a short name."""
    for thing in things:
        if 0 <= address - _base(things, thing) < _APART and not address % 8:
            return thing, (address - _base(things, thing)) // 8 + 1
    return None, 0


def object_list(things: Sequence[Thing]) -> bytes:
    """Every object with its base name, which is signed."""
    return array([_listed(thing, _base(things, thing)) for thing in things])


def _listed(thing: Thing, base: int) -> bytes:
    class_id = 12 if thing.name == CURRENT else thing.class_id
    signed = base - 0x10000 if base & 0x8000 else base
    return struct(i16(signed), u16(class_id), u8(thing.version), octets(thing.name))
