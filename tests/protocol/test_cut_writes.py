"""The connection breaks at every character of a write: what is said about the register afterwards is true."""

from functools import cache

import pytest

from custom_components.iec62056.protocol.ascii.passwords import Password
from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.errors import LineError
from custom_components.iec62056.protocol.model import LineProfile
from custom_components.iec62056.protocol.register_session import Permits, WriteOutcome, Written
from simulator import Cell, Guard, Meter as SimulatedMeter, Programming

from ..simulator.bench import Stock
from .wired import WiredLine

CODE, OLD, NEW = "96.50", "042", "043"
CHARACTER = 10 / 9600
# Longer than a command is waited for, shorter than the meter waits for the next.
DISTURBED = 2.5


def _line() -> WiredLine:
    cells = {CODE: Cell(f"({OLD})", Guard.PASSWORD, Guard.PASSWORD)}
    return WiredLine(SimulatedMeter(Stock(), programming=Programming(cells=cells)))


async def _write(line: WiredLine, value: str = NEW) -> Written:
    # A speed that has worked before: silence is not taken for a speed that does not work.
    meter = MeterClient(
        line,
        LineProfile(speed=9600),
        password=Password("00000000"),
        permits=Permits(write=frozenset((CODE,))),
    )
    return await meter.write(CODE, value)


def _moments(line: WiredLine) -> tuple[float, float, float]:
    """When the order began to leave, when its answer was there, and when it had been read back."""
    order = next(place for place, (_, data) in enumerate(line.sent) if data[1:2] == b"W")
    # The client speaks again 200 ms behind the last character of an answer.
    return line.sent[order][0], line.sent[order + 1][0] - 0.2, line.sent[order + 2][0] - 0.2


@cache
def _steps(every: int) -> list[int]:
    # 25 characters of the order, 200 ms, one of the answer, 200 ms, 14 and 13 of the reading, and what lies around.
    return list(range(-20, 700, every))


async def _uncut() -> tuple[float, float, float]:
    line = _line()
    assert (await _write(line)).certainty is WriteOutcome.CONFIRMED
    return _moments(line)


def _changed(line: WiredLine) -> bool:
    assert line.meter.programming is not None
    return bool(line.meter.programming.changes)


async def test_cut_for_good() -> None:
    begun, answered, shown = await _uncut()
    told = {}
    for step in _steps(1):
        line = _line()
        line.cut_at = cut = begun + (step + 0.5) * CHARACTER
        try:
            written = await _write(line)
        except LineError:
            pytest.fail(
                f"cut {step} characters behind the beginning of the order: nothing was told"
            )
        told[step] = certainty = written.certainty
        changed = _changed(line)
        match certainty:
            case WriteOutcome.NOT_SENT:
                assert not changed, step
                assert cut < begun + CHARACTER
            case WriteOutcome.UNKNOWN:
                assert begun <= cut <= answered + CHARACTER, step
            case WriteOutcome.UNCONFIRMED:
                assert changed, step
                assert answered <= cut <= shown + CHARACTER, step
            case WriteOutcome.CONFIRMED:
                assert changed, step
            case WriteOutcome.REFUSED:
                pytest.fail("nobody refused it")
    # Each answer is given where it is the true one: no caution in place of knowledge.
    assert {step for step, one in told.items() if one is WriteOutcome.NOT_SENT} >= set(
        range(-20, -1)
    )
    assert set(told.values()) == {
        WriteOutcome.NOT_SENT,
        WriteOutcome.UNKNOWN,
        WriteOutcome.UNCONFIRMED,
        WriteOutcome.CONFIRMED,
    }


@pytest.mark.parametrize("value", [NEW, OLD])
async def test_disturbed_for_a_while(value: str) -> None:
    """Where the line comes back, the register is asked: nothing stays unknown but what nobody can know."""
    begun, _, _ = await _uncut()
    for step in _steps(5):
        line = _line()
        line.cut_at = begun + (step + 0.5) * CHARACTER
        line.whole_at = line.cut_at + DISTURBED
        written = await _write(line, value)
        changed = _changed(line)
        assert written.certainty in (WriteOutcome.CONFIRMED, WriteOutcome.UNCONFIRMED), step
        assert written.after is not None
        shows = written.after.values[0].text == NEW
        if value == NEW:
            assert shows is changed
            assert (written.certainty is WriteOutcome.CONFIRMED) is changed
        elif written.certainty is WriteOutcome.CONFIRMED:
            # It had this value before: only an acknowledgement proves that it was set.
            assert changed, step
