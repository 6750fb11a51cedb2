"""The search query of a turn: the question, completed from the turns before it when it cannot stand alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from shared.knowledge.terms import terms

ALONE = 3
"""A question with at least this many content words usually stands alone."""
MAX_CHARS = 1000
"""The embedding model reads about 256 tokens; the beginning of a long message says what it is about."""

_LEANS_BACK = re.compile(
    r"^\W*(?:and|but|or|so|then|also|what about|how about|what if)\b"
    r"|\b(?:it|its|that|this|those|these|they|them|one|ones|there|same|instead)\b",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\s*(?:hi|hello|hey|good (?:morning|afternoon|evening)|dear \w+)(?: there| team| all)?[\s,.!:-]+", re.IGNORECASE
)


class Said(Protocol):
    """Any message: of the store, or of the agent."""

    @property
    def role(self) -> str: ...

    @property
    def text(self) -> str: ...


def search_query(text: str, history: Sequence[Said]) -> str:
    """What to look up for the customer's message `text`, given the messages before it (oldest first).

    A follow-up ("and for laptops?") is put after the customer's previous question, which names the topic.
    """
    question = _GREETING.sub("", text).strip()[:MAX_CHARS] or text.strip()[:MAX_CHARS]
    words = len(terms(question))
    if words >= ALONE and not (_LEANS_BACK.search(question) and words < 2 * ALONE):
        return question
    previous = next((message.text for message in reversed(history) if message.role == "user"), "")
    return f"{previous[: MAX_CHARS - len(question)]} {question}".strip()
