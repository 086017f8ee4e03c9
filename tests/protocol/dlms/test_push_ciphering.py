"""Ciphered pushes: what a key opens, and what each wrong key is told apart by."""

from datetime import UTC, datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms.push.ciphering import PushKeys, Sealed
from custom_components.iec62056.protocol.dlms.push.messages import Carrier, Message
from custom_components.iec62056.protocol.dlms.push.telegrams import understand
from custom_components.iec62056.protocol.dlms_errors import (
    DlmsMalformed,
    DlmsUnsent,
    PushKeyNeeded,
    PushKeyWrong,
)
from custom_components.iec62056.protocol.reasons import PushKey
from simulator.dlms.push import AUTHENTICATION_KEY, KEY, ciphered, notification
from simulator.dlms.values import octets, sized, struct, u32

TITLE = b"LGZ\x67\x01\x02\x03\x04"
MOMENT = datetime(2031, 5, 17, 8, 0, tzinfo=UTC)
PLAIN = notification(struct(octets(bytes((1, 0, 1, 8, 0, 255))), u32(4711)), MOMENT)
BOTH = PushKeys(KEY, AUTHENTICATION_KEY)
ALONE = PushKeys(KEY)


def opened(apdu: bytes, keys: PushKeys | None) -> bytes:
    sealed = Sealed.read(apdu)
    assert sealed is not None
    return sealed.open(keys).plain


def genuine(apdu: bytes, keys: PushKeys | None) -> bool:
    sealed = Sealed.read(apdu)
    assert sealed is not None
    return sealed.open(keys).genuine


def general(plain: bytes, *, key_info: bytes = b"\x00", in_tag: bool = False) -> bytes:
    """General-ciphering: some authenticate what it says besides, some do not."""
    context = b"".join(map(sized, (bytes(8), TITLE, b"client01", b"", b"")))
    head = b"\x30" + (9).to_bytes(4)
    associated = head[:1] + AUTHENTICATION_KEY + (context if in_tag else b"")
    sealed = AESGCM(KEY).encrypt(TITLE + head[1:], plain, associated)[: len(plain) + 12]
    return b"\xdd" + context + key_info + sized(head + sealed)


@pytest.mark.parametrize("control", [0x20, 0x21, 0x22])
def test_the_suite_does_not_change_the_cipher(control: int) -> None:
    assert opened(ciphered(PLAIN, TITLE, 5, control=control), ALONE) == PLAIN


def test_a_tag_proves_that_a_telegram_is_genuine() -> None:
    tagged = ciphered(PLAIN, TITLE, 5, auth=AUTHENTICATION_KEY)
    assert opened(tagged, BOTH) == PLAIN
    assert genuine(tagged, BOTH)
    assert opened(tagged, ALONE) == PLAIN
    assert not genuine(tagged, ALONE)
    assert not genuine(ciphered(PLAIN, TITLE, 5), BOTH)


@pytest.mark.parametrize("in_tag", [False, True])
@pytest.mark.parametrize(
    "key_info", [b"\x00", b"\x01\x00\x00", b"\x01\x01\x00\x02AB", b"\x01\x02\x01\x01\x00"]
)
def test_general_ciphering(in_tag: bool, key_info: bytes) -> None:
    apdu = general(PLAIN, key_info=key_info, in_tag=in_tag)
    assert genuine(apdu, BOTH)
    assert opened(apdu, ALONE) == PLAIN


def test_dedicated_ciphering_has_the_same_form() -> None:
    assert opened(b"\xdc" + ciphered(PLAIN, TITLE, 5)[1:], ALONE) == PLAIN


def test_what_is_only_authenticated_needs_no_key() -> None:
    head = b"\x10" + (5).to_bytes(4)
    tag = AESGCM(KEY).encrypt(TITLE + head[1:], b"", head[:1] + AUTHENTICATION_KEY + PLAIN)[:12]
    apdu = b"\xdb" + sized(TITLE) + sized(head + PLAIN + tag)
    assert opened(apdu, None) == PLAIN
    assert not genuine(apdu, None)
    assert genuine(apdu, BOTH)
    other = PushKeys(KEY, bytes(16))
    assert not genuine(apdu, other)


def test_no_key() -> None:
    with pytest.raises(PushKeyNeeded) as caught:
        opened(ciphered(PLAIN, TITLE, 5), None)
    assert caught.value.placeholders == {"make": "Landis+Gyr"}


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.booleans())
def test_a_wrong_key_is_told(key: bytes, tagged: bool) -> None:
    apdu = ciphered(PLAIN, TITLE, 5, key=key, auth=AUTHENTICATION_KEY if tagged else None)
    for keys in (BOTH, ALONE):
        with pytest.raises(PushKeyWrong) as caught:
            opened(apdu, keys)
        assert caught.value.placeholders["why"] is PushKey.ENCRYPTION


def test_a_wrong_authentication_key_is_told_apart() -> None:
    tagged = ciphered(PLAIN, TITLE, 5, auth=AUTHENTICATION_KEY)
    # Two keys that are confused, one that is typed twice.
    for encryption, authentication, why in (
        (KEY, bytes(16), PushKey.AUTHENTICATION),
        (KEY, KEY, PushKey.AUTHENTICATION),
        (AUTHENTICATION_KEY, KEY, PushKey.ENCRYPTION),
    ):
        with pytest.raises(PushKeyWrong) as caught:
            opened(tagged, PushKeys(encryption, authentication))
        assert caught.value.placeholders["why"] is why


def test_no_bit_of_a_tagged_telegram_can_be_turned_over() -> None:
    tagged = ciphered(PLAIN, TITLE, 5, auth=AUTHENTICATION_KEY)
    for at in range(len(tagged)):
        for bit in range(8):
            spoilt = tagged[:at] + bytes((tagged[at] ^ 1 << bit,)) + tagged[at + 1 :]
            try:
                telegram = understand(Message(spoilt), BOTH)
            except DlmsMalformed, PushKeyWrong:
                continue
            # Without the bit that says that there is a tag, nothing is proved.
            assert telegram is None or telegram.check != "right"


@pytest.mark.parametrize(
    "apdu",
    [
        ciphered(PLAIN, TITLE, 5, control=0xA0),
        ciphered(PLAIN, b"", 5),
        ciphered(PLAIN, TITLE, 5) + b"\x00",
        ciphered(PLAIN, TITLE, 5)[:-1],
        ciphered(PLAIN, TITLE[:5], 5),
        b"\xdb\x08" + TITLE + b"\x03\x20\x00\x00",
        b"\xdb\x08" + TITLE + b"\x07\x30\x00\x00\x00\x01ab",
        b"\xdb",
        general(PLAIN, key_info=b"\x01\x07"),
    ],
)
def test_headers_that_are_none(apdu: bytes) -> None:
    with pytest.raises(DlmsMalformed):
        opened(apdu, BOTH)


def test_a_right_beginning_with_a_wrong_end_is_damage() -> None:
    spoilt = bytearray(ciphered(PLAIN, TITLE, 5))
    spoilt[-5] ^= 0x80
    with pytest.raises(DlmsMalformed):
        understand(Message(bytes(spoilt), Carrier.MBUS), ALONE)


def test_keys_keep_to_their_length_and_show_nothing() -> None:
    for keys in ((KEY[:-1], None), (KEY, b""), (KEY * 2, None)):
        with pytest.raises(DlmsUnsent):
            PushKeys(*keys)
    shown = repr(BOTH) + repr(Sealed.read(ciphered(PLAIN, TITLE, 5)))
    assert KEY.hex() not in shown
    assert "x5a" not in shown.lower()
    assert "LGZ" not in shown
