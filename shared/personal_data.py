"""All that is kept about a person: found, handed out, and, after an erasure, looked for.

Stores are read whole, because what is looked for must not depend on the keys by which it was erased. That takes as long
as a backup, and is for an operator's command and not for a request.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import NotFound
from shared.escalation.dead_letters import DeadLetters
from shared.escalation.transcripts import TranscriptStore
from shared.memory.codec import encode
from shared.memory.models import Conversation, CustomerFact, Operator
from shared.memory.store import ConversationStore, Stored


@dataclass(frozen=True, slots=True)
class Person:
    """By which keys a person is known: names, and conversations."""

    names: Collection[str]
    sessions: Collection[str]

    def has(self, value: Stored) -> bool:
        match value:
            case Conversation():
                return value.session_id in self.sessions or bool({value.user_id, value.customer_id} & set(self.names))
            case CustomerFact():
                return value.customer_id in self.names
            case Operator():
                return False
            case _:
                return value.session_id in self.sessions


class PersonalData:
    """Every method raises `Unavailable`."""

    def __init__(self, store: ConversationStore, transcripts: TranscriptStore, dead_letters: DeadLetters) -> None:
        self._store = store
        self._transcripts = transcripts
        self._dead_letters = dead_letters

    async def customer(self, user_id: str) -> Person:
        """A customer with all conversations, also those opened under a name that nobody vouched for."""
        names = {user_id, f"user:{user_id}"}
        sessions: set[str] = set()
        async for value in self._store.everything():
            if isinstance(value, Conversation) and {value.user_id, value.customer_id} & names:
                sessions.add(value.session_id)
        return Person(names | {f"session:{session}" for session in sessions}, sessions)

    async def export(self, person: Person) -> dict[str, list[Any]]:
        """Everything by its kind, as it is stored; transcripts and dead letters as texts."""
        found: dict[str, list[Any]] = {}
        async for kind, document in self._of(person):
            found.setdefault(kind, []).append(document)
        return found

    async def left(self, person: Person) -> Mapping[str, int]:
        """How much of each kind is there; empty after an erasure that was complete."""
        return Counter[str]([kind async for kind, _ in self._of(person)])

    async def _of(self, person: Person) -> AsyncIterator[tuple[str, Any]]:
        tickets: list[tuple[str, str]] = []
        async for value in self._store.everything():
            if person.has(value):
                document = json.loads(encode(value))
                yield type(value).__name__, document
                if type(value).__name__ == "Ticket":
                    tickets.append((document["session_id"], document["id"]))
        for session_id in await self._transcripts.sessions():
            if session_id in person.sessions:
                texts = [
                    text
                    for session, ticket in tickets
                    if session == session_id
                    for text in await self._read(session, ticket)
                ]
                # Without its ticket nothing names it any more; that it is there must be told nevertheless.
                for text in texts or [""]:
                    yield "Transcript", text
        async for letter in self._dead_letters.list():
            if letter.message.correlation_id in person.sessions:
                yield "DeadLetter", letter.message.body.decode(errors="replace")

    async def _read(self, session_id: str, ticket_id: str) -> list[str]:
        try:
            return [(await self._transcripts.read(session_id, ticket_id)).decode()]
        except NotFound:
            return []
