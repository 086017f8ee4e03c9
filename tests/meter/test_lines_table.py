"""docs/lines.md says what really is read over each kind of line."""

from pathlib import Path
from random import Random

import pytest

from simulator import Link

from ..common.document import documented, section
from ..common.rows import BEYOND, BINARY, BRIDGES, LINES, PROGRAMMING, ROWS, Row, other_than
from ..common.servers import needs_servers

pytestmark = [pytest.mark.usefixtures("socket_enabled"), needs_servers]
SEED = 62056
FIXED_ELSEWHERE = {
    name for name, line in LINES.items() if line.fixed not in (None, line.meter_speed)
}


def documented_beyond() -> dict[Row, str]:
    """The cells of the table of programming mode and mode E."""
    found = {}
    for text in section("beyond").strip().splitlines()[2:]:
        name, *cells = (cell.strip() for cell in text.strip("|").split("|"))
        for mode, cell in zip((PROGRAMMING, BINARY), cells, strict=True):
            found[Row(name, mode, LINES[name].bus, battery=False)] = cell
    return found


def documented_bridges() -> dict[Row, str]:
    """The cells of the table of bridges with manners of their own."""
    found = {}
    for text in section("bridges").strip().splitlines()[2:]:
        name, *cells = (cell.strip() for cell in text.strip("|").split("|"))
        for mode, cell in zip((*"ABCD", PROGRAMMING, BINARY), cells, strict=True):
            found[Row(name, mode, echo=False, battery=False)] = cell
    return found


def sample() -> tuple[Row, ...]:
    """Every line with every mode once; echo and battery as they fall."""
    random = Random(SEED)
    return tuple(
        random.choice([row for row in ROWS if (row.line, row.mode) == (name, mode)])
        for name in dict.fromkeys(row.line for row in ROWS)
        for mode in "ABCD"
    )


def test_document_has_every_row() -> None:
    assert documented().keys() == set(ROWS)


def test_document_claims_no_more_failures_than_physics_demands() -> None:
    """Read everywhere, but where a fixed line is at another speed than the meter's own first or only one."""
    for row, cell in documented().items():
        line = LINES[row.line]
        if (row.line in FIXED_ELSEWHERE and row.mode in "ABC") or (
            line.fixed == 300 and row.mode == "B"
        ):
            assert cell == "other speed", row
        elif line.fixed:
            assert cell == f"{line.fixed} Bd", row
        else:
            assert cell == {"A": "300 Bd", "B": "2400 Bd", "C": "9600 Bd", "D": "2400 Bd"}[row.mode]


async def test_sample_is_read_as_documented(tmp_path: Path) -> None:
    stated = documented()
    assert await other_than({row: stated[row] for row in sample()}, tmp_path) == {}


async def test_programming_and_mode_e_are_as_documented(tmp_path: Path) -> None:
    stated = documented_beyond()
    assert stated.keys() == set(BEYOND)
    assert await other_than(stated, tmp_path) == {}


async def test_bridges_with_manners_of_their_own_are_as_documented(tmp_path: Path) -> None:
    stated = documented_bridges()
    assert stated.keys() == set(BRIDGES)
    assert await other_than(stated, tmp_path) == {}


def test_only_seven_bits_and_another_speed_keep_mode_e_from_a_line() -> None:
    for row, cell in documented_beyond().items():
        line = LINES[row.line]
        if row.line in FIXED_ELSEWHERE:
            assert cell == "other speed", row
        elif row.mode == BINARY and line.fixed and line.link is Link.SEVEN:
            assert cell == "7 bits", row
        else:
            assert cell == f"{line.fixed or 9600} Bd", row


@pytest.mark.long
async def test_all_rows_are_read_as_documented(tmp_path: Path) -> None:
    assert await other_than(documented(), tmp_path) == {}
    print(f"{len(ROWS)} rows of docs/lines.md are as they stand there")
