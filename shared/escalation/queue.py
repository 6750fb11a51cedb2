"""The port to the ticket queues, with the semantics of a Service Bus queue. Adapters: `sqlite.py` (a laptop),
`servicebus.py` (Azure).

At-least-once with peek-lock: a received message stays hidden until it is completed, abandoned, dead-lettered or its
lock runs out; the last makes it visible again with a higher delivery count. A second `send` of the same `id` within
the duplicate-detection window is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

MAX_MESSAGE_BYTES = 256 * 1024
"""A whole message, properties included, on Service Bus Standard; the same for every adapter, so that nothing fails only
in Azure. https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas"""
REQUESTS = "escalation-requests"
"""Tickets as the chat made them; consumed by `functions/escalation_queue`."""
ESCALATIONS = "escalations"
"""Routed tickets, ready to work; consumed by helpdesk tools."""
WEBHOOKS = "webhook-deliveries"
"""The same events again, where a webhook is set; consumed by `functions/escalation_queue`, which posts them."""
QUEUES = (REQUESTS, ESCALATIONS, WEBHOOKS)


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """`id` deduplicates; `body` is UTF-8 JSON; `properties` are application properties a consumer can filter by."""

    id: str
    body: bytes
    content_type: str = "application/json"
    subject: str | None = None
    correlation_id: str | None = None
    properties: Mapping[str, str | int | float | bool] = field(default_factory=dict[str, str | int | float | bool])


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """`delivery_count` is 1 on the first delivery."""

    message: QueueMessage
    queue: str
    lock_token: str
    delivery_count: int
    sequence_number: int
    enqueued_at: datetime
    locked_until: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was set aside: `reason` is one word for programs, `description` is for people.

    `sequence_number` tells it from all others of its queue.
    """

    message: QueueMessage
    queue: str
    sequence_number: int
    delivery_count: int
    enqueued_at: datetime
    reason: str
    description: str


class TicketQueue(Protocol):
    async def send(self, queue: str, message: QueueMessage) -> None:
        """Raises `Unavailable` if the queue did not acknowledge; a resend with the same id is then safe."""
        ...

    async def receive(self, queue: str, *, limit: int = 1) -> Sequence[ReceivedMessage]:
        """Lock up to `limit` visible messages, oldest first; empty when there are none. Does not wait.

        A message that was delivered as often as the queue allows, and never completed, becomes a dead letter instead
        (reason `MaxDeliveryCountExceeded`).
        """
        ...

    async def complete(self, received: ReceivedMessage) -> None:
        """Settle: the message is gone. Raises `Conflict` if the lock was lost."""
        ...

    async def abandon(self, received: ReceivedMessage, *, problem: str = "") -> None:
        """Give it back at once, for another delivery. Raises `Conflict` if the lock was lost.

        A queue that can keeps the `problem`, and names the last one in the description of a dead letter.
        """
        ...

    async def dead_letter(self, received: ReceivedMessage, *, reason: str, description: str = "") -> None:
        """Set it aside for a person to look at. Raises `Conflict` if the lock was lost."""
        ...

    # ---- dead letters

    async def dead_letters(self, queue: str, *, after: int = 0, limit: int = 100) -> Sequence[DeadLetter]:
        """Look at them without taking any, oldest first; `after` is the last sequence number of the page before."""
        ...

    async def count_dead_letters(self, queue: str) -> int:
        """Cheap enough to be asked every minute."""
        ...

    async def replay(self, letter: DeadLetter) -> None:
        """Back into its queue, to be delivered as if for the first time, also while its id would be a duplicate.

        A queue that drops what has an id it knows sends it under one that begins with the old one: consumers tell
        events apart by the id in the body. Raises `NotFound` if it is no dead letter any more.
        """
        ...

    async def discard(self, letter: DeadLetter) -> None:
        """Remove it for good. Raises `NotFound` if it is no dead letter any more."""
        ...

    # ---- life cycle

    async def ping(self) -> None:
        """Cheap check that the queue answers. Raises `Unavailable`."""
        ...

    async def close(self) -> None: ...
