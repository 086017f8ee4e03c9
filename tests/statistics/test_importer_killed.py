"""A Home Assistant that is killed while it writes the hours of a load profile: the next one ends what it began."""

from datetime import datetime
import json
import os
from pathlib import Path
import signal
import sys
from typing import Any, Final

import pytest

from demo.processes import running

from ..common import killed_import
from ..common.killed_import import BEGIN, HOUSE, LIFE, ROW, WRITTEN

ROOT: Final = Path(__file__).parents[2]
LONGEST: Final = 120.0  # seconds that a life may take


async def live(folder: Path, test: str, row: int = 0) -> tuple[int | None, list[str]]:
    """One life; how it ended, and what it said."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--show-capture=no"]
    async with running(
        "Home Assistant",
        [*command, f"{killed_import.__file__}::{test}"],
        folder / f"{test}.log",
        folder=ROOT,
        environment={**os.environ, LIFE: str(folder), ROW: str(row)},
    ) as life:
        return await life.ended(LONGEST), life.words()


def rows(folder: Path, name: str) -> list[dict[datetime, list[float]]]:
    """Of both sensors, state, sum and change of each hour."""
    read: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_text())
    return [{datetime.fromisoformat(start): row for start, row in one.items()} for one in read]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(1, marks=pytest.mark.long, id="at the first row"),
        pytest.param(2 * WRITTEN, id="at the last row"),
    ],
)
async def test_killed_in_the_middle_of_an_import(tmp_path: Path, row: int) -> None:
    ended, said = await live(tmp_path, "test_first_life", row)
    assert ended == -signal.SIGKILL, said
    stored = json.loads((tmp_path / ".storage" / "iec62056.lived.profile").read_text())["data"]
    # What is being replaced is safe, and the job is not done.
    assert stored["job"]
    assert stored["replaced"]
    ended, said = await live(tmp_path, "test_second_life")
    assert ended == 0, said
    before, after, cleared = (rows(tmp_path, name) for name in ("before", "after", "cleared"))
    assert before != after
    assert cleared == before
    for sensor in (0, 1):
        changes = {
            start: round(change, 4)
            for start, (_, _, change) in after[sensor].items()
            if start > BEGIN
        }
        assert changes == {start: HOUSE.hour(start)[sensor] for start in changes}
        assert sum(after[sensor][start][2] != before[sensor][start][2] for start in changes) == 5
