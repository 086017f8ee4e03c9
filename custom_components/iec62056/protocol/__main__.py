"""Command line that reads a meter, or explains a stored telegram, as a table or as JSON.

Passwords are never arguments: other users of the machine see those.
"""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timezone
import json
import os
from pathlib import Path
import sys
from typing import Any

from .cli import registers
from .cli.diagnostics_file import downloaded
from .cli.key_file import read_keyring, read_push_keys
from .cli.pushed_file import explain
from .cli.telegram_file import MAX_FILE
from .client import MeterClient
from .discovery import DiscoveryHints, discover
from .errors import MeterError, NoTelegram
from .model import (
    DiscoveryStep,
    Identification,
    LineProfile,
    Mode,
    Progress,
    ProgressCallback,
    Reading,
    Register,
    Verdict,
)
from .obis import register_timestamp
from .push import PushReader, listen
from .register_session import Answer
from .transport.serial_line import open_line
from .values import MeterTime

_VERDICTS = {
    Verdict.RIGHT: "check character right",
    Verdict.WRONG: "check character WRONG",
    Verdict.ABSENT: "no check character",
}


_STEPS = {
    DiscoveryStep.KNOWN_WAY: "Calling the meter as before",
    DiscoveryStep.SIGN_ON: "Calling the meter at 300 Bd",
    DiscoveryStep.LISTEN: "Listening for a meter that sends by itself",
    DiscoveryStep.WAKE_UP: "Waking a meter that sleeps",
    DiscoveryStep.FAST_WAKE_UP: "Waking it the fast way",
    DiscoveryStep.OTHER_REQUEST: "Calling it as some makes want",
    DiscoveryStep.REMEMBERED_SPEED: "Calling it at other speeds",
    DiscoveryStep.PINS: "Feeding the probe in other ways",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 only if there was a reading."""
    options = _options(arguments)
    try:
        if options.register:
            return _show_answers(asyncio.run(_ask(options)), options)
        if options.listen:
            return asyncio.run(_listen(options))
        reading = _stored(options) if options.file else asyncio.run(_read(options))
    except MeterError as err:
        print(err, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    _show(reading, options)
    return 0


def _show(reading: Reading, options: argparse.Namespace) -> None:
    if options.json:
        _print(json.dumps(as_json(reading), indent=2, ensure_ascii=False))
    else:
        _print("\n".join(as_table(reading)))


def _show_answers(answers: Sequence[Answer], options: argparse.Namespace) -> int:
    """Print single registers; 0 only where one was read."""
    if options.json:
        _print(json.dumps(registers.as_json(answers), indent=2, ensure_ascii=False))
    else:
        _print("\n".join(registers.as_table(answers)))
    return 0 if any(answer.register for answer in answers) else 1


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # `head` has seen enough. What Python would still write at its end must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="read", description="Read a meter with an IEC 62056-21 interface."
    )
    parser.add_argument(
        "url", nargs="?", help="/dev/ttyUSB0, socket://host:port, rfc2217://host:port"
    )
    parser.add_argument("--mode", choices=["auto", *"ABCDE"], default="auto", help="protocol mode")
    parser.add_argument(
        "--address", default="", help="the meter's number, where several share the line"
    )
    mode_e = parser.add_argument_group("mode E")
    mode_e.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="password and keys, in TOML; also of a meter that pushes",
    )
    mode_e.add_argument("--client", type=int, help="client address where there is no key file")
    mode_e.add_argument("--server", type=int, default=1, help="logical device, default 1")
    mode_e.add_argument("--physical", type=int, help="physical address of the meter")
    mode_e.add_argument(
        "--server-octets",
        type=int,
        choices=[2, 4],
        default=0,
        help="length of its address, with --physical",
    )
    mode_e.add_argument("--hdlc", action="store_true", help="frames at once, without a sign-on")
    registers.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="write every byte and its time to FILE"
    )
    parser.add_argument("--file", type=Path, metavar="TELEGRAM", help="explain a stored telegram")
    parser.add_argument(
        "--listen",
        action="store_true",
        help="print the readings of a meter that pushes DLMS, until stopped",
    )
    options = parser.parse_args(arguments)
    if (options.url is None) == (options.file is None):
        parser.error("give either the port of a meter or --file")
    if options.server_octets > 1 and options.physical is None:
        parser.error("an address of two or four octets has a physical part: give --physical too")
    if options.file is not None and options.register:
        parser.error("a stored telegram has no register to ask for")
    if options.listen and (options.file is not None or options.register):
        parser.error("--listen is for the port of a meter alone")
    return options


def _stored(options: argparse.Namespace) -> Reading:
    """The reading in a file."""
    path: Path = options.file
    keys = None if options.key_file is None else read_push_keys(options.key_file)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE)
            modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as err:
        raise NoTelegram(name=f"{path} ({err.strerror})") from err
    if (download := downloaded(data)) is None:
        return explain(data, path.name, modified, keys)
    reading = explain(download.text, path.name, modified)
    return replace(reading, health=download.health, redacted=True)


def _profile(options: argparse.Namespace) -> LineProfile:
    """The options as a line profile."""
    return LineProfile(
        address=options.address,
        mode=None if options.mode == "auto" else Mode(options.mode),
        client=options.client,
        server=options.server,
        physical=options.physical,
        server_octets=options.server_octets,
        hdlc_at_once=options.hdlc,
    )


async def _ask(options: argparse.Namespace) -> tuple[Answer, ...]:
    """Single registers of the meter behind a port."""
    keyring = None if options.key_file is None else read_keyring(options.key_file)
    password = registers.password(options)
    line = await open_line(options.url)
    try:
        meter = MeterClient(line, _profile(options), keyring=keyring, password=password)
        answers = await registers.ask(meter, options)
        if meter.refusal is not None:
            print(meter.refusal, file=sys.stderr)
        return answers
    finally:
        await line.close()
        if options.trace is not None:
            _write_trace(options.trace, line.trace.as_text())


async def _read(options: argparse.Namespace) -> Reading:
    """The reading of the meter behind a port."""
    keyring = None if options.key_file is None else read_keyring(options.key_file)
    line = await open_line(options.url)
    try:
        profile = _profile(options)
        if options.mode != "auto":
            meter = MeterClient(line, profile, keyring=keyring)
            reading = await meter.read_all()
            if meter.refusal is not None:
                print(meter.refusal, file=sys.stderr)
            return reading
        hints = DiscoveryHints(profile, keyring=keyring)
        _, reading = await discover(line, hints, _teller())
        return reading
    finally:
        await line.close()
        if options.trace is not None:
            _write_trace(options.trace, line.trace.as_text())


async def _listen(options: argparse.Namespace) -> int:
    """Print what a meter pushes, until that ends: with an error, or by the user."""
    keys = None if options.key_file is None else read_push_keys(options.key_file)
    line = await open_line(options.url)
    try:
        async with aclosing(listen(line, PushReader(keys))) as readings:
            async for reading in readings:
                _show(reading, options)
        return 0
    finally:
        await line.close()
        if options.trace is not None:
            _write_trace(options.trace, line.trace.as_text())


def _teller() -> ProgressCallback | None:
    """Callback that prints which way is tried; None where standard error is no terminal."""
    if not sys.stderr.isatty():
        return None
    told: set[DiscoveryStep] = set()

    def tell(progress: Progress) -> None:
        step = progress.step
        if step is None or step in told:
            return
        if told == {DiscoveryStep.SIGN_ON}:
            print("No answer yet; other ways are tried.", file=sys.stderr)
        told.add(step)
        print(f"{_STEPS[step]} …", file=sys.stderr)

    return tell


def _write_trace(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as err:
        print(f"The trace could not be written to {path}: {err.strerror}.", file=sys.stderr)


def as_json(reading: Reading) -> dict[str, Any]:
    """The reading as plain data; values as sent, numbers as text so that no digit is lost."""
    identification, health = reading.identification, reading.health
    return {
        "identification": None if identification is None else _identification(identification),
        "registers": [
            {
                "address": register.address,
                "obis": None if register.obis is None else str(register.obis),
                "values": [
                    {"value": text, "unit": unit} | meaning
                    for text, unit, meaning in _values(register)
                ],
            }
            for register in reading.registers
        ],
        "unparsed": list(reading.unparsed),
        "withheld": reading.withheld,
        "redacted": reading.redacted,
        "health": {
            "check": health.check,
            "check_kind": health.check_kind,
            "parity": health.parity,
            "parity_errors": health.parity_errors,
            "characters": health.characters,
            "retries": health.retries,
            "duration": round(health.duration, 3),
            "speed": health.speed,
            "mode": health.mode,
        },
    }


def _identification(identification: Identification) -> dict[str, Any]:
    return {
        "raw": identification.raw,
        "flag": identification.flag,
        "speed_character": identification.speed_character,
        "extensions": list(identification.extensions),
        "model": identification.model,
    }


def _values(register: Register) -> Iterator[tuple[str, str | None, dict[str, str]]]:
    """Each value: text, unit, and the number or time stamp it stands for."""
    for index, value in enumerate(register.values):
        moment = register_timestamp(register.obis, index, value.text)
        if moment is not None:
            yield *value, {"timestamp": _iso(moment)}
        elif (number := value.number) is not None:
            yield *value, {"number": format(number, "f")}
        else:
            yield *value, {}


def _iso(moment: MeterTime) -> str:
    """The meter's own clock in ISO 8601, without a zone where it does not say which one it keeps."""
    date, time = moment.date, moment.time
    if moment.offset is not None and date is not None and time is not None:
        return datetime.combine(date, time, timezone(moment.offset)).isoformat()
    return "T".join(part.isoformat() for part in (date, time) if part is not None)


def as_table(reading: Reading) -> Iterator[str]:
    """The reading as lines of text."""
    if reading.identification is not None:
        yield reading.identification.raw
        yield ""
    rows = [
        (register.key, register.address, "; ".join(_shown(register)))
        for register in reading.registers
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for key, address, shown in rows:
        yield f"{key:<{widths[0]}}  {address:<{widths[1]}}  {shown}".rstrip()
    for text in reading.unparsed:
        yield f"not understood: {text!r}"
    if reading.withheld:
        yield reading.withheld
    health = reading.health
    yield ""
    yield ", ".join(
        [f"{len(rows)} registers", _verdict(reading)]
        + ([f"{health.parity_errors} damaged characters"] if health.parity_errors else [])
        + ([f"repeated {health.retries} times"] if health.retries else [])
        + ([f"{health.duration:.1f} s at {health.speed} Bd"] if health.duration else [])
    )


def _verdict(reading: Reading) -> str:
    check = reading.health.check
    return f"redacted, check was {check}" if reading.redacted else _VERDICTS[check]


def _shown(register: Register) -> Iterator[str]:
    for text, unit, meaning in _values(register):
        shown = meaning.get("timestamp") or meaning.get("number") or repr(text)
        yield shown if unit is None else f"{shown} {unit}"


if __name__ == "__main__":
    sys.exit(main())
