"""Reads and sets attributes and calls methods in one association over a link."""

import asyncio
from collections.abc import Sequence
from itertools import batched
from secrets import token_bytes

from ..errors import DlmsMalformed, DlmsUnsent, ServiceRefused
from .acse import Conformance
from .apdu import AccessResult, Result
from .association import Association
from .data import Data
from .descriptors import Item, Member
from .link import Link
from .login import DlmsLogin, Keyring
from .security import CHALLENGE
from .service_exchange import Exchange, act, get, invoke_octet, set_value

# GET with a list: service, form, invoke id, number of items; each item: its descriptor, and no selective access.
_LIST_HEAD = 5
_ITEM = 10
_LLC = 3
# Initiate request, the proof of GMAC, and the request that carries it.
_TO_ASSOCIATE = 3
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
            general=login.general,
        )
        self._invoke = 0

    @property
    def link(self) -> Link:
        """The link it is on."""
        return self._link

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
        """Read attributes: together where the meter can, one by one where it cannot.

        What the meter refuses is a result. Raises DlmsError where the link or the association is lost.
        """
        results: list[Result] = []
        known = self._keyring.known
        at_once = self._at_once if not known.singly else 1
        for batch in batched(items, at_once, strict=False):
            found = await self._together(batch) if len(batch) > 1 and not known.singly else None
            if found is None:
                found = [await self._one(item) for item in batch]
                # A meter that grants lists and cannot read them is asked for none again.
                known.singly |= len(batch) > 1 and any(isinstance(one, Data) for one in found)
            results += found
        return tuple(results)

    @property
    def _at_once(self) -> int:
        """How many attributes one request may name: as fit into one frame, and into the meter's PDU."""
        association = self._association
        if Conformance.MULTIPLE_REFERENCES not in association.granted.conformance:
            return 1
        room = min(association.limit, self._link.parameters.transmit - _LLC)
        return max(1, (room - _LIST_HEAD) // _ITEM)

    async def _together(self, items: Sequence[Item]) -> list[Result] | None:
        """The results of one GET with a list; None where the meter gives not one of them that way."""
        try:
            results = await self._run(get(items, self._next_invoke()))
        except ServiceRefused:
            return None
        except DlmsMalformed:
            if not self._link.is_up:
                raise
            return None
        return list(results) if any(isinstance(result, Data) for result in results) else None

    async def _one(self, item: Item) -> Result:
        try:
            return (await self._run(get([item], self._next_invoke())))[0]
        except ServiceRefused as err:
            if err.counter is not None:
                raise
            # Some meters answer a denied attribute with an exception.
            return AccessResult.OTHER_REASON

    async def set(self, item: Item, value: Data) -> Result:
        """Set an attribute. Raises DlmsUnsent, ServiceRefused, and as `get`."""
        blocks = Conformance.BLOCK_SET in self._association.granted.conformance
        invoke, limit = self._next_invoke(), self._association.limit
        return (await self._run(set_value(item, value, invoke, limit=limit, blocks=blocks)))[0]

    async def act(self, member: Member, parameters: Data) -> Result:
        """Call a method. Raises DlmsUnsent, ServiceRefused, and as `get`."""
        blocks = Conformance.BLOCK_ACTION in self._association.granted.conformance
        invoke, limit = self._next_invoke(), self._association.limit
        return (await self._run(act(member, parameters, invoke, limit=limit, blocks=blocks)))[0]

    async def _run(self, exchange: Exchange) -> tuple[Result, ...]:
        while (request := exchange.request) is not None:
            if self._login.credentials.ciphered:
                await self._keyring.reserve(1)
            answer = await self._link.request(self._association.protect(request))
            await _understand(exchange, self._association.unprotect(answer))
        return exchange.results

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
