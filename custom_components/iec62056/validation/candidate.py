"""One value of a reading as the checks see it."""

from dataclasses import dataclass, field

from .limits import NO_LIMITS, Limits, ValueKind
from .register_history import NumberFormat, Sample


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value of a reading, how its kind of values moves, and what is possible."""

    sample: Sample
    kind: ValueKind
    limits: Limits = NO_LIMITS
    # Found once: it costs most of a check.
    number_format: NumberFormat | None = field(init=False)

    def __post_init__(self) -> None:
        """Look how the number is written."""
        object.__setattr__(self, "number_format", self.sample.number_format)
