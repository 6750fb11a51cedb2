"""Doubles for tests of the conversation: a chat client that follows a script, and knowledge that is given."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent_framework import (
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    Message,
)
from agent_framework.observability import ChatTelemetryLayer

from shared.conversation.evidence import Evidence
from shared.conversation.turn import Turn
from shared.memory.models import Attachment

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHIPPING = ("Shipping", "Standard delivery takes 3 to 5 working days. Express delivery costs 9.90 EUR.", 0.9)
"""A passage: heading, content, relevance."""

type Step = Callable[[Sequence[Message]], AsyncIterable[Content]]


class _Scripted(BaseChatClient[Any]):
    OTEL_PROVIDER_NAME = "scripted"

    def __init__(self, *, steps: Sequence[Step] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps = list(steps)
        self.seen: list[list[Message]] = []
        self.instructions: list[str] = []

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Any:
        assert stream
        self.seen.append(list(messages))
        self.instructions.append(str(options.get("instructions")))
        step = self.steps.pop(0)

        async def updates() -> AsyncIterable[ChatResponseUpdate]:
            async for content in step(messages):
                yield ChatResponseUpdate(contents=[content], role="assistant", response_id="r", message_id="m")

        return self._build_response_stream(updates())


class ScriptedChatClient(FunctionInvocationLayer[Any], ChatMiddlewareLayer[Any], ChatTelemetryLayer[Any], _Scripted):
    """Each model call plays the next step. `seen` are the messages of each call, `instructions` what it was told."""


def says(*texts: str) -> Step:
    async def step(messages: Sequence[Message]) -> AsyncIterable[Content]:
        for text in texts:
            yield Content.from_text(text)

    return step


def calls(tool: str, **arguments: Any) -> Step:
    async def step(messages: Sequence[Message]) -> AsyncIterable[Content]:
        yield Content.from_function_call(call_id=f"call-{tool}", name=tool, arguments=arguments)

    return step


def fails(error: Exception, *, after: str = "") -> Step:
    async def step(messages: Sequence[Message]) -> AsyncIterable[Content]:
        if after:
            yield Content.from_text(after)
        raise error

    return step


class GivenKnowledge:
    """Every search finds the passages given, `(heading, content, relevance)`; an attachment is one passage."""

    def __init__(self, *passages: tuple[str, str, float]) -> None:
        self.passages = passages
        self.queries: list[str] = []

    async def find(self, turn: Turn, query: str) -> Sequence[Evidence]:
        self.queries.append(query)
        return [
            turn.evidence.add(
                id=f"chunk-{i}",
                heading=heading,
                content=content,
                distance=0.4,
                relevance=relevance,
                metadata={"source": f"{heading.lower()}.md", "title": heading},
            )
            for i, (heading, content, relevance) in enumerate(self.passages)
        ]

    async def look_into(self, turn: Turn, attachment: Attachment) -> Sequence[Evidence]:
        return [
            turn.evidence.add(
                id=f"attachment/{attachment.id}",
                heading=attachment.name,
                content=attachment.markdown,
                distance=0.2,
                relevance=0.9,
                metadata={"source": attachment.name, "attachment": True},
            )
        ]
