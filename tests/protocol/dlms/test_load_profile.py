"""Profiles and event logs of COSEM."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest

from custom_components.iec62056.protocol.dlms.axdr import decode
from custom_components.iec62056.protocol.dlms.clock import encode_date_time
from custom_components.iec62056.protocol.dlms.cosem import Column, ScalerUnit
from custom_components.iec62056.protocol.dlms.data import NULL, Data, Tag, octet_string
from custom_components.iec62056.protocol.dlms.descriptors import LogicalName, Member
from custom_components.iec62056.protocol.dlms.load_profile import events, profile, rows_between
from custom_components.iec62056.protocol.dlms_errors import DlmsMalformed
from custom_components.iec62056.protocol.profiles.events import Meaning
from custom_components.iec62056.protocol.profiles.load_profile import Measure, Status

BERLIN = ZoneInfo("Europe/Berlin")
CLOCK = Column(Member(8, LogicalName(0, 0, 1, 0, 0), 2))
STATUS = Column(Member(1, LogicalName(0, 0, 96, 10, 1), 2))
IMPORT = Column(Member(3, LogicalName(1, 0, 1, 8, 0), 2))
DEMAND = Column(Member(5, LogicalName(1, 0, 1, 4, 0), 3))
TEXT = Column(Member(1, LogicalName(0, 0, 96, 1, 0), 2))
WH, W = ScalerUnit(0, 30), ScalerUnit(1, 27)
QUARTER = timedelta(minutes=15)


def at(year: int, month: int, day: int, hour: int, minute: int) -> Data:
    local = datetime(year, month, day, hour, minute, tzinfo=BERLIN)
    return octet_string(encode_date_time(local, daylight_saving=bool(local.dst())))


def number(value: int) -> Data:
    return Data(Tag.DOUBLE_LONG_UNSIGNED, value)


def test_columns_are_told_apart_and_scaled() -> None:
    found = profile(
        "1-0:99.1.0",
        (CLOCK, STATUS, IMPORT, DEMAND, TEXT),
        [
            (at(2026, 7, 5, 10, 15), number(0x08), number(5_000), number(40), octet_string(b"x")),
            (at(2026, 7, 5, 10, 30), number(0x88), number(5_100), number(44), octet_string(b"x")),
        ],
        {2: WH, 3: W},
        period=QUARTER,
        zone=BERLIN,
    )
    assert [(one.address, one.unit, one.measure) for one in found.channels] == [
        ("1-0:1.8.0", "Wh", Measure.TOTAL),
        ("1-0:1.4.0", "W", Measure.MEAN),
    ]
    assert [row.end for row in found.rows] == [
        datetime(2026, 7, 5, 8, 15, tzinfo=UTC),
        datetime(2026, 7, 5, 8, 30, tzinfo=UTC),
    ]
    assert found.rows[1].status == Status.SUMMER | Status.POWER_DOWN
    assert [amount for *_, amount in found.amounts(0)] == [Decimal(100)]
    assert [amount for *_, amount in found.amounts(1)] == [Decimal(100), Decimal(110)]


def test_what_is_left_out_goes_on() -> None:
    found = profile(
        "1-0:99.1.0",
        (CLOCK, STATUS, IMPORT),
        [
            (at(2026, 10, 25, 1, 45), number(8), number(7)),
            (NULL, NULL, NULL),
            (NULL, number(0), number(9)),
        ],
        {2: WH},
        period=QUARTER,
        zone=BERLIN,
    )
    assert [(row.end, row.values[0], row.status) for row in found.rows] == [
        (datetime(2026, 10, 24, 23, 45, tzinfo=UTC), Decimal(7), 8),
        (datetime(2026, 10, 25, 0, 0, tzinfo=UTC), Decimal(7), 8),
        (datetime(2026, 10, 25, 0, 15, tzinfo=UTC), Decimal(9), 0),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_differences_to_the_row_above_are_added_up(seed: int) -> None:
    """Each row as it would be alone, however its numbers and its time are written."""
    random = Random(seed)
    unix = Column(Member(1, LogicalName(0, 0, 1, 1, 0), 2))
    count, moment = 5_000, 1_783_238_400
    rows, true = [], []
    for index in range(40):
        rise, step = random.choice((0, 7, 300, 70_000, -5)), random.choice((900, 1800))
        if index:
            count, moment = count + rise, moment + step
        signed = [
            (Tag.DELTA_INTEGER, 8, 1),
            (Tag.DELTA_LONG, 16, 1),
            (Tag.DELTA_DOUBLE_LONG, 32, 1),
            (Tag.DELTA_UNSIGNED, 8, 0),
            (Tag.DELTA_LONG_UNSIGNED, 16, 0),
            (Tag.DELTA_DOUBLE_LONG_UNSIGNED, 32, 0),
        ]
        item = number(count)
        if index and random.random() < 0.8:
            fitting = [
                tag
                for tag, bits, sign in signed
                if -(sign << bits >> 1) <= rise < 1 << (bits - sign)
            ]
            item = NULL if not rise else Data(random.choice(fitting), rise)
        at_once = not index or random.random() < 0.5
        time = number(moment) if at_once else Data(Tag.DELTA_LONG_UNSIGNED, step)
        rows.append((time, item))
        true.append((datetime.fromtimestamp(moment, UTC), (Decimal(count),)))
    found = profile("x", (unix, IMPORT), rows, {1: WH}, period=QUARTER, zone=BERLIN)
    assert [(row.end, row.values) for row in found.rows] == true


def test_a_difference_to_nothing_is_no_number() -> None:
    rows = [(at(2026, 7, 5, 10, 15), Data(Tag.DELTA_UNSIGNED, 5))]
    found = profile("x", (CLOCK, IMPORT), rows, {1: WH}, period=QUARTER, zone=BERLIN)
    assert [row.values for row in found.rows] == [(None,)]


def test_a_time_left_out_below_an_invalid_one_is_none() -> None:
    octets = bytearray(at(2026, 7, 5, 10, 30).octets)
    octets[-1] |= 0x01
    rows = [
        (at(2026, 7, 5, 10, 15), number(1)),
        (octet_string(bytes(octets)), number(2)),
        (NULL, number(3)),
        (at(2026, 7, 5, 11, 0), number(4)),
    ]
    found = profile("x", (CLOCK, IMPORT), rows, {1: WH}, period=QUARTER, zone=BERLIN)
    assert [(row.end.minute, row.values) for row in found.rows] == [
        (15, (Decimal(1),)),
        (0, (Decimal(4),)),
    ]


def test_a_row_whose_clock_was_invalid_has_no_moment() -> None:
    octets = bytearray(at(2026, 7, 5, 10, 15).octets)
    octets[-1] |= 0x01
    rows = [(octet_string(bytes(octets)), number(1)), (at(2026, 7, 5, 10, 30), NULL)]
    found = profile("x", (CLOCK, IMPORT), rows, {1: WH}, period=QUARTER, zone=BERLIN)
    assert [(row.end.minute, row.values) for row in found.rows] == [(30, (Decimal(1),))]


def test_a_profile_without_a_clock() -> None:
    with pytest.raises(DlmsMalformed):
        profile("x", (IMPORT,), [], {0: WH}, period=QUARTER, zone=BERLIN)
    with pytest.raises(DlmsMalformed):
        rows_between((IMPORT,), datetime.now(UTC), datetime.now(UTC), NULL)


def test_a_range_names_the_clock_and_both_ends() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    access = rows_between((STATUS, CLOCK), first, first + timedelta(days=1), octet_string(b"?"))
    restricting, begin, end, columns = access.parameters.items
    assert access.selector == 1
    assert restricting.items[1].octets == bytes((0, 0, 1, 0, 0, 255))
    assert begin.octets[-1] == 0x80
    assert (begin.octets[3], end.octets[3]) == (25, 26)
    assert columns.items == ()


def test_events_with_their_meaning() -> None:
    code = Column(Member(1, LogicalName(0, 0, 96, 11, 0), 2))
    fraud = Column(Member(1, LogicalName(0, 0, 96, 11, 1), 2))
    one = events("0-0:99.98.0", (CLOCK, code), [(at(2026, 7, 5, 10, 1), number(2))], BERLIN)
    assert one[0].at == datetime(2026, 7, 5, 8, 1, tzinfo=UTC)
    assert one[0].meanings == (Meaning.POWER_UP,)
    assert (one[0].notes[0].address, one[0].notes[0].value.text) == ("0-0:96.11.0", "2")
    other = events(
        "0-0:99.98.1", (CLOCK, fraud, TEXT),
        [(NULL, number(2), octet_string(b"\xab")), (at(2026, 7, 5, 10, 1), NULL, NULL)],
        BERLIN,
    )  # fmt: skip
    assert (other[0].at, other[0].meanings) == (None, ())
    assert [note.value.text for note in other[0].notes] == ["2", "AB"]
    assert [note.value.text for note in other[1].notes] == ["", ""]
    latin = events("x", (CLOCK, TEXT), [(NULL, decode(b"\x0c\x01\xe4"))], BERLIN)
    assert latin[0].notes[0].value.text == "ä"
