"""Programs of the demo: real ones, as small as they get."""

import os
from pathlib import Path
import sys

import pytest

from demo.processes import Ended, running

from ..common.clock import hurried


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def never() -> bool:
    return False


async def test_a_program_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no such port'); raise SystemExit(3)"]
    with pytest.raises(Ended, match=r"(?s)Meter ended with 3\..*no such port"):
        async with running("Meter", command, tmp_path / "log") as program:
            await program.until(never, 60)


async def test_a_program_that_is_not_ready_in_time_is_reported(tmp_path: Path) -> None:
    code = "import signal; print('no such port', flush=True); signal.pause()"
    with pytest.raises(Ended, match=r"(?s)Meter was not ready.*no such port"):
        async with running("Meter", [sys.executable, "-c", code], tmp_path / "log") as program:
            await program.until(never, 3)


async def test_a_program_has_its_time_in_a_loop_that_hurries(tmp_path: Path) -> None:
    with hurried(100.0):
        command = [sys.executable, "-c", "import time; time.sleep(0.5)"]
        async with running("Meter", command, tmp_path / "log") as program:
            assert await program.ended(30) == 0


async def test_a_program_ends_with_its_context_also_after_an_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import os, signal; print(os.getpid(), flush=True); signal.pause()"

    async def has_said_its_number() -> bool:
        return log.read_text("utf-8").endswith("\n")

    async def fail_while_it_runs() -> None:
        async with running("Meter", [sys.executable, "-c", code], log) as program:
            await program.until(has_said_its_number, 60)
            assert alive(int(log.read_text("utf-8")))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_while_it_runs()
    assert not alive(int(log.read_text("utf-8")))
