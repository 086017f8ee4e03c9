"""Numbers, times, bits and coded text: what is one, and what only looks like one."""

from dataclasses import replace
import datetime as dt
from decimal import Decimal
import string
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol import values
from custom_components.iec62056.protocol.values import MeterTime, Season, TimeKind

BERLIN = ZoneInfo("Europe/Berlin")
DUBLIN = ZoneInfo("Europe/Dublin")
SYDNEY = ZoneInfo("Australia/Sydney")
KOLKATA = ZoneInfo("Asia/Kolkata")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("004711.250", "4711.250"),
        ("0", "0"),
        ("+00017", "17"),
        ("-000073.10", "-73.10"),
        ("  20500", "20500"),
        ("4711 ", "4711"),
        (" 0.00", "0.00"),
        ("-80.7", "-80.7"),
        ("000031,5", "31.5"),
        ("00000000.1234567", "0.1234567"),
    ],
)
def test_number_keeps_the_decimals_as_sent(text: str, expected: str) -> None:
    number = values.number(text)
    assert number is not None
    assert str(number) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "-",
        "-.--",
        " -.--",
        "---.-",
        "0F66",
        "1E5",
        "32A.062",
        "21:10:29",
        "1:23",
        "24-03-21",
        "12.5kWh",
        "1.2.3",
        "1,234,567",
        "1.234,5",
        "1_000",
        "NaN",
        "Infinity",
        "-inf",
        "sNaN",
        "+",
        "--5",
        "5-",
        "1 2",
        "１２",
        "12\n",
        "0600170022009999" * 3,
    ],
)
def test_number_refuses_what_only_looks_like_one(text: str) -> None:
    assert values.number(text) is None


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12
    )
)
def test_number_is_exact(number: Decimal) -> None:
    assert values.number(f"{number:f}") == number
    assert str(values.number(f"{number:f}")) == f"{number:f}"


@given(st.text())
def test_number_is_finite_whatever_comes(text: str) -> None:
    number = values.number(text)
    assert number is None or number.is_finite()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("002.417kW", ("002.417", "kW")),
        ("031250 kWh", ("031250", "kWh")),
        ("0000000 kWh", ("0000000", "kWh")),
        ("12.5m3", ("12.5", "m3")),
        ("0.744m3ph", ("0.744", "m3ph")),
        ("17kVArh", ("17", "kVArh")),
        ("17kvarh", ("17", "kvarh")),
        ("17KVARH", ("17KVARH", None)),
        ("002.50%", ("002.50", "%")),
        ("75%", ("75", "%")),
        ("230.5V", ("230.5", "V")),
        ("-03,2 A", ("-03,2", "A")),
        ("1000imp/kWh", ("1000", "imp/kWh")),
        ("15min", ("15", "min")),
    ],
)
def test_a_glued_unit_is_split_off(text: str, expected: tuple[str, str | None]) -> None:
    assert values.split_unit(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "1ISK00",
        "  1ISK00",
        "M26",
        "V1.0",
        "0F66",
        "78A",
        "12C",
        "1F",
        "210331173917W",
        "210331173917S",
        "50Hz,00010,00020",
        "4M012531",
        "1EMH0005939068",
        "kWh",
        "",
        "12.5",
        "1.2.3kWh",
        "0.1.0x",
        "7 apples",
    ],
)
def test_text_that_ends_in_letters_is_left_alone(text: str) -> None:
    assert values.split_unit(text) == (text, None)


@given(st.text(alphabet=string.ascii_letters + string.digits + " .,+-%/", max_size=60))
def test_a_split_unit_leaves_a_number(text: str) -> None:
    rest, unit = values.split_unit(text)
    assert (rest == text) if unit is None else values.number(rest) is not None
    assert text.startswith(rest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("00000000", 0), ("00", 0), (" 0401", 0x401), ("001C0104", 0x1C0104), ("a2", 0xA2)],
)
def test_bits_of_a_status(text: str, expected: int) -> None:
    assert values.bits(text) == expected


@pytest.mark.parametrize("text", ["", "L1-L2-L3", "___-----", "ON", "-1", "0x10", "1_0", "F" * 65])
def test_bits_of_no_status(text: str) -> None:
    assert values.bits(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4D45544552303030303132333435", "METER000012345"),
        ("204B413655303031363630323937", "KA6U001660297"),
        ("48616c6c6f2c204e65747a21", "Hallo, Netz!"),
        ("3031323334353637", "01234567"),
    ],
)
def test_hexadecimal_text_is_decoded(text: str, expected: str) -> None:
    assert values.decode_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "63355730",  # a plain serial number, though each pair is a printable character
        "0000680476000000",
        "1095100000067865",
        "ADC3100000158491",
        "4D4554455230303030313233343",
        "1EMH0005939068000",
        "",
        "30 31 32 33 34 35 36",
        "３０３１３２３３３４３５３６３７",
        "4D455445523030ü030313233343",
    ],
)
def test_what_is_no_hexadecimal_text_is_not_decoded(text: str) -> None:
    assert values.decode_text(text) is None


def day(year: int, month: int, day: int) -> dt.date:
    return dt.date(year, month, day)


@pytest.mark.parametrize(
    ("text", "date", "time", "season"),
    [
        ("18-11-29 09:41", day(2018, 11, 29), dt.time(9, 41), None),
        ("2021-07-12 22:20:17", day(2021, 7, 12), dt.time(22, 20, 17), None),
        ("2021-07-12T22:20:17", day(2021, 7, 12), dt.time(22, 20, 17), None),
        ("2022-05-19&19:41:17", day(2022, 5, 19), dt.time(19, 41, 17), None),
        ("23-06-06,18:45", day(2023, 6, 6), dt.time(18, 45), None),
        ("2013-11-28", day(2013, 11, 28), None, None),
        ("24-03-21", day(2024, 3, 21), None, None),
        (" 24-03-21 ", day(2024, 3, 21), None, None),
        ("230605105510S", day(2023, 6, 5), dt.time(10, 55, 10), Season.SUMMER),
        ("180104231941W", day(2018, 1, 4), dt.time(23, 19, 41), Season.WINTER),
    ],
)
def test_a_date_by_its_form(
    text: str, date: dt.date, time: dt.time | None, season: Season | None
) -> None:
    assert values.timestamp(text) == MeterTime(date, time, season)


@pytest.mark.parametrize(
    "text",
    [
        "220613",
        "2206130945",
        "1220613094500",
        "02:30:57",
        "0272031312565",
        "20260130",
        "07E50113020E0A2E00003C00",
    ],
)
def test_a_bare_number_is_a_time_only_where_the_register_says_so(text: str) -> None:
    assert values.timestamp(text) is None


@pytest.mark.parametrize(
    ("text", "date", "time", "season"),
    [
        ("220613", day(2022, 6, 13), None, None),
        ("0221219", day(2022, 12, 19), None, Season.WINTER),
        ("1190714", day(2019, 7, 14), None, Season.SUMMER),
        ("20260130", day(2026, 1, 30), None, None),
        ("2411061415", day(2024, 11, 6), dt.time(14, 15), None),
        ("12411061415", day(2024, 11, 6), dt.time(14, 15), Season.SUMMER),
        ("130110100000", day(2013, 1, 10), dt.time(10, 0, 0), None),
        ("202601130730", day(2026, 1, 13), dt.time(7, 30), None),
        ("1190711111500", day(2019, 7, 11), dt.time(11, 15), Season.SUMMER),
        ("2190711111500", day(2019, 7, 11), dt.time(11, 15), Season.UTC),
        ("07E50113020E0A2E00003C00", day(2021, 1, 19), dt.time(14, 10, 46), Season.WINTER),
        ("07E50713020E0A2E00FF8880", day(2021, 7, 19), dt.time(14, 10, 46), Season.SUMMER),
        ("07E50713020E0AFFFF8000FF", day(2021, 7, 19), dt.time(14, 10), None),
        ("07E50713020E0A2EFF800000", day(2021, 7, 19), dt.time(14, 10, 46), None),
        ("17-12-29 09:39", day(2017, 12, 29), dt.time(9, 39), None),
    ],
)
def test_a_number_in_a_register_of_dates(
    text: str, date: dt.date, time: dt.time | None, season: Season | None
) -> None:
    found = values.timestamp(text, TimeKind.DATE)
    assert found is not None
    assert replace(found, offset=None) == MeterTime(date, time, season)


@pytest.mark.parametrize(
    ("text", "time", "season"),
    [
        ("145051", dt.time(14, 50, 51), None),
        ("1185411", dt.time(18, 54, 11), Season.SUMMER),
        ("21:10:29", dt.time(21, 10, 29), None),
        ("21:10", dt.time(21, 10), None),
        ("000000", dt.time(0, 0), None),
    ],
)
def test_a_number_in_a_register_of_times(text: str, time: dt.time, season: Season | None) -> None:
    assert values.timestamp(text, TimeKind.TIME) == MeterTime(None, time, season)


@pytest.mark.parametrize("kind", [None, *TimeKind])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-00-00",
        "00-00-00 00:00",
        "00-00-00,00:00",
        "99-99-99,99:99",
        "2000-00-00",
        "2000-01-01 20:10:30",
        "000000000000",
        "632525252525S",
        "000101000001W",
        "200001010100",
        "202056789012W",
        "01-01&00:00",
        "01-01",
        "01&00:00",
        "23-06-03,03:46,23-06-03,03:49",
        "2023-02-29",
        "24-03-21 24:00",
        "CS3T",
        "0000",
        "3190711111500",
        "FFFFFFFFFFFFFFFFFFFFFFFF",
        "00000113020E0A2E00003C00",
        "084F0113020E0A2E00003C00",
        "9999-12-31 23:59",
        "２３-06-06,18:45",
    ],
)
def test_what_is_no_moment_gives_none(text: str, kind: TimeKind | None) -> None:
    assert values.timestamp(text, kind) is None


@given(st.text(alphabet="0123456789-:,& SWTF", max_size=26), st.sampled_from([None, *TimeKind]))
def test_a_moment_has_a_year_or_an_hour_and_can_be_told_in_every_zone(
    text: str, kind: TimeKind | None
) -> None:
    moment = values.timestamp(text, kind)
    if moment is None:
        return
    assert moment.date or moment.time
    for zone in (BERLIN, SYDNEY, dt.UTC):
        told = moment.utc(zone)
        assert told is None or told.utcoffset() == dt.timedelta(0)


def at(text: str, season: Season | None = None) -> MeterTime:
    moment = dt.datetime.fromisoformat(text)
    return MeterTime(moment.date(), moment.time(), season)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        (at("2024-01-10 12:00"), BERLIN, "2024-01-10 11:00"),
        (at("2024-07-10 12:00"), BERLIN, "2024-07-10 10:00"),
        (at("2024-07-10 12:00", Season.SUMMER), BERLIN, "2024-07-10 10:00"),
        # A clock that stays on winter time all year says so.
        (at("2024-07-10 12:00", Season.WINTER), BERLIN, "2024-07-10 11:00"),
        (at("2024-07-10 12:00", Season.UTC), BERLIN, "2024-07-10 12:00"),
        # The hour that comes twice.
        (at("2024-10-27 02:30", Season.SUMMER), BERLIN, "2024-10-27 00:30"),
        (at("2024-10-27 02:30", Season.WINTER), BERLIN, "2024-10-27 01:30"),
        (at("2024-10-27 02:30"), BERLIN, "2024-10-27 00:30"),
        # The hour that never was, on a clock without summer time.
        (at("2024-03-31 02:30", Season.WINTER), BERLIN, "2024-03-31 01:30"),
        # Zones whose "standard" time is in summer, where July is winter, and where nothing changes.
        (at("2024-07-10 12:00", Season.SUMMER), DUBLIN, "2024-07-10 11:00"),
        (at("2024-01-10 12:00", Season.WINTER), DUBLIN, "2024-01-10 12:00"),
        (at("2024-01-10 12:00", Season.SUMMER), SYDNEY, "2024-01-10 01:00"),
        (at("2024-07-10 12:00", Season.WINTER), SYDNEY, "2024-07-10 02:00"),
        (at("2024-07-10 12:00", Season.WINTER), KOLKATA, "2024-07-10 06:30"),
    ],
)
def test_local_time_in_utc(moment: MeterTime, zone: dt.tzinfo, expected: str) -> None:
    assert moment.utc(zone) == utc(expected)


def test_a_local_time_that_never_was_is_none() -> None:
    assert at("2024-03-31 02:30").utc(BERLIN) is None


def test_half_a_moment_is_none_in_utc() -> None:
    assert MeterTime(dt.date(2024, 1, 1), None).utc(BERLIN) is None
    assert MeterTime(None, dt.time(12)).utc(BERLIN) is None
