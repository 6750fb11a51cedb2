"""What the agent is told when a turn begins."""

import json
from typing import Any

import pytest
from agent_framework import AgentSession, Message, SessionContext

from shared.conversation.extractive import next_step
from shared.conversation.providers import HANDOVER, TICKET, TURN, TurnKnowledge
from shared.conversation.turn import Turn
from shared.escalation.policy import EscalationPolicy
from shared.escalation.topics import Topic
from shared.memory.models import Conversation
from shared.memory.models import Message as Said
from tests.chat import NOW, SHIPPING, GivenKnowledge
from tests.fakes import HashEmbedder


class NoIntents:
    """A model of intents that fits no embedding model: rules and topics decide."""

    fingerprint = "none"


async def told(question: str) -> list[Message]:
    """The messages of the turn, with a passage that answers."""
    intents: Any = NoIntents()
    policy = EscalationPolicy(HashEmbedder(), intents, [Topic("Delivery", ("What does express delivery cost?",), 0.9)])
    turn = Turn(Conversation("s", "c", NOW, NOW), Said("m", "s", "user", question, NOW), ())
    turn.escalation = policy.decide(question)
    knowledge: Any = GivenKnowledge(SHIPPING)
    await knowledge.find(turn, question)
    session, context = AgentSession(session_id="s"), SessionContext(session_id="s", input_messages=[])
    session.state[TURN] = turn
    await TurnKnowledge(3000).before_run(agent=None, session=session, context=context, state={})
    return [*context.get_messages(), Message("user", [question])]


@pytest.mark.parametrize(
    ("question", "handed_over"),
    [
        ("I want to talk to a human about express delivery.", True),
        ("What does express delivery cost?", False),  # a topic makes a ticket, too, and is answered
    ],
)
async def test_who_asks_for_a_person_is_not_answered_from_documents(question: str, *, handed_over: bool) -> None:
    messages = await told(question)
    rows = [json.loads(line) for line in messages[0].text.splitlines()[1:-1]]
    assert any(row["kind"] == HANDOVER for row in rows) is handed_over
    assert any(row["kind"] == TICKET for row in rows) is not handed_over
    answer = "".join(content.text or "" for content in next_step(messages, frozenset()))
    assert (answer == "") is handed_over
    assert ("9.90 EUR" in answer) is not handed_over
