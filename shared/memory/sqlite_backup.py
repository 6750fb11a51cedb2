"""The values of the SQLite store as a backup has them, or a person's export: out of it, and back into it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from sqlite3 import Connection

from shared.clock import iso
from shared.codec import decode, encode
from shared.escalation.outbox import OutboxEvent
from shared.escalation.ticket import Ticket
from shared.memory.models import Conversation, CustomerFact, Message, Operator
from shared.memory.store import Stored


def of_conversations(db: Connection, after: str, limit: int) -> list[Stored]:
    """The next conversations by id, each with what belongs to it."""
    rows = db.execute(
        "SELECT document FROM conversations WHERE session_id > ? ORDER BY session_id LIMIT ?", (after, limit)
    )
    found = list[Stored]()
    for conversation in [decode(Conversation, row[0]) for row in rows]:
        found.append(conversation)
        found.extend(_belonging(db, conversation.session_id))
    return found


def of_person(db: Connection, names: Collection[str], sessions: Collection[str]) -> list[Stored]:
    """Whoever has one of these names, and these conversations, whether or not anything else still knows of them."""
    named = json.dumps(list(names))
    rows = db.execute(
        "SELECT session_id FROM conversations WHERE customer_id IN (SELECT value FROM json_each(?)) UNION"
        " SELECT session_id FROM conversations WHERE user_id IN (SELECT value FROM json_each(?))",
        (named, named),
    ).fetchall()
    found = list[Stored]()
    for session_id in sorted({*sessions, *(row[0] for row in rows)}):
        heads = db.execute("SELECT document FROM conversations WHERE session_id = ?", (session_id,))
        found.extend(decode(Conversation, row[0]) for row in heads)
        found.extend(_belonging(db, session_id))
    facts = db.execute(
        "SELECT document FROM facts WHERE customer_id IN (SELECT value FROM json_each(?)) ORDER BY customer_id, id",
        (named,),
    )
    return [*found, *(decode(CustomerFact, row[0]) for row in facts)]


def _belonging(db: Connection, session_id: str) -> list[Stored]:
    found = list[Stored]()
    for table, kind in (("messages", Message), ("tickets", Ticket), ("events", OutboxEvent)):
        own = db.execute(f"SELECT document FROM {table} WHERE session_id = ? ORDER BY rowid", (session_id,))  # noqa: S608
        found.extend(decode(kind, row[0]) for row in own)
    return found


def of_people(db: Connection) -> list[Stored]:
    """What is known about customers, and the operators."""
    facts = db.execute("SELECT document FROM facts ORDER BY customer_id, id")
    operators = db.execute("SELECT document FROM operators ORDER BY username")
    return [*(decode(CustomerFact, row[0]) for row in facts), *(decode(Operator, row[0]) for row in operators)]


def put_back(db: Connection, value: Stored) -> None:
    match value:
        case Conversation():
            table, row = "conversations", _conversation(value)
        case Message():
            answers = value.reply_to if value.role == "assistant" else None
            table, row = "messages", (value.session_id, value.seq, value.id, answers, encode(value))
        case Ticket():
            about = (value.session_id, value.id, iso(value.created_at), value.sent_at is not None, value.status)
            table, row = "tickets", (*about, encode(value))
        case OutboxEvent():
            about = (value.session_id, value.id, iso(value.created_at), value.sent_at is not None)
            table, row = "events", (*about, encode(value))
        case CustomerFact():
            table, row = "facts", (value.customer_id, value.id, iso(value.created_at), encode(value))
        case Operator():
            table, row = "operators", (value.username, encode(value))
    db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608


def _conversation(value: Conversation) -> tuple[str | None, ...]:
    """No turn runs in it."""
    value = replace(value, lease_until=None)
    times = (iso(value.created_at), iso(value.expires_at))
    return (value.session_id, value.customer_id, value.user_id, *times, None, encode(value))
