"""What a turn looks up: the customer's message, with what was said before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from shared.conversation.sentences import spans
from shared.knowledge.question import EARLIER, Question, stands_alone
from shared.knowledge.terms import terms
from shared.memory.models import Message

MAX_CHARS = 1000
"""The embedding model reads about 256 tokens; the beginning of a long message says what it is about."""

_GREETING = re.compile(
    r"^\s*(?:hi|hello|hey|good (?:morning|afternoon|evening)|dear \w+)(?: there| team| all)?[\s,.!:-]+", re.IGNORECASE
)

_QUESTION_WORDS = "how|what|when|where|who|which|why|can|could|do|does|did|is|are|will|would|should|may"
_ASKS = re.compile(rf"\W*(?:{_QUESTION_WORDS})\b", re.IGNORECASE)
_AND_ASKS = re.compile(rf",?\s+and\s+(?=(?:{_QUESTION_WORDS})\b)", re.IGNORECASE)


class Said(Protocol):
    """Any message: of the store, or of the agent."""

    @property
    def role(self) -> str: ...

    @property
    def text(self) -> str: ...


def search_question(text: str, history: Sequence[Message]) -> Question:
    """What to look up for the customer's message `text`, given the messages before it (oldest first).

    Of the bot's messages only answers count: neither a greeting nor "I could not find …" says what this is about.
    """
    said = [message for message in history if message.role != "assistant" or message.sources]
    newest = list(reversed(said))
    last = newest[0] if newest else None
    return Question(
        text=_without_greeting(text),
        replied=last.text[:MAX_CHARS] if last and last.role != "user" else "",
        asked=tuple(message.text[:MAX_CHARS] for message in newest if message.role == "user"),
        said=tuple(message.text[:MAX_CHARS] for message in newest),
    )


def whole_question(text: str, history: Sequence[Said]) -> str:
    """The question in words that stand alone: a follow-up ("and for laptops?") after the messages before it."""
    question = _without_greeting(text)
    before = " ".join(reversed(questions_before(text, history)))
    return f"{before[: MAX_CHARS - len(question)]} {question}".strip()


def questions_before(text: str, history: Sequence[Said]) -> list[str]:
    """The customer's messages that name the topic of a follow-up, newest first: those before it, back to one that
    stands alone. Empty if `text` does itself."""
    found: list[str] = []
    if stands_alone(_without_greeting(text)):
        return found
    for message in reversed(history):
        if message.role == "user":
            found.append(message.text)
            if stands_alone(_without_greeting(message.text)) or len(found) == EARLIER:
                break
    return found


def questions_in(text: str) -> list[str]:
    """The questions of a message, in order; what is told before the first belongs to it. The whole message, if it asks
    only one."""
    found: list[str] = []
    told = ""
    for start, end in spans(text):
        for part in _AND_ASKS.split(text[start:end]):
            told = f"{told} {part}".strip()
            if (text[start:end].endswith("?") or _ASKS.match(part)) and terms(part):
                found.append(told)
                told = ""
    return found if len(found) > 1 else [text]


def _without_greeting(text: str) -> str:
    return _GREETING.sub("", text).strip()[:MAX_CHARS] or text.strip()[:MAX_CHARS]
