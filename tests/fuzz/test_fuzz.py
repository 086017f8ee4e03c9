"""A few hundred cases of each target, from a seed that stays the same; `scripts/test --long` lets a fuzzer search.

What a fuzzer has found stands in `FOUND`.
"""

import random

import pytest

from .corpus import SEEDS, WORDS
from .targets import TARGETS

SEED = 6205621
# Conversations take milliseconds each.
CASES = {name: 60 if name in ("reading", "ladder", "push", "programming", "binary") else 300 for name in TARGETS}
LONGEST = 4096

FOUND: list[tuple[str, bytes]] = []


def spoil(one: bytes, other: bytes, chance: random.Random) -> bytes:
    """A seed changed in a few places, or joined with another one."""
    spoilt = bytearray(one)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(spoilt) + 1)
        match chance.randrange(6):
            case 0:
                del spoilt[place : place + chance.randrange(8)]
            case 1:
                spoilt[place : place + 1] = bytes((chance.randrange(256),))
            case 2:
                spoilt[place:place] = chance.choice(WORDS)
            case 3:
                spoilt[place:place] = spoilt[place : place + chance.randrange(40)] * chance.randrange(4)
            case 4:
                spoilt[place:] = other[chance.randrange(len(other) + 1) :]
            case _:
                if place < len(spoilt):
                    spoilt[place] ^= 1 << chance.randrange(8)
    return bytes(spoilt[:LONGEST])


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for seed in (b"", *SEEDS[name]):
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt(name: str) -> None:
    for number in range(CASES[name]):
        chance = random.Random(f"{SEED} {name} {number}")
        case = spoil(chance.choice(SEEDS[name]), chance.choice(SEEDS[name]), chance)
        try:
            TARGETS[name](case)
        except Exception as error:
            error.add_note(f"case {number}: {case!r}")
            raise


@pytest.mark.parametrize(("name", "case"), FOUND)
def test_found(name: str, case: bytes) -> None:
    TARGETS[name](case)
