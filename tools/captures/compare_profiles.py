"""Compare the load profiles and event logs found in stored telegrams with what the user found in them."""

import argparse
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
import json
from pathlib import Path
import re
import sys
from typing import Any
from zoneinfo import ZoneInfo

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from custom_components.iec62056.protocol.ascii import datasets  # noqa: E402
from custom_components.iec62056.protocol.profiles import events, load_profile  # noqa: E402

EXPECTED = Path(__file__).with_name("profiles.json")
ZONE = ZoneInfo("Europe/Berlin")
# What the publishing of a dialogue put around the lines, and the requests of the reader in it.
_AROUND = re.compile(r"<[A-Z0-9]+>|^\s*(?:HHU|Meter):.*?(?=P\.|$)")

type Json = dict[str, Any]


def differences(wanted: Json, text: str) -> Iterator[str]:
    """Each difference between what is in the text and what should be found."""
    lines = [_AROUND.sub("", line) for line in text.splitlines() if "<SOH>" not in line]
    sets, _ = datasets.parse("\r\n".join(lines).encode("latin-1", "replace"))
    found = load_profile.parse(sets, ZONE)
    if len(found) != len(wanted.get("profiles", [])):
        yield f"{len(found)} profiles"
    for one, right in zip(found, wanted.get("profiles", []), strict=False):
        yield from _profile(right, one)
    told = [
        [
            "" if event.at is None else f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
            f"{event.status:X}",
            *event.meanings,
        ]
        for event in events.parse(sets, ZONE)
    ]
    if told != wanted.get("events", []):
        yield f"events {told}"


def _profile(right: Json, one: load_profile.Profile) -> Iterator[str]:
    channels = [f"{item.address} {item.unit} {item.measure}" for item in one.channels]
    if (one.code, one.period.seconds // 60, channels) != (
        right["code"],
        right["minutes"],
        right["channels"],
    ):
        yield f"head {one.code} {one.period} {channels}"
    rows = [(row.end, row.status, row.values) for row in one.rows]
    expected = [
        (datetime.fromisoformat(end), int(status, 16), tuple(map(Decimal, numbers)))
        for end, status, *numbers in right["rows"]
    ]
    if rows != expected:
        yield f"rows {rows}"
    for column, amounts in right["used"].items():
        used = [number for *_, number in one.amounts(int(column))]
        if used != [Decimal(amount) for amount in amounts]:
            yield f"used in column {column}: {used}"


def main() -> int:
    """Compare all, print what differs; the exit status tells whether anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    failed = 0
    for number, wanted in json.loads(EXPECTED.read_text("utf-8")).items():
        (path,) = directory.glob(f"{number}_*.txt")
        faults = list(differences(wanted, path.read_text("utf-8", "replace")))
        failed += bool(faults)
        print(number, "; ".join(faults) or "right")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
