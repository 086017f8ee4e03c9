"""Parts of load profiles and event logs, read in programming mode (VDEW 2.1; manuals of E650, MCS301 and LZQJ)."""

import datetime as dt
from typing import Final, override

from ..errors import MeterRefused, NothingRecorded, UnknownRegister
from ..profiles.events import Event, events_between, parse as parse_events
from ..profiles.load_profile import Profile, parse as parse_profiles, profiles_between, request
from ..register_session import RegisterSession
from ..values import Season
from .datasets import parse
from .register_reader import RegisterReader

# Blocks of an answer to R6; GX asks for as many.
BLOCKS: Final = 10
# Periods from one to the next; with a digit for the season, which MCS301 passes over, or without; in partial blocks; as
# Turkish makes want it.
_FORMS: Final = (
    ("R5", Season.WINTER, 0),
    ("R5", None, 0),
    ("R6", Season.WINTER, BLOCKS),
    ("R2", None, 0),
)
# How some makes say that the range is empty.
_EMPTY: Final = "ERROR"


class ProfileReader(RegisterReader, RegisterSession):
    """One meter in programming mode, with its load profiles and event logs."""

    @override
    async def read_profile(
        self, code: str, first: dt.datetime, last: dt.datetime, zone: dt.tzinfo
    ) -> tuple[Profile, ...]:
        block = await self._recorded(code, first, last, zone)
        return profiles_between(parse_profiles(parse(block)[0], zone), first, last)

    @override
    async def read_events(
        self, code: str, first: dt.datetime, last: dt.datetime, zone: dt.tzinfo
    ) -> tuple[Event, ...]:
        block = await self._recorded(code, first, last, zone)
        return events_between(parse_events(parse(block)[0], zone), first, last)

    async def _recorded(
        self, code: str, first: dt.datetime, last: dt.datetime, zone: dt.tzinfo
    ) -> bytes:
        """The answer to the first request that the meter understands; empty where nothing is recorded."""
        refused: MeterRefused | None = None
        for command, season, blocks in _FORMS:
            wish = request(code, first, last, zone, season, blocks=blocks)
            try:
                return await self.read_block(f"{command} {wish}")
            except NothingRecorded:
                return b""
            except MeterRefused as err:
                if err.placeholders.get("message") == _EMPTY:
                    return b""
                # The first refusal tells most: the others are of forms the meter may not have.
                refused = refused or err
        raise refused or UnknownRegister(code=code, message="")
