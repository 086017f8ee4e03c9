"""Parts of load profiles and event logs (class 7), asked for in an open association."""

from collections.abc import Awaitable, Callable, Sequence
import datetime as dt
import math
from typing import Final

from ..dlms_errors import DlmsMalformed
from ..errors import UnknownRegister
from ..model import Obis
from ..profiles.events import Event
from ..profiles.load_profile import LOAD_PROFILES, MARGIN, Profile
from ..register_session import Level
from . import load_profile
from .apdu import Result
from .cosem import Column, CosemObject, ScalerUnit, columns as columns_of, rows as rows_of
from .data import Data
from .descriptors import Access, Item, Member, by_entry
from .object_cache import Objects
from .objects import scaler_attribute
from .written_values import refusal

type Get = Callable[[Sequence[Item]], Awaitable[tuple[Result, ...]]]

_PROFILE_GENERIC: Final = 7
_BUFFER, _COLUMNS, _PERIOD, _SORTED, _ENTRIES_IN_USE = 2, 3, 4, 5, 7
# Sorted so (last in, first out; the largest first), the newest entry is the first one.
_NEWEST_FIRST: Final = frozenset((2, 3))
# Value groups C.D of event logs.
_LOGS: Final = (99, 98)


async def read_profile(
    get: Get,
    objects: Objects,
    code: str,
    first: dt.datetime,
    last: dt.datetime,
    *,
    zone: dt.tzinfo,
    level: Level,
) -> Profile:
    """A load profile around a range: by its times, or by the numbers of its entries where the meter refuses those.

    Raises MeterRefused, DlmsMalformed, and as `get`.
    """
    name = _find(objects, code).name

    def of_profile(attribute: int) -> Item:
        return Item(Member(_PROFILE_GENERIC, name, attribute))

    described = await get((of_profile(_COLUMNS), of_profile(_PERIOD)))
    columns = columns_of(_data(described[0], code, level))
    period = dt.timedelta(seconds=_data(described[1], code, level).integer)
    scalers = await _scalers(get, columns)
    margin = (first - MARGIN).astimezone(zone), (last + MARGIN).astimezone(zone)
    (now,) = await get((Item(load_profile.clock(columns)),))
    access = load_profile.rows_between(columns, *margin, now)
    (buffer,) = await get((Item(of_profile(_BUFFER).member, access),))
    if not isinstance(buffer, Data):
        used, sort = await get((of_profile(_ENTRIES_IN_USE), of_profile(_SORTED)))
        shown = load_profile.moment(now, zone) or last
        newest_first = isinstance(sort, Data) and sort.value in _NEWEST_FIRST
        entries = _entries(used, period, margin[0], shown, newest_first=newest_first)
        if entries is not None:
            (numbered,) = await get((Item(of_profile(_BUFFER).member, entries),))
            # The first refusal tells most.
            buffer = numbered if isinstance(numbered, Data) else buffer
    rows = rows_of(_data(buffer, code, level), len(columns))
    return load_profile.profile(code, columns, rows, scalers, period=period, zone=zone)


def _entries(
    used: Result,
    period: dt.timedelta,
    first: dt.datetime,
    now: dt.datetime,
    *,
    newest_first: bool,
) -> Access | None:
    """The latest entries, back to the first moment; all where they have no period. None where there are none."""
    if not isinstance(used, Data) or not used.integer:
        return None
    wanted = math.ceil((now - first) / period) + 1 if period else used.integer
    count = min(max(wanted, 1), used.integer)
    begin = 1 if newest_first else used.integer - count + 1
    return by_entry(begin, begin + count - 1)


async def read_events(
    get: Get, objects: Objects, first: dt.datetime, last: dt.datetime, zone: dt.tzinfo
) -> tuple[Event, ...]:
    """The entries of all event logs in a range. Raises DlmsMalformed, and as `get`."""
    found: list[Event] = []
    for item in objects:
        if item.class_id != _PROFILE_GENERIC or tuple(item.name)[2:4] != _LOGS:
            continue
        (described,) = await get((Item(Member(_PROFILE_GENERIC, item.name, _COLUMNS)),))
        if not isinstance(described, Data):
            continue
        columns = columns_of(described)
        (now,) = await get((Item(load_profile.clock(columns)),))
        access = load_profile.rows_between(
            columns, first.astimezone(zone), last.astimezone(zone), now
        )
        (buffer,) = await get((Item(Member(_PROFILE_GENERIC, item.name, _BUFFER), access),))
        if isinstance(buffer, Data):
            name = str(Obis(*item.name))
            found += load_profile.events(name, columns, rows_of(buffer, len(columns)), zone)
    return tuple(found)


def _find(objects: Objects, code: str) -> CosemObject:
    """The load profile of that name: P.01 is 1-0:99.1.0."""
    number = LOAD_PROFILES.index(code) + 1 if code in LOAD_PROFILES else 0
    for item in objects:
        if item.class_id == _PROFILE_GENERIC and tuple(item.name)[2:5] == (99, number, 0):
            return item
    raise UnknownRegister(code=code, message="")


async def _scalers(get: Get, columns: Sequence[Column]) -> dict[int, ScalerUnit]:
    """Scaler and unit of the columns that are registers and tell them."""
    asked = {
        number: Item(Member(member.class_id, member.name, at))
        for number, (member, _) in enumerate(columns)
        if (at := scaler_attribute(member.class_id)) is not None
    }
    if not asked:
        return {}
    answers = await get(tuple(asked.values()))
    found = {}
    for number, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Data):
            try:
                found[number] = ScalerUnit.of(answer)
            except DlmsMalformed:
                continue
    return found


def _data(result: Result, code: str, level: Level) -> Data:
    if isinstance(result, Data):
        return result
    raise refusal(result, code, level)
