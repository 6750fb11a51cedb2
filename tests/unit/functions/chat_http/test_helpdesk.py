"""The operators' routes over the real helpdesk on the embedded stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.chat_http.app import create_app
from shared.escalation.ticket import Ticket
from shared.memory.models import Conversation, CustomerFact, Message, Operator, OperatorRole
from shared.services import Services
from shared.settings import Settings

OPERATORS: Mapping[str, tuple[str, OperatorRole]] = {
    "grace": ("Grace H.", "agent"),
    "alan": ("Alan T.", "agent"),
    "ada": ("Ada L.", "admin"),
}
Problem = Callable[[httpx.Response, int], dict[str, Any]]
ROUTES = [
    ("GET", "/helpdesk/tickets", None),
    ("GET", "/helpdesk/tickets/t1", None),
    ("POST", "/helpdesk/tickets/t1/claim", None),
    ("POST", "/helpdesk/tickets/t1/replies", {"message": "Hi"}),
    ("PUT", "/helpdesk/tickets/t1/status", {"status": "open"}),
    ("POST", "/helpdesk/tickets/t1/resolve", None),
]


class Desk:
    """The app, its services, and an operator's way to call it."""

    def __init__(self, folder: Path, clock: Any, **settings: Any) -> None:
        options: Any = {"data_dir": folder, "token_secret": "0123456789abcdef0123456789abcdef"} | settings
        self.clock = clock
        self.services = Services(Settings(**options), now=clock)
        app = httpx.ASGITransport(create_app(self.services, now=clock))
        self.http = httpx.AsyncClient(transport=app, base_url="http://agent")

    async def prepare(self) -> None:
        for name, (display_name, role) in OPERATORS.items():
            await self.services.store.save_operator(Operator(name, display_name, "", self.clock.now, role))

    async def close(self) -> None:
        await self.http.aclose()
        await self.services.close()

    def token(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.services.tokens.issue_operator(name)[0]}"}

    async def call(self, method: str, path: str, body: Any = None, *, by: str = "grace") -> httpx.Response:
        return await self.http.request(method, f"/helpdesk/tickets{path}", json=body, headers=self.token(by))

    async def ask(self, name: str = "t1", *, team: str = "care") -> Ticket:
        """A conversation of the ticket's own."""
        session_id, now, store = f"s-{name}", self.clock.now, self.services.store
        ends = now + timedelta(hours=24)
        await store.create(
            Conversation(session_id, f"session:{session_id}", now, ends, user_id="ada"),
            Message("greeting", session_id, "assistant", "Hello!", now),
        )
        ticket = Ticket(name, session_id, "m-1", "customer_request", "Wants a person", now, user_id="ada")
        await store.append(Message("m-1", session_id, "user", "A person please", now), ticket)
        await store.mark_sent(ticket, now)
        routed = replace(ticket, category="general", priority="normal", team=team, due_at=now + timedelta(hours=4))
        return await store.save_route(routed)

    async def poll(self, name: str = "t1", *, after: int = 2) -> Any:
        """What the customer's page sees."""
        session_id = f"s-{name}"
        token = self.services.tokens.issue_session(session_id, self.clock.now + timedelta(hours=1))
        headers = {"Authorization": f"Bearer {token}"}
        return (await self.http.get(f"/chat/sessions/{session_id}/messages?after={after}", headers=headers)).json()


@pytest.fixture
async def desk(tmp_path: Path, api: Any) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path, api.services.clock)
    await desk.prepare()
    yield desk
    await desk.close()


# ---- who may


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_every_route_is_for_operators(desk: Desk, problem: Problem, method: str, path: str, body: Any) -> None:
    await desk.ask()
    anonymous = await desk.http.request(method, path, json=body)
    problem(anonymous, 401)
    assert anonymous.headers["www-authenticate"] == "Bearer"
    customer = desk.services.tokens.issue_session("s-t1", desk.clock.now + timedelta(hours=1))
    headers = {"Authorization": f"Bearer {customer}"}
    problem(await desk.http.request(method, path, json=body, headers=headers), 403)
    problem(await desk.http.request(method, path, json=body, headers=desk.token("left")), 401)
    token = desk.token("grace")
    desk.clock.now += timedelta(minutes=61)
    problem(await desk.http.request(method, path, json=body, headers=token), 401)
    assert (await desk.services.store.ticket("t1")).status == "open"
    assert len(await desk.services.store.messages("s-t1")) == 2


async def test_what_operators_do_is_counted_per_client(tmp_path: Path, api: Any, problem: Problem) -> None:
    desk = Desk(tmp_path, api.services.clock, operator_calls_per_minute=2)
    await desk.prepare()
    assert [(await desk.call("GET", "")).status_code for _ in range(3)] == [200, 200, 429]
    assert int((await desk.call("GET", "")).headers["retry-after"]) >= 1
    await desk.close()


@pytest.mark.parametrize(("method", "path", "body"), ROUTES[1:])
async def test_an_unknown_ticket(desk: Desk, problem: Problem, method: str, path: str, body: Any) -> None:
    problem(await desk.http.request(method, path, json=body, headers=desk.token("grace")), 404)


async def test_an_erased_ticket_is_gone(desk: Desk, problem: Problem) -> None:
    await desk.ask()
    await desk.call("POST", "/t1/claim")
    await desk.services.store.erase("s-t1")
    problem(await desk.call("POST", "/t1/replies", {"message": "Hi"}), 404)
    problem(await desk.call("POST", "/t1/resolve"), 404)
    assert (await desk.call("GET", "")).json() == {"tickets": []}


# ---- the work


async def test_a_ticket_from_claim_to_resolve(desk: Desk) -> None:
    await desk.ask()
    claimed = await desk.call("POST", "/t1/claim")
    assert claimed.status_code == 200
    assert claimed.json() == {
        "id": "t1",
        "session_id": "s-t1",
        "message_id": "m-1",
        "user_id": "ada",
        "reason": "customer_request",
        "summary": "Wants a person",
        "status": "claimed",
        "category": "general",
        "priority": "normal",
        "team": "care",
        "due_at": "2026-05-04T16:00:10Z",
        "assignee": "grace",
        "created_at": "2026-05-04T12:00:10Z",
        "claimed_at": "2026-05-04T12:00:10Z",
        "replied_at": None,
        "resolved_at": None,
        "resolution": None,
    }
    assert (await desk.poll())["owner"] == "human"

    desk.clock.now += timedelta(minutes=1)
    reply = await desk.call("POST", "/t1/replies", {"message": "I have sent a new label."})
    assert reply.status_code == 201
    polled = await desk.poll(after=3)
    assert polled["messages"] == [reply.json()]
    shown = polled["messages"][0]
    assert (shown["role"], shown["author"], shown["message"]) == (
        "human_agent",
        "Grace H.",
        "I have sent a new label.",
    )
    waiting = await desk.call("PUT", "/t1/status", {"status": "waiting"})
    assert (waiting.json()["status"], waiting.json()["replied_at"]) == ("waiting", "2026-05-04T12:01:10Z")

    for _ in range(2):
        resolved = (await desk.call("POST", "/t1/resolve")).json()
        assert (resolved["status"], resolved["resolution"]) == ("resolved", "confirmed")
    after = await desk.poll(after=4)
    assert after["owner"] == "bot"
    assert [message["role"] for message in after["messages"]] == ["assistant"]
    assert "Grace H. has closed your request t1" in after["messages"][0]["message"]


async def test_a_file_shows_the_conversation_and_what_is_remembered(desk: Desk) -> None:
    await desk.ask()
    await desk.services.store.remember(CustomerFact("f1", "session:s-t1", "has a dog", "m-1", desk.clock.now))
    file = (await desk.call("GET", "/t1")).json()
    assert file["ticket"]["id"] == "t1"
    assert file["owner"] == "bot"
    assert [(message["seq"], message["role"]) for message in file["messages"]] == [(1, "assistant"), (2, "user")]
    assert [fact["text"] for fact in file["facts"]] == ["has a dog"]


async def test_a_reply_sent_again_is_the_first_one(desk: Desk) -> None:
    await desk.ask()
    await desk.call("POST", "/t1/claim")
    body = {"message": "Done", "client_message_id": "c-1"}
    first, second = [await desk.call("POST", "/t1/replies", body) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len((await desk.poll(after=3))["messages"]) == 1


async def test_the_bot_is_waited_for(desk: Desk, problem: Problem) -> None:
    await desk.ask()
    question = Message("m-2", "s-t1", "user", "And delivery?", desk.clock.now)
    await desk.services.store.open_turn(question, lease_until=desk.clock.now + timedelta(seconds=70), history=5)
    refused = await desk.call("POST", "/t1/claim")
    assert problem(refused, 409)["type"].endswith("turn-in-progress")
    assert int(refused.headers["retry-after"]) >= 1
    desk.clock.now += timedelta(seconds=70)
    assert (await desk.call("POST", "/t1/claim")).status_code == 200


async def test_steps_that_are_not_possible(desk: Desk, problem: Problem) -> None:
    await desk.ask()
    refusals: list[tuple[str, str, Any, str]] = [
        ("POST", "/t1/replies", {"message": "Hi"}, "Claim it first"),
        ("PUT", "/t1/status", {"status": "waiting"}, "Claim it first"),
        ("PUT", "/t1/status", {"status": "requested"}, "cannot be made requested"),
    ]
    for method, path, body, words in refusals:
        refused = await desk.call(method, path, body)
        assert words in problem(refused, 409)["detail"]
        assert "retry-after" not in refused.headers  # waiting would not help
    await desk.call("POST", "/t1/claim", by="alan")
    for method, path, body in ROUTES[2:]:
        refused = await desk.http.request(method, path, json=body, headers=desk.token("grace"))
        assert "alan has ticket t1" in problem(refused, 409)["detail"]
    assert (await desk.call("POST", "/t1/claim", by="ada")).json()["assignee"] == "ada"


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/t1/replies", {}, "message"),
        ("POST", "/t1/replies", {"message": ""}, "message"),
        ("POST", "/t1/replies", {"message": "a\x00b"}, "message"),
        ("POST", "/t1/replies", {"message": 7}, "message"),
        ("POST", "/t1/replies", {"message": "Hi", "client_message_id": "a b"}, "client_message_id"),
        ("POST", "/t1/replies", {"message": "Hi", "client_message_id": "x" * 101}, "client_message_id"),
        ("PUT", "/t1/status", {"status": "done"}, "status"),
        ("PUT", "/t1/status", {}, "status"),
        ("GET", "?status=done", None, "status.0"),
        ("GET", "?limit=0", None, "limit"),
        ("GET", "?limit=101", None, "limit"),
        ("GET", f"?team={'x' * 65}", None, "team"),
        ("GET", "?after=a%00b", None, "after"),
        ("GET", f"/{'x' * 65}", None, "ticket_id"),
    ],
)
async def test_wrong_requests_are_refused_with_the_field(
    desk: Desk, problem: Problem, *, method: str, path: str, body: Any, field: str
) -> None:
    await desk.ask()
    [error] = problem(await desk.call(method, path, body), 422)["errors"]
    assert error["field"] == field


async def test_replies_that_are_no_text_or_too_long(desk: Desk, problem: Problem) -> None:
    await desk.ask()
    await desk.call("POST", "/t1/claim")
    problem(await desk.call("POST", "/t1/replies", {"message": "   "}), 400)
    problem(await desk.call("POST", "/t1/replies", {"message": "x" * 4001}), 413)
    headers = desk.token("grace") | {"Content-Type": "application/json"}
    half = await desk.http.post("/helpdesk/tickets/t1/replies", content=b'{"message": "\\ud800"}', headers=headers)
    assert half.status_code in (400, 422), half.text
    form = await desk.http.post("/helpdesk/tickets/t1/replies", data={"message": "Hi"}, headers=desk.token("grace"))
    problem(form, 415)
    assert len(await desk.services.store.messages("s-t1")) == 3


# ---- the list


async def test_the_list_is_filtered(desk: Desk) -> None:
    for n, team in enumerate(("care", "billing", "care", "billing")):
        await desk.ask(f"t{n}", team=team)
        desk.clock.now += timedelta(seconds=1)
    await desk.call("POST", "/t1/claim")
    await desk.call("POST", "/t2/claim", by="alan")
    await desk.call("POST", "/t3/resolve")

    async def listed(query: str) -> list[str]:
        return [ticket["id"] for ticket in (await desk.call("GET", query)).json()["tickets"]]

    assert await listed("") == ["t0", "t1", "t2"]
    assert await listed("?status=resolved") == ["t3"]
    assert await listed("?status=open&status=resolved") == ["t0", "t3"]
    assert await listed("?team=billing") == ["t1"]
    assert await listed("?assignee=alan") == ["t2"]
    assert await listed("?assignee=alan&team=billing") == []
    assert await listed("?status=requested") == []


async def test_the_list_comes_in_pages(desk: Desk) -> None:
    for n in range(7):
        await desk.ask(f"t{n}")  # all at the same moment
    read: list[str] = []
    while page := (await desk.call("GET", f"?limit=3&after={read[-1]}" if read else "?limit=3")).json()["tickets"]:
        assert len(page) <= 3
        read += [ticket["id"] for ticket in page]
        await desk.call("POST", f"/{read[-1]}/resolve")  # what is read may leave the list
    assert read == [f"t{n}" for n in range(7)]
