"""The documents: what they quote is what the code says."""

from pathlib import Path
import re

import pytest

from custom_components.iec62056.protocol.errors import MeterError

from .common.errors import every_error

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("error", list(every_error()))
def test_each_reason_is_explained(error: type[MeterError]) -> None:
    told = (DOCS / "troubleshooting.md").read_text("utf-8")
    seen = error.text.partition(". ")[0]
    parts = [part.strip(" ':;.(),") for part in re.split(r"\{\w+\}", seen)]
    assert max(parts, key=len) in told
