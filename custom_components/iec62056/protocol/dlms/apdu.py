"""Encodes requests of GET, SET and ACTION by logical names and of READ by short ones, and decodes their answers (Green Book 9.5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ..dlms_errors import AuthenticationRefused, DlmsError, DlmsMalformed, ServiceRefused
from ..reasons import Authentication, Service
from .axdr import Reader, encode_length, encode_string
from .data import Data
from .descriptors import Access, Item, Member

GET_REQUEST, SET_REQUEST, ACTION_REQUEST = 0xC0, 0xC1, 0xC3
GET_RESPONSE, SET_RESPONSE, ACTION_RESPONSE = 0xC4, 0xC5, 0xC7
READ_REQUEST, READ_RESPONSE = 0x05, 0x0C
_EXCEPTION = 0xD8
_CONFIRMED_SERVICE_ERROR = 0x0E


class AccessResult(IntEnum):
    """Why an attribute was not read or set, or a method not done (data-access-result, action-result)."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_ABORTED = 15
    NO_LONG_IN_PROGRESS = 16
    LONG_SET_ABORTED = 17
    NO_LONG_SET_IN_PROGRESS = 18
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250

    @property
    def denied(self) -> bool:
        """Whether another security level may be let in."""
        return self in (AccessResult.READ_WRITE_DENIED, AccessResult.SCOPE_OF_ACCESS_VIOLATED)


# The meter does not have what was named.
MISSING = (
    AccessResult.OBJECT_UNDEFINED,
    AccessResult.OBJECT_CLASS_INCONSISTENT,
    AccessResult.OBJECT_UNAVAILABLE,
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An attribute that was asked for and could not be read, and why: it cannot be decoded, or nothing came."""

    error: DlmsError


type Result = Data | AccessResult | Unreadable


# Requests. `invoke` is the invoke-id-and-priority octet.


def get(items: Sequence[Item], invoke: int) -> bytes:
    """GET of one attribute, or of a list."""
    if len(items) == 1:
        return bytes((GET_REQUEST, 1, invoke)) + items[0].encode()
    listed = b"".join(item.encode() for item in items)
    return bytes((GET_REQUEST, 3, invoke)) + encode_length(len(items)) + listed


def get_next(block: int, invoke: int) -> bytes:
    """Ask for the block after `block`."""
    return bytes((GET_REQUEST, 2, invoke)) + block.to_bytes(4)


def set_one(item: Item, value: bytes, invoke: int) -> bytes:
    """SET of one attribute to an encoded value."""
    return bytes((SET_REQUEST, 1, invoke)) + item.encode() + value


def _block(last: bool, number: int, part: bytes) -> bytes:
    return bytes((last,)) + number.to_bytes(4) + encode_string(part)


def set_first(item: Item, part: bytes, invoke: int) -> bytes:
    """The first block of a SET that needs several."""
    return bytes((SET_REQUEST, 2, invoke)) + item.encode() + _block(False, 1, part)


def set_block(number: int, part: bytes, invoke: int, *, last: bool) -> bytes:
    """A further block of a SET."""
    return bytes((SET_REQUEST, 3, invoke)) + _block(last, number, part)


def act(member: Member, parameters: bytes | None, invoke: int) -> bytes:
    """ACTION: call a method, with encoded parameters or none."""
    tail = b"\0" if parameters is None else b"\1" + parameters
    return bytes((ACTION_REQUEST, 1, invoke)) + member.encode() + tail


def act_next(block: int, invoke: int) -> bytes:
    """Ask for the block after `block` of a method's answer."""
    return bytes((ACTION_REQUEST, 2, invoke)) + block.to_bytes(4)


def act_first(member: Member, part: bytes, invoke: int) -> bytes:
    """The first block of an ACTION whose parameters need several."""
    return bytes((ACTION_REQUEST, 4, invoke)) + member.encode() + _block(False, 1, part)


def act_block(number: int, part: bytes, invoke: int, *, last: bool) -> bytes:
    """A further block of an ACTION's parameters."""
    return bytes((ACTION_REQUEST, 6, invoke)) + _block(last, number, part)


def read(variables: Sequence[tuple[int, Access | None]]) -> bytes:
    """READ of variables by their short names, or of parts of them; a method is called so too (Green Book 9.4.6.3)."""
    listed = b"".join(
        b"\x02" + name.to_bytes(2)
        if access is None
        else b"\x04" + name.to_bytes(2) + access.encode()
        for name, access in variables
    )
    return bytes((READ_REQUEST,)) + encode_length(len(variables)) + listed


def read_next(block: int, invoke: int) -> bytes:
    """Ask for the block after `block` of what was read."""
    return bytes((READ_REQUEST, 1, 5)) + block.to_bytes(2)


# Answers.


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that came at once: one result for each thing that was asked."""

    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of an answer."""

    number: int
    last: bool
    part: bytes


@dataclass(frozen=True, slots=True)
class Continue:
    """The meter took a block of a request and waits for the next."""

    number: int


type Answer = Whole | Block | Continue


def answer(apdu: bytes, service: int, invoke: int) -> Answer:
    """The answer to a request of this service (its request tag) and invoke id.

    Octets behind it are left aside: a server repeats itself there (Gurux C). Raises DlmsMalformed, ServiceRefused.
    """
    reader = Reader(apdu)
    tag = reader.octet()
    if tag in (_EXCEPTION, _CONFIRMED_SERVICE_ERROR):
        raise refusal(apdu)
    if (service, tag) == (READ_REQUEST, READ_RESPONSE):
        return _read(reader)
    form, echoed = reader.octet(), reader.octet()
    if tag != service + 4:
        raise DlmsMalformed(why="it does not belong to the request")
    # A meter may clear the priority bit (Mercury type: C1 asked, 81 answered).
    if (echoed ^ invoke) & 0x0F:
        raise DlmsMalformed(why="it belongs to another request")
    read = _FORMS.get((service, form))
    if read is None:
        raise DlmsMalformed(why="it has an unknown form")
    return read(reader)


def _read(reader: Reader) -> Answer:
    rest = reader.take(reader.left)
    if rest[:2] != b"\x01\x02":
        return Whole(listed(Reader(rest)))
    block = Reader(rest[2:])
    last, number = block.octet() != 0, block.number(2)
    return Block(number, last, block.string())


def _access_result(reader: Reader) -> AccessResult:
    code = reader.octet()
    try:
        return AccessResult(code)
    except ValueError:
        return AccessResult.OTHER_REASON


def _result(reader: Reader) -> Result:
    """A Get-Data-Result: 0 and a value, or 1 and the reason why not."""
    match reader.octet():
        case 0:
            return reader.data()
        case 1:
            return _access_result(reader)
    raise DlmsMalformed(why="it is neither a value nor a reason")


def _count(reader: Reader) -> range:
    count = reader.length()
    if count > reader.left:
        raise DlmsMalformed(why="it is cut short")
    return range(count)


def listed(reader: Reader) -> tuple[Result, ...]:
    """The results of a GET with a list, or of a READ."""
    return tuple([_result(reader) for _ in _count(reader)])


def acted(reader: Reader) -> Result:
    """The result of a method: its return value where it has one, else SUCCESS or the reason why not."""
    result = _access_result(reader)
    if result is AccessResult.SUCCESS and reader.left and reader.octet():
        return _result(reader)
    return result


def _get_block(reader: Reader) -> Answer:
    last, number = reader.octet() != 0, reader.number(4)
    match reader.octet():
        case 0:
            return Block(number, last, reader.string())
        case 1:
            return Whole((_access_result(reader),))
    raise DlmsMalformed(why="it is neither a block nor a reason")


def _act_block(reader: Reader) -> Answer:
    last, number = reader.octet() != 0, reader.number(4)
    return Block(number, last, reader.string())


_FORMS: dict[tuple[int, int], Callable[[Reader], Answer]] = {
    (GET_REQUEST, 1): lambda reader: Whole((_result(reader),)),
    (GET_REQUEST, 2): _get_block,
    (GET_REQUEST, 3): lambda reader: Whole(listed(reader)),
    (SET_REQUEST, 1): lambda reader: Whole((_access_result(reader),)),
    (SET_REQUEST, 2): lambda reader: Continue(reader.number(4)),
    (SET_REQUEST, 3): lambda reader: Whole((_access_result(reader),)),
    (ACTION_REQUEST, 1): lambda reader: Whole((acted(reader),)),
    (ACTION_REQUEST, 2): _act_block,
    (ACTION_REQUEST, 4): lambda reader: Continue(reader.number(4)),
}

_STATES = {1: Service.NOT_ALLOWED, 2: Service.UNKNOWN}
_DECIPHERING_ERROR = 5
_COUNTER_ERROR = 6
_SERVICES = {
    2: Service.UNSUPPORTED,
    4: Service.LONG,
    _COUNTER_ERROR: Service.COUNTER,
}


def refuses(apdu: bytes) -> bool:
    """Whether a PDU refuses a whole request. It is plain in a ciphered association too."""
    return apdu[:1] in (bytes((_EXCEPTION,)), bytes((_CONFIRMED_SERVICE_ERROR,)))


def refusal(apdu: bytes) -> DlmsError:
    """What an exception response or a confirmed service error says. Raises DlmsMalformed.

    That the meter could not decipher is a matter of the keys.
    """
    reader = Reader(apdu)
    if reader.octet() == _CONFIRMED_SERVICE_ERROR:
        service, kind, code = reader.take(3)
        return ServiceRefused(why=f"service error {service}, {kind}, {code}")
    state, service = reader.octet(), reader.octet()
    if service == _DECIPHERING_ERROR:
        return AuthenticationRefused(why=Authentication.UNDECIPHERED)
    # That it is not possible, or for some reason, tells less than the state.
    why = _SERVICES.get(service) or _STATES.get(state)
    counter = reader.number(4) if service == _COUNTER_ERROR and reader.left >= 4 else None
    return ServiceRefused(why=why or f"exception {state}, {service}", counter=counter)
