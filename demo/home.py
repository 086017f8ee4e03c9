"""A running Home Assistant, spoken to from outside as its own frontend does: REST and WebSocket."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

type Json = dict[str, Any]


# Reading a load profile is the longest that an answer takes.
ANSWERED_WITHIN = 180.0


class HomeError(Exception):
    """Home Assistant said no, or nothing in time."""


@asynccontextmanager
async def _in_time(asked: str) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(ANSWERED_WITHIN):
            yield
    except TimeoutError:
        raise HomeError(f"{asked}: no answer within {ANSWERED_WITHIN:.0f} s") from None


class Home:
    """One session with one Home Assistant, as its owner."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        """Speak to the Home Assistant at this address, such as http://127.0.0.1:8123."""
        self.address = address
        self._session = session
        self._token: str | None = None

    @classmethod
    @asynccontextmanager
    async def session(cls, address: str) -> AsyncGenerator[Self]:
        """A session that is closed at the end."""
        async with aiohttp.ClientSession() as session:
            yield cls(address, session)

    async def is_up(self) -> bool:
        """Whether Home Assistant answers at its address."""
        url = f"{self.address}/api/onboarding"
        try:
            async with asyncio.timeout(5), self._session.get(url) as answer:
                return answer.status == 200
        except aiohttp.ClientError, TimeoutError:
            return False

    async def has_started(self) -> bool:
        """Whether everything that Home Assistant starts with is there."""
        return bool((await self.get("config"))["state"] == "RUNNING")

    async def onboard(self, user: str, password: str, language: str) -> None:
        """Make the owner's account, log in, and finish the onboarding."""
        made = await self.post(
            "onboarding/users",
            {
                "client_id": f"{self.address}/",
                "name": user.capitalize(),
                "username": user,
                "password": password,
                "language": language,
            },
        )
        form = {
            "client_id": f"{self.address}/",
            "grant_type": "authorization_code",
            "code": made["auth_code"],
        }
        url = f"{self.address}/auth/token"
        async with _in_time(url), self._session.post(url, data=form) as answer:
            self._token = (await self._checked(answer))["access_token"]
        await self.post("onboarding/analytics", {})
        place = {"client_id": f"{self.address}/", "redirect_uri": f"{self.address}/"}
        await self.post("onboarding/integration", place)

    async def get(self, path: str) -> Any:
        """What Home Assistant answers to a GET below /api."""
        url = f"{self.address}/api/{path}"
        async with _in_time(path), self._session.get(url, headers=self._headers) as answer:
            return await self._checked(answer)

    async def post(self, path: str, data: Mapping[str, Any]) -> Any:
        """What Home Assistant answers to a POST below /api."""
        url = f"{self.address}/api/{path}"
        posting = self._session.post(url, headers=self._headers, json=data)
        async with _in_time(path), posting as answer:
            return await self._checked(answer)

    async def command(self, kind: str, **fields: Any) -> Any:
        """The result of one WebSocket command, on a connection of its own: one that nobody reads is ended by Home Assistant."""
        url = f"{self.address}/api/websocket"
        async with _in_time(kind), self._session.ws_connect(url, max_msg_size=0) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self._token or ""})
            if (answered := await socket.receive_json())["type"] != "auth_ok":
                raise HomeError(f"login: {answered}")
            await socket.send_json({"id": 1, "type": kind, **fields})
            answer = await socket.receive_json()
        if not answer.get("success"):
            raise HomeError(f"{kind}: {answer.get('error', answer)}")
        return answer["result"]

    @property
    def _headers(self) -> dict[str, str]:
        return {} if self._token is None else {"Authorization": f"Bearer {self._token}"}

    @staticmethod
    async def _checked(answer: aiohttp.ClientResponse) -> Any:
        if answer.status >= 400:
            raise HomeError(f"{answer.url.path}: {answer.status} {await answer.text()}")
        return await answer.json()
