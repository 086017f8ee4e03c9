"""Which check character counts with one meter, and what a reading teaches about it.

The standard has XOR; some makes send the arithmetic sum, some nothing. A kind that fits once may fit by chance (1 in
128), so it counts alone only after it fitted twice running. A check that fits no kind is wrong, each time: a meter
that computes it in a way of its own is read where the user says to do without it.
"""

from dataclasses import replace
from hashlib import sha256

from ..model import CheckKind, LineProfile, Verdict

# A check that is wrong in so many readings running, which are otherwise alike, is the meter's own.
WRONG_ALIKE = 3

# Enough of a digest to tell two readouts apart.
_SEEN = 16
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")


def verdict(profile: LineProfile, fits: frozenset[CheckKind]) -> Verdict:
    """What the check of a block says of it, by what is known of the meter."""
    kind = profile.check_kind
    if kind is CheckKind.NONE or (kind is None and CheckKind.NONE in fits):
        return Verdict.ABSENT
    if kind is None and fits == {CheckKind.SUM} and profile.check_candidate is not CheckKind.SUM:
        # It proves nothing yet: the data may be damaged and fit by chance.
        return Verdict.ABSENT
    if kind is None:
        return Verdict.RIGHT if fits else Verdict.WRONG
    return Verdict.RIGHT if kind in fits else Verdict.WRONG


def shape(block: bytes) -> bytes:
    """A digest that is the same for blocks that differ in their digits alone: values go on, the clock too."""
    return sha256(block.translate(_DIGITS_ALIKE)).digest()


def without_check(profile: LineProfile) -> LineProfile:
    """The profile of a meter whose check is of no use: each first value then needs a second reading that agrees."""
    return replace(profile, check_kind=CheckKind.NONE, check_candidate=None, check_seen="")


def kind(profile: LineProfile, fits: frozenset[CheckKind]) -> CheckKind:
    """The kind a block was judged by: the known one, else the one that fitted."""
    return profile.check_kind or min(fits, default=CheckKind.NONE, key=list(CheckKind).index)


def learn(profile: LineProfile, fits: frozenset[CheckKind], block: bytes) -> LineProfile:
    """The profile after a good block. A block that fits several kinds, or none, teaches nothing.

    Nor does the same block again, but for the standard's kind: what a line loses at the same place each time fits
    another kind by chance each time, or has lost its check.
    """
    if profile.check_kind is not None or len(fits) != 1:
        return profile
    (fitted,) = fits
    seen = sha256(block).hexdigest()[:_SEEN]
    if profile.check_candidate is not fitted:
        return replace(profile, check_candidate=fitted, check_seen=seen)
    if profile.check_seen == seen and fitted is not CheckKind.XOR:
        return profile
    return replace(profile, check_kind=fitted, check_candidate=None, check_seen="")
