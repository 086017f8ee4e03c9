"""What a register's value means: a sensor's state, the time the meter gives with it, its unit."""

from datetime import date, datetime, tzinfo
from decimal import Decimal

from ..protocol.model import Register
from ..protocol.obis import register_timestamp
from ..protocol.values import MeterTime, decode_text
from ..state.description import Description, Dimension, Kind, Unit
from .naming import printable
from .units import convert, unit_of

LONGEST_STATE = 255


def native(
    register: Register, description: Description, zone: tzinfo
) -> Decimal | datetime | date | str | None:
    """The state of a sensor: exact in the description's unit, a time in UTC; None where the register has none.

    `zone` is the one the meter's clock is set to.
    """
    if description.kind is Kind.TEXT:
        return _text(register, description)
    if description.kind is Kind.NUMBER:
        return _number(register, description)
    moment = moment_at(register, description.index)
    if moment is None:
        return None
    return moment.date if description.kind is Kind.DATE else moment.utc(zone)


def taken_at(register: Register, description: Description, zone: tzinfo) -> datetime | None:
    """When the meter says it took the value, in UTC; None where it does not say.

    `zone` is the one the meter's clock is set to.
    """
    if description.time_index is None:
        return None
    moment = moment_at(register, description.time_index)
    return None if moment is None else moment.utc(zone)


def unit_at(register: Register, index: int) -> Unit | None:
    """The unit of a value, also where it stands in the bracket before (24.3.0)."""
    if index >= len(register.values):
        return None
    if sent := register.values[index].unit:
        return unit_of(sent)
    before = unit_of(register.values[index - 1].text) if index else None
    return None if before is None or before.dimension is Dimension.OTHER else before


def _number(register: Register, description: Description) -> Decimal | None:
    if description.index >= len(register.values):
        return None
    number = register.values[description.index].number
    if number is None:
        return None
    unit = description.unit_override or unit_at(register, description.index) or description.assumed
    if unit is None:
        # What has had a unit before and comes without is damaged, or another register.
        return number if description.unit is None else None
    return convert(number, unit, description.unit)


def _text(register: Register, description: Description) -> str | None:
    parts = (f"{value.text.strip()} {value.unit or ''}".strip() for value in register.values)
    text = ", ".join(part for part in parts if part)
    if description.hexadecimal:
        text = decode_text(text) or text
    # The rows of signs with which some meters draw their inputs are kept as they are.
    return printable(text)[:LONGEST_STATE].strip() or None


def moment_at(register: Register, index: int) -> MeterTime | None:
    """The moment of the meter's clock that one of the values is."""
    if index >= len(register.values):
        return None
    return register_timestamp(register.obis, index, register.values[index].text)
