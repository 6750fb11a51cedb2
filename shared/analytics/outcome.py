"""What came of a conversation: solved as somebody said, solved as is assumed, not solved, or not over yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from shared.memory.models import ConversationRecord

Outcome = Literal["confirmed_by_customer", "confirmed_by_person", "assumed", "unresolved", "ongoing"]

QUIET = timedelta(hours=24)
"""A conversation without a word for so long is over, also if it has not expired: who comes back on the next day has had
no help from the day before, or has another question."""


def took_part(record: ConversationRecord) -> bool:
    """Whether the customer did more than open it: wrote something, or asked for a person by the button."""
    return bool(record.tickets) or any(message.role == "user" for message in record.messages)


def outcome(record: ConversationRecord, *, now: datetime) -> Outcome:
    """Exactly one outcome of a conversation that the customer took part in.

    What somebody declared counts before what is assumed, and the latest word before earlier ones: a rating says nothing
    about a question that came after it and was left without an answer.
    """
    pending: Outcome = "unresolved" if _is_over(record, now) else "ongoing"
    if any(ticket.status != "resolved" for ticket in record.tickets):
        return pending
    answered, left_at = _end(record)
    declared = [word for word in _declared(record) if left_at is None or word[0] >= left_at]
    if declared:
        _, said = max(declared, key=lambda word: word[0])
        return pending if said == "unresolved" else said
    return "assumed" if answered and not left_at and pending == "unresolved" else pending


def _is_over(record: ConversationRecord, now: datetime) -> bool:
    conversation = record.conversation
    newest = max((message.created_at for message in record.messages), default=conversation.created_at)
    return conversation.expires_at <= now or newest + QUIET <= now


def _declared(record: ConversationRecord) -> Iterator[tuple[datetime, Outcome]]:
    """What was said about the help, and when: the customer's ratings, and how tickets ended."""
    for message in record.messages:
        if message.feedback:
            rated: Outcome = "confirmed_by_customer" if message.feedback.rating == "up" else "unresolved"
            yield message.feedback.at or message.created_at, rated
    for ticket in record.tickets:
        if ticket.resolved_at:
            yield ticket.resolved_at, "assumed" if ticket.resolution == "assumed" else "confirmed_by_person"


def _end(record: ConversationRecord) -> tuple[bool, datetime | None]:
    """Whether there was an answer, grounded or a person's, and since when the customer is left without one.

    Courtesies, notices and questions back are neither an answer nor the lack of one.
    """
    replied_to = {message.reply_to for message in record.messages}
    answered, left_at = False, None
    for message in record.messages:
        if message.abstained or (message.role == "user" and message.id not in replied_to):
            left_at = message.created_at
        elif message.grounded or message.role == "human_agent":
            answered, left_at = True, None
    return answered, left_at
