"""The support agent: instructions, tools, history and evidence around a chat client, run once per turn."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

from agent_framework import Agent, AgentSession
from agent_framework.exceptions import AgentFrameworkException

from shared import telemetry
from shared.conversation.instructions import instructions
from shared.conversation.knowledge import KnowledgeSearch
from shared.conversation.providers import TURN, ConversationHistory, TurnKnowledge
from shared.conversation.tools import build_tools
from shared.conversation.turn import Turn
from shared.memory.models import Usage

logger = logging.getLogger(__name__)

MAX_ANSWER_TOKENS = 800
"""A support answer is a few sentences; this ends a model that rambles."""


class SupportAgent:
    """Writes the answer of a turn. `fallback`, if given, takes over when the chat client fails."""

    def __init__(self, client: Any, fallback: Any | None, search: KnowledgeSearch, *, company: str) -> None:
        tools = build_tools(search)
        self._agent = _build(client, tools, company)
        self._fallback = _build(fallback, tools, company) if fallback else None

    async def write(self, turn: Turn) -> AsyncIterator[str]:
        """The model's text as it comes, unverified. Fills `turn.usage`, and `turn.degraded` if the fallback wrote it.

        A model that fails after it began to write is not followed by the fallback, which would say things twice: what
        was written stands, and the turn is marked as degraded.
        """
        written = False
        try:
            async for text in _run(self._agent, turn):
                written = True
                yield text
        except _model_failures() as failure:
            if self._fallback is None:
                raise
            turn.degraded = True
            telemetry.degraded_answers.add(1, {"error": type(failure).__name__})
            logger.warning("chat model failed", extra={"error": type(failure).__name__, "answer_begun": written})
            if not written:
                async for text in _run(self._fallback, turn):
                    yield text


def _build(client: Any, tools: Any, company: str) -> Agent[Any]:
    return Agent(
        client,
        instructions(company),
        name="support",
        tools=tools,
        context_providers=[ConversationHistory(), TurnKnowledge()],
        default_options={"max_tokens": MAX_ANSWER_TOKENS, "store": False},
    )


async def _run(agent: Agent[Any], turn: Turn) -> AsyncIterator[str]:
    session = AgentSession(session_id=turn.conversation.session_id)
    session.state[TURN] = turn
    stream = agent.run(turn.message.text, session=session, stream=True, function_invocation_kwargs={TURN: turn})
    async for update in stream:
        for content in update.contents:
            if content.type == "text" and content.text:
                yield content.text
    usage = (await stream.get_final_response()).usage_details or {}
    turn.usage = Usage(
        input_tokens=usage.get("input_token_count") or 0,
        output_tokens=usage.get("output_token_count") or 0,
        total_tokens=usage.get("total_token_count") or 0,
    )


def _model_failures() -> tuple[type[Exception], ...]:
    """What a chat client raises when its model cannot be reached, refuses, or answers nonsense."""
    import openai

    return (AgentFrameworkException, openai.OpenAIError, TimeoutError)
