"""What customers ask in vain: the questions that the bot had no answer to, alike ones together."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from shared.conversation.query import whole_question
from shared.escalation.requests import asks_for_human
from shared.knowledge.embedding import Embedder
from shared.memory.models import ConversationRecord

NEWEST = 300
"""Questions that are compared, the newest ones: about 20 ms of a processor for each of the longest."""
MAX_CHARS = 300
"""Read of one question."""
CLUSTERS = 20
"""Clusters that are told, the largest ones."""
SIMILARITY = 0.7
"""Least cosine of questions that are alike, for all-MiniLM-L6-v2. Of 340 questions on Thunderbird, whose helpers named
the article that answers each, a third come together at .7, and .71 of these share the article of the one that is shown
(.44 at .6; .81 at .75, where only a sixth come together). Of crowd workers' questions on hotels and restaurants (track
5 of DSTC 11) .88 come together, all of them rightly."""


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """Ordered by time; the ids make the order complete."""

    at: datetime
    session_id: str
    message_id: str
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Questions that are alike: how many, and the one that most others are like."""

    question: str
    count: int


class NewestQuestions:
    """The newest `limit` of any number of questions; `total` counts them all."""

    def __init__(self, limit: int = NEWEST) -> None:
        self._limit = limit
        self._heap: list[Question] = []
        self.total = 0

    def add(self, question: Question) -> None:
        self.total += 1
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, question)
        else:
            heapq.heappushpop(self._heap, question)

    def texts(self) -> Sequence[str]:
        return [question.text for question in sorted(self._heap)]


def unanswered(record: ConversationRecord) -> Iterator[Question]:
    """The customer's questions that the bot had no answer to; a follow-up with the question that it follows.

    Whoever wants a person, or has to be given one for another reason, did not ask in vain; and an answer without the
    model or the index says nothing about the documents.
    """
    places = {message.id: place for place, message in enumerate(record.messages)}
    handed_over = {ticket.message_id for ticket in record.tickets if ticket.reason != "unanswered"}
    for message in record.messages:
        place = places.get(message.reply_to or "") if message.abstained and not message.degraded else None
        if place is None:
            continue
        asked = record.messages[place]
        if asked.id not in handed_over and not asks_for_human(asked.text):
            text = " ".join(whole_question(asked.text, record.messages[:place]).split())
            yield Question(asked.created_at, asked.session_id, asked.id, text[:MAX_CHARS])


def cluster(texts: Sequence[str], embedder: Embedder) -> Sequence[Cluster]:
    """The clusters, the largest first. Each text is in one, and the order of the texts does not matter.

    Greedy: the question that most others are like takes those with it, then the same among the rest. So every question
    of a cluster is at least as near to the one that is shown as `SIMILARITY` says. Embeds each distinct text once.
    """
    counts = Counter(texts)
    distinct = sorted(counts)
    if not distinct:
        return []
    vectors = embedder.embed_documents(distinct)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 1)
    alike = cosines >= SIMILARITY
    weights = np.array([counts[text] for text in distinct])
    centrality = cosines @ weights
    left = np.ones(len(distinct), bool)
    clusters: list[Cluster] = []
    while left.any():
        sizes = np.where(left, (alike & left) @ weights, 0)
        centre = int(np.where(sizes == sizes.max(), centrality, -np.inf).argmax())
        members = alike[centre] & left
        clusters.append(Cluster(distinct[centre], int(weights[members].sum())))
        left &= ~members
    return sorted(clusters, key=lambda found: (-found.count, found.question))
