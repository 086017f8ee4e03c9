"""Why no identification came: from what was heard to the one error that helps."""

from dataclasses import dataclass, field
import re

from ..errors import BusSilent, MeterError, NoAnswer, OnlyEcho, SeveralMeters, WrongParity
from ..model import Identification, LineProfile
from ..transport.line import Line
from ..transport.trace import CLEAR_BIT_7, LineStats

_MAX_ANSWER = 256
_MAX_NAMES = 96
# More than this share of damaged characters is the line's fault, whatever else is wrong.
BAD_PERCENT = 10

# Fewer characters do not tell at which speed they were sent.
_FEW = 20
_NO_TEXT = bytes(code for code in range(0x20) if code not in b"\x00\x02\x03\r\n") + b"\x7f"

_NAME = re.compile(rb"/[A-Za-z]{2}")


@dataclass(slots=True)
class Heard:
    """What the tries of one sign-on brought."""

    start: LineStats
    asked: LineStats = field(default_factory=LineStats)
    answers: list[bytearray] = field(default_factory=list)
    identifications: list[Identification] = field(default_factory=list)
    identification_from: LineStats = field(default_factory=LineStats)

    def begin(self, before: LineStats) -> None:
        """A request was sent; `before` are the counters of then."""
        self.asked = before
        self.answers.append(bytearray())

    def add(self, run: bytes) -> None:
        """These octets came, our echo apart."""
        answer = self.answers[-1]
        answer += run[: _MAX_ANSWER - len(answer)].translate(CLEAR_BIT_7)

    @property
    def silent_tries(self) -> int:
        """How many requests nobody answered."""
        return sum(not answer for answer in self.answers)


def percent_wrong(heard: LineStats) -> int:
    """The share of damaged characters, at least 1 where there is one."""
    if not heard.wrong:
        return 0
    return max(1, round(100 * heard.wrong / heard.characters))


def unreadable_percent(line: Line, heard: Heard) -> int:
    """The share of what was heard that is damaged or no text; 100 where too little came to tell."""
    count = line.tally.since(heard.start)
    if count.characters < _FEW:
        return 100
    began = heard.answers[-1]
    text = began.translate(None, _NO_TEXT)
    return max(percent_wrong(count), 100 - round(100 * len(text) / len(began)))


def reason(line: Line, heard: Heard, profile: LineProfile) -> MeterError | None:
    """The reason a sign-on failed; None where readable characters came that are no identification."""
    count = line.tally.since(heard.start)
    answers = [bytes(answer) for answer in heard.answers if answer]
    if not answers or all(_is_request(answer) for answer in answers):
        if profile.bus:
            return BusSilent()
        return OnlyEcho() if count.echoed or answers else NoAnswer()
    if not profile.address and count.wrong and _several(answers):
        return SeveralMeters()
    if percent_wrong(count) >= BAD_PERCENT:
        return WrongParity(percent=str(percent_wrong(count)))
    return None


def _is_request(answer: bytes) -> bool:
    """Whether an answer is our own request, sent back by the meter or by an echo that came late."""
    return answer.startswith(b"/") and answer.rstrip().endswith(b"!") and b"\n/" not in answer


def _several(answers: list[bytes]) -> bool:
    """Whether damaged answers look like a collision: two names in one, or damaged alike each time.

    Names are short: what goes on and on is noise, in which anything can be found.
    """
    answers = [answer for answer in answers if len(answer) <= _MAX_NAMES]
    collided = len(answers) > 1 and answers[0] == answers[-1] and b"/" in answers[0]
    return collided or any(len(_NAME.findall(answer)) > 1 for answer in answers)
