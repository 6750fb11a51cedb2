"""A stored ticket's way to the helpdesk: out of the chat, enriched, and published."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from shared.errors import NotFound, Unavailable
from shared.escalation.event import (
    CONTENT_TYPE,
    Customer,
    CustomerMessage,
    Event,
    EventType,
    HandOff,
    TicketRequest,
    TicketReturned,
    TranscriptMessage,
    TriedSource,
    parse_request,
)
from shared.escalation.outbox import OutboxEvent
from shared.escalation.queue import ESCALATIONS, REQUESTS, QueueMessage, TicketQueue
from shared.escalation.routing import Routing
from shared.escalation.ticket import Ticket
from shared.memory.models import Conversation, CustomerFact, Message
from shared.memory.store import ConversationStore
from shared.telemetry import ticket_events, ticket_sends, tickets_routed

_log = logging.getLogger(__name__)

RELAY_AFTER = timedelta(seconds=30)
"""A ticket younger than this is still being sent by the turn that made it."""
MAX_EVENT_BYTES = 200_000
"""Of the event's body; below the 256 KB of a Service Bus message with room for its properties."""
MAX_SUMMARY = 1000
"""Characters of the summary in a request, so that a request always fits; the stored ticket has the whole."""
MAX_MESSAGES = 1000
MAX_SOURCES = 50
MAX_FACTS = 50


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Context:
    """What is known of a ticket's conversation; nothing when it has expired."""

    conversation: Conversation | None = None
    messages: tuple[Message, ...] = ()
    facts: tuple[CustomerFact, ...] = ()


class EscalationService:
    def __init__(
        self, store: ConversationStore, queue: TicketQueue, *, routing: Routing, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._store = store
        self._queue = queue
        self._routing = routing
        self._now = now

    async def send(self, ticket: Ticket) -> bool:
        """Ask for a stored ticket to be routed. False if store or queue did not answer: `relay` sends it again."""
        request = TicketRequest(
            ticket_id=ticket.id,
            session_id=ticket.session_id,
            reason=ticket.reason,
            summary=ticket.summary[:MAX_SUMMARY],
        )
        message = QueueMessage(
            id=ticket.id, body=request.model_dump_json().encode(), subject="ticket", correlation_id=ticket.session_id
        )
        try:
            await self._queue.send(REQUESTS, message)
            await self._store.mark_sent(ticket, self._now())
        except Unavailable:
            _log.warning("ticket_not_sent", extra={"ticket_id": ticket.id})
            ticket_sends.add(1, {"outcome": "failed"})
            return False
        ticket_sends.add(1, {"outcome": "sent"})
        return True

    async def relay(self) -> int:
        """Send what waits in the outbox, oldest first; stops at the first failure. Returns the number sent."""
        sent, before = 0, self._now() - RELAY_AFTER
        for ticket in await self._store.unsent_tickets(created_before=before):
            if not await self.send(ticket):
                return sent
            sent += 1
        for event in await self._store.unsent_events(created_before=before):
            if not await self.publish(event):
                return sent
            sent += 1
        return sent

    async def publish(self, event: OutboxEvent) -> bool:
        """Tell helpdesks of an event in the outbox. False if store or queue did not answer: `relay` tries again."""
        try:
            if message := await self._event(event):
                await self._queue.send(ESCALATIONS, message)
            await self._store.mark_event_sent(event, self._now())
        except Unavailable:
            _log.warning("event_not_sent", extra={"event_id": event.id})
            ticket_events.add(1, {"kind": event.kind, "outcome": "failed"})
            return False
        ticket_events.add(1, {"kind": event.kind, "outcome": "sent"})
        return True

    async def _event(self, event: OutboxEvent) -> QueueMessage | None:
        """None when what it is about was erased."""
        try:
            ticket = await self._store.ticket(event.ticket_id, event.session_id)
            if event.kind == "ticket.returned":
                data = TicketReturned(ticket_id=ticket.id, session_id=ticket.session_id, returned_at=event.created_at)
                return _message(event.id, "support.ticket.returned.v1", event.created_at, ticket, data)
            [message] = await self._store.messages(event.session_id, after=(event.seq or 0) - 1, limit=1, expired=True)
        except NotFound:
            return None
        data = CustomerMessage(
            ticket_id=ticket.id, session_id=ticket.session_id, assignee=ticket.assignee, message=_in_transcript(message)
        )
        return _message(event.id, "support.customer.message.v1", event.created_at, ticket, data)

    async def route(self, body: bytes) -> Ticket | None:
        """Decide category, priority, team and due time of a requested ticket, and publish it to helpdesks.

        Returns the routed ticket; None when its conversation was erased meanwhile. The same request may come again:
        the ticket keeps what was decided first, and the queue drops the second event.
        Raises `InvalidInput` for what is no request, `Unavailable` for what should be delivered once more.
        """
        request = parse_request(body)
        ticket = await self._load(request)
        if ticket is None:
            return _nothing_to_route(request)
        context = await self._context(ticket)
        if ticket.category is None:
            try:
                ticket = await self._store.save_route(self._decide(ticket, context.messages))
            except NotFound:
                return _nothing_to_route(request)
        hand_off = _hand_off(ticket, context)
        await self._queue.send(
            ESCALATIONS, _message(ticket.id, "support.ticket.requested.v1", ticket.created_at, ticket, hand_off)
        )
        tickets_routed.add(1, {"team": str(ticket.team)})
        _log.info(
            "ticket_routed",
            extra={
                "ticket_id": ticket.id,
                "team": ticket.team,
                "category": ticket.category,
                "priority": ticket.priority,
            },
        )
        return ticket

    async def _load(self, request: TicketRequest) -> Ticket | None:
        try:
            return await self._store.ticket(request.ticket_id, request.session_id)
        except NotFound:
            pass
        try:
            await self._store.get(request.session_id, expired=True)
        except NotFound:
            return None
        # A replica that lags behind has the conversation and not yet its ticket, which must not be lost.
        raise Unavailable(f"Ticket {request.ticket_id} is not there yet, its conversation is.", retry_after=5)

    async def _context(self, ticket: Ticket) -> _Context:
        try:
            conversation = await self._store.get(ticket.session_id, expired=True)
            messages = await self._store.messages(
                ticket.session_id,
                after=max(0, conversation.last_seq - MAX_MESSAGES),
                limit=MAX_MESSAGES,
                expired=True,
            )
        except NotFound:
            return _Context()
        return _Context(conversation, messages, await self._store.facts(conversation.customer_id))

    def _decide(self, ticket: Ticket, messages: Sequence[Message]) -> Ticket:
        said = (message.text for message in reversed(messages) if message.role == "user")
        route = self._routing.decide([ticket.summary, *said])
        return replace(
            ticket,
            sent_at=ticket.sent_at or self._now(),
            category=route.category,
            priority=route.priority,
            team=route.team,
            due_at=ticket.created_at + route.sla,
        )


def _nothing_to_route(request: TicketRequest) -> None:
    _log.info("ticket_erased", extra={"ticket_id": request.ticket_id})


def _hand_off(ticket: Ticket, context: _Context) -> HandOff:
    """As much of the newest transcript as fits beside the rest."""
    conversation, messages = context.conversation, context.messages
    hand_off = HandOff.model_validate(
        {
            "ticket_id": ticket.id,
            "session_id": ticket.session_id,
            "message_id": ticket.message_id,
            "reason": ticket.reason,
            "summary": ticket.summary,
            "category": ticket.category,
            "priority": ticket.priority,
            "team": ticket.team,
            "created_at": ticket.created_at,
            "due_at": ticket.due_at,
            "customer": Customer(
                id=conversation.customer_id if conversation else ticket.session_id, user_id=ticket.user_id
            ),
            "customer_facts": tuple(fact.text for fact in context.facts[-MAX_FACTS:]),
            "sources_tried": _sources_tried(messages),
            "transcript": (),
            "transcript_truncated": True,
        }
    )
    room = MAX_EVENT_BYTES - _bytes(hand_off)
    transcript: list[TranscriptMessage] = []
    for message in reversed(messages):
        entry = _in_transcript(message)
        room -= _bytes(entry) + 1
        if room < 0:
            break
        transcript.insert(0, entry)
    whole = bool(transcript) and transcript[0].seq == 1
    return hand_off.model_copy(update={"transcript": tuple(transcript), "transcript_truncated": not whole})


def _sources_tried(messages: Sequence[Message]) -> tuple[TriedSource, ...]:
    tried: dict[TriedSource, None] = {}
    for message in reversed(messages):
        for source in message.sources:
            about = source.metadata
            title, url = about.get("title"), about.get("url")
            tried[
                TriedSource(
                    source=str(about.get("source", source.id)),
                    title=None if title is None else str(title),
                    url=None if url is None else str(url),
                )
            ] = None
    return tuple(tried)[:MAX_SOURCES]


def _in_transcript(message: Message) -> TranscriptMessage:
    return TranscriptMessage(
        seq=message.seq,
        role=message.role,
        text=message.text,
        time=message.created_at,
        attachments=tuple(attachment.name for attachment in message.attachments),
    )


def _message(
    identifier: str, kind: EventType, time: datetime, ticket: Ticket, data: HandOff | CustomerMessage | TicketReturned
) -> QueueMessage:
    """A ticket's own event has the ticket's id. Its properties let a consumer choose without reading the body."""
    event = Event(id=identifier, type=kind, subject=ticket.session_id, time=time, data=data)
    routed = {"team": ticket.team, "priority": ticket.priority, "category": ticket.category}
    return QueueMessage(
        id=identifier,
        body=event.model_dump_json().encode(),
        content_type=CONTENT_TYPE,
        subject=kind,
        correlation_id=ticket.session_id,
        properties={name: value for name, value in routed.items() if value is not None},
    )


def _bytes(model: HandOff | TranscriptMessage) -> int:
    return len(model.model_dump_json().encode())
