"""What is left of a person is found wherever it is, and what cannot be looked for is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.escalation.dead_letters import DeadLetters
from shared.escalation.folder import FolderTranscriptStore
from shared.escalation.queue import WEBHOOKS, QueueMessage
from shared.escalation.sqlite import SqliteTicketQueue
from shared.escalation.ticket import Ticket
from shared.memory.models import Conversation, CustomerFact, Message
from shared.memory.sqlite import SqliteConversationStore
from shared.personal_data import Person, PersonalData, Remains

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Parts:
    def __init__(self, folder: Path) -> None:
        self.store = SqliteConversationStore(folder / "conversations.db", now=lambda: START)
        self.queue = SqliteTicketQueue(folder / "queues.db", now=lambda: START)
        self.transcripts = FolderTranscriptStore(folder / "transcripts")
        self.data = PersonalData(self.store, self.transcripts, DeadLetters(self.queue))


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    """Two of Ada's conversations, one under a name that nobody vouched for, and Bob's, with all that there is."""
    parts = Parts(tmp_path)
    for session_id, user, customer in (("s1", "ada", "user:ada"), ("s2", "ada", "session:s2"), ("s3", "bob", "b")):
        await parts.store.create(
            Conversation(session_id, customer, START, START + timedelta(hours=1), user_id=user),
            Message("greeting", session_id, "assistant", "Hello", START),
        )
        message = Message("m1", session_id, "user", f"I am {user}", START)
        await parts.store.append(message, Ticket(f"t-{session_id}", session_id, "m1", "complaint", "Hm", START))
        await parts.store.remember(CustomerFact("f1", customer, "likes tea", "m1", START))
        await parts.transcripts.write(session_id, f"t-{session_id}", f"of {user}".encode())
        await parts.queue.send(WEBHOOKS, QueueMessage(session_id, f"to {user}".encode(), correlation_id=session_id))
        (received,) = await parts.queue.receive(WEBHOOKS)
        await parts.queue.dead_letter(received, reason="why")
    yield parts
    await parts.store.close()
    await parts.queue.close()


ALL = {"Conversation": 2, "Message": 4, "Ticket": 2, "CustomerFact": 2, "Transcript": 2, "DeadLetter": 2}


async def test_all_of_a_customer_is_found_and_nothing_of_anybody_else(parts: Parts) -> None:
    ada = await parts.data.customer("ada")
    assert ada == Person({"ada", "user:ada", "session:s1", "session:s2"}, {"s1", "s2"})
    assert await parts.data.remains(ada) == Remains(ALL, [])
    exported = await parts.data.export(ada)
    assert {kind: len(values) for kind, values in exported.items()} == ALL
    assert exported["Transcript"] == ["of ada", "of ada"]
    assert exported["DeadLetter"] == ["to ada", "to ada"]
    assert {ticket["id"] for ticket in exported["Ticket"]} == {"t-s1", "t-s2"}


async def test_what_nothing_points_to_any_more_is_found(parts: Parts) -> None:
    person = parts.data.conversation("s1")
    await parts.store._database.write(lambda db: db.execute("DELETE FROM conversations WHERE session_id = 's1'"))
    left = {"Message": 2, "Ticket": 1, "Transcript": 1, "DeadLetter": 1}
    assert await parts.data.remains(person) == Remains(left, [])
    await parts.store.erase("s1")
    assert (await parts.data.remains(person)).left.keys() == {"Transcript", "DeadLetter"}


async def test_a_kind_whose_store_does_not_answer_is_told(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise Unavailable("The queue does not answer.")

    monkeypatch.setattr(parts.queue, "dead_letters", away)
    remains = await parts.data.remains(parts.data.conversation("s1"))
    assert remains.unchecked == ["DeadLetter"]
    assert remains.left["Transcript"] == 1
    assert "DeadLetter" not in remains.left
    with pytest.raises(Unavailable):
        await parts.data.export(parts.data.conversation("s1"))
