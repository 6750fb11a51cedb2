"""What a turn looks up: the customer's message, with what was said before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from shared.knowledge.question import Question, stands_alone
from shared.memory.models import Message

MAX_CHARS = 1000
"""The embedding model reads about 256 tokens; the beginning of a long message says what it is about."""

_GREETING = re.compile(
    r"^\s*(?:hi|hello|hey|good (?:morning|afternoon|evening)|dear \w+)(?: there| team| all)?[\s,.!:-]+", re.IGNORECASE
)


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
    """The question in words that stand alone: a follow-up ("and for laptops?") after the message before it."""
    question = _without_greeting(text)
    return f"{question_before(text, history)[: MAX_CHARS - len(question)]} {question}".strip()


def question_before(text: str, history: Sequence[Said]) -> str:
    """The customer's previous message, which names the topic of a follow-up; empty if `text` stands alone."""
    if stands_alone(_without_greeting(text)):
        return ""
    return next((message.text for message in reversed(history) if message.role == "user"), "")


def _without_greeting(text: str) -> str:
    return _GREETING.sub("", text).strip()[:MAX_CHARS] or text.strip()[:MAX_CHARS]
