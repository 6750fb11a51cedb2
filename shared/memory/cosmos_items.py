"""What lies in the containers: one item for each value, with the value itself under `document`.

Beside the document an item has its `type`, what queries need and the document does not have, and its life:
`kept_until`, from which `ttl` (seconds from the item's last write) is worked out anew with every write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from shared.clock import iso
from shared.codec import as_document
from shared.cosmos import Item, item_id, value
from shared.escalation.outbox import OutboxEvent
from shared.escalation.ticket import Ticket
from shared.memory.cosmos_schema import NEVER
from shared.memory.models import Conversation, CustomerFact, Message, Operator

CONVERSATION = "conversation"
"""Id and type of the item that every change of a conversation goes through."""
WRITES_KEPT = 8
"""Newest writes that a conversation knows. A client learns within seconds whether its own happened."""
ROUTED_LATE = timedelta(days=1)
"""How long a ticket is still kept that was routed after its conversation was gone."""

_MOST_SECONDS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Head:
    """A conversation as its item has it. `last_lease` is the newest lease ever taken; `writes` are the tokens of the
    newest batches, by which their writers know them again."""

    conversation: Conversation
    etag: str | None = None
    last_lease: str | None = None
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lives:
    """How long the items of one conversation are kept."""

    until: datetime
    now: datetime

    def fields(self) -> Mapping[str, Any]:
        return {"kept_until": iso(self.until), "ttl": seconds(self.until - self.now)}


def seconds(time: timedelta) -> int:
    """A `ttl`: at least 1."""
    return min(_MOST_SECONDS, max(1, ceil(time.total_seconds())))


# ---- the partition of a conversation
def head_item(head: Head, lives: Lives) -> Item:
    return {
        "id": CONVERSATION,
        "session_id": head.conversation.session_id,
        "type": CONVERSATION,
        "last_lease": head.last_lease,
        "writes": head.writes[-WRITES_KEPT:],
        "document": as_document(head.conversation),
        **lives.fields(),
    }


def head_of(item: Mapping[str, Any]) -> Head:
    return Head(value(Conversation, item), item["_etag"], item["last_lease"], tuple(item["writes"]))


def message_item(message: Message, lives: Lives) -> Item:
    return {
        "id": item_id("message", message.id),
        "session_id": message.session_id,
        "type": "message",
        "seq": message.seq,
        "answer_to": message.reply_to if message.role == "assistant" else None,
        "document": as_document(message),
        **lives.fields(),
    }


def ticket_item(ticket: Ticket, lives: Lives) -> Item:
    """A ticket that waits to be routed is a promise to the customer: it stays until then."""
    item = {
        "id": item_id("ticket", ticket.id),
        "session_id": ticket.session_id,
        "type": "ticket",
        "document": as_document(ticket),
        **lives.fields(),
    }
    return item | ({"ttl": NEVER} if ticket.status == "requested" else {})


def event_item(event: OutboxEvent, lives: Lives) -> Item:
    return {
        "id": item_id("event", event.id),
        "session_id": event.session_id,
        "type": "event",
        "document": as_document(event),
        **lives.fields(),
    }


def waiting_fact_item(session_id: str, fact: CustomerFact, lives: Lives) -> Item:
    """A fact on its way to its customer's partition."""
    return {
        "id": item_id("fact", f"{fact.customer_id}/{fact.id}"),
        "session_id": session_id,
        "type": "fact",
        "stored_at": iso(lives.now),
        "document": as_document(fact),
        **lives.fields(),
    }


def changed_item(item: Item, now: datetime, of: object) -> Item:
    """The same item with another document; it lives as long as it would have."""
    until = datetime.fromisoformat(item["kept_until"])
    if isinstance(of, Ticket):
        if of.status == "requested":
            return item | {"document": as_document(of)}
        until = max(until, now + ROUTED_LATE)
    return item | {"document": as_document(of), **Lives(until, now).fields()}


# ---- other partitions
def fact_item(fact: CustomerFact, now: datetime) -> Item:
    return {
        "id": item_id("fact", fact.id),
        "customer_id": fact.customer_id,
        "type": "fact",
        "document": as_document(fact),
        "ttl": seconds(fact.expires_at - now) if fact.expires_at else NEVER,
    }


def operator_item(operator: Operator) -> Item:
    return {"id": item_id("operator", operator.username), "document": as_document(operator)}
