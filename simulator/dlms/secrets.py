"""The meter's side of proofs and ciphers: mechanisms 2 to 6, suite 0."""

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONE, LOW, AES, MD5, SHA1, GMAC, SHA256 = range(7)
_TAG = 12


def seal(key: bytes, auth: bytes, title: bytes, counter: int, plain: bytes) -> bytes:
    """Security header 30, counter, ciphertext, tag of 12 octets."""
    head = b"\x30" + counter.to_bytes(4)
    whole = AESGCM(key).encrypt(title + counter.to_bytes(4), plain, b"\x30" + auth)
    return head + whole[: len(plain) + _TAG]


def unseal(key: bytes, auth: bytes, title: bytes, sealed: bytes) -> tuple[int, bytes] | None:
    """Counter and plain text, None where the tag does not fit."""
    if len(sealed) < 17 or sealed[0] != 0x30:
        return None
    counter, body, tag = sealed[1:5], sealed[5:-_TAG], sealed[-_TAG:]
    stream = Cipher(
        algorithms.AES(key), modes.CTR(title + counter + b"\x00\x00\x00\x02")
    ).decryptor()
    plain = stream.update(body) + stream.finalize()
    if seal(key, auth, title, int.from_bytes(counter), plain)[-_TAG:] != tag:
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
