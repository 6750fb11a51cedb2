"""What earlier versions of the app have stored, as they stored it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.codec import SCHEMA, decode, encode
from shared.escalation.ticket import Ticket
from shared.memory.models import Message
from shared.memory.sqlite import SqliteConversationStore
from shared.settings import ROOT

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

TABLES_1 = """
CREATE TABLE conversations (
    session_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, user_id TEXT, expires_at TEXT NOT NULL,
    last_lease TEXT, document TEXT NOT NULL);
CREATE INDEX conversations_of_customer ON conversations (customer_id);
CREATE INDEX conversations_of_user ON conversations (user_id);
CREATE INDEX conversations_by_expiry ON conversations (expires_at);
CREATE TABLE messages (
    session_id TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, answer_to TEXT, document TEXT NOT NULL,
    PRIMARY KEY (session_id, seq), UNIQUE (session_id, id));
CREATE INDEX answers ON messages (session_id, answer_to);
CREATE TABLE tickets (
    session_id TEXT NOT NULL, id TEXT NOT NULL, created_at TEXT NOT NULL, sent INTEGER NOT NULL,
    routed INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (session_id, id));
CREATE INDEX outbox ON tickets (created_at) WHERE NOT sent;
CREATE TABLE facts (
    customer_id TEXT NOT NULL, id TEXT NOT NULL, created_at TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (customer_id, id));
CREATE TABLE operators (username TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE hits (
    key TEXT NOT NULL, ends INTEGER NOT NULL, seconds INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (key, ends, seconds)) WITHOUT ROWID;
CREATE INDEX hits_by_end ON hits (ends);
"""
TABLES_2 = TABLES_1 + "CREATE INDEX facts_by_expiry ON facts (document ->> 'expires_at');"

CONVERSATION = {
    "session_id": "s1",
    "customer_id": "session:s1",
    "user_id": "ada",
    "owner": "bot",
    "last_seq": 3,
    "created_at": "2026-03-01T12:00:00.000000+00:00",
    "expires_at": "2026-03-02T12:00:00.000000+00:00",
    "lease_until": None,
    "schema": 1,
}
MESSAGES = [
    {
        "id": f"m{seq}",
        "session_id": "s1",
        "role": role,
        "text": f"words {seq}",
        "seq": seq,
        "author": None,
        "created_at": "2026-03-01T12:00:00.000000+00:00",
        "reply_to": "m2" if seq == 3 else None,
        "attachments": [],
        "sources": [],
        "grounded": False,
        "degraded": False,
        "requires_escalation": False,
        "ticket_id": None,
        "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
        "feedback": None,
        "schema": 1,
    }
    for seq, role in enumerate(("assistant", "user", "assistant"), start=1)
]
TICKETS = [
    {
        "id": f"t-{status}",
        "session_id": "s1",
        "message_id": "m2",
        "reason": "customer_request",
        "summary": "Help",
        "created_at": "2026-03-01T12:00:00.000000+00:00",
        "user_id": "ada",
        "status": status,
        "schema": 1,
        "sent_at": None,
        "category": None,
        "priority": None,
        "team": None,
        "due_at": None,
    }
    for status in ("requested", "routed")
]


def write_file(path: Path, version: int) -> None:
    with sqlite3.connect(path) as file:
        file.executescript({1: TABLES_1, 2: TABLES_2}[version])
        file.execute(
            "INSERT INTO conversations VALUES ('s1', 'session:s1', 'ada', ?, NULL, ?)",
            (CONVERSATION["expires_at"], json.dumps(CONVERSATION)),
        )
        for message in MESSAGES:
            row = (message["seq"], message["id"], message["reply_to"], json.dumps(message))
            file.execute("INSERT INTO messages VALUES ('s1', ?, ?, ?, ?)", row)
        for ticket in TICKETS:
            row = (ticket["id"], ticket["created_at"], ticket["status"] == "routed", json.dumps(ticket))
            file.execute("INSERT INTO tickets VALUES ('s1', ?, ?, 0, ?, ?)", row)
        file.execute(f"PRAGMA user_version = {version}")
    file.close()


@pytest.fixture(params=[1, 2])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "conversations.db"
    write_file(path, request.param)
    return path


def test_a_routed_ticket_is_an_open_one() -> None:
    requested, routed = (decode(Ticket, json.dumps(ticket)) for ticket in TICKETS)
    assert (requested.status, routed.status) == ("requested", "open")
    assert json.loads(encode(routed))["schema"] == SCHEMA


async def test_an_earlier_file_opens_with_everything_in_it(path: Path) -> None:
    store = SqliteConversationStore(path, now=lambda: START)
    assert [message.text for message in await store.messages("s1")] == ["words 1", "words 2", "words 3"]
    assert [ticket.id for ticket in await store.tickets(statuses=["open"])] == ["t-routed"]
    assert [ticket.id for ticket in await store.tickets(statuses=["requested"])] == ["t-requested"]
    [record] = [one async for one in store.records(since=START, until=START + timedelta(seconds=1))]
    assert record.conversation.user_id == "ada"
    await store.close()


async def test_a_conversation_goes_on_after_the_upgrade(path: Path) -> None:
    store = SqliteConversationStore(path, now=lambda: START)
    turn = await store.open_turn(
        Message("m4", "s1", "user", "And now?", START), lease_until=START + timedelta(seconds=60), history=10
    )
    assert (turn.message.seq, len(turn.history)) == (4, 3)
    await store.close()
    again = SqliteConversationStore(path, now=lambda: START)
    assert (await again.get("s1")).last_seq == 4
    await again.close()


def test_a_process_that_is_killed_meanwhile_leaves_the_file_as_it_was(path: Path) -> None:
    before = dump(path)
    program = (
        "import os, pathlib, sqlite3, sys\n"
        "from shared.memory import sqlite\n"
        "database = sqlite.SqliteConversationStore(pathlib.Path(sys.argv[1]))._database\n"
        "class Dying(sqlite3.Connection):\n"
        "    def execute(self, statement, *rest):\n"
        "        if 'DROP TABLE tickets' in statement: os.kill(os.getpid(), 9)\n"
        "        return super().execute(statement, *rest)\n"
        "connect = sqlite3.connect\n"
        "sqlite3.connect = lambda *a, **k: connect(*a, **k, factory=Dying)\n"
        "database._connect()\n"
    )
    died = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False)
    assert died.returncode == -9
    assert dump(path) == before


async def test_processes_that_start_together_upgrade_it_once(path: Path) -> None:
    stores = [SqliteConversationStore(path, now=lambda: START) for _ in range(8)]
    await asyncio.gather(*(store.ping() for store in stores))
    assert [len(await store.messages("s1")) for store in stores] == [3] * 8
    for store in stores:
        await store.close()


def dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as file:
        lines = [*file.iterdump(), *map(str, file.execute("PRAGMA user_version"))]
    file.close()
    return lines
