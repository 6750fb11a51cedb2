"""A chat client that needs no language model: it answers with the best sentences of the best passages, cited.

It speaks the same protocol as any other Agent Framework client, calls the same tools in the same loop, and is
deterministic. It is the default, and what answers when the configured model fails.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterable, Awaitable, Mapping, Sequence
from typing import Any, cast

from agent_framework import (
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    FunctionTool,
    Message,
    ResponseStream,
    UsageDetails,
)
from agent_framework.observability import ChatTelemetryLayer

from shared.conversation.courtesies import courtesy
from shared.conversation.decision import Found, asks_back, decide, question_back
from shared.conversation.extraction import Candidate, extract
from shared.conversation.instructions import NO_ANSWER
from shared.conversation.providers import HANDOVER, KNOWLEDGE, TICKET
from shared.conversation.query import MAX_CHARS, questions_before, whole_question
from shared.conversation.tools import READ_ATTACHMENT, REMEMBER, SEARCH
from shared.conversation.wishes import fact_to_remember
from shared.knowledge import markdown
from shared.knowledge.question import refers_back
from shared.knowledge.spelling import Spelling


class _Extractive(BaseChatClient[Any]):
    OTEL_PROVIDER_NAME = "extractive"
    model = "extractive"

    def __init__(self, *, spelling: Spelling | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._spelling = spelling

    def _inner_get_response(
        self,
        *,
        messages: Sequence[Message],
        stream: bool,
        options: Mapping[str, Any],
        **kwargs: Any,  # noqa: ARG002
    ) -> Awaitable[ChatResponse[Any]] | ResponseStream[ChatResponseUpdate, ChatResponse[Any]]:
        if stream:
            return self._build_response_stream(self._stream(messages, options))
        return self._complete(messages, options)

    async def _complete(self, messages: Sequence[Message], options: Mapping[str, Any]) -> ChatResponse[Any]:
        contents = await asyncio.to_thread(next_step, messages, _tool_names(options), self._spelling)
        return ChatResponse(
            messages=[Message("assistant", contents)],
            response_id=uuid.uuid4().hex,
            model=self.model,
            finish_reason=_finish_reason(contents),
            usage_details=_usage(messages, contents),
        )

    async def _stream(
        self, messages: Sequence[Message], options: Mapping[str, Any]
    ) -> AsyncIterable[ChatResponseUpdate]:
        """All in one update: it is known at once, and each update passes through all layers of the framework."""
        response_id = uuid.uuid4().hex
        contents = await asyncio.to_thread(next_step, messages, _tool_names(options), self._spelling)
        yield ChatResponseUpdate(
            contents=[*contents, Content.from_usage(_usage(messages, contents))],
            role="assistant",
            response_id=response_id,
            message_id=response_id,
            model=self.model,
            finish_reason=_finish_reason(contents),
        )


class ExtractiveChatClient(
    FunctionInvocationLayer[Any], ChatMiddlewareLayer[Any], ChatTelemetryLayer[Any], _Extractive
):
    """The layers of Agent Framework's own clients, in the same order: tool loop, middleware, telemetry, model."""


def next_step(messages: Sequence[Message], tools: frozenset[str], spelling: Spelling | None = None) -> list[Content]:
    """The next step of the turn: a tool call, or the pieces of the answer.

    Nothing if a person was asked for and takes over. What is to be remembered comes first, then courtesies; otherwise
    the question is answered from the evidence, after looking into attachments and searching once more where the
    evidence falls short, or may be about another topic. With `spelling`, misspelt words are read as the passages have
    them.
    """
    turn = _current_turn(messages)
    question = next((m.text for m in reversed(turn) if m.role == "user" and m.author_name != KNOWLEDGE), "")
    called = {c.name for m in turn for c in m.contents if c.type == "function_call"}
    rows = _rows(turn)
    kinds = {row["kind"] for row in rows}
    if HANDOVER in kinds:
        return [Content.from_text("")]
    if fact := fact_to_remember(question):
        if REMEMBER in tools - called:
            return [_call(REMEMBER, "fact", fact)]
        return [Content.from_text("")]
    before = [m for m in messages[: len(messages) - len(turn)] if m.author_name != KNOWLEDGE]
    told = next((message.text for message in reversed(before) if message.role == "assistant"), "")
    if reply := courtesy(question, told):
        return [Content.from_text(reply)]

    files = [row for row in rows if row["kind"] == "attachment"]
    unread: list[str] = [row["name"] for row in files]
    if unread and READ_ATTACHMENT in tools - called:
        return [_call(READ_ATTACHMENT, "name", name) for name in unread[-2:]]
    passages = [row for row in rows if row["kind"] == "passage"]
    # What comes with a file is about the file, not about what was said before.
    new = tuple(row["name"] for row in files if row["new"])
    of_file = [p for p in passages if p["title"].startswith(new)] if new else []
    if decide(question, [Found(p["title"], p["relevance"]) for p in of_file], may_ask=False).action == "answer":
        passages = of_file
    query = question if new else whole_question(question, before)
    earlier = [] if new else [text[:MAX_CHARS] for text in questions_before(question, before)]
    # Few words, of which none points back, may begin another topic: they are searched for by themselves, too.
    if earlier and not refers_back(question) and SEARCH in tools - called:
        return [_call(SEARCH, "query", question[:500])]
    if spelling:
        texts = [f"{p['title']}\n{p['text']}" for p in passages]
        question, query, *earlier = spelling.corrected([question, query, *earlier], texts)
    found = [Found(p["title"], p["relevance"], _headings(p["text"])) for p in passages]
    # Who waits for a person, or was just asked, is not asked what was meant.
    decision = decide(query, found, may_ask=not unread and TICKET not in kinds and not asks_back(told))
    if decision.action == "clarify":
        return [Content.from_text(question_back(decision.options))]
    candidates = [Candidate(p["n"], p["title"], p["text"], p["relevance"]) for p in passages]
    certain = decision.action == "decline"
    if pieces := extract(question, candidates, before=earlier, told=told, certain=certain):
        return [Content.from_text(piece) for piece in pieces]
    if SEARCH in tools - called and query != question:
        return [_call(SEARCH, "query", question[:500])]  # the follow-up's own words, without the turn before it
    return [Content.from_text(NO_ANSWER)]


def _headings(text: str) -> tuple[str, ...]:
    return tuple(heading for _, _, _, heading in markdown.headings(text))


def _current_turn(messages: Sequence[Message]) -> list[Message]:
    """From the evidence of this turn on (or from the customer's last message, when there is no evidence)."""
    start = max((i for i, m in enumerate(messages) if m.role == "user" and m.author_name != KNOWLEDGE), default=0)
    if start and messages[start - 1].author_name == KNOWLEDGE:
        start -= 1
    return list(messages[start:])


def _rows(turn: Sequence[Message]) -> list[dict[str, Any]]:
    """The evidence of the turn: what it began with, and what tools found since; each passage once."""
    lines: list[dict[str, Any]] = []
    for message in turn:
        if message.author_name == KNOWLEDGE:
            lines += [json.loads(line) for line in message.text.splitlines()[1:-1]]
        for content in message.contents:
            if content.type == "function_result" and (found := _json_list(content.result)):
                lines += found
    unique = {(row["kind"], row.get("n", row.get("name", row.get("text")))): row for row in lines}
    return list(unique.values())


def _json_list(text: Any) -> list[dict[str, Any]]:
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return []  # a failed tool's result is prose, and no evidence
    return cast("list[dict[str, Any]]", value) if isinstance(value, list) else []


def _tool_names(options: Mapping[str, Any]) -> frozenset[str]:
    if options.get("tool_choice") == "none":
        return frozenset()
    offered: Sequence[FunctionTool] = options.get("tools") or []
    return frozenset(tool.name for tool in offered)


def _call(tool: str, argument: str, value: str) -> Content:
    return Content.from_function_call(call_id=f"call_{uuid.uuid4().hex[:12]}", name=tool, arguments={argument: value})


def _finish_reason(contents: Sequence[Content]) -> Any:
    return "tool_calls" if contents[0].type == "function_call" else "stop"


def _usage(messages: Sequence[Message], contents: Sequence[Content]) -> UsageDetails:
    """Words read and written, so that the keyless client's usage is comparable; it has no tokens of its own."""
    read = sum(len(m.text.split()) for m in messages)
    written = sum(len((c.text or "").split()) for c in contents)
    return UsageDetails(input_token_count=read, output_token_count=written, total_token_count=read + written)
