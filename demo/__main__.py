"""The demo from beginning to end: a simulated meter, a Home Assistant beside it, the meter set up in it."""

import argparse
import asyncio
from contextlib import AsyncExitStack
import json
from pathlib import Path
import secrets
import signal
import sys
import time

from . import meter
from .home import Home
from .processes import Ended, Program
from .start import USER, empty, last_words, start_home, start_meter

SENSORS_WANTED = 20
MOVING_WANTED = 10


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(text, flush=True)


async def show_meter(home: Home, entry: str, program: Program) -> list[str]:
    """Print the sensors twice and the Energy dashboard's verdict. Returns what there is to complain about."""
    first = await meter.sensors(home, entry)
    complaints: list[str] = []
    if len(first) < SENSORS_WANTED:
        complaints.append(f"{len(first)} sensors, at least {SENSORS_WANTED} were expected")
    by_code = {sensor.code: sensor for sensor in first}
    bought, sold = by_code[meter.IMPORT], by_code[meter.EXPORT]
    await meter.invent_past(home, bought, meter.TAKEN)
    await meter.invent_past(home, sold, meter.GIVEN)
    await meter.invent_panels(home)
    written = bought.entity_id, sold.entity_id, meter.PANELS
    await program.until(lambda: meter.have_history(home, *written), 30)
    verdict = await meter.fill_energy(home, bought, sold)
    issues = [issue for kind in verdict.values() for source in kind for issue in source]
    complaints += [f"energy/validate: {json.dumps(issue)}" for issue in issues]
    say("The meter is read a second time ...")
    then = first

    async def have_moved() -> bool:
        nonlocal then
        await meter.poll(home, first[0])
        then = await meter.sensors(home, entry)
        return len(meter.moved(first, then)) >= MOVING_WANTED

    await program.until(have_moved, 90)
    say(f"\n{meter.table(first, then)}\n")
    say(f"{len(then)} sensors; * marks the {len(meter.moved(first, then))} that moved.")
    say(f"energy/validate: {'no complaint' if not issues else json.dumps(verdict)}")
    return complaints


async def demonstrate(folder: Path, check: bool) -> int:
    """The whole demo; the exit status."""
    began = time.monotonic()
    empty(folder)
    password = secrets.token_urlsafe(9)
    async with AsyncExitStack() as stack:
        simulator, port = await start_meter(stack, folder, "meter", "--scenario", "household")
        say("A simulated meter is running. Starting Home Assistant ...")
        program, home = await start_home(stack, folder, password)
        say("Home Assistant is up. Adding the meter as the user would ...")
        with last_words(program):
            entry = await meter.add(home, port, lambda step: say(f"  {step.replace('_', ' ')}"))
            await meter.name_meter(home, entry, "Electricity meter")
            complaints = await show_meter(home, entry, program)
        say(f"Ready after {time.monotonic() - began:.0f} s.")
        for complaint in complaints:
            say(f"Complaint: {complaint}")
        if check:
            return 1 if complaints else 0
        say(f"\n  Open   {home.address}/energy\n  User   {USER}\n  Password  {password}\n")
        say("Ctrl-C ends it.")
        await asyncio.gather(simulator.forever(), program.forever())
    return 0


async def main() -> int:
    """Read the arguments and run; ends in order on Ctrl-C, a lost terminal and a polite kill."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="look at the result and end")
    parser.add_argument("--cache", type=Path, required=True, help="a folder of its own, emptied")
    arguments = parser.parse_args()
    run = asyncio.create_task(demonstrate(arguments.cache, arguments.check))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, run.cancel)
    try:
        return await run
    except asyncio.CancelledError:
        say("\nEnded.")
        return 130
    except Ended as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
