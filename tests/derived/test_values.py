"""What follows from what a meter sends."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from custom_components.iec62056.derived.history import DerivedHistory
from custom_components.iec62056.derived.sources import Derived
from custom_components.iec62056.protocol.codec import decode, encode
from custom_components.iec62056.protocol.model import Identification, Medium

from ..common.bench import IDENTIFICATION, START
from ..common.views import BERLIN, Course, Sent, value

CLOCKED = {"0.9.1": ["130000"], "0.9.2": ["261122"]}
DRAWN: Sent = {"21.7": ["1*kW"], "41.7": ["1*kW"], "61.7": ["1*kW"]}
HEAT = Identification("/LUGCUH50", "LUG", "C", (), "UH50")


@pytest.mark.parametrize(
    ("sent", "offered"),
    [
        ({"1.7.0": ["1*kW"], "2.7.0": ["0*kW"]}, True),
        ({"1-0:1.7.255": ["1*W"], "1-0:2.7.255": ["0*W"]}, True),
        ({"1.7.0": ["1*kW"]}, False),
        ({"2.7.0": ["1*kW"]}, False),
        ({"1.7.0": ["1*kW"], "2.7.0": ["0*kW"], "16.7": ["1*kW"]}, False),
        ({"36.7": ["1*kW"], "56.7": ["1*kW"], "76.7": ["1*kW"]}, True),
        ({"36.7": ["1*kW"], "56.7": ["1*kW"]}, False),
        # What each phase takes, less what it gives, if the meter sends that.
        ({**DRAWN, "22.7": ["0*kW"], "42.7": ["0*kW"], "62.7": ["0*kW"]}, True),
        (DRAWN, True),
        ({**DRAWN, "1.7.0": ["3*kW"]}, False),
        # One phase alone, another channel, a stored value.
        ({"21.7.0": ["1*kW"], "22.7.0": ["0*kW"]}, False),
        ({"1-2:1.7.0": ["1*kW"], "1-2:2.7.0": ["0*kW"]}, False),
        ({"1.7.0*01": ["1*kW"], "1.7.0": ["1*kW"], "2.7.0*01": ["0*kW"]}, False),
    ],
)
def test_net_power_is_offered(*, sent: Sent, offered: bool) -> None:
    assert (Derived.NET_POWER in Course().read(sent).offered()) is offered


@pytest.mark.parametrize(
    ("imported", "exported", "net"),
    [
        ("00.500*kW", "00.000*kW", "500.000"),
        ("00.000*kW", "01.234*kW", "-1234.000"),
        ("00700*W", "00.200*kW", "500.000"),
        ("--.---*kW", "00.200*kW", None),
        ("00.500*kW", "12*V", None),
    ],
)
def test_net_power(imported: str, exported: str, net: str | None) -> None:
    derived = Course().read({"1.7.0": [imported], "2.7.0": [exported]})
    assert value(derived, Derived.NET_POWER) == (None if net is None else Decimal(net))


def test_net_power_of_the_phases() -> None:
    phases = {"36.7.0": ["000.09*kW"], "56.7.0": ["-00.11*kW"], "76.7.0": ["000.07*kW"]}
    derived = Course().read(phases)
    assert value(derived, Derived.NET_POWER) == 50


def test_net_power_of_what_each_phase_takes_and_gives() -> None:
    sent: Sent = {**DRAWN, "22.7": ["0*kW"], "42.7": ["2.5*kW"], "62.7": ["0*kW"]}
    assert value(Course().read(sent), Derived.NET_POWER) == 500
    assert value(Course().read(DRAWN), Derived.NET_POWER) == 3000


@pytest.mark.parametrize(
    ("sent", "unit", "decimals"),
    [
        ({"1.7.0": ["1.25*kW"], "2.7.0": ["0.000*kW"]}, "kW", 3),
        ({"1.7.0": ["1250*W"], "2.7.0": ["0*W"]}, "W", 0),
        ({"1.7.0": ["--.--*kW"], "2.7.0": ["0*W"]}, "kW", 3),
        ({"1.7.0": ["12*V"], "2.7.0": ["0.00*MW"]}, "MW", 2),
        ({"1.7.0": ["12*V"], "2.7.0": ["1*A"]}, "W", None),
    ],
)
def test_unit_and_decimals_of_the_net_power(sent: Sent, unit: str, decimals: int | None) -> None:
    derived = Course().read(sent)
    assert derived.unit(Derived.NET_POWER, "W") == unit
    assert derived.decimals(Derived.NET_POWER, unit) == decimals


@pytest.mark.parametrize(
    ("one", "two", "decimals"),
    [("1.50*kWh", "2.5*kWh", 2), ("1500*Wh", "2.5*kWh", 3), ("1.50*MWh", "2*MWh", 0)],
)
def test_total_has_the_decimals_of_its_tariffs(one: str, two: str, decimals: int) -> None:
    derived = Course().read({"1.8.1": [one], "1.8.2": [two]})
    assert derived.decimals(Derived.TOTAL_IMPORT, "kWh") == decimals


def test_import_plus_export_in_one_number() -> None:
    course = Course()
    derived = course.read({"15.8.1": ["100.000*kWh"], "15.8.2": ["50.000*kWh"]})
    assert derived.offered() == (Derived.TOTAL_ABSOLUTE, Derived.MEAN_POWER_ABSOLUTE)
    derived = course.read({"15.8.1": ["100.012*kWh"], "15.8.2": ["50.000*kWh"]}, 1)
    assert value(derived, Derived.TOTAL_ABSOLUTE) == 150012
    assert value(derived, Derived.MEAN_POWER_ABSOLUTE) == 720


def test_import_plus_export_beside_import_says_nothing_new() -> None:
    derived = Course().read({"1.8.0": ["1*kWh"], "15.8.1": ["1*kWh"], "15.8.2": ["5*kWh"]})
    assert derived.offered() == (Derived.MEAN_POWER_IMPORT,)


def test_net_power_of_two_readings_is_none() -> None:
    """One of the two was held back: the difference with the older one was never there."""
    course = Course()
    course.read({"1.7.0": ["2*kW"], "2.7.0": ["0*kW"]})
    derived = course.read({"1.7.0": ["0*kW"]}, 1)
    assert value(derived, Derived.NET_POWER) is None
    assert derived.result(Derived.NET_POWER).received == START
    derived = course.read({"1.7.0": ["0*kW"], "2.7.0": ["3*kW"]}, 2)
    assert value(derived, Derived.NET_POWER) == -3000
    assert derived.result(Derived.NET_POWER).sources == ("1-0:1.7.0", "1-0:2.7.0")


def test_net_power_ends_where_the_meter_sends_it() -> None:
    course = Course()
    course.read({"1.7.0": ["2*kW"], "2.7.0": ["0*kW"]})
    derived = course.read({"1.7.0": ["0*kW"], "2.7.0": ["3*kW"], "16.7": ["-3*kW"]}, 1)
    assert derived.result(Derived.NET_POWER).value is None


def test_total_of_tariffs_is_exact() -> None:
    derived = Course().read(
        {"1.8.1": ["012345.678*kWh"], "1.8.2": ["000000.005*kWh"], "1.8.3": ["7*Wh"]}
    )
    assert value(derived, Derived.TOTAL_IMPORT) == Decimal("12345690.000")
    assert Derived.TOTAL_EXPORT not in derived.offered()


@pytest.mark.parametrize(
    "sent",
    [
        {"1.8.0": ["3*kWh"], "1.8.1": ["1*kWh"], "1.8.2": ["2*kWh"]},
        {"1-0:1.8.255": ["3*kWh"], "1.8.1": ["1*kWh"], "1.8.2": ["2*kWh"]},
        # One tariff alone is the total, and is there already.
        {"1.8.1": ["1*kWh"]},
        {"1.8.1*01": ["1*kWh"], "1.8.2*01": ["2*kWh"]},
    ],
)
def test_total_of_tariffs_is_not_offered(sent: Sent) -> None:
    assert Derived.TOTAL_IMPORT not in Course().read(sent).offered()


def test_total_of_tariffs_from_two_readings_is_none() -> None:
    """A tariff that was held back would make the total fall, or stand still."""
    course = Course()
    course.read({"1.8.1": ["1*kWh"], "1.8.2": ["2*kWh"]})
    derived = course.read({"1.8.1": ["2*kWh"]}, 1)
    assert value(derived, Derived.TOTAL_IMPORT) is None
    derived = course.read({"1.8.1": ["2*kWh"], "1.8.2": ["-"]}, 2)
    assert value(derived, Derived.TOTAL_IMPORT) is None


THREE: Sent = {"1.8.1": ["1*kWh"], "1.8.2": ["2*kWh"], "1.8.3": ["4*kWh"]}
TWO: Sent = {"1.8.1": ["1*kWh"], "1.8.2": ["2*kWh"]}


@pytest.mark.parametrize(
    ("medium", "minutes", "readings"),
    [(Medium.ELECTRICITY, 60, 24), (Medium.ELECTRICITY, 24 * 60, 10), (Medium.HEAT, 24 * 60, 7)],
)
def test_tariff_that_is_gone_for_good_leaves_the_sum(
    medium: Medium, minutes: int, readings: int
) -> None:
    course = Course(medium=medium)
    prefixed = {f"1-0:{address}": sent for address, sent in TWO.items()}
    derived = course.read({**prefixed, "1-0:1.8.3": ["4*kWh"]})
    assert value(derived, Derived.TOTAL_IMPORT) == 7000
    for count in range(1, readings):
        derived = course.read(prefixed, count * minutes)
        # The same reading again is none without it.
        derived = course.read(prefixed, count * minutes)
        assert value(derived, Derived.TOTAL_IMPORT) is None
        assert derived.result(Derived.TOTAL_IMPORT).without == ()
    derived = course.read(prefixed, readings * minutes)
    assert value(derived, Derived.TOTAL_IMPORT) == 3000
    assert derived.result(Derived.TOTAL_IMPORT).without == ("1-0:1.8.3",)
    assert course.history == decode(DerivedHistory, encode(course.history))
    derived = course.read({**prefixed, "1-0:1.8.3": ["4.5*kWh"]}, (readings + 1) * minutes)
    assert value(derived, Derived.TOTAL_IMPORT) == 7500
    assert not course.history.absences


def test_one_tariff_that_is_left_is_the_sum() -> None:
    course = Course()
    course.read(TWO)
    for hour in range(1, 25):
        derived = course.read({"1.8.1": ["1*kWh"]}, hour * 60)
    assert value(derived, Derived.TOTAL_IMPORT) == 1000


def test_tariff_that_is_held_or_comes_now_and_then_does_not_leave() -> None:
    course = Course(held=frozenset({"1-0:1.8.3"}))
    course.read(THREE)
    for hour in range(1, 50):
        derived = course.read(TWO, hour * 60)
    assert value(derived, Derived.TOTAL_IMPORT) is None
    course = Course()
    for hour in range(50):
        derived = course.read(TWO if hour % 20 else THREE, hour * 60)
    assert value(derived, Derived.TOTAL_IMPORT) is None


def test_sum_of_fewer_tariffs_is_no_change_of_power() -> None:
    course = Course()
    course.read({"1.8.1": ["1.000*kWh"], "1.8.2": ["2.000*kWh"], "1.8.3": ["4.000*kWh"]})
    for hour in range(1, 26):
        sent: Sent = {"1.8.1": [f"{1 + hour / 10:.3f}*kWh"], "1.8.2": ["2.000*kWh"]}
        derived = course.read(sent, hour * 60)
    assert value(derived, Derived.MEAN_POWER_IMPORT) == 100
    derived = course.read({**sent, "1.8.1": ["3.600*kWh"], "1.8.3": ["4.000*kWh"]}, 26 * 60)
    assert value(derived, Derived.MEAN_POWER_IMPORT) is None


def test_mean_power() -> None:
    course = Course()
    derived = course.read({"1.8.0": ["000100.000*kWh"]})
    assert value(derived, Derived.MEAN_POWER_IMPORT) is None
    derived = course.read({"1.8.0": ["000100.012*kWh"]}, 1)
    # 12 Wh in a minute.
    assert value(derived, Derived.MEAN_POWER_IMPORT) == 720
    result = derived.result(Derived.MEAN_POWER_IMPORT)
    assert result.since == START
    assert result.sources == ("1-0:1.8.0",)
    derived = course.read({"1.8.0": ["000100.018*kWh"]}, 2)
    assert value(derived, Derived.MEAN_POWER_IMPORT) == 360


def test_mean_power_is_taken_over_as_long_as_the_last_digit_needs() -> None:
    """0.01 kWh and 300 W: two minutes are a step of one digit, ten minutes after the first step are five."""
    course = Course()
    shown: list[Decimal | datetime | str | None] = []
    for minute in range(0, 21, 2):
        energy = Decimal(10000 + minute // 2).scaleb(-2)
        derived = course.read({"1.8.0": [f"{energy}*kWh"]}, minute)
        shown.append(value(derived, Derived.MEAN_POWER_IMPORT))
    assert shown == [None] * 6 + [Decimal(300)] * 5


def test_mean_power_is_unknown_where_the_last_digit_is_too_coarse() -> None:
    """Whole kWh at 4 kW: within an hour, four steps are worse than 20 %."""
    course = Course()
    for minute in range(0, 121, 15):
        energy = 100 + minute // 15
        derived = course.read({"1.8.0": [f"{energy:06d}*kWh"]}, minute)
        assert value(derived, Derived.MEAN_POWER_IMPORT) is None


def test_mean_power_does_not_stay_when_nothing_is_drawn_any_more() -> None:
    course = Course()
    course.read({"1.8.0": ["000100.000*kWh"]})
    derived = course.read({"1.8.0": ["000100.100*kWh"]}, 1)
    assert value(derived, Derived.MEAN_POWER_IMPORT) == 6000
    shown = [Decimal(6000)]
    for minute in range(2, 122):
        derived = course.read({"1.8.0": ["000100.100*kWh"]}, minute)
        mean = value(derived, Derived.MEAN_POWER_IMPORT)
        assert isinstance(mean, Decimal)
        assert mean < shown[-1]
        shown.append(mean)
    # One Wh at most in two hours.
    assert shown[-1] == Decimal("0.5")


def test_mean_power_from_tariffs_and_of_export() -> None:
    course = Course()
    course.read({"1.8.1": ["1.000*kWh"], "1.8.2": ["2.000*kWh"], "2.8.0": ["5000*Wh"]})
    derived = course.read(
        {"1.8.1": ["1.010*kWh"], "1.8.2": ["2.020*kWh"], "2.8.0": ["5100*Wh"]}, 60 / 60
    )
    assert value(derived, Derived.MEAN_POWER_IMPORT) == 1800
    assert value(derived, Derived.MEAN_POWER_EXPORT) == 6000


@pytest.mark.parametrize("power", ["1.7.0", "16.7", "15.7.0", "1.25.0", "21.7.0", "2.7.0"])
def test_mean_power_is_not_offered_where_the_meter_sends_power(power: str) -> None:
    derived = Course().read({"1.8.0": ["1*kWh"], power: ["1*kW"]})
    assert Derived.MEAN_POWER_IMPORT not in derived.offered()


def test_mean_power_of_a_heat_meter() -> None:
    """Read once a day, the day is what it is the mean of; 6.8 of an electricity meter is something else."""
    course = Course(HEAT, Medium.HEAT, max_age=timedelta(days=3))
    course.read({"6.8": ["0012.345*GJ"], "6.6": ["0042.1*kW"]})
    derived = course.read({"6.8": ["0012.705*GJ"], "6.6": ["0042.1*kW"]}, 24 * 60)
    mean = value(derived, Derived.MEAN_POWER_HEAT)
    assert isinstance(mean, Decimal)
    # 0.36 GJ are 100 kWh.
    assert round(mean, 3) == Decimal("4166.667")
    other = Course().read({"6.8.0": ["0012.345*kvarh"]})
    assert Derived.MEAN_POWER_HEAT not in other.offered()


def test_mean_power_starts_anew_after_an_exchange() -> None:
    course = Course()
    course.read({"C.1.0": ["34567812"], "1.8.0": ["100.000*kWh"]})
    derived = course.read({"C.1.0": ["99887766"], "1.8.0": ["900.000*kWh"]}, 1)
    assert value(derived, Derived.MEAN_POWER_IMPORT) is None
    derived = course.read({"C.1.0": ["99887766"], "1.8.0": ["900.010*kWh"]}, 2)
    assert value(derived, Derived.MEAN_POWER_IMPORT) == 600


def test_same_reading_again_changes_nothing() -> None:
    """A restored state is taken once more at the start."""
    course = Course()
    sent = {
        "1.8.0": ["100.000*kWh"],
        "1.8.1": ["50.000*kWh"],
        "1.8.2": ["50.000*kWh"],
        "1.6.0": ["03.210*kW", "26-11-20 18:15"],
        "C.51.5": ["3"],
    }
    course.read(sent)
    course.read({**sent, "1.8.0": ["101.000*kWh"], "1.8.1": ["51.000*kWh"]}, 10)
    before = course.history
    course.read({**sent, "1.8.0": ["101.000*kWh"], "1.8.1": ["51.000*kWh"]}, 10)
    assert course.history == before == decode(DerivedHistory, encode(before))


def _peaks(course: Course, at: datetime, *brackets: str) -> tuple[object, ...]:
    derived = course.read({"1.6.0": list(brackets)}, at)
    return tuple(
        value(derived, kind)
        for kind in (
            Derived.PEAK_THIS_MONTH,
            Derived.PEAK_THIS_MONTH_TIME,
            Derived.PEAK_LAST_MONTH,
            Derived.PEAK_LAST_MONTH_TIME,
        )
    )


def test_peaks_of_the_months() -> None:
    course = Course()
    november = (Decimal("3.210"), datetime(2026, 11, 20, 17, 15, tzinfo=UTC))
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert _peaks(course, at, "03.210*kW", "26-11-20 18:15") == (*november, None, None)
    # A reset by hand in the middle of the month: the larger one stays.
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert _peaks(course, at, "01.000*kW", "26-11-25 08:00") == (*november, None, None)
    # The month is over, and the meter not reset yet: what it shows is the last month's.
    at = datetime(2026, 12, 1, 0, 0, 30, tzinfo=BERLIN)
    assert _peaks(course, at, "01.000*kW", "26-11-25 08:00") == (None, None, *november)
    # Reset: no maximum yet.
    at = datetime(2026, 12, 1, 0, 10, tzinfo=BERLIN)
    assert _peaks(course, at, "00.000*kW", "00-00-00 00:00") == (None, None, *november)
    december = (Decimal("0.900"), datetime(2026, 11, 30, 23, 15, tzinfo=UTC))
    at = datetime(2026, 12, 1, 0, 20, tzinfo=BERLIN)
    assert _peaks(course, at, "00.900*kW", "26-12-01 00:15") == (*december, *november)
    # Two months later the first one is forgotten.
    at = datetime(2027, 1, 5, 12, tzinfo=UTC)
    assert _peaks(course, at, "00.100*kW", "27-01-05 10:00")[2:] == december
    assert len(course.history.peaks) == 2


def test_peak_at_midnight_belongs_to_the_month_before() -> None:
    course = Course()
    at = datetime(2026, 12, 1, 0, 1, tzinfo=BERLIN)
    peaks = _peaks(course, at, "04.000*kW", "26-12-01 00:00")
    assert peaks[0] is None
    assert peaks[2] == 4


def test_peak_of_a_meter_that_is_not_reset_by_month() -> None:
    """The maximum of the year is not that of the month; a time far ahead is damaged."""
    course = Course()
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert _peaks(course, at, "09.999*kW", "26-01-13 18:15") == (None,) * 4
    assert _peaks(course, at + timedelta(hours=1), "09.999*kW", "86-11-13 18:15") == (None,) * 4
    assert not course.history.peaks


def test_peak_whose_time_is_a_register_of_its_own() -> None:
    course = Course()
    derived = course.read({"1.6.0": ["02.000*kW"], "1.6.0,5": ["202611201815"]})
    assert value(derived, Derived.PEAK_THIS_MONTH) == 2
    assert value(derived, Derived.PEAK_THIS_MONTH_TIME) == datetime(
        2026, 11, 20, 17, 15, tzinfo=UTC
    )


def test_peak_without_time_is_not_offered() -> None:
    assert Derived.PEAK_THIS_MONTH not in Course().read({"1.6.0": ["02.000*kW"]}).offered()
    assert Derived.PEAK_THIS_MONTH not in Course().read({"1.8.0": ["1*kWh"]}).offered()


@pytest.mark.parametrize(
    ("address", "sent", "tariff"),
    [
        ("0-0:96.14.0", "0002", "2"),
        ("0-0:96.14.0", "0001", "1"),
        ("C.14.1", "1", "1"),
        ("0-0:96.14.0", " T2 ", "T2"),
        ("0-0:96.14.0", "", None),
    ],
)
def test_tariff_the_meter_names(address: str, sent: str, tariff: str | None) -> None:
    derived = Course().read({address: [sent], "1.8.1": ["1*kWh"], "1.8.2": ["2*kWh"]})
    assert value(derived, Derived.TARIFF) == tariff
    assert len(derived.result(Derived.TARIFF).sources) == 1


def test_tariff_by_which_register_rose_last() -> None:
    course = Course()
    shown = []
    for minute, (one, two) in enumerate(
        ((10, 20), (10, 20), (11, 20), (11, 20), (12, 21), (12, 22), (13, 23), (13, 23))
    ):
        derived = course.read({"1.8.1": [f"{one}*kWh"], "1.8.2": [f"{two}*kWh"]}, minute)
        shown.append(value(derived, Derived.TARIFF))
    # Where both have risen, the one that was not active before came later.
    assert shown == [None, None, "1", "1", "2", "2", "1", "1"]


def test_tariff_by_feed_in_and_with_a_total() -> None:
    course = Course()
    course.read({"1.8.0": ["3*kWh"], "1.8.1": ["1*kWh"], "1.8.2": ["2*kWh"], "2.8.2": ["5*kWh"]})
    derived = course.read(
        {"1.8.0": ["3*kWh"], "1.8.1": ["1*kWh"], "1.8.2": ["2*kWh"], "2.8.2": ["6*kWh"]}, 1
    )
    assert value(derived, Derived.TARIFF) == "2"
    assert derived.result(Derived.TARIFF).sources == ("1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.2")


def test_tariff_of_one_is_not_offered() -> None:
    assert Derived.TARIFF not in Course().read({"1.8.1": ["1*kWh"]}).offered()


@pytest.mark.parametrize(
    ("date", "time", "moment"),
    [
        ("261122", "130000", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("26-11-22", "13:00:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22", "13:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        # A season digit, of either: a clock that shows summer time.
        ("1261122", "130000", datetime(2026, 11, 22, 11, tzinfo=UTC)),
        ("261122", "1130000", datetime(2026, 11, 22, 11, tzinfo=UTC)),
        ("00-00-00", "13:00:00", None),
        ("261122", "--:--:--", None),
    ],
)
def test_clock(date: str, time: str, moment: datetime | None) -> None:
    derived = Course().read({"0.9.1": [time], "0.9.2": [date]})
    assert value(derived, Derived.CLOCK) == moment


def test_clock_of_one_register_is_not_offered_twice() -> None:
    derived = Course().read({"0-0:1.0.0": ["261122130005W"], **CLOCKED})
    assert Derived.CLOCK not in derived.offered()
    assert value(derived, Derived.CLOCK_DRIFT) == 5
    assert derived.result(Derived.CLOCK_DRIFT).sources == ("0-0:1.0.0",)


@pytest.mark.parametrize(
    ("time", "duration", "drift"),
    [
        ("130000", 0.0, 0),
        ("130130", 0.0, 90),
        ("125950", 0.0, -10),
        # Sent some time while the reading took its half minute.
        ("130020", 30.0, 0),
        ("130040", 30.0, 10),
        # A clock that stays on summer time.
        ("140000", 0.0, 3600),
    ],
)
def test_drift_of_the_clock(time: str, duration: float, drift: int) -> None:
    derived = Course(duration=duration).read({"0.9.1": [time], "0.9.2": ["261122"]})
    assert value(derived, Derived.CLOCK_DRIFT) == drift


def test_no_drift_around_midnight() -> None:
    """The date was sent before midnight, the time after it: a day too early, though the clock is right."""
    course = Course(duration=5.0)
    at = datetime(2026, 11, 23, 0, 0, tzinfo=BERLIN)
    derived = course.read({"0.9.2": ["261122"], "0.9.1": ["000002"]}, at)
    assert value(derived, Derived.CLOCK_DRIFT) is None
    derived = course.read({"0.9.2": ["261123"], "0.9.1": ["235950"]}, at + timedelta(minutes=2))
    assert value(derived, Derived.CLOCK_DRIFT) is None


def test_no_drift_of_a_clock_that_is_not_set() -> None:
    derived = Course().read({"0-0:1.0.0": ["2000-01-01 20:10:30"]})
    assert value(derived, Derived.CLOCK_DRIFT) is None


def test_clock_of_two_readings_is_none() -> None:
    course = Course()
    course.read(CLOCKED)
    derived = course.read({"0.9.1": ["130100"]}, 1)
    assert value(derived, Derived.CLOCK) is None
    assert value(derived, Derived.CLOCK_DRIFT) is None


def test_nothing_is_offered_without_a_reason() -> None:
    assert Course().read({"C.1.0": ["34567812"], "32.7": ["230*V"]}).offered() == ()
    assert Course(IDENTIFICATION).read({"1-0:31.7.0": ["1*A"]}).offered() == ()


def test_kind_of_fault() -> None:
    mt174 = Identification("/ISk5MT174-0001", "ISk", "5", (), "MT174-0001")
    derived = Course(mt174).read({"F.F": ["00000004"]})
    assert value(derived, Derived.FAULT) == "registers"
    assert derived.result(Derived.FAULT).sources == ("0-0:97.97.0",)
    assert Derived.FAULT not in Course().read({"F.F": ["00000004"]}).offered()
