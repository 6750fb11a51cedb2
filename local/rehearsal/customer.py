"""Customers and operators over HTTP, as good clients are: what failed is sent again under the same id."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from local.demo import answered, expect

PATIENCE = 180
"""Seconds until a call counts as stuck: a killed turn holds its lease for 25, a server starts in 2."""
LONGEST_PAUSE = 2.0


class Stuck(Exception):
    """A call was tried for `PATIENCE` seconds. The message says with what it was answered last."""


class Conversation:
    def __init__(self, client: httpx.AsyncClient, session: dict[str, Any]) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {session['token']}"}
        self.id: str = session["session_id"]
        self.place = f"/chat/sessions/{self.id}"

    @classmethod
    async def open(cls, client: httpx.AsyncClient, *, tried: Counter[str] | None = None) -> Conversation:
        """`tried` counts what came instead of an answer."""
        return cls(client, await persistently(lambda: client.post("/chat/sessions"), tried))

    async def ask(self, question: str) -> dict[str, Any]:
        """The result of the stream's last event, with its `message` and the `documents` it cites. Raises `Wrong`."""
        text, documents = "", set[str]()
        result: dict[str, Any] = {}
        headers = self._headers | {"Accept": "text/event-stream"}
        async with self._client.stream(
            "POST", f"{self.place}/messages", json={"message": question}, headers=headers
        ) as response:
            expect(response.status_code == 200, f"the stream answered {response.status_code}")
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                event: dict[str, Any] = json.loads(line.removeprefix("data: "))
                expect(event["type"] != "RUN_ERROR", f"the turn failed: {event}")
                if event["type"] == "TEXT_MESSAGE_CONTENT":
                    text += event["delta"]
                elif event["type"] == "CUSTOM" and event["name"] == "sources":
                    documents = cited(event["value"])
                elif event["type"] == "RUN_FINISHED":
                    result = event["result"]
        expect(bool(result), "the stream broke off")
        return result | {"message": text, "documents": documents}

    async def say(self, text: str, client_message_id: str, tried: Counter[str] | None = None) -> dict[str, Any]:
        """The JSON answer, with the `documents` that it cites. Raises `Stuck`."""
        body = {"message": text, "client_message_id": client_message_id}
        answer = await persistently(
            lambda: self._client.post(f"{self.place}/messages", json=body, headers=self._headers), tried
        )
        return answer | {"documents": cited(answer["sources"])}

    async def messages(self) -> list[dict[str, Any]]:
        """All of the conversation. Raises `Stuck`."""
        history = await persistently(lambda: self._client.get(f"{self.place}/history", headers=self._headers))
        return history["messages"]


class Operator:
    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    @classmethod
    async def sign_in(cls, client: httpx.AsyncClient, username: str, password: str) -> Operator:
        body = {"username": username, "password": password}
        login = await persistently(lambda: client.post("/auth/login", json=body))
        return cls(client, login["access_token"])

    async def help(self, ticket_id: str, reply: str, tried: Counter[str] | None = None) -> None:
        """Claim the ticket, reply to the customer, resolve it. Raises `Stuck`."""
        place = f"/helpdesk/tickets/{ticket_id}"
        body = {"message": reply, "client_message_id": f"r-{ticket_id}"}

        def post(path: str, json: dict[str, Any] | None = None) -> Callable[[], Awaitable[httpx.Response]]:
            return lambda: self._client.post(f"{place}/{path}", json=json, headers=self._headers)

        await persistently(post("claim"), tried)
        await persistently(post("replies", body), tried)
        await persistently(post("resolve"), tried)


async def persistently(call: Callable[[], Awaitable[httpx.Response]], tried: Counter[str] | None = None) -> Any:
    """The JSON of the answer, however often it takes. Raises `Stuck`, and `Wrong` for what no repetition will mend."""
    end, last = time.monotonic() + PATIENCE, ""
    while time.monotonic() < end:
        try:
            response = await call()
        except httpx.TransportError as error:
            last, pause = type(error).__name__, 0.2
        else:
            if response.status_code < 400:
                return response.json() if response.content else None
            last, pause = str(response.status_code), float(response.headers.get("Retry-After", 0.5))
            if response.status_code not in (409, 429) and response.status_code < 500:
                answered(response)
        if tried is not None:
            tried[last] += 1
        await asyncio.sleep(min(pause, LONGEST_PAUSE))
    raise Stuck(last)


def cited(sources: list[dict[str, Any]]) -> set[str]:
    """Names of documents."""
    return {source["metadata"]["source"] for source in sources}
