"""How much of a conversation the model is shown."""

from __future__ import annotations

from collections.abc import Sequence

from shared.memory.models import Message

BYTES_PER_TOKEN = 3
"""UTF-8 bytes that count as one token: English has about four, Japanese three. So the estimate is rather too high."""


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
