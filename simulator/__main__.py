"""Command line: `python -m simulator --pty /tmp/meter`."""

import argparse
import asyncio
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
import signal
import sys
from typing import NamedTuple

from . import (
    Check,
    Content,
    Echo,
    Faults,
    Gas,
    Heat,
    Household,
    Link,
    Log,
    Manners,
    Meter,
    Mode,
    Programming,
    Telegram,
    Transport,
    WakeUp,
    serve,
)
from .dlms.options import add_options, binary_meter, push_keys, push_meter
from .manners import SIGN_ON_SPEED, SPEED_CHARACTERS
from .profile import LoadProfile
from .programming import guarded
from .scenario import local_now


class Scenario(NamedTuple):
    """What stands behind one name, with the habits such a meter has."""

    content: Callable[..., Content]
    mode: Mode
    speed: int
    flag: str
    model: str


SCENARIOS = {
    "household": Scenario(Household, Mode.C, 9600, "SIM", "HOUSE-01"),
    "heat": Scenario(Heat, Mode.B, 2400, "LUG", "UH50"),
    "gas": Scenario(Gas, Mode.C, 2400, "SIM", "GAS-01"),
}


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def _factor(text: str) -> float:
    if (factor := float(text)) <= 0:
        raise ValueError(text)
    return factor


def _flip(text: str) -> tuple[int, int]:
    position, _, bits = text.partition(":")
    return int(position), int(bits or "1", 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulate", description="A simulated IEC 62056-21 meter that behaves in time."
    )
    where = parser.add_argument_group("where").add_mutually_exclusive_group(required=True)
    where.add_argument("--pty", type=Path, metavar="PATH", help="a pseudo terminal, linked as PATH")
    where.add_argument("--tcp", type=_address, metavar="HOST:PORT", help="a raw TCP bridge")
    where.add_argument("--rfc2217", type=_address, metavar="HOST:PORT", help="an RFC 2217 server")

    what = parser.add_argument_group("what")
    what.add_argument("--scenario", choices=SCENARIOS, default="household")
    what.add_argument("--telegram", type=Path, metavar="FILE", help="a stored telegram instead")
    what.add_argument("--mode", type=Mode, choices=list(Mode), help="default: as identified")
    what.add_argument("--speed", type=int, help="of the data; default: as identified")
    what.add_argument("--ident", help="the identification, with its first '/'")
    what.add_argument(
        "--address", action="append", help="the meter's address; given again, one more meter"
    )
    what.add_argument("--needs-address", action="store_true", help="no answer to '/?!'")
    what.add_argument("--query", action="append", help="accepted after '/'; default: ?")
    what.add_argument("--reaction", type=float, default=200, metavar="MS")
    what.add_argument("--check", type=Check, choices=list(Check), default=Check.XOR)
    what.add_argument("--no-stx", action="store_true", help="data without STX, ETX and check")
    what.add_argument("--wake-up", action="store_true", help="asleep until woken by NULs")
    what.add_argument("--interval", type=float, default=2, metavar="S", help="of a mode D push")

    access = parser.add_argument_group("programming mode")
    access.add_argument(
        "--programming", action="store_true", help="single registers, at several access levels"
    )
    access.add_argument("--password", default="00000000", help="that opens the second level (P1)")
    access.add_argument("--secret", default="", help="that opens the third (P2, CRC-32)")
    access.add_argument("--idle", type=float, default=60, metavar="S", help="end of a session")
    access.add_argument("--cover-open", action="store_true", help="with its seal broken")
    access.add_argument(
        "--load-profile", type=int, metavar="DAYS", help="P.01 of the days before (household)"
    )

    add_options(parser)

    line = parser.add_argument_group("the line")
    line.add_argument(
        "--bridge-speed", type=int, default=300, help="a raw TCP bridge's fixed speed"
    )
    line.add_argument("--link", type=Link, choices=list(Link), default=Link.EIGHT)
    line.add_argument("--echo", type=Echo, choices=list(Echo), default=Echo.NONE)
    line.add_argument("--speed-up", type=_factor, default=1, help="shortens the meter's characters")
    line.add_argument("--seed", type=int, default=1, help="of what is random on the line")

    wrong = parser.add_argument_group("what goes wrong")
    wrong.add_argument("--ignore", type=int, action="append", metavar="N", help="the N-th sign-on")
    wrong.add_argument("--drop-after", type=int, metavar="N", help="silent after N characters")
    wrong.add_argument("--stall", type=int, metavar="N", help="2 s of silence after N characters")
    wrong.add_argument(
        "--flip", type=_flip, action="append", metavar="K[:BITS]", help="turn bits of character K"
    )
    wrong.add_argument("--damaged-blocks", type=int, metavar="N", help="only in the first N blocks")
    wrong.add_argument("--noise-before", type=bytes.fromhex, default=b"", metavar="HEX")
    wrong.add_argument("--noise-after", type=bytes.fromhex, default=b"", metavar="HEX")
    wrong.add_argument("--error", default="", help="an error message instead of data")
    wrong.add_argument("--break-off", action="store_true", help="a break instead of data")
    return parser


def _announced(ident: str) -> tuple[Mode, int] | None:
    """Mode and speed that an identification stands for (Std 6.3.14 item 13)."""
    if not ident:
        return None
    for mode, characters in SPEED_CHARACTERS.items():
        for speed, character in characters.items():
            if character == ident[4:5]:
                return mode, speed
    return Mode.A, SIGN_ON_SPEED


def _meter(options: argparse.Namespace, address: str) -> Meter:
    scenario = SCENARIOS[options.scenario]
    ident = options.ident or ""
    if options.telegram:
        telegram = Telegram.read(options.telegram)
        content: Content = telegram
        ident = ident or telegram.ident or ""
    else:
        content = scenario.content(**({"serial": address} if address else {}))
    mode, speed = _announced(ident) or (scenario.mode, scenario.speed)
    manners = Manners(
        mode=options.mode or mode,
        speed=options.speed or speed,
        ident=ident,
        flag=scenario.flag,
        model=scenario.model,
        address=address,
        needs_address=options.needs_address,
        queries=tuple(options.query or ("?",)),
        reaction=options.reaction / 1000,
        check=options.check,
        stx=not options.no_stx,
        wake_up=WakeUp() if options.wake_up else None,
        interval=options.interval,
    )
    faults = Faults(
        ignore=set(options.ignore or ()),
        drop_after=options.drop_after,
        stall=None if options.stall is None else (options.stall, 2.0),
        flips=dict(options.flip or ()),
        damaged_blocks=float("inf") if options.damaged_blocks is None else options.damaged_blocks,
        noise_before=options.noise_before,
        noise_after=options.noise_after,
        error=options.error,
        broken_off=options.break_off,
    )
    if options.push:
        return push_meter(options, content)
    if options.mode_e:
        return binary_meter(options, content, manners)
    return Meter(content, manners, faults, _programming(options, content))


def _programming(options: argparse.Namespace, content: Content) -> Programming | None:
    """The registers beyond the readout: a name, a limit, a calibration factor; the load profile."""
    if not options.programming and options.load_profile is None:
        return None
    access = Programming(
        guarded(), password=options.password, secret=options.secret, idle=options.idle
    )
    if options.load_profile is not None:
        if not isinstance(content, Household):
            raise ValueError("only the household has a load profile")
        # Its clock is always as far from UTC as now: the digit of the season would say nothing.
        profile = LoadProfile(local_now().tzinfo or UTC, flagged=False)
        content.remember(profile, options.load_profile)
        access.records[profile.code] = profile.answer
    if options.cover_open:
        access.open_cover()
    return access


async def _run(options: argparse.Namespace) -> None:
    meters = [_meter(options, address) for address in options.address or [""]]
    log = Log()
    log.listeners.append(_say)
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    kind = Transport.PTY if options.pty else Transport.TCP if options.tcp else Transport.RFC2217
    async with serve(
        *meters,
        transport=kind,
        address=options.tcp or options.rfc2217 or ("", 0),
        path=options.pty,
        speed=options.bridge_speed if kind is Transport.TCP else 300,
        link=options.link,
        echo=options.echo,
        speed_up=options.speed_up,
        seed=options.seed,
        log=log,
    ) as served:
        if options.push:
            _say(f"pushes DLMS at {meters[0].manners.speed} baud; its key file:\n{push_keys()}")
        for meter in () if options.push else meters:
            manners = meter.manners
            _say(f"{manners.identification()} mode {manners.mode}, data at {manners.speed} baud")
        _say(f"ready: {served.url}")
        await over.wait()


def main() -> int:
    """Serve until interrupted."""
    options = _parser().parse_args()
    try:
        asyncio.run(_run(options))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"simulate: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
