"""Data sets as sent become registers: each with its OBIS code, and all the values that belong to it."""

from collections.abc import Iterable, Sequence

from .. import obis
from ..model import DataSet, Medium, Register, Value


def registers(
    datasets: Sequence[DataSet], medium: Medium
) -> tuple[tuple[Register, ...], tuple[str, ...]]:
    """The registers in the order sent, and the sets that belong to none, as text.

    A set without an address continues the one before it (Std 6.5.3; the gas value of DSMR 2.2, the rows of a load
    profile). An address sent twice is two registers: which one counts is the reader's choice.
    """
    found: list[tuple[str, list[Value]]] = []
    homeless: list[str] = []
    for address, values in datasets:
        if address is not None:
            found.append((address, list(values)))
        elif found:
            found[-1][1].extend(values)
        else:
            homeless.append(as_sent(values))
    return (
        tuple(
            Register(address, obis.parse(address, medium), tuple(values))
            for address, values in found
        ),
        tuple(homeless),
    )


def as_sent(values: Iterable[Value]) -> str:
    """Values in the notation of Std 6.6."""
    return "".join(
        f"({value.text})" if value.unit is None else f"({value.text}*{value.unit})"
        for value in values
    )
