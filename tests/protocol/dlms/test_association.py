"""Associations of every level against a meter written down here, and what must never be accepted."""

from collections.abc import Callable
from dataclasses import dataclass, field
import hashlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms import acse
from custom_components.iec62056.protocol.dlms.acse import Conformance
from custom_components.iec62056.protocol.dlms.association import Association
from custom_components.iec62056.protocol.dlms.security import (
    Credentials,
    InvocationCounter,
    Keys,
    Mechanism,
)
from custom_components.iec62056.protocol.dlms_errors import (
    AssociationRefused,
    AuthenticationRefused,
    CounterExhausted,
    DlmsError,
    DlmsMalformed,
    DlmsUnsent,
    SecurityBroken,
    ServiceRefused,
)

EK, AK = b"a key of the app", b"another key of i"
KEYS = Keys(EK, AK)
TITLE, METER = b"CLIENT01", b"METER001"
CTOS, STOC = b"challenge of us.", b"challenge of it."
SECRET = b"the secret"
INITIATE = bytes.fromhex("01000000065F1F0400401E1DFFFF")
GRANTED = bytes.fromhex("0800065F1F0400001E1D01000007")
PROVE = bytes.fromhex("C301C1000F0000280000FF01 01")
GET = bytes.fromhex("C001C1000300010800FF0200")


def tlv(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def sized(octets: bytes) -> bytes:
    """Octets behind their length."""
    return (b"\x81" if len(octets) > 127 else b"") + bytes((len(octets),)) + octets


def gcm(title: bytes, counter: int, plain: bytes, control: int = 0x30) -> bytes:
    """Header, ciphertext and the first 12 octets of the tag."""
    head = bytes((control,)) + counter.to_bytes(4)
    nonce = title + counter.to_bytes(4)
    aad = head[:1] + AK
    if control == 0x10:
        return head + AESGCM(EK).encrypt(nonce, b"", aad + plain)[:12]
    return head + AESGCM(EK).encrypt(nonce, plain, aad)[: len(plain) + 12]


def aare(
    result: int = 0,
    diagnostic: int = 0,
    *,
    context: int = 1,
    mechanism: int | None = None,
    title: bytes | None = None,
    challenge: bytes | None = None,
    initiate: bytes | None = GRANTED,
    provider: bool = False,
) -> bytes:
    body = tlv(0xA1, tlv(6, bytes.fromhex("608574050801") + bytes((context,))))
    body += tlv(0xA2, tlv(2, bytes((result,))))
    body += tlv(0xA3, tlv(0xA2 if provider else 0xA1, tlv(2, bytes((diagnostic,)))))
    body += tlv(0xA4, tlv(4, title)) if title is not None else b""
    if mechanism is not None:
        body += tlv(0x88, b"\x07\x80")
        body += tlv(0x89, bytes.fromhex("608574050802") + bytes((mechanism,)))
    body += tlv(0xAA, tlv(0x80, challenge)) if challenge is not None else b""
    body += tlv(0xBE, tlv(4, initiate)) if initiate is not None else b""
    return b"\x61" + sized(body)


def counter(first: int = 5) -> InvocationCounter:
    made = InvocationCounter(first)
    made.stored(made.reserve(1000))
    return made


def association(mechanism: Mechanism, *, ciphered: bool = False) -> Association:
    secret = b"" if mechanism is Mechanism.GMAC else SECRET
    needs_keys = ciphered or mechanism is Mechanism.GMAC
    credentials = Credentials(
        mechanism,
        secret,
        KEYS if needs_keys else None,
        TITLE if needs_keys or mechanism is Mechanism.SHA256 else None,
        ciphered,
    )
    return Association(credentials, challenge=CTOS, counter=counter())


# What goes out.


def test_request_without_security() -> None:
    assert association(Mechanism.NONE).open() == bytes.fromhex(
        "601D A109 0607 60857405080101 BE10 040E" + INITIATE.hex()
    )


def test_request_with_password() -> None:
    expected = (
        tlv(0xA1, bytes.fromhex("060760857405080101"))
        + bytes.fromhex("8A020780 8B0760857405080201")
        + tlv(0xAC, tlv(0x80, SECRET))
        + tlv(0xBE, tlv(4, INITIATE))
    )
    assert association(Mechanism.LOW).open() == tlv(0x60, expected)


def test_request_with_ciphering() -> None:
    sealed = gcm(TITLE, 5, INITIATE)
    expected = (
        tlv(0xA1, bytes.fromhex("060760857405080103"))
        + tlv(0xA6, tlv(4, TITLE))
        + bytes.fromhex("8A020780 8B0760857405080205")
        + tlv(0xAC, tlv(0x80, CTOS))
        + tlv(0xBE, tlv(4, tlv(0x21, sealed)))
    )
    assert association(Mechanism.GMAC, ciphered=True).open() == tlv(0x60, expected)


def test_release() -> None:
    assert association(Mechanism.LOW).close() == bytes.fromhex("6203800100")
    sealed = tlv(0x21, gcm(TITLE, 5, INITIATE))
    ciphered = association(Mechanism.GMAC, ciphered=True)
    assert ciphered.close() == tlv(0x62, b"\x80\x01\x00" + tlv(0xBE, tlv(4, sealed)))


# What comes in.


@pytest.mark.parametrize("mechanism", [Mechanism.NONE, Mechanism.LOW])
@pytest.mark.parametrize(
    "answer",
    [
        aare(),
        # A server that names the ciphered context all the same (jDLMS), and one that names its title (Kamstrup).
        b"\x61\x2d\x80\x02\x07\x80" + aare(context=3)[2:],
        aare(title=METER),
        # The length in a longer form than it needs (Kamstrup).
        b"\x61\x82\x00\x29" + aare()[2:],
        # No session context of low level security, an unknown element, and octets behind it.
        tlv(0x61, aare()[2:] + tlv(0xBF, b"?")) + b"\0\0",
    ],
)
def test_an_association_that_stands(mechanism: Mechanism, answer: bytes) -> None:
    link = association(mechanism)
    link.open()
    assert link.answer(answer) is None
    assert link.is_open
    assert link.granted.max_pdu == link.limit == 256
    granted = link.granted.conformance
    assert Conformance.MULTIPLE_REFERENCES in granted
    assert Conformance.GENERAL_PROTECTION not in granted
    assert link.protect(GET) == GET
    assert link.unprotect(b"\xc4") == b"\xc4"


def test_a_conformance_without_the_second_octet_of_its_tag() -> None:
    assert acse.granted(bytes.fromhex("0800065F0400001E1D01000007")) == acse.granted(GRANTED)
    assert acse.granted(bytes.fromhex("080100065F1F0400001E1D01000007")) == acse.granted(GRANTED)


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        (aare(1, 13, initiate=None), AuthenticationRefused, "password"),
        (aare(1, 11), AuthenticationRefused, "security level"),
        (aare(2, 12), AuthenticationRefused, "required"),
        (aare(1, 2), AssociationRefused, "context"),
        (aare(1, 1), AssociationRefused, "no reason"),
        (aare(1, 1, provider=True), AssociationRefused, "no reason"),
        (aare(1, 99), AssociationRefused, "99"),
        (aare(1, 1, initiate=bytes.fromhex("0E010602")), AssociationRefused, "conformance"),
        (aare(0, 0, initiate=bytes.fromhex("0E010603")), AssociationRefused, "too short"),
        (aare(0, 14, mechanism=5, challenge=STOC), AuthenticationRefused, "High|high"),
        (bytes.fromhex("D80101"), ServiceRefused, "not allowed"),
        (bytes.fromhex("D80105"), AuthenticationRefused, "decipher"),
        (bytes.fromhex("0E010601"), ServiceRefused, "service error"),
        (aare(initiate=None), DlmsMalformed, "grants"),
        (aare(initiate=b"\x09"), DlmsMalformed, "begin"),
        (b"\x63\x00", DlmsMalformed, "answer"),
        (b"\x61\x00", DlmsMalformed, "result"),
    ],
)
def test_refusals_by_their_diagnostic(answer: bytes, error: type[DlmsError], why: str) -> None:
    link = association(Mechanism.LOW)
    link.open()
    with pytest.raises(error, match=why) as caught:
        link.answer(answer)
    assert type(caught.value) is error
    assert not link.is_open
    assert SECRET.decode() not in str(caught.value)


def test_the_counter_that_the_meter_expects_is_told() -> None:
    link = association(Mechanism.GMAC, ciphered=True)
    link.open()
    with pytest.raises(ServiceRefused) as caught:
        link.answer(bytes.fromhex("D80106 00001234"))
    assert caught.value.counter == 0x1234


# High level security, plain and ciphered.

type Proof = Callable[[bytes, bytes], bytes]


@dataclass
class Meter:
    """The meter's end of a high level association."""

    mechanism: Mechanism
    ciphered: bool = False
    count: int = 100
    sent: list[bytes] = field(default_factory=list)

    def seal(self, tag: int, plain: bytes) -> bytes:
        if not self.ciphered:
            return plain
        self.count += 1
        return bytes((tag,)) + sized(gcm(METER, self.count, plain))

    def hello(
        self, challenge: bytes = STOC, *, context: int | None = None, mechanism: int | None = None
    ) -> bytes:
        return aare(
            0,
            14,
            context=context or (3 if self.ciphered else 1),
            mechanism=mechanism or self.mechanism,
            title=METER,
            challenge=challenge,
            initiate=self.seal(0x28, GRANTED),
        )

    def proof(self) -> bytes:
        """f(CtoS)."""
        match self.mechanism:
            case Mechanism.GMAC:
                return gcm(METER, 77, CTOS, 0x10)
            case Mechanism.SHA256:
                return hashlib.sha256(SECRET + METER + TITLE + CTOS + STOC).digest()
        return hashlib.sha1(CTOS + SECRET).digest()  # noqa: S324

    def proves(self, proof: bytes | None = None) -> bytes:
        answer = proof if proof is not None else self.proof()
        return self.seal(0xCF, bytes.fromhex("C701C1000100") + tlv(9, answer))


LEVELS = [
    (Mechanism.SHA1, False),
    (Mechanism.SHA256, False),
    (Mechanism.GMAC, False),
    (Mechanism.GMAC, True),
    (Mechanism.SHA1, True),
]


@pytest.mark.parametrize(("mechanism", "ciphered"), LEVELS)
def test_high_level_security(mechanism: Mechanism, ciphered: bool) -> None:
    meter = Meter(mechanism, ciphered)
    link = association(mechanism, ciphered=ciphered)
    link.open()
    request = link.answer(meter.hello())
    assert request is not None
    if mechanism is Mechanism.GMAC:
        token = gcm(TITLE, 6 if ciphered else 5, STOC, 0x10)
    elif mechanism is Mechanism.SHA256:
        token = hashlib.sha256(SECRET + TITLE + METER + STOC + CTOS).digest()
    else:
        token = hashlib.sha1(STOC + SECRET).digest()  # noqa: S324
    plain = PROVE + tlv(9, token)
    if ciphered:
        assert request == tlv(0xCB, gcm(TITLE, 7 if mechanism is Mechanism.GMAC else 6, plain))
    else:
        assert request == plain
    assert not link.is_open
    with pytest.raises(DlmsUnsent):
        link.protect(GET)
    assert link.answer(meter.proves()) is None
    assert link.is_open


@pytest.mark.parametrize(("mechanism", "ciphered"), LEVELS)
@pytest.mark.parametrize("proof", [b"", bytes(17), bytes(20), bytes(32), b"\x10" + bytes(16)])
def test_a_meter_that_proves_nothing_is_refused(
    mechanism: Mechanism, ciphered: bool, proof: bytes
) -> None:
    meter = Meter(mechanism, ciphered)
    link = association(mechanism, ciphered=ciphered)
    link.open()
    link.answer(meter.hello())
    with pytest.raises(SecurityBroken):
        link.answer(meter.proves(proof))
    assert not link.is_open


def opened(mechanism: Mechanism = Mechanism.GMAC) -> tuple[Association, Meter]:
    meter = Meter(mechanism, ciphered=True)
    link = association(mechanism, ciphered=True)
    link.open()
    link.answer(meter.hello())
    link.answer(meter.proves())
    return link, meter


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("our own challenge", lambda meter: meter.hello(CTOS)),
        ("our own within another", lambda meter: meter.hello(CTOS + bytes(16))),
        ("a short challenge", lambda meter: meter.hello(b"7octets")),
        ("no challenge", lambda meter: meter.hello(b"")),
        ("no proof asked for", lambda _: aare(title=METER, context=3)),
        ("a lower level", lambda meter: meter.hello(mechanism=1)),
        ("a weaker level", lambda meter: meter.hello(mechanism=3)),
        ("no ciphering", lambda meter: meter.hello(context=1)),
        (
            "a plain initiate",
            lambda _: aare(0, 14, title=METER, mechanism=5, context=3, challenge=STOC),
        ),
        (
            "no title",
            lambda meter: aare(
                0, 14, mechanism=5, context=3, challenge=STOC, initiate=meter.seal(0x28, GRANTED)
            ),
        ),
        (
            "another title",
            lambda meter: aare(
                0,
                14,
                title=b"SOMEBODY",
                mechanism=5,
                context=3,
                challenge=STOC,
                initiate=meter.seal(0x28, GRANTED),
            ),
        ),
    ],
)
def test_never_weaker_than_asked(what: str, answer: Callable[[Meter], bytes]) -> None:
    link = association(Mechanism.GMAC, ciphered=True)
    link.open()
    with pytest.raises(SecurityBroken):
        link.answer(answer(Meter(Mechanism.GMAC, ciphered=True)))
    assert not link.is_open, what


@pytest.mark.parametrize(("mechanism", "ciphered"), LEVELS)
def test_an_association_that_stands_without_the_proof_is_refused(
    mechanism: Mechanism, ciphered: bool
) -> None:
    initiate = Meter(mechanism, ciphered).seal(0x28, GRANTED)
    for named in (mechanism, None):
        link = association(mechanism, ciphered=ciphered)
        link.open()
        with pytest.raises(SecurityBroken, match="proof"):
            link.answer(aare(title=METER, context=3, mechanism=named, initiate=initiate))
        assert not link.is_open


def test_a_proof_that_the_meter_refuses_is_a_wrong_key() -> None:
    for mechanism, ciphered in LEVELS:
        meter = Meter(mechanism, ciphered)
        link = association(mechanism, ciphered=ciphered)
        link.open()
        link.answer(meter.hello())
        with pytest.raises(AuthenticationRefused):
            link.answer(meter.seal(0xCF, bytes.fromhex("C701C10300")))


def test_a_plain_proof_in_a_ciphered_association_is_refused() -> None:
    link = association(Mechanism.GMAC, ciphered=True)
    link.open()
    link.answer(Meter(Mechanism.GMAC, ciphered=True).hello())
    with pytest.raises(SecurityBroken):
        link.answer(Meter(Mechanism.GMAC).proves())


def test_services_in_a_ciphered_association() -> None:
    link, meter = opened()
    assert link.protect(GET) == tlv(0xC8, gcm(TITLE, 8, GET))
    answer = bytes.fromhex("C401C10006000004D2")
    assert link.unprotect(meter.seal(0xCC, answer)) == answer
    # The other form, with the title and without.
    for title in (METER, b""):
        meter.count += 1
        assert (
            link.unprotect(b"\xdb" + sized(title) + sized(gcm(METER, meter.count, answer)))
            == answer
        )
    assert link.limit < link.granted.max_pdu


ANSWER = bytes.fromhex("C401C10006000004D2")


@pytest.mark.parametrize(
    ("what", "octets"),
    [
        ("plain", lambda _: ANSWER),
        ("of the other envelope", lambda meter: meter.seal(0xCD, ANSWER)),
        ("only authenticated", lambda _: tlv(0xCC, gcm(METER, 500, ANSWER, 0x10) + ANSWER)),
        ("only encrypted", lambda _: tlv(0xCC, gcm(METER, 500, ANSWER, 0x20))),
        ("by a broadcast key", lambda _: tlv(0xCC, gcm(METER, 500, ANSWER, 0x70))),
        ("of another suite", lambda _: tlv(0xCC, gcm(METER, 500, ANSWER, 0x31))),
        ("of another meter", lambda _: tlv(0xCC, gcm(b"SOMEBODY", 500, ANSWER))),
        ("of ourselves", lambda _: tlv(0xCC, gcm(TITLE, 500, ANSWER))),
        ("an old one", lambda _: tlv(0xCC, gcm(METER, 102, ANSWER))),
        (
            "of another general title",
            lambda _: b"\xdb\x08SOMEBODY" + sized(gcm(METER, 500, ANSWER)),
        ),
        ("empty", lambda _: b"\xcc\x00"),
    ],
)
def test_answers_that_are_not_secure_end_the_association(
    what: str, octets: Callable[[Meter], bytes]
) -> None:
    link, meter = opened()
    with pytest.raises(SecurityBroken):
        link.unprotect(octets(meter))
    assert not link.is_open, what
    with pytest.raises(DlmsUnsent):
        link.protect(GET)


def test_a_replayed_answer_ends_the_association() -> None:
    link, meter = opened()
    answer = meter.seal(0xCC, ANSWER)
    assert link.unprotect(answer) == ANSWER
    with pytest.raises(SecurityBroken):
        link.unprotect(answer)


def test_a_refusal_is_plain_always() -> None:
    link, _ = opened()
    refusal = bytes.fromhex("D80102")
    assert link.unprotect(refusal) == refusal
    assert link.is_open


def test_nothing_is_sent_without_a_stored_counter() -> None:
    credentials = Credentials(Mechanism.GMAC, b"", KEYS, TITLE, True)
    with pytest.raises(CounterExhausted):
        Association(credentials, challenge=CTOS, counter=InvocationCounter(9)).open()


def test_high_level_security_needs_a_challenge() -> None:
    with pytest.raises(DlmsUnsent):
        Association(Credentials(Mechanism.SHA1, SECRET), challenge=b"short")


def test_an_answer_before_the_request_is_none() -> None:
    with pytest.raises(DlmsMalformed):
        association(Mechanism.NONE).answer(aare())


@settings(max_examples=500)
@given(st.binary(max_size=80), st.integers(0, 60), st.integers(0, 60))
def test_any_octets_end_in_a_defined_way(noise: bytes, start: int, end: int) -> None:
    whole = Meter(Mechanism.GMAC, ciphered=True).hello()
    for mechanism, ciphered in ((Mechanism.LOW, False), (Mechanism.GMAC, True)):
        link = association(mechanism, ciphered=ciphered)
        link.open()
        try:
            link.answer(whole[:start] + noise + whole[start + end :])
        except DlmsError:
            assert not link.is_open
