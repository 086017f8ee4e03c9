"""True readings of a house with PV and a car: what the gates hold of them, and for how long."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import pi, sin
import random
from typing import NamedTuple
from unittest.mock import patch

from custom_components.iec62056.protocol.model import CheckKind, LineProfile, Medium, Reading
from custom_components.iec62056.state.meter_state import MeterState
from custom_components.iec62056.validation import validator as validator_module
from custom_components.iec62056.validation.candidate import APART
from custom_components.iec62056.validation.register_history import HoldReason
from custom_components.iec62056.validation.validator import ReadingValidator

from .mutations import SEED, arrive, telegram, with_parity

START = datetime(2026, 6, 1, tzinfo=UTC)
AT_ONCE = timedelta(seconds=5)
PROFILE = LineProfile(medium=Medium.ELECTRICITY)
# How often the meter is read, and for how many days.
RHYTHMS = {
    timedelta(seconds=30): 3,
    timedelta(minutes=5): 35,
    timedelta(hours=1): 365,
    timedelta(days=1): 1000,
}


class House:
    """A meter with two tariffs and billing periods of a month; nothing in it is ever wrong."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._at = START
        self._used, self._given, self._period = 4711.0, 38.0, 12.0
        self._ended, self._net = 6, 0.3

    def pass_until(self, at: datetime) -> None:
        """Let it be used, a step of a minute or less at a time, and a quarter of an hour where days pass."""
        step = timedelta(minutes=1 if at - self._at < timedelta(hours=2) else 15)
        while self._at < at:
            now = min(at, self._at + step)
            hours = (now - self._at) / timedelta(hours=1)
            if now.month != self._at.month:
                self._ended, self._period = self._ended + 1, 0.0
            time = now.hour + now.minute / 60
            sun = max(0.0, 9 * sin((time - 6) / 12 * pi)) if 6 < time < 18 else 0.0
            car = 11.0 if now.day % 2 and 19 <= time < 23 else 0.0
            self._net = 0.3 + self._chance.expovariate(1) + car - sun * self._chance.random()
            self._used += max(self._net, 0) * hours
            self._period += max(self._net, 0) * hours
            self._given += max(-self._net, 0) * hours
            self._at = now

    def lines(self) -> list[str]:
        """What it sends."""
        net, volts = self._net, self._chance.gauss(231, 2)
        return [
            "0.0.0(31415926)",
            f"0.1.0({self._ended:02})",
            f"1.8.0({self._used:010.3f}*kWh)",
            f"1.8.1({self._used * 0.7:010.3f}*kWh)",
            f"1.8.2({self._used * 0.3:010.3f}*kWh)",
            f"1.9.0({self._period:010.3f}*kWh)",
            f"2.8.0({self._given:010.3f}*kWh)",
            f"3.8.0({int(self._used / 9):06}*kvarh)",
            f"16.7.0({net:07.3f}*kW)",
            f"32.7.0({volts:.1f}*V)",
            f"31.7.0({abs(net) / 0.69:.2f}*A)",
            f"13.7.0({self._chance.uniform(0.5, 1):.2f})",
            f"14.7.0({self._chance.gauss(50, 0.02):.2f}*Hz)",
        ]


class Cost(NamedTuple):
    """What the gates cost a meter of which every value is true."""

    interval: timedelta
    kind: CheckKind
    # Those that were due, those made at once in doubt, and those of sessions made for a value held.
    readings: int
    at_once: int
    sessions: int
    # Values held after these of how many, and totals of a billing period that began; the longest time one was held, and
    # questions to the user.
    held: int
    periods: int
    values: int
    longest: timedelta
    questions: int


def cost(interval: timedelta, kind: CheckKind, days: int) -> Cost:
    """Read the meter so often for so many days."""
    house, validator = House(random.Random(f"{SEED} {interval} {kind}")), ReadingValidator({})
    state: MeterState | None = None
    at = START
    readings = at_once = sessions = held = periods = values = 0
    since: dict[str, datetime] = {}
    longest, asked = timedelta(0), set[str]()

    def read() -> tuple[bool, bool]:
        nonlocal state, since, longest
        house.pass_until(at)
        (arrived,) = arrive(with_parity(telegram(house.lines(), kind)), kind)
        reading: Reading = replace(arrived, received=at)
        with patch.object(validator_module, "monotonic", return_value=at.timestamp()):
            checked = validator.check(reading, PROFILE, state)
            if (outcome := validator.apply(checked, state, at)) is not None:
                state = outcome.state
        longest = max((longest, *(at - one for one in since.values())))
        since = {key: since.get(key, at) for key in validator.state.held}
        return checked.result.retry, checked.result.later

    while at < START + timedelta(days=days):
        due = at + interval
        readings += 1
        retry, later = read()
        if retry:
            at_once, at = at_once + 1, at + AT_ONCE
            later = read()[1] or later
        if readings > 1:
            new = [one.reason is HoldReason.NEW_PERIOD for one in validator.state.held.values()]
            held, periods = held + new.count(False), periods + new.count(True)
        if later and at + timedelta(seconds=APART) < due:
            sessions, at = sessions + 1, at + timedelta(seconds=APART)
            read()
        values += 0 if state is None else len(state.registers)
        asked |= validator.state.pending_repairs
        at = due
    counts = readings, at_once, sessions, held, periods, values
    return Cost(interval, kind, *counts, longest, len(asked))


def costs(kinds: tuple[CheckKind, ...] = (CheckKind.NONE, CheckKind.XOR)) -> list[Cost]:
    """The cost in each rhythm."""
    return [cost(interval, kind, days) for kind in kinds for interval, days in RHYTHMS.items()]


def table(found: list[Cost]) -> str:
    """The costs as a table."""
    heads = "Check", "Read every", "readings", "read again at once", "in a session of its own"
    more = "true values held", "new periods held", "longest hold", "questions"
    lines = ["| " + " | ".join((*heads, *more)) + " |", "|---" * 9 + "|"]
    lines += [
        f"| {one.kind} | {one.interval} | {one.readings} | {one.at_once} | {one.sessions} "
        f"| {one.held} of {one.values} | {one.periods} | {one.longest} | {one.questions} |"
        for one in found
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print("seed", SEED)
    print(table(costs()))
