"""What is pushed, in AG-UI's words as in a stream (https://docs.ag-ui.com/concepts/events).

A **frame** is one JSON object: `{"seq": 7, "events": [...]}`. `seq` is the number of the message it is about, as in
`GET …/messages`, and null for what is no message. All of a frame's events belong together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from shared.ag_ui import Event, custom, text_content, text_end, text_start
from shared.escalation.ticket import Ticket
from shared.memory.models import Message, Owner

MAX_FRAME = 256 * 1024
"""Bytes; Web PubSub takes 1 MB. An answer with many long sources may be larger."""

type Frame = Mapping[str, Any]


def message_frame(
    message: Message, *, owner: Owner | None = None, ticket: Ticket | None = None, asks_feedback: bool = False
) -> Frame:
    """A stored message; with it who answers from now on and a ticket's new status, as far as they changed with it.
    `asks_feedback`: the customer may be asked to rate it."""
    events = [*_text(message), _about(message)]
    if message.sources:
        events.append(custom("sources", [asdict(source) for source in message.sources]))
    if message.role == "assistant" and message.ticket_id:
        events.append(custom("escalation", {"ticket_id": message.ticket_id}))
    events += _changes(owner, ticket)
    if asks_feedback:
        events.append(custom("feedback_request", {"message_id": message.id}))
    frame = _frame(message.seq, events)
    if len(json.dumps(frame, ensure_ascii=False).encode()) <= MAX_FRAME:
        return frame
    # Only what tells that it is there; its reader asks for the rest.
    return _frame(message.seq, [_about(message), *_changes(owner, ticket)])


def change_frame(*, owner: Owner | None = None, ticket: Ticket | None = None) -> Frame:
    """A change that no message tells of."""
    return _frame(None, _changes(owner, ticket))


def feedback_frame(message: Message) -> Frame:
    """The customer rated a message."""
    rating = message.feedback.rating if message.feedback else None
    return _frame(None, [custom("feedback", {"message_id": message.id, "rating": rating})])


def typing_frame(author: str | None) -> Frame:
    """Somebody types: a person of the company, or the customer if `author` is None. Holds for a few seconds."""
    role = "user" if author is None else "human_agent"
    return _frame(None, [custom("typing", {"role": role, "author": author})])


def _text(message: Message) -> list[Event]:
    """AG-UI knows people of the company by their name only; `message` says who it is."""
    role = "user" if message.role == "user" else "assistant"
    return [
        text_start(message.id, role, message.author),
        text_content(message.id, message.text),
        text_end(message.id),
    ]


def _about(message: Message) -> Event:
    value = {
        "message_id": message.id,
        "seq": message.seq,
        "role": message.role,
        "author": message.author,
        "created_at": message.created_at.isoformat(),
        "reply_to": message.reply_to,
        "ticket_id": message.ticket_id,
    }
    return custom("message", value)


def _changes(owner: Owner | None, ticket: Ticket | None) -> list[Event]:
    events: list[Event] = []
    if owner:
        events.append(custom("owner", {"owner": owner}))
    if ticket:
        events.append(custom("ticket", {"ticket_id": ticket.id, "status": ticket.status}))
    return events


def _frame(seq: int | None, events: Sequence[Event]) -> Frame:
    return {"seq": seq, "events": events}
