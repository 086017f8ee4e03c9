"""Registers that move: never falling, always the same for the same time, consistent with each other."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
import re

from hypothesis import given, settings, strategies as st
import pytest

from simulator import Gas, Heat, Household

START = datetime(2026, 6, 10, 11, 30, tzinfo=UTC)


class Clock:
    """Time as the test sets it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def registers(block: bytes) -> dict[str, str]:
    """Address → first value as sent."""
    return dict(re.findall(r"([0-9A-F.:*-]+)\(([^()*]*)(?:\*[^()]*)?\)", block.decode("ascii")))


def number(block: bytes, address: str) -> Decimal:
    return Decimal(registers(block)[address])


def test_the_tariffs_make_up_the_total() -> None:
    clock = Clock()
    household = Household(clock=clock)
    for _ in range(50):
        clock.now += timedelta(minutes=37)
        block = household.block()
        assert number(block, "1.8.0") == number(block, "1.8.1") + number(block, "1.8.2")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20_000), max_size=12))
def test_totals_never_fall_and_do_not_depend_on_when_they_are_asked(steps: list[int]) -> None:
    clock = Clock()
    household, gas, heat = Household(clock=clock), Gas(clock=clock), Heat(clock=clock)
    before: list[Decimal] = []
    for step in steps:
        clock.now += timedelta(seconds=step)
        block = household.block()
        totals = [number(block, code) for code in ("1.8.0", "1.8.1", "1.8.2", "2.8.0", "3.8.0")]
        totals += [number(gas.block(), "7-0:3.0.0"), number(heat.block(), "6.8")]
        assert all(now >= then for now, then in zip(totals, before, strict=bool(before)))
        before = totals
    now, clock.now = clock.now, START
    other = Household(clock=clock)
    clock.now = now
    assert other.block() == household.block()


def test_energy_is_the_power_over_time() -> None:
    clock = Clock()
    clock.now = START.replace(hour=23, minute=0, second=0)
    household = Household(clock=clock)
    first = household.block()
    energy = Decimal(0)
    for _ in range(360):
        energy += number(household.block(), "1.7.0") / 360
        clock.now += timedelta(seconds=10)
    rise = number(household.block(), "1.8.0") - number(first, "1.8.0")
    assert rise > 0
    assert abs(rise - energy) < Decimal("0.002")


def test_the_sun_feeds_in_by_day_and_not_by_night() -> None:
    clock = Clock()
    household = Household(clock=clock)
    noon = household.block()
    assert number(noon, "2.7.0") > 0
    assert number(noon, "1.7.0") == 0
    clock.now += timedelta(hours=1)
    assert number(household.block(), "2.8.0") > number(noon, "2.8.0")
    clock.now = START.replace(hour=23)
    night = household.block()
    clock.now += timedelta(hours=2)
    later = household.block()
    assert number(later, "2.8.0") == number(night, "2.8.0")
    assert number(later, "1.8.2") > number(night, "1.8.2")
    assert number(later, "1.8.1") == number(night, "1.8.1")


def test_the_maximum_demand_carries_its_time_and_begins_anew_each_month() -> None:
    clock = Clock()
    household = Household(clock=clock)
    seen = set()
    for _ in range(7):
        clock.now += timedelta(days=4)
        block = household.block().decode()
        found = re.search(r"1\.6\.0\((\d+\.\d{3})\*kW\)\((\d{10})\)", block)
        assert found
        at = datetime.strptime(found[2], "%y%m%d%H%M").replace(tzinfo=UTC)
        assert at <= clock.now
        assert at.minute % 15 == 0
        seen.add((at.month, found[1]))
    assert {month for month, _ in seen} == {6, 7}
    first = number(Household(clock=lambda: START).block(), "1.8.0*01")
    assert number(household.block(), "1.8.0*01") > first


def test_a_clock_that_goes_back_lowers_no_total() -> None:
    clock = Clock()
    household = Household(clock=clock)
    clock.now += timedelta(hours=5)
    before = number(household.block(), "1.8.0")
    clock.now -= timedelta(hours=2)
    assert number(household.block(), "1.8.0") >= before - Decimal("0.01")


def test_at_least_twenty_registers_move() -> None:
    clock = Clock()
    household = Household(clock=clock)
    before = registers(household.block())
    clock.now += timedelta(minutes=2)
    after = registers(household.block())
    assert before.keys() == after.keys()
    assert sum(before[address] != after[address] for address in before) >= 20


@pytest.mark.parametrize("scenario", [Household, Heat, Gas])
def test_blocks_keep_to_the_grammar(scenario: type[Household | Heat | Gas]) -> None:
    block = scenario(clock=Clock()).block().decode("ascii")
    assert block.endswith("\r\n")
    for line in block.splitlines():
        # Std 6.6: value at most 32 characters, unit 16. A line of 78 is what heat meters do not keep to.
        assert re.fullmatch(
            r"([^()/!]{0,16}\([^()/!*]{0,32}(\*[^()/!]{1,16})?\))+(\([^()/!]*\))?", line
        )


def test_another_seed_is_another_house() -> None:
    assert Household(clock=Clock(), seed=1).block() != Household(clock=Clock(), seed=2).block()
    assert Household(clock=Clock(), seed=1).block() == Household(clock=Clock(), seed=1).block()
