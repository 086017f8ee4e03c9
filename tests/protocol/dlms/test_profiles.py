"""Load profile and event logs of a meter of mode E, asked for by range."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import override
from zoneinfo import ZoneInfo

import pytest

from custom_components.iec62056.protocol.dlms.apdu import AccessResult, Result
from custom_components.iec62056.protocol.dlms.clock import date_time, encode_date_time
from custom_components.iec62056.protocol.dlms.cosem import CosemObject
from custom_components.iec62056.protocol.dlms.data import Data, Tag, array, octet_string, structure
from custom_components.iec62056.protocol.dlms.descriptors import (
    Item,
    LogicalName,
    Member,
    capture_object,
)
from custom_components.iec62056.protocol.dlms.dlms_session import DlmsSession
from custom_components.iec62056.protocol.errors import MeterRefused, PasswordNeeded, UnknownRegister
from custom_components.iec62056.protocol.profiles.events import Meaning
from custom_components.iec62056.protocol.register_session import Level

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime(2026, 7, 5, 8, tzinfo=UTC)
PROFILE, LOG = LogicalName(1, 0, 99, 1, 0), LogicalName(0, 0, 99, 98, 0)
CLOCK = capture_object(Member(8, LogicalName(0, 0, 1, 0, 0), 2))
IMPORT = capture_object(Member(3, LogicalName(1, 0, 1, 8, 0), 2))
UNIX = capture_object(Member(1, LogicalName(0, 0, 1, 1, 0), 2))
CODE = capture_object(Member(1, LogicalName(0, 0, 96, 11, 0), 2))


def number(value: int) -> Data:
    return Data(Tag.DOUBLE_LONG_UNSIGNED, value)


def at(moment: datetime) -> Data:
    return octet_string(encode_date_time(moment.astimezone(BERLIN), daylight_saving=True))


def scaler(power: int, unit: int) -> Data:
    return structure(Data(Tag.INTEGER, power), Data(Tag.ENUM, unit))


class Meter(DlmsSession):
    """A conversation that is answered from a table."""

    def __init__(self, *names: LogicalName) -> None:
        self.table: dict[tuple[LogicalName, int], Result] = {}
        self.asked: list[Item] = []
        self.refused: dict[int, AccessResult] = {}
        self.opened = 0
        self._names = names

    @property
    @override
    def objects(self) -> tuple[CosemObject, ...]:
        names = self._names if self.opened else ()
        return tuple(CosemObject(7, 1, name, {}, {}) for name in names)

    @override
    async def _list(self) -> None:
        self.opened += 1

    @override
    async def get(self, items: Sequence[Item]) -> tuple[Result, ...]:
        self.asked += items
        return tuple(self._result(item) for item in items)

    def _result(self, item: Item) -> Result:
        member, access = item.member, item.access
        if access is not None and access.selector in self.refused:
            return self.refused[access.selector]
        found = self.table.get((member.name, member.number), AccessResult.OBJECT_UNDEFINED)
        if access is not None and access.selector == 2 and isinstance(found, Data):
            first, last = (part.integer for part in access.parameters.items[:2])
            return array(*found.items[first - 1 : last])
        return found

    @property
    @override
    def level(self) -> Level:
        return Level.OPEN


async def test_the_rows_of_a_range_in_their_unit() -> None:
    meter = Meter(LOG, PROFILE)
    meter.table = {
        (PROFILE, 3): array(CLOCK, IMPORT),
        (PROFILE, 4): number(900),
        (LogicalName(1, 0, 1, 8, 0), 3): scaler(1, 30),
        (PROFILE, 2): array(
            structure(at(FIRST), number(100)),
            structure(at(FIRST + timedelta(minutes=15)), number(107)),
            structure(at(FIRST + timedelta(hours=5)), number(900)),
        ),
    }
    (found,) = await meter.read_profile("P.01", FIRST, FIRST + timedelta(hours=1), BERLIN)
    assert [(row.end.minute, str(row.values[0])) for row in found.rows] == [(15, "1070")]
    assert found.channels[0].unit == "Wh"
    access = meter.asked[-1].access
    assert access is not None
    _, begin, end, _ = access.parameters.items
    # Two hours more on both sides, as the meter's clock shows them.
    assert [date_time(one.octets).moment.time for one in (begin, end)] == [
        datetime(2026, 7, 5, 8, tzinfo=UTC).time(),
        datetime(2026, 7, 5, 13, tzinfo=UTC).time(),
    ]


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("read", [Meter.read_profile, Meter.read_events])
async def test_a_range_has_the_sign_of_the_meters_own_clock(
    read: Callable[..., Awaitable[object]], inverted: bool
) -> None:
    """Where the deviation has the opposite sign (MCS301), the range would be hours off."""
    shown = encode_date_time(FIRST.astimezone(BERLIN), daylight_saving=True, inverted=inverted)
    meter = Meter(PROFILE, LOG)
    meter.table = {
        (PROFILE, 3): array(CLOCK, IMPORT),
        (PROFILE, 4): number(900),
        (PROFILE, 2): array(),
        (LOG, 3): array(CLOCK, CODE),
        (LOG, 2): array(),
        (LogicalName(0, 0, 1, 0, 0), 2): octet_string(shown),
    }
    await read(meter, "P.01", FIRST, FIRST + timedelta(hours=1), BERLIN)
    access = meter.asked[-1].access
    assert access is not None
    _, begin, end, _ = access.parameters.items
    deviation = 120 if inverted else -120
    assert [date_time(one.octets).deviation for one in (begin, end)] == [deviation] * 2


@pytest.mark.parametrize("code", ["P.01", "P.02", "P.98"])
async def test_a_meter_without_that_profile(code: str) -> None:
    with pytest.raises(UnknownRegister):
        await Meter(LOG).read_profile(code, FIRST, FIRST + timedelta(hours=1), BERLIN)


async def test_a_profile_that_may_not_be_read() -> None:
    with pytest.raises(UnknownRegister):
        await Meter(PROFILE).read_profile("P.01", FIRST, FIRST + timedelta(hours=1), BERLIN)


async def test_all_logs_that_may_be_read() -> None:
    other = LogicalName(0, 0, 99, 98, 1)
    meter = Meter(PROFILE, LOG, other)
    meter.table = {
        (LOG, 3): array(CLOCK, CODE),
        (LOG, 2): array(structure(at(FIRST), number(1))),
    }
    found = await meter.read_events("P.98", FIRST, FIRST + timedelta(hours=1), BERLIN)
    assert [(event.log, event.at, event.meanings) for event in found] == [
        ("0-0:99.98.0", FIRST, (Meaning.POWER_DOWN,))
    ]


def quarters(count: int, *, unix: bool = False) -> list[Data]:
    """So many rows, the last of them an hour behind the range."""
    ends = [FIRST + timedelta(hours=2) - timedelta(minutes=15 * n) for n in range(count)][::-1]
    return [
        structure(number(int(end.timestamp())) if unix else at(end), number(n))
        for n, end in enumerate(ends)
    ]


def recording(count: int, *, unix: bool = False) -> Meter:
    meter = Meter(PROFILE)
    clock = UNIX if unix else CLOCK
    now = FIRST + timedelta(hours=2)
    meter.table = {
        (PROFILE, 3): array(clock, IMPORT),
        (PROFILE, 4): number(900),
        (PROFILE, 7): number(count),
        (LogicalName(1, 0, 1, 8, 0), 3): scaler(0, 30),
        (LogicalName(0, 0, 1, 1 if unix else 0, 0), 2): (
            number(int(now.timestamp())) if unix else at(now)
        ),
        (PROFILE, 2): array(*quarters(count, unix=unix)),
    }
    return meter


@pytest.mark.parametrize("unix", [False, True])
@pytest.mark.parametrize("count", [6, 9, 40, 400])
@pytest.mark.parametrize(
    "refused",
    [None, AccessResult.OTHER_REASON, AccessResult.TYPE_UNMATCHED, AccessResult.READ_WRITE_DENIED],
)
async def test_entries_where_a_range_is_refused(
    refused: AccessResult | None, count: int, unix: bool
) -> None:
    meter = recording(count, unix=unix)
    meter.refused = {} if refused is None else {1: refused}
    (found,) = await meter.read_profile("P.01", FIRST, FIRST + timedelta(hours=1), BERLIN)
    ends = [FIRST + timedelta(minutes=15 * n) for n in (1, 2, 3, 4)]
    assert [row.end for row in found.rows] == ends[-min(4, count - 4) :]
    if refused is not None:
        access = meter.asked[-1].access
        assert access is not None
        first, last, *_ = (part.integer for part in access.parameters.items)
        # Two hours more on both sides, and no more of a long profile.
        assert last == count
        assert last - first < 20


@pytest.mark.parametrize("count", [9, 400])
async def test_entries_of_a_profile_that_begins_with_the_newest(count: int) -> None:
    """Sorted last in, first out, the entries of the range are the first ones."""
    meter = recording(count)
    meter.refused = {1: AccessResult.OTHER_REASON}
    meter.table[PROFILE, 5] = Data(Tag.ENUM, 2)
    meter.table[PROFILE, 2] = array(*quarters(count)[::-1])
    (found,) = await meter.read_profile("P.01", FIRST, FIRST + timedelta(hours=1), BERLIN)
    assert [row.end for row in found.rows] == [
        FIRST + timedelta(minutes=15 * n) for n in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (AccessResult.READ_WRITE_DENIED, PasswordNeeded),
        (AccessResult.SCOPE_OF_ACCESS_VIOLATED, PasswordNeeded),
        (AccessResult.HARDWARE_FAULT, MeterRefused),
        (AccessResult.OBJECT_UNDEFINED, UnknownRegister),
    ],
)
@pytest.mark.parametrize("attribute", [3, 4, 2])
async def test_a_refusal_is_told_as_one(
    result: AccessResult, error: type[MeterRefused], attribute: int
) -> None:
    meter = recording(9)
    meter.table[PROFILE, attribute] = result
    with pytest.raises(MeterRefused) as caught:
        await meter.read_profile("P.01", FIRST, FIRST + timedelta(hours=1), BERLIN)
    assert type(caught.value) is error
