"""A ticket: the request that a person of the company takes over."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Reason = Literal[
    "customer_request", "unanswered", "agent_decision", "complaint", "repeated_failure", "safety", "legal", "topic"
]
Priority = Literal["low", "normal", "high", "urgent"]
Status = Literal["requested", "routed"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """`category`, `priority`, `team` and `due_at` are None until `escalation_queue` has routed it.

    `sent_at` is None while the ticket waits in the outbox. `message_id` is the message that caused it, `summary` one
    line for the person who picks it up.
    """

    id: str
    session_id: str
    message_id: str
    reason: Reason
    summary: str
    created_at: datetime
    user_id: str | None = None
    status: Status = "requested"
    sent_at: datetime | None = None
    category: str | None = None
    priority: Priority | None = None
    team: str | None = None
    due_at: datetime | None = None


def ticket_id(session_id: str, message_id: str) -> str:
    """The same message always makes the same ticket, however often its turn is retried."""
    return "tkt-" + hashlib.sha256(f"{session_id}/{message_id}".encode()).hexdigest()[:20]
