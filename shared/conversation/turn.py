"""The working state of one turn: what its steps and tools read and add. Lives in memory, for this turn only."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.conversation.evidence import EvidenceSet
from shared.escalation.policy import Escalation
from shared.escalation.ticket import Reason
from shared.memory.models import Attachment, Conversation, CustomerFact, Message, Usage


@dataclass(slots=True)
class Turn:
    """`attachments` are all of the session, this message's last. The fields below `evidence` are filled by the agent,
    but `escalation`: why a person should take over, judging by the customer's message; and `searched`: False if the
    index did not answer.

    `handover` is set when the agent asked for a human: the reason and one line for that person. The ticket itself is
    made and stored with the answer, so that neither exists without the other. `offered` is set when the agent asked for
    one whom the customer did not ask for: they are asked first. `searches` counts the agent's own.
    """

    conversation: Conversation
    message: Message
    history: tuple[Message, ...]
    attachments: tuple[Attachment, ...] = ()
    facts: tuple[CustomerFact, ...] = ()
    evidence: EvidenceSet = field(default_factory=EvidenceSet)
    remembered: list[str] = field(default_factory=list[str])
    escalation: Escalation | None = None
    handover: tuple[Reason, str] | None = None
    offered: bool = False
    searches: int = 0
    usage: Usage = field(default_factory=Usage)
    degraded: bool = False
    searched: bool = True
