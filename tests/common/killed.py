"""A program in a process of its own that is killed in the middle of what it does."""

from collections.abc import Callable, Sequence
import os
from pathlib import Path
import signal

from demo.processes import running

ROOT = Path(__file__).parents[2]


async def killed_once(condition: Callable[[], object], command: Sequence[str], log: Path) -> None:
    """Run the program until the condition holds, and kill it then; its output goes to the log."""

    async def holds() -> bool:
        return bool(condition())

    async with running("The program", command, log, folder=ROOT) as program:
        await program.until(holds, 120)
        os.kill(program.pid, signal.SIGKILL)
        assert await program.ended(20) == -signal.SIGKILL
