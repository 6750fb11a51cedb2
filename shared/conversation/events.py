"""What a running turn tells its reader, in this order:

`AnswerSentence`*, `SourcesCited`?, `TicketCreated`?, then exactly one of `TurnAnswered`, `TurnHandedToHuman`,
`TurnFailed`.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import SupportAgentError
from shared.escalation.ticket import Ticket
from shared.memory.models import Message, Source


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """The next verified piece of the answer. The pieces, joined, are the stored answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class SourcesCited:
    """All sources of the answer; `[n]` in its text is `sources[n - 1]`."""

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class TicketCreated:
    """A person was asked to take over; the ticket is already stored."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class TurnAnswered:
    """The answer is stored."""

    answer: Message


@dataclass(frozen=True, slots=True)
class TurnHandedToHuman:
    """A person owns the conversation: the customer's message is stored, the bot says nothing."""


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """The turn could not be finished; the customer's message is stored and can be sent again with the same id."""

    error: SupportAgentError


type TurnEvent = AnswerSentence | SourcesCited | TicketCreated | TurnAnswered | TurnHandedToHuman | TurnFailed
