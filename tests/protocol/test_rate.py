"""How often registers can be read."""

import pytest

from custom_components.iec62056.protocol.rate import rounds_per_second

THREE = ("1.7.0", "32.7.0", "31.7.0")


def test_known_rates() -> None:
    assert rounds_per_second(THREE, 9600, 0.2) == pytest.approx(0.77, abs=0.01)
    assert rounds_per_second(THREE, 9600, 0.02) == pytest.approx(4.4, abs=0.15)
    assert rounds_per_second((), 9600, 0.2) == 0


def test_exact_for_known_lengths() -> None:
    # 1.7.0 asked for: 13 characters; 20 of answer and its frame: 23; 36 in all, at 300 Bd 1.2 s.
    rate = rounds_per_second(("1.7.0",), 300, 0.2, 0.5, (20,))
    assert rate == pytest.approx(1 / (1.2 + 0.7))


def test_slower_meters_and_lines() -> None:
    usual = rounds_per_second(THREE, 9600, 0.2)
    assert rounds_per_second(THREE, 300, 0.2) < usual
    assert rounds_per_second(THREE, 9600, 0.2, 0.9) < usual
