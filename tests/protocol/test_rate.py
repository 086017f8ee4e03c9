"""How often registers can be read."""

import pytest

from custom_components.iec62056.protocol.rate import rounds_per_second

THREE = ("1.7.0", "32.7.0", "31.7.0")


def test_known_rates() -> None:
    assert rounds_per_second(THREE, 9600, 0.2) == pytest.approx(0.77, abs=0.01)
    assert rounds_per_second(THREE, 9600, 0.02) == pytest.approx(4.4, abs=0.15)
    assert rounds_per_second((), 9600, 0.2) == 0


def test_one_register() -> None:
    # 1.7.0 asked for: 13 characters; 16 of answer and its frame: 19; 32 in all.
    rate = rounds_per_second(("1.7.0",), 300, 0.2, 0.5)
    assert rate == pytest.approx(1 / (32 * 10 / 300 + 0.7))


def test_several_in_one_turn() -> None:
    # R1 STX A() CR LF B() ETX and its check has 14 characters; STX, twice 16, CR LF, ETX and its check 37.
    rate = rounds_per_second(("A", "B"), 9600, 0.2, together=2)
    assert rate == pytest.approx(1 / (0.4 + 51 * 10 / 9600))
    three = rounds_per_second(THREE, 9600, 0.2, together=2)
    assert rounds_per_second(THREE, 9600, 0.2) * 1.45 < three
    assert three < rounds_per_second(THREE, 9600, 0.2, together=3)


def test_slower_meters_and_lines() -> None:
    usual = rounds_per_second(THREE, 9600, 0.2)
    assert rounds_per_second(THREE, 300, 0.2) < usual
    assert rounds_per_second(THREE, 9600, 0.2, 0.9) < usual
