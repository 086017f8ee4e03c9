"""Finds the telegram in a diagnostics file downloaded from Home Assistant."""

from collections.abc import Mapping
import json
from math import isfinite
from typing import Any, NamedTuple

from ..model import CheckKind, Health, Mode, ParitySeen, Verdict


class Download(NamedTuple):
    """What such a file says: the masked telegram, and the health of the reading it was."""

    text: bytes
    health: Health


def downloaded(data: bytes) -> Download | None:
    """The content of the file; None where it is none of these."""
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        content = json.loads(data)["data"]
        return Download(
            content["telegram"]["text"].encode("latin-1"),
            _health(content["health"]),
        )
    except AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError:
        return None


def _health(said: Mapping[str, Any]) -> Health:
    return Health(
        check=Verdict(said["check"]),
        check_kind=CheckKind(said["check_kind"]),
        parity=ParitySeen(said["parity"]),
        parity_errors=int(said["parity_errors"]),
        characters=int(said["characters"]),
        retries=int(said["retries"]),
        duration=_seconds(said["duration"]),
        speed=int(said["speed"]),
        mode=None if said["mode"] is None else Mode(said["mode"]),
    )


def _seconds(said: Any) -> float:
    seconds = float(said)
    if not isfinite(seconds):
        raise ValueError("no duration")
    return seconds
