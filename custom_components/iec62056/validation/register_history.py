"""What is known of one register before its next value: the last good one, its formats, held values, its rate."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
import re
from typing import NamedTuple, Self

from ..protocol.codec import as_list


class HoldReason(StrEnum):
    """Why a value is held; also the keys of the translated reasons."""

    FIRST = "first"
    NUMBER = "number"
    TEXT = "text"
    UNIT = "unit"
    FORM = "form"
    FELL = "fell"
    ROLLED_OVER = "rolled_over"
    NEW_PERIOD = "new_period"
    TOO_FAST = "too_fast"
    OUT_OF_RANGE = "out_of_range"
    NAME = "name"


_NUMBER = re.compile(r"( *)([+-]?)([0-9]+)(?:([.,])([0-9]+))?( *)").fullmatch


class NumberFormat(NamedTuple):
    """How a number looks as sent: padding, places before the point, point, decimals, unit."""

    blanks: bool
    width: int
    point: str
    decimals: int
    unit: str | None

    @classmethod
    def of(cls, text: str, unit: str | None) -> Self | None:
        """The format of a number; None if the text is none."""
        if (found := _NUMBER(text)) is None:
            return None
        before, sign, digits, point, decimals, behind = found.groups()
        # Padded with blanks, a sign takes the place of one.
        width = len(before) + len(digits) + (len(sign) if before else 0)
        return cls(bool(before + behind), width, point or "", len(decimals or ""), unit)


@as_list
@dataclass(frozen=True, slots=True)
class Sample:
    """One value as read."""

    # In the unit of the entity; None if it cannot be converted to it.
    number: Decimal | None
    # As sent.
    text: str
    unit: str | None
    # UTC seconds.
    at: float
    # Whether a check character vouched for the reading.
    checked: bool

    @property
    def number_format(self) -> NumberFormat | None:
        """How the number looks."""
        return None if self.number is None else NumberFormat.of(self.text, self.unit)


class HeldSample(NamedTuple):
    """A value that was not published, and why."""

    sample: Sample
    reason: HoldReason
    # The first one it agrees with; None where it is that itself.
    first: Sample | None = None


@dataclass(frozen=True, slots=True)
class RegisterHistory:
    """What is known of one value of a register; empty before the first one."""

    # The published one.
    good: Sample | None = None
    # Those of published numbers.
    formats: tuple[NumberFormat, ...] = ()
    # The latest values held since the good one, latest last.
    held: tuple[HeldSample, ...] = ()
    # How many were held in all.
    withheld: int = 0
    # The steepest rise per hour, how many steps of an hour or more it was learned in, and where the next one begins.
    rate: Decimal | None = None
    steps: int = 0
    anchor: Sample | None = None
    # What the user has confirmed beyond the limits: the largest size, or the steepest rise of a total per hour.
    reach: Decimal | None = None
    # The latest days on which a jump of a total was confirmed, since 1970.
    jump_days: tuple[int, ...] = ()
    # The last one before a period of billing began: where it goes on from there, none had begun.
    last_period: Sample | None = None

    @property
    def number(self) -> Decimal | None:
        """The published number."""
        return None if self.good is None else self.good.number
