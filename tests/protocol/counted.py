"""How much work something is, as a count: the same on every machine, however busy it is."""

from collections.abc import Callable
import sys
from types import FrameType


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, in Python and in C, until the work is done."""
    count = 0

    def step(_frame: FrameType, _event: str, _argument: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(step)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
