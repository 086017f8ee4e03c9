"""What is believed, what is held, and for how long."""

from dataclasses import replace
from decimal import Decimal
import json
from random import Random

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol import obis
from custom_components.iec62056.protocol.codec import CodecError, decode, encode
from custom_components.iec62056.validation.candidate import APART, Candidate
from custom_components.iec62056.validation.checks import (
    MOST_FORMATS,
    CheckResult,
    accept,
    check_value,
    check_values,
)
from custom_components.iec62056.validation.limits import ValueKind, kind_of, limits_of
from custom_components.iec62056.validation.register_history import (
    HoldReason,
    NumberFormat,
    RegisterHistory,
    Sample,
)
from custom_components.iec62056.validation.totals import RATE_LEARNED, reset_offset

SEED = 62056
HOUR = 3600.0
START = 1_800_000_000.0


def candidate(
    text: str,
    at: float,
    kind: ValueKind = ValueKind.TOTAL,
    unit: str | None = "kWh",
    *,
    number: str | None = "as sent",
    published: str | None = None,
    checked: bool = True,
    amperes: int | None = None,
) -> Candidate:
    """A value as sent, `at` hours after the start."""
    if number == "as sent":
        number = text.strip().replace(",", ".")
    sample = Sample(
        None if number is None else Decimal(number), text, unit, START + at * HOUR, checked
    )
    fuse = None if amperes is None else Decimal(amperes)
    return Candidate(sample, kind, limits_of(kind, published or unit, fuse))


def after(
    *candidates: Candidate, history: RegisterHistory | None = None
) -> tuple[RegisterHistory, CheckResult]:
    """What is known and judged after these values."""
    judged = CheckResult()
    history = history or RegisterHistory()
    for one in candidates:
        history, judged = check_value(history, one)
    return history, judged


def published(history: RegisterHistory) -> Decimal | None:
    return None if history.good is None else history.good.number


def reason(*candidates: Candidate) -> HoldReason | None:
    return after(*candidates)[1].reason


# Form


@pytest.mark.parametrize(
    ("text", "number_format"),
    [
        ("012345.678", (False, 6, ".", 3)),
        ("-000142.30", (False, 6, ".", 2)),
        ("+00026", (False, 5, "", 0)),
        # Padded with blanks, a sign takes the place of one.
        (" 0.00", (True, 2, ".", 2)),
        ("+1.00", (False, 1, ".", 2)),
        (" +1.00", (True, 3, ".", 2)),
        ("000007,4", (False, 6, ",", 1)),
    ],
)
def test_a_form_is_padding_places_and_decimals(
    text: str, number_format: tuple[bool, int, str, int]
) -> None:
    assert NumberFormat.of(text, "kWh") == (*number_format, "kWh")


@pytest.mark.parametrize("text", ["32A.062", "-.--", "---.-", "", "1.2.3", "12.", ".5", "1 2"])
def test_what_is_no_number_has_no_form(text: str) -> None:
    assert NumberFormat.of(text, None) is None


@pytest.mark.parametrize(
    ("text", "unit", "why"),
    [
        ("01235.678", "kWh", HoldReason.FELL),
        ("0123456.79", "kWh", HoldReason.OUT_OF_RANGE),
        ("012345.60", "kWh", HoldReason.FELL),
        ("0012345.679", "kWh", HoldReason.FORM),
        ("012345.6790", "kWh", HoldReason.FORM),
        (" 12345.679", "kWh", HoldReason.FORM),
        ("012345,679", "kWh", HoldReason.FORM),
        ("012345.679 ", "kWh", HoldReason.FORM),
        ("012345.679", "kwh", HoldReason.UNIT),
        ("012345.679", None, HoldReason.UNIT),
    ],
)
def test_a_total_in_another_form_is_held(text: str, unit: str | None, why: HoldReason) -> None:
    before = candidate("012345.678", 0)
    history, judged = after(before, candidate(text, 0.1, unit=unit, published="kWh"))
    assert judged.reason is why
    assert (judged.retry, judged.later) == (
        why in (HoldReason.FORM, HoldReason.UNIT),
        why in (HoldReason.FELL, HoldReason.OUT_OF_RANGE),
    )
    assert history.good == before.sample


def test_a_lost_digit_of_a_voltage_is_seen_by_its_form() -> None:
    voltage = [
        candidate(text, at, ValueKind.INSTANT, "V")
        for at, text in enumerate(("231.4", "31.4", "230.9"))
    ]
    assert reason(*voltage[:2]) is HoldReason.FORM
    assert reason(*voltage) is None


def test_a_new_form_is_confirmed_by_a_second_reading() -> None:
    before = candidate("012345.67", 0)
    history, judged = after(
        before, candidate("0012345.680", 0.1), candidate("0012345.681", 0.1 + 10 / HOUR)
    )
    assert judged.good
    assert published(history) == Decimal("12345.681")
    # It is known from then on, and so is the old one.
    assert check_value(history, candidate("0012345.690", 0.2))[1].good
    assert check_value(history, candidate("012345.70", 0.2))[1].good


def test_a_register_without_a_fixed_form_stops_asking() -> None:
    chance = Random(SEED)
    print("seed", SEED)
    history, held = RegisterHistory(), 0
    for at in range(1000):
        text = f"{chance.uniform(0, 150):.{chance.randrange(4)}f}"
        for again in (0, 0.001):
            sent = candidate(text, at + again, ValueKind.INSTANT, "A")
            history, judged = check_value(history, sent)
            held += not judged.good
        assert judged.good
    assert 0 < held <= MOST_FORMATS


@pytest.mark.parametrize("kind", [n for n in ValueKind if n is not ValueKind.NAME])
def test_no_text_is_published_where_numbers_are_meant(kind: ValueKind) -> None:
    before = candidate("231.4", 0, kind, "V")
    dashes = [
        candidate("---.-", at, kind, "V", number=None) for at in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    ]
    history, judged = after(before, dashes[0])
    assert (judged.reason, judged.retry) == (HoldReason.TEXT, True)
    history, judged = after(*dashes[1:], history=history)
    # A missing phase sends dashes all day: nobody is asked, nor the meter again.
    assert judged == CheckResult(HoldReason.TEXT)
    assert history.good == before.sample
    assert check_value(history, candidate("231.5", 1, kind, "V"))[1].good


def test_a_number_that_the_entity_cannot_say_is_held() -> None:
    # Another dimension: the conversion gave nothing.
    assert (
        reason(candidate("12.5", 0), candidate("12.6", 1, number=None, unit="V")) is HoldReason.TEXT
    )


# Totals


@pytest.mark.parametrize("text", ["000000.000", "012345.677", "002345.678"])
def test_no_repetition_makes_a_fallen_total_believed(text: str) -> None:
    history, judged = after(candidate("012345.678", 0))
    for at in range(1, 20):
        history, judged = check_value(history, candidate(text, at))
        assert judged.reason is HoldReason.FELL
        assert judged.repair == (at > 1)
        assert (judged.retry, judged.later) == (False, at == 1)
    assert published(history) == Decimal("12345.678")
    # Only the user can, and then it goes on from there.
    history = accept(history, ValueKind.TOTAL)
    assert published(history) == Decimal(text)
    assert check_value(history, candidate(text, 20))[1].good


def test_a_right_value_ends_the_contradictions() -> None:
    history, _ = after(candidate("000100.0", 0), candidate("000000.0", 1), candidate("000101.0", 2))
    assert not check_value(history, candidate("000000.0", 3))[1].repair


@pytest.mark.parametrize(
    ("amperes", "text", "why"),
    [
        (None, "000109.0", None),
        (None, "000113.0", HoldReason.OUT_OF_RANGE),
        # 3 × 230 V × 25 A and what a fuse carries: 27.6 kW.
        (25, "000102.7", None),
        (25, "000103.0", HoldReason.OUT_OF_RANGE),
    ],
)
def test_a_rise_beyond_the_fuse_is_held(
    amperes: int | None, text: str, why: HoldReason | None
) -> None:
    assert reason(candidate("000100.0", 0), candidate(text, 0.1, amperes=amperes)) is why


def test_the_steepest_rise_is_learned() -> None:
    history, _ = after(*(candidate(f"{100 + at:06}.0", at) for at in range(RATE_LEARNED + 1)))
    end = 100 + RATE_LEARNED
    # One kilowatt so far: what a car takes is believed, what nothing in a house takes is asked for.
    assert check_value(history, candidate(f"{end + 32:06}.0", RATE_LEARNED + 1))[1].good
    held, judged = check_value(history, candidate(f"{end + 35:06}.0", RATE_LEARNED + 1))
    assert (judged.reason, judged.retry, judged.later) == (HoldReason.TOO_FAST, False, True)
    again = f"{end + 35:06}.0"
    assert not check_value(held, candidate(again, RATE_LEARNED + 1 + 59 / HOUR))[1].good
    history, judged = check_value(held, candidate(again, RATE_LEARNED + 1 + 60 / HOUR))
    assert judged.good
    # Once is no rule: the next like it is asked for again.
    assert (
        check_value(history, candidate(f"{end + 75:06}.0", RATE_LEARNED + 2))[1].reason
        is HoldReason.TOO_FAST
    )


def test_a_confirmed_jump_teaches_nothing() -> None:
    history, _ = after(*(candidate(f"{100 + at:06}.0", at) for at in range(RATE_LEARNED + 1)))
    before = history.rate
    at = RATE_LEARNED + 1.0
    history, judged = after(
        candidate("000200.0", at), candidate("000200.0", at + 0.02), history=history
    )
    assert judged.good
    history, judged = after(candidate("000201.0", at + 1), history=history)
    assert judged.good
    assert before is not None
    assert history.rate is not None
    assert history.rate <= before
    assert not check_value(history, candidate("000210.0", at + 1.2))[1].good


def test_a_jump_on_three_days_is_usual() -> None:
    history, _ = after(*(candidate(f"{100 + at:06}.0", at) for at in range(RATE_LEARNED + 1)))
    number = 200
    held = []
    for day in range(3, 8):
        at, number = day * 24, number + 100
        history, _ = after(candidate(f"{number:06}.0", at), history=history)
        number += 60
        history, judged = after(candidate(f"{number:06}.0", at + 1), history=history)
        held.append(judged.reason)
        if not judged.good:
            history, judged = after(candidate(f"{number:06}.0", at + 1.02), history=history)
        assert judged.good
    assert held == [HoldReason.TOO_FAST] * 3 + [None] * 2
    # But no jump beyond the limit ever is.
    beyond = candidate(f"{number + 111:06}.0", at + 2.02)
    assert check_value(history, beyond)[1].reason is HoldReason.OUT_OF_RANGE


def test_the_steepest_rise_is_forgotten() -> None:
    history, _ = after(*(candidate(f"{100 + 20 * at:06}.0", at) for at in range(RATE_LEARNED + 1)))
    number = 100 + 20 * RATE_LEARNED
    steep = history.rate
    history, _ = after(
        *(candidate(f"{number + at / 10:08.1f}", RATE_LEARNED + at) for at in range(1, 24 * 14)),
        history=history,
    )
    assert steep == 20
    assert history.rate is not None
    assert history.rate < 1


def test_a_jump_that_does_not_come_again_leaves_no_trace() -> None:
    before, _ = after(*(candidate(f"{100 + at:06}.0", at) for at in range(RATE_LEARNED + 1)))
    history, _ = check_value(before, candidate("090000.0", RATE_LEARNED + 0.5))
    history, judged = check_value(
        history, candidate(f"{101 + RATE_LEARNED:06}.0", RATE_LEARNED + 1)
    )
    assert judged.good
    assert (history.rate, history.held, history.withheld) == (before.rate, (), 0)


def test_two_different_jumps_do_not_confirm_each_other() -> None:
    history, _ = after(*(candidate(f"{100 + at:06}.0", at) for at in range(RATE_LEARNED + 1)))
    at = RATE_LEARNED + 1
    jumps = (candidate("000210.0", at), candidate("000200.0", at + 0.2))
    for one in jumps:
        history, judged = check_value(history, one)
        assert judged.reason is HoldReason.TOO_FAST
    assert published(history) == 100 + RATE_LEARNED


def test_a_jump_that_was_wrong_does_not_stop_the_total() -> None:
    history, _ = after(candidate("000100.0", 0), candidate("000103.0", 0.01))
    assert check_value(history, candidate("000120.0", 10))[1].good


def test_a_damaged_reading_between_two_right_ones_costs_nothing() -> None:
    history, _ = after(*(candidate(f"{100 + at:06}.0", at) for at in range(RATE_LEARNED + 1)))
    at = RATE_LEARNED + 1
    history, judged = after(
        candidate("000190.0", at),
        candidate("080190.0", at + 0.01),
        candidate("000190.1", at + 0.02),
        history=history,
    )
    assert judged.good
    assert published(history) == Decimal("190.1")


def test_a_jump_beyond_the_limit_is_the_users_however_often_and_late_it_is_sent() -> None:
    history, _ = after(candidate("000100.0", 0))
    for at in (1.0, 1.02, 5.0, 10.0, 100.0):
        history, judged = check_value(history, candidate("000500.0", at))
        assert judged.reason is HoldReason.OUT_OF_RANGE
        assert judged.repair == (at > 1)
    history = accept(history, ValueKind.TOTAL)
    assert published(history) == 500
    # A single jump is no limit of its own.
    assert not check_value(history, candidate("000900.0", 101))[1].good


def test_a_plant_beyond_all_limits_is_asked_for_once() -> None:
    # 12 MW at one reading a minute.
    def sent(step: int) -> Candidate:
        return candidate(f"{100_000 + 200 * step:08}.0", step / 60)

    history, judged = after(sent(0), sent(1), sent(2))
    assert (judged.reason, judged.repair) == (HoldReason.OUT_OF_RANGE, True)
    history = accept(history, ValueKind.TOTAL)
    history, judged = after(*(sent(step) for step in range(3, 200)), history=history)
    assert judged.good
    assert published(history) == 100_000 + 200 * 199


@pytest.mark.parametrize(
    ("kind", "before", "now"),
    [
        (ValueKind.TOTAL, ("000001.7", "kWh"), ("000017.2", "kWh")),
        (ValueKind.INSTANT, ("001.250", "kW"), ("001.250", "W")),
        (ValueKind.INSTANT, ("000.020", "kW"), ("000.020", "MW")),
    ],
)
def test_what_may_be_off_by_a_power_of_ten_is_the_users(
    kind: ValueKind, before: tuple[str, str], now: tuple[str, str]
) -> None:
    def sent(text: str, unit: str, at: float) -> Candidate:
        factor = {"W": Decimal("0.001"), "MW": Decimal(1000)}.get(unit, Decimal(1))
        number = str(Decimal(text) * factor)
        base = "kWh" if unit == "kWh" else "kW"
        return candidate(text, at, kind, unit, published=base, number=number)

    history = RegisterHistory()
    for step in range(RATE_LEARNED + 2):
        history, judged = check_value(history, sent(*before, step))
        assert judged.good
    shown, last = published(history), RATE_LEARNED + 1
    for hours in (0.3, 0.31, 0.4):
        history, judged = check_value(history, sent(*now, last + hours))
        assert judged.reason is HoldReason.OUT_OF_RANGE
    assert judged.repair
    assert published(history) == shown


def test_a_coarse_total_may_move_by_its_last_digit_at_any_time() -> None:
    history, _ = after(*(candidate("000100", at) for at in range(RATE_LEARNED + 2)))
    assert history.rate == 0
    assert check_value(history, candidate("000101", RATE_LEARNED + 1.001))[1].good


def test_a_step_of_the_last_digit_is_in_the_unit_of_the_entity() -> None:
    # Sent in MWh with one decimal, published in kWh.
    def megawatt_hours(text: str, at: float) -> Candidate:
        return candidate(text, at, unit="MWh", published="kWh", number=str(Decimal(text) * 1000))

    assert reason(megawatt_hours("000012.3", 0), megawatt_hours("000012.4", 0.001)) is None
    assert (
        reason(megawatt_hours("000012.3", 0), megawatt_hours("000012.5", 0.001))
        is HoldReason.OUT_OF_RANGE
    )


def test_what_the_coarser_form_hid_is_no_rise() -> None:
    # 12.39 was shown as 12.3; no time passed.
    first = candidate("000012.3", 0, checked=False)
    assert reason(first, candidate("000012.39", 0, checked=False)) is None
    assert reason(first, candidate("000012.41", 0, checked=False)) is HoldReason.FIRST


def test_a_clock_set_back_gives_no_time_to_rise() -> None:
    before = candidate("000100.0", 10)
    assert reason(before, candidate("000100.5", 2)) is HoldReason.OUT_OF_RANGE


def test_a_net_total_may_fall_but_not_leap() -> None:
    before = candidate("000100.0", 0, ValueKind.NET)
    assert reason(before, candidate("000098.0", 0.1, ValueKind.NET)) is None
    assert reason(before, candidate("000000.0", 0.1, ValueKind.NET)) is HoldReason.OUT_OF_RANGE


def periodic(text: str, at: float, risen: str | None = None, *, ended: bool = False) -> Candidate:
    """The total of a billing period, and what the others say of it."""
    return replace(
        candidate(text, at, ValueKind.PERIODIC),
        period_ended=ended,
        risen=None if risen is None else Decimal(risen),
    )


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (periodic("000000.2", 1, ended=True), HoldReason.NEW_PERIOD),
        (periodic("000000.2", 1, "0.3"), HoldReason.NEW_PERIOD),
        # It has counted more than the meter has, or nothing is known of that.
        (periodic("000007.2", 1, "0.3"), HoldReason.FELL),
        (periodic("000000.2", 1), HoldReason.FELL),
    ],
)
def test_a_billing_period_begins_with_a_sign_and_a_later_reading(
    first: Candidate, why: HoldReason
) -> None:
    before = candidate("000312.0", 0, ValueKind.PERIODIC)
    history, judged = after(before, first)
    assert (judged.reason, judged.later) == (why, True)
    text = first.sample.text
    # In the later reading the signs are no news.
    history, judged = check_value(history, periodic(text, 1.01, "0"))
    assert not judged.good
    again, judged = check_value(history, periodic(text, 1.02, "0"))
    assert judged.good == (why is HoldReason.NEW_PERIOD)
    assert judged.repair == (why is HoldReason.FELL)
    # A return to the old course means that there was no new one.
    history, judged = check_value(history, periodic("000312.1", 1.02, "0.1"))
    assert (judged.good, history.held) == (True, ())
    assert published(again) == Decimal("0.2" if why is HoldReason.NEW_PERIOD else "312.0")


@pytest.mark.parametrize("risen", ["0.4", None])
def test_a_period_that_seemed_to_begin_goes_on(risen: str | None) -> None:
    history, judged = after(
        candidate("000312.0", 0, ValueKind.PERIODIC),
        *(periodic("000000.0", at, ended=True) for at in (1, 1.1)),
    )
    assert judged.good
    back = [periodic("000312.4", at, risen) for at in (2, 2.1)]
    before, judged = check_value(history, back[0])
    assert not judged.good
    history, judged = check_value(before, back[1])
    assert judged.good
    # All in all it has counted what it shows more.
    assert reset_offset(before, history, ValueKind.PERIODIC) == -312


def test_a_period_may_count_as_much_as_the_one_before() -> None:
    history, _ = after(
        candidate("000312.0", 0, ValueKind.PERIODIC),
        *(periodic("000000.0", at, ended=True) for at in (1, 1.1)),
    )
    before, judged = check_value(history, periodic("000312.4", 700, "312.4"))
    assert judged.good
    assert reset_offset(history, before, ValueKind.PERIODIC) == 0


def test_dashes_do_not_confirm_a_new_period() -> None:
    before = candidate("000312.0", 0, ValueKind.PERIODIC)
    dashes = candidate("------.-", 1, ValueKind.PERIODIC, number=None)
    later = periodic("000000.1", 1.1, ended=True)
    assert reason(before, dashes, later) is HoldReason.NEW_PERIOD


# Roll-over


@pytest.mark.parametrize(
    ("before", "new"),
    [
        ("999999.8", "000000.3"),
        ("9999.999", "0000.001"),
        ("999999", "000000"),
        ("99999", "00001"),
        ("99999.9", "    0.1"),
    ],
)
def test_a_roll_over_is_recognized_and_confirmed(before: str, new: str) -> None:
    history, judged = after(candidate(before, 0), candidate(new, 0.1))
    assert (judged.reason, judged.later, judged.repair) == (HoldReason.ROLLED_OVER, True, False)
    assert not check_value(history, candidate(new, 0.11))[1].good
    history, judged = check_value(history, candidate(new, 0.12))
    assert judged.good
    assert published(history) == Decimal(new)
    assert check_value(history, candidate(new, 0.2))[1].good


@pytest.mark.parametrize(
    ("before", "new"),
    [
        # Not near the top, too far beyond it, another width, not padded.
        ("899999.8", "000000.3"),
        ("999999.8", "000900.3"),
        ("999999.8", "00000.3"),
        ("999999.8", "0.3"),
        ("999", "000"),
        ("9", "0"),
    ],
)
def test_what_only_looks_like_a_roll_over_is_a_fall(before: str, new: str) -> None:
    history, judged = after(
        candidate(before, 0), candidate(new, 0.1), candidate(new, 0.11), candidate(new, 0.12)
    )
    assert judged.reason is HoldReason.FELL
    assert published(history) == Decimal(before)


def test_a_long_outage_makes_no_roll_over_of_a_fall() -> None:
    # A house could have counted so far in 500 hours.
    low = [candidate("40000.0", at) for at in (500, 500.02)]
    assert reason(candidate("99999.9", 0), *low) is HoldReason.FELL


def test_a_fall_is_not_confirmed_by_what_looked_like_a_roll_over() -> None:
    history, judged = after(
        candidate("99999.9", 0), candidate("00000.3", 0.1), candidate("0.4", 0.11)
    )
    assert judged.reason is HoldReason.FELL
    assert published(history) == Decimal("99999.9")


def test_a_roll_over_in_another_unit_than_sent() -> None:
    def in_watt_hours(text: str, at: float) -> Candidate:
        return candidate(text, at, published="Wh", number=str(Decimal(text) * 1000))

    rolled = [in_watt_hours("00000.2", at) for at in (0.1, 0.12)]
    assert reason(in_watt_hours("99999.9", 0), *rolled) is None


# Instantaneous values


@pytest.mark.parametrize(
    ("unit", "usual", "beyond"),
    [
        ("V", "231.4", "731.4"),
        ("Hz", "50.01", "10.01"),
        ("kHz", "0.05000", "0.95000"),
        ("A", "004.1", "904.1"),
        ("kW", "001.2", "901.2"),
        ("kW", "-001.2", "-901.2"),
        ("W", "001200", "901200"),
        (None, "4.556", None),
        ("°C", "096.1", "896.1"),
        ("m³/h", "00.4", "80.4"),
    ],
)
def test_what_no_meter_of_a_house_measures_is_held(
    unit: str | None, usual: str, beyond: str | None
) -> None:
    before = candidate(usual, 0, ValueKind.INSTANT, unit)
    assert after(before)[1].good
    if beyond is None:
        return
    history, judged = after(before, candidate(beyond, 0.1, ValueKind.INSTANT, unit))
    assert (judged.reason, judged.later, judged.repair) == (HoldReason.OUT_OF_RANGE, True, False)
    history, judged = check_value(history, candidate(beyond, 0.12, ValueKind.INSTANT, unit))
    assert (judged.reason, judged.repair) == (HoldReason.OUT_OF_RANGE, True)
    # What the user confirms is this register's own limit.
    history = accept(history, ValueKind.INSTANT)
    assert check_value(history, candidate(beyond, 1, ValueKind.INSTANT, unit))[1].good


def test_two_different_values_beyond_the_limits_do_not_confirm_each_other() -> None:
    beyond = [
        candidate(text, at, ValueKind.INSTANT, "V") for text, at in (("960.0", 0.1), ("400.9", 0.2))
    ]
    assert (
        reason(candidate("231.4", 0, ValueKind.INSTANT, "V"), beyond[0]) is HoldReason.OUT_OF_RANGE
    )
    far = (
        candidate("501.0", 0.1, ValueKind.INSTANT, "V"),
        candidate("9999.", 0.2, ValueKind.INSTANT, "V"),
    )
    assert reason(candidate("231.4", 0, ValueKind.INSTANT, "V"), far[0]) is HoldReason.OUT_OF_RANGE
    more = (
        candidate("510.0", 0.1, ValueKind.INSTANT, "kW"),
        candidate("109.0", 0.2, ValueKind.INSTANT, "kW"),
    )
    assert reason(candidate("001.4", 0, ValueKind.INSTANT, "kW"), *more) is HoldReason.OUT_OF_RANGE


def test_the_fuse_limits_power_and_current() -> None:
    def power(text: str, at: float) -> Candidate:
        return candidate(text, at, ValueKind.INSTANT, "kW", amperes=25)

    assert reason(power("01.2", 0), power("27.0", 1)) is None
    assert reason(power("01.2", 0), power("28.0", 1)) is HoldReason.OUT_OF_RANGE
    current = [candidate(text, 0, ValueKind.INSTANT, "A", amperes=25) for text in ("12.0", "41.0")]
    assert reason(*current) is HoldReason.OUT_OF_RANGE


# First values and names


@pytest.mark.parametrize("kind", [n for n in ValueKind if n is not ValueKind.NAME])
def test_a_first_value_without_a_check_needs_a_second_that_agrees(kind: ValueKind) -> None:
    first = candidate("000012.5", 0, kind, checked=False)
    history, judged = after(first)
    assert judged == CheckResult(HoldReason.FIRST, retry=True)
    assert published(history) is None
    assert after(first, candidate("000012.5", 0.01, kind, checked=False))[1].good
    assert after(candidate("000012.5", 0, kind))[1].good


def test_first_totals_that_differ_are_not_believed() -> None:
    first = [
        candidate(text, 0.01 * at, checked=False)
        for at, text in enumerate(("090012.5", "000012.5"))
    ]
    assert reason(*first) is HoldReason.FIRST
    assert reason(*first, candidate("000012.5", 0.05, checked=False)) is None


def test_the_number_of_the_meter_changes_only_with_a_second_reading() -> None:
    def name(text: str, at: float) -> Candidate:
        return candidate(text, at, ValueKind.NAME, None, number=None)

    assert reason(name("12345678", 0), name("12345678", 1)) is None
    assert reason(name("12345678", 0), name("12345679", 1)) is HoldReason.NAME
    assert reason(name("12345678", 0), name("12345679", 1), name("12345670", 2)) is HoldReason.NAME
    assert reason(name("12345678", 0), name("12345679", 1), name("12345679", 2)) is None
    unchecked = candidate("12345678", 0, ValueKind.NAME, None, number=None, checked=False)
    assert reason(unchecked) is HoldReason.FIRST
    assert reason(unchecked, unchecked) is None


def test_nothing_of_a_reading_with_another_number_is_published() -> None:
    def read(number: str, total: str, at: float) -> dict[str, Candidate]:
        return {
            "1-0:1.8.0": candidate(total, at),
            "0-0:96.1.0": candidate(number, at, ValueKind.NAME, None, number=None),
        }

    histories, judged = check_values({}, read("12345678", "000100.0", 0), "0-0:96.1.0")
    assert all(one.good for one in judged.values())
    other, judged = check_values(histories, read("87654321", "000100.5", 1), "0-0:96.1.0")
    assert judged["1-0:1.8.0"] == CheckResult(HoldReason.NUMBER, retry=True)
    assert judged["0-0:96.1.0"].reason is HoldReason.NAME
    assert other["1-0:1.8.0"] == histories["1-0:1.8.0"]
    _, judged = check_values(other, read("12345678", "000100.6", 2), "0-0:96.1.0")
    assert all(one.good for one in judged.values())


def test_a_register_that_is_missing_keeps_what_is_known() -> None:
    both = {"1-0:1.8.0": candidate("000100.0", 0), "1-0:2.8.0": candidate("000007.0", 0)}
    histories, _ = check_values({}, both)
    later, judged = check_values(histories, {"1-0:1.8.0": candidate("000100.1", 1)})
    assert judged.keys() == {"1-0:1.8.0"}
    assert later["1-0:2.8.0"] == histories["1-0:2.8.0"]


def test_a_register_that_appears_later_is_confirmed_even_with_a_check() -> None:
    # 1.8.0 with two neighbours swapped is a code too, and XOR does not see it.
    histories, _ = check_values({}, {"1-0:1.8.0": candidate("000100.0", 0)})
    two = {"1-0:1.8.0": candidate("000100.1", 1), "1-0:1.0.8": candidate("000100.1", 1)}
    histories, judged = check_values(histories, two)
    assert judged["1-0:1.8.0"].good
    assert judged["1-0:1.0.8"] == CheckResult(HoldReason.FIRST, retry=True)
    histories, judged = check_values(histories, {"1-0:1.0.8": candidate("000900.0", 1.01)})
    assert judged["1-0:1.0.8"].reason is HoldReason.FIRST
    _, judged = check_values(histories, two)
    assert judged["1-0:1.0.8"].good


def test_something_that_stays_held_is_shown_to_a_person() -> None:
    history, _ = after(candidate("231.4", 0, ValueKind.INSTANT, "V"))
    texts = ("600.0", "1300.0", "3000.0", "7000.00", "19000.0", "700.000", "20000.0")
    judged = CheckResult()
    for at, text in enumerate(texts[:5], 1):
        history, judged = check_value(history, candidate(text, at, ValueKind.INSTANT, "V"))
        assert not judged.good
        assert judged.repair == (at == 5)


def test_nothing_is_accepted_where_nothing_is_held() -> None:
    history, _ = after(candidate("000100.0", 0))
    assert accept(history, ValueKind.TOTAL) == history
    dashes, _ = check_value(history, candidate("------.-", 1, number=None))
    assert accept(dashes, ValueKind.TOTAL) == dashes


def test_a_register_that_was_a_text_begins_as_a_number() -> None:
    # A newer catalogue may know better.
    texts = [candidate(text, 0, ValueKind.NAME, None, number=None) for text in ("ok", "no")]
    history, _ = after(*texts)
    history, judged = check_value(history, candidate("12", 1, ValueKind.INSTANT, "V"))
    assert judged.reason is HoldReason.FIRST
    assert check_value(history, candidate("12", 1.01, ValueKind.INSTANT, "V"))[1].good


# What is known of codes


@pytest.mark.parametrize(
    ("code", "state_class", "kind"),
    [
        ("1.8.0", "total_increasing", ValueKind.TOTAL),
        ("1.9.1", "total_increasing", ValueKind.PERIODIC),
        ("16.8.0", "total", ValueKind.NET),
        ("32.7", "measurement", ValueKind.INSTANT),
        ("1.8.0*01", None, ValueKind.FREE),
        ("C.7.0", "total_increasing", ValueKind.TOTAL),
        ("ET0PE", "total_increasing", ValueKind.TOTAL),
    ],
)
def test_the_nature_follows_from_code_and_state_class(
    code: str, state_class: str | None, kind: ValueKind
) -> None:
    assert kind_of(obis.parse(code), state_class) is kind


def test_energy_has_one_limit_in_all_units() -> None:
    rates = {
        unit: limits_of(ValueKind.TOTAL, unit).rate for unit in ("Wh", "kWh", "MWh", "MJ", "GJ")
    }
    assert rates == {
        "Wh": Decimal(100_000),
        "kWh": Decimal(100),
        "MWh": Decimal("0.1"),
        "MJ": Decimal(360),
        "GJ": Decimal("0.36"),
    }


def test_nobody_is_asked_how_many_events_there_were() -> None:
    events = [candidate(text, at, unit=None) for text, at in (("0001", 0), ("0090", 0.1))]
    history, judged = after(*events)
    assert (judged.reason, judged.later) == (HoldReason.TOO_FAST, True)
    assert check_value(history, candidate("0090", 0.12, unit=None))[1].good


def test_a_unit_nobody_knows_has_no_limit() -> None:
    _, judged = after(candidate("000001", 0, unit="imp"), candidate("900000", 0.1, unit="imp"))
    assert judged.good
    assert after(
        candidate("1", 0, ValueKind.INSTANT, "lx"), candidate("9", 0, ValueKind.INSTANT, "lx")
    )[1].good


# Storage


@pytest.mark.parametrize(
    "candidates",
    [
        (),
        (candidate("000100.0", 0), candidate("000500.0", 1), candidate("000000.0", 2)),
        (
            candidate("600.0", 0, ValueKind.INSTANT, "V"),
            candidate("600.0", 1, ValueKind.INSTANT, "V"),
        ),
        (*(candidate(f"{at:06}", at) for at in range(4)),),
        (candidate("x", 0, ValueKind.NAME, None, number=None),),
    ],
)
def test_a_record_survives_storage(candidates: tuple[Candidate, ...]) -> None:
    history, _ = after(*candidates)
    assert decode(RegisterHistory, json.loads(json.dumps(encode(history)))) == history


@pytest.mark.parametrize(
    "damage",
    [{"good": [1]}, {"held": [["x", "no such doubt"]]}, {"steps": "many"}, {"formats": [1]}],
)
def test_a_damaged_store_is_noticed(damage: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        decode(RegisterHistory, encode(RegisterHistory()) | damage)


# Whatever arrives

_MODULUS = 10**5
_texts = st.one_of(
    st.integers(0, 10**6 - 1).map(lambda n: f"{n:06}"[:5] + "." + f"{n:06}"[5:]),
    st.sampled_from(("00000.0", "99999.9", "00000.1", "0.0", "-----.-", "12,3", "-00001.0", "")),
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(_texts, st.sampled_from((-1.0, 0.0, 0.01, 1.0, 500.0)), st.booleans()),
        max_size=30,
    )
)
def test_a_published_total_never_falls_but_at_a_roll_over(
    readings: list[tuple[str, float, bool]],
) -> None:
    history, at = RegisterHistory(), 0.0
    for text, hours, checked in readings:
        at += hours
        number = None if NumberFormat.of(text, "kWh") is None else text.replace(",", ".")
        before = published(history)
        new = candidate(text, at, number=number, checked=checked)
        history, judged = check_value(history, new)
        now = published(history)
        assert judged.good == (history.good == new.sample)
        if before is not None and now is not None and now < before:
            assert before >= Decimal("0.9") * _MODULUS
            assert now - before + _MODULUS <= _MODULUS / 10


@st.composite
def _true_and_damaged(draw: st.DrawFn) -> list[tuple[Candidate, bool]]:
    """A meter within its limits in whatever rhythm, in one form or a new one; at most every second reading damaged."""
    decimals, total, at = 1, Decimal(draw(st.integers(0, 500_000))) / 10, 0.0
    checked = draw(st.booleans())
    readings: list[tuple[Candidate, bool]] = []
    for _ in range(draw(st.integers(2, 25))):
        if draw(st.booleans()) and (not readings or readings[-1][1]):
            text = draw(_texts)
            number = None if NumberFormat.of(text, "kWh") is None else text.replace(",", ".")
            readings.append((candidate(text, at, number=number, checked=checked), False))
        hours = draw(st.sampled_from((0.003, 0.02, 0.25, 1.0, 24.0)))
        at += hours
        total += Decimal(draw(st.integers(0, 100))) * Decimal(str(hours))
        decimals = draw(st.sampled_from((decimals, decimals, decimals, 2)))
        # Digits are cut off, never rounded up.
        text = f"{total.quantize(Decimal(1).scaleb(-decimals), 'ROUND_DOWN'):0{6 + decimals}}"
        readings.append((candidate(text, at, checked=checked), True))
    return readings


@settings(max_examples=500, deadline=None, derandomize=True)
@given(_true_and_damaged())
def test_a_true_value_waits_for_a_later_reading_at_most(
    readings: list[tuple[Candidate, bool]],
) -> None:
    history = RegisterHistory()
    wrong = damaged = False
    since: float | None = None
    for new, true in readings:
        history, judged = check_value(history, new)
        at = new.sample.at
        if judged.good:
            since, wrong, damaged = None, not true, False
        elif not true:
            damaged = True
        elif since is None:
            since = at
        elif at - since >= APART:
            # Of a meter that was once believed too much, or that goes on as a damaged reading did, the user is asked.
            assert judged.repair
            assert wrong or damaged


@pytest.mark.parametrize(
    ("fine", "coarse", "same"),
    [
        (("000335.455", "kWh"), ("000335", "kWh"), True),
        (("000335.455", "kWh"), ("000335.4", "kWh"), True),
        (("335455", "Wh"), ("000335", "kWh"), True),
        (("000335.455", "kWh"), ("0.335", "MWh"), True),
        (("000335.455", "kWh"), ("000334", "kWh"), False),
        (("000335.455", "kWh"), ("000335.454", "kWh"), False),
        (("000335", "kWh"), ("000334.999", "kWh"), False),
    ],
)
def test_a_display_that_loses_digits_is_no_fall(
    fine: tuple[str, str], coarse: tuple[str, str], same: bool
) -> None:
    def sent(text: str, unit: str, at: float) -> Candidate:
        factor = {"Wh": Decimal("0.001"), "kWh": Decimal(1), "MWh": Decimal(1000)}[unit]
        number = str(Decimal(text) * factor)
        return candidate(text, at, unit=unit, published="kWh", number=number)

    history, _ = after(sent(*fine, 0))
    number = published(history)
    history, judged = after(sent(*coarse, 0.1), history=history)
    assert (judged.good, judged.stays) == (same, same)
    assert published(history) == number
    if same:
        # It is shown again once it has passed the finer one.
        text, unit = coarse
        step = Decimal(1).scaleb(-len(text.partition(".")[2]))
        history, judged = after(
            sent(f"{Decimal(text) + step:0{len(text)}}", unit, 1), history=history
        )
        assert (judged.good, judged.stays) == (True, False)
