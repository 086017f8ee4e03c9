"""Offsets of totals: what the change of a sensor's state misses where it went on from another number."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

from ..registers.descriptions import TOTALS, kept_unit
from ..registers.units import convert, unit_of
from ..state.description import Description
from ..state.meter_state import MeterState

# Of one meter. Closed ones tell an import what it must not cross.
MOST_OFFSETS: Final = 200
# All sensors of a reading show it within a moment.
AT_ONCE: Final = timedelta(seconds=10)


class OffsetReason(StrEnum):
    """Why a sensor went on from another number."""

    # The recorder counts these as they are: noted only so that they can be taken back, or because the meter was silent.
    JUMP = "jump"
    SILENCE = "silence"
    # These it does not.
    RESET = "reset"
    ANSWER = "answer"
    REPLACED = "replaced"
    TARIFFS = "tariffs"
    # Here imported hours end.
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Offset:
    """When the sensor of a description's key went on from another number.

    What was used meanwhile is the change of the state plus `offset`. After a replacement that is the last number of the
    old meter less the first of the new one, after a rollover the range of the digits, after the correction of a wrong
    number zero.
    """

    key: str
    # When the sensor first showed the new number; until that was seen in the recorder, a moment before.
    at: datetime
    offset: Decimal
    # That of the sensor's values.
    unit: str | None
    # What the sensor showed until then, and what it showed next.
    last: Decimal | None = None
    first: Decimal | None = None
    reason: OffsetReason = OffsetReason.RESET
    # Whether the recorder has the first state with the new number.
    recorded: bool = False
    # Whether the statistics were seen right.
    closed: bool = False

    def came_with(self, number: Decimal) -> bool:
        """Whether the sensor, with that number, has gone on from the last one."""
        if self.last is None or self.first is None:
            return number != self.last
        # It may have risen far meanwhile, and a number in another unit is rounded.
        return abs(number - self.last) * 1000 >= abs(self.first - self.last)

    def in_unit(self, unit: str) -> Self:
        """The same in another unit; as it is where that is of another kind."""

        def number(one: Decimal) -> Decimal:
            found = convert(one, unit_of(self.unit or ""), unit)
            return one if found is None else found

        return replace(
            self,
            unit=unit,
            offset=number(self.offset),
            last=None if self.last is None else number(self.last),
            first=None if self.first is None else number(self.first),
        )


def take_back(offsets: tuple[Offset, ...], jumps: Iterable[Offset]) -> tuple[Offset, ...]:
    """The offsets with jumps taken back, and with them those of the sums that jumped at the same time."""
    for jump in jumps:
        unit = unit_of(jump.unit or "")
        offsets = tuple(
            replace(one, offset=one.offset + amount, closed=False)
            if (
                (one.key, one.reason) == (jump.key, OffsetReason.JUMP)
                or one.reason is OffsetReason.TARIFFS
            )
            and abs(one.at - jump.at) < AT_ONCE
            and (amount := convert(jump.offset, unit, one.unit)) is not None
            else one
            for one in offsets
        )
    return offsets


def totals_of(state: MeterState, units: Mapping[str, str]) -> Iterator[Description]:
    """The totals of a described state, in the units of their sensors; the recorder makes sums of these."""
    for known in state.registers.values():
        for description in known.descriptions:
            if description.state_class in TOTALS:
                yield kept_unit(description, units.get(description.key))
