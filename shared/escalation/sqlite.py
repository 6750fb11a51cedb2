"""`TicketQueue` on one SQLite file: peek-lock queues for a laptop, shared by all its processes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import Connection, Row

from shared.clock import iso, utc_now
from shared.errors import Conflict, NotFound, PayloadTooLarge
from shared.escalation.queue import MAX_MESSAGE_BYTES, DeadLetter, QueueMessage, ReceivedMessage
from shared.sqlite import Database

MAX_PROBLEM = 1000
"""Characters kept of what went wrong with a message."""

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    sequence_number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, dead INTEGER NOT NULL DEFAULT 0,
    id TEXT NOT NULL, body BLOB NOT NULL, content_type TEXT NOT NULL, subject TEXT, correlation_id TEXT,
    properties TEXT NOT NULL, enqueued_at TEXT NOT NULL, delivery_count INTEGER NOT NULL DEFAULT 0,
    lock_token TEXT, locked_until TEXT NOT NULL DEFAULT '', reason TEXT, description TEXT);
CREATE INDEX IF NOT EXISTS messages_of_queue ON messages (queue, dead, sequence_number);
CREATE TABLE IF NOT EXISTS seen (
    queue TEXT NOT NULL, id TEXT NOT NULL, until TEXT NOT NULL, PRIMARY KEY (queue, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_until ON seen (until)
"""


class SqliteTicketQueue:
    """Every method is one transaction. An empty `locked_until` is long past: such a message is free.

    `description` is the last problem of a message that is given back, then that of the dead letter.
    """

    def __init__(
        self,
        path: Path,
        *,
        lock_seconds: float = 60,
        max_delivery_count: int = 10,
        duplicate_window_seconds: float = 600,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = Database(path, schema=_SCHEMA, version=_VERSION)
        self._lock = timedelta(seconds=lock_seconds)
        self._max_delivery_count = max_delivery_count
        self._duplicate_window = timedelta(seconds=duplicate_window_seconds)
        self._now = now

    async def send(self, queue: str, message: QueueMessage) -> None:
        """Raises `PayloadTooLarge` above 256 KB, `Unavailable`."""
        properties = json.dumps(dict(message.properties))
        size = len(message.body) + len(properties.encode()) + len(message.id.encode())
        if size > MAX_MESSAGE_BYTES:
            raise PayloadTooLarge(f"A queue message may have {MAX_MESSAGE_BYTES} bytes; {message.id} has {size}.")

        def work(db: Connection) -> None:
            now = self._now()
            db.execute("DELETE FROM seen WHERE until <= ?", (iso(now),))
            new = db.execute(
                "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (queue, message.id, iso(now + self._duplicate_window)),
            )
            if new.rowcount:
                db.execute(
                    "INSERT INTO messages (queue, id, body, content_type, subject, correlation_id, properties,"
                    " enqueued_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        queue,
                        message.id,
                        message.body,
                        message.content_type,
                        message.subject,
                        message.correlation_id,
                        properties,
                        iso(now),
                    ),
                )

        await self._database.write(work)

    async def receive(self, queue: str, *, limit: int = 1) -> Sequence[ReceivedMessage]:
        def work(db: Connection) -> Sequence[ReceivedMessage]:
            now = self._now()
            self._bury_overdelivered(db, queue, now)
            # RETURNING promises no order.
            rows = db.execute(
                "UPDATE messages SET delivery_count = delivery_count + 1, lock_token = ? || '/' || sequence_number,"
                " locked_until = ? WHERE sequence_number IN (SELECT sequence_number FROM messages"
                " WHERE queue = ? AND NOT dead AND locked_until <= ? ORDER BY sequence_number LIMIT ?) RETURNING *",
                (uuid.uuid4().hex, iso(now + self._lock), queue, iso(now), limit),
            ).fetchall()
            return sorted((_received(row) for row in rows), key=lambda received: received.sequence_number)

        return await self._database.write(work)

    async def complete(self, received: ReceivedMessage) -> None:
        def work(db: Connection) -> None:
            self._check_lock(db, received)
            db.execute("DELETE FROM messages WHERE sequence_number = ?", (received.sequence_number,))

        await self._database.write(work)

    async def abandon(self, received: ReceivedMessage, *, problem: str = "") -> None:
        def work(db: Connection) -> None:
            self._check_lock(db, received)
            _free(db, received)
            db.execute(
                "UPDATE messages SET description = ? WHERE sequence_number = ?",
                (problem[:MAX_PROBLEM], received.sequence_number),
            )
            self._bury_overdelivered(db, received.queue, self._now())

        await self._database.write(work)

    async def dead_letter(self, received: ReceivedMessage, *, reason: str, description: str = "") -> None:
        def work(db: Connection) -> None:
            self._check_lock(db, received)
            _free(db, received)
            db.execute(
                "UPDATE messages SET dead = 1, reason = ?, description = ? WHERE sequence_number = ?",
                (reason, description, received.sequence_number),
            )

        await self._database.write(work)

    # ---- dead letters
    async def dead_letters(self, queue: str, *, after: int = 0, limit: int = 100) -> Sequence[DeadLetter]:
        def work(db: Connection) -> Sequence[DeadLetter]:
            self._bury_overdelivered(db, queue, self._now())
            rows = db.execute(
                "SELECT * FROM messages WHERE queue = ? AND dead AND sequence_number > ?"
                " ORDER BY sequence_number LIMIT ?",
                (queue, after, limit),
            )
            return [_dead_letter(row) for row in rows]

        return await self._database.write(work)

    async def count_dead_letters(self, queue: str) -> int:
        def work(db: Connection) -> int:
            self._bury_overdelivered(db, queue, self._now())
            return db.execute("SELECT count(*) FROM messages WHERE queue = ? AND dead", (queue,)).fetchone()[0]

        return await self._database.write(work)

    async def replay(self, letter: DeadLetter) -> None:
        await self._change(
            letter, "UPDATE messages SET dead = 0, delivery_count = 0, reason = NULL, description = NULL"
        )

    async def discard(self, letter: DeadLetter) -> None:
        await self._change(letter, "DELETE FROM messages")
        await self._database.wipe()

    async def _change(self, letter: DeadLetter, statement: str) -> None:
        def work(db: Connection) -> None:
            changed = db.execute(
                f"{statement} WHERE sequence_number = ? AND queue = ? AND dead", (letter.sequence_number, letter.queue)
            )
            if not changed.rowcount:
                raise NotFound(f"Message {letter.message.id} is no dead letter of {letter.queue} any more.")

        await self._database.write(work)

    # ---- life cycle
    async def ping(self) -> None:
        await self._database.read(lambda db: db.execute("SELECT 1 FROM messages LIMIT 1").fetchone())

    async def close(self) -> None:
        await self._database.close()

    def _check_lock(self, db: Connection, received: ReceivedMessage) -> None:
        held = db.execute(
            "SELECT 1 FROM messages WHERE sequence_number = ? AND lock_token = ? AND locked_until > ?",
            (received.sequence_number, received.lock_token, iso(self._now())),
        ).fetchone()
        if held is None:
            raise Conflict(f"The lock of message {received.message.id} was lost: it ran out, or it was settled before.")

    def _bury_overdelivered(self, db: Connection, queue: str, now: datetime) -> None:
        db.execute(
            "UPDATE messages SET dead = 1, reason = 'MaxDeliveryCountExceeded', lock_token = NULL, locked_until = '',"
            " description = ? || coalesce(' The last time: ' || nullif(description, ''), '')"
            " WHERE queue = ? AND NOT dead AND locked_until <= ? AND delivery_count >= ?",
            (
                f"Delivered {self._max_delivery_count} times and never completed.",
                queue,
                iso(now),
                self._max_delivery_count,
            ),
        )


def _free(db: Connection, received: ReceivedMessage) -> None:
    db.execute(
        "UPDATE messages SET lock_token = NULL, locked_until = '' WHERE sequence_number = ?",
        (received.sequence_number,),
    )


def _received(row: Row) -> ReceivedMessage:
    return ReceivedMessage(
        message=_message(row),
        queue=row["queue"],
        lock_token=row["lock_token"],
        delivery_count=row["delivery_count"],
        sequence_number=row["sequence_number"],
        enqueued_at=datetime.fromisoformat(row["enqueued_at"]),
        locked_until=datetime.fromisoformat(row["locked_until"]),
    )


def _dead_letter(row: Row) -> DeadLetter:
    return DeadLetter(
        message=_message(row),
        queue=row["queue"],
        sequence_number=row["sequence_number"],
        delivery_count=row["delivery_count"],
        enqueued_at=datetime.fromisoformat(row["enqueued_at"]),
        reason=row["reason"],
        description=row["description"],
    )


def _message(row: Row) -> QueueMessage:
    return QueueMessage(
        id=row["id"],
        body=row["body"],
        content_type=row["content_type"],
        subject=row["subject"],
        correlation_id=row["correlation_id"],
        properties=json.loads(row["properties"]),
    )
