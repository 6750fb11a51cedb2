"""The port to everything the agent remembers. Adapters: `sqlite.py` (a laptop); one contract suite runs on each.

A conversation, its messages and its tickets live together and change together: each method that writes more than one
of them does so in one atomic batch. Every method raises `Unavailable` when the store does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shared.escalation.ticket import Ticket
from shared.memory.models import (
    Conversation,
    CustomerFact,
    Erasure,
    Feedback,
    Message,
    OpenTurn,
    Operator,
)


class ConversationStore(Protocol):
    async def create(self, conversation: Conversation, greeting: Message) -> None:
        """Store a new conversation with its first message (numbered 1). Raises `Conflict` if the id is taken."""
        ...

    async def get(self, session_id: str) -> Conversation:
        """Raises `NotFound` if there is none, if it was erased, or if it has expired (`expires_at` ≤ now)."""
        ...

    async def open_turn(self, message: Message, *, lease_until: datetime, history: int) -> OpenTurn:
        """In one batch: store the customer's message with the next `seq`, and take the turn's lease.

        Idempotent by `message.id`. Seen before and answered: `OpenTurn.answer` is that answer and no lease is taken.
        Seen before and not answered (the process died): the stored message is kept as it was and the lease taken anew.
        `OpenTurn.history` holds at most `history` messages before this one.
        Raises `TurnInProgress` while another turn holds an unexpired lease, `NotFound` for an unknown conversation.
        """
        ...

    async def close_turn(
        self,
        turn: OpenTurn,
        answer: Message | None,
        ticket: Ticket | None = None,
        facts: Sequence[CustomerFact] = (),
    ) -> Message | None:
        """In one batch: store the answer (numbered) and the facts, put the ticket into the outbox, release the lease.

        Returns the stored answer; None when there is none (a human owns the conversation). Closing a second time
        returns the first answer and changes nothing. Raises `Conflict` when the lease was lost to another turn,
        `NotFound` when the conversation was erased meanwhile: then nothing is stored.
        """
        ...

    async def append(self, message: Message, ticket: Ticket | None = None) -> Message:
        """Add a message outside a turn (a human's reply, a hand-over notice), numbered; with it, maybe, a ticket.

        Idempotent by `message.id`: a second call returns the stored message and adds nothing.
        """
        ...

    async def messages(self, session_id: str, *, after: int = 0, limit: int = 1000) -> tuple[Message, ...]:
        """The messages with `seq` > after, oldest first. Raises `NotFound` for an unknown conversation."""
        ...

    async def set_feedback(self, session_id: str, message_id: str, feedback: Feedback) -> Message:
        """Attach the customer's rating to an answer; a later one replaces it. Raises `NotFound`."""
        ...

    async def erase(self, session_id: str) -> Erasure:
        """Remove a conversation with all it holds; also one that is already gone (then all counts are 0)."""
        ...

    # ---- tickets: the outbox
    async def ticket(self, ticket_id: str, session_id: str) -> Ticket:
        """Raises `NotFound`."""
        ...

    async def unsent_tickets(self, *, created_before: datetime, limit: int = 100) -> Sequence[Ticket]:
        """Tickets never acknowledged by the queue, oldest first."""
        ...

    async def mark_sent(self, ticket: Ticket, at: datetime) -> None:
        """The queue has the ticket: take it out of the outbox. Idempotent; silent if the ticket was erased."""
        ...

    async def save_ticket(self, ticket: Ticket) -> None:
        """Replace a stored ticket (routing adds category, priority, team and due time). Raises `NotFound`."""
        ...

    # ---- customer facts
    async def remember(self, fact: CustomerFact) -> None:
        """Store a fact outside of a turn; one with the same id replaces it."""
        ...

    async def facts(self, customer_id: str) -> tuple[CustomerFact, ...]:
        """Those that have not expired, oldest first."""
        ...

    async def forget_fact(self, customer_id: str, fact_id: str) -> None:
        """Remove a fact; one that is gone already is no error."""
        ...

    async def erase_customer(self, customer_id: str) -> Erasure:
        """Remove every conversation, ticket and fact of a customer, whoever's `user_id` or `customer_id` it is."""
        ...

    # ---- operators
    async def operator(self, username: str) -> Operator | None: ...

    async def save_operator(self, operator: Operator) -> None: ...

    # ---- rate limits, shared by all instances
    async def count_hit(self, key: str, *, window: int, now: datetime) -> int:
        """Count one more request of `key` in the fixed window of `window` seconds around `now`; returns the total."""
        ...

    # ---- what may be used once, at any instance
    async def claim(self, key: str, *, until: datetime) -> bool:
        """True for the first who claims `key`, False for everybody after that, at least until then."""
        ...

    # ---- life cycle
    async def ping(self) -> None:
        """Cheap check that the store answers. Raises `Unavailable`."""
        ...

    async def close(self) -> None: ...
