"""Options and output of the command line for single registers."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..ascii.passwords import Password, PasswordMethod
from ..ascii.registers import as_sent
from ..client import MeterClient
from ..errors import BadSecret
from ..register_session import Answer, Level

_MOST = 64

_SHOWN = {
    Level.OPEN: "open",
    Level.PASSWORD: "password",
    Level.SECRET: "algorithm",
    Level.PHYSICAL: "seal",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of single registers."""
    group = parser.add_argument_group("single registers, in programming mode or mode E")
    group.add_argument(
        "--register",
        action="append",
        metavar="CODE",
        help="1.8.0, 'ENMPE(04.26)', 'R5 P.98(;)'; may be given again",
    )
    group.add_argument(
        "--levels", action="store_true", help="at the lowest access level that shows each"
    )
    group.add_argument(
        "--password-file", type=Path, metavar="FILE", help="with the password in its first line"
    )
    group.add_argument(
        "--login",
        type=PasswordMethod,
        choices=list(PasswordMethod),
        help="how the password is proven; default: as the make does",
    )


def password(options: argparse.Namespace) -> Password | None:
    """The password in the file that was named. Raises BadSecret."""
    path: Path | None = options.password_file
    if path is None:
        return None
    try:
        with path.open(encoding="ascii") as file:
            text = file.readline(_MOST).rstrip("\r\n")
    except (OSError, UnicodeError) as err:
        raise BadSecret(why=f"{path} cannot be read as text") from err
    return Password(text, options.login)


async def ask(meter: MeterClient, options: argparse.Namespace) -> tuple[Answer, ...]:
    """The answers to all codes. Raises MeterError."""
    return await (meter.survey if options.levels else meter.read)(options.register)


def as_json(answers: Sequence[Answer]) -> dict[str, Any]:
    """The answers as plain data."""
    return {
        "registers": [
            {
                "code": answer.code,
                "level": answer.level,
                "key": None if answer.register is None else answer.register.key,
                "values": None
                if answer.register is None
                else [{"value": text, "unit": unit} for text, unit in answer.register.values],
                "refusal": None if answer.refusal is None else answer.refusal.key,
            }
            for answer in answers
        ]
    }


def as_table(answers: Sequence[Answer]) -> Iterator[str]:
    """The answers as lines of text."""
    width = max(len(answer.code) for answer in answers)
    for answer in answers:
        told = str(answer.refusal) if answer.register is None else as_sent(answer.register.values)
        yield f"{answer.code:<{width}}  {_SHOWN[answer.level]:<9}  {told}"
