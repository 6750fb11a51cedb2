"""The port to whole transcripts that are too long for an event: the claim check.

Adapters: `folder.py` (a laptop), `blob.py` (Blob Storage).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from shared.errors import InvalidInput

CONTAINER = "transcripts"
"""The container of the transcripts where they are blobs."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class TranscriptStore(Protocol):
    """One JSON document for each ticket, kept by conversation. Every method raises `Unavailable`.

    Ids that could lead elsewhere are refused with `InvalidInput`; the product makes none.
    """

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


def is_id(text: str) -> bool:
    """Whether a conversation or ticket may have this id."""
    return _ID.fullmatch(text) is not None


def checked(identifier: str) -> str:
    """The id. Raises `InvalidInput`."""
    if not is_id(identifier):
        raise InvalidInput("The id of a conversation or ticket has letters, digits, - and _, at most 100.")
    return identifier
