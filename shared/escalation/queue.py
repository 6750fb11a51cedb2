"""The port to the ticket queues, with the semantics of a Service Bus queue. Adapters: `sqlite.py` (a laptop).

At-least-once with peek-lock: a received message stays hidden until it is completed, abandoned, dead-lettered or its
lock runs out; the last makes it visible again with a higher delivery count. A second `send` of the same `id` within
the duplicate-detection window is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

REQUESTS = "escalation-requests"
"""Tickets as the chat made them; consumed by `functions/escalation_queue`."""
ESCALATIONS = "escalations"
"""Routed tickets, ready to work; consumed by helpdesk tools."""


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
    """`delivery_count` is 1 on the first delivery. `dead_letter_reason` is set on messages of a dead-letter queue."""

    message: QueueMessage
    queue: str
    lock_token: str
    delivery_count: int
    sequence_number: int
    enqueued_at: datetime
    locked_until: datetime
    dead_letter_reason: str | None = None
    dead_letter_description: str | None = None


class TicketQueue(Protocol):
    async def send(self, queue: str, message: QueueMessage) -> None:
        """Raises `Unavailable` if the queue did not acknowledge; a resend with the same id is then safe."""
        ...

    async def receive(self, queue: str, *, limit: int = 1, dead_letter: bool = False) -> Sequence[ReceivedMessage]:
        """Lock up to `limit` visible messages, oldest first; empty when there are none. Does not wait.

        A message delivered more often than the queue's max delivery count is moved to the dead-letter queue instead
        (reason `MaxDeliveryCountExceeded`).
        """
        ...

    async def complete(self, received: ReceivedMessage) -> None:
        """Settle: the message is gone. Raises `Conflict` if the lock was lost."""
        ...

    async def abandon(self, received: ReceivedMessage) -> None:
        """Give it back at once, for another delivery. Raises `Conflict` if the lock was lost."""
        ...

    async def dead_letter(self, received: ReceivedMessage, *, reason: str, description: str = "") -> None:
        """Set it aside for a person to look at. Raises `Conflict` if the lock was lost."""
        ...

    async def ping(self) -> None:
        """Cheap check that the queue answers. Raises `Unavailable`."""
        ...

    async def close(self) -> None: ...
