"""Events on their way to a URL of the company: a server that answers as it is told, and the queue in between."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from shared.errors import InvalidInput, Unavailable
from shared.escalation.queue import ESCALATIONS, REQUESTS, WEBHOOKS
from shared.escalation.ticket import Ticket
from shared.memory.models import Conversation, Message
from shared.services import Services
from shared.settings import ROOT, Settings
from tests.chat import NOW

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """What the company runs. Answers each request with the next of `answers`, else with 204."""

    def __init__(self) -> None:
        self.answers: list[Response | int] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def receive(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        self.headers.append(dict(request.headers))
        answer = self.answers.pop(0) if self.answers else 204
        return Response(status_code=answer) if isinstance(answer, int) else answer


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    served, app = Receiver(), FastAPI()
    app.post("/{path:path}", response_model=None)(served.receive)
    app.get("/{path:path}", response_model=None)(served.receive)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hooks/support"
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve([listening]))
        yield served
        server.should_exit = server.force_exit = True
        await serving


MakeServices = Callable[..., Services]


@pytest.fixture
async def make_services(tmp_path: Path, receiver: Receiver) -> AsyncIterator[MakeServices]:
    made: list[Services] = []

    def make(**changes: Any) -> Services:
        options: dict[str, Any] = {
            "auth_mode": "open",
            "data_dir": tmp_path,
            "webhook_url": receiver.url,
            "webhook_secret": SECRET,
        }
        made.append(Services(Settings(**(options | changes)), now=lambda: NOW))
        return made[-1]

    yield make
    for services in made:
        await services.close()


async def hand_over(services: Services, session_id: str = "s1") -> None:
    """A customer asks for a person, and the ticket is routed."""
    await services.store.create(
        Conversation(session_id, "user:ada", NOW, NOW + timedelta(hours=1), user_id="ada"),
        Message("greeting", session_id, "assistant", "Hello", NOW),
    )
    ticket = Ticket(f"tkt-{session_id}", session_id, "m1", "customer_request", "Wants a person", NOW, user_id="ada")
    await services.store.append(Message("m1", session_id, "user", "A person please", NOW), ticket)
    await services.escalation.send(ticket)
    for request in await services.queue.receive(REQUESTS):
        await services.escalation.route(request.message.body)
        await services.queue.complete(request)


async def deliver(services: Services) -> list[str]:
    """One delivery of all that waits; what fails is given back. Returns the outcomes."""
    outcomes: list[str] = []
    for received in await services.queue.receive(WEBHOOKS, limit=100):
        try:
            assert services.webhook
            outcomes.append(await services.webhook.deliver(received.message.body))
            await services.queue.complete(received)
        except Unavailable as error:
            outcomes.append(str(error))
            await services.queue.abandon(received, problem=str(error))
    return outcomes


def verified(headers: dict[str, str], body: bytes) -> bool:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    return hmac.compare_digest(expected, headers["webhook-signature"])


async def test_an_event_is_posted_as_it_was_published_and_signed(make_services: MakeServices, receiver: Receiver):
    services = make_services(webhook_authorization="Bearer abc")
    await hand_over(services)
    (published,) = await services.queue.receive(ESCALATIONS)
    assert await deliver(services) == ["delivered"]
    (body,), (headers,) = receiver.bodies, receiver.headers
    assert body == published.message.body
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["webhook-id"] == headers["idempotency-key"] == json.loads(body)["id"] == "tkt-s1"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert headers["authorization"] == "Bearer abc"
    assert verified(headers, body)
    assert not verified(headers, body + b" ")
    assert await deliver(services) == []


async def test_what_failed_comes_again_under_the_same_id(make_services: MakeServices, receiver: Receiver):
    services = make_services()
    await hand_over(services)
    receiver.answers = [500, 429, 404]
    outcomes = [outcome for _ in range(4) for outcome in await deliver(services)]
    assert outcomes == [
        "The webhook answered 500.",
        "The webhook answered 429.",
        "The webhook answered 404.",
        "delivered",
    ]
    assert {headers["webhook-id"] for headers in receiver.headers} == {"tkt-s1"}


async def test_what_fails_for_ever_is_set_aside_with_the_reason_and_can_be_replayed(
    make_services: MakeServices, receiver: Receiver
):
    services = make_services()
    await hand_over(services)
    receiver.answers = [401] * 10
    for _ in range(11):
        await deliver(services)
    assert len(receiver.bodies) == 10
    (letter,) = [letter async for letter in services.dead_letters.list()]
    assert (letter.queue, letter.reason) == (WEBHOOKS, "MaxDeliveryCountExceeded")
    assert "The webhook answered 401." in letter.description
    assert await services.dead_letters.count() == {REQUESTS: 0, ESCALATIONS: 0, WEBHOOKS: 1}
    await services.dead_letters.replay(letter)
    assert await deliver(services) == ["delivered"]
    assert receiver.headers[-1]["webhook-id"] == "tkt-s1"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (format_datetime(NOW + timedelta(seconds=20), usegmt=True), 20),
        (format_datetime(NOW - timedelta(seconds=20), usegmt=True), 1),
        ("soon", 1),
        ("-5", 1),
        ("9" * 400, 3600),
    ],
)
async def test_the_wait_that_is_asked_for_is_told(
    make_services: MakeServices, receiver: Receiver, header: str, seconds: int
):
    services = make_services()
    await hand_over(services)
    (received,) = await services.queue.receive(WEBHOOKS)
    receiver.answers = [Response(status_code=503, headers={"Retry-After": header})]
    assert services.webhook
    with pytest.raises(Unavailable) as refused:
        await services.webhook.deliver(received.message.body)
    assert refused.value.retry_after == seconds


async def test_a_redirect_is_a_failure_and_not_followed(make_services: MakeServices, receiver: Receiver):
    services = make_services()
    await hand_over(services)
    receiver.answers = [Response(status_code=307, headers={"Location": receiver.url + "/elsewhere"})]
    assert await deliver(services) == ["The webhook answered 307."]
    assert len(receiver.bodies) == 1


async def test_nobody_there_is_a_failure(make_services: MakeServices):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    services = make_services(webhook_url=f"http://127.0.0.1:{port}/")
    await hand_over(services)
    assert await deliver(services) == ["The webhook does not answer: ConnectError."]


async def test_an_answer_without_end_is_not_read(make_services: MakeServices, receiver: Receiver):
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0.01)

    services = make_services()
    await hand_over(services)
    receiver.answers = [StreamingResponse(endless())]
    async with asyncio.timeout(5):
        assert await deliver(services) == ["delivered"]


async def test_an_answer_that_does_not_come_is_not_waited_for(
    make_services: MakeServices, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shared.escalation.events.webhook.TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, and says nothing
        services = make_services(webhook_url=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        await hand_over(services)
        (outcome,) = await deliver(services)
    assert outcome.startswith("The webhook does not answer: ")


async def test_a_helpdesk_gets_a_ticket_in_its_own_shape_and_nothing_else(
    make_services: MakeServices, receiver: Receiver
):
    services = make_services(webhook_format="zendesk", webhook_authorization="Basic abc", webhook_secret="")
    await hand_over(services)
    returned = (await services.queue.receive(WEBHOOKS))[0].message
    event = json.loads(returned.body) | {"id": "evt-1", "type": "support.ticket.returned.v1"}
    event["data"] = {"ticket_id": "tkt-s1", "session_id": "s1", "returned_at": NOW.isoformat()}
    assert services.webhook
    assert await services.webhook.deliver(json.dumps(event).encode()) == "skipped"
    assert receiver.bodies == []
    assert await services.webhook.deliver(returned.body) == "delivered"
    assert json.loads(receiver.bodies[0])["ticket"]["external_id"] == "tkt-s1"
    assert receiver.headers[0]["content-type"] == "application/json"
    assert receiver.headers[0]["authorization"] == "Basic abc"
    assert "webhook-signature" not in receiver.headers[0]


async def test_what_was_erased_is_not_passed_on(make_services: MakeServices, receiver: Receiver):
    services = make_services()
    await hand_over(services)
    await services.store.erase("s1")
    assert await deliver(services) == ["erased"]
    assert receiver.bodies == []


async def test_what_is_no_event_is_refused(make_services: MakeServices):
    webhook = make_services().webhook
    assert webhook
    with pytest.raises(InvalidInput):
        await webhook.deliver(b'{"what": "is this"}')


async def test_five_times_in_any_order_and_erased_in_between(make_services: MakeServices, receiver: Receiver):
    services = make_services()
    for n in range(3):
        await hand_over(services, f"s{n}")
    waiting = [received.message for received in await services.queue.receive(WEBHOOKS, limit=10)]
    assert services.webhook
    order = waiting * 5
    random.Random(1).shuffle(order)
    outcomes: dict[str, list[str]] = {}
    for number, message in enumerate(order):
        if number == 7:
            await services.store.erase("s1")
        outcomes.setdefault(message.id, []).append(await services.webhook.deliver(message.body))
    assert outcomes["tkt-s0"] == outcomes["tkt-s2"] == ["delivered"] * 5
    first = outcomes["tkt-s1"].index("erased")
    assert outcomes["tkt-s1"][first:] == ["erased"] * (5 - first)
    by_id = {headers["webhook-id"]: body for headers, body in zip(receiver.headers, receiver.bodies, strict=True)}
    assert {(h["webhook-id"], b) for h, b in zip(receiver.headers, receiver.bodies, strict=True)} == set(by_id.items())


async def test_nothing_of_a_customer_or_a_secret_is_logged(
    make_services: MakeServices, receiver: Receiver, caplog: pytest.LogCaptureFixture
):
    services = make_services(webhook_url=f"{receiver.url}?key=url-secret", webhook_authorization="Bearer header-secret")
    await hand_over(services)
    receiver.answers = [Response(status_code=400, content="A person please: refused")]
    logging.getLogger("httpx").setLevel(logging.WARNING)  # as `set_up_logging` does
    with caplog.at_level(logging.DEBUG, "shared"):
        await deliver(services)
        await deliver(services)
    logged = [record.message for record in caplog.records if record.name == "shared.escalation.events.webhook"]
    assert logged == ["webhook"]
    for record in caplog.records:
        assert not any(word in str(vars(record)) for word in ("secret", "person please", SECRET))


async def test_without_a_webhook_there_is_none(make_services: MakeServices):
    services = make_services(webhook_url=None)
    assert services.webhook is None
    await hand_over(services)
    assert await services.queue.receive(WEBHOOKS) == []


async def test_the_example_of_the_documentation_accepts_and_refuses(make_services: MakeServices, receiver: Receiver):
    """The code that integrators copy is run as it stands in docs/helpdesk.md."""
    text = (ROOT / "docs/helpdesk.md").read_text("utf-8")
    code = next(block for block in text.split("```python\n")[1:] if "def verify" in block).split("```")[0]
    example: dict[str, Any] = {}
    exec(compile(code, "docs/helpdesk.md", "exec"), example)
    services = make_services()
    await hand_over(services)
    await deliver(services)
    (body,), (headers,) = receiver.bodies, receiver.headers
    now = int(NOW.timestamp())
    verify = example["verify"]
    assert verify(SECRET, headers, body, now=now + 200)
    assert not verify(SECRET, headers, body, now=now + 301)
    assert not verify(SECRET, headers, body, now=now - 301)
    assert not verify(SECRET, headers, body + b" ", now=now)
    assert not verify(SECRET, headers | {"webhook-id": "tkt-2"}, body, now=now)
    assert not verify("whsec_" + base64.b64encode(b"k" * 32).decode(), headers, body, now=now)
    assert not verify(SECRET, {}, body, now=now)
    assert not verify(SECRET, headers | {"webhook-timestamp": "x"}, body, now=now)
    two = "v1,bm90IHRoaXM= " + headers["webhook-signature"]
    assert verify(SECRET, headers | {"webhook-signature": two}, body, now=now)
