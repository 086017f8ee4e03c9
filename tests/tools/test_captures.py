"""The comparison itself: every kind of difference is seen, and the expectations are sound."""

from copy import deepcopy
from decimal import Decimal
import json
from pathlib import Path
from typing import Any

import pytest

from tools.captures import compare

type Json = dict[str, Any]

FILES = sorted(compare.EXPECTED.glob("*.json"))
WANTED: Json = {
    "identification": "/ABC5MODEL",
    "check": "right",
    "datasets": [
        {"address": "1.8.0", "values": [{"value": "0012.50", "unit": "kWh", "number": "12.50"}]},
        {"address": "1.6.0", "values": [{"value": "1.2", "unit": "kW", "number": "1.2"}]},
        {"address": None, "values": [{"value": "2501020304", "unit": None, "digits": True}]},
        {"address": "0.2.0", "values": [{"value": "A7", "unit": None}]},
    ],
}


def right_answer() -> Json:
    return {
        "identification": {"raw": "/ABC5MODEL"},
        "registers": [
            {
                "address": "1.8.0",
                "obis": "1-0:1.8.0",
                "values": [{"value": "0012.50", "unit": "kWh", "number": Decimal("12.50")}],
            },
            {
                "address": "1.6.0",
                "obis": "1-0:1.6.0",
                "values": [
                    {"value": "1.2", "unit": "kW", "number": "1.2"},
                    {"value": "2501020304", "unit": None, "timestamp": "2025-01-02T03:04"},
                ],
            },
            {
                "address": "0.2.0",
                "obis": "1-0:0.2.0",
                "values": [{"value": "A7", "unit": None}],
            },
        ],
        "unparsed": [],
        "health": {"check": "right"},
    }


def faults(answer: Json, wanted: Json = WANTED) -> list[str]:
    return compare.judge("000", wanted, answer).faults


def test_right_answer_has_no_fault() -> None:
    verdict = compare.judge("000", WANTED, right_answer())
    assert verdict.faults == []
    assert (verdict.found, verdict.expected) == (3, 3)


@pytest.mark.parametrize(
    ("register", "key", "text", "seen"),
    [
        (0, "value", "0012.51", "wrong"),
        (0, "unit", "Wh", "wrong"),
        (0, "number", "12.5", "number"),
        (0, "number", None, "number"),
        (2, "number", "7", "number"),
    ],
)
def test_a_wrong_value_is_seen(register: int, key: str, text: str | None, seen: str) -> None:
    answer = right_answer()
    answer["registers"][register]["values"][0][key] = text
    (fault,) = faults(answer)
    assert fault.startswith(seen)


def test_a_missing_a_surplus_and_a_moved_register_are_seen() -> None:
    answer = right_answer()
    lost = answer["registers"].pop(0)
    (fault,) = faults(answer)
    assert fault.startswith("missing  1.8.0")
    answer["registers"].append(lost)
    (fault,) = faults(answer)
    assert fault.startswith("order")
    answer["registers"].append(lost)
    assert sorted(fault.split()[0] for fault in faults(answer)) == ["order", "surplus"]


def test_a_lost_continuation_is_seen() -> None:
    answer = right_answer()
    answer["registers"][1]["values"].pop()
    (fault,) = faults(answer)
    assert fault.startswith("wrong    1.6.0")


def test_what_only_its_place_excludes_may_be_found_or_not() -> None:
    wanted = WANTED | {"also": [{"address": "ASK", "values": [{"value": "", "unit": None}]}]}
    answer = right_answer()
    assert faults(answer, wanted) == []
    answer["registers"].insert(0, {"address": "ASK", "values": [{"value": "", "unit": None}]})
    assert faults(answer, wanted) == []
    assert faults(answer) == ["surplus  ASK()"]


def test_a_lost_text_equals_any() -> None:
    wanted = deepcopy(WANTED)
    wanted["datasets"][3]["values"][0]["value"] = None
    assert faults(right_answer(), wanted) == []


@pytest.mark.parametrize(
    ("name", "agrees"),
    [("/ABC5MODEL", True), ("/ABC5\x02MODEL", True), ("/ABC5MODEL ", False), (None, False)],
)
def test_identification(name: str | None, agrees: bool) -> None:
    answer = right_answer() | {"identification": name}
    assert (faults(answer) == []) is agrees


def test_check_is_compared_only_where_it_can_be_judged() -> None:
    answer = right_answer() | {"health": {"check": "absent"}}
    assert faults(answer) == ["check: expected right, found absent"]
    assert faults(answer, WANTED | {"check": None}) == []


def test_a_directory_without_the_telegrams_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = tmp_path / "expected"
    expected.mkdir()
    (expected / "000.json").write_text(json.dumps(WANTED), encoding="utf-8")
    (tmp_path / "001_other.txt").write_text("1.8.0(1)", encoding="utf-8")
    monkeypatch.setattr(compare, "EXPECTED", expected)
    assert compare.main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "no file of this number" in printed
    assert "no expectation is written" in printed
    assert "2 of 2 files differ" in printed


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_expectation_is_sound(path: Path) -> None:
    wanted = json.loads(path.read_text(encoding="utf-8"))
    assert wanted["check"] in ("right", "wrong", "absent", None)
    for dataset in wanted["datasets"]:
        assert dataset["values"]
        assert dataset["address"] is None or dataset["address"] == dataset["address"].strip() != ""
        for value in dataset["values"]:
            assert value.keys() <= {"value", "unit", "number", "digits"}
            assert value["unit"] != ""
            if "number" in value:
                sent = value["value"].strip(" ").replace(",", ".")
                assert Decimal(value["number"]).as_tuple() == Decimal(sent).as_tuple()
