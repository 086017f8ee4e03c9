"""A part of a load profile or of an event log, asked for in an open conversation, whatever the mode.

Here: which request a meter understands, what belongs to a profile of COSEM.
Never here: how requests travel, how answers are read (profile.py, events.py, dlms/profile.py), which parts are wanted.
"""

from collections.abc import Sequence
import datetime as dt
from typing import Final

from ..ascii.datasets import parse as parse_datasets
from ..ascii.register_writer import RegisterWriter
from ..dlms import load_profile as cosem
from ..dlms.cosem import Column, CosemObject, ScalerUnit, columns as columns_of, rows as rows_of
from ..dlms.data import Data
from ..dlms.descriptors import Item, Member
from ..dlms.dlms_session import DlmsSession
from ..dlms.objects import scaler_attribute
from ..errors import DlmsMalformed, MeterRefused, NoProgramming, NothingRecorded, UnknownRegister
from ..model import Obis
from ..register_session import RegisterSession
from ..values import Season
from .events import Event, parse as parse_events
from .load_profile import LOAD_PROFILES, MARGIN, Profile, join, parse, request

# Blocks of an answer to R6; GX asks for as many.
BLOCKS: Final = 10
# Periods from one to the next; with a digit for the season, which MCS301 passes over, or without; in partial blocks.
_FORMS: Final = (("R5", Season.WINTER, 0), ("R5", None, 0), ("R6", Season.WINTER, BLOCKS))
# How some makes say that the range is empty.
_EMPTY: Final = "ERROR"
_PROFILE_GENERIC: Final = 7
_BUFFER, _COLUMNS, _PERIOD = 2, 3, 4
# Value groups C.D of event logs.
_LOGS: Final = (99, 98)


async def read_profile(
    conversation: RegisterSession, code: str, first: dt.datetime, last: dt.datetime, zone: dt.tzinfo
) -> tuple[Profile, ...]:
    """The periods of a profile (P.01, P.02) that ended later than `first` and not later than `last`.

    Nothing where the meter has nothing recorded. `zone` is where the meter's clock is. Raises NoProgramming where no
    conversation leads to a profile, MeterRefused where the meter has none or wants a password, MeterError.
    """
    if isinstance(conversation, RegisterWriter):
        block = await _block(conversation, code, first, last, zone)
        found = parse(parse_datasets(block)[0], zone)
    elif isinstance(conversation, DlmsSession):
        found = await _cosem(conversation, code, first, last, zone)
    else:
        raise NoProgramming(meter="")
    parts = (profile.within(first, last) for profile in found)
    return tuple(profile for profile in join(parts) if profile.rows)


async def read_events(
    conversation: RegisterSession, code: str, first: dt.datetime, last: dt.datetime, zone: dt.tzinfo
) -> tuple[Event, ...]:
    """The entries of an event log (P.98, P.99) from `first` to `last`, and those without a moment.

    In mode E all logs of the meter, whatever the code. Raises as `read_profile`.
    """
    if isinstance(conversation, RegisterWriter):
        block = await _block(conversation, code, first, last, zone)
        found = parse_events(parse_datasets(block)[0], zone)
    elif isinstance(conversation, DlmsSession):
        found = await _cosem_events(conversation, first, last, zone)
    else:
        raise NoProgramming(meter="")
    return tuple(event for event in found if event.at is None or first <= event.at <= last)


async def _block(
    conversation: RegisterWriter, code: str, first: dt.datetime, last: dt.datetime, zone: dt.tzinfo
) -> bytes:
    """The answer to the first request that the meter understands; empty where nothing is recorded."""
    refused: MeterRefused | None = None
    for command, season, blocks in _FORMS:
        wish = request(code, first, last, zone, season, blocks=blocks)
        try:
            return await conversation.read_block(f"{command} {wish}")
        except NothingRecorded:
            return b""
        except MeterRefused as err:
            if err.placeholders.get("message") == _EMPTY:
                return b""
            # The first refusal tells most: the others are of forms the meter may not have.
            refused = refused or err
    raise refused or UnknownRegister(code=code, message="")


async def _cosem(
    conversation: DlmsSession, code: str, first: dt.datetime, last: dt.datetime, zone: dt.tzinfo
) -> tuple[Profile, ...]:
    if not conversation.objects:
        await conversation.open()
    name = _find(conversation.objects, code).name

    def of_profile(attribute: int) -> Item:
        return Item(Member(_PROFILE_GENERIC, name, attribute))

    described = await conversation.get((of_profile(_COLUMNS), of_profile(_PERIOD)))
    columns = columns_of(_data(described[0], code))
    period = dt.timedelta(seconds=_data(described[1], code).integer)
    scalers = await _scalers(conversation, columns)
    margin = (first - MARGIN).astimezone(zone), (last + MARGIN).astimezone(zone)
    (now,) = await conversation.get((Item(cosem.clock(columns)),))
    access = cosem.rows_between(columns, *margin, now)
    (buffer,) = await conversation.get((Item(Member(_PROFILE_GENERIC, name, _BUFFER), access),))
    rows = rows_of(_data(buffer, code), len(columns))
    return (cosem.profile(code, columns, rows, scalers, period=period, zone=zone),)


async def _cosem_events(
    conversation: DlmsSession, first: dt.datetime, last: dt.datetime, zone: dt.tzinfo
) -> tuple[Event, ...]:
    if not conversation.objects:
        await conversation.open()
    found: list[Event] = []
    for item in conversation.objects:
        if item.class_id != _PROFILE_GENERIC or tuple(item.name)[2:4] != _LOGS:
            continue
        member = Member(_PROFILE_GENERIC, item.name, _COLUMNS)
        (described,) = await conversation.get((Item(member),))
        if not isinstance(described, Data):
            continue
        columns = columns_of(described)
        (now,) = await conversation.get((Item(cosem.clock(columns)),))
        access = cosem.rows_between(columns, first.astimezone(zone), last.astimezone(zone), now)
        member = Member(_PROFILE_GENERIC, item.name, _BUFFER)
        (buffer,) = await conversation.get((Item(member, access),))
        if isinstance(buffer, Data):
            name = str(Obis(*item.name))
            found += cosem.events(name, columns, rows_of(buffer, len(columns)), zone)
    return tuple(found)


def _find(objects: Sequence[CosemObject], code: str) -> CosemObject:
    """The load profile of that name: P.01 is 1-0:99.1.0."""
    number = LOAD_PROFILES.index(code) + 1 if code in LOAD_PROFILES else 0
    for item in objects:
        if item.class_id == _PROFILE_GENERIC and tuple(item.name)[2:5] == (99, number, 0):
            return item
    raise UnknownRegister(code=code, message="")


async def _scalers(conversation: DlmsSession, columns: Sequence[Column]) -> dict[int, ScalerUnit]:
    """Scaler and unit of the columns that are registers and tell them."""
    asked = {
        number: Item(Member(member.class_id, member.name, at))
        for number, (member, _) in enumerate(columns)
        if (at := scaler_attribute(member.class_id)) is not None
    }
    if not asked:
        return {}
    answers = await conversation.get(tuple(asked.values()))
    found = {}
    for number, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Data):
            try:
                found[number] = ScalerUnit.of(answer)
            except DlmsMalformed:
                continue
    return found


def _data(result: object, code: str) -> Data:
    if isinstance(result, Data):
        return result
    raise UnknownRegister(code=code, message=str(result))
