"""State machine of one HDLC link of a client (primary station, normal response mode).

The caller writes `output()`, feeds what comes to `receive()`, and calls `timeout()` when it has waited long enough for an
answer.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from ..dlms_errors import DlmsMalformed, DlmsUnsent, HdlcLost, HdlcRefused, HdlcSilent
from ..reasons import Lost, Unsent
from .frame import Address, Frame, Kind, frame_at
from .negotiation import MAX_WINDOW, Parameters
from .scanner import FLAG, Scanner

# IEC 62056-46 6.2.3: destination LSAP E6, source LSAP E6 (command) or E7 (response), quality 00.
_LLC_COMMAND = b"\xe6\xe6\x00"
_LLC_RESPONSE = b"\xe6\xe7\x00"

# The longest PDU a client can announce, with its LLC.
MAX_MESSAGE = 0xFFFF + len(_LLC_RESPONSE)
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Connected:
    """The meter took the link; `parameters` is what was agreed."""

    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Received:
    """One whole message of the meter, without its LLC."""

    apdu: bytes


@dataclass(frozen=True, slots=True)
class NotReady:
    """The meter is there but has nothing to say yet: wait a while, then call `timeout()` to ask again."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The link is down, as was asked."""


type Event = Connected | Received | NotReady | Disconnected


class State(Enum):
    """Where the link is."""

    DOWN = "down"
    CONNECTING = "connecting"
    UP = "up"
    DISCONNECTING = "disconnecting"


@dataclass(slots=True)
class _Segment:
    """A part of a message on its way out."""

    information: bytes
    more: bool


class Connection:
    """The link to one meter.

    After an error the link is DOWN: `disconnect()` and `connect()` begin again. With a limit on every buffer, it
    holds at most the message that comes and the message that goes.
    """

    def __init__(self, client: Address, server: Address, wish: Parameters | None = None) -> None:
        """Nothing is sent yet. `wish` is what the SNRM asks for; None sends it without parameters."""
        self._client = client
        self._server = server
        self._wish = wish
        self._deframer = Scanner({FLAG: frame_at})
        self._output: list[Frame] = []
        self._expected_echo: deque[Frame] = deque()
        self.state = State.DOWN
        self.parameters = Parameters()
        self.waiting = False
        """Whether it is the meter's turn."""
        self.retransmissions = 0
        """How often frames had to be asked for or sent again, so far."""
        self.segments = 0
        """How many segments the meter took or gave, so far."""
        self.echo = False
        """Whether frames of our own came back."""
        self._offered: Parameters | None = None
        self._refused = False
        self._reset()

    def _reset(self) -> None:
        self._send_state = 0
        self._receive_state = 0
        self._unsent: deque[_Segment] = deque()
        self._unacknowledged: deque[_Segment] = deque()
        self._message = bytearray()
        self._delivered = False
        self._tries = 0

    @property
    def damaged(self) -> int:
        """Frames that arrived damaged, so far."""
        return self._deframer.damaged

    # What the client does.

    def connect(self) -> None:
        """Begin: SNRM."""
        self._reset()
        self._refused = False
        self.state = State.CONNECTING
        self._snrm(self._wish)

    def send(self, apdu: bytes) -> None:
        """Send a message; its answer comes as `Received`. Raises DlmsUnsent where it is not the client's turn."""
        if self.state is not State.UP or self.waiting:
            raise DlmsUnsent(why="the link is not free")
        if len(apdu) + len(_LLC_COMMAND) > MAX_MESSAGE:
            raise DlmsUnsent(why=Unsent.LONG)
        message = _LLC_COMMAND + apdu
        size = self.parameters.transmit
        parts = [message[start : start + size] for start in range(0, len(message), size)]
        self._unsent = deque(_Segment(part, more=True) for part in parts)
        self._unsent[-1].more = False
        self._tries = 0
        self._message.clear()
        self._delivered = False
        self._window()

    def disconnect(self) -> None:
        """End the link with DISC, in whatever state it is: it also clears one that an earlier client left open."""
        self._reset()
        self.state = State.DISCONNECTING
        self._queue(Kind.DISC)

    def output(self) -> bytes:
        """What is to be written now; it is handed out once."""
        frames, self._output = self._output, []
        if frames:
            self._expected_echo = deque(frames, MAX_WINDOW)
        return b"".join(frame.encode() for frame in frames)

    # What the meter does.

    def receive(self, octets: bytes) -> list[Event]:
        """What happened by these octets. Raises HdlcRefused, HdlcLost and DlmsMalformed."""
        return self._frames(self._deframer.feed(octets))

    def timeout(self) -> list[Event]:
        """The meter should have answered by now: ask again. Raises HdlcSilent or HdlcLost after a few times.

        In an open link RR asks first: its answer tells what was lost. What is unacknowledged goes out again only
        where nothing answers, with the same number, so that a meter knows it (IEC 62056-46 6.4.4.5).
        """
        if frames := self._deframer.silence():
            return self._frames(frames)
        if not self.waiting:
            return []
        self._tries += 1
        match self.state:
            case State.CONNECTING:
                if self._tries == _TRIES:
                    raise self._down(HdlcSilent())
                self._snrm(None if self._tries == _TRIES - 1 else self._wish)
            case State.DISCONNECTING:
                if self._tries == 2:
                    # A meter that says nothing has left by itself, or will (inactivity time-out).
                    return self._disconnected()
                self._queue(Kind.DISC)
            case _:
                self._ask_again()
        return []

    def _ask_again(self) -> None:
        if self._delivered:
            # The message is whole, only the final bit was missing.
            self.waiting = False
        elif self._tries > _TRIES:
            raise self._lost(Lost.SILENT)
        else:
            self.retransmissions += 1
            if self._tries == 2 and self._unacknowledged:
                self._repeat()
            else:
                self._queue(Kind.RR)

    def _frames(self, frames: list[Frame]) -> list[Event]:
        events: list[Event] = []
        for frame in frames:
            if self._is_echo(frame):
                self.echo = True
            elif frame.destination == self._client and frame.source.answers_for(self._server):
                self._expected_echo.clear()
                events += self._frame(frame)
        return events

    def _is_echo(self, frame: Frame) -> bool:
        """Whether this is our own frame, reflected by the probe.

        Where client and server have the same address (1 and 1), only what was just sent can tell.
        """
        if self._client != self._server:
            return frame.source == self._client and frame.destination == self._server
        if self._expected_echo and self._expected_echo[0] == frame:
            self._expected_echo.popleft()
            return True
        return frame.kind in (Kind.SNRM, Kind.DISC)

    def _frame(self, frame: Frame) -> list[Event]:
        match self.state:
            case State.CONNECTING:
                return self._connecting(frame)
            case State.DISCONNECTING if frame.kind in (Kind.UA, Kind.DM):
                return self._disconnected()
            case State.UP if self.waiting or frame.kind in (Kind.DM, Kind.FRMR):
                return self._up(frame)
        return []

    def _disconnected(self) -> list[Event]:
        self.state = State.DOWN
        self.waiting = False
        return [Disconnected()]

    def _connecting(self, frame: Frame) -> list[Event]:
        match frame.kind:
            case Kind.UA:
                asked = self._offered or Parameters()
                self.parameters = asked.agreed(frame.information)
                self.state = State.UP
                self.waiting = False
                return [Connected(self.parameters)]
            case Kind.DM | Kind.FRMR:
                # Some meters refuse an SNRM only for its parameters.
                if self._refused or self._offered is None:
                    raise self._down(HdlcRefused())
                self._refused = True
                self._snrm(None)
        return []

    def _up(self, frame: Frame) -> list[Event]:
        match frame.kind:
            case Kind.DM:
                raise self._lost(Lost.CLOSED)
            case Kind.FRMR:
                raise self._lost(Lost.REJECTED)
            case Kind.UA | Kind.UI | Kind.SNRM | Kind.DISC:
                # A late answer to a repeated SNRM, or a message outside the link.
                return []
        last = (self._receive_state - 1) % 8
        came_before = frame.kind is Kind.INFORMATION and frame.send == last
        self._acknowledge(frame.receive)
        events = self._information(frame) if frame.kind is Kind.INFORMATION else []
        if frame.final and self._delivered:
            self.waiting = False
        elif frame.final and (self._tries or not came_before):
            # Else the meter was asked twice and answered twice: what was said since is on its way.
            events += self._turn(frame)
        return events

    def _acknowledge(self, receive: int) -> None:
        acknowledged = (receive - self._first_unacknowledged) % 8
        if acknowledged > len(self._unacknowledged):
            # The number of an old frame that came twice; the numbers of the segments tell what is new.
            return
        if acknowledged:
            self._tries = 0
            self.segments += acknowledged
        for _ in range(acknowledged):
            self._unacknowledged.popleft()

    @property
    def _first_unacknowledged(self) -> int:
        return (self._send_state - len(self._unacknowledged)) % 8

    def _information(self, frame: Frame) -> list[Event]:
        """Take the segment that is expected; any other has come before, or will be asked for."""
        if frame.send != self._receive_state or self._delivered:
            return []
        self._receive_state = (self._receive_state + 1) % 8
        self._tries = 0
        self.segments += 1
        self._message += frame.information
        if len(self._message) > MAX_MESSAGE:
            raise self._down(DlmsMalformed(why="it is too long"))
        if frame.segmented:
            return []
        if not self._message.startswith(_LLC_RESPONSE):
            raise self._down(DlmsMalformed(why="it is not addressed as an answer"))
        apdu = bytes(self._message[len(_LLC_RESPONSE) :])
        self._message.clear()
        self._delivered = True
        # An answer tells that the request arrived, also where its N(R) was not kept up.
        self._unacknowledged.clear()
        return [Received(apdu)]

    def _turn(self, frame: Frame) -> list[Event]:
        """The meter gave the turn back, and its message is not whole."""
        if frame.kind is Kind.RNR:
            return self._not_ready()
        if self._unacknowledged:
            self._count_try()
            self._repeat()
        elif self._unsent:
            self._window()
        elif frame.kind is Kind.INFORMATION:
            if frame.send != (self._receive_state - 1) % 8:
                self._count_try()
            self._queue(Kind.RR)
        else:
            return self._not_ready()
        return []

    def _not_ready(self) -> list[Event]:
        # The meter is alive: how long it may take is the caller's to say.
        self._tries = 0
        return [NotReady()]

    def _count_try(self) -> None:
        self._tries += 1
        self.retransmissions += 1
        if self._tries > _TRIES:
            raise self._lost(Lost.FRAMES)

    # What goes out.

    def _snrm(self, offered: Parameters | None) -> None:
        self._offered = offered
        self._queue(Kind.SNRM, b"" if offered is None else offered.encode())

    def _window(self) -> None:
        """Send as much as the meter takes at once."""
        while self._unsent and len(self._unacknowledged) < self.parameters.transmit_window:
            self._unacknowledged.append(self._unsent.popleft())
            self._send_state = (self._send_state + 1) % 8
        self._repeat()

    def _repeat(self) -> None:
        """Send what is unacknowledged, from the first: for the first time or again."""
        first = self._first_unacknowledged
        last = len(self._unacknowledged) - 1
        for place, segment in enumerate(self._unacknowledged):
            self._output.append(
                Frame(
                    Kind.INFORMATION,
                    self._server,
                    self._client,
                    final=place == last,
                    send=(first + place) % 8,
                    receive=self._receive_state,
                    segmented=segment.more,
                    information=segment.information,
                )
            )
        self.waiting = True

    def _queue(self, kind: Kind, information: bytes = b"") -> None:
        """Send a frame that gives the turn to the meter."""
        self._output.append(
            Frame(
                kind,
                self._server,
                self._client,
                receive=self._receive_state if kind.numbered else 0,
                information=information,
            )
        )
        self.waiting = True

    def _lost(self, why: Lost) -> HdlcLost:
        return self._down(HdlcLost(why=why))

    def _down[E: Exception](self, error: E) -> E:
        self.state = State.DOWN
        self.waiting = False
        self._output.clear()
        self._reset()
        return error
