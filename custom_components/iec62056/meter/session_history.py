"""History of the sessions with one meter: the last good and the last bad one, failures in a row, the probe's signal."""

from datetime import datetime
from typing import Final, NamedTuple

from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from ..protocol.errors import LineError, MeterError
from ..protocol.model import Health
from ..protocol.transport.trace import Trace
from .alignment_run import ProbeSignal, of_failure, of_health
from .backoff import Backoff

# So often in a row the meter must have been silent before it is searched for, and then after twice as often each time.
LOST_AFTER: Final = 3


class TracedSession(NamedTuple):
    """What went over the line, and when it ended (UTC)."""

    ended: datetime
    trace: Trace


class SessionHistory:
    """What the sessions with one meter have shown since the start."""

    def __init__(self) -> None:
        """There was no session yet."""
        self.signal = ProbeSignal()
        self.backoff = Backoff()
        self.last_good: TracedSession | None = None
        self.last_bad: TracedSession | None = None
        # The loop's time in seconds when the line was last open; None where the last reading could not open it.
        self.opened_at: float | None = None
        self._trace: Trace | None = None
        self._silent_failures = 0

    @callback
    def begin(self) -> None:
        """A reading begins; its line is not open yet."""
        self._trace = self.opened_at = None

    @callback
    def opened(self, trace: Trace, at: float) -> None:
        """The line is open, at that time of the loop."""
        self._trace, self.opened_at = trace, at

    @callback
    def succeeded(self, health: Health) -> None:
        """Count a good reading."""
        self.backoff.reset()
        self._silent_failures = 0
        self.signal.show(of_health(health))

    @callback
    def keep_good(self) -> None:
        """Keep the trace of the session that was good, for the diagnostics."""
        self.last_good = self._session() or self.last_good

    @callback
    def failed(self, err: MeterError) -> None:
        """Count a failed reading."""
        self.last_bad = self._session() or self.last_bad
        self.backoff.fail()
        if not isinstance(err, LineError):
            self._silent_failures += 1
        self.signal.show(of_failure(err))

    def _session(self) -> TracedSession | None:
        return None if self._trace is None else TracedSession(dt_util.utcnow(), self._trace)

    @property
    def is_lost(self) -> bool:
        """Whether the way that led to the meter is to be given up for once: seldom, for a search takes the line long."""
        times, rest = divmod(self._silent_failures, LOST_AFTER)
        return times.bit_count() == 1 and not rest
