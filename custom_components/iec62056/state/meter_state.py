"""What is known of one meter: every register with its time, how it was read, and how to reach it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Self

from ..protocol.codec import NOT_STORED, as_list, separable
from ..protocol.model import Health, Identification, LineProfile, Reading, Register
from .identity import Identity

# A meter without a check character can invent addresses out of noise; no real one has so many.
MOST_REGISTERS = 2000
# The telegram is kept for diagnostics; a load profile in it would only fill the disk.
MOST_TELEGRAM_BYTES = 65536


@as_list
@dataclass(frozen=True, slots=True)
class RegisterState:
    """One register as last received, and whether that was before the last start."""

    register: Register
    received: datetime
    restored: bool = field(default=False, metadata=NOT_STORED)


@separable
@dataclass(frozen=True)
class MeterState:
    """All that is known of a meter after its last good reading. `received` is that reading's time (UTC)."""

    profile: LineProfile
    identification: Identification | None
    registers: Mapping[str, RegisterState]
    received: datetime
    health: Health
    unparsed: tuple[str, ...] = ()
    raw: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, reading: Reading, profile: LineProfile, before: Self | None = None) -> Self:
        """Join a reading to what was known: registers it lacks stay, each with its own time."""
        registers = {} if before is None else dict(before.registers)
        now: set[str] = set()
        for register in reading.registers:
            # The first one sent is the current one where a meter repeats an address.
            if register.key in now or (
                register.key not in registers and len(registers) >= MOST_REGISTERS
            ):
                continue
            now.add(register.key)
            registers[register.key] = RegisterState(register, reading.received)
        identification = reading.identification
        if identification is None and before is not None:
            identification = before.identification
        return cls(
            profile=profile,
            identification=identification,
            registers=registers,
            received=reading.received,
            health=reading.health,
            unparsed=reading.unparsed,
            raw=reading.raw[:MOST_TELEGRAM_BYTES],
        )

    @cached_property
    def identity(self) -> Identity:
        """Who the meter says it is."""
        return Identity.of(
            self.identification, (known.register for known in self.registers.values())
        )

    @cached_property
    def reading(self) -> Reading:
        """All known registers as one reading."""
        return Reading(
            self.identification,
            tuple(known.register for known in self.registers.values()),
            self.received,
            self.health,
            self.unparsed,
            self.raw,
        )

    def as_restored(self) -> Self:
        """The state of the last run, as it is known until the first reading of this one."""
        registers = {key: replace(one, restored=True) for key, one in self.registers.items()}
        return replace(self, registers=registers)
