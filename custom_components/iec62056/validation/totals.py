"""Checks of totals: whether one may have moved so far, has rolled over or was reset, and how fast it moves.

Times are UTC seconds, rates are per hour.
"""

from decimal import Decimal
from math import ceil

from ..protocol.model import Value
from .candidate import Candidate
from .limits import TOTALS, ValueKind
from .register_history import HeldSample, HoldReason, NumberFormat, RegisterHistory, Sample

HOUR = 3600
DAY = 24 * HOUR
# A jump that was confirmed on so many days is usual.
USUAL_DAYS = 3
# Of the steepest rise, this part is left after each hour: a half after two days.
RATE_DECAY = Decimal("0.986")
# A rise beyond the steepest one seen by more than this factor is held.
RATE_SLACK = 4
# The steepest rise counts after this many rises over an hour or more: a day of a meter that is read often.
RATE_LEARNED = 24
# Fewer digits are not padded to a width: 9 → 0 is no roll-over.
SHORTEST_ROLL_OVER = 4
# The most of its range a total may have passed: after a long outage any fall could be one.
ROLL_OVER_SPAN = Decimal("0.1")

# Reasons for a total below the published one that may be right.
RESETS = frozenset((HoldReason.ROLLED_OVER, HoldReason.NEW_PERIOD))
# Kinds of totals that may begin again.
RESETTABLE = frozenset((ValueKind.TOTAL, ValueKind.PERIODIC))
_NOTHING = Decimal(0)


def reason_of_total(
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


def says_the_same(history: RegisterHistory, candidate: Candidate) -> bool:
    """Whether a total is the published one without its last digits: a display shows less, or in a larger unit."""
    good, sample = history.good, candidate.sample
    if candidate.kind not in TOTALS or good is None or not sample.checked:
        return False
    before, now = good.number_format, candidate.number_format
    if before is None or now is None or sample.number is None:
        return False
    step = _resolution(sample)
    return step > _resolution(good) and -step < _change(good, sample) <= 0


def confirms_total(history: RegisterHistory, held: HeldSample, candidate: Candidate) -> bool:
    """Whether a total may have gone from a held value to this one.

    It may move as fast as the meter can, or as it did to the held value: otherwise an installation beyond the limits
    would never be accepted. If nothing is known of its speed, it only has to move the right way.
    """
    earlier, sample = held.sample, candidate.sample
    change = _change(earlier, sample)
    if change < 0 and candidate.kind is not ValueKind.NET:
        return False
    rates = _rates(history, candidate)
    if rates and history.good is not None and held.reason not in RESETS:
        rates.append(RATE_SLACK * _per_hour(history.good, earlier))
    return _is_possible(earlier, sample, abs(change), max(rates, default=None))


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


def learn_rate(
    history: RegisterHistory, candidate: Candidate, reason: HoldReason | None
) -> tuple[Decimal | None, int, Sample]:
    """The rate of a total, its steps and where the next one begins: learned over hours, never from a single jump."""
    sample, good, anchor, rate = candidate.sample, history.good, history.anchor, history.rate
    if good is None or anchor is None or good.number is None or anchor.at > sample.at:
        return rate, history.steps, sample
    if candidate.kind is not ValueKind.NET and _change(good, sample) < 0:
        return rate, history.steps, sample
    if reason is HoldReason.TOO_FAST and _elapsed(good, sample):
        # A jump teaches nothing, unless it comes again and again.
        if _is_usual(history):
            rate = max(rate or _NOTHING, _per_hour(good, sample))
        return rate, history.steps, sample
    if (elapsed := _elapsed(anchor, sample)) < HOUR:
        return rate, history.steps, anchor
    # Over an hour, a step of the last digit more or less is better than a false alarm.
    mean = abs(_change(anchor, sample)) * HOUR / elapsed
    return (
        max((rate or _NOTHING) * RATE_DECAY ** (elapsed // HOUR), mean),
        history.steps + 1,
        sample,
    )


def jump_days(history: RegisterHistory, sample: Sample) -> tuple[int, ...]:
    """The days of the latest jumps that were confirmed, with this one."""
    day = int(sample.at // DAY)
    return (*(one for one in history.jump_days if one != day), day)[-USUAL_DAYS:]


def _is_usual(history: RegisterHistory) -> bool:
    return len(history.jump_days) >= USUAL_DAYS


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
    limits = candidate.limits
    if limits.rate is None or learned is None:
        return learned or limits.rate
    if _is_usual(history):
        return max(learned, limits.rate)
    if history.steps < RATE_LEARNED:
        return limits.rate
    return min(max(learned, limits.usual_rate or _NOTHING), limits.rate)


def _rates(history: RegisterHistory, candidate: Candidate) -> list[Decimal]:
    """How fast the meter can count: by what was seen, and by its limits."""
    return [rate for rate in (_rate(history, candidate), candidate.limits.rate) if rate is not None]


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
