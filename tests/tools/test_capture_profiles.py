"""The comparison of load profiles sees every kind of difference."""

from copy import deepcopy
import json
from typing import Any

import pytest

from tools.captures.compare_profiles import EXPECTED, differences

TEXT = """P.01(1260705101500)(00)(15)(1)(1.5)(kW)
(0.400)
Meter: <STX>P.98(0260705101500)(00000080)()(0) <CR><LF>
HHU: <SOH>R5<STX>P.98(;)<ETX>
"""
WANTED: dict[str, Any] = {
    "profiles": [
        {
            "code": "P.01",
            "minutes": 15,
            "channels": ["1.5 kW mean"],
            "rows": [["2026-07-05T08:15Z", "00", "0.400"]],
            "used": {"0": ["0.1"]},
        }
    ],
    "events": [["2026-07-05T09:15:00Z", "80", "power_down"]],
}


def test_what_is_right() -> None:
    assert list(differences(WANTED, TEXT)) == []


@pytest.mark.parametrize("key", ["minutes", "rows", "used"])
def test_what_is_not(key: str) -> None:
    wanted = deepcopy(WANTED)
    wanted["profiles"][0][key] = {"minutes": 30, "rows": [], "used": {"0": ["0.4"]}}[key]
    assert len(list(differences(wanted, TEXT))) == 1


def test_events_and_profiles_that_are_missing() -> None:
    assert len(list(differences({**WANTED, "events": []}, TEXT))) == 1
    assert list(differences({"events": WANTED["events"]}, TEXT)) == ["1 profiles"]


def test_the_expectations_are_whole() -> None:
    for one in json.loads(EXPECTED.read_text("utf-8")).values():
        assert one.keys() <= {"profiles", "events"}
        for profile in one.get("profiles", ()):
            assert all(len(row) == 2 + len(profile["channels"]) for row in profile["rows"])
