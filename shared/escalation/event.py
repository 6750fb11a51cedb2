"""The two messages of an escalation: the request that leaves the chat, and the event that helpdesk tools receive.

`python -m shared.escalation.event > docs/ticket.schema.json` publishes the shape of the event's `data`.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import InvalidInput
from shared.escalation.ticket import Priority, Reason
from shared.memory.models import Role

CONTENT_TYPE = "application/cloudevents+json"
"""CloudEvents 1.0 in structured mode: envelope and data in one JSON object."""
EVENT_SOURCE = "/support-agent"
EventType = Literal["support.ticket.requested.v1", "support.ticket.returned.v1", "support.customer.message.v1"]


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
        problems = [
            f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['type']}"
            for problem in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise InvalidInput(f"Not a ticket request of version 1: {'; '.join(problems)}") from None


class Customer(_Model):
    """Who is waiting for an answer."""

    id: str = Field(description="Key of what is known about the customer.")
    user_id: str | None = Field(description="Who the customer says to be, in the company's own systems.")


class TranscriptMessage(_Model):
    """One message of the conversation."""

    seq: int = Field(description="Number of the message in its conversation, from 1.")
    role: Role
    text: str
    time: datetime
    attachments: tuple[str, ...] = Field(description="Names of the files the customer added.")


class TriedSource(_Model):
    """A document that an answer cited before the customer came to you."""

    source: str
    title: str | None
    url: str | None


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
    customer_facts: tuple[str, ...] = Field(description="What the customer asked to have remembered; oldest first.")
    sources_tried: tuple[TriedSource, ...] = Field(description="Newest first.")
    transcript: tuple[TranscriptMessage, ...] = Field(description="Oldest first.")
    transcript_truncated: bool = Field(description="Whether older messages were left out of the transcript.")


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


class Event(_Model):
    """CloudEvents 1.0, structured mode. `subject` is the conversation's id.
    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md"""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = EVENT_SOURCE
    type: EventType
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: HandOff | CustomerMessage | TicketReturned


def hand_off_schema() -> dict[str, Any]:
    """JSON Schema of the data of `support.ticket.requested.v1`."""
    schema = HandOff.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


if __name__ == "__main__":
    sys.stdout.write(json.dumps(hand_off_schema(), indent=2) + "\n")
