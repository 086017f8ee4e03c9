"""Encodes and decodes the PDUs that open and release an association: AARQ, AARE, RLRQ, initiate (Green Book 9.4.2)."""

from dataclasses import dataclass, field
from enum import IntFlag

from ..dlms_errors import AssociationRefused, AuthenticationRefused, DlmsMalformed, DlmsUnsent
from ..reasons import Association, Authentication, Reason
from .axdr import Reader, encode_string
from .security import Mechanism

AARE = 0x61
_AARQ = 0x60
_RLRQ = 0x62

# The name of the context and of the mechanism, without its last octet: 2.16.756.5.8.x. Of the contexts, 1 and 2 are those of
# logical and of short names, 3 and 4 the same with ciphers.
_CONTEXT = bytes.fromhex("60857405 0801")
_MECHANISM = bytes.fromhex("60857405 0802")

_VERSION = 6
_INITIATE_REQUEST = bytes((1, 0, 0, 0, _VERSION))
_INITIATE_RESPONSE = 8
_CONFIRMED_SERVICE_ERROR = 0x0E


class Conformance(IntFlag):
    """What client and meter can do: the conformance block, bit 0 of the standard first (Green Book 9.4.6.1)."""

    GENERAL_PROTECTION = 0x400000
    GENERAL_BLOCK_TRANSFER = 0x200000
    READ = 0x100000
    ATTRIBUTE_0_SET = 0x008000
    PRIORITY = 0x004000
    ATTRIBUTE_0_GET = 0x002000
    BLOCK_GET = 0x001000
    BLOCK_SET = 0x000800
    BLOCK_ACTION = 0x000400
    MULTIPLE_REFERENCES = 0x000200
    ACCESS = 0x000040
    PARAMETERIZED_ACCESS = 0x000020
    EVENT_NOTIFICATION = 0x000020
    GET = 0x000010
    SET = 0x000008
    SELECTIVE_ACCESS = 0x000004
    ACTION = 0x000001


# What this client can do.
WANTED = (
    Conformance.GENERAL_PROTECTION
    | Conformance.BLOCK_GET
    | Conformance.BLOCK_SET
    | Conformance.BLOCK_ACTION
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.GET
    | Conformance.SET
    | Conformance.SELECTIVE_ACCESS
    | Conformance.ACTION
)
WANTED_BY_SHORT_NAMES = (
    Conformance.GENERAL_PROTECTION
    | Conformance.READ
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.PARAMETERIZED_ACCESS
)


@dataclass(frozen=True, slots=True)
class Granted:
    """What the meter agreed to: services, and the longest PDU it takes in octets (0: any)."""

    conformance: Conformance
    max_pdu: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An AARE. `initiate` is the initiate response, which may be ciphered; it may be missing in a refusal."""

    result: int
    diagnostic: int
    ciphered: bool
    mechanism: int | None
    system_title: bytes | None
    challenge: bytes | None
    initiate: bytes | None = field(repr=False)


# The diagnostics of the acse-service-user, and those that have a meaning here.
# With an accepted result, 14 means that high level security goes on.
AUTHENTICATION_FAILURE = 13
AUTHENTICATION_REQUIRED = 14
_ACCEPTED = 0
_DIAGNOSTICS: dict[int, Reason] = {
    0: Association.NONE,
    1: Association.NONE,
    2: Association.CONTEXT,
    3: Association.CALLER,
    11: Authentication.LEVEL_UNKNOWN,
    12: Authentication.LEVEL_NEEDED,
    AUTHENTICATION_FAILURE: Authentication.WRONG,
    AUTHENTICATION_REQUIRED: Authentication.HIGH_NEEDED,
}
_AUTHENTICATION = range(11, 15)
_INITIATE_ERRORS = {
    1: Association.VERSION,
    2: Association.CONFORMANCE,
    3: Association.SIZE,
}


def initiate_request(conformance: Conformance, max_pdu: int) -> bytes:
    """What the client can do, and the longest PDU it takes (Green Book 9.4.4)."""
    if not 0 <= max_pdu <= 0xFFFF:
        raise DlmsUnsent(why="there is no such length of a PDU")
    # The conformance is the one BER in the middle of A-XDR: tag 5F 1F, length, no unused bits.
    block = b"\x5f\x1f\x04\x00" + int(conformance).to_bytes(3)
    return _INITIATE_REQUEST + block + max_pdu.to_bytes(2)


def granted(initiate: bytes) -> Granted:
    """The initiate response of the meter. Raises DlmsMalformed, and AssociationRefused with its error."""
    reader = Reader(initiate)
    tag = reader.octet()
    if tag == _CONFIRMED_SERVICE_ERROR:
        reader.take(2)
        raise AssociationRefused(why=_INITIATE_ERRORS.get(reader.octet(), Association.NONE))
    if tag != _INITIATE_RESPONSE:
        raise DlmsMalformed(why="it does not begin an association")
    if reader.octet():
        reader.octet()  # the negotiated quality of service, which has no meaning
    reader.octet()
    if reader.octet() != 0x5F:
        raise DlmsMalformed(why="its conformance is none")
    # Old meters leave the second octet of the tag out.
    if (length := reader.octet()) == 0x1F:
        length = reader.octet()
    if length != 4:
        raise DlmsMalformed(why="its conformance is none")
    reader.octet()
    return Granted(Conformance(reader.number(3)), reader.number(2))


def _element(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + encode_string(content)


def request(
    initiate: bytes,
    *,
    mechanism: Mechanism,
    secret: bytes,
    ciphered: bool,
    short_names: bool,
    system_title: bytes | None,
) -> bytes:
    """The AARQ. `secret` is the password of low level security, the challenge of a high one."""
    context = 1 + short_names + 2 * ciphered
    content = _element(0xA1, _element(0x06, _CONTEXT + bytes((context,))))
    if system_title is not None:
        content += _element(0xA6, _element(0x04, system_title))
    if mechanism is not Mechanism.NONE:
        content += _element(0x8A, b"\x07\x80") + _element(0x8B, _MECHANISM + bytes((mechanism,)))
        content += _element(0xAC, _element(0x80, secret))
    return _element(_AARQ, content + _element(0xBE, _element(0x04, initiate)))


def release(initiate: bytes | None = None) -> bytes:
    """The RLRQ, its reason normal; in a ciphered association with the ciphered initiate."""
    content = _element(0x80, b"\x00")
    if initiate is not None:
        content += _element(0xBE, _element(0x04, initiate))
    return _element(_RLRQ, content)


def _elements(octets: bytes) -> dict[int, bytes]:
    """The elements of a BER sequence by tag; the first of each counts, unknown ones are passed over by the caller."""
    reader = Reader(octets)
    elements: dict[int, bytes] = {}
    while reader.left:
        elements.setdefault(reader.octet(), reader.string())
    return elements


def _inner(element: bytes | None, tag: int) -> bytes | None:
    """The content of the one element within an element; None where either is missing."""
    return None if element is None else _elements(element).get(tag)


def answer(apdu: bytes) -> Answer:
    """The AARE. Raises DlmsMalformed.

    Lengths in long form, a missing mechanism or initiate response, and the diagnostic of the service provider
    (tag A2 within A3) all occur.
    """
    reader = Reader(apdu)
    if reader.octet() != AARE:
        raise DlmsMalformed(why="it does not answer the association")
    elements = _elements(reader.string())
    result = _inner(elements.get(0xA2), 0x02)
    source = elements.get(0xA3, b"")
    diagnostic = _inner(_inner(source, 0xA1) or _inner(source, 0xA2), 0x02)
    context = _inner(elements.get(0xA1), 0x06)
    mechanism = elements.get(0x89, b"")
    if result is None:
        raise DlmsMalformed(why="it has no result")
    return Answer(
        result=int.from_bytes(result),
        diagnostic=int.from_bytes(diagnostic or b""),
        ciphered=context in (_CONTEXT + b"\x03", _CONTEXT + b"\x04"),
        mechanism=mechanism[-1] if mechanism[:-1] == _MECHANISM else None,
        system_title=_inner(elements.get(0xA4), 0x04),
        challenge=_inner(elements.get(0xAA), 0x80),
        initiate=_inner(elements.get(0xBE), 0x04),
    )


def accepted(answer: Answer) -> bool:
    """Whether the association stands; False where high level security goes on.

    Raises AuthenticationRefused and AssociationRefused by the diagnostic.
    """
    if answer.result == _ACCEPTED:
        return answer.diagnostic != AUTHENTICATION_REQUIRED
    if answer.diagnostic in _AUTHENTICATION:
        raise refused(answer.diagnostic)
    if answer.initiate is not None and answer.initiate[:1] == bytes((_CONFIRMED_SERVICE_ERROR,)):
        granted(answer.initiate)
    raise refused(answer.diagnostic)


def refused(diagnostic: int) -> AssociationRefused:
    """The error for a diagnostic."""
    why = _DIAGNOSTICS.get(diagnostic, f"diagnostic {diagnostic}")
    return (AuthenticationRefused if diagnostic in _AUTHENTICATION else AssociationRefused)(why=why)
