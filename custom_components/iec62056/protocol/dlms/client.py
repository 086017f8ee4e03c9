"""Reads and sets attributes and calls methods in one association over a link."""

import asyncio
from collections.abc import Sequence
from itertools import batched
from secrets import token_bytes

from ..dlms_errors import DlmsMalformed, DlmsUnsent, ServiceRefused
from ..reasons import Unsent
from .acse import Conformance
from .apdu import AccessResult, Result, Unreadable
from .association import OTHER_ASSOCIATIONS, Association
from .cosem import ASSOCIATION
from .data import Data
from .descriptors import Item, Member
from .link import Link
from .login import DlmsLogin, Keyring
from .object_cache import attribute_place
from .security import CHALLENGE
from .service_exchange import Exchange, act, get, invoke_octet, read, set_value

# GET with a list: service, form, invoke id, number of items; each item: its descriptor, and no selective access.
_LIST_HEAD = 5
_ITEM = 10
_LLC = 3
# Initiate request, then the proof of GMAC and the request that carries it, to one association or another.
_TO_ASSOCIATE = 1 + 2 * (1 + OTHER_ASSOCIATIONS)
# What is decoded in the event loop itself, in octets: 1 ms.
_LONG = 2048


class Client:
    """An association on an open link."""

    def __init__(self, link: Link, login: DlmsLogin, keyring: Keyring) -> None:
        """Nothing is sent yet."""
        self._link = link
        self._login = login
        self._keyring = keyring
        high = login.credentials.mechanism.high
        self._association = Association(
            login.credentials,
            challenge=token_bytes(CHALLENGE) if high else b"",
            counter=keyring.counter,
            short_names=keyring.known.short_names,
        )
        self._invoke = 0
        self.asking: Sequence[Item] = ()
        """What was asked for last."""

    @property
    def link(self) -> Link:
        """The link it is on."""
        return self._link

    @property
    def object_list(self) -> Member:
        """The attribute that lists the objects this association sees."""
        return Member(ASSOCIATION, self._association.name, 2)

    async def associate(self) -> None:
        """Open the association.

        Raises AuthenticationRefused, AssociationRefused, SecurityBroken, CounterExhausted, DlmsMalformed, and what the
        link raises.
        """
        if self._login.credentials.keys is not None:
            await self._keyring.reserve(_TO_ASSOCIATE)
        request: bytes | None = self._association.open()
        while request is not None:
            # The first holds the password, and what follows could help to guess it.
            answer = await self._link.request(request, secret=True)
            request = self._association.answer(answer)

    async def get(self, items: Sequence[Item]) -> tuple[Result, ...]:
        """Read attributes; what the meter refuses, or sends in a form that is none, is a result.

        Raises DlmsError where the link or the association is lost.
        """
        found: dict[Item, Result] = {}
        await self.collect(items, found)
        return tuple([found[item] for item in items])

    async def collect(self, items: Sequence[Item], found: dict[Item, Result]) -> None:
        """Put what is not there yet of `items` into `found`: together where the meter can, one by one where it cannot.

        Raises as `get`; `asking` is then what remained without an answer.
        """
        known = self._keyring.known
        if known.short_names:
            nameless = [item for item in items if known.short_name(item.member) is None]
            found.update(dict.fromkeys(nameless, AccessResult.OBJECT_UNDEFINED))
        left = [item for item in items if item not in found]
        alone = [item for item in left if attribute_place(item.member) in known.alone]
        together = [item for item in left if item not in alone]
        at_once = 1 if known.singly else self._at_once
        batches = [*batched(together, at_once, strict=False), *batched(alone, 1, strict=False)]
        for batch in batches:
            if not await self._together(batch, found):
                for item in batch:
                    await self._one(item, found)
                # A meter that grants lists and cannot read them is asked for none again.
                some = [found[item] for item in batch]
                known.singly |= (
                    len(batch) > 1
                    and any(isinstance(one, Data) for one in some)
                    and not any(isinstance(one, Unreadable) for one in some)
                )

    @property
    def _at_once(self) -> int:
        """How many attributes one request may name: as fit into one frame, and into the meter's PDU."""
        association = self._association
        if Conformance.MULTIPLE_REFERENCES not in association.granted.conformance:
            return 1
        room = min(association.limit, self._link.parameters.transmit - _LLC)
        return max(1, (room - _LIST_HEAD) // _ITEM)

    async def _together(self, items: Sequence[Item], found: dict[Item, Result]) -> bool:
        """Whether the meter gave any of these in one GET with a list."""
        if len(items) < 2 or self._keyring.known.singly:
            return False
        self.asking = items
        try:
            results = await self._run(self._reading(items))
        except ServiceRefused:
            return False
        except DlmsMalformed:
            if not self._link.is_up:
                raise
            return False
        if not any(isinstance(result, Data) for result in results):
            return False
        found.update(zip(items, results, strict=True))
        return True

    def _reading(self, items: Sequence[Item]) -> Exchange:
        known, invoke = self._keyring.known, self._next_invoke()
        if not known.short_names:
            return get(items, invoke)
        return read([(known.short_name(item.member) or 0, item.access) for item in items])

    async def _one(self, item: Item, found: dict[Item, Result]) -> None:
        self.asking = (item,)
        alone, attribute = self._keyring.known.alone, attribute_place(item.member)
        try:
            (found[item],) = await self._run(self._reading((item,)))
        except ServiceRefused as err:
            if err.counter is not None:
                raise
            # Some meters answer a denied attribute with an exception.
            found[item] = AccessResult.OTHER_REASON
        except DlmsMalformed as err:
            if not self._link.is_up:
                raise
            found[item] = Unreadable(err)
            alone[attribute] = 0
            return
        alone.pop(attribute, None)

    async def set(self, item: Item, value: Data) -> Result:
        """Set an attribute. Raises DlmsUnsent, ServiceRefused, and as `get`."""
        blocks = Conformance.BLOCK_SET in self._association.granted.conformance
        invoke, limit = self._next_changing(), self._association.limit
        return (await self._run(set_value(item, value, invoke, limit=limit, blocks=blocks)))[0]

    async def act(self, member: Member, parameters: Data) -> Result:
        """Call a method. Raises DlmsUnsent, ServiceRefused, and as `get`."""
        blocks = Conformance.BLOCK_ACTION in self._association.granted.conformance
        invoke, limit = self._next_changing(), self._association.limit
        return (await self._run(act(member, parameters, invoke, limit=limit, blocks=blocks)))[0]

    async def _run(self, exchange: Exchange) -> tuple[Result, ...]:
        while (request := exchange.request) is not None:
            if self._login.credentials.ciphered:
                await self._keyring.reserve(1)
            answer = await self._link.request(self._association.protect(request))
            await _understand(exchange, self._association.unprotect(answer))
        return exchange.results

    def _next_changing(self) -> int:
        """The invoke id of a change, which there is by logical names alone."""
        if self._keyring.known.short_names:
            raise DlmsUnsent(why=Unsent.SHORT_NAMES)
        return self._next_invoke()

    def _next_invoke(self) -> int:
        if not self._association.is_open:
            raise DlmsUnsent(why="there is no association")
        self._invoke += 1
        return invoke_octet(self._invoke)


async def _understand(exchange: Exchange, answer: bytes) -> None:
    """Take an answer; a long one in a thread: a list of 500 objects is 20 ms of work."""
    if exchange.pending + len(answer) > _LONG:
        await asyncio.to_thread(exchange.answer, answer)
    else:
        exchange.answer(answer)
