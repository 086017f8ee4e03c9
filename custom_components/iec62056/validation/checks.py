"""Checks of one value: the format of a number against what the register sent before, its size against what is possible.

What one reading cannot tell is held, and a second, consistent reading decides, so the limits can be narrow. The
exception is a total that has fallen: no repetition decides that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from .candidate import Candidate
from .limits import TOTALS, ValueKind
from .register_history import HeldSample, HoldReason, NumberFormat, RegisterHistory
from .totals import RESETS, confirms_total, jump_days, learn_rate, reason_of_total, says_the_same

# Two values beyond the limits confirm each other within this factor, and move the limit by it.
SIZE_SLACK = 2
# After this many confirmed formats the register counts as having no fixed format.
FORMATS_VARY = 6
# How many held values can still be confirmed, so that a damaged reading in between costs nothing.
MOST_HELD = 3
# Readings that contradict the published total, and readings withheld for any reason, until the user is asked.
CONTRADICTIONS_UNTIL_REPAIR = 2
WITHHELD_UNTIL_REPAIR = 5

# Reasons that a second reading cannot settle.
_LASTING = frozenset((HoldReason.TEXT, HoldReason.FELL, HoldReason.NUMBER))
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether one value may be published, and why not."""

    reason: HoldReason | None = None
    # Whether a second reading, made at once, can settle it.
    retry: bool = False
    # Whether the user should decide.
    repair: bool = False
    # The published number says the same with more digits, and stays.
    stays: bool = False

    @property
    def good(self) -> bool:
        """Whether the value may be published."""
        return self.reason is None


ACCEPTED = CheckResult()


def check_value(
    history: RegisterHistory, candidate: Candidate, *, is_new: bool = False
) -> tuple[RegisterHistory, CheckResult]:
    """The history after a new value, and whether that may be published.

    `is_new`: the meter is known and has not had this register before.
    """
    if says_the_same(history, candidate):
        return _seen_coarser(history, candidate), CheckResult(stays=True)
    reason = _reason_to_hold(history, candidate, is_new)
    if reason is None or (
        reason not in _LASTING and any(_confirms(history, held, candidate) for held in history.held)
    ):
        return _accepted(history, candidate, reason), ACCEPTED
    history = replace(
        history,
        held=(*history.held, HeldSample(candidate.sample, reason))[-MOST_HELD:],
        withheld=history.withheld + 1,
        contradictions=history.contradictions + (reason is HoldReason.FELL),
    )
    return history, CheckResult(
        reason,
        # A missing phase sends dashes all day: retry once for what no reading settles.
        retry=reason not in _LASTING or history.withheld == 1,
        repair=reason is not HoldReason.TEXT
        and (
            history.contradictions >= CONTRADICTIONS_UNTIL_REPAIR
            or history.withheld >= WITHHELD_UNTIL_REPAIR
        ),
    )


def _seen_coarser(history: RegisterHistory, candidate: Candidate) -> RegisterHistory:
    """The history after a number with fewer digits than the published one."""
    good, number_format = history.good, candidate.number_format
    formats = history.formats
    if number_format is not None and number_format not in formats:
        formats = (*formats, number_format)[-FORMATS_VARY:]
    return replace(
        history,
        good=good and replace(good, at=candidate.sample.at),
        formats=formats,
        held=(),
        withheld=0,
        contradictions=0,
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


def accept(history: RegisterHistory, kind: ValueKind) -> RegisterHistory:
    """The history after the user has accepted the latest held value; the same if there is none."""
    for sample, _ in reversed(history.held):
        if sample.number is not None or kind is ValueKind.NAME:
            return _accepted(history, Candidate(sample, kind), None)
    return history


def _reason_to_hold(
    history: RegisterHistory, candidate: Candidate, is_new: bool
) -> HoldReason | None:
    """The gravest reason to hold a value; None to publish it at once."""
    sample, good = candidate.sample, history.good
    unproven = is_new or bool(history.held) or not sample.checked
    if candidate.kind is ValueKind.NAME:
        if good is None:
            return HoldReason.FIRST if unproven else None
        return None if good.text == sample.text else HoldReason.NAME
    number_format = candidate.number_format
    if sample.number is None or number_format is None:
        return HoldReason.TEXT
    beyond = _is_out_of_range(history, sample.number, candidate)
    if good is None or good.number is None:
        if unproven:
            return HoldReason.FIRST
        return HoldReason.OUT_OF_RANGE if beyond else None
    moved = reason_of_total(history, good, sample, candidate)
    if moved is HoldReason.FELL or moved in RESETS:
        return moved
    return (
        _reason_of_format(history, number_format)
        or moved
        or (HoldReason.OUT_OF_RANGE if beyond else None)
    )


def _reason_of_format(history: RegisterHistory, number_format: NumberFormat) -> HoldReason | None:
    if all(known.unit != number_format.unit for known in history.formats):
        return HoldReason.UNIT
    return (
        None
        if number_format in history.formats or len(history.formats) >= FORMATS_VARY
        else HoldReason.FORM
    )


def _is_out_of_range(history: RegisterHistory, number: Decimal, candidate: Candidate) -> bool:
    """Whether a value is outside what the meter can measure, as far as nothing else was confirmed."""
    if history.reach is not None and abs(number) <= SIZE_SLACK * history.reach:
        return False
    low, high = candidate.limits.low, candidate.limits.high
    return (low is not None and number < low) or (high is not None and number > high)


def _confirms(history: RegisterHistory, held: HeldSample, candidate: Candidate) -> bool:
    """Whether a held value and a new one confirm each other."""
    earlier, sample = held.sample, candidate.sample
    if held.reason in _LASTING:
        return False
    if candidate.kind is ValueKind.NAME:
        return earlier.text == sample.text
    if earlier.number is None or sample.number is None:
        return False
    if candidate.kind in TOTALS:
        return confirms_total(history, held, candidate)
    same_form = (
        earlier.number_format == candidate.number_format or len(history.formats) >= FORMATS_VARY
    )
    known = {earlier.number_format, candidate.number_format} <= set(history.formats)
    beyond = _is_out_of_range(history, earlier.number, candidate) or _is_out_of_range(
        history, sample.number, candidate
    )
    return (same_form or known) and (not beyond or _like_size(earlier.number, sample.number))


def _like_size(one: Decimal, other: Decimal) -> bool:
    return max(abs(one), abs(other)) <= SIZE_SLACK * min(abs(one), abs(other))


def _accepted(
    history: RegisterHistory, candidate: Candidate, reason: HoldReason | None
) -> RegisterHistory:
    """The history once a value is published; `reason` is why it was held before, if it was."""
    sample, number_format = candidate.sample, candidate.number_format
    formats = history.formats
    if number_format is not None and number_format not in formats:
        formats = (*formats, number_format)[-FORMATS_VARY:]
    reach = history.reach
    if sample.number is not None and _is_out_of_range(history, sample.number, candidate):
        reach = max(reach or _NOTHING, abs(sample.number))
    rate, steps, anchor = history.rate, history.steps, history.anchor
    days = history.jump_days
    if candidate.kind in TOTALS:
        if reason is HoldReason.TOO_FAST:
            days = jump_days(history, sample)
        rate, steps, anchor = learn_rate(replace(history, jump_days=days), candidate, reason)
    return RegisterHistory(
        good=sample,
        formats=formats,
        rate=rate,
        steps=steps,
        anchor=anchor,
        reach=reach,
        jump_days=days,
    )
