"""Codes in every notation, the medium of short ones, and which brackets hold a time."""

import datetime as dt
import itertools

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol import obis
from custom_components.iec62056.protocol.model import DataSet, Identification, Medium, Obis, Value


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("1-0:1.8.0*255", "1-0:1.8.0"),
        ("1-0:1.8.0", "1-0:1.8.0"),
        ("1.8.0", "1-0:1.8.0"),
        ("1.8.0*255", "1-0:1.8.0"),
        (" 1.8.0 ", "1-0:1.8.0"),
        ("1-1:1.8.0", "1-1:1.8.0"),
        ("32.7", "1-0:32.7.0"),
        ("0.0", "1-0:0.0.0"),
        ("1.8.0*01", "1-0:1.8.0*1"),
        ("1.8.0*1", "1-0:1.8.0*1"),
        ("1.8.0*00", "1-0:1.8.0*0"),
        ("1.8.1*101", "1-0:1.8.1*101"),
        ("0.1.2&07", "1-0:0.1.2*7"),
        ("0.1.2*07", "1-0:0.1.2*7"),
        ("2.35.0.01", "1-0:2.35.0*1"),
        ("1-1:0.5.1.2", "1-1:0.5.1*2"),
        ("1-0:1.8.0.255", "1-0:1.8.0"),
        ("1.6.0,5", "1-0:1.6.0,5"),
        ("1.6.0*02,5", "1-0:1.6.0*2,5"),
        ("1-0:1.7.255*255", "1-0:1.7.255"),
        ("0-0:96.1.255*255", "0-0:96.1.255"),
        ("C.1.0", "0-0:96.1.0"),
        ("C.1", "0-0:96.1.0"),
        ("1-1:C.5", "1-1:96.5.0"),
        ("96.77.0*10", "0-0:96.77.0*10"),
        ("0-0:C.51.2*02", "0-0:96.51.2*2"),
        ("F.F", "0-0:97.97.0"),
        ("FF", "0-0:97.97.0"),
        ("F", "0-0:97.97.0"),
        ("F.F.0", "0-0:97.97.0"),
        ("F.F.1", "0-0:97.97.1"),
        ("0-0:F.F.0*255", "0-0:97.97.0"),
        ("97.97.0", "0-0:97.97.0"),
        ("1-1:F.F", "1-1:97.97.0"),
        ("P.01", "1-0:99.1.0"),
        ("P.98", "1-0:99.98.0"),
        ("L.1", "1-0:98.1.0"),
        ("1:23.0.0", "1-1:23.0.0"),
        ("1-2:1.29", "1-2:1.29.0"),
        ("0-1:24.2.1", "0-1:24.2.1"),
        ("1.0.0", "0-0:1.0.0"),
        ("7-0:3.0.0", "7-0:3.0.0"),
        ("131.7", "1-0:131.7.0"),
    ],
)
def test_every_notation_has_one_canonical_code(address: str, expected: str) -> None:
    assert str(obis.parse(address)) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "ET0PE",
        "VOLTA",
        "EMD01",
        "1-1:30D",
        "100700FF",
        "0.1",  # a register beside 0.1.0 (ZPA), not its short form
        "1",
        "C",
        "FFF",
        "1.8.0.1.2",
        "256.8.0",
        "1.256",
        "1.8.0*256",
        "16-0:1.8.0",
        "1-256:1.8.0",
        "1.8.0*",
        "1.8.0,",
        "1..0",
        ".8.0",
        "1.8.",
        "1-0-0:1.8.0",
        "1.8.0 *01",
        "-1.8.0",
        "１.８.０",
        "1.8.0\x00",
        "3:V.2",
        "1.8.0" * 5000,
    ],
)
def test_other_addresses_have_no_code(address: str) -> None:
    assert obis.parse(address) is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("6.8", "6-0:6.8.0"),
        ("6.26*01", "6-0:6.26.0*1"),
        ("0.0", "6-0:0.0.0"),
        ("9.36", "6-0:9.36.0"),
        ("F", "0-0:97.97.0"),
        ("C.1.0", "0-0:96.1.0"),
        ("1-0:1.8.0", "1-0:1.8.0"),
    ],
)
def test_the_medium_fills_only_what_was_not_sent(address: str, expected: str) -> None:
    assert str(obis.parse(address, Medium.HEAT)) == expected


@given(st.text() | st.text(alphabet="0123456789.*&,:-CFLP "))
def test_any_text_has_a_valid_code_or_none(text: str) -> None:
    code = obis.parse(text)
    if code is None:
        return
    assert max(code.b, code.c, code.d, code.e, code.f) < 256
    assert code.a < 16
    assert obis.parse(str(code)) == code


groups = st.integers(0, 255)


@given(
    st.builds(
        Obis,
        st.integers(0, 15),
        groups,
        groups,
        groups,
        groups,
        groups,
        st.none() | st.integers(0, 99),
    )
)
def test_the_canonical_text_is_read_back(code: Obis) -> None:
    assert obis.parse(str(code)) == code


def test_codes_of_one_register_are_one_key_and_have_an_order() -> None:
    one = {obis.parse(text) for text in ("1.8.0", "1-0:1.8.0", "1-0:1.8.0*255")}
    assert len(one) == 1
    texts = ["1.6.0,5", "1.8.0", "1.6.0", "0.0.0", "1.8.0*01", "C.1.0"]
    codes = [code for text in texts if (code := obis.parse(text))]
    expected = ["0-0:96.1.0", "1-0:0.0.0", "1-0:1.6.0", "1-0:1.6.0,5", "1-0:1.8.0*1", "1-0:1.8.0"]
    for order in itertools.islice(itertools.permutations(codes), 0, 720, 37):
        assert [str(code) for code in sorted(order)] == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("100700FF", "1-0:16.7.0"),
        ("2107FFFF", "1-0:33.7.0"),
        ("600900ff", "0-0:96.9.0"),
        ("0F088001", "1-0:15.8.128*1"),
    ],
)
def test_hexadecimal_addresses_of_neva(address: str, expected: str) -> None:
    assert str(obis.parse_hex(address)) == expected


@pytest.mark.parametrize("address", ["", "1.8.0", "100700F", "100700FF0", "100700FG", "１00700FF"])
def test_what_is_no_hexadecimal_address(address: str) -> None:
    assert obis.parse_hex(address) is None


def identification(flag: str, model: str) -> Identification:
    return Identification(f"/{flag}5{model}", flag, "5", (), model)


def sets(*texts: tuple[str | None, str | None]) -> list[DataSet]:
    return [DataSet(address, (Value("0001", unit),)) for address, unit in texts]


@pytest.mark.parametrize(
    ("ident", "datasets", "expected"),
    [
        (None, sets(("6.8", "GJ"), ("6.26", "m3")), Medium.HEAT),
        (None, sets(("6.8", "MWh")), Medium.HEAT),
        (None, sets(("6.8", "kWh")), Medium.HEAT),
        (None, sets(("6.26", "m3")), Medium.HEAT),
        (None, sets(("6.33", "m3ph")), Medium.HEAT),
        (identification("LGZ", "ZMD"), sets(("6.8", "GJ")), Medium.HEAT),
        (identification("LUG", "UH50"), [], Medium.HEAT),
        (identification("Sie", "2WR5"), [], Medium.HEAT),
        (identification("KAM", "MC"), [], Medium.HEAT),
        (identification("KAM", "685-382-QR-10"), sets(("1.8.0", "kWh")), Medium.ELECTRICITY),
        (identification("SIE", "TD3511"), [], Medium.ELECTRICITY),
        (None, [], Medium.ELECTRICITY),
        (None, sets(("6.8.0", "kvarh"), ("1.8.0", "kWh")), Medium.ELECTRICITY),
        (None, sets(("6.8", "kvarh")), Medium.ELECTRICITY),
        (None, sets(("6.8.1", None), ("6.8", None)), Medium.ELECTRICITY),
        # Heat and gas meters on the M-Bus of a P1 meter.
        (None, sets(("1-0:1.8.1", "kWh"), ("0-1:24.2.1", "GJ")), Medium.ELECTRICITY),
        (None, sets(("0-1:24.2.1", "m3"), (None, "m3")), Medium.ELECTRICITY),
        (None, sets(("0-1:24.3.3", "m3ph"), (None, "m3ph")), Medium.ELECTRICITY),
        # What the totals are of.
        (None, sets(("0.0.0", None), ("7-0:3.0.0", "m3")), Medium.GAS),
        (None, sets(("7-1:3.2.0", "m3"), ("7-0:41.0.0", "C")), Medium.GAS),
        (None, sets(("8-0:1.0.0", "m3")), Medium.COLD_WATER),
        (None, sets(("9-0:1.0.0", "m3")), Medium.HOT_WATER),
        (None, sets(("5-0:1.0.0", "kWh")), Medium.COOLING),
        (None, sets(("6-0:1.0.0", "kWh")), Medium.HEAT),
        (identification("ELS", "EK280"), sets(("7-0:3.0.0", "m3")), Medium.GAS),
        # A stored value, a flow or a number is no total.
        (None, sets(("7-0:3.0.0*01", "m3"), ("8-0:2.0.0", "m3/h")), Medium.ELECTRICITY),
        (None, sets(("7-0:0.0.0", None)), Medium.ELECTRICITY),
        # Electricity, whatever else is sent.
        (None, sets(("7-0:3.0.0", "m3"), ("1-0:1.8.0", "kWh")), Medium.ELECTRICITY),
        (None, sets(("6.8", "GJ"), ("1.8.1", None)), Medium.ELECTRICITY),
        (identification("LUG", "X"), sets(("15.8.0", "kWh")), Medium.ELECTRICITY),
    ],
)
def test_the_medium_of_short_codes(
    ident: Identification | None, datasets: list[DataSet], expected: Medium
) -> None:
    assert obis.infer_medium(ident, datasets) is expected


@pytest.mark.parametrize(
    ("address", "index", "text", "date", "time"),
    [
        ("0.9.1", 0, "101415", None, "10:14:15"),
        ("0.9.2", 0, "101415", None, None),
        ("0.9.2", 0, "130103", "2013-01-03", None),
        ("0.9.6", 0, "101415", None, "10:14:15"),
        ("0.9.7", 0, "130103", "2013-01-03", None),
        ("0.9.0", 0, "130103", None, None),
        ("0.9.5", 0, "3", None, None),
        ("0.1.2*12", 0, "2210010000", "2022-10-01", "00:00:00"),
        ("0.1.3", 0, "241101", "2024-11-01", None),
        ("0.1.0", 0, "221001", None, None),
        ("0.1.0*1", 0, "18-01-03 08:22", "2018-01-03", "08:22:00"),
        ("1.0.0", 0, "210712222017", "2021-07-12", "22:20:17"),
        ("1-0:1.0.0", 0, "210712222017", "2021-07-12", "22:20:17"),
        ("1.6.1", 1, "2211120730", "2022-11-12", "07:30:00"),
        ("1.6.1", 0, "2211120730", None, None),
        ("1.6.1", 2, "2211120730", None, None),
        ("1.6.0", 0, "200509134558S", "2020-05-09", "13:45:58"),
        ("1.8.0", 1, "2211120730", None, None),
        ("1.6.0,5", 0, "202601130730", "2026-01-13", "07:30:00"),
        ("32.36.0", 1, "17-08-04 13:24", "2017-08-04", "13:24:00"),
        ("96.71*1", 0, "23-05-23,12:08", "2023-05-23", "12:08:00"),
        ("96.7.5", 1, "02:30:57", None, None),
        ("C.2.1", 0, "1907111115", "2019-07-11", "11:15:00"),
        ("C.2.0", 0, "190711", None, None),
        ("C.2.1", 0, "CS3T", None, None),
        ("C.1.5", 0, "202110051413", "2021-10-05", "14:13:00"),
        ("C.1.0", 0, "20211005", None, None),
        ("C.51.1", 0, "190711", None, None),
        ("C.51.2", 0, "1140716101053", "2014-07-16", "10:10:53"),
        ("96.51", 0, "190711", None, None),
        ("0-1:24.2.1", 0, "161116200000W", "2016-11-16", "20:00:00"),
        ("0-1:24.3.0", 0, "130110100000", "2013-01-10", "10:00:00"),
        ("0-1:24.1.0", 0, "130110", None, None),
        ("1-0:99.97.0", 2, "170609063239S", "2017-06-09", "06:32:39"),
        ("P.01", 0, "1220823161500", "2022-08-23", "16:15:00"),
        ("P.98", 8, "1220826", None, None),
        ("9.36", 0, "2022-05-19&19:41:17", "2022-05-19", "19:41:17"),
        ("6.36", 0, "01-01&00:00", None, None),
        ("6.36.1", 0, "2018-03-03", "2018-03-03", None),
        # Identification and firmware never hold a time, whatever they look like.
        ("0.0.0", 0, "20-12-13", None, None),
        ("0.2.0", 0, "01-02-03", None, None),
        ("0.0.0", 1, "2211120730", None, None),
    ],
)
def test_a_bracket_is_a_time_where_its_code_or_form_says_so(
    address: str, index: int, text: str, date: str | None, time: str | None
) -> None:
    moment = obis.register_timestamp(obis.parse(address), index, text)
    found = (moment.date, moment.time) if moment else (None, None)
    expected = (
        dt.date.fromisoformat(date) if date else None,
        dt.time.fromisoformat(time) if time else None,
    )
    assert found == expected


def test_a_heat_meters_maximum_is_not_an_electricity_meters() -> None:
    power = obis.parse("6.6", Medium.HEAT)
    assert obis.register_timestamp(power, 1, "2211120730") is None


def test_a_register_without_a_code_holds_a_time_by_its_form_alone() -> None:
    assert obis.register_timestamp(None, 0, "2022-05-19 10:00") is not None
    assert obis.register_timestamp(None, 0, "220519") is None
