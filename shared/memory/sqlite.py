"""`ConversationStore` on one SQLite file: the memory of a laptop, and of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from sqlite3 import Connection

from shared.clock import iso, utc_now
from shared.codec import decode, encode
from shared.errors import Conflict, NotFound, TurnInProgress
from shared.escalation.outbox import OutboxEvent, customer_message
from shared.escalation.ticket import Status, Ticket
from shared.memory import sqlite_backup
from shared.memory.models import (
    Conversation,
    ConversationRecord,
    CustomerFact,
    Erasure,
    Feedback,
    Message,
    OpenTurn,
    Operator,
    id_of_session,
)
from shared.memory.store import Stored, TicketState, check_alone, with_route, with_ticket
from shared.sqlite import Database

PURGED_AT_ONCE = 20
"""Most expired conversations that a new one clears away. More than one, so that none are left for long."""
RECORDS_AT_ONCE = 100
"""Conversations that are read in one transaction when all of a time are asked for."""

_CLAIM = 0
"""The length of window that no count has; it marks a claimed key among the hits."""
_VERSION = 3
_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    session_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, user_id TEXT, created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL, last_lease TEXT, document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS conversations_of_customer ON conversations (customer_id);
CREATE INDEX IF NOT EXISTS conversations_of_user ON conversations (user_id);
CREATE INDEX IF NOT EXISTS conversations_by_start ON conversations (created_at, session_id);
CREATE INDEX IF NOT EXISTS conversations_by_expiry ON conversations (expires_at);
CREATE TABLE IF NOT EXISTS messages (
    session_id TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, answer_to TEXT, document TEXT NOT NULL,
    PRIMARY KEY (session_id, seq), UNIQUE (session_id, id));
CREATE INDEX IF NOT EXISTS answers ON messages (session_id, answer_to);
CREATE TABLE IF NOT EXISTS tickets (
    session_id TEXT NOT NULL, id TEXT NOT NULL, created_at TEXT NOT NULL, sent INTEGER NOT NULL,
    status TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (session_id, id));
CREATE INDEX IF NOT EXISTS unsent_tickets ON tickets (created_at) WHERE NOT sent;
CREATE INDEX IF NOT EXISTS tickets_by_id ON tickets (id);
CREATE INDEX IF NOT EXISTS tickets_by_status ON tickets (status, created_at, id);
CREATE TABLE IF NOT EXISTS events (
    session_id TEXT NOT NULL, id TEXT NOT NULL, created_at TEXT NOT NULL, sent INTEGER NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (session_id, id));
CREATE INDEX IF NOT EXISTS unsent_events ON events (created_at) WHERE NOT sent;
CREATE TABLE IF NOT EXISTS facts (
    customer_id TEXT NOT NULL, id TEXT NOT NULL, created_at TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (customer_id, id));
CREATE INDEX IF NOT EXISTS facts_by_expiry ON facts (document ->> 'expires_at');
CREATE TABLE IF NOT EXISTS operators (username TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS hits (
    key TEXT NOT NULL, ends INTEGER NOT NULL, seconds INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (key, ends, seconds)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hits_by_end ON hits (ends)
"""
_FROM_2 = f"""
DROP INDEX conversations_of_customer;
DROP INDEX conversations_of_user;
DROP INDEX conversations_by_expiry;
DROP INDEX outbox;
ALTER TABLE conversations RENAME TO conversations_2;
ALTER TABLE tickets RENAME TO tickets_2;
{_SCHEMA};
INSERT INTO conversations
    SELECT session_id, customer_id, user_id, document ->> 'created_at', expires_at, last_lease, document
    FROM conversations_2;
INSERT INTO tickets
    SELECT session_id, id, created_at, sent, iif(routed, 'open', 'requested'), document FROM tickets_2;
DROP TABLE conversations_2;
DROP TABLE tickets_2
"""  # noqa: S608 - nothing in it is from elsewhere
_UPGRADES = {1: _FROM_2, 2: _FROM_2}
"""Version 2 had one index more than version 1, which the schema makes anyway."""


class SqliteConversationStore:
    """Every method is one transaction.

    The token of a turn is its lease's end: a lease is only taken when the one before has ended, so a later lease ends
    later. `last_lease` is the newest ever taken, also when its turn is closed; who comes with another has lost it.

    A conversation that has expired is not found by a customer any more. It is kept for `retention`, and cleared away
    when new ones come; but not while one of its tickets waits to be routed, because that is a promise to the customer.
    """

    def __init__(
        self, path: Path, *, retention: timedelta = timedelta(0), now: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = Database(path, schema=_SCHEMA, version=_VERSION, upgrades=_UPGRADES)
        self._retention = retention
        self._now = now

    async def create(self, conversation: Conversation, greeting: Message) -> None:
        def work(db: Connection) -> None:
            _purge(db, expired=self._now() - self._retention, now=self._now())
            stored = replace(conversation, last_seq=0, lease_until=None)
            inserted = db.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?, ?, NULL, ?) ON CONFLICT DO NOTHING",
                (
                    stored.session_id,
                    stored.customer_id,
                    stored.user_id,
                    iso(stored.created_at),
                    iso(stored.expires_at),
                    encode(stored),
                ),
            )
            if not inserted.rowcount:
                raise Conflict("There is a conversation of this id already.")
            _save(db, _add(db, stored, greeting, None)[0])

        await self._database.write(work)

    async def get(self, session_id: str, *, expired: bool = False) -> Conversation:
        return await self._database.read(lambda db: self._conversation(db, session_id, expired=expired)[0])

    async def open_turn(self, message: Message, *, lease_until: datetime, history: int) -> OpenTurn:
        def work(db: Connection) -> OpenTurn:
            conversation, _ = self._conversation(db, message.session_id)
            stored, answer = _message(db, message.session_id, message.id), _answer(db, message)
            if stored and answer:
                return OpenTurn(conversation, stored, _before(db, stored.session_id, stored.seq, history), answer)
            if conversation.lease_until and conversation.lease_until > self._now():
                raise TurnInProgress("An earlier message of this conversation is still being answered.")
            if stored is None:
                conversation, stored = _add(db, conversation, message, None)
            else:
                _tell_person(db, conversation, stored)
            conversation = replace(conversation, lease_until=lease_until)
            _save(db, conversation, last_lease=iso(lease_until))
            return OpenTurn(conversation, stored, _before(db, stored.session_id, stored.seq, history))

        return await self._database.write(work)

    async def close_turn(
        self,
        turn: OpenTurn,
        answer: Message | None,
        ticket: Ticket | None = None,
        facts: Sequence[CustomerFact] = (),
        *,
        beside: str | None = None,
    ) -> Message | None:
        def work(db: Connection) -> Message | None:
            conversation, last_lease = self._conversation(db, turn.message.session_id)
            if first := _answer(db, turn.message):
                return first
            lease = turn.conversation.lease_until
            if lease is None or iso(lease) != last_lease:
                raise Conflict("This turn took too long; another one of the same conversation has begun since.")
            if conversation.lease_until is None:
                return None  # closed before, without an answer; or a person came after the lease had run out
            check_alone(conversation, ticket, beside)
            conversation = replace(conversation, lease_until=None)
            stored = None
            if answer is not None:
                conversation, stored = _add(db, conversation, replace(answer, reply_to=turn.message.id), ticket)
            elif ticket is not None:
                conversation = _add_ticket(db, conversation, ticket)
            for fact in facts:
                _save_fact(db, fact)
            _save(db, conversation)
            return stored

        return await self._database.write(work)

    async def append(self, message: Message, ticket: Ticket | None = None, *, beside: str | None = None) -> Message:
        def work(db: Connection) -> Message:
            conversation, _ = self._conversation(db, message.session_id)
            if stored := _message(db, message.session_id, message.id):
                return stored
            check_alone(conversation, ticket, beside)
            conversation, stored = _add(db, conversation, message, ticket)
            _save(db, conversation)
            return stored

        return await self._database.write(work)

    async def messages(
        self, session_id: str, *, after: int = 0, limit: int = 1000, expired: bool = False
    ) -> tuple[Message, ...]:
        def work(db: Connection) -> tuple[Message, ...]:
            self._conversation(db, session_id, expired=expired)
            rows = db.execute(
                "SELECT document FROM messages WHERE session_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                (session_id, after, limit),
            )
            return tuple(decode(Message, row[0]) for row in rows)

        return await self._database.read(work)

    async def set_feedback(self, session_id: str, message_id: str, feedback: Feedback) -> Message:
        def work(db: Connection) -> Message:
            self._conversation(db, session_id)
            message = _message(db, session_id, message_id)
            if message is None or message.role == "user":
                raise NotFound("There is no such answer in this conversation.")
            message = replace(message, feedback=feedback)
            db.execute(
                "UPDATE messages SET document = ? WHERE session_id = ? AND id = ?",
                (encode(message), session_id, message_id),
            )
            return message

        return await self._database.write(work)

    async def erase(self, session_id: str) -> Erasure:
        return await self._erase(lambda db: _remove(db, session_id))

    # ---- tickets
    async def ticket(self, ticket_id: str, session_id: str | None = None) -> Ticket:
        return await self._database.read(lambda db: _ticket(db, ticket_id, session_id))

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
        conditions, values = [f"status IN ({', '.join('?' * len(statuses))})"], list[object](statuses)
        for condition, value in (
            ("document ->> 'team' = ?", team),
            ("document ->> 'assignee' = ?", assignee),
            ("coalesce(document ->> 'touched_at', created_at) <= ?", iso(untouched_since) if untouched_since else None),
            ("(created_at, id) > (SELECT created_at, id FROM tickets WHERE id = ?)", after),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        query = f"SELECT document FROM tickets WHERE {' AND '.join(conditions)} ORDER BY created_at, id LIMIT ?"  # noqa: S608

        def work(db: Connection) -> Sequence[Ticket]:
            return [decode(Ticket, row[0]) for row in db.execute(query, (*values, limit))]

        return await self._database.read(work)

    async def change_ticket(
        self, ticket: Ticket, change: Callable[[TicketState], TicketState], *, once: str | None = None
    ) -> TicketState:
        def work(db: Connection) -> TicketState:
            stored = _ticket(db, ticket.id, ticket.session_id)
            conversation, _ = self._conversation(db, ticket.session_id, expired=True)
            newest = _before(db, ticket.session_id, conversation.last_seq + 1, 1)[0]
            state = TicketState(conversation, stored, newest)
            if once and (message := _message(db, ticket.session_id, once)):
                return replace(state, message=message)
            changed = change(state)
            conversation, message = changed.conversation, changed.message
            if message is not newest:
                conversation, message = _add(db, conversation, message, None)
            if changed.event:
                _save_event(db, changed.event)
            _save_ticket(db, changed.ticket)
            if conversation.ticket_id is None:
                conversation = replace(conversation, ticket_id=_newest_unresolved(db, ticket.session_id))
            _save(db, conversation)
            return replace(changed, conversation=conversation, message=message)

        return await self._database.write(work)

    async def unsent_tickets(self, *, created_before: datetime, limit: int = 100) -> Sequence[Ticket]:
        def work(db: Connection) -> Sequence[Ticket]:
            rows = db.execute(
                "SELECT document FROM tickets WHERE NOT sent AND created_at < ? ORDER BY created_at, id LIMIT ?",
                (iso(created_before), limit),
            )
            return [decode(Ticket, row[0]) for row in rows]

        return await self._database.read(work)

    async def mark_sent(self, ticket: Ticket, at: datetime) -> None:
        def work(db: Connection) -> None:
            try:
                stored = _ticket(db, ticket.id, ticket.session_id)
            except NotFound:
                return
            if stored.sent_at is None:
                _save_ticket(db, replace(stored, sent_at=at))

        await self._database.write(work)

    async def save_route(self, ticket: Ticket) -> Ticket:
        def work(db: Connection) -> Ticket:
            routed = with_route(_ticket(db, ticket.id, ticket.session_id), ticket)
            _save_ticket(db, routed)
            return routed

        return await self._database.write(work)

    async def unsent_events(self, *, created_before: datetime, limit: int = 100) -> Sequence[OutboxEvent]:
        def work(db: Connection) -> Sequence[OutboxEvent]:
            rows = db.execute(
                "SELECT document FROM events WHERE NOT sent AND created_at < ? ORDER BY created_at, id LIMIT ?",
                (iso(created_before), limit),
            )
            return [decode(OutboxEvent, row[0]) for row in rows]

        return await self._database.read(work)

    async def mark_event_sent(self, event: OutboxEvent, at: datetime) -> None:
        def work(db: Connection) -> None:
            db.execute(
                "UPDATE events SET sent = 1, document = ? WHERE session_id = ? AND id = ? AND NOT sent",
                (encode(replace(event, sent_at=at)), event.session_id, event.id),
            )

        await self._database.write(work)

    # ---- customer facts
    async def remember(self, fact: CustomerFact) -> None:
        await self._database.write(lambda db: _save_fact(db, fact))

    async def facts(self, customer_id: str) -> tuple[CustomerFact, ...]:
        def work(db: Connection) -> tuple[CustomerFact, ...]:
            rows = db.execute(
                "SELECT document FROM facts WHERE customer_id = ? AND coalesce(document ->> 'expires_at' > ?, TRUE)"
                " ORDER BY created_at, id",
                (customer_id, iso(self._now())),
            )
            return tuple(decode(CustomerFact, row[0]) for row in rows)

        return await self._database.read(work)

    async def forget_fact(self, customer_id: str, fact_id: str) -> None:
        def work(db: Connection) -> int:
            return db.execute("DELETE FROM facts WHERE customer_id = ? AND id = ?", (customer_id, fact_id)).rowcount

        if await self._database.write(work):
            await self._database.wipe()

    async def erase_customer(self, customer_id: str) -> Erasure:
        def work(db: Connection) -> Erasure:
            conversations = db.execute(
                "SELECT session_id, customer_id FROM conversations WHERE customer_id = ? UNION"
                " SELECT session_id, customer_id FROM conversations WHERE user_id = ?",
                (customer_id, customer_id),
            ).fetchall()
            erased = sum((_remove(db, session_id) for session_id, _ in conversations), Erasure())
            keys = {customer_id} | {key for _, key in conversations}
            return erased + Erasure(facts=sum(_remove_facts(db, key) for key in keys))

        return await self._erase(work)

    # ---- what happened
    async def records(self, *, since: datetime, until: datetime) -> AsyncIterator[ConversationRecord]:
        after = (iso(since), "")

        def work(db: Connection) -> Sequence[ConversationRecord]:
            rows = db.execute(
                "SELECT document FROM conversations WHERE (created_at, session_id) > (?, ?) AND created_at < ?"
                " ORDER BY created_at, session_id LIMIT ?",
                (*after, iso(until), RECORDS_AT_ONCE),
            )
            return [_record(db, decode(Conversation, row[0])) for row in rows]

        while page := await self._database.read(work):
            for record in page:
                yield record
            last = page[-1].conversation
            after = (iso(last.created_at), last.session_id)

    # ---- operators
    async def operator(self, username: str) -> Operator | None:
        def work(db: Connection) -> Operator | None:
            row = db.execute("SELECT document FROM operators WHERE username = ?", (username,)).fetchone()
            return decode(Operator, row[0]) if row else None

        return await self._database.read(work)

    async def save_operator(self, operator: Operator) -> None:
        def work(db: Connection) -> None:
            db.execute("INSERT OR REPLACE INTO operators VALUES (?, ?)", (operator.username, encode(operator)))

        await self._database.write(work)

    # ---- people
    async def kept(self, *, names: Collection[str], sessions: Collection[str]) -> AsyncIterator[Stored]:
        for one in await self._database.read(lambda db: sqlite_backup.of_person(db, names, sessions)):
            yield one

    # ---- backup
    async def everything(self) -> AsyncIterator[Stored]:
        after = ""

        def work(db: Connection) -> Sequence[Stored]:
            return sqlite_backup.of_conversations(db, after, RECORDS_AT_ONCE)

        while page := await self._database.read(work):
            for one in page:
                if isinstance(one, Conversation):
                    after = one.session_id
                yield one
        for one in await self._database.read(sqlite_backup.of_people):
            yield one

    async def put_back(self, values: Sequence[Stored]) -> None:
        def work(db: Connection) -> None:
            for value in values:
                sqlite_backup.put_back(db, value)

        await self._database.write(work)

    # ---- rate limits
    async def count_hit(self, key: str, *, window: int, now: datetime) -> int:
        seconds = int(now.timestamp())
        ends = seconds - seconds % window + window

        def work(db: Connection) -> int:
            db.execute("DELETE FROM hits WHERE ends <= ?", (seconds,))
            return db.execute(
                "INSERT INTO hits VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count",
                (key, ends, window),
            ).fetchone()[0]

        return await self._database.note(work)  # a minute's allowance need not outlive a power cut

    # ---- what may be used once: a count in a window of its own
    async def claim(self, key: str, *, until: datetime) -> bool:
        ends, seconds = ceil(until.timestamp()), int(self._now().timestamp())

        def work(db: Connection) -> bool:
            db.execute("DELETE FROM hits WHERE ends <= ?", (seconds,))
            if db.execute("SELECT 1 FROM hits WHERE key = ? AND seconds = ?", (key, _CLAIM)).fetchone():
                return False
            db.execute("INSERT INTO hits VALUES (?, ?, ?, 1)", (key, max(ends, seconds + 1), _CLAIM))
            return True

        return await self._database.write(work)

    # ---- life cycle
    async def ping(self) -> None:
        await self._database.read(lambda db: db.execute("SELECT 1 FROM conversations LIMIT 1").fetchone())

    async def close(self) -> None:
        await self._database.close()

    def _conversation(
        self, db: Connection, session_id: str, *, expired: bool = False
    ) -> tuple[Conversation, str | None]:
        """The conversation and its newest lease."""
        row = db.execute(
            "SELECT document, last_lease FROM conversations WHERE session_id = ? AND (expires_at > ? OR ?)",
            (session_id, iso(self._now()), expired),
        ).fetchone()
        if row is None:
            raise NotFound("There is no such conversation, or it has expired.")
        return decode(Conversation, row[0]), row[1]

    async def _erase(self, work: Callable[[Connection], Erasure]) -> Erasure:
        erasure = await self._database.write(work)
        if erasure != Erasure():
            await self._database.wipe()
        return erasure


def _save(db: Connection, conversation: Conversation, *, last_lease: str | None = None) -> None:
    db.execute(
        "UPDATE conversations SET document = ?, expires_at = ?, last_lease = coalesce(?, last_lease)"
        " WHERE session_id = ?",
        (encode(conversation), iso(conversation.expires_at), last_lease, conversation.session_id),
    )


def _add(
    db: Connection, conversation: Conversation, message: Message, ticket: Ticket | None
) -> tuple[Conversation, Message]:
    """Store a message under the next number, with its ticket and event. The caller saves the conversation."""
    message = replace(message, seq=conversation.last_seq + 1)
    db.execute(
        "INSERT INTO messages VALUES (?, ?, ?, ?, ?)",
        (
            conversation.session_id,
            message.seq,
            message.id,
            message.reply_to if message.role == "assistant" else None,
            encode(message),
        ),
    )
    _tell_person(db, conversation, message)
    conversation = replace(conversation, last_seq=message.seq)
    return (conversation if ticket is None else _add_ticket(db, conversation, ticket)), message


def _tell_person(db: Connection, conversation: Conversation, message: Message) -> None:
    """What the customer writes goes to the person who owns the conversation."""
    if event := customer_message(conversation, message):
        _save_event(db, event)


def _save_event(db: Connection, event: OutboxEvent) -> None:
    """The first of an id stays, and whether it was sent."""
    db.execute(
        "INSERT INTO events VALUES (?, ?, ?, 0, ?) ON CONFLICT DO NOTHING",
        (event.session_id, event.id, iso(event.created_at), encode(event)),
    )


def _message(db: Connection, session_id: str, message_id: str) -> Message | None:
    row = db.execute(
        "SELECT document FROM messages WHERE session_id = ? AND id = ?", (session_id, message_id)
    ).fetchone()
    return decode(Message, row[0]) if row else None


def _answer(db: Connection, message: Message) -> Message | None:
    row = db.execute(
        "SELECT document FROM messages WHERE session_id = ? AND answer_to = ? ORDER BY seq LIMIT 1",
        (message.session_id, message.id),
    ).fetchone()
    return decode(Message, row[0]) if row else None


def _before(db: Connection, session_id: str, seq: int, limit: int) -> tuple[Message, ...]:
    rows = db.execute(
        "SELECT document FROM messages WHERE session_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
        (session_id, seq, limit),
    ).fetchall()
    return tuple(decode(Message, row[0]) for row in reversed(rows))


def _record(db: Connection, conversation: Conversation) -> ConversationRecord:
    def documents(table: str, order: str) -> list[str]:
        query = f"SELECT document FROM {table} WHERE session_id = ? ORDER BY {order}"  # noqa: S608
        return [row[0] for row in db.execute(query, (conversation.session_id,))]

    return ConversationRecord(
        conversation,
        tuple(decode(Message, document) for document in documents("messages", "seq")),
        tuple(decode(Ticket, document) for document in documents("tickets", "created_at, id")),
    )


def _ticket(db: Connection, ticket_id: str, session_id: str | None) -> Ticket:
    row = db.execute(
        "SELECT document FROM tickets WHERE id = ? AND session_id = coalesce(?, session_id)", (ticket_id, session_id)
    ).fetchone()
    if row is None:
        raise NotFound("There is no such ticket.")
    return decode(Ticket, row[0])


def _add_ticket(db: Connection, conversation: Conversation, ticket: Ticket) -> Conversation:
    """The same message makes the same ticket: the first one stays. The caller saves the conversation."""
    db.execute(
        "INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            ticket.session_id,
            ticket.id,
            iso(ticket.created_at),
            ticket.sent_at is not None,
            ticket.status,
            encode(ticket),
        ),
    )
    return with_ticket(conversation, ticket)


def _save_ticket(db: Connection, ticket: Ticket) -> None:
    db.execute(
        "UPDATE tickets SET sent = ?, status = ?, document = ? WHERE session_id = ? AND id = ?",
        (ticket.sent_at is not None, ticket.status, encode(ticket), ticket.session_id, ticket.id),
    )


def _newest_unresolved(db: Connection, session_id: str) -> str | None:
    row = db.execute(
        "SELECT id FROM tickets WHERE session_id = ? AND status <> 'resolved'"
        " ORDER BY created_at DESC, id DESC LIMIT 1",
        (session_id,),
    ).fetchone()
    return row[0] if row else None


def _remove(db: Connection, session_id: str) -> Erasure:
    """A conversation with all it holds.

    Its customer's facts are among that when they are kept under this session's id, so that no other can read them.
    """
    own = id_of_session(session_id)
    known = db.execute("SELECT 1 FROM conversations WHERE session_id = ? AND customer_id = ?", (session_id, own))
    facts = _remove_facts(db, own) if known.fetchone() else 0

    def delete(table: str) -> int:
        return db.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,)).rowcount  # noqa: S608

    delete("events")
    return Erasure(
        conversations=delete("conversations"), messages=delete("messages"), tickets=delete("tickets"), facts=facts
    )


def _save_fact(db: Connection, fact: CustomerFact) -> None:
    db.execute(
        "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)",
        (fact.customer_id, fact.id, iso(fact.created_at), encode(fact)),
    )


def _remove_facts(db: Connection, customer_id: str) -> int:
    return db.execute("DELETE FROM facts WHERE customer_id = ?", (customer_id,)).rowcount


def _purge(db: Connection, *, expired: datetime, now: datetime) -> None:
    sessions = db.execute(
        "SELECT session_id FROM conversations c WHERE expires_at <= ? AND NOT EXISTS"
        " (SELECT 1 FROM tickets t WHERE t.session_id = c.session_id AND t.status = 'requested') LIMIT ?",
        (iso(expired), PURGED_AT_ONCE),
    ).fetchall()
    for (session_id,) in sessions:
        _remove(db, session_id)
    db.execute("DELETE FROM facts WHERE document ->> 'expires_at' <= ?", (iso(now),))
