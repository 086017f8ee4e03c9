"""One value of a reading as the checks see it."""

from dataclasses import dataclass, field
from decimal import Decimal

from .limits import NO_LIMITS, Limits, ValueKind
from .register_history import NumberFormat, Sample

# Seconds between two readings of which the second is a witness for the first: what damages one reading lasts as long
# as its session.
APART = 60


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value of a reading, how its kind of values moves, and what is possible."""

    sample: Sample
    kind: ValueKind
    limits: Limits = NO_LIMITS
    # Seconds after which it is a witness for another.
    apart: int = APART
    # Whether the meter says that a billing period has ended.
    period_ended: bool = False
    # How far the total beside one of a billing period has risen since the last reading; None if not known.
    risen: Decimal | None = None
    # Found once: it costs most of a check.
    number_format: NumberFormat | None = field(init=False)

    def __post_init__(self) -> None:
        """Look how the number is written."""
        object.__setattr__(self, "number_format", self.sample.number_format)
