"""Our own characters that come back: from a probe's reflection, a current loop, a two-wire bus.

What tells an echo from an answer:
* A meter does not answer before our message is over, so what arrives until then and resembles the message is its
  echo, even damaged.
* What arrives later is an echo only where it is the message itself: every character of it, or, on a line known to
  echo, nearly so. `/?!` of an echo is gone before `/LGZ` of an answer comes; one `/` alone is kept back until the next
  character decides.
* A line that let one message pass without an echo does not echo the next. So the answer of a meter that repeats our
  words (a break, the acknowledgement of mode E) is left alone.
"""

from collections import deque
from dataclasses import dataclass
from difflib import SequenceMatcher

from .trace import CLEAR_BIT_7

# A longer message is told by its beginning: comparing costs the square of its length.
_COMPARED = 256


def length_of_echo(sent: bytes, got: bytes) -> int:
    """How many of the first characters of `got` are a damaged echo of `sent`; 0 where it is something else.

    Two characters, or one in eight, may be wrong, lost or added. More must not be: the answer to a command repeats
    most of it (`SOH R1 STX 1.8.0()` is answered by `STX 1.8.0(...)`), and is three characters away at least.
    """
    compared = sent[:_COMPARED]
    got = got[: len(compared)]
    wrong, end = min(_changed(compared, got), _shifted(compared, got))
    return end + len(sent) - len(compared) if wrong <= max(2, len(compared) // 8) else 0


def _changed(sent: bytes, got: bytes) -> tuple[int, int]:
    """How many characters are wrong where each stands in its place, and where the last right one ends."""
    right = [place for place, pair in enumerate(zip(sent, got, strict=False)) if pair[0] == pair[1]]
    return len(sent) - len(right), right[-1] + 1 if right else 0


def _shifted(sent: bytes, got: bytes) -> tuple[int, int]:
    """The same where characters were lost or added."""
    wrong = end = 0
    steps = SequenceMatcher(None, sent, got, autojunk=False).get_opcodes()
    for kind, sent_from, sent_to, got_from, got_to in steps:
        if kind == "equal":
            end = got_to
        elif sent_to == len(sent):
            # The rest never came: what stands in its place may already be the answer.
            wrong += sent_to - sent_from
        else:
            wrong += max(sent_to - sent_from, got_to - got_from)
    return wrong, end


@dataclass(slots=True)
class _Message:
    """What was sent (bit 7 clear), when its last character has left, and whether damage is allowed for."""

    sent: bytes
    sent_at: float
    tolerant: bool = False


class EchoFilter:
    """Takes the echo out of a line's input. Times are monotonic seconds; `lag` is how late an echo may be."""

    def __init__(self, lag: float) -> None:
        self._lag = lag
        self._messages: deque[_Message] = deque()
        self._held = bytearray()
        self._echoes: bool | None = None
        self.echoed = 0

    def expect(self, data: bytes, sent_at: float) -> None:
        """Await the echo of a message whose last character leaves at `sent_at`."""
        self._messages.append(_Message(data.translate(CLEAR_BIT_7), sent_at))

    @property
    def due(self) -> float | None:
        """When the characters kept back must be decided upon by `settle`; None where there are none."""
        return self._until(self._messages[0]) if self._held else None

    def feed(self, data: bytes, now: float) -> bytes:
        """Take a run of received characters (bit 7 as it came); return what is certainly no echo."""
        free = self.settle(now)
        self._held += data
        return free + self.settle(now)

    def settle(self, now: float) -> bytes:
        """Decide whatever can be decided by now; return what was kept back in vain."""
        while self._messages:
            message = self._messages[0]
            over = now >= self._until(message)
            if not (self._held or over):
                return b""
            message.tolerant |= bool(self._echoes or now < message.sent_at)
            length = self._judge(message, over=over)
            if length is None:
                return b""
            self._messages.popleft()
            self._echoes = length > 0
            self.echoed += length
            del self._held[:length]
        return self._take()

    def finish(self) -> bytes:
        """Give up waiting for echoes, because the line is gone; return what was kept back."""
        self._messages.clear()
        return self._take()

    def drop(self) -> None:
        """Forget the characters kept back; the rest of an echo that began is still awaited."""
        if self._held:
            # Fewer are held than were sent, or they would have been decided upon.
            self._messages[0].sent = self._messages[0].sent[len(self._held) :]
            self._held.clear()

    def _until(self, message: _Message) -> float:
        """The latest arrival of an echo of the first message awaited."""
        waits = self._held or self._echoes is not False
        return message.sent_at + (self._lag if waits else 0.0)

    def _judge(self, message: _Message, *, over: bool) -> int | None:
        """How many of the held characters are the echo of `message`; None while more of them are needed."""
        sent = message.sent
        got = bytes(self._held).translate(CLEAR_BIT_7)
        if got.startswith(sent):
            return len(sent)
        if message.tolerant:
            return length_of_echo(sent, got) if over or len(got) >= len(sent) else None
        return None if sent.startswith(got) and not over else 0

    def _take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken
