"""Checks of totals: whether one may have moved so far, has rolled over or was reset, and how fast it moves.

Times are UTC seconds, rates are per hour.
"""

from collections.abc import Sequence
from dataclasses import replace
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

# A number that is no further from the last one than by this factor is not off by a power of ten.
OFF_COURSE = 3
# What the user has confirmed beyond the limits may be exceeded by this factor.
LIMIT_SLACK = 2

# Reasons for a total above what is usual.
_RISES = frozenset((HoldReason.TOO_FAST, HoldReason.OUT_OF_RANGE))
# Reasons for a total below the published one that may be right.
RESETS = frozenset((HoldReason.ROLLED_OVER, HoldReason.NEW_PERIOD))
# Kinds of totals that may begin again.
RESETTABLE = frozenset((ValueKind.TOTAL, ValueKind.PERIODIC))
_NOTHING = Decimal(0)


def reason_of_total(
    history: RegisterHistory,
    good: Sample,
    sample: Sample,
    candidate: Candidate,
    alike: Sequence[HeldSample],
) -> HoldReason | None:
    """The reason to hold a total because of its step from the last good value; `alike` are held ones of its course."""
    if candidate.kind not in TOTALS:
        return None
    change = _change(good, sample)
    if any(
        held.reason is HoldReason.OUT_OF_RANGE
        and abs(_change(good, held.first or held.sample)) * 2 > abs(change)
        for held in alike
    ):
        # That time has passed makes the jump no smaller.
        return HoldReason.OUT_OF_RANGE
    if change < 0 and candidate.kind is ValueKind.TOTAL:
        rolled = _rolled_over(history, good, sample, candidate)
        return HoldReason.ROLLED_OVER if rolled else HoldReason.FELL
    if change < 0 and candidate.kind is ValueKind.PERIODIC:
        begun = candidate.period_ended or _is_in(candidate, _change(None, sample), sample)
        begun = begun or any(held.reason is HoldReason.NEW_PERIOD for held in alike)
        return HoldReason.NEW_PERIOD if begun else HoldReason.FELL
    if _goes_on(history, good, candidate):
        return HoldReason.TOO_FAST
    if _is_possible(good, sample, abs(change), _rate(history, candidate)):
        return None
    if not candidate.limits.strict:
        return HoldReason.TOO_FAST
    possible = _is_possible(good, sample, abs(change), _limit(history, candidate))
    usual = possible and not is_off_course(good, sample)
    return HoldReason.TOO_FAST if usual else HoldReason.OUT_OF_RANGE


def is_off_course(good: Sample, sample: Sample) -> bool:
    """Whether a number is so far from the last one that it may be off by a power of ten."""
    before, now = abs(_change(None, good)), abs(_change(None, sample))
    return before > 0 and not before < now * OFF_COURSE < before * OFF_COURSE**2


def _is_in(candidate: Candidate, amount: Decimal, *samples: Sample) -> bool:
    """Whether the total beside that of a billing period is known to have risen by so much."""
    return candidate.risen is not None and amount <= candidate.risen + _resolution(*samples)


def _goes_on(history: RegisterHistory, good: Sample, candidate: Candidate) -> bool:
    """Whether the total of a billing period goes on from before it seemed to begin anew."""
    last, sample = history.last_period, candidate.sample
    if last is None or (change := _change(last, sample)) < 0:
        return False
    rise = _change(good, sample)
    if candidate.risen is None:
        usual = _is_possible(good, sample, rise, _rate(history, candidate))
    else:
        usual = _is_in(candidate, rise, good, sample)
    return not usual and _is_possible(last, sample, change, _limit(history, candidate))


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


def agrees_with_total(history: RegisterHistory, held: HeldSample, candidate: Candidate) -> bool:
    """Whether a total may have gone from a held value to this one.

    It may move as fast as the meter can, or as it did to the held value: otherwise an installation beyond the limits
    would never be accepted. If nothing is known of its speed, it only has to move the right way.
    """
    earlier, sample = held.sample, candidate.sample
    change = _change(earlier, sample)
    if change < 0 and candidate.kind is not ValueKind.NET:
        return False
    rates = _rates(history, candidate)
    if rates and history.good is not None and held.reason in _RISES:
        rates.append(RATE_SLACK * _per_hour(history.good, earlier))
    return _is_possible(earlier, sample, abs(change), max(rates, default=None))


def own_rate(held: HeldSample) -> Decimal:
    """How fast a total moved per hour while it was held."""
    return _per_hour(held.first or held.sample, held.sample)


def reset_offset(before: RegisterHistory, after: RegisterHistory, kind: ValueKind) -> Decimal:
    """What a total has counted besides the change of its number: zero unless it was reset or rolled over."""
    last, first = before.good, after.good
    if before.last_period is not None and after.last_period is None:
        # What was taken for the end of a period was none.
        return -_change(None, before.last_period)
    if last is None or first is None or _change(last, first) >= 0:
        return _NOTHING
    if kind is ValueKind.PERIODIC:
        return last.number or _NOTHING
    if kind is ValueKind.TOTAL and first.number_format is not None:
        return _modulus(last, first.number_format)
    return _NOTHING


def learned(
    before: RegisterHistory,
    after: RegisterHistory,
    candidate: Candidate,
    reason: HoldReason | None,
) -> RegisterHistory:
    """The history with what a published total teaches: its rate over hours, never from a single jump."""
    sample, good, anchor, rate = candidate.sample, before.good, before.anchor, before.rate
    if reason is HoldReason.NEW_PERIOD:
        after = replace(after, last_period=good)
    elif good is not None and _goes_on(before, good, candidate):
        after = replace(after, last_period=None)
    if good is None or good.number is None or anchor is None or anchor.at > sample.at:
        return replace(after, anchor=sample)
    if candidate.kind is not ValueKind.NET and _change(good, sample) < 0:
        return replace(after, anchor=sample)
    if reason is HoldReason.OUT_OF_RANGE:
        return replace(after, anchor=sample)
    if reason is HoldReason.TOO_FAST:
        # A jump teaches nothing, unless it comes again and again.
        days = jump_days(before, sample)
        if len(days) >= USUAL_DAYS:
            rate = max(rate or _NOTHING, _per_hour(good, sample))
        return replace(after, anchor=sample, rate=rate, jump_days=days)
    if (elapsed := _elapsed(anchor, sample)) < HOUR:
        return after
    # Over an hour, a step of the last digit more or less is better than a false alarm.
    mean = abs(_change(anchor, sample)) * HOUR / elapsed
    rate = max((rate or _NOTHING) * RATE_DECAY ** (elapsed // HOUR), mean)
    return replace(after, rate=rate, steps=before.steps + 1, anchor=sample)


def jump_days(history: RegisterHistory, sample: Sample) -> tuple[int, ...]:
    """The days of the latest jumps that were confirmed, with this one."""
    day = int(sample.at // DAY)
    return (*(one for one in history.jump_days if one != day), day)[-USUAL_DAYS:]


def _rolled_over(
    history: RegisterHistory, good: Sample, sample: Sample, candidate: Candidate
) -> bool:
    """Whether the digits before the point rolled over, 999999 → 000000, by a rise that is possible."""
    number_format = candidate.number_format
    before = good.number_format
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
    return scale(good).scaleb(number_format.width)


def _limit(history: RegisterHistory, candidate: Candidate) -> Decimal | None:
    """The steepest change per hour that is believed; None if nothing is known of it."""
    rate = candidate.limits.rate
    return None if rate is None else max(rate, LIMIT_SLACK * (history.reach or _NOTHING))


def _rate(history: RegisterHistory, candidate: Candidate) -> Decimal | None:
    """The steepest change per hour that is accepted at once; None if nothing is known of it."""
    limit, usual = _limit(history, candidate), candidate.limits.usual_rate
    rate = None if history.rate is None else history.rate * RATE_SLACK
    if limit is None or rate is None:
        return rate or limit
    if history.steps < RATE_LEARNED:
        return limit
    return min(max(rate, usual or _NOTHING), limit)


def _rates(history: RegisterHistory, candidate: Candidate) -> list[Decimal]:
    """How fast the meter can count: by what was seen, and by its limits."""
    rates = _rate(history, candidate), _limit(history, candidate)
    return [rate for rate in rates if rate is not None]


def _change(before: Sample | None, after: Sample) -> Decimal:
    """How far a number moved, from nothing if there was none before."""
    # Texts do not come so far where numbers are meant.
    return (after.number or _NOTHING) - ((before and before.number) or _NOTHING)


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


def scale(sample: Sample) -> Decimal:
    """How many units of the entity one unit as sent is."""
    sent = Value(sample.text).number
    return sample.number / sent if sent and sample.number else Decimal(1)


def _resolution(*samples: Sample) -> Decimal:
    """One step of the last digit, in the unit of the entity; the coarser where the form has changed."""
    return max(
        scale(sample).scaleb(-number_format.decimals)
        for sample in samples
        if (number_format := sample.number_format)
    )
