"""Runs an HDLC link over the line, with its deadlines."""

from contextlib import suppress

from ..dlms_errors import HdlcLost, HdlcSilent, SevenBits
from ..errors import LineError, MeterError
from ..model import ParitySeen, Progress, ProgressCallback, Stage
from ..reasons import Lost
from ..transport.line import Line
from .frame import MAX_INFORMATION, Address, Frame, Kind
from .hdlc import Connected, Connection, Disconnected, Event, NotReady, Received, State
from .negotiation import MAX_WINDOW, Parameters

# As much as the standard allows (IEC 62056-46 6.4.4.4.3.2): a meter takes what it can of it.
WISH = Parameters(MAX_INFORMATION, MAX_INFORMATION, MAX_WINDOW, MAX_WINDOW)
# The longest a meter may think, in seconds: a long list is put together first.
ANSWER = 3.0
# Frames of a window follow one another; octets of a frame 25 ms at most (0.0.22.0.0, attribute 7).
BETWEEN = 1.0
# A meter that is busy (RNR, or RR without an answer) is asked again after that, for so long, in seconds.
BUSY_PAUSE = 0.2
BUSY_LIMIT = 60.0
# One exchange: the longest message at 300 Bd takes that long twice.
EXCHANGE_LIMIT = 900.0
# To open or to end a link is a word each way, tried three times.
TURN_LIMIT = 60.0


def farewell(client: int, server: Address) -> bytes:
    """The DISC that ends a link, whoever opened it."""
    return Frame(Kind.DISC, server, Address(client)).encode()


class Link:
    """One link of one client address to one meter on an open, binary line."""

    def __init__(
        self,
        line: Line,
        client: int,
        server: Address,
        progress: ProgressCallback | None = None,
    ) -> None:
        """Nothing is sent yet."""
        self._line = line
        self._progress = progress
        self._connection = Connection(Address(client), server, WISH)
        self._before = line.tally.copy()
        self._eighth_bit = False
        self.turns = 0
        """How often the meter had the turn, so far."""
        self._heard_at = line.now()
        self._secret = False

    @property
    def parameters(self) -> Parameters:
        """What was agreed."""
        return self._connection.parameters

    @property
    def is_up(self) -> bool:
        """Whether it can carry another message."""
        return self._connection.state is State.UP

    @property
    def idle(self) -> float:
        """How long the meter has said nothing, in seconds: its inactivity time-out runs from then."""
        return self._line.now() - self._heard_at

    @property
    def retransmissions(self) -> int:
        """How often frames had to be asked for or sent again, or came damaged."""
        return self._connection.retransmissions + self._connection.damaged

    @property
    def echo(self) -> bool:
        """Whether our own frames came back."""
        return self._connection.echo

    async def connect(self) -> None:
        """Set the link up. Raises HdlcSilent, HdlcRefused, SevenBits, LineError."""
        self._connection.connect()
        try:
            await self._until(Connected, TURN_LIMIT)
        except HdlcSilent as err:
            heard = self._line.tally.since(self._before).characters
            cut = heard > 0 and not self._eighth_bit
            if cut or self._line.tally.parity is ParitySeen.STRIPPED:
                raise SevenBits(port=self._line.name) from err
            raise

    async def request(self, apdu: bytes, *, secret: bool = False) -> bytes:
        """Send a message and hear its answer. Raises DlmsError where the link is lost, LineError."""
        self._connection.send(apdu)
        # Until it is answered, its echo may come behind whatever is said next.
        self._secret = secret
        event = await self._until(Received)
        self._secret = False
        return event.apdu

    async def disconnect(self) -> bool:
        """End the link, and whether the meter confirmed it; nothing is raised where the meter or the line is gone.

        A meter that has not said a word is not waited for.
        """
        if not self._eighth_bit:
            await self.abandon()
            return False
        self._connection.disconnect()
        heard_at = self._heard_at
        try:
            await self._until(Disconnected, TURN_LIMIT)
        except MeterError:
            return False
        return self._heard_at > heard_at

    async def abandon(self) -> None:
        """End the link without hearing whether the meter did; nothing is raised where the line is gone."""
        self._connection.disconnect()
        with suppress(LineError):
            await self._line.write(self._connection.output(), secret=self._secret)

    async def _until[E: Event](self, wanted: type[E], limit: float = EXCHANGE_LIMIT) -> E:
        """Keep the conversation going until that happened and the turn is ours again."""
        line, connection = self._line, self._connection
        end = line.now() + limit
        busy_until = line.now() + BUSY_LIMIT
        segments = connection.segments
        found: E | None = None
        deadline = line.now()
        while True:
            if output := connection.output():
                await line.write(output, secret=self._secret)
                deadline = line.sent_at + ANSWER + line.grace
                self.turns += 1
            if found is not None and not connection.waiting:
                return found
            events = await self._hear(min(deadline, end))
            if line.now() >= end:
                raise HdlcLost(why=Lost.ENDLESS)
            if events is None:
                events = connection.timeout()
            else:
                # What came first may be our own echo.
                deadline = max(deadline, line.now() + BETWEEN + line.grace)
            if connection.segments != segments:
                segments, busy_until = connection.segments, line.now() + BUSY_LIMIT
            for event in events:
                if isinstance(event, wanted):
                    found = event
                elif isinstance(event, NotReady):
                    if line.now() > busy_until:
                        raise HdlcLost(why=Lost.BUSY)
                    await line.sleep_until(line.now() + BUSY_PAUSE)
                    events += connection.timeout()

    async def _hear(self, deadline: float) -> list[Event] | None:
        """What happened by the next octets; None where none came in time."""
        line = self._line
        run = await line.read(deadline)
        if not run:
            return None
        self._eighth_bit |= any(octet > 0x7F for octet in run)
        self._heard_at = line.now()
        if self._progress is not None:
            characters = line.tally.since(self._before).characters
            self._progress(Progress(Stage.READING, characters, speed=line.speed))
        return self._connection.receive(run)
