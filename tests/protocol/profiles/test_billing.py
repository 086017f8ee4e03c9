"""Values stored at resets."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from custom_components.iec62056.protocol import obis
from custom_components.iec62056.protocol.model import Register, Value
from custom_components.iec62056.protocol.profiles.billing import billings

BERLIN = ZoneInfo("Europe/Berlin")


def register(address: str, text: str) -> Register:
    return Register(address, obis.parse(address), (Value(text),))


def test_the_moments_decide_which_is_the_latest() -> None:
    """LZQJ counts down from the last reset, others up to it."""
    found = billings(
        (
            register("0.1.2*25", "1260601000000"),
            register("1.8.0*25", "101.5"),
            register("1.8.0*26", "140.25"),
            register("2.8.0*26", "3.0"),
            register("0.1.2*26", "1260701000000"),
            register("1.8.0*03", "1.0"),
            register("1.8.0", "150.0"),
        ),
        BERLIN,
    )
    assert [(one.number, one.at, len(one.registers)) for one in found] == [
        (26, datetime(2026, 6, 30, 22, tzinfo=UTC), 2),
        (25, datetime(2026, 5, 31, 22, tzinfo=UTC), 1),
        (3, None, 1),
    ]


def test_a_moment_that_is_not_set() -> None:
    (one,) = billings((register("0.1.2*01", "0000000000000"), register("1.8.0*01", "1.0")), BERLIN)
    assert one.at is None
