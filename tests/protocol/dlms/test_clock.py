"""Dates and times of COSEM, and which sign a deviation has."""

import datetime as dt
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms.clock import (
    ClockStatus,
    DateTime,
    date_time,
    encode_date_time,
)
from custom_components.iec62056.protocol.dlms_errors import DlmsMalformed, DlmsUnsent
from custom_components.iec62056.protocol.values import MeterTime, Season

BERLIN = ZoneInfo("Europe/Berlin")
LISBON = ZoneInfo("Europe/Lisbon")
NEW_YORK = ZoneInfo("America/New_York")
EARLY, LATE = (dt.datetime.fromisoformat(day) for day in ("2001-01-02", "2099-12-30"))


def test_all_parts() -> None:
    got = date_time(bytes.fromhex("07E9 07 0F 02 0D 1E 05 32 FF88 82"))
    moment = MeterTime(dt.date(2025, 7, 15), dt.time(13, 30, 5, 500_000), Season.SUMMER)
    assert got == DateTime(moment, -120, ClockStatus.DAYLIGHT_SAVING | ClockStatus.DOUBTFUL)


@pytest.mark.parametrize(
    ("octets", "zone", "utc"),
    [
        # The standard's sign, and the opposite one.
        ("07E9 01 0F 03 0D 00 00 00 FFC4 00", BERLIN, "2025-01-15 12:00"),
        ("07E9 01 0F 03 0D 00 00 00 003C 00", BERLIN, "2025-01-15 12:00"),
        ("07E9 07 0F 02 0D 00 00 00 FF88 80", BERLIN, "2025-07-15 11:00"),
        ("07E9 07 0F 02 0D 00 00 00 0078 80", BERLIN, "2025-07-15 11:00"),
        ("07E9 01 0F 03 0D 00 00 00 012C 00", NEW_YORK, "2025-01-15 18:00"),
        ("07E9 01 0F 03 0D 00 00 00 FED4 00", NEW_YORK, "2025-01-15 18:00"),
        # Where both signs are as near, the standard's.
        ("07E9 01 0F 03 0D 00 00 00 FFC4 00", LISBON, "2025-01-15 12:00"),
        # A clock that stays on winter time, with either sign.
        ("07E9 07 0F 02 0D 00 00 00 FFC4 00", BERLIN, "2025-07-15 12:00"),
        ("07E9 07 0F 02 0D 00 00 00 003C 00", BERLIN, "2025-07-15 12:00"),
        # A clock on UTC.
        ("07E9 07 0F 02 0D 00 00 00 0000 00", BERLIN, "2025-07-15 13:00"),
        ("07E9 07 0F 02 0D 00 00 00 0000 00", LISBON, "2025-07-15 13:00"),
        # No deviation: local time of the zone.
        ("07E9 07 0F 02 0D 00 00 00 8000 FF", BERLIN, "2025-07-15 11:00"),
        ("07E9 07 0F 02 0D 00 00 00 8000 80", BERLIN, "2025-07-15 11:00"),
        # The hour that comes twice, both times.
        ("07E9 0A 1A 07 02 1E 00 00 FF88 80", BERLIN, "2025-10-26 00:30"),
        ("07E9 0A 1A 07 02 1E 00 00 FFC4 00", BERLIN, "2025-10-26 01:30"),
        # Seconds and hundredths may be left open.
        ("07E9 01 0F FF 0D 00 FF FF FFC4 FF", BERLIN, "2025-01-15 12:00"),
    ],
)
def test_moments(octets: str, zone: ZoneInfo, utc: str) -> None:
    moment = date_time(bytes.fromhex(octets)).utc(zone)
    assert moment == dt.datetime.fromisoformat(f"{utc}Z")


@pytest.mark.parametrize(
    "octets",
    [
        "FFFF FF FF FF FF FF FF FF 8000 FF",
        "FFFF 03 FE 07 02 00 00 00 8000 FF",
        "07E9 FD FE 07 02 00 00 00 FFC4 00",
        "07E9 01 0F 03 FF FF FF FF 8000 FF",
        "0001 01 01 01 00 00 00 00 8000 FF",
        "07D0 01 01 06 00 00 00 00 FFC4 00",
        "270F 0C 1F 05 17 3B 3B 63 FFC4 00",
        "07E9 0D 01 03 00 00 00 00 FFC4 00",
        "07E9 01 0F 03 18 00 00 00 FFC4 00",
    ],
)
def test_what_is_no_moment(octets: str) -> None:
    assert date_time(bytes.fromhex(octets)).utc(BERLIN) is None


def test_a_date_or_a_time_alone() -> None:
    assert date_time(bytes.fromhex("07E9 01 0F 03")).moment == MeterTime(dt.date(2025, 1, 15), None)
    assert date_time(bytes.fromhex("0D 1E 05 FF")).moment == MeterTime(None, dt.time(13, 30, 5))


@given(st.binary(max_size=14))
def test_any_octets(octets: bytes) -> None:
    if len(octets) in (4, 5, 12):
        date_time(octets).utc(BERLIN)
    else:
        with pytest.raises(DlmsMalformed):
            date_time(octets)


@given(
    st.datetimes(EARLY, LATE, timezones=st.just(dt.UTC)),
    st.booleans(),
)
def test_what_is_written_is_read_as_it_was(utc: dt.datetime, inverted: bool) -> None:
    local = utc.replace(microsecond=utc.microsecond // 10_000 * 10_000).astimezone(BERLIN)
    summer = bool(local.dst())
    octets = encode_date_time(local, daylight_saving=summer, inverted=inverted)
    got = date_time(octets)
    assert got.utc(BERLIN) == local
    assert got.moment.season is (Season.SUMMER if summer else Season.WINTER)
    assert octets[4] == local.isoweekday()


def test_a_time_without_its_offset_is_not_written() -> None:
    with pytest.raises(DlmsUnsent):
        encode_date_time(LATE)
