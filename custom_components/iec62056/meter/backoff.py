"""How long to wait before a meter is tried again that could not be read. Pure.

Never here: what went wrong, or who waits.
"""

from typing import Final

# In seconds. A probe plugged in again, a bridge that restarts, a probe that is put straight: it is seen soon.
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 300.0
_DOUBLED: Final = 6


def pause(failures: int, least: float = 0.0) -> float:
    """The seconds until the next try after so many failures in a row: doubled each time, up to five minutes.

    `least` is the pause in seconds that a try of this length needs; only the first repetition comes without it.
    """
    if failures <= 1:
        return FIRST_PAUSE
    return max(min(FIRST_PAUSE * 2.0 ** min(failures - 1, _DOUBLED), LONGEST_PAUSE), least)
