"""The messages of an escalation: the request that leaves the chat, and the events that helpdesk tools receive.

`python -m shared.escalation.events.event docs/events` publishes the events' shapes, one file for each type.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.errors import InvalidInput
from shared.escalation.ticket import Priority, Reason
from shared.memory.models import Role

CONTENT_TYPE = "application/cloudevents+json"
"""CloudEvents 1.0 in structured mode: envelope and data in one JSON object."""
EVENT_SOURCE = "/support-agent"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class TicketRequest(_Model):
    """A stored ticket wants to be routed. All that is needed to find it; the rest stays in the store."""

    version: Literal[1] = 1
    ticket_id: str = Field(min_length=1)
    session_id: str = Field(min_length=1)
    reason: Reason
    summary: str


def parse_request(body: bytes) -> TicketRequest:
    """Raises `InvalidInput`, which names the wrong fields and none of their content."""
    try:
        return TicketRequest.model_validate_json(body)
    except ValidationError as error:
        raise InvalidInput(f"Not a ticket request of version 1: {_problems(error)}") from None


class Customer(_Model):
    """Who is waiting for an answer."""

    id: str = Field(description="Key of what is known about the customer.")
    user_id: str | None = Field(description="Who the customer says to be, in the company's own systems.")
    verified: bool = Field(
        description="Whether the `user_id` can be believed: the company's site vouched for it, or AUTH_MODE is `open`."
    )


class TranscriptMessage(_Model):
    """One message of the conversation."""

    seq: int = Field(description="Number of the message in its conversation, from 1.")
    role: Role
    text: str
    time: datetime
    attachments: tuple[str, ...] = Field(description="Names of the files the customer added.")


class AttachedFile(_Model):
    """A file the customer added. Its content stays in the conversation."""

    seq: int = Field(description="The message it came with.")
    name: str
    size: int = Field(description="Bytes.")
    problem: str | None = Field(description="Why it could not be read; null if it was.")


class TriedSource(_Model):
    """A document that an answer cited before the customer came to you."""

    source: str
    title: str | None
    url: str | None


class Links(_Model):
    """Where an operator finds more; absolute where PUBLIC_URL is set, else paths of the API."""

    ticket: str = Field(description="The ticket with its conversation as it is now.")
    transcript: str = Field(description="The whole conversation up to the hand-off.")


class HandOff(_Model):
    """A ticket with all a person needs to take over."""

    model_config = ConfigDict(title="Support ticket, version 1")

    ticket_id: str
    session_id: str = Field(description="The conversation; replies go to it.")
    message_id: str = Field(description="The message that led to the ticket.")
    reason: Reason
    summary: str
    category: str
    priority: Priority
    team: str
    created_at: datetime
    due_at: datetime = Field(description="When someone must have taken care of it.")
    customer: Customer
    language: str | None = Field(
        description="BCP 47 tag of the language the customer writes; null if that cannot be told for sure.",
        examples=["de"],
    )
    customer_facts: tuple[str, ...] = Field(description="What the customer asked to have remembered; oldest first.")
    sources_tried: tuple[TriedSource, ...] = Field(description="Newest first.")
    attachments: tuple[AttachedFile, ...] = Field(description="Oldest first; the newest 100.")
    links: Links
    transcript: tuple[TranscriptMessage, ...] = Field(description="Oldest first.")
    transcript_truncated: bool = Field(description="Whether older messages were left out of the transcript.")
    transcript_ref: str | None = Field(
        description="Where the whole transcript is kept if it does not fit in here: its name among the stored"
        " transcripts. `links.transcript` reads it. null: it is here, or it could not be stored."
    )


class Transcript(_Model):
    """A conversation, whole."""

    ticket_id: str
    session_id: str
    messages: tuple[TranscriptMessage, ...] = Field(description="Oldest first.")
    truncated: bool = Field(description="Whether it has only the newest 10,000 messages.")


class CustomerMessage(_Model):
    """What the customer wrote to the person who owns the conversation."""

    model_config = ConfigDict(title="Message of a customer, version 1")

    ticket_id: str
    session_id: str
    assignee: str | None = Field(description="The username of the person who has the ticket.")
    message: TranscriptMessage


class TicketReturned(_Model):
    """Nobody has the ticket any more, and the customer still waits."""

    model_config = ConfigDict(title="Ticket that waits for a person again, version 1")

    ticket_id: str
    session_id: str
    returned_at: datetime


class _Event(_Model):
    """CloudEvents 1.0, structured mode. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md"""

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(description="The same event always has the same id, however often it is sent.")
    source: str = EVENT_SOURCE
    subject: str = Field(description="The conversation, as `data.session_id`.")
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"


class TicketRequestedEvent(_Event):
    """A customer needs a person. The id is the ticket's."""

    type: Literal["support.ticket.requested.v1"] = "support.ticket.requested.v1"
    data: HandOff


class CustomerMessageEvent(_Event):
    """A customer wrote while a person owns the conversation."""

    type: Literal["support.customer.message.v1"] = "support.customer.message.v1"
    data: CustomerMessage


class TicketReturnedEvent(_Event):
    """A ticket waits for a person again."""

    type: Literal["support.ticket.returned.v1"] = "support.ticket.returned.v1"
    data: TicketReturned


EVENTS = (TicketRequestedEvent, CustomerMessageEvent, TicketReturnedEvent)
type Event = TicketRequestedEvent | CustomerMessageEvent | TicketReturnedEvent

_event: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def parse_event(body: bytes) -> Event:
    """An event as it was published. Raises `InvalidInput`, which names the wrong fields and none of their content."""
    try:
        return _event.validate_json(body)
    except ValidationError as error:
        raise InvalidInput(f"Not an event of this app: {_problems(error)}") from None


def event_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of the whole event, by its type."""
    return {
        kind.model_fields["type"].default: {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        | kind.model_json_schema(mode="serialization")
        for kind in EVENTS
    }


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['type']}"
        for problem in error.errors(include_input=False, include_url=False, include_context=False)
    )


if __name__ == "__main__":
    for name, schema in event_schemas().items():
        Path(sys.argv[1], f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
