"""The documents: what they quote is what the code says."""

from collections.abc import Iterator
from pathlib import Path
import re

import pytest

from custom_components.iec62056.protocol.errors import MeterError

DOCS = Path(__file__).parents[1] / "docs"


def errors(base: type[MeterError] = MeterError) -> Iterator[type[MeterError]]:
    yield base
    for error in base.__subclasses__():
        yield from errors(error)


@pytest.mark.parametrize("error", list(dict.fromkeys(errors())))
def test_each_reason_is_explained(error: type[MeterError]) -> None:
    if error.__module__.startswith("tests"):
        pytest.skip("made up by a test")
    told = (DOCS / "troubleshooting.md").read_text("utf-8")
    parts = [part.strip(" ':;.(),") for part in re.split(r"\{\w+\}", error.text)]
    assert max(parts, key=len) in told
