"""Fewer events, the same words: nothing is lost, changed, or later than it could be told."""

import json
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.model_stream import LONGEST, Joiner, join_words
from shared.conversation.sentences import SentenceBuffer

DONE = b"data: [DONE]\n\n"
TEXT = st.text(st.sampled_from("aB é7.!?…。 \n\"')]*[-"), max_size=60)


def event(delta: dict[str, Any], **choice: Any) -> bytes:
    whole = {"index": 0, "delta": delta, "finish_reason": None, **choice}
    return f"data: {json.dumps({'id': 'c', 'choices': [whole], 'usage': None})}\n\n".encode()


def words(*texts: str) -> list[bytes]:
    return [event({"content": text}) for text in texts]


def joined(data: Sequence[bytes]) -> list[bytes]:
    """The events that come out, one by one."""
    joiner = Joiner()
    out = b"".join([*map(joiner.feed, data), joiner.finish()])
    return [part + b"\n\n" for part in out.split(b"\n\n") if part]


def text_of(events: bytes) -> str:
    values = (json.loads(part[5:]) for part in events.split(b"\n\n") if part and part + b"\n\n" != DONE)
    return "".join(value["choices"][0]["delta"].get("content", "") for value in values)


def test_the_words_of_a_sentence_become_few_events() -> None:
    told = words(
        "Standard", " delivery", " takes", " 3", " to", " 5", " days", ".", " [", "1", "]", " Then", " it", " is"
    )
    came = joined([*told, DONE])
    assert [text_of(one) for one in came[:-1]] == [
        "Standard",
        " delivery takes 3 to 5 days.",
        " [",
        "1",
        "]",
        " Then",
        " it is",
    ]
    assert came[-1] == DONE


@given(st.lists(TEXT, max_size=20))
def test_no_sentence_is_told_later(pieces: list[str]) -> None:
    joiner, as_sent, as_joined = Joiner(), SentenceBuffer(), SentenceBuffer()
    for piece in pieces:
        (data,) = words(piece)
        assert as_joined.feed(text_of(joiner.feed(data))) == as_sent.feed(piece)
    assert as_joined.feed(text_of(joiner.finish())) == []
    assert as_joined.finish() == as_sent.finish()


@given(st.lists(TEXT, max_size=12), st.lists(st.integers(1, 40), min_size=1), st.booleans())
def test_the_text_is_the_same_wherever_the_connection_cuts_it(
    pieces: list[str], lengths: list[int], carriage_returns: bool
) -> None:
    data = b"".join([*words(*pieces), DONE])
    if carriage_returns:
        data = data.replace(b"\n\n", b"\r\n\r\n")
    cuts = [0]
    while cuts[-1] < len(data):
        cuts.append(cuts[-1] + lengths[len(cuts) % len(lengths)])
    came = joined([data[start:end] for start, end in pairwise(cuts)])
    assert "".join(map(text_of, came[:-1])) == "".join(pieces)
    assert came[-1] == DONE


CALL = event({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]})
OTHERS = {
    "a tool call": CALL,
    "a tool call beside words": event({"content": "so", "tool_calls": [{"index": 0}]}),
    "a refusal": event({"content": "", "refusal": "No."}),
    "the end": event({"content": "."}, finish_reason="stop"),
    "log probabilities": event({"content": "so"}, logprobs={"content": [{"token": "so"}]}),
    "the usage": b'data: {"choices": [], "usage": {"total_tokens": 2}}\n\n',
    "an error": b'data: {"error": {"message": "overloaded"}}\n\n',
    "a comment": b": still here\n\n",
    "a named event": b'event: error\ndata: {"choices": [{"delta": {"content": "so"}}]}\n\n',
    "no JSON": b"data: {not json\n\n",
    "another shape": b'data: {"choices": 7}\n\n',
    "a page": b"<html>Gateway</html>\n\n",
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_everything_else_passes_as_it_is_and_in_its_place(other: bytes) -> None:
    came = joined([*words("One", " two", " three"), other, *words(" four", " five."), DONE])
    assert [text_of(one) for one in came[:2]] == ["One", " two three"]
    assert came[2] == other
    assert "".join(map(text_of, came[3:-1])) == " four five."
    assert came[-1] == DONE


def test_what_an_event_says_of_itself_stays() -> None:
    first, second = joined(words("One", " two", " three"))
    assert [json.loads(one[5:]) | {"choices": []} for one in (first, second)] == [
        {"id": "c", "choices": [], "usage": None}
    ] * 2


def test_a_sentence_without_an_end_is_handed_on_all_the_same() -> None:
    joiner = Joiner()
    for _ in range(10 * LONGEST):
        handed = text_of(joiner.feed(words("so ")[0]))
        assert len(handed) <= LONGEST + 3
    assert len(text_of(joiner.finish())) <= LONGEST


async def streamed(content_type: str = "text/event-stream", **headers: str) -> list[bytes]:
    async def sent() -> AsyncIterator[bytes]:
        for data in words("One", " two", " three."):
            yield data

    response = httpx2.Response(200, headers={"content-type": content_type, **headers}, content=sent())
    await join_words(response)
    return [data async for data in response.aiter_raw()]


async def test_only_a_stream_of_events_is_joined() -> None:
    assert [text_of(data) for data in await streamed()] == ["One", " two three."]
    assert len(await streamed("application/json")) == 3
    assert len(await streamed(**{"content-encoding": "gzip"})) == 3
