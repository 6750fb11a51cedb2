"""Events in the shapes that helpdesks take. Pure: an event in, a body out.

Zendesk: https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket
Freshdesk: https://developers.freshdesk.com/api/#create_ticket
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.escalation.events.event import CONTENT_TYPE, Event, HandOff, TicketRequestedEvent
from shared.escalation.ticket import Priority

Format = Literal["cloudevents", "zendesk", "freshdesk"]

MAX_SUBJECT = 150
MAX_TEXT = 30_000
"""Characters. Zendesk takes a comment of 64 KB, and some scripts need two bytes and more for a character."""
WRITERS = {"user": "Customer", "assistant": "Assistant", "human_agent": "Colleague"}
FRESHDESK_PRIORITIES: Mapping[Priority, int] = {"low": 1, "normal": 2, "high": 3, "urgent": 4}
FRESHDESK_OPEN = 2
FRESHDESK_CHAT = 7

_MAIL = re.compile(r"[\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Content:
    media_type: str
    body: bytes


def cloudevents(event: Event, body: bytes) -> Content | None:
    """As it was published."""
    del event
    return Content(CONTENT_TYPE, body)


def zendesk(event: Event, body: bytes) -> Content | None:
    """A new ticket with the packet as an internal note; None for what is no new ticket."""
    del body
    if not isinstance(event, TicketRequestedEvent):
        return None
    packet = event.data
    ticket: dict[str, Any] = {
        "subject": _without_placeholders(_subject(packet)),
        "comment": {"body": _without_placeholders(_story(packet)), "public": False},
        "priority": packet.priority,
        "external_id": packet.ticket_id,
        "tags": _tags(packet),
    }
    if mail := _mail(packet):
        ticket["requester"] = {"name": mail, "email": mail}
    return _json({"ticket": ticket})


def freshdesk(event: Event, body: bytes) -> Content | None:
    """A new ticket with the packet as its description; None for what is no new ticket."""
    del body
    if not isinstance(event, TicketRequestedEvent):
        return None
    packet = event.data
    # Freshdesk must be told who asks, and makes a contact of whom it does not know.
    mail, customer = _mail(packet), packet.customer
    known = customer.user_id if customer.verified and customer.user_id else f"support-agent:{customer.id}"
    requester = {"email": mail} if mail else {"unique_external_id": known, "name": "Customer of the chat"}
    ticket = {
        "subject": _subject(packet),
        # HTML, so nothing that somebody wrote may be markup.
        "description": html.escape(_story(packet)).replace("\n", "<br>"),
        "priority": FRESHDESK_PRIORITIES[packet.priority],
        "status": FRESHDESK_OPEN,
        "source": FRESHDESK_CHAT,
        "tags": _tags(packet),
    }
    return _json(ticket | requester)


FORMATS: Mapping[Format, Callable[[Event, bytes], Content | None]] = {
    "cloudevents": cloudevents,
    "zendesk": zendesk,
    "freshdesk": freshdesk,
}


def _json(value: Mapping[str, Any]) -> Content:
    return Content("application/json", json.dumps(value, ensure_ascii=False).encode())


def _without_placeholders(text: str) -> str:
    """Zendesk fills in placeholders like {{ticket.url}}, and a customer may write some."""
    return re.sub(r"\{(?=\{)", "{ ", text)


def _subject(packet: HandOff) -> str:
    return " ".join(packet.summary.split())[:MAX_SUBJECT] or f"Ticket {packet.ticket_id}"


def _mail(packet: HandOff) -> str | None:
    """The customer's, if somebody vouched for it: nobody's ticket may be put under another's name."""
    customer = packet.customer
    return customer.user_id if customer.verified and _MAIL.fullmatch(customer.user_id or "") else None


def _tags(packet: HandOff) -> list[str]:
    named = {
        "team": packet.team,
        "category": packet.category,
        "reason": packet.reason,
        "language": packet.language,
        "ticket": packet.ticket_id,
    }
    tags = (f"{name}_{re.sub(r'[^a-z0-9-]+', '_', value.lower())}" for name, value in named.items() if value)
    return ["support_agent", *tags]


def _story(packet: HandOff) -> str:
    """The packet as text. If it is too long, the oldest messages are left out."""
    customer = packet.customer
    who = f"{customer.user_id}{'' if customer.verified else ' (not verified)'}" if customer.user_id else "unknown"
    head = [
        packet.summary,
        "",
        f"Customer: {who}",
        f"Language: {packet.language or 'unknown'}",
        f"Due: {packet.due_at:%Y-%m-%d %H:%M} UTC",
        f"Team: {packet.team}, category: {packet.category}, reason: {packet.reason}",
        f"Ticket {packet.ticket_id}: {packet.links.ticket}",
    ]
    for title, entries in (
        ("Asked to have remembered", packet.customer_facts),
        ("Documents tried", [source.url or source.source for source in packet.sources_tried]),
        ("Files", [f"{file.name} ({file.problem or 'readable'})" for file in packet.attachments]),
    ):
        if entries:
            head += ["", f"{title}:", *(f"- {entry}" for entry in entries)]
    said = [f"{WRITERS[m.role]}, {m.time:%Y-%m-%d %H:%M} UTC: {m.text}" for m in packet.transcript]
    text = "\n".join([*head, "", "Conversation:"])[: MAX_TEXT // 2]
    kept, room = list[str](), MAX_TEXT - len(text)
    for message in reversed(said):
        room -= len(message) + 2
        if room < 0:
            break
        kept.append(message)
    if len(kept) < len(said) or packet.transcript_truncated:
        kept.append(f"[Older messages: {packet.links.transcript}]")
    return "\n\n".join([text, *reversed(kept)])
