"""What a person wants erased: erased, looked for in every store, and receipted."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from shared.conversation.service import ConversationService
from shared.memory.models import Erasure
from shared.personal_data import Person, PersonalData
from shared.security import receipts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """`left` counts by kind what was found afterwards, nothing if all went well; `unchecked` are kinds whose store did
    not answer: the timer that clears away what a conversation leaves will come to them. `signed` holds all of it, and
    is None without a secret."""

    erased: Erasure
    left: Mapping[str, int]
    unchecked: Sequence[str]
    at: datetime
    signed: str | None

    @property
    def complete(self) -> bool:
        return not self.left and not self.unchecked


class ErasureService:
    """`secret` signs the receipts; without one there are none. Every method raises `Unavailable`: then something may
    be erased, and asking again erases the rest."""

    def __init__(
        self, conversations: ConversationService, data: PersonalData, *, secret: str, now: Callable[[], datetime]
    ) -> None:
        self._conversations = conversations
        self._data = data
        self._secret = secret
        self._now = now

    async def session(self, session_id: str) -> Receipt:
        """One conversation with its messages, tickets, and what was remembered in it alone."""
        person = self._data.conversation(session_id)
        return await self._receipted(session_subject(session_id), person, self._conversations.erase(session_id))

    async def customer(self, user_id: str) -> Receipt:
        """Every conversation, ticket and remembered fact of a customer."""
        person = await self._data.customer(user_id)
        return await self._receipted(user_subject(user_id), person, self._conversations.erase_customer(user_id))

    async def _receipted(self, subject: str, person: Person, erasing: Awaitable[Erasure]) -> Receipt:
        erased = await erasing
        remains, at = await self._data.remains(person), self._now()
        told = {"left": dict(remains.left), "unchecked": list(remains.unchecked)}
        signed = receipts.sign(self._secret, subject, {**asdict(erased), **told}, at) if self._secret else None
        receipt = Receipt(erased, remains.left, remains.unchecked, at, signed)
        if not receipt.complete:
            logger.error("erasure_incomplete", extra=told)
        return receipt


def session_subject(session_id: str) -> str:
    """Whose erasure a receipt is about."""
    return f"session/{session_id}"


def user_subject(user_id: str) -> str:
    return f"user/{user_id}"
