"""A model's words, joined before they are parsed.

A model sends each of its tokens as a JSON document, of which the SDK and the agent's framework make a dozen objects:
.2 ms of a processor, so that an answer of a hundred tokens cost as much as the rest of its turn. Nobody sees single
tokens, since only whole sentences are verified and told. So what comes from the connection as a sentence's many events
goes to the SDK as few. Nothing else of the stream is touched: calls of tools, counts, errors, whatever else.

The events are those of https://platform.openai.com/docs/api-reference/chat-streaming; why here and not elsewhere:
docs/decisions/0021-tokens-joined-before-they-are-parsed.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2

LONGEST = 500
"""Characters after which words go on, wherever the sentence ends: a model that never ends one is to be noticed."""

_BETWEEN_EVENTS = re.compile(rb"(?:\r?\n){2}")
_MAY_END = re.compile(r"[.!?…。！？\n]")
_LETTER = re.compile(r"[^\W\d_]")


async def join_words(response: httpx2.Response) -> None:
    """For the client's event hooks: a response that streams events streams fewer of them."""
    is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
    if is_stream and "content-encoding" not in response.headers and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Joined(response.stream)


class _Joined(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        joiner = Joiner()
        async for data in self._stream:
            if joined := joiner.feed(data):
                yield joined
        if joined := joiner.finish():
            yield joined

    async def aclose(self) -> None:
        await self._stream.aclose()


class Joiner:
    """Takes a stream of events as it comes, and hands on the same text in fewer events.

    Words wait for the end of their sentence. From there to the first letter of the next one, nothing waits: only what
    comes after a sentence shows that it has ended (`sentences.py`), and its citation may stand there.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._event: dict[str, Any] | None = None
        self._words: list[str] = []
        self._waits = False

    def feed(self, data: bytes) -> bytes:
        """What can go on now; often nothing."""
        *events, self._rest = _BETWEEN_EVENTS.split(self._rest + data)
        return b"".join(map(self._add, events))

    def finish(self) -> bytes:
        """What is left at the end of the stream. If it breaks instead, the sentence that was broken off is lost."""
        return self._joined() + self._rest

    def _add(self, event: bytes) -> bytes:
        parsed = _only_words(event)
        if parsed is None:
            return self._joined() + event + b"\n\n"
        words: str = parsed["choices"][0]["delta"]["content"]
        self._event = self._event or parsed
        self._words.append(words)
        ends = _MAY_END.search(words) is not None
        goes_on = ends or not self._waits or sum(map(len, self._words)) >= LONGEST
        self._waits = not ends and (self._waits or _LETTER.search(words) is not None)
        return self._joined() if goes_on else b""

    def _joined(self) -> bytes:
        """The words that wait as one event, which says of itself what the first of theirs said."""
        if self._event is None:
            return b""
        event, self._event = self._event, None
        event["choices"][0]["delta"]["content"] = "".join(self._words)
        self._words.clear()
        return b"data: " + json.dumps(event).encode() + b"\n\n"


def _only_words(event: bytes) -> dict[str, Any] | None:
    """The event, if it says nothing but words of the answer."""
    name, _, value = event.partition(b":")
    if name != b"data":
        return None
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    match parsed:
        case {"choices": [{"delta": {"content": str()} as delta} as choice]}:
            says_more = (
                any(said for key, said in delta.items() if key not in ("role", "content"))
                or choice.get("finish_reason")
                or choice.get("logprobs")
                or parsed.get("usage")
                or parsed.get("error")
            )
            return None if says_more else parsed
        case _:
            return None
