"""State machine of one association: request, proof of high level security, ciphering of services.

What would be less secure than was asked for is refused.
"""

from enum import Enum

from ..dlms_errors import DlmsMalformed, DlmsUnsent, SecurityBroken
from ..reasons import Security
from . import acse, apdu
from .acse import WANTED, WANTED_BY_SHORT_NAMES, Conformance, Granted
from .axdr import Reader, encode, encode_string
from .cosem import ASSOCIATION, CURRENT_ASSOCIATION
from .data import Data, octet_string
from .descriptors import Access, Member
from .security import CHALLENGE, Ciphering, Credentials, Handshake, InvocationCounter
from .service_exchange import invoke_octet

# Method reply_to_HLS_authentication of the current association (Blue Book 4.4.4). Where a meter does not have it under its
# own name, it has it under one of its others: 0.0.40.0.1 and on.
REPLY_TO_HLS = 1
OTHER_ASSOCIATIONS = 7
# The same of the association of short names (Blue Book 4.4.3).
_SHORT_REPLY_TO_HLS = 0xFA58

# Glo-ciphering: the tag of a service, and of it ciphered (Green Book 9.5).
_INITIATE_REQUEST, _INITIATE_RESPONSE = 0x21, 0x28
_GLO = {
    apdu.GET_REQUEST: 0xC8,
    apdu.SET_REQUEST: 0xC9,
    apdu.ACTION_REQUEST: 0xCB,
    apdu.GET_RESPONSE: 0xCC,
    apdu.SET_RESPONSE: 0xCD,
    apdu.ACTION_RESPONSE: 0xCF,
    apdu.READ_REQUEST: 0x25,
    apdu.READ_RESPONSE: 0x2C,
}
_PLAIN = {ciphered: plain for plain, ciphered in _GLO.items()}
_GENERAL_GLO = 0xDB

# A PDU with no limit announced can still be no longer than this.
_MAX_PDU = 0xFFFF


class _State(Enum):
    """Where the association is."""

    CLOSED = "closed"
    ASKED = "asked"
    PROVING = "proving"
    OPEN = "open"


class Association:
    """One association.

    `open` gives the first PDU; `answer` takes what came and gives the next one, None once it stands. Then each
    request goes out through `protect`, and its answer comes in through `unprotect`.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        challenge: bytes = b"",
        counter: InvocationCounter | None = None,
        short_names: bool = False,
    ) -> None:
        """`challenge` is fresh random for high level security, 16 octets; `counter` is for the keys. Raises DlmsUnsent."""
        if credentials.mechanism.high and len(challenge) != CHALLENGE:
            raise DlmsUnsent(why="its challenge has not 16 octets")
        self._credentials = credentials
        self._challenge = challenge
        self._short_names = short_names
        self._ciphering: Ciphering | None = None
        if credentials.keys is not None and credentials.system_title is not None:
            counter = counter or InvocationCounter()
            self._ciphering = Ciphering(
                credentials.keys, credentials.system_title, counter, credentials.protection
            )
        self._handshake: Handshake | None = None
        self.name = CURRENT_ASSOCIATION
        """What the meter calls this association."""
        self._state = _State.CLOSED
        self.granted = Granted(Conformance(0), 0)

    @property
    def is_open(self) -> bool:
        """Whether it stands."""
        return self._state is _State.OPEN

    @property
    def limit(self) -> int:
        """The longest plain PDU that may go out, in octets."""
        limit = self.granted.max_pdu or _MAX_PDU
        if self._credentials.ciphered:
            # Tag and length.
            limit -= Ciphering.overhead() + 4
        return limit

    def open(self) -> bytes:
        """The AARQ. Raises CounterExhausted."""
        credentials = self._credentials
        self._state = _State.ASKED
        return acse.request(
            self._initiate(),
            mechanism=credentials.mechanism,
            secret=self._challenge if credentials.mechanism.high else credentials.secret,
            ciphered=credentials.ciphered,
            short_names=self._short_names,
            system_title=credentials.system_title,
        )

    def close(self) -> bytes:
        """The RLRQ. Raises CounterExhausted."""
        self._state = _State.CLOSED
        return acse.release(self._initiate() if self._credentials.ciphered else None)

    def _initiate(self) -> bytes:
        wanted = WANTED_BY_SHORT_NAMES if self._short_names else WANTED
        plain = acse.initiate_request(wanted, _MAX_PDU)
        if not self._credentials.ciphered:
            return plain
        return bytes((_INITIATE_REQUEST,)) + encode_string(self._required().protect(plain))

    def answer(self, octets: bytes) -> bytes | None:
        """The next PDU after this one of the meter, None once the association stands.

        Raises AuthenticationRefused and AssociationRefused by the meter's diagnostic, SecurityBroken where going
        on would be less secure than was asked for, DlmsMalformed, ServiceRefused. After an error it is closed.
        """
        state, self._state = self._state, _State.CLOSED
        if apdu.refuses(octets):
            raise apdu.refusal(octets)
        if state is _State.PROVING:
            request = self._proven(octets)
            self._state = _State.OPEN if request is None else _State.PROVING
            return request
        if state is not _State.ASKED:
            raise DlmsMalformed(why="no association was asked for")
        answer = acse.answer(octets)
        # A challenge asks for the proof, whatever the diagnostic says (jDLMS).
        proof = self._credentials.mechanism.high and answer.challenge is not None
        stands = acse.accepted(answer) and not proof
        self._never_weaker(answer, stands=stands)
        if self._ciphering is not None:
            self._ciphering.peer_title = answer.system_title
        if answer.initiate is None:
            raise DlmsMalformed(why="it does not say what it grants")
        self.granted = acse.granted(self._opened(answer.initiate))
        if stands:
            self._state = _State.OPEN
            return None
        self._handshake = Handshake(
            self._credentials,
            self._challenge,
            answer.challenge or b"",
            meter_title=answer.system_title,
            ciphering=self._ciphering,
        )
        self._state = _State.PROVING
        return self._proof(self._handshake)

    def _proof(self, handshake: Handshake) -> bytes:
        reply = octet_string(handshake.reply())
        if self._short_names:
            return self._protected(apdu.read([(_SHORT_REPLY_TO_HLS, Access(0, reply))]))
        member = Member(ASSOCIATION, self.name, REPLY_TO_HLS)
        return self._protected(apdu.act(member, encode(reply), invoke_octet(1)))

    def _never_weaker(self, answer: acse.Answer, *, stands: bool) -> None:
        """Refuse what would be a fall-back: who is between us and the meter could ask for it."""
        high = self._credentials.mechanism.high
        if high and stands:
            raise SecurityBroken(why=Security.PROOF_SKIPPED)
        if not high and not stands:
            raise acse.refused(acse.AUTHENTICATION_REQUIRED)
        if high and answer.mechanism not in (None, self._credentials.mechanism):
            raise SecurityBroken(why=Security.LEVEL)
        if self._credentials.ciphered and not answer.ciphered:
            raise SecurityBroken(why=Security.PLAIN)

    def _opened(self, initiate: bytes) -> bytes:
        if not self._credentials.ciphered:
            return initiate
        reader = Reader(initiate)
        if reader.octet() != _INITIATE_RESPONSE:
            raise SecurityBroken(why=Security.OTHERWISE)
        return self._required().unprotect(reader.string())

    def _proven(self, octets: bytes) -> bytes | None:
        """Verify the meter's proof; the next request where it has no association of that name."""
        service = apdu.READ_REQUEST if self._short_names else apdu.ACTION_REQUEST
        proof = apdu.answer(self._plain(octets), service, invoke_octet(1))
        result = proof.results[0] if isinstance(proof, apdu.Whole) else None
        elsewhere = not self._short_names and self.name.e < OTHER_ASSOCIATIONS
        if result in apdu.MISSING and elsewhere and self._handshake is not None:
            self.name = self.name._replace(e=self.name.e + 1)
            return self._proof(self._handshake)
        if isinstance(result, apdu.AccessResult) and result is not apdu.AccessResult.SUCCESS:
            raise acse.refused(acse.AUTHENTICATION_FAILURE)
        if not isinstance(result, Data) or self._handshake is None:
            raise SecurityBroken(why=Security.NO_PROOF)
        self._handshake.check(result.octets)
        self._handshake = None
        return None

    # Services in an open association.

    def protect(self, plain: bytes) -> bytes:
        """A request as it goes out. Raises DlmsUnsent where nothing is open, CounterExhausted."""
        if not self.is_open:
            raise DlmsUnsent(why="there is no association")
        return self._protected(plain)

    def unprotect(self, octets: bytes) -> bytes:
        """An answer as it was meant. A refusal of the whole request is plain always.

        Raises SecurityBroken, which closes the association, and DlmsMalformed.
        """
        try:
            return self._plain(octets)
        except SecurityBroken:
            self._state = _State.CLOSED
            raise

    def _protected(self, plain: bytes) -> bytes:
        if not self._credentials.ciphered:
            return plain
        return bytes((_GLO[plain[0]],)) + encode_string(self._required().protect(plain))

    def _plain(self, octets: bytes) -> bytes:
        if not self._credentials.ciphered or apdu.refuses(octets):
            return octets
        ciphering = self._required()
        reader = Reader(octets)
        tag = reader.octet()
        if tag == _GENERAL_GLO:
            # An empty title stands for the one that is known (Green Book 9.2.7.2.4.6).
            if reader.string() not in (b"", ciphering.peer_title):
                raise SecurityBroken(why=Security.TITLE)
        elif tag not in _PLAIN:
            raise SecurityBroken(why=Security.OTHERWISE)
        plain = ciphering.unprotect(reader.string())
        if tag != _GENERAL_GLO and plain[:1] != bytes((_PLAIN[tag],)):
            raise SecurityBroken(why=Security.CONTENT)
        return plain

    def _required(self) -> Ciphering:
        if self._ciphering is None:
            raise DlmsUnsent(why="the keys are missing")
        return self._ciphering
