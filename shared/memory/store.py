"""The port to everything the agent remembers, and what every adapter of it does alike. Adapters: `sqlite.py` (a
laptop), `cosmos.py` (Azure).

A conversation, its messages and its tickets live together and change together: each method that writes more than one
of them does so in one atomic batch. Every method raises `Unavailable` when the store does not answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from shared.errors import TicketOpen
from shared.escalation.outbox import OutboxEvent
from shared.escalation.ticket import Status, Ticket
from shared.memory.models import (
    Conversation,
    ConversationRecord,
    CustomerFact,
    Erasure,
    Feedback,
    Message,
    OpenTurn,
    Operator,
)

type Stored = Conversation | Message | Ticket | OutboxEvent | CustomerFact | Operator
"""What is kept, but for counts of requests and claims, which are over in minutes."""


@dataclass(frozen=True, slots=True)
class TicketState:
    """A ticket with its conversation. `message` is the conversation's newest, or the one that a change adds; `event` is
    what a change puts into the outbox."""

    conversation: Conversation
    ticket: Ticket
    message: Message
    event: OutboxEvent | None = None


def check_alone(conversation: Conversation, ticket: Ticket | None, beside: str | None) -> None:
    """Raises `TicketOpen` if the conversation, as it is now, has another ticket than the new one and `beside`."""
    if ticket is not None and conversation.ticket_id not in (None, ticket.id, beside):
        raise TicketOpen(conversation.ticket_id)


def with_ticket(conversation: Conversation, ticket: Ticket) -> Conversation:
    """A new ticket becomes the conversation's, unless a person owns it: then theirs stays."""
    return conversation if conversation.owner == "human" else replace(conversation, ticket_id=ticket.id)


def with_route(stored: Ticket, routed: Ticket) -> Ticket:
    """The ticket as it is stored, with its route. Since routing read it, its sender may have marked it, an operator
    taken it, and another delivery of the same request routed it: what was decided first stays."""
    if stored.category is not None:
        return stored
    return replace(
        stored,
        status="open" if stored.status == "requested" else stored.status,
        sent_at=stored.sent_at or routed.sent_at,
        category=routed.category,
        priority=routed.priority,
        team=routed.team,
        due_at=routed.due_at,
    )


class ConversationStore(Protocol):
    async def create(self, conversation: Conversation, greeting: Message) -> None:
        """Store a new conversation with its first message (numbered 1). Raises `Conflict` if the id is taken."""
        ...

    async def get(self, session_id: str, *, expired: bool = False) -> Conversation:
        """Raises `NotFound` if there is none, if it was erased, or if it has expired (`expires_at` ≤ now). With
        `expired`, also one that has expired and is still kept."""
        ...

    async def open_turn(self, message: Message, *, lease_until: datetime, history: int) -> OpenTurn:
        """In one batch: store the customer's message with the next `seq`, and take the turn's lease.

        Idempotent by `message.id`. Seen before and answered: `OpenTurn.answer` is that answer and no lease is taken.
        Seen before and not answered (the process died): the stored message is kept as it was and the lease taken anew.
        `OpenTurn.history` holds at most `history` messages before this one.
        While a person owns the conversation, the batch puts a `customer.message` into the outbox, once a message.
        Raises `TurnInProgress` while another turn holds an unexpired lease, `NotFound` for an unknown conversation.
        """
        ...

    async def close_turn(
        self,
        turn: OpenTurn,
        answer: Message | None,
        ticket: Ticket | None = None,
        facts: Sequence[CustomerFact] = (),
        *,
        beside: str | None = None,
    ) -> Message | None:
        """In one batch: store the answer (numbered) and the facts, put the ticket into the outbox, release the lease.

        Returns the stored answer; None when there is none (a human owns the conversation, also one who came after the
        lease had run out). A ticket becomes the conversation's, unless a person owns it. Closing a second time returns
        the first answer and changes nothing. Raises `Conflict` when the lease was lost to another turn, `NotFound` when
        the conversation was erased meanwhile, `TicketOpen` when a ticket is given and the conversation has another one
        than `beside`, which its writer knows: then nothing is stored.
        """
        ...

    async def append(self, message: Message, ticket: Ticket | None = None, *, beside: str | None = None) -> Message:
        """Add a message outside a turn (a hand-over notice, a comment), numbered; with it, maybe, a ticket.

        Idempotent by `message.id`: a second call returns the stored message and adds nothing. A customer's message goes
        into the outbox as in `open_turn`. Raises `TicketOpen` as `close_turn` does.
        """
        ...

    async def messages(
        self, session_id: str, *, after: int = 0, limit: int = 1000, expired: bool = False
    ) -> tuple[Message, ...]:
        """The messages with `seq` > after, oldest first. Raises `NotFound` as `get` does."""
        ...

    async def set_feedback(self, session_id: str, message_id: str, feedback: Feedback) -> Message:
        """Attach the customer's rating to an answer; a later one replaces it. Raises `NotFound`."""
        ...

    async def erase(self, session_id: str) -> Erasure:
        """Remove a conversation with all it holds; also one that is already gone (then all counts are 0)."""
        ...

    # ---- tickets
    async def ticket(self, ticket_id: str, session_id: str | None = None) -> Ticket:
        """Raises `NotFound`. Without the session, which an operator may not know, it takes longer to find."""
        ...

    async def tickets(
        self,
        *,
        statuses: Collection[Status],
        team: str | None = None,
        assignee: str | None = None,
        untouched_since: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[Ticket]:
        """Tickets in one of these statuses, oldest first. `after` is the id of the last ticket that was read before;
        `untouched_since` leaves out those that an operator did something with later than that."""
        ...

    async def change_ticket(
        self, ticket: Ticket, change: Callable[[TicketState], TicketState], *, once: str | None = None
    ) -> TicketState:
        """In one batch: store what `change` makes of a ticket and its conversation as they are now, add its message
        (numbered) if it is a new one, and put its event into the outbox. Returns the new state.

        `change` may be called more than once and must only compute; what it raises leaves everything as it was. With
        `once`, the id of a message: if that one is stored already, it and the present state are returned, unchanged.
        A conversation that a change leaves without a ticket gets its newest one that is not resolved. Works on an
        expired conversation too. Raises `NotFound` if the ticket was erased.
        """
        ...

    # ---- the outbox

    async def unsent_tickets(self, *, created_before: datetime, limit: int = 100) -> Sequence[Ticket]:
        """Tickets never acknowledged by the queue, oldest first."""
        ...

    async def mark_sent(self, ticket: Ticket, at: datetime) -> None:
        """The queue has the ticket: take it out of the outbox. Idempotent; silent if the ticket was erased."""
        ...

    async def save_route(self, ticket: Ticket) -> Ticket:
        """Store what routing decided: category, priority, team and due time; a requested ticket is open now. What an
        operator did meanwhile stays, and what was routed first. Returns the ticket as stored. Raises `NotFound`."""
        ...

    async def unsent_events(self, *, created_before: datetime, limit: int = 100) -> Sequence[OutboxEvent]:
        """Events never acknowledged by the queue, oldest first."""
        ...

    async def mark_event_sent(self, event: OutboxEvent, at: datetime) -> None:
        """The queue has the event. Idempotent; silent if it was erased."""
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

    # ---- what happened
    def records(self, *, since: datetime, until: datetime) -> AsyncIterator[ConversationRecord]:
        """Every conversation that is kept and began in [since, until), also expired ones, oldest first."""
        ...

    # ---- operators
    async def operator(self, username: str) -> Operator | None: ...

    async def save_operator(self, operator: Operator) -> None: ...

    # ---- people
    def kept(self, *, names: Collection[str], sessions: Collection[str]) -> AsyncIterator[Stored]:
        """What is kept of these conversations, and of whoever has one of these names as `user_id` or `customer_id`;
        also what has expired, and what has lost its conversation. A conversation comes before what belongs to it."""
        ...

    # ---- backup
    def everything(self) -> AsyncIterator[Stored]:
        """All that is kept, also of expired conversations: a conversation, then what belongs to it. Each of them is as
        it was at one moment, while others go on."""
        ...

    async def put_back(self, values: Sequence[Stored]) -> None:
        """Store values of `everything` as they were, in the place of those with the same ids; in its order, of which
        this may be any part. No turn runs in a conversation that was put back."""
        ...

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
