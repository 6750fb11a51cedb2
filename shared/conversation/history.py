"""How much of a conversation the model is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.conversation.sentences import spans
from shared.knowledge.question import clean
from shared.memory.models import Message

BYTES_PER_TOKEN = 3
"""UTF-8 bytes that count as one token: English has about four, Japanese three. So the estimate is rather too high."""
EARLIER_SHARE = 0.1
"""Of the tokens, for what was asked before the window: with the default of 3,000, ten to twenty questions."""
EARLIER_CHARS = 150
"""Longest of these questions."""


@dataclass(frozen=True, slots=True)
class Shown:
    """`messages` as they are, oldest first, and of those before them what the customer `asked`, oldest first."""

    messages: Sequence[Message]
    asked: Sequence[str] = ()


def shown(messages: Sequence[Message], *, tokens: int) -> Shown:
    """The conversation in at most this many tokens. What does not fit is left out but for the customer's questions."""
    whole = window(messages, tokens=tokens)
    if not any(message.role == "user" for message in messages[: len(messages) - len(whole)]):
        return Shown(whole)
    share = int(EARLIER_SHARE * tokens)
    newest = window(messages, tokens=tokens - share)
    return Shown(newest, _asked(messages[: len(messages) - len(newest)], tokens=share))


def window(messages: Sequence[Message], *, tokens: int) -> list[Message]:
    """The newest messages that fit into this many tokens, oldest first; what is older is left out.

    It begins with a message of the customer, so that no answer stands there without its question.
    """
    kept: list[Message] = []
    left = tokens * BYTES_PER_TOKEN
    for message in reversed(messages):
        left -= len(message.text.encode())
        if left < 0:
            break
        kept.append(message)
    kept.reverse()
    first = next((number for number, message in enumerate(kept) if message.role == "user"), len(kept))
    return kept[first:]


def _asked(messages: Sequence[Message], *, tokens: int) -> list[str]:
    """The first sentence of each of the customer's messages, of the newest that fit."""
    kept: list[str] = []
    left = tokens * BYTES_PER_TOKEN
    for message in reversed(messages):
        if message.role == "user":
            sentence = _first_sentence(message.text)
            left -= len(sentence.encode())
            if left < 0:
                break
            kept.append(sentence)
    kept.reverse()
    return kept


def _first_sentence(text: str) -> str:
    """That says something, in one line."""
    text = " ".join(clean(text).split())
    start, end = next(spans(text), (0, len(text)))
    line = text[start:end]
    return line if len(line) <= EARLIER_CHARS else f"{line[: EARLIER_CHARS - 1]}…"
