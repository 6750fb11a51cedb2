"""A stored ticket's way to the helpdesk: out of the chat, enriched, and published."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from shared.clock import utc_now
from shared.errors import NotFound, Unavailable
from shared.escalation.events import handoff
from shared.escalation.events.event import (
    CONTENT_TYPE,
    CustomerMessage,
    CustomerMessageEvent,
    Event,
    HandOff,
    TicketRequest,
    TicketRequestedEvent,
    TicketReturned,
    TicketReturnedEvent,
    Transcript,
    parse_request,
)
from shared.escalation.events.handoff import MAX_SUMMARY, Story, hand_off, read_story
from shared.escalation.outbox import OutboxEvent
from shared.escalation.queue import ESCALATIONS, REQUESTS, WEBHOOKS, QueueMessage, TicketQueue
from shared.escalation.routing import Routing
from shared.escalation.ticket import Ticket
from shared.escalation.transcripts import TranscriptStore
from shared.memory.store import ConversationStore
from shared.push.events import change_frame
from shared.push.service import PushService
from shared.telemetry import SpanKind, carried, span, ticket_events, ticket_sends, tickets_routed, transcripts_stored

logger = logging.getLogger(__name__)

RELAY_AFTER = timedelta(seconds=30)
"""A ticket younger than this is still being sent by the turn that made it."""
MAX_SAID = 20_000
"""Characters of a customer's message in its event, so that it always fits the queue; the API has the whole."""


class EscalationService:
    """`public_url` makes links absolute. With `webhook`, each event also goes to the queue of webhook deliveries."""

    def __init__(
        self,
        store: ConversationStore,
        queue: TicketQueue,
        *,
        routing: Routing,
        transcripts: TranscriptStore,
        push: PushService,
        public_url: str | None = None,
        webhook: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._queue = queue
        self._routing = routing
        self._transcripts = transcripts
        self._push = push
        self._public_url = public_url
        self._audience = (ESCALATIONS, WEBHOOKS) if webhook else (ESCALATIONS,)
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
            await self._put(REQUESTS, message)
            await self._store.mark_sent(ticket, self._now())
        except Unavailable:
            logger.warning("ticket_not_sent", extra={"ticket_id": ticket.id})
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
            await self._tell(event)
            await self._store.mark_event_sent(event, self._now())
        except Unavailable:
            logger.warning("event_not_sent", extra={"event_id": event.id})
            ticket_events.add(1, {"kind": event.kind, "outcome": "failed"})
            return False
        ticket_events.add(1, {"kind": event.kind, "outcome": "sent"})
        return True

    async def _tell(self, event: OutboxEvent) -> None:
        """Nothing when what it is about was erased."""
        try:
            ticket = await self._store.ticket(event.ticket_id, event.session_id)
            await self._announce(ticket, await self._event(event, ticket))
        except NotFound:
            pass

    async def _event(self, event: OutboxEvent, ticket: Ticket) -> Event:
        if event.kind == "ticket.returned":
            returned = TicketReturned(ticket_id=ticket.id, session_id=ticket.session_id, returned_at=event.created_at)
            return TicketReturnedEvent(id=event.id, subject=event.session_id, time=event.created_at, data=returned)
        [message] = await self._store.messages(event.session_id, after=(event.seq or 0) - 1, limit=1, expired=True)
        said = CustomerMessage(
            ticket_id=ticket.id,
            session_id=ticket.session_id,
            assignee=ticket.assignee,
            message=handoff.in_transcript(replace(message, text=message.text[:MAX_SAID])),
        )
        return CustomerMessageEvent(id=event.id, subject=event.session_id, time=event.created_at, data=said)

    async def route(self, body: bytes) -> Ticket | None:
        """Decide category, priority, team and due time of a requested ticket, and publish it to helpdesks.

        Returns the routed ticket; None when its conversation was erased meanwhile. The same request may come again:
        the ticket keeps what was decided first, and the queue drops the second event. A ticket that is resolved by then
        is no news to anybody: it gets its category and is not published.
        Raises `InvalidInput` for what is no request, `Unavailable` for what should be delivered once more.
        """
        request = parse_request(body)
        ticket = await self._load(request)
        if ticket is None:
            return _nothing_to_route(request)
        story = await read_story(self._store, ticket)
        if ticket.category is None:
            try:
                ticket = await self._store.save_route(self._decide(ticket, story))
            except NotFound:
                return _nothing_to_route(request)
            self._push.tell(ticket.session_id, change_frame(ticket=ticket))
        if ticket.status == "resolved":
            logger.info("ticket_resolved_before_routing", extra={"ticket_id": ticket.id})
            return ticket
        event = TicketRequestedEvent(
            id=ticket.id, subject=ticket.session_id, time=ticket.created_at, data=await self._hand_off(ticket, story)
        )
        await self._announce(ticket, event)
        tickets_routed.add(1, {"team": str(ticket.team)})
        logger.info(
            "ticket_routed",
            extra={
                "ticket_id": ticket.id,
                "team": ticket.team,
                "category": ticket.category,
                "priority": ticket.priority,
            },
        )
        return ticket

    async def transcript(self, ticket_id: str) -> Transcript:
        """The whole transcript of a ticket: as it was kept when it was handed over, if it was too long for the event;
        else as it is now. Raises `NotFound`, `Unavailable`."""
        ticket = await self._store.ticket(ticket_id)
        try:
            kept = await self._transcripts.read(ticket.session_id, ticket.id)
        except NotFound:
            return handoff.transcript(ticket, await read_story(self._store, ticket))
        return Transcript.model_validate_json(kept)

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

    def expectation(self, ticket: Ticket, said: Iterable[str]) -> str:
        """What the customer is told about when an answer comes. `said` is what they wrote, newest first."""
        return self._routing.decide([ticket.summary, *said], ticket.reason).expectation(ticket.created_at)

    def _decide(self, ticket: Ticket, story: Story) -> Ticket:
        route = self._routing.decide([ticket.summary, *story.said()], ticket.reason)
        return replace(
            ticket,
            sent_at=ticket.sent_at or self._now(),
            category=route.category,
            priority=route.priority,
            team=route.team,
            due_at=route.due(ticket.created_at),
        )

    async def _hand_off(self, ticket: Ticket, story: Story) -> HandOff:
        """A transcript that does not fit into the event is kept beside it."""
        packet = hand_off(ticket, story, public_url=self._public_url)
        if not packet.transcript_truncated or not story.messages:
            return packet
        document = handoff.transcript(ticket, story).model_dump_json().encode()
        try:
            ref = await self._transcripts.write(ticket.session_id, ticket.id, document)
        except Unavailable:
            # The customer waits for a person, not for the older part of a transcript that the API can still read.
            logger.warning("transcript_not_stored", extra={"ticket_id": ticket.id})
            transcripts_stored.add(1, {"outcome": "failed"})
            return packet
        transcripts_stored.add(1, {"outcome": "stored"})
        return packet.model_copy(update={"transcript_ref": ref})

    async def _announce(self, ticket: Ticket, event: Event) -> None:
        """A ticket's own event has the ticket's id. Its properties let a consumer choose without reading the body."""
        routed = {"team": ticket.team, "priority": ticket.priority, "category": ticket.category}
        message = QueueMessage(
            id=event.id,
            body=event.model_dump_json().encode(),
            content_type=CONTENT_TYPE,
            subject=event.type,
            correlation_id=ticket.session_id,
            properties={name: value for name, value in routed.items() if value is not None},
        )
        for queue in self._audience:
            await self._put(queue, message)

    async def _put(self, queue: str, message: QueueMessage) -> None:
        """With the trace in hand, which whoever takes the message goes on with."""
        about = {"messaging.system": "servicebus", "messaging.destination.name": queue}
        with span(f"send {queue}", kind=SpanKind.PRODUCER, attributes=about):
            await self._queue.send(queue, replace(message, properties={**message.properties, **carried()}))


def _nothing_to_route(request: TicketRequest) -> None:
    logger.info("ticket_erased", extra={"ticket_id": request.ticket_id})
