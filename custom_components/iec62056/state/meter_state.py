"""All that is known of one meter: its registers with their descriptions and times, how it was read and is reached."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any, Self

from ..protocol import obis
from ..protocol.model import (
    CheckKind,
    Health,
    Identification,
    LineProfile,
    Mode,
    ParitySeen,
    Reading,
    Register,
    Value,
    Verdict,
)
from .description import Context, Description
from .identity import Identity

# A meter without a check character can invent addresses out of noise; no real one has so many.
MOST_REGISTERS = 2000
# The telegram is kept for diagnostics; a load profile in it would only fill the disk.
MOST_TELEGRAM_BYTES = 65536


_HEALTH_KINDS = {"check": Verdict, "check_kind": CheckKind, "parity": ParitySeen, "mode": Mode}


@dataclass(frozen=True, slots=True)
class RegisterState:
    """One register as last received, and the descriptions of its sensors."""

    register: Register
    received: datetime
    # Whether it was received before the last start.
    restored: bool = False
    # Empty until the register is described.
    descriptions: tuple[Description, ...] = ()


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
    context: Context = field(default=Context(), repr=False)

    @classmethod
    def of(cls, reading: Reading, profile: LineProfile) -> Self:
        """The state after a first reading; its registers are not described yet."""
        received: dict[str, RegisterState] = {}
        for register in reading.registers:
            # The first one sent is the current one where a meter repeats an address.
            received.setdefault(register.key, RegisterState(register, reading.received))
        return cls.joined(reading, received, profile)

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

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "profile": self.profile.as_dict(),
            "identification": self.identification and asdict(self.identification),
            "registers": [
                [*plain_register(known.register), known.received.isoformat()]
                for known in self.registers.values()
            ],
            "received": self.received.isoformat(),
            "health": asdict(self.health),
            "unparsed": list(self.unparsed),
            "raw": self.raw.decode("latin-1"),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The state that `as_dict` wrote. Raises KeyError, TypeError or ValueError on anything else."""
        registers: dict[str, RegisterState] = {}
        for *sent, received in data["registers"]:
            register = register_of(sent)
            registers.setdefault(
                register.key, RegisterState(register, _time(received), restored=True)
            )
        return cls(
            profile=LineProfile.from_dict(data["profile"]),
            identification=_identification(data["identification"]),
            registers=registers,
            received=_time(data["received"]),
            health=_health(data["health"]),
            unparsed=tuple(_text(line) for line in data["unparsed"]),
            raw=data["raw"].encode("latin-1"),
        )


def plain_register(register: Register) -> list[Any]:
    """A register as plain data, fit for JSON."""
    return [register.address, register.obis and str(register.obis), register.values]


def register_of(plain: list[Any]) -> Register:
    """The register that `plain_register` wrote. Raises TypeError or ValueError on anything else."""
    address, code, values = plain
    return Register(
        _text(address),
        None if code is None else obis.parse(_text(code)),
        tuple(Value(_text(text), None if unit is None else _text(unit)) for text, unit in values),
    )


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise TypeError(f"{item!r} is not a text")
    return item


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def _identification(data: dict[str, Any] | None) -> Identification | None:
    if data is None:
        return None
    extensions = tuple(_text(extension) for extension in data["extensions"])
    return Identification(
        extensions=extensions,
        **{name: _text(item) for name, item in data.items() if name != "extensions"},
    )


def _health(data: dict[str, Any]) -> Health:
    kept: dict[str, Any] = {}
    for item in fields(Health):
        if item.name not in data:
            continue
        value = data[item.name]
        if kind := _HEALTH_KINDS.get(item.name):
            kept[item.name] = None if value is None and item.default is None else kind(value)
        elif isinstance(value, int | float):
            kept[item.name] = value
        else:
            raise TypeError(f"{value!r} is no {item.name}")
    return Health(**kept)
