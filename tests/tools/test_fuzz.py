"""A few hundred cases of each target, from a seed that stays the same. `scripts/fuzz` searches for more.

What was found stands in `FOUND`.
"""

import random

import pytest

from tools.fuzz.corpus import NEXT, SEEDS, WORDS
from tools.fuzz.targets import TARGETS

SEED = 6205621
# Conversations take milliseconds each, and some of them a second.
CONVERSATIONS = ("reading", "discovery", "push", "programming", "binary")
CASES, LONG_CASES = 300, 20_000
TALKS, LONG_TALKS = 40, 1_000
LONGEST = 4096

FOUND: list[tuple[str, bytes]] = [
    # A name too long, in which another one begins: where it was given up depended on how the stream was cut.
    (
        "receive",
        b"\0/ABC5" + b"x" * 100 + b"/EKT5CE3\r\n\x021.8.0(7)\r\n!\r\n\x03\x0c",
    ),
    # Values without any address were a reading without any register.
    ("reading", b"\x02" + NEXT + b"\x02/XYZ0heat\r\n\x02(60)(1)\r\n!\r\n\x03"),
    # Blocks that are empty, and announce another one each time.
    (
        "programming",
        b"\x02"
        + NEXT
        + b"\x02/EKT5CE3xxv9\r\n"
        + NEXT
        + b"\x02\x01P0\x02()\x03`"
        + NEXT
        + b"\x22\x02\x04\x04",
    ),
    # Frames that are right and mean nothing, while a link is opened and while it is ended: an hour.
    (
        "binary",
        b"\x02" + NEXT + b"\x00" + SEEDS["services"][-1] + NEXT + b"\xa0" + SEEDS["frames"][5],
    ),
]


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
                spoilt[place:place] = spoilt[
                    place : place + chance.randrange(40)
                ] * chance.randrange(4)
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


def run(name: str, seed: object, count: int) -> None:
    """So many cases of one target, told by seed and number where one fails."""
    for number in range(count):
        chance = random.Random(f"{seed} {name} {number}")
        case = spoil(chance.choice(SEEDS[name]), chance.choice(SEEDS[name]), chance)
        try:
            TARGETS[name](case)
        except Exception as error:
            error.add_note(f"seed {seed}, case {number}: {case!r}")
            raise


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt(name: str) -> None:
    run(name, SEED, TALKS if name in CONVERSATIONS else CASES)


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_anew(name: str) -> None:
    seed = random.SystemRandom().getrandbits(32)
    print(name, "seed", seed)
    run(name, seed, LONG_TALKS if name in CONVERSATIONS else LONG_CASES)


@pytest.mark.parametrize(("name", "case"), FOUND)
def test_found(name: str, case: bytes) -> None:
    TARGETS[name](case)
