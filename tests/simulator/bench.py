"""A client of the simulated wire that moves time itself: no waits, no ports."""

from simulator import Household, Kind, Link, Log, Meter
from simulator.wire import Wire, even


class Stock:
    """Content that never changes."""

    def __init__(self, lines: bytes = b"1.8.0(000123.4*kWh)\r\n2.8.0(000005.6*kWh)\r\n") -> None:
        self.lines = lines

    def block(self) -> bytes:
        return self.lines


class Bench:
    """One wire, its time, and what the client has read."""

    def __init__(self, *meters: Meter, link: Link = Link.EIGHT, **settings: object) -> None:
        self.log = Log()
        self.wire = Wire(meters or (Meter(Household()),), self.log, link=link, **settings)  # type: ignore[arg-type]
        self.now = 100.0
        self.link = link
        self.read = b""
        self.wire.begin(self.now)

    def write(self, text: str | bytes) -> None:
        """Hand characters over; no time passes."""
        octets = text.encode("ascii") if isinstance(text, str) else text
        if self.link is Link.EIGHT:
            octets = bytes(map(even, octets))
        self.write_raw(octets)

    def write_raw(self, octets: bytes) -> None:
        self.wire.client_writes(octets, self.now)

    def switch(self, speed: int) -> None:
        self.wire.client_switches(speed, self.now, self.now)
        self.read += self.wire.take()

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.wire.advance(self.now)
        self.read += self.wire.take()

    def run_until(self, kind: Kind, count: int = 1, limit: float = 60.0) -> float:
        """Let time pass, due moment by due moment, until the log holds that; returns the time of the event."""
        end = self.now + limit
        while len(self.log.of(kind)) < count:
            assert self.wire.due <= end, f"no {kind} within {limit} s: {list(self.log.events)}"
            self.run(max(0.0, self.wire.due - self.now))
        return self.log.of(kind)[count - 1].at

    @property
    def text(self) -> str:
        """What was read, without parity bits."""
        return bytes(octet & 0x7F for octet in self.read).decode("ascii")

    def sign_on(self, request: str = "/?!\r\n") -> None:
        """Request, and the time for the identification."""
        self.write(request)
        self.run_until(Kind.IDENTIFIED)
        self.run(0.2)

    def select(self, option: str, speed: int) -> None:
        """Option select, and a change of speed as soon as it has left."""
        self.write(option)
        self.run(len(option) * 10 / 300)
        self.switch(speed)
