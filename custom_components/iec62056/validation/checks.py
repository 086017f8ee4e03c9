"""Checks of one value: the format of a number against what the register sent before, its size against what is possible.

What one reading cannot tell is held, so the limits can be narrow. A second reading made at once settles how a value is
written; only one of a later session settles how large it is. A total that has fallen, and what is beyond the limits, is
the user's to decide, whatever is repeated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from .candidate import Candidate
from .limits import TOTALS, ValueKind
from .register_history import HeldSample, HoldReason, NumberFormat, RegisterHistory, Sample
from .totals import (
    RESETS,
    agrees_with_total,
    is_off_course,
    learned,
    own_rate,
    reason_of_total,
    says_the_same,
    scale,
)

# What the user confirmed beyond the limits moves them by this factor; two values so near each other are alike.
SIZE_SLACK = 2
# The latest formats of a register that are known: one that pads nothing has many.
MOST_FORMATS = 16
# How many held values can still be confirmed, so that a damaged reading in between costs nothing.
MOST_HELD = 3
# After this many values withheld for any reason the user is asked.
WITHHELD_UNTIL_REPAIR = 5

# What the reading of another session settles.
_APART = frozenset((HoldReason.TOO_FAST, *RESETS))
# What the user settles.
_USERS = frozenset((HoldReason.FELL, HoldReason.OUT_OF_RANGE))
# What the next good value settles.
_LASTING = frozenset((HoldReason.TEXT, HoldReason.NUMBER))
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether one value may be published, and why not."""

    reason: HoldReason | None = None
    # Whether a second reading can settle it: one made at once, or one of another session.
    retry: bool = False
    later: bool = False
    # Whether the user should decide.
    repair: bool = False
    # The published number says the same with more digits, and stays.
    stays: bool = False

    @property
    def good(self) -> bool:
        """Whether the value may be published."""
        return self.reason is None


ACCEPTED = CheckResult()
NOT_CHECKED = CheckResult(HoldReason.FIRST, retry=True)


def check_value(
    history: RegisterHistory, candidate: Candidate, *, is_new: bool = False
) -> tuple[RegisterHistory, CheckResult]:
    """The history after a new value, and whether that may be published.

    `is_new`: the meter is known and has not had this register before.
    """
    if says_the_same(history, candidate):
        return _seen_coarser(history, candidate), CheckResult(stays=True)
    alike = [held for held in history.held if _agrees(history, held, candidate)]
    reason = _reason_to_hold(history, candidate, alike, is_new)
    if reason is None:
        return _accepted(history, candidate, None), ACCEPTED
    first = min((one.first or one.sample for one in alike), key=lambda one: one.at, default=None)
    is_witness = first is not None and candidate.sample.at - first.at >= candidate.apart
    at_once = (_APART | _USERS).isdisjoint((reason, *(one.reason for one in alike)))
    if reason not in _USERS | _LASTING and alike and (is_witness or at_once):
        return _accepted(history, candidate, reason), ACCEPTED
    others = [one for one in history.held if one not in alike]
    held = (*others, HeldSample(candidate.sample, reason, first))[-MOST_HELD:]
    withheld = history.withheld + 1
    return replace(history, held=held, withheld=withheld), CheckResult(
        reason,
        # A missing phase sends dashes all day: retry once for what no reading settles.
        retry=reason not in _APART | _USERS and (reason not in _LASTING or withheld == 1),
        later=reason in _APART | _USERS and not history.withheld,
        repair=reason is not HoldReason.TEXT
        and ((reason in _USERS and is_witness) or withheld >= WITHHELD_UNTIL_REPAIR),
    )


def _seen_coarser(history: RegisterHistory, candidate: Candidate) -> RegisterHistory:
    """The history after a number with fewer digits than the published one."""
    good = history.good
    return replace(
        history,
        good=good and replace(good, at=candidate.sample.at),
        formats=_formats(history, candidate),
        held=(),
        withheld=0,
    )


def check_values(
    histories: Mapping[str, RegisterHistory],
    candidates: Mapping[str, Candidate],
    number: str | None = None,
) -> tuple[dict[str, RegisterHistory], dict[str, CheckResult]]:
    """The histories after all values of a reading, and the results; histories of values it lacks stay as they are.

    `number` is the key of the meter's own number. While that is held the reading may be another meter's, so nothing
    of it is published or learned.
    """
    known = dict(histories)
    judged: dict[str, CheckResult] = {}
    if number is not None and number in candidates:
        known[number], judged[number] = check_value(
            known.get(number, RegisterHistory()), candidates[number]
        )
        if not judged[number].good:
            other = CheckResult(HoldReason.NUMBER, retry=judged[number].retry)
            return known, dict.fromkeys(candidates, other) | judged
    for key, candidate in candidates.items():
        if key != number:
            # Two faults may pass a check character: the code may be invented.
            is_new = bool(histories) and key not in histories
            known[key], judged[key] = check_value(
                known.get(key, RegisterHistory()), candidate, is_new=is_new
            )
    return known, judged


def check_unlimited(
    histories: Mapping[str, RegisterHistory], key: str, candidate: Candidate
) -> tuple[RegisterHistory, CheckResult]:
    """A value without a check of its own: its code must have come before, or under a check in the first reading."""
    good = candidate.sample if candidate.kind is ValueKind.NAME else None
    if key in histories or (candidate.sample.checked and not histories):
        return RegisterHistory(good=good), ACCEPTED
    return RegisterHistory(held=(HeldSample(candidate.sample, HoldReason.FIRST),)), NOT_CHECKED


def accept(history: RegisterHistory, kind: ValueKind) -> RegisterHistory:
    """The history after the user has accepted the latest held value; the same if there is none."""
    for held in reversed(history.held):
        number, reach = held.sample.number, history.reach
        if number is None and kind is not ValueKind.NAME:
            continue
        if held.reason is HoldReason.OUT_OF_RANGE:
            size = own_rate(held) if kind in TOTALS else abs(number or _NOTHING)
            reach = max(reach or _NOTHING, size)
        return _accepted(replace(history, reach=reach), Candidate(held.sample, kind), held.reason)
    return history


def _reason_to_hold(
    history: RegisterHistory, candidate: Candidate, alike: Sequence[HeldSample], is_new: bool
) -> HoldReason | None:
    """The gravest reason to hold a value; None to publish it at once."""
    sample, good = candidate.sample, history.good
    unproven = is_new or bool(history.held) or not sample.checked
    if candidate.kind is ValueKind.NAME:
        if good is None:
            return HoldReason.FIRST if unproven else None
        return None if good.text == sample.text else HoldReason.NAME
    if sample.number is None or candidate.number_format is None:
        return HoldReason.TEXT
    beyond = HoldReason.OUT_OF_RANGE if _is_out_of_range(history, candidate) else None
    if good is None or good.number is None:
        return beyond or (HoldReason.FIRST if unproven else None)
    moved = reason_of_total(history, good, sample, candidate, alike)
    return moved or beyond or _reason_of_format(history, good, candidate)


def _reason_of_format(
    history: RegisterHistory, good: Sample, candidate: Candidate
) -> HoldReason | None:
    sample, known = candidate.sample, history.formats
    if candidate.number_format in known:
        return None
    if all(one.unit != sample.unit for one in known):
        other = scale(good) != scale(sample)
        return HoldReason.OUT_OF_RANGE if other and is_off_course(good, sample) else HoldReason.UNIT
    return HoldReason.FORM


def _is_out_of_range(history: RegisterHistory, candidate: Candidate) -> bool:
    """Whether a value is outside what the meter can measure, as far as the user has confirmed nothing else."""
    number, limits = candidate.sample.number or _NOTHING, candidate.limits
    if history.reach is not None and candidate.kind not in TOTALS:
        return abs(number) > SIZE_SLACK * history.reach
    low, high = limits.low, limits.high
    return (low is not None and number < low) or (high is not None and number > high)


def _agrees(history: RegisterHistory, held: HeldSample, candidate: Candidate) -> bool:
    """Whether a held value and a new one are of the same course."""
    earlier, sample = held.sample, candidate.sample
    if candidate.kind is ValueKind.NAME:
        return earlier.text == sample.text
    if earlier.number is None or sample.number is None:
        return False
    if candidate.kind in TOTALS:
        return agrees_with_total(history, held, candidate)
    large, small = (most(abs(earlier.number), abs(sample.number)) for most in (max, min))
    return held.reason is not HoldReason.OUT_OF_RANGE or large <= SIZE_SLACK * small


def _formats(history: RegisterHistory, candidate: Candidate) -> tuple[NumberFormat, ...]:
    known, now = history.formats, candidate.number_format
    return known if now is None or now in known else (*known, now)[-MOST_FORMATS:]


def _accepted(
    history: RegisterHistory, candidate: Candidate, reason: HoldReason | None
) -> RegisterHistory:
    """The history once a value is published; `reason` is why it was held before, if it was."""
    after = replace(
        history,
        good=candidate.sample,
        formats=_formats(history, candidate),
        held=(),
        withheld=0,
    )
    return learned(history, after, candidate, reason) if candidate.kind in TOTALS else after
