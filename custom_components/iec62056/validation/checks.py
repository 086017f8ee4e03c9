"""Checks of one value: the format of a number against what the register sent before, its size against what is possible.

What one reading cannot tell is held, and a second, consistent reading decides, so the limits can be narrow. The
exception is a total that has fallen: no repetition decides that. Times are UTC seconds, rates are per hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import ceil

from ..protocol.model import Value
from .limits import NO_LIMITS, TOTALS, Limits, ValueKind
from .register_history import HeldSample, HoldReason, NumberFormat, RegisterHistory, Sample

HOUR = 3600
# A rise beyond the steepest one seen by more than this factor is held.
RATE_SLACK = 4
# The steepest rise counts after this many rises over an hour or more: a day of a meter that is read often.
RATE_LEARNED = 24
# Two values beyond the limits confirm each other within this factor, and move the limit by it.
SIZE_SLACK = 2
# After this many confirmed formats the register counts as having no fixed format.
FORMATS_VARY = 6
# How many held values can still be confirmed, so that a damaged reading in between costs nothing.
MOST_HELD = 3
# Readings that contradict the published total, and readings withheld for any reason, until the user is asked.
CONTRADICTIONS_UNTIL_REPAIR = 2
WITHHELD_UNTIL_REPAIR = 5
# Fewer digits are not padded to a width: 9 → 0 is no roll-over.
SHORTEST_ROLL_OVER = 4
# The most of its range a total may have passed: after a long outage any fall could be one.
ROLL_OVER_SPAN = Decimal("0.1")

# Reasons that a second reading cannot settle.
_LASTING = frozenset((HoldReason.TEXT, HoldReason.FELL, HoldReason.NUMBER))
# Reasons for a total below the published one that may be right.
_RESETS = frozenset((HoldReason.ROLLED_OVER, HoldReason.NEW_PERIOD))
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether one value may be published, and why not."""

    reason: HoldReason | None = None
    # Whether a second reading, made at once, can settle it.
    retry: bool = False
    # Whether the user should decide.
    repair: bool = False

    @property
    def good(self) -> bool:
        """Whether the value may be published."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value of a reading, how its kind of values moves, and what is possible."""

    sample: Sample
    kind: ValueKind
    limits: Limits = NO_LIMITS
    # Found once: it costs most of a check.
    number_format: NumberFormat | None = field(init=False)

    def __post_init__(self) -> None:
        """Look how the number is written."""
        object.__setattr__(self, "number_format", self.sample.number_format)


ACCEPTED = CheckResult()


def check_value(
    history: RegisterHistory, candidate: Candidate, *, is_new: bool = False
) -> tuple[RegisterHistory, CheckResult]:
    """The history after a new value, and whether that may be published.

    `is_new`: the meter is known and has not had this register before.
    """
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


def reset_offset(before: RegisterHistory, after: RegisterHistory, kind: ValueKind) -> Decimal:
    """What a total has counted besides the change of its number: zero unless it was reset or rolled over."""
    last, first = before.good, after.good
    if last is None or first is None or _change(last, first) >= 0:
        return _NOTHING
    if kind is ValueKind.PERIODIC:
        return last.number or _NOTHING
    if kind is ValueKind.TOTAL and first.number_format is not None:
        return _modulus(last, first.number_format)
    return _NOTHING


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
    moved = _reason_of_total(history, good, sample, candidate)
    if moved is HoldReason.FELL or moved in _RESETS:
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


def _reason_of_total(
    history: RegisterHistory, good: Sample, sample: Sample, candidate: Candidate
) -> HoldReason | None:
    """The reason to hold a total because of its step from the last good value."""
    if candidate.kind not in TOTALS:
        return None
    change = _change(good, sample)
    if change < 0 and candidate.kind is ValueKind.TOTAL:
        return (
            HoldReason.ROLLED_OVER
            if _rolled_over(history, good, sample, candidate)
            else HoldReason.FELL
        )
    if change < 0 and candidate.kind is ValueKind.PERIODIC:
        return HoldReason.NEW_PERIOD
    return (
        None
        if _is_possible(good, sample, abs(change), _rate(history, candidate))
        else HoldReason.TOO_FAST
    )


def _rolled_over(
    history: RegisterHistory, good: Sample, sample: Sample, candidate: Candidate
) -> bool:
    """Whether the digits before the point rolled over, 999999 → 000000, by a rise that is possible."""
    before, number_format = good.number_format, candidate.number_format
    if before is None or number_format is None or number_format.width < SHORTEST_ROLL_OVER:
        return False
    if before._replace(blanks=number_format.blanks) != number_format:
        return False
    modulus = _modulus(good, number_format)
    rise = _change(good, sample) + modulus
    possible = _is_possible(good, sample, rise, max(_rates(history, candidate), default=None))
    return possible and rise <= ROLL_OVER_SPAN * modulus


def _modulus(good: Sample, number_format: NumberFormat) -> Decimal:
    """The first number that the digits before the point cannot show, in the unit of the entity."""
    return _scale(good).scaleb(number_format.width)


def _rate(history: RegisterHistory, candidate: Candidate) -> Decimal | None:
    """The steepest change per hour that is accepted at once; None if nothing is known of it."""
    learned = None if history.rate is None else history.rate * RATE_SLACK
    if learned is not None and history.steps >= RATE_LEARNED:
        return learned
    if learned is None or candidate.limits.rate is None:
        return candidate.limits.rate
    return max(learned, candidate.limits.rate)


def _rates(history: RegisterHistory, candidate: Candidate) -> list[Decimal]:
    """How fast the meter can count: by what was seen, and by its limits."""
    return [rate for rate in (_rate(history, candidate), candidate.limits.rate) if rate is not None]


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
        return _total_confirms(history, held, candidate)
    same_form = (
        earlier.number_format == candidate.number_format or len(history.formats) >= FORMATS_VARY
    )
    known = {earlier.number_format, candidate.number_format} <= set(history.formats)
    beyond = _is_out_of_range(history, earlier.number, candidate) or _is_out_of_range(
        history, sample.number, candidate
    )
    return (same_form or known) and (not beyond or _like_size(earlier.number, sample.number))


def _total_confirms(history: RegisterHistory, held: HeldSample, candidate: Candidate) -> bool:
    """Whether a total may have gone from a held value to this one.

    It may move as fast as the meter can, or as it did to the held value: otherwise an installation beyond the limits
    would never be accepted. If nothing is known of its speed, it only has to move the right way.
    """
    earlier, sample = held.sample, candidate.sample
    change = _change(earlier, sample)
    if change < 0 and candidate.kind is not ValueKind.NET:
        return False
    rates = _rates(history, candidate)
    if rates and history.good is not None and held.reason not in _RESETS:
        rates.append(RATE_SLACK * _per_hour(history.good, earlier))
    return _is_possible(earlier, sample, abs(change), max(rates, default=None))


def _like_size(one: Decimal, other: Decimal) -> bool:
    return max(abs(one), abs(other)) <= SIZE_SLACK * min(abs(one), abs(other))


def _change(before: Sample, after: Sample) -> Decimal:
    # Texts do not come so far where numbers are meant.
    return (after.number or _NOTHING) - (before.number or _NOTHING)


def _is_possible(before: Sample, after: Sample, change: Decimal, rate: Decimal | None) -> bool:
    """Whether a total can change by this much in the time between; one step of the last digit is always possible."""
    if rate is None:
        return True
    most = rate * _elapsed(before, after)
    return change * HOUR <= most or (change - _resolution(before, after)) * HOUR <= most


def _elapsed(before: Sample, after: Sample) -> int:
    """Seconds from one sample to the next; none where the clock was set back."""
    return max(0, ceil(after.at - before.at))


def _per_hour(before: Sample, after: Sample) -> Decimal:
    """How fast a total changed per hour, less what the last digit may hide."""
    change = max(_NOTHING, abs(_change(before, after)) - _resolution(before, after))
    return change * HOUR / max(1, _elapsed(before, after))


def _scale(sample: Sample) -> Decimal:
    """How many units of the entity one unit as sent is."""
    sent = Value(sample.text).number
    return sample.number / sent if sent and sample.number else Decimal(1)


def _resolution(*samples: Sample) -> Decimal:
    """One step of the last digit, in the unit of the entity; the coarser where the form has changed."""
    return max(
        _scale(sample).scaleb(-number_format.decimals)
        for sample in samples
        if (number_format := sample.number_format)
    )


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
    if candidate.kind in TOTALS:
        rate, steps, anchor = _learned(history, candidate, reason)
    return RegisterHistory(
        good=sample, formats=formats, rate=rate, steps=steps, anchor=anchor, reach=reach
    )


def _learned(
    history: RegisterHistory, candidate: Candidate, reason: HoldReason | None
) -> tuple[Decimal | None, int, Sample]:
    """The rate of a total, its steps and where the next one begins: learned over hours, or at once from a jump."""
    sample, good, anchor, rate = candidate.sample, history.good, history.anchor, history.rate
    if good is None or anchor is None or good.number is None or anchor.at > sample.at:
        return rate, history.steps, sample
    if candidate.kind is not ValueKind.NET and _change(good, sample) < 0:
        return rate, history.steps, sample
    if reason is HoldReason.TOO_FAST and _elapsed(good, sample):
        rate = max(rate or _NOTHING, _per_hour(good, sample))
    if _elapsed(anchor, sample) < HOUR:
        return rate, history.steps, anchor
    # Over an hour, a step of the last digit more or less is better than a false alarm.
    mean = abs(_change(anchor, sample)) * HOUR / _elapsed(anchor, sample)
    return max(rate or _NOTHING, mean), history.steps + 1, sample
