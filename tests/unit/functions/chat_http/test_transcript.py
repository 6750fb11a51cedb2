"""The whole transcript of a ticket, for operators, over the real services on the embedded stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.chat_http.app import create_app
from shared.escalation.queue import REQUESTS
from shared.escalation.ticket import Ticket
from shared.memory.models import Conversation, Message, Operator
from shared.services import Services
from shared.settings import Settings

Problem = Callable[[httpx.Response, int], dict[str, Any]]
PATH = "/helpdesk/tickets/tkt-1/transcript"


class Desk:
    def __init__(self, folder: Path, clock: Any) -> None:
        options: Any = {"data_dir": folder, "token_secret": "0123456789abcdef0123456789abcdef"}
        self.clock = clock
        self.services = Services(Settings(**options), now=clock)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(self.services, now=clock)), base_url="http://agent"
        )

    async def hand_over(self, *, words: str) -> None:
        """A conversation of 32 messages, whose ticket is routed."""
        store, now = self.services.store, self.clock.now
        await store.save_operator(Operator("grace", "Grace H.", "", now))
        await store.create(
            Conversation("s1", "session:s1", now, now + timedelta(hours=24)),
            Message("greeting", "s1", "assistant", "Hello!", now),
        )
        for n in range(30):
            await store.append(Message(f"m{n}", "s1", "user", f"{n} {words}", now))
        ticket = Ticket("tkt-1", "s1", "last", "customer_request", "Wants a person", now)
        await store.append(Message("last", "s1", "user", "A person please", now), ticket)
        await self.services.escalation.send(ticket)
        (request,) = await self.services.queue.receive(REQUESTS)
        await self.services.escalation.route(request.message.body)

    async def read(self, token: str | None = None, path: str = PATH) -> httpx.Response:
        token = token or self.services.tokens.issue_operator("grace")[0]
        return await self.http.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
async def desk(tmp_path: Path, api: Any) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path, api.services.clock)
    yield desk
    await desk.http.aclose()
    await desk.services.close()


@pytest.mark.parametrize("words", ["short", "long " * 2000])
async def test_an_operator_reads_all_of_it_however_long_it_is(desk: Desk, words: str) -> None:
    await desk.hand_over(words=words)
    response = await desk.read()
    assert response.status_code == 200, response.text
    transcript = response.json()
    assert (transcript["ticket_id"], transcript["session_id"], transcript["truncated"]) == ("tkt-1", "s1", False)
    assert [message["seq"] for message in transcript["messages"]] == list(range(1, 33))
    assert transcript["messages"][1]["text"] == f"0 {words}"
    kept = await desk.services.transcripts.sessions()
    assert list(kept) == (["s1"] if len(words) > 10 else [])


async def test_it_is_for_operators(desk: Desk, problem: Problem) -> None:
    await desk.hand_over(words="short")
    problem(await desk.http.get(PATH), 401)
    problem(await desk.read(desk.services.tokens.issue_session("s1", desk.clock.now + timedelta(hours=1))), 403)
    problem(await desk.read(desk.services.tokens.issue_operator("left")[0]), 401)


@pytest.mark.parametrize("name", ["tkt-9", "..", "%2e%2e%2fs1", "x" * 65])
async def test_a_ticket_that_is_not_there(desk: Desk, problem: Problem, name: str) -> None:
    await desk.hand_over(words="short")
    response = await desk.read(path=f"/helpdesk/tickets/{name}/transcript")
    assert response.status_code in (404, 422)


async def test_what_was_erased_is_not_read(desk: Desk, problem: Problem) -> None:
    await desk.hand_over(words="long " * 2000)
    await desk.services.store.erase("s1")
    problem(await desk.read(), 404)
    await desk.services.leftovers.erase()
    assert list(await desk.services.transcripts.sessions()) == []
