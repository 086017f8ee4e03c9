"""Which column of a load profile belongs to a total. No Home Assistant runs here."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from custom_components.iec62056.protocol import obis
from custom_components.iec62056.protocol.model import Obis
from custom_components.iec62056.protocol.profiles.load_profile import Channel, Profile, Row
from custom_components.iec62056.statistics.profile_amounts import fillable, of_total

START = datetime(2026, 11, 20, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def code(text: str) -> Obis:
    found = obis.parse(text)
    assert found is not None
    return found


def profile(channels: dict[str, str], *rows: tuple[str, ...]) -> Profile:
    return Profile(
        "P.01",
        tuple(Channel.of(address, obis.parse(address), unit) for address, unit in channels.items()),
        QUARTER,
        tuple(
            Row(START + (number + 1) * QUARTER, tuple(map(Decimal, row)))
            for number, row in enumerate(rows)
        ),
    )


def used(one: Profile, total: str, unit: str = "kWh") -> list[Decimal]:
    return [amount.number for amount in of_total([one], code(total), unit)[0]]


@pytest.mark.parametrize(
    ("address", "unit", "rows", "numbers"),
    [
        ("1.5", "kW", ("0.4", "0.8"), ["0.1", "0.2"]),
        ("1-1:1.29", "kWh", ("0.4", "0.8"), ["0.4", "0.8"]),
        ("1.5.0", "W", ("400", "800"), ["0.1", "0.2"]),
        ("1.8.0", "Wh", ("400", "1800"), ["1.4"]),
        ("1.7", "kW", ("0.4", "0.8"), []),
        ("2.5", "kW", ("0.4", "0.8"), []),
        ("1-2:1.29", "kWh", ("0.4", "0.8"), []),
        ("1.8.1", "kWh", ("0.4", "0.8"), []),
        ("1.5", "m3/h", ("0.4", "0.8"), []),
    ],
)
def test_what_belongs_to_the_import(
    address: str, unit: str, rows: tuple[str, ...], numbers: list[str]
) -> None:
    one = profile({address: unit}, *((row,) for row in rows))
    assert used(one, "1.8.0") == [Decimal(number) for number in numbers]


def test_reactive_energy() -> None:
    one = profile({"3.9": "kVArh", "4.5": "kvar"}, ("0.060", "0.4"))
    assert used(one, "3.8.0", "kvarh") == [Decimal("0.060")]
    assert used(one, "4.8.0", "kvarh") == [Decimal("0.1")]


def test_a_tariff_has_a_register_at_most() -> None:
    one = profile({"1.5": "kW", "1.8.1": "kWh"}, ("0.4", "7.0"), ("0.8", "7.3"))
    assert used(one, "1.8.1") == [Decimal("0.3")]


def test_the_finest_column_counts() -> None:
    one = profile({"1.8.0": "kWh", "1.5": "kW"}, ("7", "0.400"), ("8", "0.800"))
    found, step = of_total([one], code("1.8.0"), "kWh")
    assert [amount.number for amount in found] == [Decimal("0.1"), Decimal("0.2")]
    assert step == Decimal("0.00025")


@pytest.mark.parametrize(
    ("text", "right"), [("1.8.0", True), ("2.8.1", True), ("1.8.0*01", False), ("1.6.0", False)]
)
def test_what_can_be_filled(text: str, right: bool) -> None:
    assert fillable(code(text)) is right
