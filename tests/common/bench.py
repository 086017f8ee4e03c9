"""A meter without a line: what the integration sees of the client, under the hand of a test."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter import connection
from custom_components.iec62056.protocol import obis
from custom_components.iec62056.protocol.ascii.passwords import Password
from custom_components.iec62056.protocol.ascii.sign_on import WHOLE_EFFORT, RetryPolicy
from custom_components.iec62056.protocol.discovery import DiscoveryHints
from custom_components.iec62056.protocol.errors import MeterError, NoAnswer
from custom_components.iec62056.protocol.model import (
    CheckKind,
    Health,
    Identification,
    LineProfile,
    Medium,
    Mode,
    Progress,
    ProgressCallback,
    Reading,
    Register,
    Stage,
    Value,
    Verdict,
)
from custom_components.iec62056.protocol.register_session import NOTHING, Permits
from custom_components.iec62056.protocol.transport.trace import Direction, LineStats, Trace
from custom_components.iec62056.state.meter_state import MeterState

from .waiting import until

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NUMBER = "34567812"
PORT = "/dev/serial/by-id/usb-Probe_1234-if00-port0"
OTHER_PORT = "/dev/serial/by-id/usb-Probe_5678-if00-port0"

IDENTIFICATION = Identification("/LGZ4ZMF100AC.M26", "LGZ", "4", (), "ZMF100AC.M26")
GOOD_HEALTH = Health(
    check=Verdict.RIGHT,
    check_kind=CheckKind.XOR,
    characters=400,
    duration=4.2,
    speed=4800,
    mode=Mode.C,
)
NO_CHECK = replace(GOOD_HEALTH, check=Verdict.ABSENT, check_kind=CheckKind.NONE)

HOUSEHOLD = {
    "C.1.0": [NUMBER],
    "0.2.0": ["M26"],
    "F.F": ["00000000"],
    "1.8.0": ["012345.678*kWh"],
    "1.8.1": ["012000.178*kWh"],
    "1.8.2": ["000345.500*kWh"],
    "2.8.0": ["000012.003*kWh"],
    "1.6.0": ["03.210*kW", "26-11-20 18:15"],
    "32.7": ["231.4*V"],
    "16.7": ["001.250*kW"],
    "1.8.0*01": ["011800.000*kWh"],
    "ZZ1": ["hello"],
}


def values(*brackets: str) -> tuple[Value, ...]:
    """Brackets as a telegram shows them: text, or text*unit."""
    return tuple(
        Value(text, unit or None)
        for text, _, unit in (bracket.partition("*") for bracket in brackets)
    )


def register(address: str, *brackets: str, medium: Medium = Medium.ELECTRICITY) -> Register:
    return Register(address, obis.parse(address, medium), values(*brackets))


def reading(
    registers: dict[str, list[str]] | None = None,
    *,
    at: datetime = START,
    identification: Identification | None = IDENTIFICATION,
    health: Health = GOOD_HEALTH,
    medium: Medium = Medium.ELECTRICITY,
) -> Reading:
    """A reading of the household, or of `registers`."""
    sent = HOUSEHOLD if registers is None else registers
    block = "".join(
        f"{address}{''.join(f'({bracket})' for bracket in brackets)}\r\n"
        for address, brackets in sent.items()
    )
    return Reading(
        identification,
        tuple(register(address, *brackets, medium=medium) for address, brackets in sent.items()),
        at,
        health,
        raw=f"{'' if identification is None else identification.raw}\r\n\x02{block}!\r\n\x03B".encode(),
    )


def joined(read: Reading, profile: LineProfile, before: MeterState | None) -> MeterState:
    """What is known after a reading that is published as it is."""
    received = MeterState.of(read, profile).registers
    return MeterState.joined(read, received, profile, before)


class Damaged(NamedTuple):
    """A meter that was understood, though so many characters came damaged."""

    wrong: int


class FakeLine:
    """A line nobody speaks on."""

    def __init__(self, url: str, speed: int) -> None:
        self.name = url
        self.speed = speed
        self.tally = LineStats()
        self.grace = 0.05
        self.trace = Trace()
        self.closed = False

    async def close(self) -> None:
        self.closed = True


@dataclass
class Bench:
    """The meters behind all ports: answers in order, the last one again and again."""

    answers: list[Reading | Exception] = field(default_factory=lambda: [reading()])
    # Ports whose meter does not answer.
    silent: set[str] = field(default_factory=set)
    learned: Callable[[LineProfile], LineProfile] = lambda profile: replace(
        profile, medium=profile.medium or Medium.ELECTRICITY
    )
    progress: list[Progress] = field(
        default_factory=lambda: [
            Progress(Stage.SIGN_ON),
            Progress(Stage.READING, 10, 1, 4800),
            Progress(Stage.READING, 900, 12, 4800),
        ]
    )
    open_error: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    reads: int = 0
    lines: list[FakeLine] = field(default_factory=list)
    profiles: list[LineProfile] = field(default_factory=list)
    calls: list[Identification | Exception | Damaged] = field(
        default_factory=lambda: [IDENTIFICATION]
    )
    called: asyncio.Event = field(default_factory=asyncio.Event)
    identified: int = 0
    discoveries: list[DiscoveryHints] = field(default_factory=list)
    efforts: list[RetryPolicy] = field(default_factory=list)
    passwords: list[Password | None] = field(default_factory=list)
    permits: list[Permits] = field(default_factory=list)
    pushes: asyncio.Queue[Reading | Exception] = field(default_factory=asyncio.Queue)
    hosts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate.set()
        self.called.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Give the loop and its threads time until the condition holds."""
        await until(condition)

    def waiting(self, hass: HomeAssistant) -> int:
        """How many hold a port or stand in its queue."""
        ports = hass.data.get(connection._PORTS, {}).values()
        return sum(port.queue.waiting + (port.line is not None) for port in ports)

    @property
    def open_lines(self) -> int:
        return sum(not line.closed for line in self.lines)

    async def address(self, _hass: HomeAssistant, host: str) -> str:
        """In place of a look-up of the host's name."""
        return self.hosts.get(host, host)

    async def open_line(self, url: str, *, speed: int, watched: bool = False) -> FakeLine:
        if self.open_error is not None:
            raise self.open_error
        assert not any(line.name == url and not line.closed for line in self.lines), "two masters"
        self.lines.append(FakeLine(url, speed))
        return self.lines[-1]

    def meter(
        self,
        line: FakeLine,
        profile: LineProfile,
        progress: ProgressCallback | None = None,
        effort: RetryPolicy = WHOLE_EFFORT,
        keyring: object = None,
        *,
        password: Password | None = None,
        permits: Permits = NOTHING,
    ) -> FakeMeter:
        self.passwords.append(password)
        self.permits.append(permits)
        self.profiles.append(profile)
        self.efforts.append(effort)
        return FakeMeter(self, line, profile, progress)

    async def discover(
        self, line: FakeLine, hints: DiscoveryHints, progress: ProgressCallback | None = None
    ) -> tuple[LineProfile, Reading]:
        """The whole discovery; the meter is on its first step."""
        self.discoveries.append(hints)
        meter = self.meter(line, hints.profile, progress)
        first = await meter.read_all()
        return meter.profile, first


class FakeMeter:
    """The client's face towards the integration."""

    def __init__(
        self,
        bench: Bench,
        line: FakeLine,
        profile: LineProfile,
        progress: ProgressCallback | None,
    ) -> None:
        self.profile = profile
        self.refusal: MeterError | None = None
        self._bench = bench
        self._line = line
        self._progress = progress

    async def read_all(self) -> Reading:
        bench = self._bench
        bench.reads += 1
        for step in bench.progress if self._progress else ():
            assert self._progress is not None
            self._progress(step)
            await asyncio.sleep(0)
        await bench.gate.wait()
        if self._line.name in bench.silent:
            raise NoAnswer
        if self.profile.mode is Mode.D:
            answer: Reading | Exception = await bench.pushes.get()
        else:
            answer = bench.answers.pop(0) if len(bench.answers) > 1 else bench.answers[0]
        self.profile = bench.learned(self.profile)
        if isinstance(answer, Exception):
            raise answer
        self._line.trace.add(Direction.SENT, 0.0, 300, b"/?!\r\n")
        # A pause in the middle of the meter's number: what is masked must not depend on it.
        cut = max(answer.raw.find(NUMBER.encode()) + 4, 1)
        self._line.trace.add(Direction.RECEIVED, 1.0, 4800, answer.raw[:cut])
        self._line.trace.add(Direction.RECEIVED, 3.0, 4800, answer.raw[cut:])
        return answer

    async def identify(self) -> Identification:
        bench = self._bench
        bench.identified += 1
        await bench.called.wait()
        answer = bench.calls.pop(0) if len(bench.calls) > 1 else bench.calls[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Damaged):
            self._line.tally.count(b"\xb1" * 40 + b"\x31" * answer.wrong)
            return IDENTIFICATION
        return answer

    async def listen(self) -> AsyncGenerator[Reading]:
        while True:
            answer = await self._bench.pushes.get()
            if isinstance(answer, MeterError):
                raise answer
            assert isinstance(answer, Reading)
            self.profile = self._bench.learned(self.profile)
            yield answer


def later(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def entity_id(hass: HomeAssistant, key: str, meter: str = f"LGZ_{NUMBER}") -> str:
    """The entity of one register; its name is the catalogue's business."""
    found = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{meter}_{key}")
    assert found is not None, key
    return found


def state(hass: HomeAssistant, key: str, meter: str = f"LGZ_{NUMBER}") -> State:
    """The state of one register."""
    found = hass.states.get(entity_id(hass, key, meter))
    assert found is not None, key
    return found
