"""The escalation service on the embedded store and queue."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shared.errors import InvalidInput, NotFound, Unavailable
from shared.escalation.events.handoff import MAX_EVENT_BYTES
from shared.escalation.folder import FolderTranscriptStore
from shared.escalation.outbox import OutboxEvent
from shared.escalation.queue import ESCALATIONS, MAX_MESSAGE_BYTES, REQUESTS, WEBHOOKS, QueueMessage
from shared.escalation.routing import load_routing
from shared.escalation.service import EscalationService
from shared.escalation.sqlite import SqliteTicketQueue
from shared.escalation.ticket import Ticket
from shared.memory.models import Attachment, Conversation, CustomerFact, Message, Source
from shared.memory.sqlite import SqliteConversationStore
from shared.push.service import PushService
from shared.settings import ROOT

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday: teams are there
SCHEMAS = {file.stem: json.loads(file.read_text("utf-8")) for file in (ROOT / "docs/events").iterdir()}
TICKET = Ticket(
    id="tkt-1",
    session_id="s1",
    message_id="m2",
    user_id="ada",
    reason="customer_request",
    summary="Wants a person",
    created_at=START,
)


class Desk:
    """Store, queue and service on one clock; the queue can be switched off."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.store = SqliteConversationStore(folder / "conversations.db", now=lambda: self.now)
        self.queue = SqliteTicketQueue(folder / "queues.db", now=lambda: self.now)
        self.transcripts = FolderTranscriptStore(folder / "transcripts")
        self.service = self.new_service()

    def new_service(self, **options: Any) -> EscalationService:
        return EscalationService(
            self.store,
            self.queue,
            routing=load_routing(),
            transcripts=self.transcripts,
            push=PushService(None, now=lambda: self.now),
            now=lambda: self.now,
            **options,
        )

    async def requests(self) -> list[QueueMessage]:
        return [received.message for received in await self.queue.receive(REQUESTS, limit=100)]

    async def events(self, queue: str = ESCALATIONS) -> list[QueueMessage]:
        """Each of them as its published schema has it."""
        messages = [received.message for received in await self.queue.receive(queue, limit=100)]
        for message in messages:
            event = json.loads(message.body)
            jsonschema.validate(event, SCHEMAS[event["type"]], format_checker=jsonschema.FormatChecker())
        return messages

    async def requested(self, ticket: Ticket = TICKET) -> bytes:
        """The body of the ticket's request, as the queue delivers it."""
        assert await self.service.send(ticket)
        return (await self.requests())[0].body


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    await desk.store.create(
        Conversation("s1", "user:ada", START, START + timedelta(hours=24), user_id="ada"),
        Message("greeting", "s1", "assistant", "Hello, how can I help?", START),
    )
    yield desk
    await desk.queue.close()
    await desk.store.close()


@pytest.fixture
async def asked(desk: Desk) -> Desk:
    """A conversation that went: a question on a refund, an answer with a source, the wish for a person."""
    source = Source(
        "c1", "Refunds take 5 days.", {"source": "refunds.md", "title": "Refunds", "page": 2}, 0.2, "5 days", 13, 19
    )
    attachment = Attachment("a1", "receipt.pdf", 100, markdown="Total 12")
    await desk.store.append(Message("m1", "s1", "user", "My refund?", START, attachments=(attachment,)))
    await desk.store.append(Message("a1", "s1", "assistant", "In 5 days.[1]", START, reply_to="m1", sources=(source,)))
    await desk.store.append(Message("m2", "s1", "user", "A person please", START), TICKET)
    await desk.store.remember(CustomerFact("f1", "user:ada", "speaks French", "m0", START))
    return desk


def data_of(message: QueueMessage) -> dict[str, Any]:
    return json.loads(message.body)["data"]


# ---- out of the chat


async def test_send_publishes_a_small_request_and_empties_the_outbox(asked: Desk):
    assert await asked.service.send(TICKET)
    (request,) = await asked.requests()
    assert (request.id, request.correlation_id) == ("tkt-1", "s1")
    assert json.loads(request.body) == {
        "version": 1,
        "ticket_id": "tkt-1",
        "session_id": "s1",
        "reason": "customer_request",
        "summary": "Wants a person",
    }
    assert (await asked.store.ticket("tkt-1", "s1")).sent_at == START


async def test_a_huge_summary_is_cut_in_the_request_alone(asked: Desk):
    ticket = replace(TICKET, id="tkt-2", summary="x" * 500_000)
    await asked.store.append(Message("m3", "s1", "user", "x", START), ticket, beside=TICKET.id)
    assert len(await asked.requested(ticket)) < 2000
    assert len((await asked.store.ticket("tkt-2", "s1")).summary) == 500_000


async def test_a_queue_that_is_down_keeps_the_ticket_for_the_relay(asked: Desk, monkeypatch: pytest.MonkeyPatch):
    async def down(queue: str, message: QueueMessage) -> None:
        raise Unavailable("no queue")

    with monkeypatch.context() as patch:
        patch.setattr(asked.queue, "send", down)
        assert not await asked.service.send(TICKET)
        asked.now += timedelta(seconds=31)
        assert await asked.service.relay() == 0
    assert [ticket.id for ticket in await asked.store.unsent_tickets(created_before=asked.now)] == ["tkt-1"]
    assert await asked.service.relay() == 1
    assert [request.id for request in await asked.requests()] == ["tkt-1"]
    assert await asked.service.relay() == 0


async def test_the_relay_leaves_a_young_ticket_to_its_turn(asked: Desk):
    asked.now += timedelta(seconds=30)
    assert await asked.service.relay() == 0
    asked.now += timedelta(seconds=1)
    assert await asked.service.relay() == 1


async def test_a_ticket_that_could_not_be_marked_is_sent_twice_and_arrives_once(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
):
    async def down(ticket: Ticket, at: datetime) -> None:
        raise Unavailable("no store")

    with monkeypatch.context() as patch:
        patch.setattr(asked.store, "mark_sent", down)
        assert not await asked.service.send(TICKET)
    asked.now += timedelta(seconds=31)
    assert await asked.service.relay() == 1
    assert len(await asked.requests()) == 1


# ---- to the helpdesk


async def test_a_routed_ticket_carries_all_a_person_needs(asked: Desk):
    body = await asked.requested()
    asked.now += timedelta(minutes=10)  # the time for an answer runs from the request, not from the routing
    ticket = await asked.service.route(body)
    (message,) = await asked.events()
    assert message.id == "tkt-1"
    assert message.content_type == "application/cloudevents+json"
    assert message.correlation_id == "s1"
    assert message.properties == {"team": "billing", "priority": "high", "category": "billing"}

    event = json.loads(message.body)
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": "tkt-1",
        "source": "/support-agent",
        "type": "support.ticket.requested.v1",
        "subject": "s1",
        "time": "2026-03-02T12:00:00Z",
        "datacontenttype": "application/json",
    }
    transcript = data.pop("transcript")
    assert data == {
        "ticket_id": "tkt-1",
        "session_id": "s1",
        "message_id": "m2",
        "reason": "customer_request",
        "summary": "Wants a person",
        "category": "billing",
        "priority": "high",
        "team": "billing",
        "created_at": "2026-03-02T12:00:00Z",
        "due_at": "2026-03-02T16:00:00Z",
        "customer": {"id": "user:ada", "user_id": "ada", "verified": True},
        "language": "en",
        "customer_facts": ["speaks French"],
        "sources_tried": [{"source": "refunds.md", "title": "Refunds", "url": None}],
        "attachments": [{"seq": 2, "name": "receipt.pdf", "size": 100, "problem": None}],
        "links": {"ticket": "/helpdesk/tickets/tkt-1", "transcript": "/helpdesk/tickets/tkt-1/transcript"},
        "transcript_truncated": False,
        "transcript_ref": None,
    }
    assert [(entry["seq"], entry["role"], entry["text"], entry["attachments"]) for entry in transcript] == [
        (1, "assistant", "Hello, how can I help?", []),
        (2, "user", "My refund?", ["receipt.pdf"]),
        (3, "assistant", "In 5 days.[1]", []),
        (4, "user", "A person please", []),
    ]

    stored = await asked.store.ticket("tkt-1", "s1")
    assert stored == ticket
    assert (stored.status, stored.team, stored.due_at) == ("open", "billing", START + timedelta(hours=4))


async def test_a_redelivered_request_changes_nothing(asked: Desk):
    body = await asked.requested()
    first = await asked.service.route(body)
    asked.now += timedelta(minutes=5)
    await asked.store.append(Message("m3", "s1", "user", "I was hacked, too", asked.now))
    assert await asked.service.route(body) == first
    assert len(await asked.events()) == 1


async def test_a_ticket_that_was_stored_but_not_published_is_published_the_next_time(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
):
    body = await asked.requested()

    async def down(queue: str, message: QueueMessage) -> None:
        raise Unavailable("no queue")

    with monkeypatch.context() as patch:
        patch.setattr(asked.queue, "send", down)
        with pytest.raises(Unavailable):
            await asked.service.route(body)
    asked.now += timedelta(minutes=5)
    ticket = await asked.service.route(body)
    assert ticket is not None
    assert ticket.due_at == START + timedelta(hours=4)
    assert [data_of(event)["due_at"] for event in await asked.events()] == ["2026-03-02T16:00:00Z"]


async def test_a_routed_ticket_is_out_of_the_outbox_even_if_its_sender_died(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
):
    async def died(ticket: Ticket, at: datetime) -> None:
        raise Unavailable("no store")

    with monkeypatch.context() as patch:
        patch.setattr(asked.store, "mark_sent", died)
        await asked.service.send(TICKET)
    asked.now += timedelta(seconds=31)
    await asked.service.route((await asked.requests())[0].body)
    assert await asked.service.relay() == 0
    assert (await asked.store.ticket("tkt-1", "s1")).sent_at == asked.now


async def test_the_newest_words_of_the_customer_decide(asked: Desk):
    await asked.store.append(Message("m3", "s1", "user", "And my parcel is lost", START))
    await asked.store.append(Message("a2", "s1", "assistant", "Was it stolen?", START))
    ticket = await asked.service.route(await asked.requested())
    assert ticket is not None
    assert ticket.category == "delivery"


async def test_the_summary_comes_before_what_was_written(asked: Desk):
    ticket = replace(TICKET, id="tkt-2", summary="Card was stolen")
    await asked.store.append(Message("m3", "s1", "user", "My parcel is lost", START), ticket, beside=TICKET.id)
    routed = await asked.service.route(await asked.requested(ticket))
    assert routed is not None
    assert (routed.category, routed.priority, routed.due_at) == ("security", "urgent", START + timedelta(minutes=30))


@pytest.mark.parametrize("routed", [False, True])
async def test_what_is_resolved_already_is_not_published_as_new(asked: Desk, routed: bool):
    body = await asked.requested()
    if routed:
        await asked.service.route(body)
        (told,) = await asked.queue.receive(ESCALATIONS, limit=9)
        await asked.queue.complete(told)
    await asked.store.change_ticket(
        TICKET, lambda state: replace(state, ticket=replace(state.ticket, status="resolved", resolved_at=asked.now))
    )
    asked.now += timedelta(hours=1)  # past the window in which the queue drops duplicates
    again = await asked.service.route(body)
    assert again is not None
    assert (again.status, again.category) == ("resolved", "billing")
    assert await asked.events() == []


async def test_an_erased_conversation_is_silently_done(asked: Desk, caplog: pytest.LogCaptureFixture):
    body = await asked.requested()
    await asked.store.erase("s1")
    with caplog.at_level(logging.INFO, "shared"):
        assert await asked.service.route(body) is None
    assert await asked.events() == []
    assert [record.message for record in caplog.records] == ["ticket_erased"]


async def test_erased_while_it_is_routed_publishes_nothing(asked: Desk, monkeypatch: pytest.MonkeyPatch):
    body, facts = await asked.requested(), asked.store.facts

    async def erased_meanwhile(customer_id: str) -> tuple[CustomerFact, ...]:
        await asked.store.erase("s1")
        return await facts(customer_id)

    monkeypatch.setattr(asked.store, "facts", erased_meanwhile)
    assert await asked.service.route(body) is None
    assert await asked.events() == []


async def test_a_ticket_that_is_not_there_yet_is_tried_again(asked: Desk):
    body = (await asked.requested()).replace(b"tkt-1", b"tkt-9")
    with pytest.raises(Unavailable):
        await asked.service.route(body)


async def test_an_expired_conversation_still_gets_its_ticket_to_a_person(asked: Desk):
    body = await asked.requested()
    asked.now += timedelta(hours=25)
    with pytest.raises(NotFound):
        await asked.store.get("s1")
    ticket = await asked.service.route(body)
    assert ticket is not None
    (event,) = await asked.events()
    data = data_of(event)
    assert [entry["text"] for entry in data["transcript"]][-1] == "A person please"
    assert data["customer"]["user_id"] == "ada"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"version": 7}'])
async def test_what_can_never_be_routed_is_invalid(desk: Desk, body: bytes):
    with pytest.raises(InvalidInput):
        await desk.service.route(body)


@pytest.mark.parametrize("text", ["ü\n\"'" * 1000, "\x01" * 4000])
async def test_a_long_transcript_goes_along_with_its_newest_and_is_kept_whole(asked: Desk, text: str):
    for n in range(60):
        await asked.store.append(Message(f"long-{n}", "s1", "user", f"{n} {text}", START))
    await asked.service.route(await asked.requested())
    (event,) = await asked.events()
    assert len(event.body) <= MAX_EVENT_BYTES + 1000 < MAX_MESSAGE_BYTES
    data = data_of(event)
    assert data["transcript_truncated"] is True
    assert [entry["seq"] for entry in data["transcript"]] == list(range(65 - len(data["transcript"]), 65))
    assert len(event.body) > MAX_EVENT_BYTES * 0.8  # no more is left out than must be

    assert data["transcript_ref"] == "s1/tkt-1.json"
    kept = json.loads(await asked.transcripts.read("s1", "tkt-1"))
    assert [entry["seq"] for entry in kept["messages"]] == list(range(1, 65))
    assert kept["messages"][-1] == data["transcript"][-1]
    assert (kept["ticket_id"], kept["truncated"]) == ("tkt-1", False)


async def test_the_whole_transcript_is_read_as_it_was_kept(asked: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shared.escalation.events.handoff.MAX_EVENT_BYTES", 1000)
    monkeypatch.setattr("shared.escalation.events.handoff.PAGE", 2)
    await asked.service.route(await asked.requested())
    await asked.store.append(Message("m3", "s1", "user", "Still there?", START))
    assert [message.seq for message in (await asked.service.transcript("tkt-1")).messages] == [1, 2, 3, 4]


async def test_the_whole_transcript_of_a_short_conversation_is_as_it_is_now(asked: Desk):
    await asked.service.route(await asked.requested())
    await asked.store.append(Message("m3", "s1", "user", "Still there?", START))
    transcript = await asked.service.transcript("tkt-1")
    assert (transcript.messages[-1].text, transcript.truncated) == ("Still there?", False)
    with pytest.raises(NotFound):
        await asked.service.transcript("tkt-9")


async def test_a_ticket_does_not_wait_for_its_transcript(asked: Desk, monkeypatch: pytest.MonkeyPatch):
    async def down(*_: object) -> str:
        raise Unavailable("no transcripts")

    monkeypatch.setattr("shared.escalation.events.handoff.MAX_EVENT_BYTES", 1000)
    monkeypatch.setattr(asked.transcripts, "write", down)
    assert await asked.service.route(await asked.requested())
    (event,) = await asked.events()
    assert (data_of(event)["transcript_truncated"], data_of(event)["transcript_ref"]) == (True, None)
    assert len((await asked.service.transcript("tkt-1")).messages) == 4


async def test_a_conversation_longer_than_can_be_read_is_cut_to_its_newest(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shared.escalation.events.handoff.MAX_MESSAGES", 2)
    await asked.service.route(await asked.requested())
    (event,) = await asked.events()
    data = data_of(event)
    assert [entry["seq"] for entry in data["transcript"]] == [3, 4]
    assert data["transcript_truncated"] is True
    assert (await asked.service.transcript("tkt-1")).truncated is True


@pytest.mark.parametrize("page", [1, 2, 4, 5])
async def test_a_conversation_that_is_read_in_pages_is_handed_over_whole(
    asked: Desk, monkeypatch: pytest.MonkeyPatch, page: int
):
    monkeypatch.setattr("shared.escalation.events.handoff.PAGE", page)
    await asked.service.route(await asked.requested())
    (event,) = await asked.events()
    assert data_of(event)["transcript_truncated"] is False
    assert [entry["seq"] for entry in data_of(event)["transcript"]] == [1, 2, 3, 4]
    assert [source["source"] for source in data_of(event)["sources_tried"]] == ["refunds.md"]


async def test_only_the_newest_facts_and_sources_go_along(asked: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shared.escalation.events.handoff.MAX_FACTS", 1)
    monkeypatch.setattr("shared.escalation.events.handoff.MAX_SOURCES", 1)
    later = START + timedelta(minutes=1)
    await asked.store.remember(CustomerFact("f2", "user:ada", "moved to Rome", "m2", later))
    cited = tuple(Source(f"c{n}", "text", {"source": "new.md"}, 0.1, "text", 0, 4) for n in range(2))
    await asked.store.append(Message("a2", "s1", "assistant", "New.[1][2]", later, sources=cited))
    await asked.service.route(await asked.requested())
    (event,) = await asked.events()
    assert data_of(event)["customer_facts"] == ["moved to Rome"]
    assert data_of(event)["sources_tried"] == [{"source": "new.md", "title": None, "url": None}]


async def test_a_customer_is_told_from_one_who_only_says_so(desk: Desk):
    await desk.store.create(
        Conversation("s2", "session:s2", START, START + timedelta(hours=24), user_id="ada"),
        Message("greeting", "s2", "assistant", "Hello", START),
    )
    ticket = replace(TICKET, session_id="s2")
    await desk.store.append(Message("m1", "s2", "user", "A person please", START), ticket)
    await desk.service.route(await desk.requested(ticket))
    (event,) = await desk.events()
    assert data_of(event)["customer"] == {"id": "session:s2", "user_id": "ada", "verified": False}


async def test_files_come_with_their_problems_and_without_their_content(asked: Desk, monkeypatch: pytest.MonkeyPatch):
    broken = Attachment("a2", "scan.pdf", 200, problem="It has no text.")
    await asked.store.append(Message("m3", "s1", "user", "See the scan", START, attachments=(broken,)))
    await asked.service.route(await asked.requested())
    (event,) = await asked.events()
    assert data_of(event)["attachments"] == [
        {"seq": 2, "name": "receipt.pdf", "size": 100, "problem": None},
        {"seq": 5, "name": "scan.pdf", "size": 200, "problem": "It has no text."},
    ]
    assert b"Total 12" not in event.body


async def test_links_are_absolute_where_the_address_is_known(asked: Desk):
    service = asked.new_service(public_url="https://help.example.com/")
    await service.route(await asked.requested())
    (event,) = await asked.events()
    assert data_of(event)["links"] == {
        "ticket": "https://help.example.com/helpdesk/tickets/tkt-1",
        "transcript": "https://help.example.com/helpdesk/tickets/tkt-1/transcript",
    }


async def test_the_language_is_that_of_the_customer_and_not_of_the_bot(asked: Desk):
    text = "Wo ist mein Paket? Ich habe es noch nicht bekommen."
    await asked.store.append(Message("m3", "s1", "user", text, START))
    await asked.store.append(Message("a2", "s1", "assistant", "It is where it was. This is what we know of it.", START))
    await asked.service.route(await asked.requested())
    (event,) = await asked.events()
    assert data_of(event)["language"] == "de"


async def test_no_customer_text_is_logged(asked: Desk, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "shared"):
        await asked.service.route(await asked.requested())
    assert caplog.records
    for record in caplog.records:
        assert not any(secret in str(vars(record)) for secret in ("refund", "French", "Wants"))


# ---- to the webhook


async def test_what_helpdesks_are_told_is_sent_to_the_webhook_too(asked: Desk):
    service = asked.new_service(webhook=True)
    await service.route(await asked.requested())
    await service.publish(OutboxEvent("evt-1", "customer.message", "s1", "tkt-1", START, seq=2))
    await service.publish(OutboxEvent("evt-2", "ticket.returned", "s1", "tkt-1", START))
    told = await asked.events()
    assert [message.id for message in told] == ["tkt-1", "evt-1", "evt-2"]
    assert await asked.events(WEBHOOKS) == told


async def test_without_a_webhook_nothing_waits_for_one(asked: Desk):
    await asked.service.route(await asked.requested())
    assert await asked.events(WEBHOOKS) == []


async def test_an_event_that_only_one_queue_took_is_sent_to_the_other_the_next_time(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
):
    service, send, body = asked.new_service(webhook=True), asked.queue.send, await asked.requested()

    async def half(queue: str, message: QueueMessage) -> None:
        if queue == WEBHOOKS:
            raise Unavailable("no queue")
        await send(queue, message)

    with monkeypatch.context() as patch:
        patch.setattr(asked.queue, "send", half)
        with pytest.raises(Unavailable):
            await service.route(body)
    await service.route(body)
    assert [len(await asked.events()), len(await asked.events(WEBHOOKS))] == [1, 1]


# ---- whatever comes twice, late or in another order


@pytest.mark.parametrize("seed", range(5))
async def test_every_message_five_times_in_any_order_with_an_erasure_in_between(asked: Desk, seed: int):
    """Two conversations, three tickets, two later events; one of the conversations is erased half way."""
    service, shuffled = asked.new_service(webhook=True), random.Random(seed)
    await asked.store.create(
        Conversation("s2", "session:s2", START, START + timedelta(hours=24)),
        Message("greeting", "s2", "assistant", "Hello, how can I help?", START),
    )
    second = replace(TICKET, id="tkt-2", summary="My card was stolen")
    other = replace(TICKET, id="tkt-3", session_id="s2", message_id="m1", user_id=None)
    message = Message("m3", "s1", "user", "Ach, und wo ist denn mein Paket?", START)
    await asked.store.append(message, second, beside=TICKET.id)
    await asked.store.append(Message("m1", "s2", "user", "A person please", START), other)
    outbox = [
        OutboxEvent("evt-1", "customer.message", "s1", "tkt-1", START, seq=2),
        OutboxEvent("evt-2", "ticket.returned", "s2", "tkt-3", START),
    ]
    for ticket in (TICKET, second, other):
        await service.send(ticket)
    steps: list[Any] = [request.body for request in await asked.requests()] * 5 + outbox * 5
    shuffled.shuffle(steps)

    decided: dict[str, Ticket] = {}
    for number, step in enumerate(steps):
        if number == len(steps) // 2:
            await asked.store.erase("s2")
        asked.now += timedelta(seconds=1)
        if isinstance(step, OutboxEvent):
            assert await service.publish(step)
        elif ticket := await service.route(step):
            assert decided.setdefault(ticket.id, ticket) == ticket, "what was decided first stays"
        else:
            assert b'"tkt-3"' in step, "nothing else was erased"

    told = await asked.events()
    assert max(Counter(message.id for message in told).values()) == 1
    assert {"tkt-1", "tkt-2", "evt-1"} <= {message.id for message in told}
    assert sorted(message.id for message in await asked.events(WEBHOOKS)) == sorted(message.id for message in told)
    assert (decided["tkt-1"].category, decided["tkt-2"].category) == ("billing", "security")
    assert await service.relay() == 0
