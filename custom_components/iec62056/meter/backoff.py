"""How long to wait before a meter is tried again that could not be read."""

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


class Backoff:
    """Failures in a row, and the pause after them."""

    def __init__(self) -> None:
        """Nothing has failed yet."""
        self.failures = 0

    def fail(self) -> None:
        """Count a failure."""
        self.failures += 1

    def reset(self) -> None:
        """Something succeeded."""
        self.failures = 0

    def pause(self, least: float = 0.0) -> float:
        """The seconds until the next try, as the function `pause`."""
        return pause(self.failures, least)
