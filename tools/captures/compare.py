"""Compare what the reader finds in stored telegrams with what the user found in them."""

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any, override

EXPECTED = Path(__file__).parent / "expected"
COMPONENT = Path(__file__).parents[2] / "custom_components" / "iec62056"
SHOWN = 5
TIMEOUT = 60

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """One address with all its values; what followed it without an address is added to it."""

    address: str | None
    values: tuple[Json, ...]

    @property
    def key(self) -> tuple[str | None, tuple[tuple[str | None, str | None], ...]]:
        """What is compared exactly: address, texts as sent, units."""
        return self.address, tuple((value["value"], value.get("unit")) for value in self.values)

    @override
    def __str__(self) -> str:
        texts = (
            f"({value['value']}{'*' if value.get('unit') else ''}{value.get('unit') or ''})"
            for value in self.values
        )
        return (self.address or "") + "".join(texts)


@dataclass(slots=True)
class Verdict:
    """How one file came out."""

    number: str
    expected: int
    found: int = 0
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def groups(datasets: Sequence[Json]) -> list[Group]:
    """Data sets in order, those without an address added to the one before, which is of the same frame.

    A frame that begins without one has in an expectation the address that was asked for.
    """
    result: list[Group] = []
    for dataset in datasets:
        values = tuple(dataset["values"])
        if dataset["address"] is None and result:
            result[-1] = Group(result[-1].address, result[-1].values + values)
        else:
            result.append(Group(dataset["address"], values))
    return result


def printable(text: str | None) -> str | None:
    """An identification without the bytes that only its publishing put in."""
    return None if text is None else "".join(char for char in text if " " <= char <= "~")


def identification(answer: Json) -> str | None:
    """The identification as the reader prints it: a text, or an object with the raw text."""
    found: str | Json | None = answer.get("identification")
    return found["raw"] if isinstance(found, dict) else found


def same(expected: Group, found: Group) -> bool:
    """Equal, where a text that was lost before publishing (null) equals any."""
    if expected.address != found.address or len(expected.values) != len(found.values):
        return False
    return all(
        wanted["value"] is None
        or (wanted["value"], wanted.get("unit")) == (value["value"], value.get("unit"))
        for wanted, value in zip(expected.values, found.values, strict=True)
    )


def number_faults(expected: Group, found: Group) -> list[str]:
    """Numbers that are wrong, lost, lose decimals, or stand where there is none."""
    faults = []
    for wanted, value in zip(expected.values, found.values, strict=True):
        if wanted.get("digits") or wanted["value"] is None:
            continue
        number = value.get("number")
        right = None if wanted.get("number") is None else Decimal(wanted["number"]).as_tuple()
        if (None if number is None else Decimal(number).as_tuple()) != right:
            faults.append(f"number   {expected}: expected {wanted.get('number')}, found {number}")
    return faults


def compare_groups(
    expected: list[Group], found: list[Group], also: list[Group]
) -> tuple[int, list[str]]:
    """How many of the expected groups were found as they stand, and each difference in words."""
    faults: list[str] = []
    matched = 0
    left: list[Group] = []
    surplus: list[Group] = []
    matcher = SequenceMatcher(
        None, [group.key for group in expected], [group.key for group in found], autojunk=False
    )
    for tag, start, stop, first, last in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(expected[start:stop], found[first:last], strict=True):
                wrong = number_faults(one, other)
                faults += wrong
                matched += not wrong
        else:
            left += expected[start:stop]
            surplus += found[first:last]
    for group in left:
        twin = next((other for other in surplus if same(group, other)), None)
        if twin is not None:
            surplus.remove(twin)
            if group.key == twin.key:
                faults.append(f"order    {group}")
            else:
                matched += 1
            continue
        namesake = next((other for other in surplus if other.address == group.address), None)
        if namesake is None:
            faults.append(f"missing  {group}")
        else:
            surplus.remove(namesake)
            faults.append(f"wrong    {group}: found {namesake}")
    for group in also:
        if group in surplus:
            surplus.remove(group)
    faults += [f"surplus  {group}" for group in surplus]
    return matched, faults


def judge(number: str, wanted: Json, answer: Json) -> Verdict:
    """Compare the reader's answer for one file with the expectation."""
    expected = groups(wanted["datasets"])
    verdict = Verdict(number, len(expected))
    verdict.found, verdict.faults = compare_groups(
        expected, groups(answer["registers"]), groups(wanted.get("also", []))
    )
    name = identification(answer)
    if printable(wanted["identification"]) != printable(name):
        verdict.faults.append(
            f"identification: expected {wanted['identification']!r}, found {name!r}"
        )
    check = answer["health"]["check"]
    if wanted["check"] not in (None, check):
        verdict.faults.append(f"check: expected {wanted['check']}, found {check}")
    verdict.remarks += [f"unparsed {line!r}" for line in answer.get("unparsed", [])]
    return verdict


def run(number: str, telegram: Path | None) -> Verdict:
    """Read one telegram with the command line and judge the answer."""
    wanted: Json = json.loads((EXPECTED / f"{number}.json").read_text(encoding="utf-8"))
    verdict = Verdict(number, len(groups(wanted["datasets"])))
    if telegram is None:
        verdict.faults.append("no file of this number")
        return verdict
    try:
        process = subprocess.run(
            [sys.executable, "-m", "protocol", "--file", str(telegram), "--json"],
            env=os.environ | {"PYTHONPATH": str(COMPONENT)},
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        verdict.faults.append(f"no answer within {TIMEOUT} s")
        return verdict
    complaint = process.stderr.decode(errors="replace").strip()
    if "Traceback" in complaint:
        verdict.faults.append(f"exception: {complaint.splitlines()[-1]}")
    elif process.returncode == 0:
        verdict = judge(number, wanted, json.loads(process.stdout, parse_float=Decimal))
    elif wanted["datasets"] or len(complaint.splitlines()) != 1:
        verdict.faults.append(f"refused: {complaint}")
    else:
        # Nothing to find: saying so in one sentence is the right answer.
        verdict.remarks.append(f"refused: {complaint}")
    if wanted.get("note"):
        verdict.remarks.append(f"note: {wanted['note']}")
    return verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare all files; 0 only where every one agrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path, help="where the telegrams NNN_*.txt are")
    parser.add_argument("--verbose", action="store_true", help="all differences, and remarks")
    options = parser.parse_args(arguments)
    files = {
        path.name[:3]: path for path in sorted(options.directory.glob("[0-9][0-9][0-9]_*.txt"))
    }
    numbers = sorted(path.stem for path in EXPECTED.glob("*.json"))
    with ThreadPoolExecutor(max_workers=2) as pool:
        verdicts = list(pool.map(lambda number: run(number, files.get(number)), numbers))
    verdicts += [
        Verdict(number, 0, faults=["no expectation is written for this file"])
        for number in sorted(files.keys() - set(numbers))
    ]
    for verdict in verdicts:
        print(f"{verdict.number} {verdict.found:4}/{verdict.expected}")
        shown = verdict.faults if options.verbose else verdict.faults[:SHOWN]
        for fault in shown:
            print(f"      {fault}")
        if len(shown) < len(verdict.faults):
            print(f"      ... and {len(verdict.faults) - len(shown)} more")
        for remark in verdict.remarks if options.verbose else ():
            print(f"      {remark}")
    changed_from_default = sum(bool(verdict.faults) for verdict in verdicts)
    print(
        f"{sum(verdict.found for verdict in verdicts)} of "
        f"{sum(verdict.expected for verdict in verdicts)} data sets found as expected; "
        f"{changed_from_default} of {len(verdicts)} files differ"
    )
    return 1 if changed_from_default else 0


if __name__ == "__main__":
    sys.exit(main())
