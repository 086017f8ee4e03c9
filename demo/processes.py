"""Programs that run for as long as the demo does."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
import time

GRACE = 30.0  # seconds a program may take to end itself


class Ended(Exception):
    """A program ended that was to go on, or did not do in time what was waited for."""


class Program:
    """A running program, and what it wrote."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        """Watch this process under this name."""
        self.name = name
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """The number by which the system knows it."""
        return self._process.pid

    def words(self) -> list[str]:
        """The lines the program wrote so far."""
        return self._log.read_text("utf-8", "replace").splitlines()

    def complaint(self, what: str) -> Ended:
        """The error to raise, with the last lines the program wrote."""
        lines = self.words()[-15:]
        return Ended("\n".join([f"{self.name} {what}. Its last words ({self._log}):", *lines]))

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Wait until the condition holds; Ended where the program ends first or time runs out."""
        # A program lives in the wall's time, whatever time the loop keeps.
        end, pause = time.monotonic() + seconds, 0.01
        while not await condition():
            if self._process.returncode is not None:
                raise self.complaint(f"ended with {self._process.returncode}")
            if time.monotonic() > end:
                raise self.complaint(f"was not ready after {seconds:.0f} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.2)

    async def ended(self, seconds: float) -> int | None:
        """The status with which the program ends by itself; Ended where it goes on for longer."""

        async def over() -> bool:
            return self._process.returncode is not None

        await self.until(over, seconds)
        return self._process.returncode

    async def forever(self) -> None:
        """Return, with an error, only when the program ends."""
        await self._process.wait()
        raise self.complaint(f"ended with {self._process.returncode}")


@asynccontextmanager
async def running(
    name: str,
    command: Sequence[str],
    log: Path,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncGenerator[Program]:
    """Run a program in this folder while the context lasts; its output goes to the log."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environment,
            # Ctrl-C is for the demo, which ends its programs in order.
            start_new_session=True,
        )
    try:
        yield Program(name, process, log)
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
