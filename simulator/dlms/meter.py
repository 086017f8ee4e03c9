"""A tariff device of mode E as a conversation in time: sign-on, option select, frames at the new speed."""

from collections.abc import Generator
from dataclasses import dataclass
from math import inf
from typing import override

from ..log import Kind, Log
from ..manners import SPEED_CHARACTERS, Manners, Mode
from ..meter import Content, Meter
from ..wire import DAMAGED, Conversation, Listen, Send, even
from .device import Device
from .frames import Collector, LinkFaults, Station, address

_SPEEDS = {character: speed for speed, character in SPEED_CHARACTERS[Mode.C].items()}


@dataclass(slots=True)
class BinaryManners:
    """What the device is like in mode E. Times in seconds.

    `announced`: whether its identification says so. `repeats`: whether it repeats the option select at the new
    speed. `at_once`: it hears frames without a sign-on. `reads_out`: it serves mode C too. `reaction` is from the last
    octet of a window to its answer, `inactivity` until it hangs up by itself. `ignores_option`: it
    sends its readout (or nothing) whatever is asked.
    """

    logical: int = 1
    physical: int | None = None
    octets: int = 1
    size: int = 128
    window: int = 1
    announced: bool = True
    repeats: bool = True
    at_once: bool = False
    reads_out: bool = False
    ignores_option: bool = False
    reaction: float = 0.02
    inactivity: float = 120.0


class BinaryMeter(Meter):
    """One device of mode E."""

    @override
    def __init__(
        self,
        content: Content,
        device: Device,
        manners: Manners | None = None,
        *,
        binary: BinaryManners | None = None,
        link_faults: LinkFaults | None = None,
    ) -> None:
        """`content` is what a readout in mode C holds."""
        super().__init__(content, manners)
        self.device = device
        self.binary = binary or BinaryManners()
        own = address(self.binary.logical, self.binary.physical, self.binary.octets)
        self.station = Station(
            own,
            device.answer,
            size=self.binary.size,
            window=self.binary.window,
            faults=link_faults,
        )
        if self.binary.announced and self.manners.ident == "":
            named = self.manners.identification() or ""
            self.manners.ident = f"{named[:5]}\\2{named[5:]}"

    @override
    def conversation(self, log: Log, speed_up: float) -> Conversation:
        """Its life, from power on."""
        if not self.binary.at_once:
            yield from super().conversation(log, speed_up)
        self._log = log
        self._speed_up = speed_up
        while True:
            yield from self._frames(self.manners.speed, inf)

    @override
    def _other_option(self, option: str) -> Conversation | None:
        """What follows an option select for mode E (Std 6.4.5); None where it is another."""
        chosen = option[2:3] if option[:2] == "\x062" and option[3:] == "2\r\n" else ""
        if chosen and not self.binary.ignores_option:
            return self._change(min(_SPEEDS.get(chosen, 300), self.manners.speed))
        return None if self.binary.reads_out else self._silent()

    def _silent(self) -> Conversation:
        yield from self._wait(self.now)

    def _change(self, speed: int) -> Conversation:
        if self.binary.repeats:
            character = next(sign for sign, baud in _SPEEDS.items() if baud == speed)
            repeated = bytes(map(even, f"\x062{character}2\r\n".encode("ascii")))
            yield Send(repeated, speed, self.reaction())
        yield from self._frames(speed, self.binary.inactivity)

    def _frames(self, speed: int, inactivity: float) -> Generator[Listen | Send, int | None]:
        """Frames until the client hangs up or is silent for too long."""
        collector = Collector()
        self.station.hung_up = False
        until = self.now + inactivity
        while not self.station.hung_up or inactivity == inf:
            octet = yield Listen(speed, until, binary=True)
            if octet is None:
                self._log.note(self.now, Kind.ASLEEP, "no frame for too long")
                self.device.hang_up()
                self.station.connected = False
                return
            heard = None if octet == DAMAGED else collector.feed(octet)
            if heard is None:
                continue
            until = self.now + inactivity
            if out := self.station.hears(heard):
                if not self.station.connected:
                    self.device.hang_up()
                    self._log.note(self.now, Kind.BREAK)
                yield Send(out, speed, self.now + self.binary.reaction)
        self.station.hung_up = False
