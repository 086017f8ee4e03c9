"""The meter's side of proofs and ciphers: mechanisms 2 to 6, suite 0."""

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONE, LOW, AES, MD5, SHA1, GMAC, SHA256 = range(7)
_TAG = 12


def seal(
    key: bytes, auth: bytes, title: bytes, counter: int, plain: bytes, *, control: int = 0x30
) -> bytes:
    """Security header, counter, content, tag of 12 octets: authenticated (10), encrypted (20) or both (30)."""
    nonce, head = title + counter.to_bytes(4), bytes([control])
    whole = AESGCM(key).encrypt(nonce, plain, head + auth)
    sealed = whole[: len(plain) + (_TAG if control == 0x30 else 0)]
    if control == 0x10:
        sealed = plain + AESGCM(key).encrypt(nonce, b"", head + auth + plain)[:_TAG]
    return head + counter.to_bytes(4) + sealed


def unseal(key: bytes, auth: bytes, title: bytes, sealed: bytes) -> tuple[int, bytes] | None:
    """Counter and plain text, None where the tag does not fit."""
    control, counter = sealed[0], sealed[1:5]
    end = len(sealed) - (_TAG if control & 0x10 else 0)
    if end < 5 or control not in (0x10, 0x20, 0x30):
        return None
    plain = sealed[5:end]
    if control & 0x20:
        nonce = title + counter + b"\x00\x00\x00\x02"
        stream = Cipher(algorithms.AES(key), modes.CTR(nonce)).decryptor()
        plain = stream.update(plain) + stream.finalize()
    if seal(key, auth, title, int.from_bytes(counter), plain, control=control) != sealed:
        return None
    return int.from_bytes(counter), plain


def gmac(key: bytes, auth: bytes, title: bytes, counter: int, challenge: bytes) -> bytes:
    """The proof of mechanism 5."""
    nonce = title + counter.to_bytes(4)
    tag = AESGCM(key).encrypt(nonce, b"", b"\x10" + auth + challenge)[:_TAG]
    return b"\x10" + counter.to_bytes(4) + tag


def digest(
    mechanism: int, secret: bytes, challenge: bytes, *, titles: bytes = b"", other: bytes = b""
) -> bytes:
    """The proof of the other mechanisms: of whom `challenge` was sent to, by `titles` (own, peer)."""
    match mechanism:
        case 2:
            block = Cipher(algorithms.AES(secret.ljust(16, b"\x00")), modes.ECB()).encryptor()  # noqa: S305
            return block.update(challenge + bytes(-len(challenge) % 16)) + block.finalize()
        case 3:
            return hashlib.md5(challenge + secret).digest()  # noqa: S324
        case 4:
            return hashlib.sha1(challenge + secret).digest()  # noqa: S324
        case _:
            return hashlib.sha256(secret + titles + challenge + other).digest()
