"""The load profile of the simulated meter, against texts written by hand."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from simulator import Household
from simulator.profile import LoadProfile

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 7, 5, 8, tzinfo=UTC)


def register(moment: datetime) -> tuple[int, int]:
    """400 W, nothing fed in."""
    return (int((moment - BEGIN) / timedelta(hours=1) * 400), 0)


def test_rows_below_one_head() -> None:
    profile = LoadProfile(BERLIN)
    profile.watch(register, BEGIN, BEGIN + timedelta(hours=1))
    assert profile.answer("12607051015;12607051030") == (
        "P.01(1260705101500)(00000008)(15)(2)(1.5)(kW)(2.5)(kW)\r\n"
        "(0.400)(0.000)\r\n(0.400)(0.000)\r\n"
    )
    assert profile.answer(";").count("\r\n") == 5
    assert profile.answer("12607060000;") == ""
    assert profile.answer("yesterday") == ""


def test_a_power_failure_leaves_a_gap() -> None:
    profile = LoadProfile(BERLIN, power=False, channels=("1.29", "2.29"))
    off, on = BEGIN + timedelta(minutes=20), BEGIN + timedelta(minutes=50)
    profile.watch(register, BEGIN, BEGIN + timedelta(minutes=75), [(off, on)])
    assert [line.partition("(15)")[0] for line in profile.answer(";").split()] == [
        "P.01(1260705101500)(00000008)",
        "(0.100)(0.000)",
        "P.01(1260705103000)(00000088)",
        "(0.100)(0.000)",
        "P.01(1260705110000)(00000048)",
        "(0.100)(0.000)",
        "P.01(1260705111500)(00000008)",
        "(0.100)(0.000)",
    ]


def test_a_new_head_where_the_season_changes() -> None:
    profile = LoadProfile(BERLIN, flagged=False)
    begin = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    profile.watch(register, begin, begin + timedelta(hours=1))
    heads = [line[:19] for line in profile.answer(";").split() if line.startswith("P.01")]
    assert heads == ["P.01(261025024500)(", "P.01(261025020000)("]


def test_the_oldest_go_first() -> None:
    profile = LoadProfile(BERLIN, most=3)
    profile.watch(register, BEGIN, BEGIN + timedelta(hours=2))
    assert [one.end.minute for one in profile.periods] == [30, 45, 0]


def test_a_clock_that_is_wrong() -> None:
    profile = LoadProfile(BERLIN, ahead=timedelta(minutes=4))
    profile.watch(register, BEGIN, BEGIN + timedelta(minutes=15))
    assert profile.answer(";").startswith("P.01(1260705101900)")


def test_a_household_remembers_the_days_before_its_start() -> None:
    start = datetime(2026, 7, 5, 8, 10, tzinfo=UTC)
    profile = LoadProfile(UTC, flagged=False)
    Household(clock=lambda: start).remember(profile, 1)
    lines = profile.answer("2607041200;2607041230").splitlines()
    assert lines[0].startswith("P.01(260704120000)(00000000)(15)(2)(1.5)(kW)(2.5)(kW)")
    taken, given = (float(text.strip("()")) for text in lines[1].split(")("))
    assert taken == 0
    assert 2 < given < 6
    ends = [period.end for period in profile.periods]
    assert (ends[0], ends[-1]) == (datetime(2026, 7, 4, 8, 15, tzinfo=UTC), start.replace(minute=0))
    assert len(ends) == 96
