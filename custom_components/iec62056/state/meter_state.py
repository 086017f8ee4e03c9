"""All that is known of one meter: its registers with their descriptions and times, how it was read and is reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Self

from ..protocol.codec import NOT_STORED, as_list, separable
from ..protocol.model import Health, Identification, LineProfile, Reading, Register, Value
from ..protocol.obis import parse
from .description import Context, Description
from .identity import Identity

# A meter without a check character can invent addresses out of noise; no real one has so many.
MOST_REGISTERS = 2000
# The telegram is kept for diagnostics; a load profile in it would only fill the disk.
MOST_TELEGRAM_BYTES = 65536


@as_list
@dataclass(frozen=True, slots=True)
class RegisterState:
    """One register as last received, and the descriptions of its sensors."""

    register: Register
    received: datetime
    # Whether it was received before the last start.
    restored: bool = field(default=False, metadata=NOT_STORED)
    # Empty until the register is described.
    descriptions: tuple[Description, ...] = field(default=(), metadata=NOT_STORED)


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
    # The one that the registers are described in.
    context: Context = field(default=Context(), repr=False, metadata=NOT_STORED)

    @classmethod
    def of(cls, reading: Reading, profile: LineProfile) -> Self:
        """The state after a first reading; its registers are not described yet."""
        received: dict[str, RegisterState] = {}
        for register in reading.registers:
            # The first one sent is the current one where a meter repeats an address.
            received.setdefault(register.key, RegisterState(register, reading.received))
        return cls.joined(reading, received, profile)

    @classmethod
    def of_number(cls, code: str, number: str, profile: LineProfile, received: datetime) -> Self:
        """The state of a meter of which only its number is known, and the key of the register that it came from."""
        register = Register(code, parse(code), (Value(number),))
        registers = {register.key: RegisterState(register, received)}
        return cls(profile, None, registers, received, Health())

    @classmethod
    def joined(
        cls,
        reading: Reading,
        received: Mapping[str, RegisterState],
        profile: LineProfile,
        before: Self | None = None,
    ) -> Self:
        """The state after a reading of which these registers count: others stay, each with its own time."""
        registers = {} if before is None else dict(before.registers)
        for key, known in received.items():
            if key in registers or len(registers) < MOST_REGISTERS:
                registers[key] = known
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
            context=Context() if before is None else before.context,
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
