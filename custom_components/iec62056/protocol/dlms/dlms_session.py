"""Open session of mode E: reads registers by their codes, lists what the meter offers, makes changes that are allowed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
import re
from typing import override

from .. import obis
from ..dlms_errors import DlmsUnsent, HdlcLost, HdlcSilent, ServiceRefused
from ..errors import MeterError, NotPermitted, UnknownRegister
from ..model import Identification, Obis, Register
from ..profiles.events import Event, events_between
from ..profiles.load_profile import Profile, profiles_between
from ..register_session import (
    NOTHING,
    Answer,
    Level,
    Offer,
    Permits,
    RegisterSession,
    WriteOutcome,
    Written,
)
from . import profile_reader, written_values
from .apdu import AccessResult, Result
from .client import Client
from .cosem import CosemObject, Rights
from .data import Data, Tag
from .descriptors import Item, LogicalName, Member
from .link import PAUSE
from .login import DlmsLogin
from .object_cache import Objects, place
from .objects import attributes, codes
from .session import Session
from .standard_objects import object_of, standard_class

# A link is used for that part of the time after which the meter ends it: both clocks, and a request that takes long.
OF_INACTIVITY = 0.9

# A code with the class of its object behind it, as wb-mqtt-serial and ESPHome have it.
_WITH_CLASS = re.compile(r"(?P<code>[^/]+)/(?P<class_id>[0-9]{1,5})", re.ASCII).fullmatch

_CLOCK = str(Obis(0, 0, 1, 0, 0))
_SCRIPT_TABLE = 9


class DlmsSession(RegisterSession):
    """One conversation, by one login or at the most privileged level of the keyring that the meter takes.

    Codes are those of registers: `1-0:1.8.0`, or as mode C writes them. A command is a code with the number of its
    method, `0-0:10.0.0,1`; without one, it is the first.
    """

    def __init__(
        self, session: Session, permits: Permits = NOTHING, login: DlmsLogin | None = None
    ) -> None:
        """Nothing is sent yet."""
        self._session = session
        self._permits = permits
        self._chosen = login
        self._client: Client | None = None
        self.opened = 0
        self.identification: Identification | None = None

    @property
    def _login(self) -> DlmsLogin:
        if self._chosen is not None:
            return self._chosen
        keyring = self._session.keyring
        usable = [login for login in keyring.logins if login not in keyring.refused]
        return (usable or keyring.logins[-1:])[-1]

    @property
    def level(self) -> Level:
        """What this session may see."""
        return self._login.level

    @property
    def objects(self) -> Objects:
        """The meter's objects as this association sees them."""
        return self._session.known.lists.get(self._login.name, ())

    @override
    async def open(self) -> Identification | None:
        self._client = None
        self.opened += 1
        client = await self._session.enter(self._login)
        self.identification = self._session.identification
        self._client = client
        return self.identification

    @override
    async def close(self) -> None:
        self._client = None
        await self._session.leave()

    async def _alive(self) -> Client:
        """The association, opened anew where the meter will have closed it by itself."""
        client = self._client
        if client is not None and client.link.idle > OF_INACTIVITY * self._session.known.inactivity:
            # It would not be heard.
            await self._session.abandon()
            client = None
        if client is None or not client.link.is_up:
            await self.open()
            client = self._client
        if client is None:
            raise HdlcLost(why="it was closed")
        return client

    async def _again[R](self, ask: Callable[[Client], Awaitable[R]]) -> R:
        """What was asked of the association; once more where its link was lost: a meter may close it early."""
        try:
            return await ask(await self._alive())
        except HdlcLost, HdlcSilent:
            link = None if self._client is None else self._client.link
            if link is not None and link.rested > PAUSE:
                known = self._session.known
                known.inactivity = min(known.inactivity, link.rested)
            if link is not None and link.left:
                # Nor would its end be heard.
                await self._session.abandon()
            await self.open()
            return await ask(await self._alive())

    async def _values(self, items: Sequence[CosemObject]) -> dict[str, dict[int, Result]]:
        async def reopen() -> Client:
            await self.open()
            return await self._alive()

        return await self._again(lambda client: self._session.values(client, items, reopen))

    async def get(self, items: Sequence[Item]) -> tuple[Result, ...]:
        """Attributes, or parts of them, by their descriptors. Raises MeterError where the link is lost."""
        return await self._again(lambda client: client.get(items))

    # Reading.

    @override
    async def read(self, codes: Sequence[str]) -> tuple[Answer, ...]:
        answers = await self._read(codes)
        missing = [code for code in codes if isinstance(answers[code].refusal, UnknownRegister)]
        if missing and self._login.name not in self._session.known.lists:
            # They are none of the standard's, or not as the standard has them.
            await self._list()
            if self._login.name in self._session.known.lists:
                answers |= await self._read(missing)
        return tuple([answers[code] for code in codes])

    async def _read(self, codes: Sequence[str]) -> dict[str, Answer]:
        await self._alive()
        found = {code: self._find(code) for code in codes}
        items = {place(item): item for item in found.values() if item is not None}
        values = await self._values(tuple(items.values()))
        return {
            code: self._unknown(code)
            if item is None
            else self._answer(code, item, values[place(item)])
            for code, item in found.items()
        }

    async def _list(self) -> None:
        """Have the meter list its objects, if it was not done yet and it does."""
        await self._again(lambda client: self._session.objects(client, self._login))

    def _unknown(self, code: str) -> Answer:
        error = UnknownRegister(code=code, message="it is not in the meter's list")
        return Answer(code, self.level, refusal=error)

    def _answer(self, code: str, item: CosemObject, values: dict[int, Result]) -> Answer:
        if (register := self._register(code, item, values)) is not None:
            return Answer(code, self.level, register)
        reason = values.get(2, AccessResult.READ_WRITE_DENIED)
        if isinstance(reason, Data):
            reason = AccessResult.TYPE_UNMATCHED
        return Answer(code, self.level, refusal=written_values.refusal(reason, code, self.level))

    def _register(self, code: str, item: CosemObject, values: dict[int, Result]) -> Register | None:
        found = self._session.registers_of(item, values, self.objects)
        return next((register for register in found if register.key == _key(code)), None)

    def _find(self, code: str) -> CosemObject | None:
        """The object behind a code: one of that name, else the demand register whose last average it is.

        Without a list, the one that the standard has there. A class behind the code (`1-0:1.8.0/3`) needs no list.
        """
        key, class_id = _key(code), _class(code)
        parsed = obis.parse(key)
        if parsed is not None and (class_id is not None or not self.objects):
            name = LogicalName(parsed.a, parsed.b, parsed.c, parsed.d, parsed.e, parsed.f)
            return object_of(name, standard_class(parsed) if class_id is None else class_id)
        named = [item for item in self.objects if key in codes(item)]
        own = [item for item in named if key == codes(item)[0]]
        # A profile may have the name of a register.
        return next((item for item in own if attributes(item)), next(iter(own or named), None))

    @override
    async def offered(self) -> tuple[Offer, ...]:
        await self._alive()
        keyring = self._session.keyring
        await self._list()
        if await self._session.survey():
            await self.open()
        offers: dict[str, Offer] = {}
        for login in keyring.logins:
            for item in self._session.known.lists.get(login.name, ()):
                if 2 not in item.attributes:
                    continue
                rights, name = item.attributes[2].rights, codes(item)[0]
                before = offers.get(name) or Offer(name, f"class {item.class_id}", None, None)
                readable = login.level if Rights.READ in rights else None
                writable = login.level if Rights.WRITE in rights else None
                offers[name] = Offer(
                    name, before.kind, before.readable or readable, before.writable or writable
                )
        return tuple(offers.values())

    @override
    async def read_profile(
        self, code: str, first: datetime, last: datetime, zone: tzinfo
    ) -> tuple[Profile, ...]:
        await self._list()
        found = await profile_reader.read_profile(
            self.get, self.objects, code, first, last, zone=zone, level=self.level
        )
        return profiles_between([found], first, last)

    @override
    async def read_events(
        self, code: str, first: datetime, last: datetime, zone: tzinfo
    ) -> tuple[Event, ...]:
        await self._list()
        found = await profile_reader.read_events(self.get, self.objects, first, last, zone)
        return events_between(found, first, last)

    # Changing.

    @override
    async def write(self, code: str, value: str) -> Written:
        if _key(code) not in map(_key, self._permits.write):
            return _not_permitted(code)
        scalers = self._session.known.scalers
        return await self._set(
            code,
            lambda item, present: written_values.parsed(value, present, scalers.get(place(item))),
            lambda sent, present: sent == present,
        )

    @override
    async def set_clock(self, time: datetime) -> Written:
        if not self._permits.clock:
            return _not_permitted(_CLOCK)
        return await self._set(
            _CLOCK,
            lambda _, present: written_values.clock(time, present),
            lambda _, present: written_values.clock_is(time, present),
        )

    async def _set(
        self,
        code: str,
        new: Callable[[CosemObject, Data], Data],
        same: Callable[[Data, Data], bool],
    ) -> Written:
        """Set attribute 2 of an object: read, set, read back. A set that was sent is never sent again."""
        await self._list()
        item = self._find(code)
        if item is None:
            return Written(code, WriteOutcome.NOT_SENT, refusal=self._unknown(code).refusal)
        values = await self._values((item,))
        present = values[place(item)].get(2, AccessResult.READ_WRITE_DENIED)
        if not isinstance(present, Data):
            error = written_values.refusal(present, code, self.level)
            return Written(code, WriteOutcome.NOT_SENT, refusal=error)
        before = self._register(code, item, values[place(item)])
        target = Item(Member(item.class_id, item.name, 2))
        try:
            value = new(item, present)
        except MeterError as err:
            return Written(code, WriteOutcome.NOT_SENT, before, refusal=err)
        done = await self._do(code, before, lambda client: client.set(target, value))
        if done.certainty is not WriteOutcome.CONFIRMED:
            return done
        try:
            values = await self._values((item,))
        except MeterError as err:
            return replace(done, certainty=WriteOutcome.UNCONFIRMED, refusal=err)
        found = values[place(item)].get(2)
        right = isinstance(found, Data) and same(value, found)
        return replace(
            done,
            certainty=WriteOutcome.CONFIRMED if right else WriteOutcome.UNCONFIRMED,
            after=self._register(code, item, values[place(item)]),
        )

    async def _do(
        self,
        code: str,
        before: Register | None,
        change: Callable[[Client], Awaitable[Result]],
    ) -> Written:
        """Send a change once, and say what is known of it."""
        client = await self._alive()
        await self._session.make_sure(client)
        try:
            result = await change(client)
        except DlmsUnsent as err:
            return Written(code, WriteOutcome.NOT_SENT, before, refusal=err)
        except ServiceRefused as err:
            return Written(code, WriteOutcome.REFUSED, before, refusal=err)
        except MeterError as err:
            return Written(code, WriteOutcome.UNKNOWN, before, refusal=err)
        if isinstance(result, AccessResult) and result is not AccessResult.SUCCESS:
            error = written_values.refusal(result, code, self.level)
            return Written(code, WriteOutcome.REFUSED, before, refusal=error)
        return Written(code, WriteOutcome.CONFIRMED, before)

    @override
    async def execute(self, code: str, argument: str) -> Written:
        if _key(code) not in map(_key, self._permits.execute):
            return _not_permitted(code)
        await self._list()
        parsed = obis.parse(code)
        method = 1 if parsed is None or parsed.attribute is None else parsed.attribute
        item = self._find(code if parsed is None else str(replace(parsed, attribute=None)))
        if item is None:
            return Written(code, WriteOutcome.NOT_SENT, refusal=self._unknown(code).refusal)
        tag = Tag.LONG_UNSIGNED if item.class_id == _SCRIPT_TABLE else Tag.INTEGER
        try:
            parameter = written_values.parsed(argument or "0", Data(tag, 0), None)
        except DlmsUnsent as err:
            return Written(code, WriteOutcome.NOT_SENT, refusal=err)
        member = Member(item.class_id, item.name, method)
        return await self._do(code, None, lambda client: client.act(member, parameter))


def _key(code: str) -> str:
    """What a register of that code is called; what is no OBIS code stays as it is."""
    found = _WITH_CLASS(code)
    parsed = obis.parse(code if found is None else found["code"])
    return code if parsed is None else str(parsed)


def _class(code: str) -> int | None:
    """The class that the user names behind a code."""
    found = _WITH_CLASS(code)
    return None if found is None else int(found["class_id"])


def _not_permitted(code: str) -> Written:
    return Written(code, WriteOutcome.NOT_SENT, refusal=NotPermitted(code=code))
