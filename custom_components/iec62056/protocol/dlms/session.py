"""A session of mode E with one meter: from login to login, and everything the meter tells at each.

Here: the order of links and associations, the object list and what is kept of it, what is tried again and what never.
Never here: the sign-on (the caller's `opener`), frames, what becomes of a single attribute (`objects`).

A login the meter refused is not tried a second time, and no weaker one takes its place: what the other logins of the
keyring may read on their own account is still read.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from ..access import Level
from ..errors import (
    AssociationRefused,
    AuthenticationRefused,
    CounterExhausted,
    DlmsError,
    DlmsMalformed,
    HdlcLost,
    HdlcRefused,
    HdlcSilent,
    LoginError,
    MeterError,
    NoData,
    SecurityBroken,
    ServiceRefused,
)
from ..line import Line
from ..model import Identification, LineProfile, ProgressCallback, Register
from .apdu import AccessResult, Result
from .client import Client
from .cosem import ASSOCIATION, CURRENT_ASSOCIATION, CosemObject, ScalerUnit, object_list
from .data import Data
from .descriptors import Item, LogicalName, Member
from .known import Objects, place
from .link import Link
from .login import PUBLIC, Keyring, Login, server_address
from .objects import attributes, code, registers, scaler_attribute, text

type Opener = Callable[[], Awaitable[Identification | None]]

# What tells a device and its configuration: logical device name, numbers, firmware, configuration, its changes.
_MARKS = frozenset(
    LogicalName(*groups)
    for groups in (
        (0, 0, 42, 0, 0),
        (0, 0, 96, 1, 0),
        (1, 0, 0, 0, 0),
        (1, 0, 0, 2, 0),
        (1, 0, 0, 2, 1),
        (0, 0, 0, 2, 0),
        (0, 0, 0, 2, 1),
        (0, 0, 96, 2, 0),
    )
)
_DATA = 1
# The invocation counter of a security setup: 0.0.43.1.e, where e is the client it is for, or only a number.
_COUNTERS = (0, 0, 43, 1)
# What is asked for where the public client has no object list.
_USUAL_COUNTERS = (0, 1)

# What keeps one login out, and leaves the others alone: a meter may not answer to a client address it does not know.
NOT_TAKEN = (
    AssociationRefused,
    CounterExhausted,
    HdlcRefused,
    HdlcSilent,
    LoginError,
    ServiceRefused,
)


class Session:
    """One meter behind an open line; one call at a time."""

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
        self.identification: Identification | None = None
        self.refusal: MeterError | None = None
        """Why a login was not taken in this session; what the others may read is read all the same."""
        self.repeats = 0
        """How often frames were repeated, and links opened again."""
        self.echo = False
        self._line = line
        self._server = server_address(profile)
        self._opener = opener
        self._progress = progress
        self._link: Link | None = None

    # Links and associations.

    async def enter(self, login: Login) -> Client:
        """Associate by that login, after the session before has ended.

        Raises what the opener, the link and the association raise; a login that was refused is not sent again.
        """
        if (refused := self.keyring.refused.get(login)) is not None:
            raise refused.with_traceback(None)
        keys = login.credentials.keys is not None
        if keys and not self.keyring.learned:
            await self._learn_counter(login)
        try:
            return await self._associate(login)
        except ServiceRefused as err:
            if not keys or err.counter is None:
                raise
            # The meter says which counter it waits for: nothing is less secure by that.
            self.keyring.counter.learn(err.counter - 1)
            return await self._associate(login)

    async def _associate(self, login: Login) -> Client:
        await self.leave()
        self.identification = await self._opener() or self.identification
        self._link = Link(self._line, login.client, self._server, self._progress)
        await self._link.connect()
        client = Client(self._link, login, self.keyring)
        if login.level is not Level.OPEN:
            self.keyring.tried.add(login)
        try:
            await client.associate()
        except (AuthenticationRefused, SecurityBroken) as err:
            self.keyring.refused[login] = err
            raise
        except CounterExhausted:
            # Nothing was sent.
            self.keyring.tried.discard(login)
            raise
        except ServiceRefused:
            # Perhaps the counter: another client of the same key has moved it on.
            self.keyring.learned = False
            raise
        self.keyring.proven.add(login)
        return client

    async def leave(self) -> None:
        """End the link, if there is one; nothing is raised where the meter or the line is gone."""
        link, self._link = self._link, None
        if link is None:
            return
        self.repeats += link.retransmissions
        self.echo |= link.echo
        try:
            await link.disconnect()
        finally:
            self._line.binary = False
            self._line.drop_input()

    async def abandon(self) -> None:
        """End the link without waiting for an answer: whoever cancels does not wait."""
        link, self._link = self._link, None
        if link is not None:
            await link.abandon()
            self._line.binary = False

    async def _learn_counter(self, login: Login) -> None:
        """Ask for the meter's own invocation counter as the public client: another client may have moved it on."""
        try:
            client = await self._associate(PUBLIC)
            listed = [
                item.name
                for item in await self.objects(client, PUBLIC)
                if item.class_id == _DATA and item.name[:4] == _COUNTERS
            ]
            usual = [LogicalName(*_COUNTERS, last) for last in (login.client, *_USUAL_COUNTERS)]
            own = [name for name in listed if name.e == login.client]
            names = own or listed or usual
            results = await client.get([Item(Member(_DATA, name, 2)) for name in names])
        except AssociationRefused, HdlcRefused, HdlcSilent, ServiceRefused:
            # A meter without a public client: what is stored must do.
            results = ()
        for result in results:
            if isinstance(result, Data) and isinstance(result.value, int):
                self.keyring.counter.learn(result.integer)
        self.keyring.learned = True

    # Objects and registers.

    async def objects(self, client: Client, login: Login) -> Objects:
        """The object list of this association, from what is known or from the meter; empty where it gives none."""
        lists = self.keyring.known.lists
        if login.name not in lists:
            wanted = Item(Member(ASSOCIATION, CURRENT_ASSOCIATION, 2))
            (result,) = await client.get([wanted])
            lists[login.name] = object_list(result) if isinstance(result, Data) else ()
        return lists[login.name]

    async def survey(self) -> bool:
        """Read the object lists of the keyring that are not known yet; whether that ended the association there was.

        A login that is not taken is left out. Raises LineError, HdlcLost, DlmsMalformed.
        """
        keyring = self.keyring
        missing = [login for login in keyring.logins if login.name not in keyring.known.lists]
        for login in missing:
            if login not in keyring.refused:
                with suppress(*NOT_TAKEN):
                    await self.objects(await self.enter(login), login)
        return bool(missing)

    async def values(
        self, client: Client, items: Sequence[CosemObject]
    ) -> dict[str, dict[int, Result]]:
        """What the attributes of these objects hold, by place and number; a scaler only where it is not known yet."""
        known = self.keyring.known
        asked: list[tuple[CosemObject, int]] = []
        for item in items:
            asked += [(item, number) for number in attributes(item)]
            at = scaler_attribute(item.class_id)
            if at is not None and place(item) not in known.scalers:
                asked.append((item, at))
        members = [Item(Member(item.class_id, item.name, number)) for item, number in asked]
        found: dict[str, dict[int, Result]] = {place(item): {} for item in items}
        for (item, number), result in zip(asked, await client.get(members), strict=True):
            found[place(item)][number] = result
            if number == scaler_attribute(item.class_id) and isinstance(result, Data):
                _keep_scaler(known.scalers, item, result)
        return found

    def registers_of(
        self, item: CosemObject, results: dict[int, Result], objects: Objects
    ) -> list[Register]:
        """The registers of one object; none where a value is not what its class says."""
        names = {other.name for other in objects}
        scaler = self.keyring.known.scalers.get(place(item))
        try:
            return registers(item, results, scaler, names)
        except DlmsMalformed:
            return []

    async def read_all(self) -> tuple[Register, ...]:
        """Everything the meter tells at the levels of the keyring. It is left in every case.

        Raises MeterError where no login brought a register: the reason of the one that was refused, else NoData.
        """
        found: dict[str, list[Register]] = {}
        try:
            tried: set[Login] = set()
            covered: set[str] = set()
            while (login := self._next(tried, covered)) is not None:
                tried.add(login)
                if await self._read_by(login, found):
                    covered |= self._readable(login)
        except CancelledError:
            await self.abandon()
            raise
        finally:
            await self.leave()
        if not any(found.values()):
            name = "" if self.identification is None else self.identification.raw
            raise self.refusal or NoData(meter=name)
        return tuple([register for some in found.values() for register in some])

    def _next(self, tried: set[Login], covered: set[str]) -> Login | None:
        """The login to use next; None where no other adds anything to what is `covered`.

        All are used, the most privileged first, until every list is known; then as few as will do.
        """
        keyring = self.keyring
        usable = [login for login in reversed(keyring.logins) if login not in keyring.refused]
        left = [login for login in usable if login not in tried]
        if any(login.name not in keyring.known.lists for login in left):
            return left[0]
        best = max(left, key=lambda login: len(self._readable(login) - covered), default=None)
        if best is not None and tried and not self._readable(best) - covered:
            return None
        return best

    def _readable(self, login: Login) -> set[str]:
        """The places of the registers that this login may read, by its object list."""
        listed = self.keyring.known.lists.get(login.name, ())
        return {place(item) for item in listed if attributes(item)}

    async def _read_by(self, login: Login, found: dict[str, list[Register]]) -> bool:
        """Read what this login adds, and whether it was taken; a link that breaks is opened once more."""
        for again in (False, True):
            try:
                await self._read_at(await self.enter(login), login, found)
            except (HdlcLost, DlmsMalformed) as err:
                if self.keyring.unanswered(login):
                    # A password that may be wrong is not sent twice.
                    self.refusal = err
                    return False
                if again:
                    raise
                self.repeats += 1
            except NOT_TAKEN as err:
                self.refusal = err
                return False
            else:
                return True
        return False

    async def _read_at(
        self, client: Client, login: Login, found: dict[str, list[Register]]
    ) -> None:
        known = self.keyring.known
        cached = login.name in known.lists
        objects = await self.objects(client, login)
        # The marks come first: what a new configuration holds is asked with a new list.
        wanted = sorted(
            (item for item in objects if attributes(item) and place(item) not in found),
            key=lambda item: item.name not in _MARKS,
        )
        values = await self.values(client, wanted)
        mark = known.mark | _mark(wanted, values)
        if cached and known.differs(mark):
            known.forget()
            found.clear()
            await self._read_at(client, login, found)
            return
        known.mark = mark
        for item in wanted:
            results = values[place(item)]
            if cached and AccessResult.OBJECT_UNDEFINED in results.values():
                known.lists.pop(login.name, None)
            if some := self.registers_of(item, results, objects):
                found[place(item)] = some


def _mark(items: Sequence[CosemObject], values: dict[str, dict[int, Result]]) -> dict[str, str]:
    """What these objects say of device and configuration."""
    return {
        place(item): text(value, code(item.name))
        for item in items
        if item.name in _MARKS and isinstance(value := values[place(item)].get(2), Data)
    }


def _keep_scaler(scalers: dict[str, ScalerUnit], item: CosemObject, result: Data) -> None:
    try:
        scalers[place(item)] = ScalerUnit.of(result)
    except DlmsError:
        # A register without a unit, by its meter: shown as the bare number.
        return
