"""One GET, SET, ACTION or READ from its first request to its last answer, in blocks where it is long."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from ..dlms_errors import DlmsMalformed, DlmsUnsent
from ..reasons import Unsent
from . import apdu
from .apdu import Block, Continue, Result, Whole
from .axdr import Reader, encode
from .data import Data
from .descriptors import Access, Item, Member

# A year of quarter-hours with four values is about that long; what is longer is read in parts.
MAX_ANSWER = 1 << 19

# Class and confirmed, as every service here.
_CONFIRMED = 0x40
_HIGH_PRIORITY = 0x80
# What stands in front of the content of a block: service, form and invoke id, whether it is the last, number, length.
_BLOCK_HEAD = 3 + 1 + 4 + 3


def invoke_octet(invoke: int) -> int:
    """The invoke-id-and-priority octet of an invoke id, which counts modulo 16."""
    return invoke & 0x0F | _CONFIRMED | _HIGH_PRIORITY


_FOLLOWING = {
    apdu.GET_REQUEST: apdu.get_next,
    apdu.ACTION_REQUEST: apdu.act_next,
    apdu.READ_REQUEST: apdu.read_next,
}


class Exchange:
    """A request and its answer. Made by `get`, `set_value`, `act` and `read`."""

    def __init__(
        self,
        service: int,
        invoke: int,
        requests: Sequence[bytes],
        expected: int,
        parse: Callable[[Reader], tuple[Result, ...]],
    ) -> None:
        """`requests` is the request, in blocks where it is long; `expected` how many results it has."""
        self._service = service
        self._invoke = invoke
        self._requests = requests
        self._expected = expected
        self._parse = parse
        self._sent = 1
        self._blocks = 0
        self._part = bytearray()
        self.request: bytes | None = requests[0]
        """What goes out next; None once the answer is whole."""
        self.results: tuple[Result, ...] = ()
        """One for each thing that was asked, in its order."""

    @property
    def pending(self) -> int:
        """How many octets of an answer in blocks wait for their end."""
        return len(self._part)

    def answer(self, octets: bytes) -> None:
        """Take the answer to `request`, which is set anew. Raises DlmsMalformed, ServiceRefused."""
        self.request = None
        match apdu.answer(octets, self._service, self._invoke):
            case Whole(results):
                self._finish(results)
            case Continue(number):
                if number != self._sent or self._sent == len(self._requests):
                    raise DlmsMalformed(why="its blocks are out of order")
                self.request = self._requests[self._sent]
                self._sent += 1
            case Block(number, last, part):
                self._take(number, part, last=last)

    def _take(self, number: int, part: bytes, *, last: bool) -> None:
        self._blocks += 1
        if number != self._blocks or self._sent != len(self._requests):
            raise DlmsMalformed(why="its blocks are out of order")
        # Without content there is no end: each block must bring something, but the last.
        if not part and not last:
            raise DlmsMalformed(why="a block of it is empty")
        self._part += part
        if len(self._part) > MAX_ANSWER:
            raise DlmsMalformed(why="it is too long; read it in parts")
        if last:
            whole = bytes(self._part)
            self._part.clear()
            self._finish(self._parse(Reader(whole)))
            return
        self.request = _FOLLOWING[self._service](number, self._invoke)

    def _finish(self, results: tuple[Result, ...]) -> None:
        # A reason why not may stand alone for a whole list.
        if len(results) == 1 < self._expected and not isinstance(results[0], Data):
            results *= self._expected
        if len(results) != self._expected:
            raise DlmsMalformed(why="it has another number of results than was asked for")
        self.results = results


def get(items: Sequence[Item], invoke: int) -> Exchange:
    """Read attributes; more than one only where the meter grants multiple references. Raises DlmsUnsent."""
    if not items:
        raise DlmsUnsent(why="nothing was asked for")
    parse = apdu.listed if len(items) > 1 else _one
    return Exchange(apdu.GET_REQUEST, invoke, [apdu.get(items, invoke)], len(items), parse)


def read(variables: Sequence[tuple[int, Access | None]]) -> Exchange:
    """Read variables by their short names; more than one only where the meter grants multiple references."""
    expected = len(variables)

    def parse(reader: Reader) -> tuple[Result, ...]:
        # Blocks hold the list of results by the standard; Gurux and pydlms leave out what stands before its first value.
        whole = reader.take(reader.left)
        for head in (b"", bytes((expected, 0))):
            with suppress(DlmsMalformed):
                results = apdu.listed(listed := Reader(head + whole))
                if len(results) == expected and not listed.left and isinstance(results[0], Data):
                    return results
        raise DlmsMalformed(why="its blocks hold no results")

    return Exchange(apdu.READ_REQUEST, 0, [apdu.read(variables)], expected, parse)


def _one(reader: Reader) -> tuple[Result, ...]:
    return (reader.data(),)


def set_value(item: Item, value: Data, invoke: int, *, limit: int, blocks: bool) -> Exchange:
    """Set an attribute.

    `limit` is the longest PDU the meter takes in octets, `blocks` whether it grants block transfer with SET.
    Raises DlmsUnsent.
    """
    encoded = encode(value)
    requests = [apdu.set_one(item, encoded, invoke)]
    if len(requests[0]) > limit:
        parts = _parts(encoded, limit - len(item.encode()) if blocks else 0)
        requests = [apdu.set_first(item, parts[0], invoke)]
        requests += [
            apdu.set_block(number, part, invoke, last=number == len(parts))
            for number, part in enumerate(parts[1:], 2)
        ]
    return Exchange(apdu.SET_REQUEST, invoke, requests, 1, _no_blocks)


def act(
    member: Member, parameters: Data | None, invoke: int, *, limit: int, blocks: bool
) -> Exchange:
    """Call a method; `limit` and `blocks` as in `set_value`. Raises DlmsUnsent."""
    encoded = None if parameters is None else encode(parameters)
    requests = [apdu.act(member, encoded, invoke)]
    if len(requests[0]) > limit:
        parts = _parts(encoded or b"", limit - len(member.encode()) if blocks else 0)
        requests = [apdu.act_first(member, parts[0], invoke)]
        requests += [
            apdu.act_block(number, part, invoke, last=number == len(parts))
            for number, part in enumerate(parts[1:], 2)
        ]
    return Exchange(apdu.ACTION_REQUEST, invoke, requests, 1, _acted)


def _parts(encoded: bytes, room: int) -> list[bytes]:
    """A value in two parts or more, each with its head within `room`."""
    size = min(room - _BLOCK_HEAD, len(encoded) - 1)
    if size < 1:
        raise DlmsUnsent(why=Unsent.LONG)
    return [encoded[start : start + size] for start in range(0, len(encoded), size)]


def _no_blocks(_: Reader) -> tuple[Result, ...]:
    raise DlmsMalformed(why="it has blocks where there can be none")


def _acted(reader: Reader) -> tuple[Result, ...]:
    return (apdu.acted(reader),)
