"""When a person should take over. Rules know the plain cases, a model trained on examples the indirect ones."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from shared.escalation.intents import NONE, IntentModel
from shared.escalation.requests import asks_for_human, asks_what_you_are, declines
from shared.escalation.ticket import Reason
from shared.escalation.topics import Topic
from shared.knowledge.embedding import Embedder, Vectors
from shared.memory.models import Message

logger = logging.getLogger(__name__)

THRESHOLD = 0.55
"""Least probability that a message is a reason to escalate."""
SENTENCE_THRESHOLD = 0.75
"""The same for one sentence of several: each is another chance of a false alarm."""
PIECES = 8
"""Sentences of a message that are looked at one by one, the first and the last ones: each costs an embedding."""
MIN_WORDS = 3
"""A shorter sentence says nothing alone, unless it is all there is."""

_RULES: Sequence[tuple[Reason, re.Pattern[str]]] = (
    (
        "safety",
        re.compile(
            r"\b(?:suicid\w*|kill(?:ing)? my ?self|hurt(?:ing)? my ?self|end(?:ing)? my (?:own )?life|want to die"
            r"|electrocuted|(?:caught|catching|is on|was on) fire|gas leak|electric shock)\b"
        ),
    ),
    (
        "legal",
        re.compile(
            r"\b(?:(?:my|our) (?:lawyer|attorney|solicitor|legal counsel)s?|(?:take|taking) (?:you|this) to court"
            r"|(?:sue|suing) (?:you|your)|legal action against (?:you|your)|small claims court|subject access request"
            r"|(?:data protection|privacy) (?:authority|commissioner))\b"
        ),
    ),
)
_ONCE: frozenset[Reason] = frozenset({"complaint", "topic", "repeated_failure"})
"""Reasons that are not worth a word while a ticket is open: the colleague who comes reads it all."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """Why a person should take over.

    `confidence` is a probability, 1 for a rule. `matched` is the rule's or the topic's name, or the words of the
    customer that the model recognised; those are not for the log.
    """

    reason: Reason
    confidence: float
    matched: str


class EscalationPolicy:
    """Safe to call from several threads. A decision takes one embedding a sentence."""

    def __init__(self, embedder: Embedder, intents: IntentModel, topics: Sequence[Topic] = ()) -> None:
        self._embedder = embedder
        self._topics = topics
        self._intents = intents if intents.fingerprint == embedder.fingerprint else None
        if self._intents is None:
            logger.warning(
                "escalation: intents.npz was trained with another embedding model; only rules and topics decide until"
                " `python -m tools.train_intents` was run"
            )

    def decide(self, text: str, history: Sequence[Message] = (), *, ticket_open: bool = False) -> Escalation | None:
        """Whether a person should take over because of what the customer writes. `history` is what was said before,
        oldest first; `ticket_open` says whether a person has been asked already."""
        escalation = self._rule(text) or self._learned(text, history)
        if escalation and ticket_open and escalation.reason in _ONCE:
            return None
        return escalation

    def _rule(self, text: str) -> Escalation | None:
        plain = text.casefold().replace("’", "'")
        for reason, pattern in _RULES:
            if pattern.search(plain):
                return Escalation(reason, 1.0, f"{reason} words")
        if asks_for_human(text):
            return Escalation("customer_request", 1.0, "request for a person")
        return None

    def _learned(self, text: str, history: Sequence[Message]) -> Escalation | None:
        if not self._intents and not self._topics:
            return None
        pieces = [(piece, self._embedder.embed_query(piece)) for piece in _pieces(text)]
        topics = (self._topic(vector) for _, vector in pieces)
        intents = (
            self._intent(piece, vector, history, SENTENCE_THRESHOLD if number else THRESHOLD)
            for number, (piece, vector) in enumerate(pieces)
        )
        found = [decision for decision in (*intents, *topics) if decision]
        return max(found, key=lambda decision: decision.confidence, default=None)

    def _intent(self, piece: str, vector: Vectors, history: Sequence[Message], least: float) -> Escalation | None:
        if not self._intents or asks_what_you_are(piece) or declines(piece):
            return None
        probabilities = dict(self._intents.probabilities(piece, vector))
        # "Still not working" opens many a first message, as the description of a problem.
        ordinary = probabilities.pop(NONE) + (0 if _was_advised(history) else probabilities.pop("repeated_failure"))
        if 1 - ordinary < least:
            return None
        label = max(probabilities, key=probabilities.__getitem__)
        return Escalation(cast("Reason", label), 1 - ordinary, piece)  # the labels are reasons: a test sees to it

    @cached_property
    def _examples(self) -> Sequence[tuple[Topic, Vectors]]:
        return [(topic, np.stack([self._embedder.embed_query(e) for e in topic.examples])) for topic in self._topics]

    def _topic(self, vector: Vectors) -> Escalation | None:
        for topic, examples in self._examples:
            similarity = float((examples @ vector).max())
            if similarity >= topic.similarity:
                return Escalation("topic", similarity, topic.name)
        return None


def should_offer_human(history: Sequence[Message]) -> bool:
    """Whether an abstention now would be the second in a row. `history` is what was said before, oldest first.

    An abstention that made a ticket does not count again: who goes on asking gets one ticket, not one an answer.
    """
    earlier = next((message for message in reversed(history) if message.role != "user"), None)
    return earlier is not None and earlier.abstained and earlier.ticket_id is None


def _was_advised(history: Sequence[Message]) -> bool:
    """Whether the last thing said to the customer answers a question (a greeting does not)."""
    last = next((message for message in reversed(history) if message.role == "assistant"), None)
    return last is not None and last.reply_to is not None


def _pieces(text: str) -> Iterator[str]:
    """The whole message, then its sentences if there are several."""
    whole = " ".join(text.split())
    yield whole
    sentences = [s.strip() for s in re.split(r"(?<=[.!?;])\s+|\n+", text.strip())]
    sentences = [s for s in sentences if len(s.split()) >= MIN_WORDS and s != whole]
    yield from sentences if len(sentences) <= PIECES else (*sentences[: PIECES // 2], *sentences[-PIECES // 2 :])
