"""The port to whole transcripts that are too long for an event: the claim check. Adapters: `folder.py` (a laptop)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class TranscriptStore(Protocol):
    """One JSON document for each ticket, kept by conversation. Every method raises `Unavailable`."""

    async def write(self, session_id: str, ticket_id: str, document: bytes) -> str:
        """Store a ticket's transcript whole, in place of an earlier one. Returns its name among the transcripts."""
        ...

    async def read(self, session_id: str, ticket_id: str) -> bytes:
        """Raises `NotFound`."""
        ...

    async def sessions(self) -> Sequence[str]:
        """The conversations that have any."""
        ...

    async def erase(self, session_id: str) -> None:
        """Remove all of a conversation; none is no error."""
        ...

    async def close(self) -> None: ...
