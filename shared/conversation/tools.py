"""The four things the agent can do. Who it does them for comes from the request, never from the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from agent_framework import FunctionInvocationContext, FunctionTool, tool
from pydantic import Field

from shared.conversation.knowledge import KnowledgeSearch
from shared.conversation.providers import TURN, evidence_row
from shared.conversation.turn import Turn

SEARCH = "search_knowledge_base"
REMEMBER = "remember"
READ_ATTACHMENT = "read_attachment"
ESCALATE = "escalate_to_human"

MAX_FACT = 300
"""Characters of one remembered fact."""


def build_tools(search: KnowledgeSearch) -> Sequence[FunctionTool | Callable[..., Any]]:
    """The tools, bound to the knowledge they search. The running `Turn` reaches them as a keyword argument."""

    @tool(name=SEARCH, approval_mode="never_require")
    async def search_knowledge_base(
        query: Annotated[str, Field(description="What to look up: key words or a whole question", max_length=500)],
        ctx: FunctionInvocationContext,
    ) -> str:
        """Search the company's documents again with other words. Returns numbered passages; cite them as [n]."""
        found = await search.find(_turn(ctx), query)
        return json.dumps([evidence_row(evidence) for evidence in found], ensure_ascii=False)

    @tool(name=READ_ATTACHMENT, approval_mode="never_require")
    async def read_attachment(
        name: Annotated[str, Field(description="The attachment's name, as listed", max_length=300)],
        ctx: FunctionInvocationContext,
    ) -> str:
        """Read the passages of a file which the customer added that bear on the question. Cite them as [n]."""
        turn = _turn(ctx)
        attachment = next((a for a in reversed(turn.attachments) if a.name == name and a.markdown), None)
        if attachment is None:
            return json.dumps({"error": "There is no readable attachment of that name."})
        found = await search.look_into(turn, attachment)
        return json.dumps([evidence_row(evidence) for evidence in found], ensure_ascii=False)

    @tool(name=REMEMBER, approval_mode="never_require")
    async def remember(
        fact: Annotated[
            str, Field(description="One short statement about the customer, in their words", max_length=MAX_FACT)
        ],
        ctx: FunctionInvocationContext,
    ) -> str:
        """Remember something that the customer asked to have remembered, for later conversations too."""
        remembered = _turn(ctx).remembered
        if fact not in remembered:
            remembered.append(fact)
        return json.dumps({"remembered": fact})

    @tool(name=ESCALATE, approval_mode="never_require")
    async def escalate_to_human(
        summary: Annotated[
            str, Field(description="One line for the colleague: what the customer needs", max_length=300)
        ],
        ctx: FunctionInvocationContext,
    ) -> str:
        """Ask a human colleague to take over the conversation."""
        turn = _turn(ctx)
        if turn.handover is None:
            turn.handover = ("agent_decision", summary)
        return json.dumps({"handed_over": True})

    return [search_knowledge_base, read_attachment, remember, escalate_to_human]


def _turn(ctx: FunctionInvocationContext) -> Turn:
    turn = ctx.kwargs[TURN]
    if not isinstance(turn, Turn):
        raise TypeError("The running turn was not handed to the tool.")
    return turn
