"""A customer asks for a person, talks with them, gets the bot back: the app over HTTP, its real embedded services."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.chat_http.app import create_app
from shared.escalation.queue import ESCALATIONS, REQUESTS
from shared.services import Services
from shared.settings import Settings
from tools.create_operator import create_operator

PASSWORD = "correct horse battery staple"
ACCOUNT = "# Passwords\n\nTo reset your password, choose Forgot password on the sign-in page.\n"
QUESTION = "How do I reset my password?"


class Story:
    """One customer's conversation, and the operators' side of it."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 5, 4, 12, 0, 10, tzinfo=UTC)
        options: Any = {"data_dir": folder, "token_secret": "0123456789abcdef0123456789abcdef"}
        self.services = Services(Settings(**options), now=lambda: self.now)
        app = create_app(self.services, now=lambda: self.now)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent")
        self.path = ""
        self.headers: dict[str, str] = {}

    async def begin(self) -> None:
        await self.services.documents.write("account.md", ACCOUNT.encode())
        await self.services.ingestion.reconcile()
        for name in ("grace", "alan"):
            await create_operator(self.services, name, f"{name.title()} H.", PASSWORD)
        started = (await self.http.post("/chat/sessions")).json()
        self.path = f"/chat/sessions/{started['session_id']}"
        self.headers = {"Authorization": f"Bearer {started['token']}"}

    async def say(self, text: str) -> httpx.Response:
        return await self.http.post(f"{self.path}/messages", json={"message": text}, headers=self.headers)

    async def stream(self, text: str) -> list[dict[str, Any]]:
        headers = self.headers | {"Accept": "text/event-stream"}
        response = await self.http.post(f"{self.path}/messages", json={"message": text}, headers=headers)
        return [json.loads(line.removeprefix("data: ")) for line in response.text.split("\n\n") if line]

    async def poll(self, after: int = 0) -> Any:
        return (await self.http.get(f"{self.path}/messages?after={after}", headers=self.headers)).json()

    async def pass_on(self) -> None:
        """What the queue's function does."""
        for received in await self.services.queue.receive(REQUESTS, limit=10):
            await self.services.escalation.route(received.message.body)
            await self.services.queue.complete(received)

    async def events(self) -> list[dict[str, Any]]:
        """What the helpdesk is sent since it last looked."""
        received = await self.services.queue.receive(ESCALATIONS, limit=10)
        for message in received:
            await self.services.queue.complete(message)
        return [json.loads(message.message.body) for message in received]

    async def sign_in(self, name: str) -> dict[str, str]:
        signed_in = await self.http.post("/auth/login", json={"username": name, "password": PASSWORD})
        return {"Authorization": f"Bearer {signed_in.json()['access_token']}"}

    async def work(self, operator: dict[str, str], method: str, path: str = "", **body: Any) -> Any:
        response = await self.http.request(method, f"/helpdesk/tickets{path}", json=body or None, headers=operator)
        assert response.status_code in (200, 201), response.text
        return response.json()


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    story = Story(tmp_path)
    await story.begin()
    yield story
    await story.http.aclose()
    await story.services.close()


async def test_to_a_person_and_back(story: Story) -> None:
    assert (await story.say(QUESTION)).json()["grounded"] is True
    asked = (await story.say("I want to talk to a human please")).json()
    assert asked["ticket_id"] in asked["message"]
    await story.pass_on()
    [event] = await story.events()
    assert (event["id"], event["type"]) == (asked["ticket_id"], "support.ticket.requested.v1")

    grace = await story.sign_in("grace")
    [ticket] = (await story.work(grace, "GET"))["tickets"]
    assert (ticket["id"], ticket["status"]) == (asked["ticket_id"], "open")
    assert (await story.work(grace, "POST", f"/{ticket['id']}/claim"))["assignee"] == "grace"
    joined = await story.poll(asked["seq"])
    assert joined["owner"] == "human"
    assert [m["message"] for m in joined["messages"]] == [
        "Grace H. has joined the conversation and will answer you here."
    ]

    # The bot knows the answer, and is silent; the person hears of it.
    response = await story.say(QUESTION)
    assert response.status_code == 202
    assert (response.json()["handed_over"], response.json()["message"]) == (True, None)
    started, finished = await story.stream("Are you there?")
    assert (started["type"], finished["type"]) == ("RUN_STARTED", "RUN_FINISHED")
    assert finished["result"]["handed_over"] is True
    events = await story.events()
    assert {event["type"] for event in events} == {"support.customer.message.v1"}
    assert [event["data"]["message"]["text"] for event in events] == [QUESTION, "Are you there?"]
    assert {(event["data"]["ticket_id"], event["data"]["assignee"]) for event in events} == {(ticket["id"], "grace")}

    await story.work(grace, "POST", f"/{ticket['id']}/replies", message="Yes. I have sent you a link.")
    [reply] = (await story.poll(finished["result"]["seq"]))["messages"]
    assert (reply["role"], reply["author"], reply["message"]) == (
        "human_agent",
        "Grace H.",
        "Yes. I have sent you a link.",
    )
    file = await story.work(grace, "GET", f"/{ticket['id']}")
    assert [m["seq"] for m in file["messages"]] == list(range(1, reply["seq"] + 1))

    assert (await story.work(grace, "POST", f"/{ticket['id']}/resolve"))["resolution"] == "confirmed"
    told = await story.poll(reply["seq"])
    assert told["owner"] == "bot"
    assert "Grace H. has closed your request" in told["messages"][0]["message"]
    again = await story.stream(QUESTION)
    assert "TEXT_MESSAGE_CONTENT" in {event["type"] for event in again}
    assert again[-1]["result"]["grounded"] is True
    assert (await story.say("I want to talk to a human please")).json()["ticket_id"] != ticket["id"]


async def test_a_person_who_falls_silent_is_followed_by_another(story: Story) -> None:
    asked = (await story.say("I want to talk to a human please")).json()
    await story.pass_on()
    grace = await story.sign_in("grace")
    await story.work(grace, "POST", f"/{asked['ticket_id']}/claim")
    assert (await story.say("Hello?")).status_code == 202
    story.now += timedelta(minutes=61)
    assert await story.services.helpdesk.return_silent() == 1
    assert [event["type"] for event in await story.events()][-1] == "support.ticket.returned.v1"
    answer = (await story.say(QUESTION)).json()
    assert answer["grounded"] is True
    alan = await story.sign_in("alan")
    await story.work(alan, "POST", f"/{asked['ticket_id']}/claim")
    await story.work(alan, "POST", f"/{asked['ticket_id']}/replies", message="Sorry for the wait.")
    assert (await story.poll(answer["seq"]))["messages"][-1]["author"] == "Alan H."


async def test_an_erased_conversation_reaches_nobody(story: Story) -> None:
    asked = (await story.say("I want to talk to a human please")).json()
    await story.pass_on()
    await story.events()
    grace = await story.sign_in("grace")
    await story.work(grace, "POST", f"/{asked['ticket_id']}/claim")
    assert (await story.http.delete(story.path, headers=story.headers)).json()["tickets"] == 1
    reply = await story.http.post(
        f"/helpdesk/tickets/{asked['ticket_id']}/replies", json={"message": "Hello"}, headers=grace
    )
    assert reply.status_code == 404
    story.now += timedelta(minutes=61)
    assert await story.services.helpdesk.return_silent() == 0
    assert await story.services.escalation.relay() == 0
    assert await story.events() == []
