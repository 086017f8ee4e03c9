"""A simulated meter in a process of its own, so that its time is not the reader's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
import sys

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def simulated(*options: str | Path) -> AsyncIterator[str]:
    """The simulator with these options; gives the line in which it says that it is ready, and where."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator", *options), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        while not (line := await process.stdout.readline()).startswith(b"ready"):
            assert line, "the simulator did not start"
        yield line.decode()
    finally:
        process.terminate()
        await process.communicate()
