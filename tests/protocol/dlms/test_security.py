"""Ciphers, challenges and counters, against published vectors and sums done another way."""

import hashlib

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms.security import (
    Ciphering,
    Credentials,
    Handshake,
    InvocationCounter,
    Keys,
    Mechanism,
    check_challenge,
)
from custom_components.iec62056.protocol.dlms_errors import (
    CounterExhausted,
    DlmsUnsent,
    SecurityBroken,
)

# The example of the Green Book: keys, titles and challenges (9.2.7.2 and 9.2.7.4).
KEYS = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
CLIENT = bytes.fromhex("4D4D4D0000000001")
METER = bytes.fromhex("4D4D4D0000BC614E")
CTOS = bytes.fromhex("4B35366956616759")
STOC = bytes.fromhex("503677524A323146")
GET = bytes.fromhex("C0010000080000010000FF0200")
SEALED = bytes.fromhex("3001234567 411312FF935A47566827C467BC 7D825C3BE4A77C3FCC056B6B")
F_OF_STOC = bytes.fromhex("1000000001 1A52FE7DD3E72748973C1E28")
F_OF_CTOS = bytes.fromhex("1001234567 FE1466AFB3DBCD4F9389E2B7")


def counter(first: int = 0, count: int = 100) -> InvocationCounter:
    counter = InvocationCounter(first)
    counter.stored(counter.reserve(count))
    return counter


def ciphering(title: bytes = CLIENT, peer: bytes | None = METER, first: int = 0) -> Ciphering:
    made = Ciphering(KEYS, title, counter(first))
    made.peer_title = peer
    return made


# Suite 0.


def test_published_message() -> None:
    assert ciphering(METER, CLIENT, 0x01234567).protect(GET) == SEALED
    assert ciphering().unprotect(SEALED) == GET


@pytest.mark.parametrize(
    ("key", "iv", "plain", "sealed", "tag"),
    [
        # NIST gcmEncryptExtIV128: key, iv, plain text and 96 of the tag's bits, no further data.
        (
            "7fddb57453c241d03efbed3ac44e371c",
            "ee283a3fc75575e33efd4887",
            "d5de42b461646c255c87bd2962d3b9a2",
            "2ccda4a5415cb91e135c2a0f78c9b2fd",
            "b36d1df9b9d5e596f83e8b7f",
        ),
    ],
)
def test_nist_vector_of_the_cipher_below(
    key: str, iv: str, plain: str, sealed: str, tag: str
) -> None:
    """The cipher that is used is the one that is meant; a suite always has further data."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    out = AESGCM(bytes.fromhex(key)).encrypt(bytes.fromhex(iv), bytes.fromhex(plain), None)
    assert out.hex().startswith(sealed + tag)


@given(st.binary(max_size=300))
def test_what_is_protected_opens_at_the_other_end(plain: bytes) -> None:
    meter = ciphering(METER, CLIENT)
    sealed = ciphering().protect(plain)
    assert len(sealed) == len(plain) + Ciphering.overhead()
    assert meter.unprotect(sealed) == plain


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_any_change_is_refused(place: int, change: int) -> None:
    changed = bytearray(SEALED)
    changed[place] ^= change
    opener = ciphering()
    with pytest.raises(SecurityBroken):
        opener.unprotect(bytes(changed))
    # And it does not stand in the way of the genuine one.
    assert opener.unprotect(SEALED) == GET


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_what_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(SecurityBroken):
        ciphering().unprotect(SEALED[:length])


def test_what_came_before_is_refused() -> None:
    meter = ciphering(METER, CLIENT)
    first, second = meter.protect(b"first"), meter.protect(b"second")
    client = ciphering()
    assert client.unprotect(second) == b"second"
    for old in (first, second):
        with pytest.raises(SecurityBroken, match="before"):
            client.unprotect(old)


def test_another_title_or_key_is_refused() -> None:
    with pytest.raises(SecurityBroken):
        ciphering(peer=b"OTHERONE").unprotect(SEALED)
    with pytest.raises(SecurityBroken):
        ciphering(peer=None).unprotect(SEALED)
    for wrong in (Keys(bytes(16), KEYS.authentication), Keys(KEYS.encryption, bytes(16))):
        other = Ciphering(wrong, CLIENT, counter())
        other.peer_title = METER
        with pytest.raises(SecurityBroken):
            other.unprotect(SEALED)


# High level security.


def handshake(
    mechanism: Mechanism, secret: bytes = b"", own: bytes = CTOS, meter: bytes = STOC
) -> Handshake:
    credentials = Credentials(mechanism, secret, KEYS, CLIENT)
    return Handshake(credentials, own, meter, meter_title=METER, ciphering=ciphering(first=1))


def test_published_gmac() -> None:
    shake = handshake(Mechanism.GMAC)
    assert shake.reply() == F_OF_STOC
    shake.check(F_OF_CTOS)


SECRET = b"a long secret"
# What each side owes the other: f(StoC) by the client, f(CtoS) by the meter.
ANSWERS = {
    Mechanism.MD5: (
        hashlib.md5(STOC + SECRET).digest(),  # noqa: S324
        hashlib.md5(CTOS + SECRET).digest(),  # noqa: S324
    ),
    Mechanism.SHA1: (
        hashlib.sha1(STOC + SECRET).digest(),  # noqa: S324
        hashlib.sha1(CTOS + SECRET).digest(),  # noqa: S324
    ),
    Mechanism.SHA256: (
        hashlib.sha256(SECRET + CLIENT + METER + STOC + CTOS).digest(),
        hashlib.sha256(SECRET + METER + CLIENT + CTOS + STOC).digest(),
    ),
}


@pytest.mark.parametrize(("mechanism", "answers"), ANSWERS.items())
def test_digests(mechanism: Mechanism, answers: tuple[bytes, bytes]) -> None:
    shake = handshake(mechanism, SECRET)
    assert shake.reply() == answers[0]
    shake.check(answers[1])


def test_aes_has_the_vector_of_fips_197() -> None:
    plain = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    shake = handshake(Mechanism.AES, bytes(range(16)), meter=plain)
    assert shake.reply() == bytes.fromhex("69C4E0D86A7B0430D8CDB78070B4C55A")


def test_aes_fills_up_with_zeros() -> None:
    filled = handshake(Mechanism.AES, b"short".ljust(16, b"\0"), meter=STOC.ljust(16, b"\0"))
    assert handshake(Mechanism.AES, b"short").reply() == filled.reply()
    assert len(handshake(Mechanism.AES, b"short", meter=bytes(17)).reply()) == 32


HIGH = [mechanism for mechanism in Mechanism if mechanism.high]


@pytest.mark.parametrize("mechanism", HIGH)
def test_a_wrong_answer_of_the_meter_is_refused(mechanism: Mechanism) -> None:
    shake = handshake(mechanism, SECRET)
    right = handshake(mechanism, SECRET, own=STOC, meter=CTOS).reply()
    for wrong in (b"", bytes(16), bytes(17), shake.reply(), right[:-1], right + b"\0"):
        with pytest.raises(SecurityBroken):
            shake.check(wrong)


def test_the_answer_of_another_level_is_refused() -> None:
    shake = handshake(Mechanism.SHA1, SECRET)
    with pytest.raises(SecurityBroken):
        shake.check(hashlib.md5(CTOS + SECRET).digest())  # noqa: S324


@pytest.mark.parametrize("meter", [b"", b"7octets", bytes(65), CTOS, CTOS + b"more", b"x" + CTOS])
def test_challenges_that_are_refused(meter: bytes) -> None:
    with pytest.raises(SecurityBroken):
        check_challenge(CTOS, meter)
    with pytest.raises(SecurityBroken):
        handshake(Mechanism.MD5, SECRET, meter=meter)


@pytest.mark.parametrize("meter", [b"8 octets", bytes(64)])
def test_challenges_that_are_taken(meter: bytes) -> None:
    check_challenge(CTOS, meter)


def test_what_a_mechanism_needs_of_the_meter() -> None:
    shake = Handshake(Credentials(Mechanism.SHA256, SECRET, None, CLIENT), CTOS, STOC)
    with pytest.raises(SecurityBroken):
        shake.reply()
    nameless = ciphering(peer=None)
    shake = Handshake(
        Credentials(Mechanism.GMAC, b"", KEYS, CLIENT), CTOS, STOC, ciphering=nameless
    )
    with pytest.raises(SecurityBroken):
        shake.check(F_OF_CTOS)


@pytest.mark.parametrize(
    "wrong",
    [
        (Mechanism.LOW,),
        (Mechanism.SHA1, b""),
        (Mechanism.AES, bytes(17)),
        (Mechanism.GMAC, b"", None, CLIENT),
        (Mechanism.GMAC, b"", KEYS, None),
        (Mechanism.SHA256, SECRET, None, b"short"),
        (Mechanism.LOW, b"password", None, CLIENT, True),
        (Mechanism.LOW, b"password", KEYS, None, True),
    ],
)
def test_credentials_that_cannot_do(wrong: tuple[Mechanism]) -> None:
    with pytest.raises(DlmsUnsent):
        Credentials(*wrong)


def test_keys_have_sixteen_octets() -> None:
    with pytest.raises(DlmsUnsent):
        Keys(bytes(15), bytes(16))
    with pytest.raises(DlmsUnsent):
        Keys(bytes(16), bytes(17))


def test_no_secret_is_shown() -> None:
    keys = Keys(b"encryption--key!", b"authentication-k")
    credentials = Credentials(Mechanism.LOW, b"the password", keys, CLIENT)
    shown = repr(credentials) + repr(keys) + repr(Ciphering(keys, CLIENT, counter()))
    for secret in ("encryption--key", "authentication-k", "the password"):
        assert secret not in shown


# The invocation counter.


def test_the_greater_of_the_stored_and_the_meters_next() -> None:
    for stored, meter, first in ((10, 4, 10), (10, 9, 10), (10, 10, 11), (0, 500, 501)):
        counter = InvocationCounter(stored)
        counter.learn(meter)
        counter.stored(counter.reserve(5))
        assert counter.take() == first


def test_nothing_goes_out_before_its_block_is_stored() -> None:
    counter = InvocationCounter(7)
    assert counter.lacks(1)
    with pytest.raises(CounterExhausted):
        counter.take()
    end = counter.reserve(2)
    with pytest.raises(CounterExhausted):
        counter.take()
    counter.stored(end)
    assert not counter.lacks(2)
    assert counter.lacks(3)
    assert [counter.take(), counter.take()] == [7, 8]
    with pytest.raises(CounterExhausted):
        counter.take()


def test_a_block_does_not_reach_beyond_what_the_meter_teaches() -> None:
    counter = InvocationCounter(0)
    counter.stored(counter.reserve(10))
    counter.learn(5)
    assert counter.lacks(1)
    with pytest.raises(CounterExhausted):
        counter.take()


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20), st.booleans()), max_size=20))
def test_no_counter_comes_twice_whenever_it_is_killed(runs: list[tuple[int, int, bool]]) -> None:
    """Each run reserves, stores or is killed before it could, sends some, and is killed."""
    disk = 0
    used: list[int] = []
    for block, messages, stored in runs:
        counter = InvocationCounter(disk)
        end = counter.reserve(block)
        if not stored:
            continue
        disk = end
        counter.stored(end)
        used += [counter.take() for _ in range(min(messages, block))]
    assert len(set(used)) == len(used)
    assert used == sorted(used)


@pytest.mark.parametrize("said", [0x80000000, 0xFFFFFE00, 0xFFFFFFFF])
def test_nobody_on_the_line_can_use_the_counter_up(said: int) -> None:
    """The meter's number comes in plain octets; half of the numbers are never given away on its word."""
    counter = InvocationCounter(1000)
    counter.learn(said)
    assert counter.reserve(5) == 1005
    counter.learn(0x7FFFFFFF)
    assert counter.reserve(5) == 0x80000005


def test_the_end_of_the_counter() -> None:
    counter = InvocationCounter(0xFFFFFFFE)
    with pytest.raises(CounterExhausted):
        counter.reserve(3)
    counter.stored(counter.reserve(2))
    assert [counter.take(), counter.take()] == [0xFFFFFFFE, 0xFFFFFFFF]
    with pytest.raises(CounterExhausted):
        counter.take()
    with pytest.raises(CounterExhausted):
        counter.reserve(1)
