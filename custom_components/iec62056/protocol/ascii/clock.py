"""The clock of a meter as it shows it, and the same form with another moment in it.

A clock is only written in a form that it was read in: makes differ, and none of them says how.
"""

from datetime import UTC, datetime
import re

TIME = "0.9.1"
DATE = "0.9.2"

# German national forms begin with the season: 0 normal time, 1 summer time, 2 UTC.
_FORMS = {
    TIME: re.compile(r"(?P<season>[012]?)(?P<first>\d\d)(?P<gap>:?)\d\d(?P=gap)\d\d").fullmatch,
    DATE: re.compile(r"(?P<season>[012]?)(?P<first>\d\d)(?P<gap>-?)\d\d(?P=gap)\d\d").fullmatch,
}
_PARTS = {TIME: ("%H", "%M", "%S"), DATE: ("%y", "%m", "%d")}


def like(code: str, shown: str, moment: datetime) -> str | None:
    """A moment with a zone in the form `shown` has; None where that form is not known."""
    found = _FORMS[code](shown)
    if found is None:
        return None
    season = found["season"]
    if season == "2":
        moment = moment.astimezone(UTC)
    elif season:
        season = "1" if moment.dst() else "0"
    return season + found["gap"].join(moment.strftime(part) for part in _PARTS[code])


def seconds(shown: str) -> int | None:
    """The seconds since midnight a time of the clock stands for, None where it is no time."""
    digits = re.sub(r"[^0-9]", "", shown)[-6:] if _FORMS[TIME](shown) else ""
    if not digits:
        return None
    return int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])
