"""Tickets in the shapes of helpdesks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.escalation.events.event import (
    AttachedFile,
    Customer,
    CustomerMessage,
    CustomerMessageEvent,
    Event,
    HandOff,
    Links,
    TicketRequestedEvent,
    TicketReturned,
    TicketReturnedEvent,
    TranscriptMessage,
    TriedSource,
)
from shared.escalation.events.formats import FORMATS, MAX_TEXT, Format

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = Customer(id="user:ada@example.com", user_id="ada@example.com", verified=True)


def said(text: str, seq: int = 1) -> TranscriptMessage:
    return TranscriptMessage(seq=seq, role="user", text=text, time=NOON, attachments=())


def requested(**changes: Any) -> TicketRequestedEvent:
    packet = HandOff(
        ticket_id="tkt-1",
        session_id="s1",
        message_id="m1",
        reason="customer_request",
        summary="Wants a\nperson",
        category="billing",
        priority="high",
        team="billing and refunds",
        created_at=NOON,
        due_at=NOON,
        customer=ADA,
        language="de",
        customer_facts=("has the Solo",),
        sources_tried=(TriedSource(source="refunds.md", title="Refunds", url="https://example.com/refunds"),),
        attachments=(AttachedFile(seq=1, name="scan.pdf", size=3, problem="It has no text."),),
        links=Links(
            ticket="https://help.example.com/helpdesk/tickets/tkt-1",
            transcript="https://help.example.com/helpdesk/tickets/tkt-1/transcript",
        ),
        transcript=(said("My refund?"),),
        transcript_truncated=False,
        transcript_ref=None,
    )
    return TicketRequestedEvent(id="tkt-1", subject="s1", time=NOON, data=packet.model_copy(update=changes))


LATER: list[Event] = [
    CustomerMessageEvent(
        id="evt-1",
        subject="s1",
        time=NOON,
        data=CustomerMessage(ticket_id="tkt-1", session_id="s1", assignee="ben", message=said("Hello?")),
    ),
    TicketReturnedEvent(
        id="evt-2",
        subject="s1",
        time=NOON,
        data=TicketReturned(ticket_id="tkt-1", session_id="s1", returned_at=NOON),
    ),
]


def shaped(kind: Format, event: Event) -> Any:
    content = FORMATS[kind](event, b"")
    assert content is not None
    assert content.media_type == "application/json"
    return json.loads(content.body)


def test_a_cloudevent_is_passed_on_byte_by_byte() -> None:
    for event in (requested(), *LATER):
        content = FORMATS["cloudevents"](event, b'{"as": "it was"}')
        assert content is not None
        assert (content.media_type, content.body) == ("application/cloudevents+json", b'{"as": "it was"}')


def test_zendesk_gets_a_new_ticket_with_the_story_as_an_internal_note() -> None:
    ticket = shaped("zendesk", requested())["ticket"]
    note = ticket.pop("comment")
    assert ticket == {
        "subject": "Wants a person",
        "priority": "high",
        "external_id": "tkt-1",
        "tags": [
            "support_agent",
            "team_billing_and_refunds",
            "category_billing",
            "reason_customer_request",
            "language_de",
            "ticket_tkt-1",
        ],
        "requester": {"name": "ada@example.com", "email": "ada@example.com"},
    }
    assert note["public"] is False
    for told in (
        "Customer: ada@example.com\n",
        "Language: de",
        "Due: 2026-03-02 12:00 UTC",
        "https://help.example.com/helpdesk/tickets/tkt-1",
        "- has the Solo",
        "- https://example.com/refunds",
        "- scan.pdf (It has no text.)",
        "Customer, 2026-03-02 12:00 UTC: My refund?",
    ):
        assert told in note["body"]


def test_freshdesk_gets_a_new_ticket_of_its_own_shape() -> None:
    ticket = shaped("freshdesk", requested())
    description = ticket.pop("description")
    assert ticket == {
        "subject": "Wants a person",
        "priority": 3,
        "status": 2,
        "source": 7,
        "tags": [
            "support_agent",
            "team_billing_and_refunds",
            "category_billing",
            "reason_customer_request",
            "language_de",
            "ticket_tkt-1",
        ],
        "email": "ada@example.com",
    }
    assert "My refund?" in description


@pytest.mark.parametrize(("priority", "number"), [("low", 1), ("normal", 2), ("high", 3), ("urgent", 4)])
def test_priorities_of_freshdesk_are_numbers(priority: str, number: int) -> None:
    assert shaped("freshdesk", requested(priority=priority))["priority"] == number


@pytest.mark.parametrize(
    "customer",
    [
        Customer(id="session:s1", user_id="ada@example.com", verified=False),
        Customer(id="session:s1", user_id=None, verified=False),
    ],
)
def test_nobody_can_open_a_ticket_in_the_name_of_another(customer: Customer) -> None:
    event = requested(customer=customer)
    assert "requester" not in shaped("zendesk", event)["ticket"]
    ticket = shaped("freshdesk", event)
    assert "email" not in ticket
    assert ticket["unique_external_id"] == "support-agent:session:s1"


def test_a_known_customer_without_a_mail_address_is_known_by_their_id() -> None:
    event = requested(customer=Customer(id="user:c-77", user_id="c-77", verified=True))
    assert shaped("freshdesk", event)["unique_external_id"] == "c-77"
    assert "requester" not in shaped("zendesk", event)["ticket"]


def test_what_a_customer_writes_is_neither_markup_nor_a_placeholder() -> None:
    event = requested(
        summary="<img src=x onerror=alert(1)> {{ticket.id}}",
        transcript=(said("<script>alert(1)</script> {{{{current_user.email}}}}"),),
    )
    ticket = shaped("zendesk", event)["ticket"]
    assert "{{" not in ticket["comment"]["body"] + ticket["subject"]
    description = shaped("freshdesk", event)["description"].replace("<br>", "\n")
    assert "<" not in description
    assert "&lt;script&gt;" in description


def test_a_long_story_keeps_its_newest_and_says_where_the_rest_is() -> None:
    event = requested(transcript=tuple(said(f"{n} " + "x" * 3000, n) for n in range(1, 41)))
    note = shaped("zendesk", event)["ticket"]["comment"]["body"]
    assert len(note) < MAX_TEXT + 200
    assert "40 xxx" in note
    assert ": 1 xxx" not in note
    assert "[Older messages: https://help.example.com/helpdesk/tickets/tkt-1/transcript]" in note


@pytest.mark.parametrize("kind", ["zendesk", "freshdesk"])
@pytest.mark.parametrize("event", LATER, ids=lambda event: event.type)
def test_later_events_have_no_shape_there(kind: Format, event: Event) -> None:
    assert FORMATS[kind](event, b"") is None
