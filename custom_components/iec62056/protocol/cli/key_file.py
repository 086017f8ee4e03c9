"""Reads the logins of mode E from a file in TOML; the invocation counter is kept in a file beside it.

client = 1
mechanism = "gmac"            # low, aes, md5, sha1, gmac, sha256
password = "..."              # low; the secret of aes, md5, sha1, sha256
encryption_key = "00 01 ..."  # keys and titles in hexadecimal digits; of a meter that pushes, the keys alone
authentication_key = "D0 D1 ..."
system_title = "48 41 53 00 00 00 00 01"
ciphered = true
protection = "both"           # or what the meter asks for: encryption, authentication
"""

import os
from pathlib import Path
import tomllib
from typing import Any

from ..dlms.login import DlmsLogin, Keyring
from ..dlms.push.ciphering import PushKeys
from ..dlms.security import Credentials, InvocationCounter, Keys, Mechanism, Protection
from ..dlms_errors import DlmsUnsent
from ..errors import BadKeyFile

_NAMES = {
    "client",
    "mechanism",
    "password",
    "encryption_key",
    "authentication_key",
    "system_title",
    "ciphered",
    "protection",
}


def read_keyring(path: Path) -> Keyring:
    """The keyring in a file. Raises BadKeyFile, and DlmsUnsent where a key has the wrong length."""
    try:
        login = _login(tomllib.loads(path.read_text("utf-8")))
        counter = _counter_of(path)
        stored = int(counter.read_text("ascii")) if counter.exists() else 0
    except OSError as err:
        raise BadKeyFile(name=str(path), why=err.strerror or "it cannot be read") from err
    except ValueError, TypeError:
        # What went wrong could quote a secret.
        raise BadKeyFile(name=str(path), why="it is not as the documentation has it") from None

    async def store(end: int) -> None:
        _write(counter, str(end))

    # The public client would show nothing besides.
    return Keyring((login,), InvocationCounter(stored), store)


def read_push_keys(path: Path) -> PushKeys:
    """The keys of a meter that pushes, in a file. Raises BadKeyFile, and DlmsUnsent where a key has the wrong length."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
        authentication = data.get("authentication_key")
        return PushKeys(
            bytes.fromhex(data["encryption_key"]),
            None if authentication is None else bytes.fromhex(authentication),
        )
    except OSError as err:
        raise BadKeyFile(name=str(path), why=err.strerror or "it cannot be read") from err
    except DlmsUnsent:
        raise
    except KeyError, ValueError, TypeError:
        raise BadKeyFile(name=str(path), why="it is not as the documentation has it") from None


def _login(data: dict[str, Any]) -> DlmsLogin:
    mechanism = str(data.get("mechanism", "low")).upper()
    if data.keys() - _NAMES or mechanism not in Mechanism.__members__:
        raise ValueError
    keys = None
    if "encryption_key" in data or "authentication_key" in data:
        keys = Keys(
            bytes.fromhex(data.get("encryption_key", "")),
            bytes.fromhex(data.get("authentication_key", "")),
        )
    title = bytes.fromhex(data["system_title"]) if "system_title" in data else None
    secret = str(data.get("password", "")).encode("utf-8")
    try:
        protection = Protection[str(data.get("protection", "both")).upper()]
    except KeyError:
        raise ValueError from None
    credentials = Credentials(
        Mechanism[mechanism], secret, keys, title, bool(data.get("ciphered", False)), protection
    )
    return DlmsLogin(int(data.get("client", 1)), credentials)


def _counter_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.counter")


def _write(path: Path, text: str) -> None:
    """Write a file so that either all of it or nothing is there, and on the disk."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
