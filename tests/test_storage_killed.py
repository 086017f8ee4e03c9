"""A Home Assistant that is killed while it writes: the file holds what was written before, or what was to be written."""

import asyncio
from contextlib import suppress
from datetime import timedelta
import json
import os
from pathlib import Path
from random import Random
import signal
import sys
from typing import Final

from homeassistant.core import HomeAssistant
import pytest

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter.wake_budget import WakeBudget
from custom_components.iec62056.protocol.codec import encode
from custom_components.iec62056.protocol.model import LineProfile, Medium
from custom_components.iec62056.state.meter_state import MeterState
from custom_components.iec62056.storage import MeterStore, Stored

from .common.bench import START, reading

ENTRY: Final = "abc"
ROOT: Final = Path(__file__).parents[1]
SEED: Final = 62056
# The write of this wake-up is cut short.
KILLED_AT: Final = 3


def content(wake_ups: int) -> Stored:
    """A long file, so that writing it takes its time; the budget says which one it is."""
    long = reading({f"N{n}": [f"{n:08}*kWh"] for n in range(500)})
    budget = WakeBudget(due=tuple(START + timedelta(minutes=n) for n in range(wake_ups)))
    return Stored(MeterState.of(long, LineProfile(medium=Medium.HEAT)), wake_budget=budget)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def write(folder: str, moment: str) -> None:
    """Write one file after another, and say which is written; die at that moment of one."""
    rename = os.rename
    begun = 0

    def dying(*names: str) -> None:
        nonlocal begun
        begun += 1
        if begun == KILLED_AT and moment == "before":
            kill()
        rename(*names)
        if begun == KILLED_AT and moment == "behind":
            kill()

    os.rename = dying  # type: ignore[assignment]
    hass = HomeAssistant(folder)
    store = MeterStore(hass, ENTRY)
    for wake_ups in range(1, 50):
        await store.async_save(content(wake_ups))
        print(wake_ups, flush=True)


@pytest.mark.parametrize(
    ("moment", "left"),
    [("before", {KILLED_AT - 1}), ("behind", {KILLED_AT}), ("any", set[int]())],
)
async def test_no_wake_up_is_forgotten(tmp_path: Path, moment: str, left: set[int]) -> None:
    arguments = (sys.executable, "-m", "tests.test_storage_killed", str(tmp_path), moment)
    process = await asyncio.create_subprocess_exec(
        *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    written = 0
    print("seed", SEED)
    until = Random(SEED).randrange(5, 20)
    try:
        async with asyncio.timeout(120):
            async for line in process.stdout:
                written = int(line)
                if moment == "any" and written == until:
                    # It is on its way with the next one.
                    process.kill()
            assert await process.wait() == -signal.SIGKILL
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    text = (tmp_path / ".storage" / f"{DOMAIN}.{ENTRY}").read_text()
    data = json.loads(text)["data"]
    wake_ups = len(data["wake_budget"]["due"])
    assert wake_ups in (left or {written, written + 1})
    assert data == json.loads(json.dumps(encode(content(wake_ups))))


if __name__ == "__main__":
    asyncio.run(write(*sys.argv[1:]))
