"""A simulated meter in a process of its own, so that its time is not the reader's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.start import start_meter


@asynccontextmanager
async def simulated(*options: str) -> AsyncIterator[str]:
    """The simulator with these options; gives the port that the meter is on."""
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            yield (await start_meter(stack, Path(folder), "meter", *options))[1]
