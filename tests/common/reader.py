"""A reader in a process of its own, to be killed: `python -m tests.common.reader URL PACE [MODE]`.

It says when the port is open, and reads the meter until it is ended from outside.
"""

import asyncio
from pathlib import Path
import sys

# The client alone: with Home Assistant, each start would take seconds.
sys.path.insert(0, str(Path(__file__).parents[2] / "custom_components" / "iec62056"))

from protocol.client import MeterClient
from protocol.errors import MeterError
from protocol.model import LineProfile, Mode
from protocol.transport.serial_line import open_line

from .clock import hurried


async def _read(url: str, pace: float, *modes: str) -> None:
    profile = LineProfile(mode=Mode(modes[0]) if modes else None)
    with hurried(pace):
        line = await open_line(url)
        print("open", flush=True)
        while True:
            try:
                await MeterClient(line, profile).read_all()
            except MeterError:
                await asyncio.sleep(1)


asyncio.run(_read(sys.argv[1], float(sys.argv[2]), *sys.argv[3:]))
