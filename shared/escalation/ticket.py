"""A ticket: the request that a person of the company takes over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.errors import Conflict

Reason = Literal[
    "customer_request", "unanswered", "agent_decision", "complaint", "repeated_failure", "safety", "legal", "topic"
]
Priority = Literal["low", "normal", "high", "urgent"]
Status = Literal["requested", "open", "claimed", "waiting", "resolved"]
Resolution = Literal["confirmed", "assumed"]

UNRESOLVED: tuple[Status, ...] = ("requested", "open", "claimed", "waiting")
TAKEN: tuple[Status, ...] = ("claimed", "waiting")
"""A person has the ticket."""

TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    "requested": frozenset({"open", "claimed", "resolved"}),
    "open": frozenset({"claimed", "resolved"}),
    "claimed": frozenset({"open", "waiting", "resolved"}),
    "waiting": frozenset({"open", "claimed", "resolved"}),
    "resolved": frozenset(),
}
"""Where a ticket can go from each status. Routing opens what the chat requested; a person claims it, may wait for the
customer or give it back, and resolves it. What is resolved stays so: a customer who comes back gets a new ticket."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """`category`, `priority`, `team` and `due_at` are None until `escalation_queue` has routed it.

    `sent_at` is None while the ticket waits in the outbox. `message_id` is the message that caused it, `summary` one
    line for the person who picks it up. `assignee` is the operator who has it now, or had it last; `touched_at` is when
    an operator last did something with it. `resolution` says whether a person declared it solved (`confirmed`) or
    nobody said anything any more (`assumed`).
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
    assignee: str | None = None
    touched_at: datetime | None = None
    claimed_at: datetime | None = None
    replied_at: datetime | None = None
    """The first reply of a person."""
    resolved_at: datetime | None = None
    resolution: Resolution | None = None


def ticket_id(session_id: str, message_id: str) -> str:
    """The same message always makes the same ticket, however often its turn is retried."""
    return "tkt-" + hashlib.sha256(f"{session_id}/{message_id}".encode()).hexdigest()[:20]


def check_transition(ticket: Ticket, status: Status) -> None:
    """Raises `Conflict` if a ticket cannot go from its status to this one."""
    if status not in TRANSITIONS[ticket.status]:
        possible = ", ".join(sorted(TRANSITIONS[ticket.status])) or "nothing"
        raise Conflict(f"Ticket {ticket.id} is {ticket.status}; it can become {possible}, not {status}.")
