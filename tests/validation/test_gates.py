"""Damaged telegrams against the gates: a sample in every run, a million in the long one."""

from datetime import timedelta
from pathlib import Path

import pytest

from custom_components.iec62056.protocol.model import CheckKind
from tools import true_values
from tools.mutations import (
    CONTENTS,
    SEED,
    SINGLE,
    Fate,
    Harm,
    Result,
    arrive,
    fate,
    known,
    run,
    table,
    with_parity,
)

SAMPLE = 20_000
MILLION = 1_000_000
CHECKED = (CheckKind.XOR, CheckKind.SUM, CheckKind.CRC16)
# What a check of 16 bits cannot see.
CRC16_MISSES = 2**-16

PAGE = Path(__file__).parents[2] / "docs" / "values.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"


@pytest.fixture(scope="module")
def sample() -> Result:
    print("seed", SEED)
    return run(SAMPLE)


def judge_result(result: Result) -> None:
    """What must hold of any number of telegrams."""
    assert not result.excluded
    for kind in CHECKED:
        assert result.of(kind, Fate.PUBLISHED, SINGLE) == 0
    sent = sum(result.of(CheckKind.CRC16, one) for one in Fate)
    assert result.of(CheckKind.CRC16, Fate.PUBLISHED) <= 3 + 2 * sent * CRC16_MISSES
    # One flipped bit is one wrong parity.
    assert result.fates[CheckKind.NONE, True, Harm.FLIPPED, Fate.PUBLISHED] == 0


def test_no_single_harm_passes_a_check(sample: Result) -> None:
    judge_result(sample)


def test_every_gate_is_reached(sample: Result) -> None:
    """Else the figures would be those of the frame alone."""
    for one in Fate:
        assert any(sample.of(kind, one) for kind in CheckKind), one
    swapped = frozenset({Harm.SWAPPED})
    for kind in (CheckKind.XOR, CheckKind.SUM):
        held = sum(
            sample.of(kind, one, swapped)
            for one in (Fate.FORM, Fate.FIRST, Fate.PLAUSIBILITY, Fate.NAME)
        )
        # Of what the check cannot see, the other gates hold nine in ten.
        assert held > 9 * sample.of(kind, Fate.PUBLISHED, swapped)


@pytest.mark.parametrize("kind", CheckKind)
@pytest.mark.parametrize("content", range(len(CONTENTS)))
def test_an_undamaged_telegram_passes_all_gates(kind: CheckKind, content: int) -> None:
    meter = known(kind, CONTENTS[content])
    assert fate(meter, with_parity(meter.good)) == (Fate.RIGHT, None)
    assert fate(meter, meter.good) == (Fate.RIGHT, None)


@pytest.mark.parametrize("kind", CheckKind)
def test_a_telegram_of_which_nothing_is_left_is_none(kind: CheckKind) -> None:
    assert arrive(b"", kind) == []


def test_the_harm_is_the_same_for_the_same_seed() -> None:
    assert run(500, 1) == run(500, 1)
    assert run(500, 1) != run(500, 2)


def judge_costs(found: list[true_values.Cost]) -> None:
    """A value that is true is held once in a thousand readings at most, and nobody is asked about it."""
    for one in found:
        assert one.held * 1000 <= one.readings, one
        assert one.questions == 0, one


def test_true_values_are_published() -> None:
    print("seed", SEED)
    judge_costs([true_values.cost(timedelta(minutes=5), CheckKind.NONE, 2)])


@pytest.mark.long
def test_a_million_damaged_telegrams() -> None:
    result = run(MILLION, processes=2)
    print(f"seed {SEED}\n{table(result)}")
    judge_result(result)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, behind = rest.partition(END)
    found = true_values.costs()
    judge_costs(found)
    figures = f"{table(result)}\n{true_values.table(found)}"
    PAGE.write_text(f"{before}{BEGIN}\n{figures}\n{END}{behind}")
