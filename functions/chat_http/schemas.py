"""What goes over the wire, as pydantic models: requests are checked by them, answers are made of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from shared.escalation import helpdesk
from shared.escalation.ticket import UNRESOLVED, Priority, Reason, Resolution, Status
from shared.memory import models
from shared.memory.models import MAX_COMMENT, MAX_FACT, OperatorRole, Owner, Rating, Role, Scalar

if TYPE_CHECKING:
    from shared.erasure import Receipt

Token = Annotated[str, Field(description="A JWT, for the header `Authorization: Bearer <token>`.")]
Comment = Annotated[str, Field(max_length=MAX_COMMENT, pattern=r"^[^\x00]*$")]


class _Wire(BaseModel):
    model_config = ConfigDict(from_attributes=True)


# ---- requests


FilterValue = Annotated[
    str,
    Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f,]*[^\x00-\x20\x7f,][^\x00-\x1f\x7f,]*$"),
]


class Filters(_Wire):
    """Which documents are searched: those that name this value or none. One value each, without a comma."""

    model_config = ConfigDict(extra="forbid")

    product: FilterValue | None = Field(default=None, examples=["Kavendry Solo"])
    language: FilterValue | None = Field(default=None, description="`en-GB` counts as `en`.", examples=["en"])
    audience: FilterValue | None = Field(default=None, examples=["customers"])


class StartSession(_Wire):
    # What `/docs` fills in to try it out. All fields at once would be refused where there are no IDENTITY_KEYS.
    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "user123"}]})

    user_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="The customer's id in your own system. It is what the caller says, and proves nothing; where the"
        " app has IDENTITY_KEYS it needs an `identity_token` of the same `sub`.",
        examples=["user123"],
    )
    identity_token: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00]*$",
        description="A JWT of your own site that says which customer this is: its `sub` becomes the `user_id`. It holds"
        " once, for one conversation.",
        examples=["eyJhbGciOiJIUzI1NiIsImtpZCI6IjIwMjYtMDUifQ.eyJzdWIiOiJ1c2VyMTIzIn0.c2lnbmF0dXJl"],
    )
    filters: Filters | None = Field(
        default=None, description="Narrow what this conversation searches. They do not protect anything."
    )


class SendMessage(_Wire):
    # An id in it would make every further message that is tried out a repetition of the first.
    model_config = ConfigDict(json_schema_extra={"examples": [{"message": "How do I reset my password?"}]})

    message: str = Field(
        min_length=1,
        pattern=r"^[^\x00]*$",
        description="What the customer says. Its greatest length is set by MAX_MESSAGE_CHARS.",
        examples=["How do I reset my password?"],
    )
    client_message_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.:-]{1,100}$",
        description="An id of your own, such as a UUID. A message that is sent again with the same id is stored and"
        " answered once.",
    )


class Escalate(_Wire):
    comment: Comment = Field(default="", description="What the person should know.", examples=["I was charged twice."])


class GiveFeedback(_Wire):
    rating: Rating = Field(description="`up`: it helped. `down`: it did not.")
    comment: Comment = Field(default="", description="Why.", examples=["Exactly what I needed."])


class CorrectFact(_Wire):
    text: str = Field(min_length=1, max_length=MAX_FACT, pattern=r"^[^\x00]*$", examples=["I have the Kavendry Duo."])


class Login(_Wire):
    username: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$", examples=["ada"])
    password: str = Field(min_length=1, max_length=256, examples=["correct horse battery staple"])


class WantedTickets(_Wire):
    status: list[Status] = Field(default=[*UNRESOLVED], description="May be repeated; default: all but resolved.")
    team: str | None = Field(default=None, max_length=64, pattern=r"^[^\x00]*$")
    assignee: str | None = Field(default=None, max_length=64, pattern=r"^[^\x00]*$")
    after: str | None = Field(
        default=None, max_length=64, pattern=r"^[^\x00]*$", description="The last ticket of the page before."
    )
    limit: int = Field(default=50, ge=1, le=100)


class SendReply(_Wire):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"message": "Hello, this is Ada. I have sent you a new label."}]}
    )

    message: str = Field(
        min_length=1,
        pattern=r"^[^\x00]*$",
        description="What the customer reads. Its greatest length is set by MAX_MESSAGE_CHARS.",
        examples=["Hello, this is Ada. I have sent you a new label."],
    )
    client_message_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.:-]{1,100}$",
        description="An id of your own, such as a UUID. A reply that is sent again with the same id is stored once.",
    )


class SetStatus(_Wire):
    status: Status = Field(
        description="`claimed`: you have it. `waiting`: for the customer. `open`: you give it back. `resolved`: it is"
        " done. `requested` cannot be set."
    )


class WantedPeriod(_Wire):
    """Conversations that began in [since, until): at most 92 days."""

    since: str | None = Field(
        default=None,
        max_length=40,
        description="A date (its first moment, UTC) or an RFC 3339 instant. Default: seven days before `until`.",
        examples=["2026-05-04"],
    )
    until: str | None = Field(
        default=None,
        max_length=40,
        description="The same; what begins then is not in the period any more. Default: now.",
        examples=["2026-05-11T00:00:00Z"],
    )


# ---- answers


class Source(_Wire):
    """The evidence behind one citation: `content[start:end] == quote`."""

    id: str
    content: str = Field(description="The passage that was found.")
    metadata: dict[str, Scalar] = Field(
        description="Where it is from: `source`, `title`, `section`, and `url` where known.",
        examples=[{"source": "account.md", "title": "Your account", "section": "Passwords"}],
    )
    distance: float = Field(description="Cosine distance of the passage to the question: 0 same, 2 opposite.")
    quote: str = Field(description="The words of the passage that the answer rests on.")
    start: int = Field(description="Where the quote begins in `content`, in characters.")
    end: int


class Usage(_Wire):
    """Tokens of one turn, over all calls of the model."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class Answer(_Wire):
    """The answer to one message. While a person answers (202), `message_id` and `message` are null."""

    message_id: str | None = Field(description="The answer's id, for feedback.")
    message: str | None = Field(description="The answer. `[n]` in it stands for the n-th of `sources`.")
    sources: list[Source]
    requires_escalation: bool = Field(description="A person should take over, or was asked to: then see `ticket_id`.")
    ticket_id: str | None = Field(description="The reference of the ticket that this turn made.")
    grounded: bool = Field(description="Whether the answer rests on sources that were checked word by word.")
    degraded: bool = Field(description="Whether the model or the search failed, and the answer was made without it.")
    handed_over: bool = Field(description="A person answers this conversation. Poll `GET …/messages?after=seq`.")
    reply_to: str = Field(description="The id under which the customer's message was stored.")
    seq: int = Field(description="Number of the newest message of this turn; pass it on as `after`.")
    usage: Usage

    @classmethod
    def of(cls, answer: models.Message, question: models.Message) -> Self:
        return cls(
            message_id=answer.id,
            message=answer.text,
            sources=[Source.model_validate(source) for source in answer.sources],
            requires_escalation=answer.requires_escalation,
            ticket_id=answer.ticket_id,
            grounded=answer.grounded,
            degraded=answer.degraded,
            handed_over=False,
            reply_to=question.id,
            seq=answer.seq,
            usage=Usage.model_validate(answer.usage),
        )

    @classmethod
    def by_a_person(cls, question: models.Message) -> Self:
        """The bot is silent: somebody of the company will answer."""
        return cls(
            message_id=None,
            message=None,
            sources=[],
            requires_escalation=False,
            ticket_id=None,
            grounded=False,
            degraded=False,
            handed_over=True,
            reply_to=question.id,
            seq=question.seq,
            usage=Usage.model_validate(models.Usage()),
        )


class SessionStarted(_Wire):
    session_id: str
    thread_id: str = Field(description="The same as session_id: AG-UI's name for it.")
    token: Token
    expires_at: datetime = Field(description="When the conversation ends, and the token with it.")
    message: str = Field(description="The greeting.")


class SessionToken(_Wire):
    token: Token
    expires_at: datetime


class Negotiated(_Wire):
    """Where to connect with a WebSocket, to hear at once what is new."""

    url: str = Field(description="Holds its own token: keep it secret.", examples=["wss://…/client/hubs/support?…"])
    protocol: str = Field(description="The WebSocket subprotocol to name.", examples=["json.webpubsub.azure.v1"])
    expires_at: datetime = Field(description="Connect anew before that, with a new URL.")


class Attachment(_Wire):
    id: str
    name: str
    size: int = Field(description="Bytes.")
    problem: str | None = Field(description="Why it could not be read, if it could not.")


class Feedback(_Wire):
    rating: Rating
    comment: str
    at: datetime | None


class Message(_Wire):
    """One message of a conversation."""

    message_id: str
    seq: int = Field(description="Its number: 1, 2, 3, …")
    role: Role = Field(
        description="`user`: the customer, `assistant`: the bot, `human_agent`: a person of the company."
    )
    message: str
    author: str | None = Field(description="The name of the person, for `human_agent`.")
    created_at: datetime
    reply_to: str | None
    attachments: list[Attachment]
    sources: list[Source]
    grounded: bool
    degraded: bool
    requires_escalation: bool
    ticket_id: str | None
    feedback: Feedback | None

    @classmethod
    def of(cls, message: models.Message) -> Self:
        return cls(
            message_id=message.id,
            seq=message.seq,
            role=message.role,
            message=message.text,
            author=message.author,
            created_at=message.created_at,
            reply_to=message.reply_to,
            attachments=[Attachment.model_validate(attachment) for attachment in message.attachments],
            sources=[Source.model_validate(source) for source in message.sources],
            grounded=message.grounded,
            degraded=message.degraded,
            requires_escalation=message.requires_escalation,
            ticket_id=message.ticket_id,
            feedback=Feedback.model_validate(message.feedback) if message.feedback else None,
        )


class NewMessages(_Wire):
    """The messages after the one asked for, oldest first."""

    owner: Owner = Field(description="Who answers: `bot` or `human`.")
    ticket_id: str | None = Field(description="The ticket that a person still has to answer, if there is one.")
    ticket_status: Status | None = Field(description="Of that ticket.")
    messages: list[Message]


class History(NewMessages):
    """A whole conversation."""

    session_id: str
    user_id: str | None
    created_at: datetime
    expires_at: datetime


class Fact(_Wire):
    """Something the customer asked to have remembered."""

    id: str
    text: str
    message_id: str = Field(description="The message that it comes from.")
    created_at: datetime
    expires_at: datetime | None = Field(description="When it is forgotten; null: not by itself.")


class Facts(_Wire):
    facts: list[Fact]


class Erasure(_Wire):
    """How much was erased, all 0 if there was nothing (any more), and what every store was found to have afterwards."""

    conversations: int
    messages: int
    tickets: int
    facts: int
    at: datetime
    left: dict[str, int] = Field(description="How much of each kind is there all the same; empty if all went well.")
    unchecked: list[str] = Field(description="Kinds whose store did not answer; a timer erases them later.")
    receipt: str | None = Field(
        description="All of it, signed (JWT), without a name; `python -m tools.erase --verify` checks it. "
        "Null without TOKEN_SECRET."
    )

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        return cls(
            **asdict(receipt.erased),
            at=receipt.at,
            left=dict(receipt.left),
            unchecked=list(receipt.unchecked),
            receipt=receipt.signed,
        )


class OperatorToken(_Wire):
    access_token: Token
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - RFC 6750's name for the scheme
    expires_at: datetime
    display_name: str = Field(description="What customers see.")
    role: OperatorRole


class Ticket(_Wire):
    """A request that a person takes over."""

    id: str
    session_id: str
    message_id: str = Field(description="The message that led to it.")
    user_id: str | None
    reason: Reason
    summary: str
    status: Status
    category: str | None = Field(description="null until it is routed, as priority, team and due_at.")
    priority: Priority | None
    team: str | None
    due_at: datetime | None
    assignee: str | None = Field(description="The username of who has it, or had it last.")
    created_at: datetime
    claimed_at: datetime | None
    replied_at: datetime | None = Field(description="The first reply of a person.")
    resolved_at: datetime | None
    resolution: Resolution | None = Field(
        description="`confirmed`: a person declared it solved. `assumed`: nobody said anything any more."
    )


class Tickets(_Wire):
    """Oldest first. There may be more after the last if there are as many as were asked for."""

    tickets: list[Ticket]


class TicketFile(_Wire):
    """A ticket with its conversation, whose newest 1,000 messages are here, oldest first."""

    ticket: Ticket
    owner: Owner
    messages: list[Message]
    facts: list[Fact]

    @classmethod
    def of(cls, file: helpdesk.TicketFile) -> Self:
        return cls(
            ticket=Ticket.model_validate(file.ticket),
            owner=file.conversation.owner,
            messages=[Message.of(message) for message in file.messages],
            facts=[Fact.model_validate(fact) for fact in file.facts],
        )


# ---- analytics


class Share(_Wire):
    """A part of something, with both numbers."""

    count: int
    of: int
    rate: float | None = Field(description="`count` / `of`, 0 to 1; null if `of` is 0.")


class Durations(_Wire):
    """Seconds, to three significant digits; null if there are none. Both are durations that occurred."""

    count: int
    median: float | None
    p90: float | None = Field(description="Nine of ten took no longer.")


class Conversations(_Wire):
    started: int
    silent: int = Field(description="The customer only opened it; nothing else here counts it.")
    counted: int = Field(description="The customer wrote, or asked for a person.")


class Resolutions(_Wire):
    """Each counted conversation is in one class. The shares are of those that are not ongoing."""

    confirmed: Share = Field(description="Somebody said that it is solved.")
    confirmed_by_customer: int = Field(description="The customer's last rating is up.")
    confirmed_by_person: int = Field(description="A person resolved the ticket.")
    assumed: Share = Field(
        description="The last answer was grounded, or a person's, and nobody said anything after it."
    )
    unresolved: Share = Field(
        description="It ended with a ticket that is not resolved, a rating that is down, or without an answer."
    )
    ongoing: int


class ReasonCount(_Wire):
    reason: Reason
    tickets: int
    conversations: Share


class Escalations(_Wire):
    conversations: Share = Field(description="Conversations with a ticket.")
    tickets: int
    by_reason: list[ReasonCount] = Field(description="A conversation may have tickets for several reasons.")


class Answers(_Wire):
    """The bot's answers; the others greet, ask back, hand over or tell what was done."""

    total: int
    grounded: Share
    abstained: Share = Field(description="The bot found no answer.")
    degraded: Share = Field(description="Made without the language model, or without the documents.")


class ResponseTimes(_Wire):
    first_response: Durations = Field(
        description="From the customer's first message to the first answer, the bot's or a person's."
    )
    person_first_reply: Durations = Field(description="From a ticket to the first reply of a person.")
    person_reply: Durations = Field(
        description="From what the customer writes to a person who has the conversation to that person's next message."
    )


class ServiceLevel(_Wire):
    """Tickets against the time by which a person had to reply."""

    breached: Share = Field(description="Late, of those answered or late.")
    pending: int = Field(description="Not answered, and still in time.")
    unrouted: int = Field(description="Without a due time yet.")


class Satisfaction(_Wire):
    """Ratings that are up, of all ratings."""

    all: Share
    bot: Share
    people: Share


class Cluster(_Wire):
    question: str = Field(description="The one that most others are like, as the customer wrote it.")
    count: int


class Unanswered(_Wire):
    """What the bot found no answer to; alike questions together."""

    questions: int
    compared: int = Field(description="Of these the newest, which are in the clusters.")
    clusters: list[Cluster] = Field(description="The largest first, at most 20.")


class DocumentUse(_Wire):
    source: str = Field(description="The document's name.")
    title: str | None = Field(description="null if it is not indexed any more.")
    answers: int = Field(description="Answers that cite it.")
    ups: int
    downs: int


class Documents(_Wire):
    indexed: int
    never_cited: int
    most: list[DocumentUse] = Field(description="Those cited most, at most 10.")
    least: list[DocumentUse] = Field(description="Indexed ones cited least, at most 10.")


class Summary(_Wire):
    """What became of the conversations that began in a period, as far as is known now."""

    since: datetime
    until: datetime
    at: datetime = Field(description="When this was counted.")
    complete: bool = Field(
        description="Whether the period lies within RETENTION_DAYS; if not, some of its conversations may be gone."
    )
    conversations: Conversations
    resolutions: Resolutions
    escalations: Escalations
    answers: Answers
    response_times: ResponseTimes
    service_level: ServiceLevel
    satisfaction: Satisfaction
    unanswered: Unanswered
    documents: Documents
