"""What an escalation leaves outside the conversations' store, erased when its conversation is."""

from __future__ import annotations

import logging

from shared.errors import NotFound
from shared.escalation.dead_letters import DeadLetters
from shared.escalation.transcripts import TranscriptStore
from shared.memory.store import ConversationStore

logger = logging.getLogger(__name__)


class Leftovers:
    """Transcripts and dead letters of conversations that are erased, or that have been kept for long enough.

    What the store no longer has is looked for, instead of being told: so nothing is left when the process died between
    the two, or when the store clears away what has expired.
    """

    def __init__(self, store: ConversationStore, transcripts: TranscriptStore, dead_letters: DeadLetters) -> None:
        self._store = store
        self._transcripts = transcripts
        self._dead_letters = dead_letters

    async def erase(self) -> int:
        """Returns how many things were erased. Raises `Unavailable`; then some may be left for the next time."""
        erased = 0
        for session_id in await self._transcripts.sessions():
            if await self._gone(session_id):
                await self._transcripts.erase(session_id)
                erased += 1
        async for letter in self._dead_letters.list():
            session_id = letter.message.correlation_id
            if session_id and await self._gone(session_id):
                await self._dead_letters.discard(letter)
                erased += 1
        if erased:
            logger.info("leftovers_erased", extra={"count": erased})
        return erased

    async def erase_of(self, session_id: str) -> None:
        """Those of one conversation, at once. Raises `Unavailable`."""
        await self._transcripts.erase(session_id)
        async for letter in self._dead_letters.list():
            if letter.message.correlation_id == session_id:
                await self._dead_letters.discard(letter)

    async def _gone(self, session_id: str) -> bool:
        try:
            await self._store.get(session_id, expired=True)
        except NotFound:
            return True
        return False
