"""May this value be believed? The second and third gate before a value is published.

Here: the form of a number (digits, decimals, unit) against how this register's numbers always looked, and its size
against what the meter can physically do. Pure functions from what is known and a new value to a judgement, and to what
is known then; a value is never changed on its way.
Never here: reading, clocks, storage, Home Assistant. Times are UTC seconds, given by the caller; rates are per hour.

What cannot be told at once is held, and a second, consistent reading decides. A false alarm so costs one more reading,
and the gates can be narrow. One thing no repetition decides: that a total has fallen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil

from ..protocol.model import Value
from .limits import NO_LIMITS, TOTALS, Limits, ValueKind, kind_of, limits_of
from .register_history import HeldSample, HoldReason, NumberFormat, RegisterHistory, Sample

__all__ = [
    "NO_LIMITS",
    "Candidate",
    "CheckResult",
    "HeldSample",
    "HoldReason",
    "Limits",
    "NumberFormat",
    "RegisterHistory",
    "Sample",
    "ValueKind",
    "accept",
    "begun_anew",
    "judge",
    "judge_reading",
    "kind_of",
    "limits_of",
]

HOUR = 3600
# What exceeds the steepest rise seen by this factor is asked for again.
RATE_SLACK = 4
# So many rises over an hour or more are needed before the steepest counts: a day of a meter that is read often.
RATE_LEARNED = 24
# Two values beyond the limits confirm each other within this factor, and move the limit so far.
SIZE_SLACK = 2
# A register that was confirmed to send so many forms has none.
FORMS_VARY = 6
# The latest doubtful values: any of them can be confirmed, so that a damaged reading in between costs nothing.
MOST_HELD = 3
# Readings that contradict the published total, and readings withheld for any reason, until a person is asked.
CONTRADICTIONS_UNTIL_REPAIR = 2
WITHHELD_UNTIL_REPAIR = 5
# Fewer digits are not padded to a width: 9 → 0 is no roll-over.
SHORTEST_ROLL_OVER = 4
# The most of its range a total may have passed: after a long outage any fall could be one.
ROLL_OVER_SPAN = Decimal("0.1")

# What a second reading cannot settle.
_LASTING = frozenset((HoldReason.TEXT, HoldReason.FELL, HoldReason.NUMBER))
# What lies below the published total, and may be right.
_BEGUN_ANEW = frozenset((HoldReason.ROLLED_OVER, HoldReason.NEW_PERIOD))
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What becomes of one value: published where there is no doubt.

    `again`: a second reading, made at once, can settle it. `repair`: a person should be asked.
    """

    doubt: HoldReason | None = None
    again: bool = False
    repair: bool = False

    @property
    def good(self) -> bool:
        """Whether the value may be published."""
        return self.doubt is None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value of a reading, and what is known of its kind."""

    sample: Sample
    nature: ValueKind
    limits: Limits = NO_LIMITS


GOOD = CheckResult()


def judge(
    record: RegisterHistory, case: Candidate, *, newcomer: bool = False
) -> tuple[RegisterHistory, CheckResult]:
    """Whether a register's new value may be published, and what is known of the register then.

    `newcomer`: the meter is known and has not had this register before.
    """
    doubt = _doubt(record, case, newcomer)
    if doubt is None or (
        doubt not in _LASTING and any(_confirms(record, held, case) for held in record.held)
    ):
        return _believed(record, case, doubt), GOOD
    record = replace(
        record,
        held=(*record.held, HeldSample(case.sample, doubt))[-MOST_HELD:],
        withheld=record.withheld + 1,
        contradictions=record.contradictions + (doubt is HoldReason.FELL),
    )
    return record, CheckResult(
        doubt,
        # A missing phase sends dashes all day: what no reading settles is asked for once.
        again=doubt not in _LASTING or record.withheld == 1,
        repair=doubt is not HoldReason.TEXT
        and (
            record.contradictions >= CONTRADICTIONS_UNTIL_REPAIR
            or record.withheld >= WITHHELD_UNTIL_REPAIR
        ),
    )


def judge_reading(
    records: Mapping[str, RegisterHistory],
    cases: Mapping[str, Candidate],
    number: str | None = None,
) -> tuple[dict[str, RegisterHistory], dict[str, CheckResult]]:
    """All values of one reading, by the keys of their registers; records of registers it lacks stay as they are.

    `number` is the key under which the meter's own number is judged: while that is in doubt, the reading may be
    another meter's, and nothing of it is published or learned.
    """
    known = dict(records)
    judged: dict[str, CheckResult] = {}
    if number is not None and number in cases:
        known[number], judged[number] = judge(known.get(number, RegisterHistory()), cases[number])
        if not judged[number].good:
            other = CheckResult(HoldReason.NUMBER, again=judged[number].again)
            return known, dict.fromkeys(cases, other) | judged
    for key, case in cases.items():
        if key != number:
            # A check character that two faults passed may have let a code be made up.
            newcomer = bool(records) and key not in records
            known[key], judged[key] = judge(
                known.get(key, RegisterHistory()), case, newcomer=newcomer
            )
    return known, judged


def accept(record: RegisterHistory, nature: ValueKind) -> RegisterHistory:
    """The record after a person has said that the latest held value is right; the same where there is none."""
    for sample, _ in reversed(record.held):
        if sample.number is not None or nature is ValueKind.NAME:
            return _believed(record, Candidate(sample, nature), None)
    return record


def begun_anew(before: RegisterHistory, after: RegisterHistory, nature: ValueKind) -> Decimal:
    """What a total has counted besides the change of its number: nothing, unless it was seen to begin anew."""
    last, first = before.good, after.good
    if last is None or first is None or _change(last, first) >= 0:
        return _NOTHING
    if nature is ValueKind.PERIODIC:
        return last.number or _NOTHING
    if nature is ValueKind.TOTAL and first.form is not None:
        return _modulus(last, first.form)
    return _NOTHING


def _doubt(record: RegisterHistory, case: Candidate, newcomer: bool) -> HoldReason | None:
    """The gravest reason not to believe a value at once."""
    sample, good = case.sample, record.good
    unproven = newcomer or bool(record.held) or not sample.checked
    if case.nature is ValueKind.NAME:
        if good is None:
            return HoldReason.FIRST if unproven else None
        return None if good.text == sample.text else HoldReason.NAME
    form = sample.form
    if sample.number is None or form is None:
        return HoldReason.TEXT
    beyond = _beyond(record, sample.number, case)
    if good is None or good.number is None:
        if unproven:
            return HoldReason.FIRST
        return HoldReason.OUT_OF_RANGE if beyond else None
    moved = _moved(record, good, sample, case)
    if moved is HoldReason.FELL or moved in _BEGUN_ANEW:
        return moved
    return _doubt_of_form(record, form) or moved or (HoldReason.OUT_OF_RANGE if beyond else None)


def _doubt_of_form(record: RegisterHistory, form: NumberFormat) -> HoldReason | None:
    if all(known.unit != form.unit for known in record.forms):
        return HoldReason.UNIT
    return None if form in record.forms or len(record.forms) >= FORMS_VARY else HoldReason.FORM


def _beyond(record: RegisterHistory, number: Decimal, case: Candidate) -> bool:
    """Whether a value is outside what the meter can measure, as far as nothing else was confirmed."""
    if record.reach is not None and abs(number) <= SIZE_SLACK * record.reach:
        return False
    low, high = case.limits.low, case.limits.high
    return (low is not None and number < low) or (high is not None and number > high)


def _moved(
    record: RegisterHistory, good: Sample, sample: Sample, case: Candidate
) -> HoldReason | None:
    """What is doubtful in a total's step from the last good value."""
    if case.nature not in TOTALS:
        return None
    change = _change(good, sample)
    if change < 0 and case.nature is ValueKind.TOTAL:
        return (
            HoldReason.ROLLED_OVER if _rolled_over(record, good, sample, case) else HoldReason.FELL
        )
    if change < 0 and case.nature is ValueKind.PERIODIC:
        return HoldReason.NEW_PERIOD
    return None if _within(good, sample, abs(change), _rate(record, case)) else HoldReason.TOO_FAST


def _rolled_over(record: RegisterHistory, good: Sample, sample: Sample, case: Candidate) -> bool:
    """Whether the digits before the point began anew: 999999 → 000000, by a rise that is possible."""
    before, form = good.form, sample.form
    if before is None or form is None or form.width < SHORTEST_ROLL_OVER:
        return False
    if before._replace(blanks=form.blanks) != form:
        return False
    modulus = _modulus(good, form)
    rise = _change(good, sample) + modulus
    possible = _within(good, sample, rise, max(_rates(record, case), default=None))
    return possible and rise <= ROLL_OVER_SPAN * modulus


def _modulus(good: Sample, form: NumberFormat) -> Decimal:
    """The first number that the digits before the point cannot show, in the unit of the entity."""
    return _scale(good).scaleb(form.width)


def _rate(record: RegisterHistory, case: Candidate) -> Decimal | None:
    """The steepest change per hour that is believed at once; None where nothing is known of it."""
    learned = None if record.rate is None else record.rate * RATE_SLACK
    if learned is not None and record.steps >= RATE_LEARNED:
        return learned
    if learned is None or case.limits.rate is None:
        return case.limits.rate
    return max(learned, case.limits.rate)


def _rates(record: RegisterHistory, case: Candidate) -> list[Decimal]:
    """What is known of how fast the meter can count: by what was seen, and by what it is."""
    return [rate for rate in (_rate(record, case), case.limits.rate) if rate is not None]


def _confirms(record: RegisterHistory, held: HeldSample, case: Candidate) -> bool:
    """Whether a doubtful value and an earlier one support each other."""
    earlier, sample = held.sample, case.sample
    if held.doubt in _LASTING:
        return False
    if case.nature is ValueKind.NAME:
        return earlier.text == sample.text
    if earlier.number is None or sample.number is None:
        return False
    if case.nature in TOTALS:
        return _goes_on(record, held, case)
    same_form = earlier.form == sample.form or len(record.forms) >= FORMS_VARY
    known = {earlier.form, sample.form} <= set(record.forms)
    beyond = _beyond(record, earlier.number, case) or _beyond(record, sample.number, case)
    return (same_form or known) and (not beyond or _like_size(earlier.number, sample.number))


def _goes_on(record: RegisterHistory, held: HeldSample, case: Candidate) -> bool:
    """Whether a total may have gone from an earlier doubtful value to this one.

    As fast as the meter can, or as it must have gone to the earlier value: else a plant beyond the limits would never
    be believed. Where nothing is known of its speed, it need only go the right way.
    """
    earlier, sample = held.sample, case.sample
    change = _change(earlier, sample)
    if change < 0 and case.nature is not ValueKind.NET:
        return False
    rates = _rates(record, case)
    if rates and record.good is not None and held.doubt not in _BEGUN_ANEW:
        rates.append(RATE_SLACK * _per_hour(record.good, earlier))
    return _within(earlier, sample, abs(change), max(rates, default=None))


def _like_size(one: Decimal, other: Decimal) -> bool:
    return max(abs(one), abs(other)) <= SIZE_SLACK * min(abs(one), abs(other))


def _change(before: Sample, after: Sample) -> Decimal:
    # Texts do not come so far where numbers are meant.
    return (after.number or _NOTHING) - (before.number or _NOTHING)


def _within(before: Sample, after: Sample, change: Decimal, rate: Decimal | None) -> bool:
    """Whether a total can change so much in the time between, and by the last digit at any time."""
    if rate is None:
        return True
    return (change - _resolution(before, after)) * HOUR <= rate * _elapsed(before, after)


def _elapsed(before: Sample, after: Sample) -> int:
    """Seconds from one sample to the next; none where the clock was set back."""
    return max(0, ceil(after.at - before.at))


def _per_hour(before: Sample, after: Sample) -> Decimal:
    """How fast a total changed, less what the last digit may hide."""
    change = max(_NOTHING, abs(_change(before, after)) - _resolution(before, after))
    return change * HOUR / max(1, _elapsed(before, after))


def _scale(sample: Sample) -> Decimal:
    """How many units of the entity one unit as sent is."""
    sent = Value(sample.text).number
    return sample.number / sent if sent and sample.number else Decimal(1)


def _resolution(*samples: Sample) -> Decimal:
    """One step of the last digit, in the unit of the entity; the coarser where the form has changed."""
    return max(_scale(sample).scaleb(-form.decimals) for sample in samples if (form := sample.form))


def _believed(
    record: RegisterHistory, case: Candidate, doubt: HoldReason | None
) -> RegisterHistory:
    """What is known once a value is published; `doubt` is the one that was settled."""
    sample, form = case.sample, case.sample.form
    forms = record.forms
    if form is not None and form not in forms:
        forms = (*forms, form)[-FORMS_VARY:]
    reach = record.reach
    if sample.number is not None and _beyond(record, sample.number, case):
        reach = max(reach or _NOTHING, abs(sample.number))
    believed = replace(
        record, good=sample, forms=forms, held=(), withheld=0, contradictions=0, reach=reach
    )
    return _learned(believed, record.good, case, doubt) if case.nature in TOTALS else believed


def _learned(
    record: RegisterHistory, before: Sample | None, case: Candidate, doubt: HoldReason | None
) -> RegisterHistory:
    """How fast a total was seen to move: over hours as a rule, at once where a jump was confirmed."""
    sample, anchor, rate = case.sample, record.anchor, record.rate
    if before is None or anchor is None or before.number is None or anchor.at > sample.at:
        return replace(record, anchor=sample)
    if case.nature is not ValueKind.NET and _change(before, sample) < 0:
        return replace(record, anchor=sample)
    if doubt is HoldReason.TOO_FAST and _elapsed(before, sample):
        rate = max(rate or _NOTHING, _per_hour(before, sample))
    if _elapsed(anchor, sample) < HOUR:
        return replace(record, rate=rate)
    # Over an hour, a step of the last digit more or less is better than a false alarm.
    mean = abs(_change(anchor, sample)) * HOUR / _elapsed(anchor, sample)
    rate = max(rate or _NOTHING, mean)
    return replace(record, rate=rate, steps=record.steps + 1, anchor=sample)
