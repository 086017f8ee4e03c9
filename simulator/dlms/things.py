"""The objects of a simulated meter: those every meter has, and the registers of a scenario."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
import re

from ..scenario import local_now
from .values import (
    array,
    boolean,
    enum,
    i8,
    i16,
    i32,
    null,
    octets,
    scaler_unit,
    struct,
    text,
    u8,
    u16,
    u32,
)

CURRENT = bytes((0, 0, 40, 0, 0, 255))
_CLOCK = bytes((0, 0, 1, 0, 0, 255))
_SET = re.compile(
    r"(?P<code>[^(]+)\((?P<value>[^*)]*)(?:\*(?P<unit>[^)]*))?\)(?:\((?P<when>\d+)\))?"
)
_CODE = re.compile(r"(?:(\d+)-(\d+):)?(\w+)\.(\w+)(?:\.(\d+))?(?:\*(\d+))?")
_LETTERS = {"C": 96, "F": 97}
# Unit as mode C writes it: its code in COSEM, and the power of ten to it.
_UNITS = {
    "kWh": (30, 3), "MWh": (30, 6), "kvarh": (32, 3), "kW": (27, 3), "kvar": (29, 3), "kVA": (28, 3), "V": (35, 0),
    "A": (33, 0), "Hz": (44, 0), "h": (5, 0), "m3": (13, 0), "C": (9, 0), "m3ph": (15, 0),
}  # fmt: skip

type Content = bytes | Callable[[], bytes]


@dataclass(slots=True)
class Thing:
    """One object. `attributes` from 2 on, encoded; `readable` and `writable`: the level an attribute needs (0 if left out).

    With `gives` off it denies what the object list promises. `methods`: the level each needs. `part` gives a part of attribute 2: the selector and its encoded parameters.
    """

    class_id: int
    name: bytes
    attributes: dict[int, Content]
    version: int = 0
    readable: dict[int, int] = field(default_factory=dict)
    writable: dict[int, int] = field(default_factory=dict)
    methods: dict[int, int] = field(default_factory=dict)
    part: Callable[[int, bytes], bytes] | None = None
    act: Callable[[int, bytes], None] | None = None
    gives: bool = True

    def level_to_read(self, number: int) -> int:
        """The level an attribute needs to be read."""
        return self.readable.get(number, self.readable.get(0, 0) if number > 1 else 0)

    def level_to_write(self, number: int) -> int:
        """The level an attribute needs to be set; one beyond all where nobody may."""
        return self.writable.get(number, 3)

    def value(self, number: int) -> bytes:
        """An attribute now."""
        if number == 1:
            return octets(self.name)
        content = self.attributes[number]
        return content if isinstance(content, bytes) else content()

    def put(self, number: int, value: bytes) -> None:
        """Set an attribute."""
        self.attributes[number] = value


def name(code: str) -> bytes:
    """The logical name of a code as a data line has it."""
    found = _CODE.fullmatch(code)
    if found is None:
        raise ValueError(code)
    a, b, c, d, e, f = found.groups()
    group_c = _LETTERS.get(c) or int(c)
    group_d = _LETTERS.get(d) or int(d)
    medium = 0 if group_c in (96, 97) else 1
    return bytes(
        (int(a or medium), int(b or 0), group_c, group_d, int(e or 0), 255 if f is None else int(f))
    )


def date_time(moment: datetime) -> bytes:
    """Twelve octets: the deviation is what leads from local time to UTC, its sign as the standard has it."""
    offset = moment.utcoffset()
    minutes = 0 if offset is None else -round(offset.total_seconds() / 60)
    summer = 0x80 if moment.dst() else 0
    return (
        moment.year.to_bytes(2)
        + bytes((moment.month, moment.day, moment.isoweekday(), moment.hour, moment.minute))
        + bytes((moment.second, 0))
        + minutes.to_bytes(2, signed=True)
        + bytes((summer,))
    )


def common(
    *,
    device: str = "SIM0000010012345",
    clock: Callable[[], datetime] = local_now,
    counter: Callable[[], int] = lambda: 0,
) -> list[Thing]:
    """What every meter has: name, association, clock, set-up of its port, and some that only a maker would add."""
    return [
        Thing(1, name("0-0:42.0.0"), {2: octets(device.encode("ascii"))}),
        Thing(17, name("0-0:41.0.0"), {2: array([struct(u16(1), octets(b"management"))])}),
        Thing(
            15,
            CURRENT,
            {2: null(), 3: struct(i8(16), u16(1)), 8: enum(2)},
            version=1,
            methods={1: 0},
        ),
        Thing(8, _CLOCK, {2: lambda: octets(date_time(clock())), 3: i16(-60)}, writable={2: 2}),
        Thing(23, name("0-0:22.0.0"), {2: enum(5), 8: u16(120), 9: u16(16)}),
        Thing(9, name("0-0:10.0.0"), {2: array([])}, methods={1: 2}),
        Thing(1, name("0-0:43.1.0"), {2: lambda: u32(counter())}),
        Thing(1, name("0-0:96.13.0"), {2: text("hello")}, writable={2: 1}),
        Thing(1, name("0-0:96.50.1"), {2: u16(250)}, readable={0: 1}, writable={2: 2}),
        Thing(1, name("0-0:97.98.0"), {2: u32(0x10)}, readable={0: 1}),
        Thing(8193, name("1-0:199.8.2"), {2: struct(u8(1), u32(70000))}, readable={0: 1}),
    ]


def household(
    block: Callable[[], bytes],
    *,
    device: str = "SIM0000010012345",
    clock: Callable[[], datetime] = local_now,
    counter: Callable[[], int] = lambda: 0,
    level: int = 0,
) -> list[Thing]:
    """The registers of a readout as objects, and what every meter has. `level` is what reading them needs.

    A data line is asked for its present value each time an attribute is read.
    """
    things = common(device=device, clock=clock, counter=counter)
    known = {thing.name for thing in things}
    for line in block().decode("ascii").splitlines():
        for found in _SET.finditer(line):
            thing = _register(found, block)
            if thing is None or thing.name in known:
                continue
            known.add(thing.name)
            thing.readable[0] = level
            things.append(thing)
            if thing.name == name("1.6.0"):
                things.append(_demand(block, clock, level))
    return things


def _register(found: re.Match[str], block: Callable[[], bytes]) -> Thing | None:
    code, value, unit, when = found["code"], found["value"], found["unit"], found["when"]
    try:
        own = name(code)
    except ValueError:
        return None

    def now() -> str:
        for line in block().decode("ascii").splitlines():
            for later in _SET.finditer(line):
                if later["code"] == code:
                    return later["value"]
        return value

    if unit in _UNITS:
        number, power = _UNITS[unit]
        decimals = len(value.partition(".")[2])
        attributes: dict[int, Content] = {
            2: lambda: i32(int(now().replace(".", ""))),
            3: scaler_unit(power - decimals, number),
        }
        if when is None:
            return Thing(3, own, attributes)
        moment = datetime.strptime(when, "%y%m%d%H%M").astimezone()
        return Thing(4, own, attributes | {4: u8(0), 5: octets(date_time(moment))})
    if code.endswith(("0.9.1", "0.9.2")):
        return None
    if own[2] == 97:
        return Thing(1, own, {2: lambda: u32(int(now(), 16))})
    if re.fullmatch(r"\d\.\d+", value):
        return Thing(
            3,
            own,
            {2: lambda: i32(int(now().replace(".", ""))), 3: scaler_unit(-3, 255)},
        )
    if own[2:4] == b"\x60\x07":
        return Thing(1, own, {2: lambda: u16(int(now()))})
    return Thing(1, own, {2: lambda: octets(now().encode("ascii"))})


def _demand(block: Callable[[], bytes], clock: Callable[[], datetime], level: int) -> Thing:
    """Current and last average of the demand period."""
    return Thing(
        5,
        name("1.4.0"),
        {
            2: u32(1234),
            3: u32(987),
            4: scaler_unit(0, 27),
            5: u8(0),
            6: lambda: octets(date_time(clock().replace(minute=0, second=0))),
            7: lambda: octets(date_time(clock().replace(minute=0, second=0))),
            8: u32(900),
            9: u16(1),
        },
        readable={0: level},
    )


def listed(thing: Thing, level: int) -> bytes:
    """An object as a list of logical names has it, with what that level may do."""
    attributes = []
    for number in [1, *sorted(thing.attributes)]:
        readable = level >= thing.level_to_read(number)
        writable = level >= thing.level_to_write(number)
        selectors = array([i8(1), i8(2)]) if thing.part is not None and number == 2 else null()
        attributes.append(struct(i8(number), enum(readable + 2 * writable), selectors))
    methods = [
        struct(i8(number), boolean(level >= least))
        for number, least in sorted(thing.methods.items())
    ]
    rights = struct(array(attributes), array(methods))
    return struct(u16(thing.class_id), u8(thing.version), octets(thing.name), rights)
