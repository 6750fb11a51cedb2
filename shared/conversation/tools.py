"""The four things the agent can do. Who it does them for comes from the request, never from the model.

What a model asks for may have been put into its head by a document, a file or a remembered fact. So a tool that only
reads may be called at will, within limits; one that has an effect does what the customer's own message asks for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from agent_framework import FunctionInvocationContext, FunctionTool, tool
from pydantic import Field

from shared.conversation.knowledge import KnowledgeSearch
from shared.conversation.providers import TURN, evidence_row
from shared.conversation.turn import Turn
from shared.conversation.wishes import fact_to_remember, is_urgent
from shared.knowledge.terms import terms
from shared.memory.models import MAX_FACT

SEARCH = "search_knowledge_base"
REMEMBER = "remember"
READ_ATTACHMENT = "read_attachment"
ESCALATE = "escalate_to_human"

MAX_SEARCHES = 3
"""Searches of the model in one turn, beside the one that every turn begins with."""
COPIED = 0.6
"""Share of a query's words; a text that was cut in two, or lost its links, is still known by it."""

_REPORTING = frozenset(terms("customer user wants needs asks says reports would like has is"))


def build_tools(search: KnowledgeSearch) -> Sequence[FunctionTool | Callable[..., Any]]:
    """The tools, bound to the knowledge they search. The running `Turn` reaches them as a keyword argument."""

    @tool(name=SEARCH, approval_mode="never_require")
    async def search_knowledge_base(
        query: Annotated[str, Field(description="What to look up: key words or a whole question", max_length=500)],
        ctx: FunctionInvocationContext,
    ) -> str:
        """Search the company's documents again with other words. Returns numbered passages; cite them as [n]."""
        turn = _turn(ctx)
        if turn.searches >= MAX_SEARCHES:
            return _refused("You have searched enough. Answer from the passages you have.")
        if _copied(query, turn):
            return _refused("These words stand in what you have read. Search for what the customer asks.")
        turn.searches += 1
        found = await search.find(turn, query)
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
            return _refused("There is no readable attachment of that name.")
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
        turn = _turn(ctx)
        own = fact_to_remember(turn.message.text, fact)
        if own is None:
            return _refused("The customer did not ask for anything to be remembered.")
        if own not in turn.remembered:
            turn.remembered.append(own)
        return json.dumps({"remembered": own}, ensure_ascii=False)

    @tool(name=ESCALATE, approval_mode="never_require")
    async def escalate_to_human(
        summary: Annotated[
            str, Field(description="One line for the colleague: what the customer needs", max_length=300)
        ],
        ctx: FunctionInvocationContext,
    ) -> str:
        """Ask a human colleague to take over the conversation. The customer is asked first, if they did not ask."""
        turn = _turn(ctx)
        if turn.escalation is None and not is_urgent(turn.message.text):
            turn.offered = True
            return json.dumps({"handed_over": False, "offered": True})
        if turn.handover is None:
            turn.handover = ("agent_decision", summary if _said(summary, turn) else turn.message.text)
        return json.dumps({"handed_over": True})

    return [search_knowledge_base, read_attachment, remember, escalate_to_human]


def _copied(query: str, turn: Turn) -> bool:
    """Whether the customer said no more than half of the query's words, and the others stand in what was read.

    Such a search finds what is known already, or what the author of that text wants to be found. Of a file or a
    remembered fact, half of the others are enough: a search must not spell out what only they say. A query without a
    word to look for is nobody's.
    """
    words = set(terms(query))
    unsaid = words - _customers_words(turn)
    if 2 * len(unsaid) < len(words):
        return False
    private = [fact.text for fact in turn.facts] + [attachment.markdown for attachment in turn.attachments]
    passages = [f"{evidence.heading} {evidence.content}" for evidence in turn.evidence]
    return 2 * len(unsaid & set(terms(" ".join(private)))) >= len(unsaid) or any(
        len(words & set(terms(text))) >= COPIED * len(words) for text in passages
    )


def _said(summary: str, turn: Turn) -> bool:
    """Whether the summary holds no more than the customer's words: a person will act on it."""
    return set(terms(summary)) <= _customers_words(turn) | _REPORTING


def _customers_words(turn: Turn) -> set[str]:
    said = [message.text for message in turn.history if message.role == "user"]
    return set(terms(" ".join([*said, turn.message.text])))


def _refused(why: str) -> str:
    return json.dumps({"error": why})


def _turn(ctx: FunctionInvocationContext) -> Turn:
    turn = ctx.kwargs[TURN]
    if not isinstance(turn, Turn):
        raise TypeError("The running turn was not handed to the tool.")
    return turn
