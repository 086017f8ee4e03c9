"""Invocation counters of the keys of mode E: one file for all meters, found by a salted fingerprint of key and title.

The end of a block of numbers is on disk before the first of them is used. Two entries with one key share its counter, and
an entry that is removed leaves it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
import hmac
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.json import save_json
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.json import load_json_object

from ..const import DOMAIN, LOGGER
from ..protocol.dlms.security import InvocationCounter, Keys
from ..protocol.dlms_errors import CounterUnkept
from ..protocol.reasons import Unkept

FILE: Final = f"{DOMAIN}.counters"
_SALT: Final = "salt"
_ENDS: Final = "ends"

type StoreEnd = Callable[[int], Awaitable[None]]


class Counters:
    """The file, once per Home Assistant."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is read yet."""
        self._hass = hass
        # Not Home Assistant's Store: that reports a write as done where the disk is full, or a stop is near.
        self._path = Path(hass.config.path(STORAGE_DIR, FILE))
        self._lock = asyncio.Lock()
        self._salt = ""
        self._ends: dict[str, int] | None = None
        self._counters: dict[str, InvocationCounter] = {}

    async def async_counter(self, keys: Keys, title: bytes) -> tuple[InvocationCounter, StoreEnd]:
        """The counter of a key and the client's system title, and how the end of a block of it gets on disk."""
        async with self._lock:
            if self._ends is None:
                await self._load()
        if (ends := self._ends) is None:
            # Without its number no message may be encrypted; what needs no key is read all the same.
            return InvocationCounter(), self._unreadable
        mark = hmac.digest(bytes.fromhex(self._salt), keys.encryption + title, sha256).hex()
        counter = self._counters.setdefault(mark, InvocationCounter(ends.get(mark, 0)))

        async def store(end: int) -> None:
            await self._store(mark, end)

        return counter, store

    async def _load(self) -> None:
        try:
            data = await self._hass.async_add_executor_job(load_json_object, self._path)
            self._salt, self._ends = _parsed(data) if data else (token_hex(32), {})
        except HomeAssistantError, KeyError, TypeError, ValueError, AttributeError:
            LOGGER.error(
                "%s cannot be used: without it, no message is encrypted. If it cannot be restored from a backup, "
                "delete it; the meter's own counter is then asked for",
                self._path,
            )

    async def _store(self, mark: str, end: int) -> None:
        async with self._lock:
            ends = self._ends or {}
            # Of two sessions with one key, the one that asked first may come last.
            kept = {**ends, mark: max(end, ends.get(mark, 0))}
            content: dict[str, Any] = {_SALT: self._salt, _ENDS: kept}
            try:
                await self._hass.async_add_executor_job(self._write, content)
            except (HomeAssistantError, OSError) as err:
                raise CounterUnkept(why=Unkept.UNWRITTEN) from err
            self._ends = kept

    def _write(self, content: dict[str, Any]) -> None:
        self._path.parent.mkdir(exist_ok=True)
        save_json(str(self._path), content, private=True, atomic_writes=True)

    @staticmethod
    async def _unreadable(end: int) -> None:
        raise CounterUnkept(why=Unkept.UNREADABLE)


def _parsed(data: Any) -> tuple[str, dict[str, int]]:
    salt, ends = data[_SALT], data[_ENDS]
    bytes.fromhex(salt)
    found = {str(mark): end for mark, end in ends.items()}
    if not all(isinstance(end, int) and end >= 0 for end in found.values()):
        raise ValueError("a number is none")
    return salt, found


_COUNTERS: HassKey[Counters] = HassKey(f"{DOMAIN}_counters")


def counters_of(hass: HomeAssistant) -> Counters:
    """The one file of this Home Assistant."""
    if _COUNTERS not in hass.data:
        hass.data[_COUNTERS] = Counters(hass)
    return hass.data[_COUNTERS]
