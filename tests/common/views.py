"""A meter read again and again, as what is derived from it sees it."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from custom_components.iec62056.derived.history import DerivedHistory
from custom_components.iec62056.derived.sources import Derived
from custom_components.iec62056.derived.values import DerivedValues, note_absences, remember
from custom_components.iec62056.protocol.model import Identification, LineProfile, Medium
from custom_components.iec62056.registers.descriptions import describe_state
from custom_components.iec62056.registers.index import RegisterIndex
from custom_components.iec62056.state.meter_state import MeterState

from .bench import GOOD_HEALTH, IDENTIFICATION, START, joined, reading

BERLIN = ZoneInfo("Europe/Berlin")
LIFE = timedelta(minutes=15)

type Sent = dict[str, list[str]]


@dataclass
class Course:
    """The readings of one meter, in order."""

    identification: Identification | None = IDENTIFICATION
    medium: Medium = Medium.ELECTRICITY
    max_age: timedelta = LIFE
    duration: float = 0.0
    zone: ZoneInfo = BERLIN
    state: MeterState | None = None
    history: DerivedHistory = field(default_factory=DerivedHistory)
    held: frozenset[str] = frozenset()

    def read(self, sent: Sent, at: datetime | float = START) -> DerivedValues:
        """Take a reading made at that time, or so many minutes after the start."""
        if not isinstance(at, datetime):
            at = START + timedelta(minutes=at)
        health = replace(GOOD_HEALTH, duration=self.duration)
        read = reading(
            sent,
            at=at,
            identification=self.identification,
            medium=self.medium,
            health=health,
        )
        state = joined(read, LineProfile(medium=self.medium), self.state)
        self.state = describe_state(state, {})
        index = RegisterIndex.of(self.state)
        self.history = note_absences(self.history, index, self.held)
        index = replace(index, left=frozenset(self.history.left))
        self.history = remember(self.history, index, self.zone, self.max_age)
        return DerivedValues(index, self.history, self.zone)


def value(derived: DerivedValues, kind: Derived) -> Decimal | datetime | str | None:
    assert kind in derived.offered()
    return derived.result(kind).value
