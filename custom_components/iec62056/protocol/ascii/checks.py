"""Which check character counts with one meter, and what a reading teaches about it.

Here: pure rules over a LineProfile and the kinds of check that fitted a block.
Never here: computing a check (`messages.judge`), input or output.

The standard has XOR; some makes send the arithmetic sum, some nothing. A kind that fits once may fit by chance (1 in
128), so it counts alone only after it fitted twice running. A check that fits no kind is wrong, each time: a meter
that computes it in a way of its own is read where NONE is set by hand.
"""

from dataclasses import replace
from hashlib import sha256

from ..model import CheckKind, LineProfile, Verdict

_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")


def verdict(profile: LineProfile, fits: frozenset[CheckKind]) -> Verdict:
    """What the check of a block says of it, by what is known of the meter."""
    kind = profile.check_kind
    if kind is CheckKind.NONE or (kind is None and CheckKind.NONE in fits):
        return Verdict.ABSENT
    if kind is None:
        return Verdict.RIGHT if fits else Verdict.WRONG
    return Verdict.RIGHT if kind in fits else Verdict.WRONG


def shape(block: bytes) -> bytes:
    """A digest that is the same for blocks that differ in their digits alone: values go on, the clock too."""
    return sha256(block.translate(_DIGITS_ALIKE)).digest()


def kind(profile: LineProfile, fits: frozenset[CheckKind]) -> CheckKind:
    """The kind a block was judged by: the known one, else the one that fitted."""
    return profile.check_kind or min(fits, default=CheckKind.NONE, key=list(CheckKind).index)


def learn(profile: LineProfile, fits: frozenset[CheckKind]) -> LineProfile:
    """The profile after a good block. A block that fits several kinds, or none, teaches nothing."""
    if profile.check_kind is not None or len(fits) != 1:
        return profile
    (fitted,) = fits
    if profile.check_candidate is fitted:
        return replace(profile, check_kind=fitted, check_candidate=None)
    return replace(profile, check_candidate=fitted)
