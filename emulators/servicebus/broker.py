"""The queues and their messages, in SQLite. It knows nothing of sockets.

A message is locked, given back, set aside and removed as
https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement describes it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from emulators.servicebus import message

DEAD_LETTERS = "/$deadletterqueue"
MAX_DELIVERIES = "MaxDeliveryCountExceeded"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER NOT NULL, queue TEXT NOT NULL, raw BLOB NOT NULL, enqueued REAL NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 0, token TEXT, locked_until REAL NOT NULL DEFAULT 0,
    reason TEXT, description TEXT, PRIMARY KEY (queue, number));
CREATE TABLE IF NOT EXISTS numbers (queue TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS by_token ON messages (token) WHERE token IS NOT NULL;
CREATE TABLE IF NOT EXISTS seen (
    queue TEXT NOT NULL, id TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (queue, id)) WITHOUT ROWID;
"""


class BrokerError(Exception):
    """`condition` is the error's name in AMQP, `status` its number in the answer to a request."""

    def __init__(self, condition: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.condition = condition
        self.status = status


class LockLost(BrokerError):
    def __init__(self) -> None:
        text = "The lock supplied is invalid: it expired, or the message was settled before."
        super().__init__("com.microsoft:message-lock-lost", text, 410)


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """As a queue of Service Bus has them. `duplicate_window_seconds` 0: duplicates are not detected."""

    lock_seconds: float = 60
    max_delivery_count: int = 10
    duplicate_window_seconds: float = 600


@dataclass(frozen=True, slots=True)
class Stored:
    """A message in a queue, or in its dead letters. Each queue counts its own; `token` is that of the lock."""

    number: int
    queue: str
    raw: bytes
    enqueued: float
    deliveries: int
    token: str | None
    locked_until: float
    reason: str | None
    description: str | None

    def render(self, now: float) -> bytes:
        """As a consumer gets it. The count on the wire is that of the deliveries before this one."""
        annotations = {
            "x-opt-sequence-number": self.number,
            "x-opt-enqueued-time": message.milliseconds(self.enqueued),
            "x-opt-message-state": message.state(self.enqueued > now),
        }
        if self.token:
            annotations["x-opt-locked-until"] = message.milliseconds(self.locked_until)
        return message.render(
            self.raw,
            delivery_count=self.deliveries - (1 if self.token else 0),
            annotations=annotations,
            lock_token=UUID(self.token) if self.token else None,
            dead_letter=None if self.reason is None else (self.reason, self.description or ""),
        )


class Broker:
    """`clock` gives seconds since 1970; a test may set another. `path` None keeps everything in memory.

    A queue's name is in lower case; that of its dead letters has `DEAD_LETTERS` at its end.
    """

    def __init__(self, queues: Mapping[str, QueueOptions], path: Path | None = None) -> None:
        self.clock: Callable[[], float] = time.time
        self._queues = {name.lower(): options for name, options in queues.items()}
        # Used on the server's thread only, whoever made it.
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)

    def close(self) -> None:
        self._db.close()

    def options(self, queue: str) -> QueueOptions:
        """Raises `BrokerError` if there is no such queue."""
        try:
            return self._queues[queue.removesuffix(DEAD_LETTERS)]
        except KeyError:
            raise BrokerError("amqp:not-found", f"The messaging entity '{queue}' could not be found.", 404) from None

    # ---- producers
    def send(self, queue: str, raw: bytes) -> int | None:
        """The number of the message; None if it was a duplicate, of which nobody is told."""
        options = self.options(queue)
        if queue.endswith(DEAD_LETTERS):
            raise BrokerError("amqp:not-allowed", "Nothing is sent to dead letters.")
        if len(raw) > message.MAX_BYTES:
            raise BrokerError("amqp:link:message-size-exceeded", f"A message may have {message.MAX_BYTES} bytes.")
        raw = message.with_id(raw)
        sections, now = message.read(raw), self.clock()
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if options.duplicate_window_seconds and not self._is_new(queue, str(sections.id), now, options):
                return None
            (number,) = self._db.execute(
                "INSERT INTO numbers VALUES (?, 1) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last", (queue,)
            ).fetchone()
            enqueued = max(now, sections.scheduled or 0)
            self._db.execute(
                "INSERT INTO messages (number, queue, raw, enqueued) VALUES (?, ?, ?, ?)",
                (number, queue, raw, enqueued),
            )
        return number

    def cancel(self, queue: str, number: int) -> None:
        """Take back a message that is not due yet."""
        removed = self._db.execute(
            "DELETE FROM messages WHERE queue = ? AND number = ? AND enqueued > ?", (queue, number, self.clock())
        )
        if not removed.rowcount:
            raise BrokerError("com.microsoft:message-not-found", f"Message {number} is not scheduled.", 404)

    # ---- consumers
    def lock_next(self, queue: str) -> Stored | None:
        """The oldest message that nobody holds."""
        self._expire()
        now = self.clock()
        until = now + self.options(queue).lock_seconds
        found = self._db.execute(
            "UPDATE messages SET token = ?, locked_until = ?, deliveries = deliveries + 1 WHERE queue = ? AND number ="
            " (SELECT number FROM messages WHERE queue = ? AND token IS NULL AND enqueued <= ?"
            " ORDER BY number LIMIT 1) RETURNING *",
            (str(uuid4()), until, queue, queue, now),
        ).fetchall()
        return Stored(*found[0]) if found else None

    def complete(self, token: str) -> None:
        self._settle("DELETE FROM messages WHERE token = ?", token)

    def abandon(self, token: str) -> None:
        self._settle("UPDATE messages SET token = NULL WHERE token = ?", token)
        self._bury()

    def release(self, token: str) -> None:
        """Give back what was never looked at: the delivery does not count."""
        self._settle("UPDATE messages SET token = NULL, deliveries = deliveries - 1 WHERE token = ?", token)

    def dead_letter(self, token: str, reason: str, description: str) -> None:
        """Aside, with the number it had. Dead letters that are set aside again stay where they are."""
        self._settle(
            "UPDATE messages SET token = NULL, reason = ?, description = ?, queue = replace(queue, ?, '') || ?"
            " WHERE token = ?",
            reason,
            description,
            DEAD_LETTERS,
            DEAD_LETTERS,
            token,
        )

    def renew(self, token: str) -> float:
        """Until when it is locked now."""
        self._expire()
        row = self._db.execute("SELECT queue FROM messages WHERE token = ?", (token,)).fetchone()
        if row is None:
            raise LockLost
        until = self.clock() + self.options(row[0]).lock_seconds
        self._db.execute("UPDATE messages SET locked_until = ? WHERE token = ?", (until, token))
        return until

    def peek(self, queue: str, start: int, limit: int) -> list[Stored]:
        """Also those that are locked or not due yet, from number `start` on."""
        self._expire()
        self.options(queue)
        rows = self._db.execute(
            "SELECT * FROM messages WHERE queue = ? AND number >= ? ORDER BY number LIMIT ?", (queue, start, limit)
        )
        return [Stored(*row) for row in rows]

    # ---- for tests
    def lose_locks(self) -> None:
        """As if every lock ran out now."""
        self._db.execute("UPDATE messages SET locked_until = 0 WHERE token IS NOT NULL")

    def clear(self) -> None:
        self._db.executescript("DELETE FROM messages; DELETE FROM seen;")

    def _is_new(self, queue: str, identifier: str, now: float, options: QueueOptions) -> bool:
        self._db.execute("DELETE FROM seen WHERE until <= ?", (now,))
        until = now + options.duplicate_window_seconds
        added = self._db.execute("INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (queue, identifier, until))
        return bool(added.rowcount)

    def _settle(self, statement: str, *values: str) -> None:
        self._expire()
        if not self._db.execute(statement, values).rowcount:
            raise LockLost

    def _expire(self) -> None:
        """Locks that ran out are gone, and messages that were delivered too often are set aside."""
        freed = self._db.execute(
            "UPDATE messages SET token = NULL WHERE token IS NOT NULL AND locked_until <= ?", (self.clock(),)
        )
        if freed.rowcount:
            self._bury()

    def _bury(self) -> None:
        for queue, options in self._queues.items():
            self._db.execute(
                "UPDATE messages SET queue = ?, reason = ?, description = ?"
                " WHERE queue = ? AND token IS NULL AND deliveries >= ?",
                (
                    queue + DEAD_LETTERS,
                    MAX_DELIVERIES,
                    f"Message could not be consumed after {options.max_delivery_count} delivery attempts.",
                    queue,
                    options.max_delivery_count,
                ),
            )
