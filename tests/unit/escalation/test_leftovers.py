"""What is kept outside the store goes when its conversation does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.escalation.dead_letters import DeadLetters
from shared.escalation.folder import FolderTranscriptStore
from shared.escalation.leftovers import Leftovers
from shared.escalation.queue import ESCALATIONS, REQUESTS, WEBHOOKS, QueueMessage
from shared.escalation.sqlite import SqliteTicketQueue
from shared.memory.models import Conversation, Message
from shared.memory.sqlite import SqliteConversationStore

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Parts:
    def __init__(self, folder: Path) -> None:
        self.now = START
        self.store = SqliteConversationStore(
            folder / "conversations.db", retention=timedelta(days=30), now=lambda: self.now
        )
        self.queue = SqliteTicketQueue(folder / "queues.db", now=lambda: self.now)
        self.transcripts = FolderTranscriptStore(folder / "transcripts")
        self.leftovers = Leftovers(self.store, self.transcripts, DeadLetters(self.queue))

    async def begin(self, session_id: str, at: datetime = START) -> None:
        await self.store.create(
            Conversation(session_id, "user:ada", at, at + timedelta(hours=24), user_id="ada"),
            Message("greeting", session_id, "assistant", "Hello", at),
        )

    async def left(self) -> set[str]:
        letters = [letter async for letter in DeadLetters(self.queue).list()]
        return {*await self.transcripts.sessions(), *(letter.message.id for letter in letters)}


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    """Two conversations, each with a transcript and two dead letters; one dead letter is nobody's."""
    parts = Parts(tmp_path)
    for session_id in ("s1", "s2"):
        await parts.begin(session_id)
        await parts.transcripts.write(session_id, "tkt-1", b"{}")
    for queue, identifier, session_id in (
        (REQUESTS, "r1", "s1"),
        (ESCALATIONS, "e2", "s2"),
        (WEBHOOKS, "w1", "s1"),
        (WEBHOOKS, "w2", "s2"),
        (REQUESTS, "junk", None),
    ):
        await parts.queue.send(queue, QueueMessage(identifier, b"{}", correlation_id=session_id))
        (received,) = await parts.queue.receive(queue)
        await parts.queue.dead_letter(received, reason="why")
    yield parts
    await parts.queue.close()
    await parts.store.close()


ALL = {"s1", "s2", "r1", "e2", "w1", "w2", "junk"}


async def test_what_belongs_to_a_conversation_stays_with_it(parts: Parts) -> None:
    parts.now += timedelta(days=2)  # expired, and still kept
    assert await parts.leftovers.erase() == 0
    assert await parts.left() == ALL


async def test_with_a_conversation_goes_what_it_left(parts: Parts) -> None:
    await parts.store.erase("s1")
    assert await parts.leftovers.erase() == 3
    assert await parts.left() == ALL - {"s1", "r1", "w1"}
    assert await parts.leftovers.erase() == 0


async def test_with_a_customer_goes_all_they_left(parts: Parts) -> None:
    await parts.store.erase_customer("ada")
    await parts.leftovers.erase()
    assert await parts.left() == {"junk"}


async def test_nothing_is_kept_longer_than_the_conversation(parts: Parts) -> None:
    parts.now += timedelta(days=32)
    await parts.begin("s3", parts.now)  # the store clears away what has expired
    await parts.leftovers.erase()
    assert await parts.left() == {"junk"}


async def test_a_store_that_does_not_answer_erases_nothing(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(session_id: str, *, expired: bool = False) -> Conversation:
        raise Unavailable("no store")

    monkeypatch.setattr(parts.store, "get", down)
    with pytest.raises(Unavailable):
        await parts.leftovers.erase()
    assert await parts.left() == ALL


async def test_of_one_conversation_at_once(parts: Parts) -> None:
    await parts.leftovers.erase_of("s1")
    assert await parts.left() == ALL - {"s1", "r1", "w1"}
    await parts.leftovers.erase_of("s1")
