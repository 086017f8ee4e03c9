"""Load profiles as text."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.ascii import datasets
from custom_components.iec62056.protocol.profiles.load_profile import (
    FIRST_PIECE,
    LONGEST_PIECE,
    SHORTEST_PIECE,
    Measure,
    Profile,
    Row,
    Status,
    join,
    next_piece,
    parse,
    request,
    stamp,
)
from custom_components.iec62056.protocol.values import Season

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)
HEAD = "P.01({time})({status})(15)(2)(1.5)(kW)(2.5)(kW)\r\n"


def read(text: str) -> tuple[Profile, ...]:
    sets, unparsed = datasets.parse(text.encode("ascii"))
    assert not unparsed
    return parse(sets, BERLIN)


def only(text: str) -> Profile:
    (found,) = read(text)
    return found


def head(time: str, status: str = "00") -> str:
    return HEAD.format(time=time, status=status)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def test_rows_follow_the_head_in_even_steps() -> None:
    found = only(head("1260705101500") + "(0.400)(0.000)\r\n(0.120)(1.004)\r\n")
    assert found.code == "P.01"
    assert found.period == QUARTER
    assert [(one.address, one.unit, one.measure) for one in found.channels] == [
        ("1.5", "kW", Measure.MEAN),
        ("2.5", "kW", Measure.MEAN),
    ]
    assert found.rows == (
        Row(utc(2026, 7, 5, 8, 15), (Decimal("0.400"), Decimal("0.000"))),
        Row(utc(2026, 7, 5, 8, 30), (Decimal("0.120"), Decimal("1.004"))),
    )


def test_a_power_becomes_energy() -> None:
    found = only(head("1260705101500") + "(0.400)(0.000)\r\n(0.120)(1.004)\r\n")
    begin, end, amount = next(found.amounts(0))
    assert (begin, end) == (utc(2026, 7, 5, 8, 0), utc(2026, 7, 5, 8, 15))
    assert amount == Decimal("0.1")
    assert [amount for _, _, amount in found.amounts(1)] == [0, Decimal("0.251")]
    assert found.step(0) == Decimal("0.00025")


@pytest.mark.parametrize(
    ("minutes", "energy"), [(1, "0.01"), (5, "0.05"), (15, "0.15"), (30, "0.3"), (60, "0.6")]
)
def test_every_capture_period(minutes: int, energy: str) -> None:
    found = only(f"P.01(260705100000)(00)({minutes})(1)(1-0:1.5.0)(kW)\r\n(0.6)\r\n(0.6)\r\n")
    assert [row.end for row in found.rows] == [
        utc(2026, 7, 5, 8),
        utc(2026, 7, 5, 8) + timedelta(minutes=minutes),
    ]
    assert {amount for *_, amount in found.amounts(0)} == {Decimal(energy)}


@pytest.mark.parametrize(
    ("code", "unit", "measure"),
    [
        ("1.5", "kW", Measure.MEAN),
        ("1-1:1.29", "kWh", Measure.AMOUNT),
        ("1.9", "kWh", Measure.AMOUNT),
        ("1-0:1.8.0", "kWh", Measure.TOTAL),
        ("32.7", "V", Measure.OTHER),
        ("XYZ", "kWh", Measure.OTHER),
    ],
)
def test_how_a_channel_is_meant(code: str, unit: str, measure: Measure) -> None:
    found = only(f"P.02(1260705101500)(00)(15)(1)({code})({unit})\r\n(1.0)\r\n(1.5)\r\n")
    assert found.channels[0].measure is measure
    amounts = [amount for *_, amount in found.amounts(0)]
    assert (
        amounts
        == {
            Measure.MEAN: [Decimal("0.25"), Decimal("0.375")],
            Measure.AMOUNT: [Decimal("1.0"), Decimal("1.5")],
            Measure.TOTAL: [Decimal("0.5")],
            Measure.OTHER: [],
        }[measure]
    )


def test_a_total_across_a_gap_is_one_amount() -> None:
    rows = "P.01({})(00)(15)(1)(1.8.0)(kWh)\r\n({})\r\n"
    found = only(rows.format("1260705101500", "7.0") + rows.format("1260705110000", "7.9"))
    assert list(found.amounts(0)) == [
        (utc(2026, 7, 5, 8, 15), utc(2026, 7, 5, 9, 0), Decimal("0.9"))
    ]


def test_a_new_head_after_a_gap() -> None:
    found = only(
        head("0261122101500") + "(0.1)(0)\r\n" + head("0261122113000", "40") + "(0.3)(0)\r\n"
    )
    assert [(row.end, row.status) for row in found.rows] == [
        (utc(2026, 11, 22, 9, 15), 0),
        (utc(2026, 11, 22, 10, 30), Status.POWER_UP),
    ]


def test_other_channels_are_another_profile() -> None:
    found = read(
        head("0261122101500") + "(0.1)(0)\r\nP.01(0261122103000)(00)(15)(1)(1.5)(kW)\r\n(0.3)\r\n"
    )
    assert [len(one.channels) for one in found] == [2, 1]


def test_season_flags_in_the_hour_that_comes_twice() -> None:
    """25 October 2026, 03:00 summer time is 02:00 winter time."""
    found = only(
        head("1261025023000", "08")
        + "(1)(0)\r\n(2)(0)\r\n(3)(0)\r\n"
        + head("0261025021500")
        + "(4)(0)\r\n(5)(0)\r\n"
    )
    assert [row.end for row in found.rows] == [
        utc(2026, 10, 25, 0, 30) + number * QUARTER for number in range(5)
    ]


def test_without_flags_the_rows_before_tell_the_passing() -> None:
    rows = "(1)(0)\r\n(2)(0)\r\n(3)(0)\r\n"
    found = only(head("261025023000") + rows + head("261025021500", "20") + "(4)(0)\r\n")
    assert [row.end for row in found.rows] == [
        utc(2026, 10, 25, 0, 30) + number * QUARTER for number in range(4)
    ]


def test_a_meter_that_stays_on_winter_time_and_one_on_utc() -> None:
    assert only(head("0260705101500") + "(1)(0)\r\n").rows[0].end == utc(2026, 7, 5, 9, 15)
    assert only(head("2260705101500") + "(1)(0)\r\n").rows[0].end == utc(2026, 7, 5, 10, 15)


def test_a_row_of_another_length_keeps_the_time_of_those_below() -> None:
    found = only(head("1260705101500") + "(0.1)(0)\r\n(0.2)\r\n(0.3)(0)\r\n")
    assert [row.values[0] for row in found.rows] == [Decimal("0.1"), None, Decimal("0.3")]
    assert [end.minute for _, end, _ in found.amounts(0)] == [15, 45]


def test_rows_in_the_line_of_their_head() -> None:
    found = only(head("1260705101500").strip() + "(0.1)(0.2)(0.3)(0.4)\r\n(0.5)(0.6)\r\n")
    assert [row.values[0] for row in found.rows] == [Decimal("0.1"), Decimal("0.3"), Decimal("0.5")]


def test_what_the_meter_calls_disturbed_does_not_count() -> None:
    found = only(head("1260705101500", "00000004") + "(9.9)(0)\r\n")
    assert found.rows[0].worthless
    assert not list(found.amounts(0))


@pytest.mark.parametrize(
    "text",
    [
        "P.01(ERROR)\r\n",
        "P.01(0000000000000)(00)(15)(1)(1.5)(kW)\r\n(1)\r\n",
        "P.01(1260705101500)(00)(0)(1)(1.5)(kW)\r\n(1)\r\n",
        "P.01(1260705101500)(00)(15)(3)(1.5)(kW)\r\n(1)\r\n",
        "P.01(1260705101500)(00)(15)(0)(1.5)(kW)\r\n(1)\r\n",
        "P.98(1260705101500)(00)()(2)(0.9.1)()(0.9.2)()(1)(2)\r\n",
        "1.8.0(1)(2)(3)(4)(5)(6)\r\n(1)\r\n",
        "(1)\r\n",
    ],
)
def test_what_is_no_profile(text: str) -> None:
    assert read(text) == ()


@pytest.mark.parametrize("address", ["P.01", ""])
def test_rows_without_a_head_have_their_own_date(address: str) -> None:
    """Turkish makes: nothing says what the columns are."""
    found = only(
        "P.01(26-07-13,13:00)(000112.345*kWh)(229.1*V)(1.00)\r\n"
        f"{address}(26-07-13,13:15)(000112.400*kWh)(229.0*V)(1.00)\r\n"
        f"{address}(26-07-13,14:00)(000112.600*kWh)(--*V)(1.00)\r\n"
    )
    assert (found.code, found.period) == ("P.01", QUARTER)
    assert [(one.address, one.obis, one.unit, one.measure) for one in found.channels] == [
        ("1", None, "kWh", Measure.OTHER),
        ("2", None, "V", Measure.OTHER),
        ("3", None, None, Measure.OTHER),
    ]
    assert found.rows == (
        Row(utc(2026, 7, 13, 11), (Decimal("112.345"), Decimal("229.1"), Decimal("1.00"))),
        Row(utc(2026, 7, 13, 11, 15), (Decimal("112.400"), Decimal("229.0"), Decimal("1.00"))),
        Row(utc(2026, 7, 13, 12), (Decimal("112.600"), None, Decimal("1.00"))),
    )


def test_dated_rows_in_the_hour_that_comes_twice() -> None:
    times = ("02:30", "02:45", "02:00", "02:15")
    found = only("".join(f"P.01(26-10-25,{time})(1*kWh)\r\n" for time in times))
    assert [row.end for row in found.rows] == [
        utc(2026, 10, 25, 0, 30) + n * QUARTER for n in range(4)
    ]


def test_parts_are_joined_each_period_once() -> None:
    first = only(head("1260705101500") + "(1)(0)\r\n(2)(0)\r\n")
    second = only(head("1260705103000") + "(2)(0)\r\n(3)(0)\r\n")
    (whole,) = join((second, first))
    assert [row.values[0] for row in whole.rows] == [1, 2, 3]
    assert [row.end for row in whole.rows] == [
        utc(2026, 7, 5, 8, 15) + n * QUARTER for n in (0, 1, 2)
    ]
    cut = whole.within(utc(2026, 7, 5, 8, 15), utc(2026, 7, 5, 8, 30))
    assert [row.values[0] for row in cut.rows] == [2]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["P.01", "P.02", "", "1.5", None]),
            st.lists(
                st.text("0123456789.:PkW-", max_size=14)
                | st.sampled_from(["26-07-13,13:00", "26-10-25,02:15", "26-03-29,02:15"]),
                max_size=12,
            ),
        ),
        max_size=12,
    )
)
def test_nothing_raises(sets: list[tuple[str | None, list[str]]]) -> None:
    text = "".join(
        f"{address or ''}{''.join(f'({one})' for one in brackets)}\r\n"
        for address, brackets in sets
    )
    for profile in parse(datasets.parse(text.encode())[0], BERLIN):
        for column in range(len(profile.channels)):
            list(profile.amounts(column))


def test_a_request_reaches_over_both_ends() -> None:
    first, last = utc(2026, 7, 5, 8), utc(2026, 7, 5, 20)
    assert request("P.01", first, last, BERLIN) == "P.01(12607050800;12607060000)"
    assert request("P.02", first, last, BERLIN, None, blocks=8) == "P.02(2607050800;2607060000;8)"
    assert request("P.01", first, last, BERLIN, Season.UTC) == "P.01(22607050600;22607052200)"


def test_stamps_tell_both_passings_apart() -> None:
    early, late = utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30)
    assert stamp(early, BERLIN, Season.WINTER) == "12610250230"
    assert stamp(late, BERLIN, Season.WINTER) == "02610250230"


def test_pieces_grow_and_shrink_with_the_line() -> None:
    assert next_piece(FIRST_PIECE, 4.0) == FIRST_PIECE * 2
    assert next_piece(FIRST_PIECE, 80.0) == FIRST_PIECE / 2
    assert next_piece(SHORTEST_PIECE, 900.0) == SHORTEST_PIECE
    assert next_piece(LONGEST_PIECE, 0.0) == LONGEST_PIECE
