"""All that is kept about a person: found, handed out, and, after an erasure, looked for.

What is looked for does not depend on what erased it: every store is asked again by each name and conversation of the
person, also for what nothing else points to any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.codec import as_document
from shared.errors import NotFound, Unavailable
from shared.escalation.dead_letters import DeadLetters
from shared.escalation.ticket import Ticket
from shared.escalation.transcripts import TranscriptStore
from shared.memory.models import Conversation, id_of_session, id_of_user
from shared.memory.store import ConversationStore

TRANSCRIPT, DEAD_LETTER = "Transcript", "DeadLetter"
"""Kinds of what is kept outside the conversations' store, whose kinds are called as their classes are."""


@dataclass(frozen=True, slots=True)
class Person:
    """By which keys a person is known: names, and conversations."""

    names: Collection[str]
    sessions: Collection[str]


@dataclass(frozen=True, slots=True)
class Remains:
    """How much of each kind is left, and of which kinds nobody can tell because their store does not answer."""

    left: Mapping[str, int]
    unchecked: Sequence[str]


class PersonalData:
    """Every method raises `Unavailable`."""

    def __init__(self, store: ConversationStore, transcripts: TranscriptStore, dead_letters: DeadLetters) -> None:
        self._store = store
        self._transcripts = transcripts
        self._dead_letters = dead_letters

    async def customer(self, user_id: str) -> Person:
        """A customer with all conversations, also those opened under a name that nobody vouched for."""
        names = {user_id, id_of_user(user_id)}
        kept = self._store.kept(names=names, sessions=())
        sessions = {value.session_id async for value in kept if isinstance(value, Conversation)}
        return Person(names | {id_of_session(session) for session in sessions}, sessions)

    def conversation(self, session_id: str) -> Person:
        """Whoever spoke in this conversation, as far as it is only known there."""
        return Person({id_of_session(session_id)}, {session_id})

    async def export(self, person: Person) -> dict[str, list[Any]]:
        """Everything by its kind, as it is stored; transcripts and dead letters as texts."""
        found: dict[str, list[Any]] = {}
        async for value in self._store.kept(names=person.names, sessions=person.sessions):
            found.setdefault(type(value).__name__, []).append(as_document(value))
            if isinstance(value, Ticket) and (text := await self._transcript(value)) is not None:
                found.setdefault(TRANSCRIPT, []).append(text)
        async for text in self._letters(person):
            found.setdefault(DEAD_LETTER, []).append(text)
        return found

    async def remains(self, person: Person) -> Remains:
        """Nothing, after an erasure that was complete."""
        kept = self._store.kept(names=person.names, sessions=person.sessions)
        left, unchecked = Counter[str]([type(value).__name__ async for value in kept]), list[str]()
        for kind, things in ((TRANSCRIPT, self._transcribed(person)), (DEAD_LETTER, self._letters(person))):
            try:
                if count := len([thing async for thing in things]):
                    left[kind] = count
            except Unavailable:
                unchecked.append(kind)
        return Remains(left, unchecked)

    async def _transcribed(self, person: Person) -> AsyncIterator[str]:
        """Conversations with transcripts: also those whose ticket, which names a transcript, is gone."""
        for session_id in await self._transcripts.sessions():
            if session_id in person.sessions:
                yield session_id

    async def _letters(self, person: Person) -> AsyncIterator[str]:
        async for letter in self._dead_letters.list():
            if letter.message.correlation_id in person.sessions:
                yield letter.message.body.decode(errors="replace")

    async def _transcript(self, ticket: Ticket) -> str | None:
        try:
            return (await self._transcripts.read(ticket.session_id, ticket.id)).decode()
        except NotFound:
            return None
