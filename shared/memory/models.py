"""What a conversation is made of. Frozen: a change is a new value (`dataclasses.replace`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Literal

from shared.escalation.ticket import Ticket

Role = Literal["user", "assistant", "human_agent"]
Owner = Literal["bot", "human"]
Rating = Literal["up", "down"]
OperatorRole = Literal["agent", "admin"]
"""An agent works on tickets; an admin may also take over another's ticket, see the numbers and erase customers."""
Scalar = str | int | float | bool

MAX_FACT = 300
MAX_COMMENT = 1000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One chat of one customer with the company.

    `last_seq` is the number of the newest message (1-based, gapless). `owner` says who answers. Two opens of the same
    turn are kept apart by the lease: `lease_until` is when the running turn loses its right to answer, None when no
    turn runs. `customer_id` is the key of the customer's facts: `id_of_user` where the `user_id` can be trusted, else
    `id_of_session`, so that a claimed identity never shows another customer's facts. `filters` narrow what its turns
    search, see `knowledge.filters`. `ticket_id` is the newest ticket that is not resolved: while a person owns the
    conversation, theirs.
    """

    session_id: str
    customer_id: str
    created_at: datetime
    expires_at: datetime
    user_id: str | None = None
    owner: Owner = "bot"
    last_seq: int = 0
    lease_until: datetime | None = None
    filters: Mapping[str, str] = field(default_factory=dict[str, str])
    ticket_id: str | None = None


def id_of_user(user_id: str) -> str:
    """The `customer_id` of whom the company's site vouches for; the same in all their conversations."""
    return f"user:{user_id}"


def id_of_session(session_id: str) -> str:
    """The `customer_id` of whoever nobody vouched for. No other conversation has it."""
    return f"session:{session_id}"


@dataclass(frozen=True, slots=True)
class Source:
    """The evidence behind one citation: `content[start:end] == quote`.

    `content` is the retrieved chunk (or attachment passage), `distance` its cosine distance to the query (0 … 2),
    `metadata` says where it is from (`source`, `title`, `section`, `url` where known).
    """

    id: str
    content: str
    metadata: Mapping[str, Scalar]
    distance: float
    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file the customer added, after parsing. `markdown` is empty and `problem` says why if it could not be read;
    `pages` are the offsets at which its pages or slides begin."""

    id: str
    name: str
    size: int
    markdown: str = ""
    problem: str | None = None
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one turn, over all model calls."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Feedback:
    rating: Rating
    comment: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as stored.

    `seq` is 0 until the store has numbered it. `reply_to` of an answer is the id of the customer's message that it
    answers. `grounded` is True when every sentence of an answer was verified against its source; `degraded` when the
    configured model or the index failed and the answer was made without it.
    """

    id: str
    session_id: str
    role: Role
    text: str
    created_at: datetime
    seq: int = 0
    author: str | None = None
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    sources: tuple[Source, ...] = ()
    grounded: bool = False
    degraded: bool = False
    abstained: bool = False
    requires_escalation: bool = False
    ticket_id: str | None = None
    usage: Usage = field(default_factory=Usage)
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A turn whose customer message is stored and whose lease is held (unless `answer` is already there).

    `history` is what came before the customer's message, oldest first, at most the number asked for.
    """

    conversation: Conversation
    message: Message
    history: tuple[Message, ...]
    answer: Message | None = None


@dataclass(frozen=True, slots=True)
class CustomerFact:
    """Something the customer asked to have remembered, with the message it came from.

    It is forgotten at `expires_at`; None: kept until somebody erases it.
    """

    id: str
    customer_id: str
    text: str
    message_id: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """A conversation with all its messages, oldest first, and tickets."""

    conversation: Conversation
    messages: tuple[Message, ...]
    tickets: tuple[Ticket, ...]


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure removed."""

    conversations: int = 0
    messages: int = 0
    tickets: int = 0
    facts: int = 0

    def __add__(self, other: Erasure) -> Erasure:
        return Erasure(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Operator:
    """A person of the company who may sign in. `password_hash` is an argon2id string."""

    username: str
    display_name: str
    password_hash: str
    created_at: datetime
    role: OperatorRole = "agent"
