"""Damaged telegrams by the million: what the gates let through."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import product
from multiprocessing import get_context
import random
import re
import sys
from typing import NamedTuple, override

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.errors import MeterError
from custom_components.iec62056.protocol.model import (
    CheckKind,
    LineProfile,
    Medium,
    Mode,
    Reading,
    Register,
    Verdict,
)
from custom_components.iec62056.registers.descriptions import describe, kept_unit
from custom_components.iec62056.registers.matching import context_of
from custom_components.iec62056.registers.values import native
from custom_components.iec62056.state.description import Context, Description, Kind
from custom_components.iec62056.validation.candidate import Candidate
from custom_components.iec62056.validation.checks import check_value, check_values
from custom_components.iec62056.validation.limits import ValueKind, kind_of, limits_of
from custom_components.iec62056.validation.register_history import (
    HoldReason,
    RegisterHistory,
    Sample,
)
from tests.protocol import telegrams
from tests.protocol.scripted import ScriptedLine

SEED = 62056
START = 1_800_000_000
INTERVAL = 300


class Harm(StrEnum):
    """What happens to the characters of a telegram."""

    FLIPPED = "one bit flipped"
    CHANGED = "one character changed, its parity right"
    LOST = "one character lost"
    DOUBLED = "one character doubled"
    ADDED = "one character added"
    SWAPPED = "two neighbours swapped"
    TWO_FLIPPED = "two bits flipped, in two characters"
    BURST = "2 to 8 characters made noise"
    GAP = "2 to 40 characters lost"
    CUT = "the end cut off"
    MERGED = "two telegrams merged"


SINGLE = frozenset((Harm.FLIPPED, Harm.CHANGED, Harm.LOST, Harm.DOUBLED, Harm.ADDED))


class Fate(StrEnum):
    """What became of a telegram: where it was stopped, or what came of it."""

    FRAME = "refused by parity, check or frame"
    RIGHT = "nothing wrong in it"
    FORM = "held by form"
    FIRST = "held as a first value"
    PLAUSIBILITY = "held by plausibility"
    NAME = "held as another meter's"
    PUBLISHED = "wrong value published"


_GATES = {
    HoldReason.FORM: Fate.FORM,
    HoldReason.UNIT: Fate.FORM,
    HoldReason.TEXT: Fate.FORM,
    HoldReason.FIRST: Fate.FIRST,
    HoldReason.NAME: Fate.NAME,
}
_GRAVITY = list(Fate)


def household(step: int) -> list[str]:
    """A three-phase meter with two tariffs, `step` readings after the first day."""
    hours = Decimal(step) * INTERVAL / 3600
    wobble = step % 7
    return [
        "F.F(00000000)",
        "0.0.0(31415926)",
        f"1.8.0({4711 + hours:010.3f}*kWh)",
        f"1.8.1({4000 + hours * Decimal('0.7'):010.3f}*kWh)",
        f"1.8.2({711 + hours * Decimal('0.3'):010.3f}*kWh)",
        f"2.8.0({38 + hours * Decimal('0.2'):010.3f}*kWh)",
        f"3.8.0({512 + hours * Decimal('0.1'):010.3f}*kvarh)",
        f"16.7.0({1 + Decimal(wobble) / 10:06.3f}*kW)",
        f"21.7.0({Decimal(wobble) / 20:06.3f}*kW)",
        f"32.7.0({230 + wobble}.{wobble}*V)",
        f"52.7.0({229 + wobble}.4*V)",
        f"31.7.0(00{wobble}.31*A)",
        f"13.7.0(0.9{wobble})",
        "14.7.0(50.01*Hz)",
        "1.6.0(03.125*kW)(2611201815)",
        "1.8.0*01(004600.001*kWh)",
        "C.7.0(0003)",
    ]


def pushing(step: int) -> list[str]:
    """A meter with full codes, many digits and signs, and several sets in a line."""
    hours = Decimal(step) * INTERVAL / 3600
    wobble = step % 5
    return [
        "1-0:96.1.0*255(1ABC0061234567)",
        f"1-0:1.8.0*255({8124 + hours:016.7f}*kWh)",
        f"1-0:2.8.0*255({17 + hours / 5:016.7f}*kWh)",
        f"1-0:16.7.0*255({'-' if wobble % 2 else ''}{142 + wobble:06}.30*W)",
        f"1-0:36.7.0*255({90 + wobble:06}.10*W)1-0:56.7.0*255({40 + wobble:06}.20*W)",
        f"1-0:32.7.0*255(00{230 + wobble}.8*V)1-0:52.7.0*255(00{231 + wobble}.1*V)",
        f"0-0:96.8.0*255({3000 + int(hours):08}*h)",
    ]


CONTENTS: tuple[Callable[[int], list[str]], ...] = (household, pushing)


def telegram(lines: list[str], kind: CheckKind) -> bytes:
    """The characters from the slash on, as the meter sends them."""
    if kind is CheckKind.CRC16:
        return telegrams.p1(lines)
    identification = b"/ABC5EXAMPLE 1\r\n"
    if kind is CheckKind.NONE:
        return identification + b"\r\n" + telegrams.text(lines) + b"!\r\n"
    return identification + telegrams.framed(telegrams.text(lines), check=kind.value)


# Harm


_EVEN = bytes(code | (code.bit_count() % 2 << 7) for code in range(128))


def with_parity(characters: bytes) -> bytes:
    return characters.translate(_EVEN + bytes(128))


def harmed(
    harm: Harm, good: bytes, before: bytes, start: int, chance: random.Random, *, parity: bool
) -> bytes:
    """The telegram as it arrives, parity bit included; `before` is the meter's last one, harm begins at `start`."""
    bits = 8 if parity else 7
    at = chance.randrange(start, len(good))
    data = bytearray(good)
    match harm:
        case Harm.FLIPPED:
            data[at] ^= 1 << chance.randrange(bits)
        case Harm.TWO_FLIPPED:
            # Mostly near each other: one disturbance harms both.
            other = min(len(data) - 1, at + chance.choice((1, 1, 2, 3, 10, 10**6)))
            bit = chance.randrange(bits)
            data[at] ^= 1 << bit
            data[other] ^= 1 << chance.choice((bit, chance.randrange(bits)))
        case Harm.CHANGED:
            # A digit more often than chance would have it: what else could be believed?
            new = (
                ord(chance.choice("0123456789")) if chance.random() < 0.5 else chance.randrange(128)
            )
            data[at] = _EVEN[new] if parity else new
        case Harm.LOST:
            del data[at]
        case Harm.DOUBLED:
            data.insert(at, data[at])
        case Harm.ADDED:
            new = chance.randrange(128)
            data.insert(at, _EVEN[new] if parity else new)
        case Harm.SWAPPED:
            at = min(at, len(data) - 2)
            data[at], data[at + 1] = data[at + 1], data[at]
        case Harm.BURST:
            for place in range(at, min(len(data), at + chance.randint(2, 8))):
                data[place] = chance.randrange(1 << bits)
        case Harm.GAP:
            del data[at : at + chance.randint(2, 40)]
        case Harm.CUT:
            del data[at:]
        case Harm.MERGED:
            return before[: chance.randrange(start, len(before))] + bytes(data[at:])
    return bytes(data)


# The frame's gate


class Wire(ScriptedLine):
    """A line on which those runs of characters come, as they are: when the meter is called, or unasked."""

    def __init__(self, *runs: bytes, unasked: bool) -> None:
        super().__init__(speed=9600, can_switch=False)
        self._runs = list(runs)
        self._unasked = unasked

    @override
    async def read(self, deadline: float) -> bytes:
        if not self._runs or not (self._unasked or self.sent):
            self._now = max(self._now, deadline)
            return b""
        run = self._runs.pop(0)
        self.tally.count(run)
        return run


async def _called(wire: bytes, profile: LineProfile) -> list[Reading]:
    name, end, data = wire.partition(b"\n")
    return [await MeterClient(Wire(name + end, data, unasked=False), profile).read_all()]


async def _heard(wire: bytes, profile: LineProfile) -> list[Reading]:
    # The next telegram's beginning ends one without an end.
    slash = b"/" if max(wire, default=0) < 128 else with_parity(b"/")
    line = Wire(wire + slash, unasked=True)
    meter = MeterClient(line, replace(profile, mode=Mode.D, listen_speed=9600))
    found: list[Reading] = []
    with suppress(MeterError):
        # Not a comprehension: what came before the line fell silent counts.
        async for reading in meter.listen():
            found.append(reading)  # noqa: PERF401
    return found


def arrive(wire: bytes, kind: CheckKind) -> list[Reading]:
    """What the client makes of a telegram whose kind of check is known: nothing where it refuses it."""
    profile = LineProfile(check_kind=kind, medium=Medium.ELECTRICITY)
    work = (_heard if kind is CheckKind.CRC16 else _called)(wire, profile)
    try:
        # Nobody else is there to wait for.
        while True:
            work.send(None)
    except StopIteration as done:
        found: list[Reading] = done.value
        return found
    except MeterError:
        return []


# The other gates


@dataclass(frozen=True, slots=True)
class Known:
    """A meter after two days of good readings, and what its next one truly is."""

    kind: CheckKind
    before: bytes
    good: bytes
    at: float
    context: Context
    registers: dict[str, Register]
    earlier: dict[str, Register]
    units: dict[str, str | None]
    records: dict[str, RegisterHistory]

    @property
    def start(self) -> int:
        """Where harm begins: an identification is repeated until it comes undamaged."""
        return 0 if self.kind is CheckKind.CRC16 else self.good.index(b"\n") + 1


def first_of_each(reading: Reading) -> dict[str, Register]:
    first: dict[str, Register] = {}
    for register in reading.registers:
        first.setdefault(register.key, register)
    return first


def case_of(
    register: Register, context: Context, units: dict[str, str | None], at: float, *, checked: bool
) -> Candidate:
    """A register as the gates see it, in the unit its sensor has."""
    (description, *_) = describe(register, context, {})
    key = description.key
    if description.kind is not Kind.NUMBER and (key not in units or units[key] == "text"):
        name = Sample(None, _as_sent(register), None, at, checked)
        return Candidate(name, ValueKind.NAME)
    description = kept_unit(description, units.get(key))
    value = register.values[min(description.index, len(register.values) - 1)]
    number = _number(register, description, units.get(key, description.unit))
    nature = kind_of(register.obis, description.state_class)
    limits = limits_of(nature, description.unit)
    return Candidate(Sample(number, value.text, value.unit, at, checked), nature, limits)


def _number(register: Register, description: Description, unit: str | None) -> Decimal | None:
    if description.kind is not Kind.NUMBER or description.unit != unit:
        return None
    number = native(register, description, UTC)
    return number if isinstance(number, Decimal) else None


def _as_sent(register: Register) -> str:
    return "".join(f"({value.text}*{value.unit})" for value in register.values)


@cache
def known(kind: CheckKind, content: Callable[[int], list[str]]) -> Known:
    """Let the gates learn a meter: hourly readings of two days."""
    records: dict[str, RegisterHistory] = {}
    last = 48 * 3600 // INTERVAL
    units: dict[str, str | None] = {}
    for step in (*range(0, last, 3600 // INTERVAL), last):
        now = first_of_each(_only(telegram(content(step), kind), kind))
        context = _context(now)
        if not units:
            units = {
                key: "text" if one.kind is not Kind.NUMBER else one.unit
                for key, register in now.items()
                for one in describe(register, context, {})
            }
        at = START + step * INTERVAL
        for _ in range(2):
            cases = {
                key: case_of(one, context, units, at, checked=kind is not CheckKind.NONE)
                for key, one in now.items()
            }
            records, _judged = check_values(records, cases)
    good = telegram(content(last + 1), kind)
    truth = first_of_each(_only(good, kind))
    return Known(
        kind,
        telegram(content(last), kind),
        good,
        at + INTERVAL,
        _context(truth),
        truth,
        now,
        units,
        records,
    )


def _only(characters: bytes, kind: CheckKind) -> Reading:
    (arrived,) = arrive(with_parity(characters), kind)
    return arrived


def _context(now: dict[str, Register]) -> Context:
    return context_of(now.values())


def fate(meter: Known, wire: bytes) -> tuple[Fate, Register | None]:
    """What becomes of a telegram that arrives as `wire`; with it, the register that decided."""
    arrived = arrive(wire, meter.kind)
    worst = Fate.RIGHT if arrived else Fate.FRAME
    which: Register | None = None
    for reading in arrived:
        checked = reading.health.check is Verdict.RIGHT
        for key, register in first_of_each(reading).items():
            # A value of the telegram before is no wrong one.
            if any(_same(register, one.get(key)) for one in (meter.registers, meter.earlier)):
                continue
            case = case_of(register, meter.context, meter.units, meter.at, checked=checked)
            known_before = key in meter.records
            _, judged = check_value(
                meter.records.get(key, RegisterHistory()), case, is_new=not known_before
            )
            found = Fate.PUBLISHED
            if judged.reason is not None:
                found = _GATES.get(judged.reason, Fate.PLAUSIBILITY)
            if _GRAVITY.index(found) > _GRAVITY.index(worst):
                worst, which = found, register
    return worst, which


def _same(register: Register, true: Register | None) -> bool:
    """Whether it says the same; the time of a maximum has no gate and is not counted."""
    if true is None:
        return False
    (now, then) = register.values[0], true.values[0]
    if then.number is None:
        return register.values == true.values
    return (now.number, now.unit) == (then.number, then.unit)


# What form and physics exclude, said once more and in another way than the gates say it

_HIGHEST = {"V": 500, "A": 150, "Hz": 70, "kW": 100, "W": 100_000, "kWh": 10**9, "kvarh": 10**9}


def excluded(meter: Known, register: Register) -> bool:
    """Whether a value looks otherwise than this register's, or is larger than a meter of a house can measure."""
    key = register.key
    true = meter.registers.get(key)
    if true is None:
        return False
    (text, unit), (true_text, true_unit) = register.values[0], true.values[0]
    if true.values[0].number is None:
        return False
    looks, looked = (re.sub("[0-9]", "9", one.lstrip("-")) for one in (text, true_text))
    if looks != looked or unit != true_unit:
        return True
    number = abs(Decimal(text.replace(",", ".")))
    if unit in ("kWh", "kvarh") and "*" not in key:
        rise = number - Decimal(true_text)
        return not -1 < rise < 10
    return number > _HIGHEST.get(unit or "", 10**9)


# The count


class Result(NamedTuple):
    """The fates of all telegrams, by check, whether parity was seen, and harm; what was published against the rules."""

    fates: Counter[tuple[CheckKind, bool, Harm, Fate]]
    excluded: list[str]

    def of(self, kind: CheckKind, fate: Fate, harms: frozenset[Harm] = frozenset(Harm)) -> int:
        """How many telegrams with that kind of check had that fate."""
        return sum(
            count
            for (of_kind, _, harm, of_fate), count in self.fates.items()
            if of_kind is kind and of_fate is fate and harm in harms
        )


type Batch = tuple[CheckKind, bool, int, int, int]


def batch(which: Batch) -> Result:
    """One kind of check, with or without visible parity, one content; as many telegrams of each harm."""
    kind, parity, content, count, seed = which
    chance = random.Random(f"{seed} {kind} {parity} {content}")
    meter = known(kind, CONTENTS[content])
    good, before = meter.good, meter.before
    if parity:
        good, before = with_parity(good), with_parity(before)
    fates: Counter[tuple[CheckKind, bool, Harm, Fate]] = Counter()
    broken: list[str] = []
    for number in range(count):
        harm = list(Harm)[number % len(Harm)]
        wire = good
        while wire == good:
            wire = harmed(harm, good, before, meter.start, chance, parity=parity)
        found, register = fate(meter, wire)
        fates[kind, parity, harm, found] += 1
        if register is not None and found is Fate.PUBLISHED and excluded(meter, register):
            broken.append(f"{kind} {harm}: {register} from {wire!r}")
    return Result(fates, broken)


def batches(count: int, seed: int) -> Iterator[Batch]:
    """All kinds of check, parity and content, `count` telegrams together."""
    parts = list(product(CheckKind, (True, False), range(len(CONTENTS))))
    for index, (kind, parity, content) in enumerate(parts):
        share = count * (index + 1) // len(parts) - count * index // len(parts)
        yield kind, parity, content, share, seed


def run(count: int, seed: int = SEED, processes: int = 1) -> Result:
    """The fates of `count` telegrams; the same for the same seed, however many processes share the work."""
    fates: Counter[tuple[CheckKind, bool, Harm, Fate]] = Counter()
    broken: list[str] = []
    with ExitStack() as stack:
        each: Iterable[Result] = map(batch, batches(count, seed))
        if processes > 1:
            # Spawned, not forked: a test may have threads, and must not open sockets.
            pool = ProcessPoolExecutor(processes, get_context("spawn"))
            each = stack.enter_context(pool).map(batch, batches(count, seed))
        for part in each:
            fates += part.fates
            broken += part.excluded
    return Result(fates, broken)


def table(result: Result) -> str:
    """The result as tables: what each gate stopped, and what was published of each harm."""
    total = result.fates.total()
    lines = [
        f"{total} telegrams.",
        "",
        "| Check | " + " | ".join(Fate) + " |",
        "|---" * (len(Fate) + 1) + "|",
    ]
    lines += [
        f"| {kind} | " + " | ".join(str(result.of(kind, fate)) for fate in Fate) + " |"
        for kind in CheckKind
    ]
    columns = [(kind, parity) for kind in CheckKind for parity in (True, False)]
    heads = [f"{kind}, {'parity seen' if parity else 'no parity'}" for kind, parity in columns]
    lines += ["", "Wrong values published, of how many telegrams:", ""]
    lines += ["| Harm | " + " | ".join(heads) + " |", "|---" * (len(columns) + 1) + "|"]
    for harm in Harm:
        cells = []
        for kind, parity in columns:
            sent = sum(result.fates[kind, parity, harm, fate] for fate in Fate)
            cells.append(f"{result.fates[kind, parity, harm, Fate.PUBLISHED]} of {sent}")
        lines.append(f"| {harm} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    arguments = [int(text) for text in sys.argv[1:]]
    found = run(*(arguments or [20_000]))
    print(table(found))
    print(*found.excluded[:20], sep="\n")
