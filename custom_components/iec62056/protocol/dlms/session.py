"""Reads everything that the logins of one meter may read, and keeps what the meter says of its objects.

A login the meter refused is not tried again, and no weaker one takes its place: the other logins read what they may.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from ..dlms_errors import (
    AssociationRefused,
    CounterExhausted,
    DlmsMalformed,
    HdlcLost,
    HdlcRefused,
    HdlcSilent,
    ServiceRefused,
)
from ..errors import AccessDenied, LoginError, MeterError, NoData, NotThisMeter, PasswordNeeded
from ..model import Register
from ..reasons import Lost
from ..register_session import Level
from .apdu import AccessResult, Result, Unreadable
from .associations import NOT_ASKED, Associations
from .client import Client
from .cosem import CosemObject, ScalerUnit
from .data import Data
from .descriptors import Item, LogicalName, Member
from .link import PAUSE
from .login import PUBLIC, DlmsLogin
from .object_cache import ObjectCache, Objects, attribute_place, place
from .objects import attributes, code, codes, registers, scaler_attribute, text, withheld

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

# How a link ends over an object that the meter cannot read; it is opened again so often.
_OVER_AN_OBJECT: Final = (Lost.SILENT, Lost.BUSY, Lost.CLOSED)
_MOST_LOST: Final = 4
# How registers that were not shown are mentioned: so many by their codes, and what shows them.
_MOST_NAMED: Final = 8
_ABOVE = {Level.OPEN: Level.PASSWORD, Level.PASSWORD: Level.SECRET, Level.SECRET: Level.PHYSICAL}
_SHOWN_WITH = {
    Level.OPEN: "shown without a password",
    Level.PASSWORD: "shown with a password or keys",
    Level.SECRET: "shown with keys",
    Level.PHYSICAL: "shown to the operator alone",
}
# What keeps one login out, and leaves the others alone: a meter may not answer to a client address it does not know.
NOT_TAKEN = (
    AssociationRefused,
    CounterExhausted,
    HdlcRefused,
    HdlcSilent,
    LoginError,
    ServiceRefused,
)


class Session(Associations):
    """One meter behind an open line; one call at a time."""

    refusal: MeterError | None = None
    """Why a login was not taken in this session; what the others may read is read all the same."""
    withheld: MeterError | None = None
    """Which registers no login showed."""

    def begin(self) -> None:
        """Forget what became of an earlier session."""
        self.known = self.keyring.known
        self.refusal = None
        self.withheld = None
        self.unread.clear()

    async def survey(self) -> bool:
        """Read the object lists of the keyring that are not known yet; whether that ended the association there was.

        A login that is not taken is left out. Raises LineError, HdlcLost, DlmsMalformed.
        """
        keyring = self.keyring
        missing = [login for login in keyring.logins if login.name not in self.known.lists]
        for login in missing:
            if login not in keyring.refused:
                with suppress(*NOT_TAKEN):
                    await self.objects(await self.enter(login), login)
        return bool(missing)

    async def values(
        self, client: Client, items: Sequence[CosemObject], reopen: Callable[[], Awaitable[Client]]
    ) -> dict[str, dict[int, Result]]:
        """What the attributes of these objects hold, by place and number; a scaler only where it is not known yet.

        Where the meter falls silent over one of them, `reopen` gives a new association, and the others are read in it.
        """
        known, now = self.known, self._line.utcnow().timestamp()
        asked: list[Item] = []
        for item in items:
            numbers = attributes(item)
            at = scaler_attribute(item.class_id)
            if at is not None and place(item) not in known.scalers:
                numbers = (*numbers, at)
            asked += [Item(Member(item.class_id, item.name, number)) for number in numbers]
        found: dict[Item, Result] = {
            one: NOT_ASKED
            for one in asked
            if now < known.skipped.get(attribute_place(one.member), 0)
        }
        lost = 0
        while True:
            try:
                await client.collect(asked, found)
                break
            except HdlcLost as err:
                lost += 1
                if (
                    client.link.rested > PAUSE
                    or lost > _MOST_LOST
                    or err.placeholders["why"] not in _OVER_AN_OBJECT
                ):
                    raise
                self.suspect(client.asking, err, found)
                self.repeats += 1
                client = await reopen()
        values: dict[str, dict[int, Result]] = {place(item): {} for item in items}
        for one, result in found.items():
            member = one.member
            values[place(member)][member.number] = result
            if isinstance(result, Unreadable):
                self.note(member, result.error)
            else:
                known.skipped.pop(attribute_place(member), None)
            if member.number == scaler_attribute(member.class_id) and isinstance(result, Data):
                with suppress(DlmsMalformed):
                    # Without it, the register is shown as the bare number.
                    known.scalers[place(member)] = ScalerUnit.of(result)
        return values

    def registers_of(
        self, item: CosemObject, results: dict[int, Result], objects: Objects
    ) -> list[Register]:
        """The registers of one object; none where a value is not what its class says."""
        names = {other.name for other in objects}
        scaler = self.known.scalers.get(place(item))
        try:
            return registers(item, results, scaler, names)
        except DlmsMalformed as err:
            self.note(Member(item.class_id, item.name, 2), err)
            return []

    async def read_all(self) -> tuple[Register, ...]:
        """Everything the meter tells at the levels of the keyring. It is left in every case.

        Raises MeterError where no login brought a register: the reason of the one that was refused, else NoData.
        """
        found: dict[str, list[Register]] = {}
        kept_back: dict[str, CosemObject] = {}
        self.begin()
        try:
            tried: set[DlmsLogin] = set()
            covered: set[str] = set()
            while (login := self._next(tried, covered)) is not None:
                tried.add(login)
                if await self._read_by(login, found, kept_back):
                    covered |= self._readable(login)
            if not found and PUBLIC not in tried:
                await self._read_by(PUBLIC, found, kept_back)
        except CancelledError:
            await self.abandon()
            raise
        finally:
            await self.leave()
        self._mention([item for at, item in kept_back.items() if at not in found])
        if not any(found.values()):
            name = "" if self.identification is None else self.identification.raw
            unread = next(iter(self.unread.values()), None)
            raise self.refusal or unread or self.withheld or NoData(meter=name)
        return tuple([register for some in found.values() for register in some])

    def _mention(self, kept_back: Sequence[CosemObject]) -> None:
        """Say how many registers no login showed, and at which level they are, as far as it is known."""
        if not kept_back:
            return
        logins, places = self.keyring.logins, {place(item) for item in kept_back}
        levels = [login.level for login in logins if places & self._readable(login)]
        highest = max((login.level for login in self.keyring.proven), key=list(Level).index)
        error = PasswordNeeded if highest is Level.OPEN else AccessDenied
        named = [codes(item)[0] for item in kept_back]
        more = ", …" if len(named) > _MOST_NAMED else ""
        self.withheld = error(
            code=f"{', '.join(named[:_MOST_NAMED])}{more}",
            message=f"{len(named)}; {_SHOWN_WITH[(levels or [_ABOVE[highest]])[0]]}",
        )

    def _next(self, tried: set[DlmsLogin], covered: set[str]) -> DlmsLogin | None:
        """The login to use next; None where no other adds anything to what is `covered`.

        All are used, the most privileged first, until every list is known; then as few as will do.
        """
        keyring = self.keyring
        usable = [login for login in reversed(keyring.logins) if login not in keyring.refused]
        left = [login for login in usable if login not in tried]
        if any(login.name not in self.known.lists for login in left):
            return left[0]
        best = max(left, key=lambda login: len(self._readable(login) - covered), default=None)
        if best is not None and tried and not self._readable(best) - covered:
            return None
        return best

    def _readable(self, login: DlmsLogin) -> set[str]:
        """The places of the registers that this login may read, by its object list."""
        listed = self.known.lists.get(login.name, ())
        return {place(item) for item in listed if attributes(item)}

    async def _read_by(
        self,
        login: DlmsLogin,
        found: dict[str, list[Register]],
        kept_back: dict[str, CosemObject],
    ) -> bool:
        """Read what this login adds, and whether it was taken; a link that breaks is opened once more."""
        for left in (2, 1, 0):
            entered = False
            try:
                client = await self.enter(login)
                entered = True
                await self._read_at(client, login, found, kept_back)
            except (HdlcLost, DlmsMalformed) as err:
                # A password that may be wrong is not sent twice.
                if self.keyring.unanswered(login) or (left < 2 and not entered):
                    return self._refused(err)
                # Without its list the meter is read when it fell silent over that twice.
                if not left or (left == 1 and login.name in self.known.lists):
                    raise
                self.repeats += 1
            except NotThisMeter as err:
                self.known = ObjectCache()
                return self._refused(err)
            except NOT_TAKEN as err:
                return self._refused(err)
            else:
                return True
        return False

    def _refused(self, err: MeterError) -> bool:
        # The first login is the most privileged one: what became of it tells most.
        self.refusal = self.refusal or err
        return False

    def _begin_anew(self, told: Sequence[Register]) -> None:
        """Another configuration, or another meter: what is known of the intended one is forgotten for itself alone."""
        intended = self.keyring.intended
        number = next(
            (one for one in told if intended is not None and one.key == intended.code), None
        )
        try:
            if intended is not None:
                intended.check(self.identification, number, public=bool(intended.code))
        except NotThisMeter:
            self.known = ObjectCache()
        else:
            self.known.forget()

    async def _read_at(
        self,
        client: Client,
        login: DlmsLogin,
        found: dict[str, list[Register]],
        kept_back: dict[str, CosemObject],
    ) -> None:
        known = self.known
        cached = login.name in known.lists
        objects = await self.objects(client, login)
        # The marks come first: what a new configuration holds is asked with a new list.
        wanted = sorted(
            (item for item in objects if attributes(item) and place(item) not in found),
            key=lambda item: item.name not in _MARKS,
        )
        values = await self.values(client, wanted, lambda: self.enter(login))
        mark = known.mark | _mark(wanted, values)
        if cached and known.differs(mark):
            self._begin_anew(
                [
                    one
                    for item in wanted
                    for one in self.registers_of(item, values[place(item)], objects)
                ]
            )
            found.clear()
            await self._read_at(client, login, found, kept_back)
            return
        known.mark = mark
        kept_back |= {
            place(item): item for item in objects if withheld(item, values.get(place(item), {}))
        }
        if login.name not in known.lists:
            undefined = {AccessResult.OBJECT_UNDEFINED, AccessResult.OBJECT_CLASS_INCONSISTENT}
            known.standard[login.name] = tuple(
                item
                for item in objects
                if not undefined & {*values.get(place(item), {2: None}).values()}
            )
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
