"""The embedded queue against a model of a queue, through any sequence of calls."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from shared.errors import Conflict
from shared.escalation.queue import REQUESTS, QueueMessage, ReceivedMessage
from shared.escalation.sqlite import SqliteTicketQueue

LOCK, DELIVERIES, WINDOW = 10, 3, 30


@dataclass
class Entry:
    """A message as the model sees it."""

    id: str
    number: int
    deliveries: int = 0
    locked_until: int = 0
    token: str | None = None
    dead: bool = False


class QueueMachine(RuleBasedStateMachine):
    received: Bundle[ReceivedMessage] = Bundle("received")

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.seconds = 0
        self.entries: list[Entry] = []
        self.seen: dict[str, int] = {}
        self.sends = 0
        self.queue = self.new_queue()

    def new_queue(self) -> SqliteTicketQueue:
        return SqliteTicketQueue(
            Path(self.folder.name) / "queues.db",
            lock_seconds=LOCK,
            max_delivery_count=DELIVERIES,
            duplicate_window_seconds=WINDOW,
            now=lambda: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.seconds),
        )

    def teardown(self) -> None:
        self.loop.run(self.queue.close())
        self.loop.close()
        self.folder.cleanup()

    def free(self, entry: Entry) -> bool:
        return entry.locked_until <= self.seconds

    def bury(self) -> None:
        for entry in self.entries:
            if not entry.dead and self.free(entry) and entry.deliveries >= DELIVERIES:
                entry.dead = True

    @rule(name=st.sampled_from("abcd"))
    def send(self, name: str) -> None:
        self.loop.run(self.queue.send(REQUESTS, QueueMessage(name, b"{}")))
        if self.seen.get(name, 0) <= self.seconds:
            self.sends += 1
            self.entries.append(Entry(name, self.sends))
            self.seen[name] = self.seconds + WINDOW

    @rule(limit=st.integers(1, 3), target=received)
    def receive(self, limit: int):
        batch = self.loop.run(self.queue.receive(REQUESTS, limit=limit))
        self.bury()
        expected = [entry for entry in self.entries if not entry.dead and self.free(entry)][:limit]
        for entry in expected:
            entry.deliveries += 1
            entry.locked_until = self.seconds + LOCK
        assert [(one.message.id, one.delivery_count) for one in batch] == [
            (entry.id, entry.deliveries) for entry in expected
        ]
        for entry, one in zip(expected, batch, strict=True):
            entry.token = one.lock_token
        return multiple(*batch)

    @rule(one=consumes(received), how=st.sampled_from(["complete", "abandon", "dead_letter"]))
    def settle(self, one: ReceivedMessage, how: str) -> None:
        action = getattr(self.queue, how)(one, **({"reason": "why"} if how == "dead_letter" else {}))
        entry = next((entry for entry in self.entries if entry.token == one.lock_token), None)
        if entry is None or self.free(entry):
            with pytest.raises(Conflict):
                self.loop.run(action)
            return
        self.loop.run(action)
        entry.token, entry.locked_until = None, 0
        if how == "complete":
            self.entries.remove(entry)
        elif how == "dead_letter":
            entry.dead = True

    @rule()
    def look(self) -> None:
        letters = self.loop.run(self.queue.dead_letters(REQUESTS))
        self.bury()
        expected = [(entry.id, entry.deliveries) for entry in self.entries if entry.dead]
        assert [(letter.message.id, letter.delivery_count) for letter in letters] == expected
        assert self.loop.run(self.queue.count_dead_letters(REQUESTS)) == len(expected)

    @rule(which=st.integers(0, 3), how=st.sampled_from(["replay", "discard"]))
    def deal_with_a_dead_letter(self, which: int, how: str) -> None:
        letters = self.loop.run(self.queue.dead_letters(REQUESTS))
        self.bury()
        if which < len(letters):
            self.loop.run(getattr(self.queue, how)(letters[which]))
            entry = [entry for entry in self.entries if entry.dead][which]
            entry.dead, entry.deliveries = False, 0
            if how == "discard":
                self.entries.remove(entry)

    @rule(seconds=st.sampled_from([1, LOCK - 1, LOCK, WINDOW]))
    def wait(self, seconds: int) -> None:
        self.seconds += seconds

    @rule()
    def restart(self) -> None:
        self.loop.run(self.queue.close())
        self.queue = self.new_queue()

    @invariant()
    def nothing_is_delivered_more_often_than_allowed(self) -> None:
        assert all(entry.deliveries <= DELIVERIES for entry in self.entries if not entry.dead)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


async def test_a_dead_letter_says_what_went_wrong_the_last_time(tmp_path: Path) -> None:
    queue = SqliteTicketQueue(tmp_path / "queues.db", max_delivery_count=2)
    await queue.send(REQUESTS, QueueMessage("a", b"{}"))
    for problem in ("Unavailable: no store", "InvalidInput: summary: missing"):
        (received,) = await queue.receive(REQUESTS)
        await queue.abandon(received, problem=problem)
    (letter,) = await queue.dead_letters(REQUESTS)
    assert letter.description == (
        "Delivered 2 times and never completed. The last time: InvalidInput: summary: missing"
    )
    await queue.close()


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_what_was_discarded_is_in_no_file_any_more(tmp_path: Path) -> None:
    queue = SqliteTicketQueue(tmp_path / "queues.db")
    await queue.send(REQUESTS, QueueMessage("a", b"MY SECRET WORDS"))
    (received,) = await queue.receive(REQUESTS)
    await queue.dead_letter(received, reason="why")
    (letter,) = await queue.dead_letters(REQUESTS)
    await queue.discard(letter)
    assert b"MY SECRET WORDS" not in bytes_in(tmp_path)
    await queue.close()
