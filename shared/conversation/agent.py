"""The support agent: instructions, tools, history and evidence around a chat client, run once per turn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from agent_framework import Agent, AgentSession

from shared import telemetry
from shared.conversation.failures import model_failures
from shared.conversation.instructions import instructions
from shared.conversation.knowledge import KnowledgeSearch
from shared.conversation.providers import TURN, ConversationHistory, TurnKnowledge
from shared.conversation.tools import build_tools
from shared.conversation.turn import Turn
from shared.memory.models import Usage
from shared.settings import Settings

logger = logging.getLogger(__name__)

MAX_ANSWER_TOKENS = 800
"""A support answer is a few sentences; this ends a model that rambles …"""
MAX_ANSWER_CHARS = 20_000
"""… and this one that does not care: 25 characters a token."""
MODEL_SHARE = 2 / 3
"""Part of a turn's time that the model may take, so that some is left to answer without it."""


class SupportAgent:
    """Writes the answer of a turn. `fallback`, if given, takes over when the chat client fails."""

    def __init__(self, client: Any, fallback: Any | None, search: KnowledgeSearch, settings: Settings) -> None:
        tools = build_tools(search)
        self._agent = _build(client, tools, settings)
        self._fallback = _build(fallback, tools, settings) if fallback else None
        self._seconds = MODEL_SHARE * settings.turn_timeout_seconds

    async def write(self, turn: Turn) -> AsyncIterator[str]:
        """The model's text as it comes, unverified. Fills `turn.usage`, and `turn.degraded` if the model failed.

        A model fails if it cannot be reached, refuses, breaks off, dawdles, or says nothing. If it had begun to write,
        it is not followed by the fallback, which would say things twice: what was written stands. What fails besides
        the model is raised as it is.
        """
        written = False
        try:
            async for text in _in_time(_run(self._agent, turn), self._seconds):
                written = written or not text.isspace()
                yield text
            if not (written or turn.handover or turn.remembered or self._fallback is None):
                raise EmptyAnswer
        except (*model_failures(), EmptyAnswer, AnswerTooLong) as failure:
            if self._fallback is None:
                raise
            turn.degraded = True
            telemetry.degraded_answers.add(1, {"error": type(failure).__name__})
            logger.warning("chat model failed", extra={"error": type(failure).__name__, "answer_begun": written})
            if not written:
                async for text in _run(self._fallback, turn):
                    yield text


class EmptyAnswer(Exception):
    """The model neither said nor did anything."""


class AnswerTooLong(Exception):
    """The model does not come to an end."""


def _build(client: Any, tools: Any, settings: Settings) -> Agent[Any]:
    return Agent(
        client,
        instructions(settings.company_name),
        name="support",
        tools=tools,
        context_providers=[ConversationHistory(settings.history_tokens), TurnKnowledge(settings.history_tokens)],
        default_options={"max_tokens": MAX_ANSWER_TOKENS, "store": False},
    )


async def _in_time(texts: AsyncGenerator[str], seconds: float) -> AsyncGenerator[str]:
    """The texts, until they took longer than this or are longer than an answer can be; then they are closed.

    Raises `TimeoutError`, `AnswerTooLong`.
    """
    loop, length = asyncio.get_running_loop(), 0
    deadline = loop.time() + seconds
    async with aclosing(texts):
        while True:
            try:
                text = await asyncio.wait_for(anext(texts), deadline - loop.time())
            except StopAsyncIteration:
                return
            length += len(text)
            if length > MAX_ANSWER_CHARS:
                raise AnswerTooLong
            yield text


async def _run(agent: Agent[Any], turn: Turn) -> AsyncGenerator[str]:
    session = AgentSession(session_id=turn.conversation.session_id)
    session.state[TURN] = turn
    run = agent.run(turn.message.text, session=session, stream=True, function_invocation_kwargs={TURN: turn})
    # Its end closes the connection to the model, also when the model has not come to its own.
    async with run as stream:
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
