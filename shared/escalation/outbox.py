"""What helpdesks must learn about a ticket they have: stored with what it is about, kept until the queue has it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.memory.models import Conversation, Message

EventKind = Literal["customer.message", "ticket.returned"]


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """`customer.message`: the customer wrote message `seq` while a person owns the conversation. `ticket.returned`: the
    person has fallen silent, and the ticket waits for another one. `sent_at` is None until the queue has it.
    """

    id: str
    kind: EventKind
    session_id: str
    ticket_id: str
    created_at: datetime
    seq: int | None = None
    sent_at: datetime | None = None


def event_id(kind: EventKind, session_id: str, cause: str) -> str:
    """The same cause always makes the same event. 36 characters: Service Bus allows 128 for a message's id."""
    return "evt-" + hashlib.sha256(f"{kind}/{session_id}/{cause}".encode()).hexdigest()[:32]


def customer_message(conversation: Conversation, message: Message) -> OutboxEvent | None:
    """The event of a customer's message while a person owns the conversation; None otherwise."""
    if message.role != "user" or conversation.owner != "human" or conversation.ticket_id is None:
        return None
    return OutboxEvent(
        id=event_id("customer.message", message.session_id, message.id),
        kind="customer.message",
        session_id=message.session_id,
        ticket_id=conversation.ticket_id,
        created_at=message.created_at,
        seq=message.seq,
    )
