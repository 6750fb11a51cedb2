"""The helpdesk in the terminal: what its user sees, on a queue of its own and an API made of plain Python."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared import services as composition
from shared.escalation.queue import ESCALATIONS, QueueMessage
from shared.escalation.sqlite import SqliteTicketQueue
from tools import helpdesk
from tools.helpdesk import Api, Desk, printable

TICKET = {
    "id": "tkt-1",
    "ticket_id": "tkt-1",
    "status": "open",
    "priority": "high",
    "team": "billing",
    "due_at": "2026-03-01T12:00:00Z",
    "reason": "complaint",
    "summary": "Charged \x1b[2Jtwice",
    "assignee": None,
}
SAID = {
    "role": "user",
    "message": "Charged twice!",
    "author": None,
    "created_at": "2026-03-01T11:00:00Z",
    "attachments": [{"name": "bill.pdf"}],
}


def event(kind: str, **data: Any) -> QueueMessage:
    body = {"type": kind, "data": {"ticket_id": "tkt-1"} | data}
    return QueueMessage(id=f"{kind}-{len(data)}", body=json.dumps(body).encode())


class Room:
    """A desk, its screen, what the API was asked, and what it answers."""

    def __init__(self, queue: SqliteTicketQueue) -> None:
        self.queue = queue
        self.screen: list[str] = []
        self.calls: list[tuple[str, str, Any]] = []
        self.answers: dict[str, Callable[[], httpx.Response]] = {}
        self.tickets: list[dict[str, Any]] = []
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://agent")
        self.desk = Desk(Api(http, "ada", "secret"), "ada", self.screen.append)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.calls.append((request.method, request.url.path, body))
        if answer := self.answers.get(request.url.path):
            return answer()
        if request.url.path == "/helpdesk/tickets":
            return httpx.Response(200, json={"tickets": [] if "after" in request.url.query.decode() else self.tickets})
        if request.method == "GET":
            return httpx.Response(200, json={"ticket": TICKET, "messages": [SAID], "facts": [{"text": "has a Duo"}]})
        return httpx.Response(200, json={"access_token": "fresh"} | TICKET)

    async def receive(self, *messages: QueueMessage) -> None:
        for message in messages:
            await self.queue.send(ESCALATIONS, message)
        for received in await self.queue.receive(ESCALATIONS, limit=100):
            await helpdesk._settle(self.queue, received, self.desk)

    def shown(self) -> str:
        text, self.screen[:] = "\n".join(self.screen), []
        return text


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    queue = SqliteTicketQueue(tmp_path / "queues.db")
    yield Room(queue)
    await queue.close()


async def test_a_ticket_is_shown_once_and_settled(room: Room) -> None:
    await room.receive(event("support.ticket.requested.v1", **TICKET))
    assert room.shown().startswith("#1 open  high/billing  due ")
    assert not await room.queue.receive(ESCALATIONS, limit=100)
    room.desk.show(json.loads(event("support.ticket.requested.v1", **TICKET).body))
    assert room.shown() == ""


async def test_what_a_customer_writes_does_not_command_the_terminal(room: Room) -> None:
    await room.receive(event("support.ticket.requested.v1", **TICKET))
    await room.receive(event("support.customer.message.v1", message={"seq": 4, "text": "a\x1b]0;owned\x07\nb"}))
    assert "\x1b" not in (shown := room.shown())
    assert "\x07" not in shown
    assert printable("a\r\nb\x9bc") == "a  b c"


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"{}", b'{"type": "x", "data": {}}'])
async def test_what_is_no_event_is_set_aside(room: Room, body: bytes) -> None:
    await room.receive(QueueMessage(id="odd", body=body))
    [dead] = await room.queue.dead_letters(ESCALATIONS)
    assert dead.reason == "NotAnEvent"


async def test_a_person_claims_answers_and_resolves(room: Room) -> None:
    await room.receive(event("support.ticket.requested.v1", **TICKET))
    await room.desk.type("/claim 1")
    shown = room.shown()
    assert "customer: Charged twice!" in shown
    assert "attached: bill.pdf" in shown
    assert "known: has a Duo" in shown
    assert "what you type now goes to the customer" in shown
    await room.desk.type("Sorry! I refund one of them.")
    await room.desk.type("/wait")
    await room.desk.type("/resolve")
    done = [(method, path, body) for method, path, body in room.calls if method != "GET"]
    assert done[0][:2] == ("POST", "/helpdesk/tickets/tkt-1/claim")
    assert done[1][2]["message"] == "Sorry! I refund one of them."
    assert done[2][2:] == ({"status": "waiting"},)
    assert done[3][2:] == ({"status": "resolved"},)
    await room.desk.type("One more thing")
    assert "You have no ticket" in room.shown()


async def test_a_claim_waits_for_the_bots_last_answer(room: Room) -> None:
    await room.receive(event("support.ticket.requested.v1", **TICKET))
    busy = [httpx.Response(409, json={"detail": "still answering"}, headers={"Retry-After": "0"})] * 2
    room.answers["/helpdesk/tickets/tkt-1/claim"] = lambda: busy.pop() if busy else httpx.Response(200, json=TICKET)
    await room.desk.type("/claim 1")
    assert "you have #1" in room.shown()


async def test_a_ticket_that_somebody_has_is_refused_with_the_reason(room: Room) -> None:
    await room.receive(event("support.ticket.requested.v1", **TICKET))
    room.answers["/helpdesk/tickets/tkt-1/claim"] = lambda: httpx.Response(
        409, json={"detail": "eve has ticket tkt-1."}
    )
    await room.desk.type("/claim 1")
    assert "! eve has ticket tkt-1." in room.shown()
    await room.desk.type("Hello?")
    assert "You have no ticket" in room.shown()


async def test_who_comes_back_goes_on_with_the_ticket_they_had(room: Room) -> None:
    room.tickets = [TICKET | {"status": "claimed", "assignee": "ada"}]
    await room.desk.open()
    await room.desk.type("I am back.")
    assert room.calls[-1][1] == "/helpdesk/tickets/tkt-1/replies"
    await room.receive(event("support.ticket.returned.v1"))
    await room.desk.type("Still there?")
    assert "You have no ticket" in room.shown()


async def test_an_expired_token_is_renewed(room: Room) -> None:
    replies = [httpx.Response(401, json={"detail": "expired"}), httpx.Response(201, json={})]
    room.tickets = [TICKET | {"status": "claimed", "assignee": "ada"}]
    await room.desk.open()
    room.answers["/helpdesk/tickets/tkt-1/replies"] = lambda: replies.pop(0)
    await room.desk.type("Hello")
    assert room.shown().endswith("sent")
    (first, second) = [body for _, path, body in room.calls if path.endswith("/replies")]
    assert first == second, "the same client_message_id, so that it cannot arrive twice"


@pytest.mark.parametrize("line", ["/claim", "/claim 2", "/claim x", "/show 0", "/resolve", "/wait", "/release", "hi"])
async def test_what_cannot_be_done_is_said(room: Room, line: str) -> None:
    await room.receive(event("support.ticket.requested.v1", **TICKET))
    room.shown()
    assert await room.desk.type(line)
    assert room.shown().startswith("! ")


async def test_quit_and_help(room: Room) -> None:
    assert await room.desk.type("/help")
    assert "/claim N" in room.shown()
    assert not await room.desk.type("/quit")


def test_an_app_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTH_MODE", "open")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    monkeypatch.setattr("tools.helpdesk.get_services", lambda: composition.Services(composition.load_settings()))
    assert helpdesk.main(["ada", "--url", "http://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert "http://127.0.0.1:9 does not answer (ConnectError)." in said
    assert "--url" in said


def pushed(seq: int | None, *events: dict[str, Any]) -> dict[str, Any]:
    return {"seq": seq, "events": list(events)}


def custom(name: str, **value: Any) -> dict[str, Any]:
    return {"type": "CUSTOM", "name": name, "value": value}


async def test_what_is_pushed_and_comes_by_the_queue_is_shown_once(room: Room) -> None:
    await room.receive(event("support.ticket.requested.v1", **TICKET))
    room.shown()
    said = pushed(
        4,
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m-4", "delta": "Hel\x1blo?"},
        custom("message", role="user", seq=4),
    )
    typing = pushed(None, custom("typing", role="user", author=None))
    for frame in (typing, typing, said, said):
        room.desk.hear("tkt-1", frame)
    await room.receive(event("support.customer.message.v1", message={"seq": 4, "text": "Hello?"}))
    room.desk.show(json.loads(event("support.customer.message.v1", message={"seq": 5, "text": "Hello?"}).body))
    assert room.shown() == "#1 the customer is typing …\n#1 customer: Hel lo?\n#1 customer: Hello?"


async def test_what_others_wrote_is_not_repeated_and_a_rating_is_told(room: Room) -> None:
    room.desk.hear("tkt-1", pushed(5, custom("message", role="human_agent", seq=5), custom("owner", owner="human")))
    room.desk.hear("tkt-1", pushed(None, custom("typing", role="human_agent", author="Eve")))
    assert room.shown() == ""
    room.desk.hear("tkt-1", pushed(None, custom("feedback", message_id="r-5", rating="up")))
    assert room.shown() == "#1 the customer rates it: up"


async def test_where_nothing_is_pushed_the_queue_is_enough(room: Room) -> None:
    told = {"type": "urn:support-agent:problem:no-push-channel", "detail": "Poll."}
    room.answers["/helpdesk/tickets/tkt-1/negotiate"] = lambda: httpx.Response(
        404, json=told, headers={"content-type": "application/problem+json"}
    )
    live = helpdesk.Live(room.desk._api)
    live.follow("tkt-1", room.desk.hear)
    assert live._listening
    await live._listening  # it gives up at once
    await live.close()
    assert room.shown() == ""
