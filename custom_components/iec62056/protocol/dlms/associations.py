"""Opens associations with one meter, one after the other, and checks that it is the intended meter first.

A login the meter refused is not tried a second time.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import Final

from ..dlms_errors import (
    AssociationRefused,
    AuthenticationRefused,
    CounterExhausted,
    DlmsMalformed,
    HdlcLost,
    HdlcRefused,
    HdlcSilent,
    SecurityBroken,
    ServiceRefused,
)
from ..errors import MeterError
from ..model import Identification, LineProfile, ProgressCallback
from ..reasons import Association, Lost
from ..register_session import Level
from ..transport.line import Line
from .apdu import Result, Unreadable
from .client import Client
from .cosem import object_list, short_names
from .data import Data
from .descriptors import Item, LogicalName, Member
from .link import Link
from .login import PUBLIC, DlmsLogin, Keyring, server_address
from .object_cache import Objects, attribute_place, place
from .objects import attributes, code, data_object, registers
from .standard_objects import standard_objects
from .written_values import refusal

type Opener = Callable[[], Awaitable[Identification | None]]

# An object that the meter fell silent over twice is left out for a day, in seconds.
_SKIPPED_FOR: Final = 86400
NOT_ASKED: Final = Unreadable(HdlcLost(why=Lost.SKIPPED))

_DATA = 1
# The invocation counter of a security setup: 0.0.43.1.e, where e is the client it is for, or only a number.
_COUNTERS = (0, 0, 43, 1)
# What is asked for where the public client has no object list.
_USUAL_COUNTERS = (0, 1)
# What a meter may say that has no public client.
_NO_ASSOCIATION = (AssociationRefused, HdlcRefused, HdlcSilent, ServiceRefused)


class _Last(Enum):
    """What became of the link before: it ended, the meter never answered in it, or did not confirm its end."""

    ENDED = 1
    SILENT = 2
    OPEN = 3


class Associations:
    """One meter behind an open line; one association at a time."""

    def __init__(
        self,
        line: Line,
        profile: LineProfile,
        keyring: Keyring,
        opener: Opener,
        *,
        progress: ProgressCallback | None = None,
    ) -> None:
        """`opener` leads the line to where HDLC begins. Nothing is sent yet."""
        self.keyring = keyring
        self.known = keyring.known
        """What the meter says of its objects; kept for the next session where it is the intended one."""
        self.identification: Identification | None = None
        self.repeats = 0
        """How often frames were repeated, and links opened again."""
        self.echo = False
        self.unread: dict[str, MeterError] = {}
        """What could not be read, and why, by object and attribute."""
        self._line = line
        self._server = server_address(profile)
        self._medium = profile.medium
        self._opener = opener
        self._progress = progress
        self._link: Link | None = None
        self._last = _Last.ENDED
        # Whether the open session is with the intended meter, and how the one that was asked last announced itself.
        self._sure = False
        self._sure_of: Identification | None = None

    async def enter(self, login: DlmsLogin) -> Client:
        """Associate by that login, after the session before has ended.

        Raises what the opener, the link and the association raise; a login that was refused is not sent again.
        """
        if (refused := self.keyring.refused.get(login)) is not None:
            raise refused.with_traceback(None)
        await self._prepare(login)
        try:
            return await self._associate(login)
        except ServiceRefused as err:
            if login.credentials.keys is None or err.counter is None:
                raise
            # The meter says which counter it waits for: nothing is less secure by that.
            self.keyring.counter.learn(err.counter - 1)
            self.keyring.learned = True
            await self._prepare(login)
            return await self._associate(login)

    async def _prepare(self, login: DlmsLogin) -> None:
        """Learn as the public client what must be known before a secret leaves: which meter it is, and its counter."""
        intended = None if login.level is Level.OPEN else self.keyring.intended
        learns = login.credentials.keys is not None and not self.keyring.learned
        if intended is None and not learns:
            return
        client = None
        # Some meters have no public client.
        with suppress(*_NO_ASSOCIATION):
            client = await self._associate(PUBLIC)
        if intended is not None:
            await self.make_sure(client)
        if learns:
            await self._learn_counter(client, login)

    async def make_sure(self, client: Client | None) -> None:
        """See to it that this is the intended meter, once in each session; `client` is None where the meter has no public client.

        Raises NotThisMeter, and what the link raises.
        """
        intended, known = self.keyring.intended, self.keyring.known
        if intended is None or self._sure:
            return
        shown = known.find(intended.code, PUBLIC.name)
        item = shown or known.find(intended.code, *known.lists) or data_object(intended.code)
        told = None
        if client is not None and item is not None:
            (result,) = await client.get([Item(Member(item.class_id, item.name, 2))])
            found = registers(item, {2: result}, known.scalers.get(place(item)))
            told = next((one for one in found if one.key == intended.code), None)
        public = shown is not None and bool(attributes(shown))
        intended.check(self.identification, told, public=public)
        self._sure, self._sure_of = True, self.identification

    async def _associate(self, login: DlmsLogin) -> Client:
        await self.leave()
        intended = None if login.level is Level.OPEN else self.keyring.intended
        link = await self._in_frames(login)
        if link is None:
            self.identification = await self._opener() or self.identification
            self._link = link = Link(self._line, login.client, self._server, self._progress)
            if intended is not None and self.identification != self._sure_of:
                # Nothing but a farewell is said to another meter than the one that was asked just now.
                intended.check(self.identification, None, public=True)
            await self._connect(link)
        client = Client(link, login, self.keyring)
        if login.level is not Level.OPEN:
            self.keyring.tried.add(login)
        try:
            await client.associate()
        except (AuthenticationRefused, SecurityBroken) as err:
            self.keyring.refused[login] = err
            raise
        except AssociationRefused as err:
            known = self.keyring.known
            if err.placeholders["why"] is not Association.CONTEXT or known.lists:
                raise
            # Old meters have short names only.
            known.short_names = not known.short_names
            if not known.short_names:
                raise
            return await self._associate(login)
        except CounterExhausted:
            # Nothing was sent.
            self.keyring.tried.discard(login)
            raise
        except ServiceRefused:
            # Perhaps the counter: another client of the same key has moved it on.
            self.keyring.learned = False
            raise
        self.keyring.proven.add(login)
        self._sure = intended is not None
        return client

    async def _in_frames(self, login: DlmsLogin) -> Link | None:
        """A link to a meter that still waits for frames, because the last one did not begin, or did not end.

        Raises HdlcSilent where it does not answer this login either.
        """
        last, self._last = self._last, _Last.ENDED
        if last is _Last.ENDED:
            return None
        self._line.binary = True
        self._link = link = Link(self._line, login.client, self._server, self._progress)
        try:
            await self._connect(link)
        except HdlcSilent:
            if last is _Last.SILENT:
                raise
            # It has left after all.
            await self.leave()
            self._last = _Last.ENDED
            return None
        return link

    async def _connect(self, link: Link) -> None:
        try:
            await link.connect()
        except HdlcSilent:
            self._last = _Last.SILENT
            raise

    async def leave(self) -> None:
        """End the link, if there is one; nothing is raised where the meter or the line is gone."""
        link, self._link, self._sure = self._link, None, False
        if link is None:
            return
        self.repeats += link.retransmissions
        self.echo |= link.echo
        try:
            if not await link.disconnect() and self._last is _Last.ENDED:
                self._last = _Last.OPEN
        finally:
            self._line.binary = False
            self._line.drop_input()

    async def abandon(self) -> None:
        """End the link without waiting for an answer, for a call that was cancelled."""
        link, self._link, self._sure = self._link, None, False
        if link is not None:
            await link.abandon()
            self._line.binary = False

    async def _learn_counter(self, client: Client | None, login: DlmsLogin) -> None:
        """Ask the meter for its own invocation counter: another client may have moved it on."""
        results: Sequence[Result] = ()
        # Without a public client, what is stored must do.
        with suppress(*_NO_ASSOCIATION):
            if client is not None:
                results = await client.get(await self._counters(client, login))
        for result in results:
            if isinstance(result, Data) and isinstance(result.value, int):
                self.keyring.counter.learn(result.integer)
        self.keyring.learned = True

    async def _counters(self, client: Client, login: DlmsLogin) -> list[Item]:
        """Where the invocation counter of that login may be."""
        listed = [
            item.name
            for item in await self.objects(client, PUBLIC)
            if item.class_id == _DATA and item.name[:4] == _COUNTERS
        ]
        usual = [LogicalName(*_COUNTERS, last) for last in (login.client, *_USUAL_COUNTERS)]
        own = [name for name in listed if name.e == login.client]
        return [Item(Member(_DATA, name, 2)) for name in own or listed or usual]

    async def objects(self, client: Client, login: DlmsLogin) -> Objects:
        """The objects of this association, from what is known or from the meter; the standard's where it gives no list.

        Of those, what the meter has is known after the first reading.
        """
        lists = self.known.lists
        if login.name in lists:
            return lists[login.name]
        result = await self._object_list(client)
        error: MeterError = DlmsMalformed(why="it is empty")
        if isinstance(result, Data):
            try:
                if listed := self._listed(result):
                    lists[login.name] = listed
                    return listed
            except DlmsMalformed as err:
                error = err
        else:
            error = refusal(result, str(code(client.object_list.name)), login.level)
        self.note(client.object_list, error)
        return self.known.standard.get(login.name) or standard_objects(self._medium)

    def _listed(self, result: Data) -> Objects:
        known = self.keyring.known
        if not known.short_names:
            return object_list(result)
        names = short_names(result)
        known.base_names |= {place(item): base for item, base in names}
        return tuple(item for item, _ in names)

    async def _object_list(self, client: Client) -> Result:
        """What the meter answers to the question for its objects; it is not asked where it fell silent over it twice."""
        if self._line.utcnow().timestamp() < self.known.skipped.get(
            attribute_place(client.object_list), 0
        ):
            return NOT_ASKED
        try:
            (result,) = await client.get([Item(client.object_list)])
        except HdlcLost as err:
            self.suspect(client.asking, err, {})
            raise
        return result

    def suspect(self, asked: Sequence[Item], err: HdlcLost, found: dict[Item, Result]) -> None:
        """Have what the meter fell silent over asked by itself; what it did so over twice, not before tomorrow."""
        known = self.known
        for item in asked:
            attribute = attribute_place(item.member)
            known.alone[attribute] = known.alone.get(attribute, 0) + 1
            if len(asked) == 1 and known.alone[attribute] > 1:
                known.skipped[attribute] = self._line.utcnow().timestamp() + _SKIPPED_FOR
                found[item] = Unreadable(err)

    def note(self, member: Member, error: MeterError) -> None:
        """Say in the reading what could not be read, and why."""
        about = f"{code(member.name)} (class {member.class_id}, attribute {member.number})"
        self.unread[about] = error
