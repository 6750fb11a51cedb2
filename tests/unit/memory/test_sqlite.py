"""What only the embedded store promises: it survives a kill, forgets what it erases, and waits without blocking."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared import sqlite
from shared.errors import ConfigurationError, NotFound, Unavailable
from shared.escalation.ticket import Ticket
from shared.memory import sqlite as memory
from shared.memory.models import Conversation, CustomerFact, Erasure, Message
from shared.memory.sqlite import SqliteConversationStore
from shared.settings import ROOT

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FULL = 2
"""SQLite's number for `synchronous = FULL`."""


def conversation(session_id: str, *, expires_in: float = 3600) -> Conversation:
    return Conversation(session_id, f"session:{session_id}", START, expires_at=START + timedelta(seconds=expires_in))


def said(name: str, session_id: str = "s1", text: str = "Hello") -> Message:
    return Message(name, session_id, "user", text, START)


def ticket(name: str, session_id: str = "s1") -> Ticket:
    return Ticket(name, session_id, "m1", "customer_request", "Wants a person", START)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "conversations.db"


@pytest.fixture
def time() -> list[datetime]:
    return [START]


@pytest.fixture
async def store(path: Path, time: list[datetime]) -> AsyncIterator[SqliteConversationStore]:
    store = SqliteConversationStore(path, now=lambda: time[0])
    yield store
    await store.close()


KILLED = """
import asyncio, os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shared.memory.models import Conversation, Message
from shared.memory.sqlite import SqliteConversationStore

async def main():
    store, now = SqliteConversationStore(Path(sys.argv[1])), datetime.now(UTC)
    await store.create(
        Conversation("s1", "c1", now, now + timedelta(hours=1)), Message("greeting", "s1", "assistant", "Hi", now)
    )
    await store.open_turn(
        Message("m1", "s1", "user", "Hello", now), lease_until=now + timedelta(hours=1), history=1
    )
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def run(program: str, path: Path) -> int:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(path), cwd=ROOT)
    return await process.wait()


async def test_what_a_killed_process_had_stored_is_there(path: Path) -> None:
    assert await run(KILLED, path) == -signal.SIGKILL
    store = SqliteConversationStore(path)
    assert [message.id for message in await store.messages("s1")] == ["greeting", "m1"]
    assert (await store.get("s1")).lease_until is not None
    await store.close()


WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from shared.memory.sqlite import SqliteConversationStore

async def main():
    store = SqliteConversationStore(Path(sys.argv[1]))
    for n in range(25):
        await store.count_hit("key", window=60, now=datetime(2026, 3, 1, 12, tzinfo=UTC))
    await store.close()

asyncio.run(main())
"""


async def test_several_processes_share_a_new_file(path: Path) -> None:
    assert await asyncio.gather(*(run(WRITER, path) for _ in range(3))) == [0, 0, 0]
    store = SqliteConversationStore(path)
    assert await store.count_hit("key", window=60, now=START) == 76
    await store.close()


async def test_erased_text_is_in_no_file(store: SqliteConversationStore, path: Path) -> None:
    secret = "my card number is 4000-1234"
    await store.create(conversation("s1"), said("greeting", text=secret))
    await store.append(said("m1", text=secret * 500), replace(ticket("t1"), summary=secret))
    await store.remember(CustomerFact("f1", "session:s1", secret, "m1", START))

    def found() -> bool:
        return any(secret.encode() in file.read_bytes() for file in path.parent.iterdir())

    assert found()
    await store.erase("s1")
    assert not found()


async def test_expired_conversations_are_cleared_away_but_not_their_waiting_tickets(
    store: SqliteConversationStore, time: list[datetime]
) -> None:
    for name in ("gone", "waiting", "alive"):
        seconds = 7200 if name == "alive" else 60
        await store.create(conversation(name, expires_in=seconds), said("greeting", name))
        await store.remember(CustomerFact("f1", f"session:{name}", "likes tea", "m1", START))
    await store.append(said("m1", "gone"), replace(ticket("t1", "gone"), status="open"))
    await store.append(said("m1", "waiting"), ticket("t2", "waiting"))
    time[0] += timedelta(seconds=61)
    await store.create(conversation("new"), said("greeting", "new"))

    assert await store.erase("gone") == Erasure()
    with pytest.raises(NotFound):
        await store.ticket("t1", "gone")
    assert await store.facts("session:gone") == ()
    assert (await store.get("alive")).last_seq == 1

    await store.save_route(replace(await store.ticket("t2", "waiting"), status="open"))
    await store.create(conversation("newer"), said("greeting", "newer"))
    assert await store.erase("waiting") == Erasure()


async def test_one_new_conversation_clears_away_a_bounded_number(
    store: SqliteConversationStore, time: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PURGED_AT_ONCE", 2)
    for n in range(5):
        await store.create(conversation(f"s{n}", expires_in=60), said("greeting", f"s{n}"))
    time[0] += timedelta(seconds=61)
    await store.create(conversation("new"), said("greeting", "new"))
    left = [await store.erase(f"s{n}") for n in range(5)]
    assert sum(erasure.conversations for erasure in left) == 3


async def test_counts_of_windows_that_are_over_are_cleared_away(store: SqliteConversationStore, path: Path) -> None:
    for minute in range(5):
        await store.count_hit(f"client-{minute}", window=60, now=START + timedelta(minutes=minute))
    file = sqlite3.connect(path)
    assert file.execute("SELECT key FROM hits").fetchall() == [("client-4",)]
    file.close()


async def test_other_work_goes_on_while_the_store_waits_for_another_writer(
    store: SqliteConversationStore, path: Path
) -> None:
    await store.create(conversation("s1"), said("greeting"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.append(said("m1")))
    for _ in range(10):
        await asyncio.sleep(0.005)  # would never come back if the store blocked the loop
    assert not waiting.done()
    other.execute("ROLLBACK")
    assert (await waiting).seq == 2
    other.close()


async def test_a_store_that_stays_locked_is_unavailable(
    path: Path, store: SqliteConversationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    await store.create(conversation("s1"), said("greeting"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match=r"conversations\.db does not answer"):
        await store.append(said("m1"))
    other.close()
    assert (await store.append(said("m1"))).seq == 2  # and it is usable again


async def test_no_file_at_all_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = SqliteConversationStore(tmp_path / "file" / "conversations.db")
    with pytest.raises(Unavailable):
        await store.ping()
    await store.close()


async def test_a_closed_store_is_unavailable(store: SqliteConversationStore) -> None:
    await store.ping()
    await store.close()
    await store.close()
    with pytest.raises(Unavailable, match="closed"):
        await store.ping()


async def test_a_file_of_a_newer_version_is_refused(path: Path, store: SqliteConversationStore) -> None:
    await store.ping()
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    newer = SqliteConversationStore(path)
    with pytest.raises(ConfigurationError, match=r"newer version of this app \(tables 99"):
        await newer.ping()
    await newer.close()


async def test_a_failed_batch_leaves_nothing(store: SqliteConversationStore) -> None:
    await store.create(conversation("s1"), said("greeting"))
    unstorable = replace(ticket("t1"), created_at=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        await store.append(said("m1"), unstorable)
    assert [message.id for message in await store.messages("s1")] == ["greeting"]
    assert (await store.append(said("m2"))).seq == 2


async def test_only_what_is_noted_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    database = sqlite.Database(tmp_path / "a.db", schema="CREATE TABLE IF NOT EXISTS a (b)", version=1)

    def waits(db: sqlite3.Connection) -> bool:
        db.execute("INSERT INTO a VALUES (1)")
        return db.execute("PRAGMA synchronous").fetchone()[0] == FULL

    def fails(db: sqlite3.Connection) -> None:
        waits(db)
        raise NotFound("of its own")

    assert await database.write(waits)
    assert not await database.note(waits)
    with pytest.raises(NotFound):
        await database.note(fails)
    assert await database.write(waits)
    assert await database.read(lambda db: db.execute("SELECT count(*) FROM a").fetchone()[0]) == 3
    await database.close()
