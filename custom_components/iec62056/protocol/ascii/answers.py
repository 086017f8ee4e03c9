"""The register in a data message of programming mode: what was asked for, with all its values.

The forms met: a value without an address (ME162, Neva), the address once and several brackets or lines behind it
(CE102M), the address again before each value (CE301), several values in one bracket (Neva), the address of another
attribute with the medium before it (LIS-200: 7-2:302.2 in answer to 2:302.0).
"""

from collections.abc import Iterable
import re

from .. import obis
from ..model import Medium, Obis, Register, Value
from .commands import Wish
from .datasets import parse
from .dialects import Dialect

_OBJECT = re.compile(r"(?:[0-9]+-)?([0-9]+:[0-9A-Z_]+)\.[0-9A-Z]").fullmatch


def register(block: bytes, parts: Wish, dialect: Dialect, medium: Medium) -> Register | None:
    """What a block holds of the register that was asked for; None where it holds another one."""
    code = code_of(parts.address, dialect, medium)
    values: list[Value] = []
    mine = True
    datasets, _ = parse(block)
    for address, found in datasets:
        if address is not None:
            mine = (
                address == parts.address
                or (code is not None and code_of(address, dialect, medium) == code)
                or (dialect.objects and _object(address) == _object(parts.address))
            )
        if mine:
            values += _parted(found) if dialect.lists else found
    if not values:
        return None
    # With an operand it is another register each time: last month, the month before.
    return Register(parts.name, code if parts.operand is None else None, tuple(values))


def code_of(address: str, dialect: Dialect, medium: Medium) -> Obis | None:
    """The OBIS code of an address as this make writes it."""
    if dialect.objects:
        return None
    found = obis.parse_hex(address, medium) if dialect.hexadecimal else None
    return found or obis.parse(address, medium)


def _object(address: str) -> str:
    """Instance and object of an address of LIS-200, without the medium before them and the attribute behind them."""
    found = _OBJECT(address)
    return address if found is None else found[1]


def _parted(values: Iterable[Value]) -> list[Value]:
    """The values of brackets in which commas part several."""
    return [Value(text, unit) for value, unit in values for text in value.split(",")]
