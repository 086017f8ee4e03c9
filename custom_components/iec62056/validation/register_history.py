"""What is known of one register before its next value: the last good one, its forms, what is held, how fast it rises.

Here: frozen values, and how they become plain data and back. Pure.
Never here: what is concluded from them (plausibility.py).
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
import re
from typing import NamedTuple, Self

from ..protocol.codec import as_list


class HoldReason(StrEnum):
    """Why a value is held; the keys of the texts a person sees."""

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
    """How a number looks as sent: its sign, whether blanks, places before the point, the point, decimals, unit."""

    signed: bool
    blanks: bool
    width: int
    point: str
    decimals: int
    unit: str | None

    @classmethod
    def of(cls, text: str, unit: str | None) -> Self | None:
        """The form of a number; None where the text is none."""
        if (found := _NUMBER(text)) is None:
            return None
        before, sign, digits, point, decimals, behind = found.groups()
        # Padded with blanks, a sign takes the place of one.
        width = len(before) + len(digits) + (len(sign) if before else 0)
        return cls(bool(sign), bool(before + behind), width, point or "", len(decimals or ""), unit)


@as_list
@dataclass(frozen=True, slots=True)
class Sample:
    """One value as read.

    `number` is in the unit of the entity, None where it cannot be said in it; `text` and `unit`
    are as sent; `at` is when, in UTC seconds; `checked`, whether a check character vouched for the reading.
    """

    number: Decimal | None
    text: str
    unit: str | None
    at: float
    checked: bool

    @property
    def form(self) -> NumberFormat | None:
        """How the number looks."""
        return None if self.number is None else NumberFormat.of(self.text, self.unit)


class HeldSample(NamedTuple):
    """A value that is not believed yet, and why."""

    sample: Sample
    doubt: HoldReason


@dataclass(frozen=True, slots=True)
class RegisterHistory:
    """What is known of one register: nothing, before its first value, and again after a meter was exchanged.

    `good` is the published sample. `forms` were believed. `held` came since the good one, latest last: `withheld` in
    all, `contradictions` of them totals below it. `rate` is the steepest rise per hour, learned in `steps` of an hour or
    more from `anchor` on. `reach` is the largest size that was confirmed beyond the limits.
    """

    good: Sample | None = None
    forms: tuple[NumberFormat, ...] = ()
    held: tuple[HeldSample, ...] = ()
    withheld: int = 0
    contradictions: int = 0
    rate: Decimal | None = None
    steps: int = 0
    anchor: Sample | None = None
    reach: Decimal | None = None
